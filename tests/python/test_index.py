"""The Index class against exact search in numpy."""

from __future__ import annotations

import sys

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index, answers, arrow, catalog, index, names, opened, progress, rows, searches, transaction

DIM = 16


def test_examples(run_examples):
    for module in (answers, arrow, catalog, index, names, opened, progress, rows, searches, transaction):
        run_examples(module)


@pytest.fixture
def vectors(rng):
    return rng.standard_normal((300, DIM)).astype(np.float32)


@pytest.fixture
def small(db, vectors):
    """300 rows, ids 1000 to 1299: too few for a forest, so that every answer is exact."""
    small = Index.create(db, "v", DIM, metric="l2")
    small.add(np.arange(1000, 1300), vectors)
    return small


def nearest(vectors, query, k, ids=None):
    """Exact: ids from 1000 on, and distances."""
    distances = np.linalg.norm(vectors.astype(np.float64) - query, axis=1)
    if ids is not None:
        distances[~np.isin(np.arange(1000, 1000 + len(vectors)), ids)] = np.inf
    order = np.argsort(distances, kind="stable")[:k]
    return order + 1000, distances[order]


# --- search --------------------------------------------------------------------------------------


def test_one_query_gives_one_row_of_ids_and_distances(small, vectors, rng):
    query = rng.standard_normal(DIM)
    ids, distances = small.search(query, k=7)
    expected_ids, expected_distances = nearest(vectors, query, 7)
    assert ids.dtype == np.int64
    assert ids.tolist() == expected_ids.tolist()
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-5)


def test_many_queries_give_many_rows(small, vectors, rng):
    queries = rng.standard_normal((5, DIM))
    ids, distances = small.search(queries, k=3)
    assert ids.shape == distances.shape == (5, 3)
    for i, query in enumerate(queries):
        assert ids[i].tolist() == nearest(vectors, query, 3)[0].tolist()


def test_k_is_ten_unless_said(small, vectors):
    assert len(small.search(vectors[0])[0]) == 10


def test_fewer_rows_than_k_are_filled_up_only_for_many_queries(small, vectors):
    ids, distances = small.search(vectors[0], k=1000)
    assert len(ids) == len(distances) == 300
    ids, distances = small.search(vectors[:2], k=1000)
    assert ids.shape == (2, 1000)
    assert (ids[:, 300:] == -1).all()
    assert np.isinf(distances[:, 300:]).all()


def test_no_queries_and_empty_table(db, vectors):
    empty = Index.create(db, "empty", DIM)
    assert empty.search(vectors[0])[0].shape == (0,)
    assert empty.search(vectors[:0], k=4)[0].shape == (0, 4)
    assert empty.search([], k=4)[0].shape == (0, 4)
    assert empty.search(vectors[:2], k=4)[0].tolist() == [[-1] * 4] * 2


def test_ids_restrict_the_search(small, vectors, rng):
    query, some = rng.standard_normal(DIM), np.arange(1000, 1300, 7)
    ids, _ = small.search(query, k=5, ids=some)
    assert ids.tolist() == nearest(vectors, query, 5, some)[0].tolist()
    assert small.search(query, ids=[1003, 5])[0].tolist() == [1003]
    assert small.search(query, ids=[])[0].tolist() == []


def test_exclude_keeps_ids_out(small, vectors, rng):
    query = rng.standard_normal(DIM)
    best = small.search(query, k=4)[0]
    assert small.search(query, k=2, exclude=best[:2])[0].tolist() == best[2:].tolist()
    assert small.search(query, k=4, exclude=[])[0].tolist() == best.tolist()


def test_a_set_that_sql_made_restricts_as_its_ids_do(small, vectors, rng):
    query, some = rng.standard_normal(DIM), np.arange(1000, 1300, 7)
    made = small.db.execute("SELECT ann_id_set(rowid) FROM v WHERE (rowid - 1000) % 7 = 0").get
    assert small.search(query, k=5, ids=made).ids.tolist() == nearest(vectors, query, 5, some)[0].tolist()
    assert (
        small.search(query, k=300, exclude=made).ids.tolist() == small.search(query, k=300, exclude=some).ids.tolist()
    )
    with pytest.raises(sqlite_ann.Error, match="only"):
        small.search(query, ids=b"no set of ids")


def test_ids_and_exclude_together(small, vectors):
    assert small.search(vectors[0], ids=[1000, 1001], exclude=[1000])[0].tolist() == [1001]


def test_max_distance_is_inclusive_and_with_no_k_gives_everything_within(small, vectors, rng):
    query = rng.standard_normal(DIM)
    ids, distances = small.search(query, k=40)
    within, _ = small.search(query, k=None, max_distance=distances[24])
    assert within.tolist() == ids[:25].tolist()
    both, _ = small.search(query, k=3, max_distance=distances[24])
    assert both.tolist() == ids[:3].tolist()


def test_max_distance_without_k_for_many_queries_is_as_wide_as_the_widest(small, vectors):
    ids, distances = small.search(vectors[:2], k=None, max_distance=0)
    assert ids.tolist() == [[1000], [1001]]
    assert distances.tolist() == [[0], [0]]


def test_search_takes_recall_and_search_k(small, vectors):
    assert small.search(vectors[3], 1, 1.0)[0].tolist() == [1003]
    assert small.search(vectors[3], 1, search_k=300)[0].tolist() == [1003]


# --- adding, reading, removing -------------------------------------------------------------------


def test_get_gives_the_vectors_in_the_order_asked_for(small, vectors):
    got = small.get([1005, 1000, 1005])
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, vectors[[5, 0, 5]])
    np.testing.assert_array_equal(small.get(1007), vectors[7])
    assert small.get([]).shape == (0, DIM)


def test_a_missing_id_leaves_no_statement_open(small, db):
    with pytest.raises(KeyError) as caught:
        small.get([1000, 7, 1001])
    assert caught.value.args == (7,)
    small.drop()


def test_what_get_gives_can_be_written_to(small):
    small.get(1000)[0] = 1


def test_length_and_membership(small):
    assert len(small) == 300
    assert 1000 in small
    assert np.int64(1299) in small
    assert 1300 not in small
    assert "1000" not in small
    assert None not in small
    assert 2**70 not in small


def test_remove_says_how_many_were_there(small, vectors):
    assert small.remove([1000, 1001, 5]) == 2
    assert small.remove(1002) == 1
    assert small.remove([]) == 0
    assert len(small) == 297
    assert small.search(vectors[0], k=1)[0].tolist() != [1000]


def test_ids_of_all_sizes_and_signs(db):
    ids = [-(2**63), -1, 0, 2**63 - 1]
    index = Index.create(db, "v", 2, metric="l2")
    index.add(ids, [[i, 0] for i in range(4)])
    assert index.search([0, 0])[0].tolist() == ids
    assert index.get(ids)[:, 0].tolist() == [0, 1, 2, 3]


def test_ids_that_are_there_are_refused_replaced_or_skipped(small, vectors):
    ids, rows = [7, 1000, 7], vectors[[1, 2, 3]]
    with pytest.raises(sqlite_ann.Error, match="1000 is there already"):
        small.add(ids, rows)
    small.add(ids, rows, existing="skip")
    np.testing.assert_array_equal(small.get([7, 1000]), vectors[[1, 0]])
    small.add(ids, rows, existing="replace")
    np.testing.assert_array_equal(small.get([7, 1000]), vectors[[3, 2]])
    with pytest.raises(ValueError, match="existing: expected one of refuse, replace, skip, got 'keep'"):
        small.add(ids, rows, existing="keep")
    assert len(small) == 301
    assert small.check() == []


def test_adding_nothing_is_allowed(small):
    small.add([], [])
    small.add(np.empty(0, np.int64), np.empty((0, DIM)))
    assert len(small) == 300


def test_rows_are_found_as_soon_as_they_are_added(small, vectors):
    small.add(7, vectors[0] + 0.001)
    assert small.search(vectors[0], k=2)[0].tolist() == [1000, 7]


def test_add_in_many_batches(db, vectors, monkeypatch):
    monkeypatch.setattr(index.arrays.batches, "__defaults__", (DIM * 4 * 50,))
    seen = []
    small = Index.create(db, "v", DIM)
    small.add(np.arange(300), vectors, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 300) for n in range(50, 301, 50)]
    np.testing.assert_array_equal(small.get(np.arange(300)), vectors)


def test_a_failing_batch_undoes_those_before_it(db, vectors, monkeypatch):
    monkeypatch.setattr(index.arrays.batches, "__defaults__", (DIM * 4 * 50,))
    small = Index.create(db, "v", DIM)
    vectors[-1, 0] = np.nan
    with pytest.raises(sqlite_ann.Error):
        small.add(np.arange(300), vectors)
    assert len(small) == 0


# --- many rows -----------------------------------------------------------------------------------


@pytest.fixture
def large(db, rng):
    """5,000 rows in clusters, as real vectors are; optimized."""
    centres = rng.standard_normal((50, DIM))
    vectors = (centres[rng.integers(50, size=5000)] + 0.3 * rng.standard_normal((5000, DIM))).astype(np.float32)
    large = Index.create(db, "v", DIM, metric="l2", seed=1)
    large.add(np.arange(1000, 6000), vectors)
    large.optimize()
    return large, vectors


def test_many_rows_do_not_wait_for_ever(db, rng):
    large = Index.create(db, "v", DIM)
    large.add(np.arange(2000), rng.standard_normal((2000, DIM)))
    assert large.info()["waiting"] == 0
    large.add(np.arange(2000, 3900), rng.standard_normal((1900, DIM)))
    assert large.info()["waiting"] == 0
    large.add(np.arange(3900, 5000), rng.standard_normal((1100, DIM)))  # less than a quarter
    assert large.info()["waiting"] == 1036  # the first 64 went straight into the forest
    said = {step.step: step.count for step in large.explain(rng.standard_normal(DIM))}
    assert said["slow: rows wait, and every search reads them; optimize takes them in"] == 1036
    large.optimize()
    assert large.info()["waiting"] == 0
    assert not any(step.step.startswith("slow") for step in large.explain(rng.standard_normal(DIM)))
    assert large.check() == []


def test_a_bulk_load_that_is_undone_leaves_no_forest(db, rng):
    large = Index.create(db, "v", DIM)
    with pytest.raises(ZeroDivisionError), db:
        large.add(np.arange(2000), rng.standard_normal((2000, DIM)))
        raise ZeroDivisionError
    assert len(large) == 0
    assert large.info()["leaf_pages"] == 0
    assert large.check() == []


@pytest.mark.slow
def test_forest_keeps_the_recall_it_is_asked_for(large):
    large, vectors = large
    assert large.info()["leaf_pages"] > 1
    queries = vectors[::50]
    found, _ = large.search(queries, k=10, recall=0.95)
    true = [nearest(vectors, query, 10)[0] for query in queries]
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, true, strict=True))
    assert hits / found.size >= 0.93  # 0.95 is the expectation over queries; 1,000 draws spread by 0.01
    exact, _ = large.search(queries, k=10, recall=1)
    assert exact.tolist() == [ids.tolist() for ids in true]


def test_optimize_tells_how_far_it_is(db, rng, monkeypatch):
    monkeypatch.setattr(opened, "OPTIMIZE_PAGES", 20)
    large = Index.create(db, "v", DIM)
    large._run("absorb=0")
    large.add(np.arange(2500), rng.standard_normal((2500, DIM)))
    seen = []
    large.optimize(progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (2500, 2500)


def test_optimize_of_a_small_or_empty_table_ends(small, db):
    assert small.optimize() is False
    assert Index.create(db, "empty", 2).optimize() is False
    assert len(small) == 300


def test_optimize_says_whether_anything_was_done(db, rng, capfd):
    large = Index.create(db, "v", DIM)
    large.add(np.arange(2000), rng.standard_normal((2000, DIM)))
    assert large.optimize(progress=True) is False
    large.add(np.arange(2000, 2200), rng.standard_normal((200, DIM)))
    assert large.optimize() is True  # rows waited
    assert large.optimize() is False
    large.remove(np.arange(0, 2200, 20))
    assert large.optimize() is True  # nothing waited; the recall was measured again
    assert large.optimize() is False
    large.learn(rng.standard_normal((50, DIM)))
    assert large.optimize() is False
    assert capfd.readouterr().err == ""  # no bar from 0 to 0


def test_optimize_with_nothing_to_do_writes_nothing(tmp_path, rng):
    path = tmp_path / "v.db"
    large = Index.create(sqlite_ann.connect(path), "v", DIM)
    large.add(np.arange(2000), rng.standard_normal((2000, DIM)))
    before = path.read_bytes()
    large.optimize()
    assert path.read_bytes() == before


def test_progress_bar_is_drawn_on_the_error_stream(db, rng, capfd):
    large = Index.create(db, "v", DIM)
    large.add(np.arange(2000), rng.standard_normal((2000, DIM)))
    large.add(np.arange(2000, 2200), rng.standard_normal((200, DIM)))
    large.optimize(progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "optimizing v" in err


def test_without_rich_a_terminal_is_told_what_goes_on_and_once_what_draws_bars(db, rng, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    progress.tell_of_rich.cache_clear()
    first, second = (Index.create(db, name, 2) for name in "vw")
    first.add([1], [[1, 2]], progress=True)
    assert capsys.readouterr().err == ""  # no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    first.add([2], [[1, 2]], progress=True)
    assert capsys.readouterr().err == "a progress bar needs rich: pip install 'sqlite_ann[cli]'\nadding to v …\n"
    second.add([1], [[1, 2]], progress=True)
    assert capsys.readouterr().err == "adding to w …\n"


def test_of_a_table_too_small_for_a_forest_there_is_no_bar(small, capfd):
    assert small.optimize(progress=True) is False
    assert capfd.readouterr().err == ""


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["order", "two words", 'quo"te', "semi;colon", "it's", "Ünïcode", "a.b", "123"])
def test_names_that_need_quotes(db, name, vectors):
    made = Index.create(db, name, DIM)
    made.add(np.arange(300), vectors)
    opened = Index(db, name)
    assert opened.remove([1]) == 1
    assert opened.search(vectors[0], k=1)[0].tolist() == [0]
    assert 2 in opened
    opened.optimize()
    assert opened.check() == []
    opened.drop()
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


@pytest.mark.parametrize("schema", ["aux", "temp", "main", "AUX"])
def test_name_with_its_schema(db, tmp_path, schema, vectors):
    db.execute("ATTACH ? AS aux", (str(tmp_path / "aux.db"),))
    made = Index.create(db, f"{schema}.songs", DIM)
    made.add([1, 2], vectors[:2])
    assert db.execute(f"SELECT count(*) FROM {schema}.songs").get == 2
    assert Index(db, f"{schema}.songs").search(vectors[1], k=1)[0].tolist() == [2]
    made.drop()


def test_one_name_in_two_schemas(db, tmp_path, vectors):
    db.execute("ATTACH ? AS aux", (str(tmp_path / "aux.db"),))
    here, there = Index.create(db, "v", DIM), Index.create(db, "aux.v", DIM)
    there.add([1], vectors[:1])
    assert (len(here), len(there)) == (0, 1)
    assert 1 not in here
    assert there.search(vectors[0])[0].tolist() == [1]


def test_column_may_be_called_otherwise(db, vectors):
    db.execute(f'CREATE VIRTUAL TABLE v USING ann("the vector" float32[{DIM}])')
    opened = Index(db, "v")
    opened.add([1], vectors[:1])
    np.testing.assert_array_equal(opened.get(1), vectors[0])


def test_options_reach_the_table(db):
    about = Index.create(db, "v", 8, metric="dot", trees=3, seed=9).info()
    assert (about["metric"], about["trees"], about["seed"], about["dimensions"]) == ("dot", 3, 9, 8)


def test_neighbours_by_manhattan_distance_are_found_again_in_a_reopened_file(tmp_path, rng):
    path, vectors = tmp_path / "v.db", rng.integers(0, 40, (1500, 12)).astype(np.float32)
    db = sqlite_ann.connect(path)
    Index.create(db, "v", 12, metric="manhattan").add(np.arange(1500), vectors)
    Index(db, "v").optimize()
    db.close()
    again = Index(sqlite_ann.connect(path), "v")
    assert (again.metric, again.check()) == ("l1", [])
    near = np.abs(vectors[:50, None] - vectors).sum(axis=2)
    ids, distances = again.search(vectors[:50], k=5, recall=1)
    np.testing.assert_array_equal(distances, np.sort(near, axis=1)[:, :5])
    np.testing.assert_array_equal(ids[:, 0], np.arange(50))
    _, distances = again.search(vectors[:50], k=5, recall=0.9)
    assert (distances <= np.sort(near, axis=1)[:, 4:5]).mean() > 0.85
    again.db.close()


def test_dimension_is_a_whole_number(db):
    with pytest.raises(TypeError):
        Index.create(db, "v", "8] , evil float32[1")


# --- transactions --------------------------------------------------------------------------------


@pytest.mark.slow
def test_everything_is_undone_by_a_rollback(small, db, vectors):
    db.execute("BEGIN")
    small.add(np.arange(2000, 4000), np.tile(vectors[0], (2000, 1)))
    small.remove([1000])
    small.optimize()
    db.execute("ROLLBACK")
    assert len(small) == 300
    assert small.search(vectors[0], k=1)[0].tolist() == [1000]
    assert small.check() == []


def test_add_inside_an_open_transaction_leaves_it_open(small, db, vectors):
    db.execute("BEGIN")
    small.add(1, vectors[0])
    assert db.in_transaction
    with pytest.raises(sqlite_ann.Error):
        small.add([2, 1], vectors[:2])
    assert db.in_transaction
    db.execute("COMMIT")
    assert 1 in small
    assert 2 not in small


def test_two_connections_and_a_reopened_file(tmp_path, vectors):
    path = tmp_path / "v.db"
    first, second = sqlite_ann.connect(path), sqlite_ann.connect(path, flags=apsw.SQLITE_OPEN_READONLY)
    made = Index.create(first, "v", DIM)
    opened = Index(second, "v")
    made.add([1, 2, 3], vectors[:3])
    assert opened.search(vectors[1], k=1)[0].tolist() == [2]
    made.remove(2)
    assert opened.search(vectors[1], k=3)[0].tolist() != [2]
    with pytest.raises(sqlite_ann.Error) as caught:
        opened.add(9, vectors[0])
    assert caught.value.code == apsw.SQLITE_READONLY


def test_an_interrupted_add_is_undone_and_the_connection_goes_on(db, rng):
    made = Index.create(db, "v", DIM)
    made.add(1, np.ones(DIM))
    db.set_progress_handler(lambda: True, 20)
    with pytest.raises(sqlite_ann.Error) as caught:
        made.add(np.arange(10, 3000), rng.standard_normal((2990, DIM)))
    db.set_progress_handler(None, 0)
    assert caught.value.code == apsw.SQLITE_INTERRUPT
    assert not db.in_transaction
    assert len(made) == 1
    made.add(2, np.ones(DIM))
    assert made.check() == []


def test_looks_like_what_it_is(small):
    assert repr(small) == "Index('v', dim=16, metric='l2')"


@pytest.mark.parametrize("name", ["k", "recall", "search_k", "max_distance"])
def test_nan_is_no_way_to_say_nothing(small, name):
    index, vectors = small, np.zeros(small.dim, np.float32)
    for queries in (vectors, np.stack([vectors, vectors])):
        for nan in (float("nan"), np.float32("nan"), np.float64("nan")):
            with pytest.raises(ValueError, match=rf"^{name}: expected a( whole)? number, got nan$"):
                index.search(queries, **{name: nan})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("k", [np.int64(3), np.uint8(3), np.int32(3), np.float64(3), np.array(3)]),
        ("recall", [np.float32(0.5), np.float64(0.5), np.float16(0.5), np.int64(1)]),
        ("search_k", [np.int64(100), np.uint16(100)]),
        ("max_distance", [np.float32(1), np.float64(1), np.int64(1)]),
    ],
)
def test_numbers_of_numpy_are_numbers(small, name, values):
    query = np.ones(small.dim, np.float32)
    for value in values:
        plain = value.item()
        assert small.search(query, **{name: value})[0].tolist() == small.search(query, **{name: plain})[0].tolist()
    assert small.recall(k=np.int64(3), sample=np.int64(5)).k == 3
    assert small.explain(query, k=np.int64(3))


def test_a_bad_vector_among_many_is_named_by_its_id(small):
    rows = np.ones((1000, small.dim), np.float32)
    rows[737, 1] = np.nan
    with pytest.raises(
        Exception, match=r"^vectors\[737\] \(id 10737\): expected finite components, got NaN at component 1"
    ):
        small.add(np.arange(10_000, 11_000), rows)
    assert 10_000 not in small


def test_a_number_bound_as_a_blob_is_called_so(small):
    sql = f"SELECT id FROM ann_search('{small.name}', ?, ?)"
    with pytest.raises(
        apsw.SQLError, match=r"expected k to be a whole number from 1, got a blob of 8 bytes; pass int\(k\)"
    ):
        small.db.execute(sql, (np.ones(small.dim, np.float32), np.int64(3).tobytes())).fetchall()


def test_a_locked_file_leaves_no_transaction_open(tmp_path):
    path = str(tmp_path / "locked.db")
    db, other = sqlite_ann.connect(path), sqlite_ann.connect(path)
    index = Index.create(db, "v", 2, metric="l2")
    index.add([1], [[1, 2]])
    other.execute("BEGIN; SELECT count(*) FROM v").fetchall()
    for write in (lambda: index.add([2], [[1, 3]]), lambda: index.learn([[1, 3]])):
        with pytest.raises(sqlite_ann.Error, match="locked"):
            write()
        assert not db.in_transaction
    other.execute("COMMIT")
    index.add([3], [[1, 4]])
    assert [id_ for (id_,) in other.execute("SELECT rowid FROM v")] == [1, 3]
