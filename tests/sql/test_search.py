"""ann_search, ann_search_item and MATCH against exact search in numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import sqlite_ann

METRICS = ["cosine", "angular", "l2", "l1", "dot"]


def assert_forest_is_walked(table):
    """The last search estimated some entries of the forest instead of reading all rows."""
    assert table.info("leaf_pages") > 50
    assert table.info("waiting") == 0
    assert 0 < table.info("inspected") < len(table.ids)


def hits(found, expected):
    """How many of the found are as near as the farthest expected."""
    return sum(distance <= expected[-1][1] for _, distance in found)


# --- small tables: exact -------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("recall", [None, 0.5, 1])
def test_a_small_table_is_searched_exactly(db, load, oracle, make_vectors, rng, metric, recall):
    ids, x = rng.permutation(300)[:200] - 100, make_vectors(rng, 200, 5)
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[5], metric={metric})")
    load(db, ids, x)
    for query in make_vectors(rng, 20, 5):
        found = db.execute("SELECT id, distance FROM ann_search('v', ?, 7, ?)", (query.tobytes(), recall)).fetchall()
        assert found == oracle(metric, query, ids, x, 7)


def test_rank_counts_from_one_and_rowid_is_id(small):
    rows = small.db.execute("SELECT rowid, id, rank, distance FROM ann_search('v', '[0,0]', 20)").fetchall()
    assert [row[2] for row in rows] == list(range(1, 21))
    assert all(row[0] == row[1] for row in rows)
    assert [row[3] for row in rows] == sorted(row[3] for row in rows)


def test_ties_come_by_smaller_id(small):
    found = small.search("[0,0]", 60)
    assert len({distance for _, distance in found}) < 40
    assert found == small.exact(np.zeros(2))


def test_k_larger_than_the_table_gives_all_rows(small):
    assert len(small.search("[0,0]", 61)) == 60
    assert len(small.search("[0,0]", 2**63 - 1)) == 60


def test_k_is_ten_by_default(small):
    assert small.search("[1,1]") == small.exact(np.ones(2), 10)


def test_nan_for_an_argument_is_null_to_sqlite_and_takes_the_default(small):
    query, nan = small.x[5], float("nan")
    assert small.db.execute("SELECT typeof(?)", (nan,)).get == "null"
    assert small.search(query, nan, nan) == small.search(query)
    assert small.search(query, 3, None, "max_distance = ?", nan) == small.search(query, 3)


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("metric", METRICS)
def test_a_table_of_no_row_or_one(db, metric, rows):
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric={metric})")
    if rows:
        db.execute("INSERT INTO v(rowid, embedding) VALUES (5, '[3,4]')")
    for command in ("optimize", "rebuild", "integrity-check"):
        db.execute("INSERT INTO v(v) VALUES (?)", (command,))
        assert db.execute("SELECT id, rank FROM ann_search('v', '[3,4]', 3)").fetchall() == [(5, 1)][:rows]
        assert db.execute("SELECT id FROM ann_search_item('v', 5, 3)").fetchall() == [(5,)][:rows]
        assert db.execute("SELECT rowid FROM v WHERE embedding MATCH '[1,2]'").fetchall() == [(5,)][:rows]


@pytest.mark.parametrize("query", ["[0,0]", "[0,-0.0]"])
def test_zero_vectors_under_cosine_are_at_distance_one(db, query):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=cosine)")
    db.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1,0]'), (2, '[0,0]'), (3, '[-1,0]')")
    assert db.execute("SELECT id, distance FROM ann_search('v', '[2,0]')").fetchall() == [(1, 0.0), (2, 1.0), (3, 2.0)]
    assert db.execute("SELECT id, distance FROM ann_search('v', ?)", (query,)).fetchall() == [
        (1, 1.0),
        (2, 1.0),
        (3, 1.0),
    ]


# --- forests: approximate ------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_recall_of_a_forest_is_what_was_asked_for(forest, queries, metric):
    table = forest(metric)
    found = 0
    for query in queries:
        found += hits(table.search(query, 10), table.exact(query, 10))
        assert_forest_is_walked(table)
    assert found >= 0.9 * 10 * len(queries)


@pytest.mark.parametrize("metric", METRICS)
def test_distances_of_a_forest_are_exact(forest, queries, metric):
    table = forest(metric)
    for query in queries[:10]:
        known = dict(table.exact(query))
        assert all(known[id_] == distance for id_, distance in table.search(query, 20, 0.5))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 10, 64, 65, 300, 1500, 2000])
def test_recall_one_equals_numpy(forest, queries, metric, k):
    table = forest(metric)
    for query in queries[:5]:
        assert table.search(query, k, 1) == table.exact(query, k)


def test_more_recall_looks_at_more(forest, queries):
    table = forest()
    looked_at = []
    for recall in (0.5, 0.9, 0.99):
        table.search(queries[0], 10, recall)
        looked_at.append(table.info("inspected"))
    assert looked_at == sorted(looked_at)
    assert looked_at[0] < looked_at[2]


@pytest.mark.parametrize("k", [1, 63, 64, 65, 100, 300, 1000])
def test_k_rows_come_when_the_table_has_k(forest, queries, k):
    table = forest()
    assert [len(table.search(query, k)) for query in queries[:10]] == [k] * 10


def test_of_all_rows_the_asked_share_comes_and_all_of_them_with_recall_one(forest, queries):
    table = forest()
    assert sum(len(table.search(query, 1500)) for query in queries[:10]) >= 0.95 * 1500 * 10
    assert len(table.search(queries[0], 1500, 1)) == 1500


@pytest.mark.parametrize("k", [64, 200, 600])
def test_recall_holds_for_large_k(forest, queries, k):
    table = forest()
    found = sum(hits(table.search(query, k), table.exact(query, k)) for query in queries)
    assert found >= 0.9 * k * len(queries)


def test_a_forest_in_which_rows_wait_finds_them(forest, queries, load):
    table = forest()
    load(table.db, np.arange(200) + 100_000, np.tile(queries[:1], (200, 1)))
    assert table.info("waiting") > 0
    assert [distance for _, distance in table.search(queries[0], 5)] == [0.0] * 5
    assert table.search(queries[0], 5, 1) == [(100_000 + i, 0.0) for i in range(5)]


def test_zero_query_of_a_cosine_forest(forest):
    table = forest("cosine")
    assert table.search(np.zeros(16), 5) == [(1, 1.0), (4, 1.0), (7, 1.0), (10, 1.0), (13, 1.0)]


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "rows"), [("cosine", 1200), ("l2", 10_000), ("dot", 1200)])
def test_thousands_of_identical_vectors(db, load, metric, rows):
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[4], metric={metric})")
    load(db, np.arange(rows), np.tile(np.float32([1, 2, 3, 4]), (rows, 1)))
    assert db.execute("SELECT value FROM ann_info('v') WHERE key = 'leaf_pages'").get > 0
    assert db.execute("SELECT count(*) FROM ann_search('v', '[1,2,3,4]', 50)").get == 50
    assert db.execute("SELECT id FROM ann_search('v', '[1,2,3,4]', 3, 1)").fetchall() == [(0,), (1,), (2,)]
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


@pytest.mark.parametrize("metric", METRICS)
def test_zero_vectors_in_a_forest(db, load, make_vectors, oracle, rng, metric):
    x = make_vectors(rng, 1100)
    x[::3] = 0
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[16], metric={metric}, leaf_capacity=32)")
    load(db, np.arange(1100), x)
    for query in (x[1], np.zeros(16, np.float32)):
        found = db.execute("SELECT id, distance FROM ann_search('v', ?, 9, 1)", (query.tobytes(),)).fetchall()
        assert found == oracle(metric, query, np.arange(1100), x, 9)
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


# --- a large k is read as far as someone reads ---------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("recall", [None, 1])
def test_a_large_k_comes_in_order_and_without_duplicates(forest, queries, metric, recall):
    table = forest(metric)
    for query in queries[:5]:
        found = table.search(query, 10**9, recall)
        assert found == sorted(found, key=lambda row: (row[1], row[0]))
        assert len({id_ for id_, _ in found}) == len(found)
        ordered = "SELECT distance, id FROM ann_search('v', ?, 1000000, ?) ORDER BY distance, id"
        rows = table.db.execute(ordered, (query.tobytes(), recall)).fetchall()
        assert rows == sorted(rows)
        ranks = table.db.execute("SELECT rank FROM ann_search('v', ?, 1000000)", (query.tobytes(),)).fetchall()
        assert [rank for (rank,) in ranks] == list(range(1, len(ranks) + 1))


def test_a_filter_and_a_limit_over_a_large_k(forest, queries):
    table = forest()
    table.db.execute("CREATE TABLE song AS SELECT rowid AS id, rowid % 50 AS year FROM v")
    table.db.execute("CREATE UNIQUE INDEX song_id ON song(id)")
    for query in queries[:10]:
        sql = (
            "SELECT n.id, n.distance FROM ann_search('v', ?, 1000000, 1) n JOIN song ON song.id = n.id"
            " WHERE year < 5 ORDER BY n.distance LIMIT 10"
        )
        found = table.db.execute(sql, (query.tobytes(),)).fetchall()
        assert found == table.exact(query, 10, table.ids % 50 < 5)


@pytest.mark.slow
def test_ten_rows_of_a_large_k_cost_one_batch(db):
    """Of a table large enough to be read in batches."""
    rows = 17_000
    x = np.random.default_rng(11).standard_normal((rows, 8), dtype=np.float32)
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[8], metric=l2)")
    db.execute("INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, 8)", (x.tobytes(),))
    found = db.execute("SELECT id FROM ann_search('v', ?, 1000000)", (x[0].tobytes(),))
    assert len(list(itertools.islice(found, 10))) == 10
    found.close()
    info = dict(db.execute("SELECT key, value FROM ann_info('v') WHERE key IN ('searches', 'inspected')"))
    assert info["searches"] == 1
    assert info["inspected"] < rows
    distances = [d for (d,) in db.execute("SELECT distance FROM ann_search('v', ?, 1000000)", (x[0].tobytes(),))]
    assert distances == sorted(distances)
    assert len(distances) >= 0.95 * rows


# --- search_k and max_distance -------------------------------------------------------------------


def test_search_k_alone_replaces_the_recall_rule(forest, queries):
    table = forest()
    found = {}
    for search_k in (40, 3000):
        found[search_k] = 0
        for query in queries:
            found[search_k] += hits(table.search(query, 10, None, "search_k = ?", search_k), table.exact(query, 10))
            assert table.info("inspected") <= search_k + 2 * 32
    assert found[40] < found[3000]
    assert found[3000] >= 0.98 * 10 * len(queries)


def test_search_k_and_recall_stop_at_whichever_comes_first(forest, queries):
    table = forest()
    looked_at = {}
    for recall, search_k in ((0.5, 3000), (0.99, 3000), (0.99, 40), (None, 40)):
        table.search(queries[0], 10, recall, "search_k = ?", search_k)
        looked_at[recall, search_k] = table.info("inspected")
    assert looked_at[0.5, 3000] < looked_at[0.99, 3000]
    assert looked_at[0.99, 40] == looked_at[None, 40] < looked_at[0.99, 3000]


@pytest.mark.parametrize("k", [None, 3, 500])
@pytest.mark.parametrize("metric", METRICS)
def test_max_distance_is_inclusive_and_without_k_takes_all_within(forest, queries, metric, k):
    table = forest(metric)
    for query in queries[:5]:
        border = table.exact(query, 90)[-1][1]
        within = [row for row in table.exact(query) if row[1] <= border]
        assert table.search(query, k, 1, "max_distance = ?", border) == within[:k]


def test_everything_within_max_distance_comes_with_the_asked_probability(forest, queries):
    table = forest()
    found = wanted = 0
    for query in queries:
        border = table.exact(query, 90)[-1][1]
        wanted += sum(distance <= border for _, distance in table.exact(query))
        found += len(table.search(query, None, None, "max_distance = ?", border))
    assert found >= 0.9 * wanted


def test_max_distance_with_nothing_within(forest, queries):
    assert forest().search(queries[0], None, None, "max_distance = 0.5") == []
    assert forest("dot").search(queries[0], 10, None, "max_distance = -1e9") == []


# --- ann_search_item -----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_of_a_stored_row(forest, metric):
    table = forest(metric)
    for i in (0, 7, 1499):
        id_ = int(table.ids[i])
        found = table.db.execute("SELECT id, distance FROM ann_search_item('v', ?, 10, 1)", (id_,)).fetchall()
        assert found == table.exact(table.x[i], 10)
        others = table.db.execute(
            "SELECT id, distance FROM ann_search_item('v', ?, 10, 1) WHERE exclude_self = 1", (id_,)
        ).fetchall()
        assert others == table.exact(table.x[i], 10, table.ids != id_)
        both = "SELECT id FROM ann_search_item('v', ?, 10, 1) WHERE exclude_self = 0"
        assert table.db.execute(both, (id_,)).fetchall() == [(row[0],) for row in found]


def test_an_item_that_is_not_there_has_no_neighbours(small):
    for item in (0, 61, -5, None):
        assert small.db.execute("SELECT * FROM ann_search_item('v', ?, 10)", (item,)).fetchall() == []


def test_every_row_of_a_forest_finds_itself(forest):
    db = forest().db
    sql = "SELECT count(*) FROM v, ann_search_item('v', v.rowid, 1) AS n WHERE n.distance = 0"
    assert db.execute(sql).get >= 0.95 * 1500


# --- the whole result in one row -------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 10, 700, 5000])
def test_all_ids_and_distances_are_those_of_the_rows(forest, k):
    table = forest()
    query = table.x[7].astype("<f4").tobytes()
    rows = table.db.execute("SELECT id, distance FROM ann_search('v', ?, ?)", (query, k)).fetchall()
    sql = "SELECT rank, all_ids, all_distances FROM ann_search('v', ?, ?)"
    for rank, ids, distances in itertools.islice(table.db.execute(sql, (query, k)), 3):
        assert np.frombuffer(ids, "<i8").tolist() == [id_ for id_, _ in rows]
        assert np.frombuffer(distances, "<f8").tolist() == [distance for _, distance in rows]
        assert rank <= 3
    assert len(table.db.execute(sql, (query, k)).fetchall()) == len(rows)


def test_all_ids_of_a_search_of_a_row_leave_it_out(forest):
    table = forest()
    sql = "SELECT all_ids, exclude_self FROM ann_search_item('v', ?, 5) WHERE exclude_self = 1 LIMIT 1"
    ids, left_out = table.db.execute(sql, (int(table.ids[3]),)).get
    assert left_out == 1
    assert len(ids) == 5 * 8
    assert int(table.ids[3]) not in np.frombuffer(ids, "<i8")


def test_a_row_comes_first_among_its_equals(db, rng):
    index = sqlite_ann.Index.create(db, "same", dim=8, metric="l2")
    rows = rng.standard_normal((3000, 8)).astype(np.float32)
    rows[500:2500] = rows[0]
    index.add(np.arange(3000), rows)
    sql = "SELECT id, distance, rank FROM ann_search_item('same', ?, ?) WHERE {}"
    for item in (0, 700, 2499, 2900):
        for k in (1, 2, 300, 3000):
            found = db.execute(sql.format("true"), (item, k)).fetchall()
            assert found[0] == (item, 0, 1)
            assert [rank for _, _, rank in found] == list(range(1, k + 1))
            assert len({id_ for id_, _, _ in found}) == k
        without = db.execute(sql.format("exclude_self = 1"), (item, 5)).fetchall()
        assert len(without) == 5
        assert item not in {id_ for id_, _, _ in without}
        assert (
            db.execute(sql.format("id IN (1, 2)"), (item, 5)).fetchall()
            == db.execute(
                "SELECT id, distance, rank FROM ann_search('same', ?, 5) WHERE id IN (1, 2)", (rows[item].tobytes(),)
            ).fetchall()
        )
        assert db.execute(sql.format("max_distance = -1"), (item, 5)).fetchall() == []
        ids = [id_ for (id_,) in db.execute(f"SELECT id FROM ann_search_item('same', {item}, 9) ORDER BY distance, id")]
        assert ids == sorted(ids) or item == 2900


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_a_stored_row_finds_itself(db, rng, metric):
    index = sqlite_ann.Index.create(db, "own", dim=24, metric=metric)
    rows = (3 * rng.standard_normal((300, 24)))[rng.integers(0, 300, 12_000)] + rng.standard_normal((12_000, 24))
    rows = rows.astype(np.float32)
    for first in range(0, 12_000, 50):
        index.add(np.arange(first, first + 50), rows[first : first + 50])
    for k in (1, 10):
        ids, _ = index.search(rows[::4], k=k, recall=0.9)
        assert (ids[:, 0] == np.arange(0, 12_000, 4)).mean() >= 0.998
