"""A search that goes on: the same rows as one that begins anew, and nothing computed twice."""

from __future__ import annotations

import itertools

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import arithmetic

D, ROWS = 16, 30_000  # more rows than are read at once
RNG = np.random.default_rng(2)
CENTRES = 3 * RNG.standard_normal((200, D))
VECTORS = (CENTRES[RNG.integers(0, 200, ROWS)] + RNG.standard_normal((ROWS, D))).astype("<f4")
QUERIES = (CENTRES[:8] + RNG.standard_normal((8, D))).astype("<f4")


@pytest.fixture(scope="module")
def stored() -> bytes:
    db = sqlite_ann.connect(":memory:")
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(e float32[{D}], metric=l2)")
    db.execute(f"INSERT INTO v(rowid, e) SELECT n, vector FROM ann_rows(?, {D})", (VECTORS.tobytes(),))
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    return bytes(db.serialize("main"))


@pytest.fixture
def v(stored):
    db = sqlite_ann.connect(":memory:")
    db.deserialize("main", stored)
    yield db
    db.close()


def info(db, key):
    return db.execute("SELECT value FROM ann_info('v') WHERE key = ?", (key,)).get


def near(db, query, k, where=""):
    return db.execute(f"SELECT id, distance FROM ann_search('v', ?, ?) {where}", (query.tobytes(), k))


def exact(query, k):
    return arithmetic.exact("l2", np.arange(ROWS), VECTORS, query, k)[0].tolist()


def test_rows_that_are_read_on_are_in_order_and_each_comes_once(v):
    for query in QUERIES:
        rows = near(v, query, 20_000).fetchall()
        assert len(rows) == 20_000
        assert len({id_ for id_, _ in rows}) == 20_000
        assert rows == sorted(rows, key=lambda row: (row[1], row[0]))


@pytest.mark.parametrize("k", [256, 1024, 4096])
def test_recall_is_what_was_asked_also_after_going_on(v, k):
    """At every place where it went on; what came too late counts as missed."""
    found = [[id_ for id_, _ in near(v, query, 10_000).fetchall()[:k]] for query in QUERIES]
    hits = sum(len(set(ids) & set(exact(query, k))) for ids, query in zip(found, QUERIES, strict=True))
    assert hits / (k * len(QUERIES)) > 0.91


def test_one_search_is_computed_however_many_rows_are_read(v):
    for k, read in ((10, 10), (256, 256), (5000, 20), (5000, 5000), (30_000, 9000)):
        before = info(v, "searches")
        rows = near(v, QUERIES[0], k)
        for _, _row in zip(range(read), rows, strict=False):
            pass
        rows.close()
        assert info(v, "searches") == before + 1


def test_going_on_looks_at_each_entry_once(v):
    """The work of 5,000 rows by going on is no more than of 5,000 at once, by a fifth."""
    rows = near(v, QUERIES[0], 20_000)
    for _, _row in zip(range(5000), rows, strict=False):
        pass
    rows.close()
    going_on = info(v, "inspected")
    v.execute("SELECT count(*) FROM ann_explain('v', ?, 16384)", (QUERIES[0].tobytes(),)).fetchall()
    assert going_on <= 1.2 * info(v, "inspected")


def test_all_rows_come_when_all_are_asked_for(v):
    """But for those that were missed at the beginning, and would come too late."""
    for where, least in (
        ("", 0.99),
        ("WHERE search_k = 1000000", 0.99),
        ("WHERE recall = 1", 1),
        ("WHERE recall = .5", 0.98),
    ):
        assert ROWS * least <= len(near(v, QUERIES[1], 10**9, where).fetchall()) <= ROWS
    match = v.execute("SELECT rowid FROM v WHERE e MATCH ?", (QUERIES[1].tobytes(),)).fetchall()
    assert ROWS * 0.99 <= len(match) <= ROWS


def test_an_exact_search_goes_on_exactly(v):
    rows = near(v, QUERIES[2], 3000, "WHERE recall = 1").fetchall()
    far = np.sort(np.linalg.norm(VECTORS.astype(float) - QUERIES[2], axis=1))[:3000]
    np.testing.assert_allclose([distance for _, distance in rows], far, rtol=1e-6)


def test_search_k_ends_it(v):
    assert 1500 <= len(near(v, QUERIES[2], 30_000, "WHERE search_k = 4000").fetchall()) <= 4000


def test_a_list_and_an_exclusion_hold_while_it_goes_on(v):
    only = [id_ for id_ in range(ROWS) if id_ % 3]
    excluded = [id_ for id_ in only if id_ % 5 == 0]
    sql = """SELECT id FROM ann_search('v', ?1, 15000) WHERE id IN (SELECT value FROM json_each(?2))
             AND exclude IN (SELECT value FROM json_each(?3))"""
    rows = [id_ for (id_,) in v.execute(sql, (QUERIES[3].tobytes(), str(only), str(excluded)))]
    assert len(rows) == 15_000
    assert set(rows) <= set(only) - set(excluded)


def test_waiting_rows_are_among_them_once(v):
    v.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    more = (QUERIES[4] + 0.01 * RNG.standard_normal((3000, D))).astype("<f4")
    v.execute(f"INSERT INTO v(rowid, e) SELECT 100000 + n, vector FROM ann_rows(?, {D})", (more.tobytes(),))
    ids = [id_ for id_, _ in near(v, QUERIES[4], 12_000).fetchall()]
    assert len(set(ids)) == 12_000
    assert sum(id_ >= 100_000 for id_ in ids) == 3000


WRITES = {
    "insert": "INSERT INTO v(rowid, e) SELECT 200000 + n, vector FROM ann_rows(:rows, 16)",
    "delete": "DELETE FROM v WHERE rowid % 2",
    "rebuild": "INSERT INTO v(v) VALUES ('rebuild')",
    "memory": "INSERT INTO v(v) VALUES ('cache_mb=0')",
    "beside": "CREATE TABLE beside(x)",
    "vacuum": None,
}


@pytest.mark.parametrize("statement", WRITES.values(), ids=WRITES)
def test_what_happens_between_two_rows(v, statement):
    """Rows go on in order, none twice, and what is read later is of the later state."""
    rows, seen = near(v, QUERIES[5], 8000), []
    for n, row in enumerate(rows):
        seen.append(row)
        if n == 300 and statement:
            v.execute(statement, {"rows": VECTORS[:600].tobytes()} if ":rows" in statement else ())
        if n == 2000:
            near(v, QUERIES[6], 3000).fetchall()
    assert seen == sorted(seen, key=lambda row: (row[1], row[0]))
    assert len({id_ for id_, _ in seen}) == len(seen) == 8000
    if statement and statement.startswith("DELETE"):
        assert all(id_ % 2 == 0 for id_, _ in seen[1024:])


def test_many_searches_go_on_in_turn(v):
    """Each has its own memory."""
    cursors = [near(v, query, 6000) for query in QUERIES[:4]]
    rows = [list(turn) for turn in zip(*cursors, strict=True)]
    for column, query in zip(zip(*rows, strict=True), QUERIES, strict=False):
        assert list(column) == near(v, query, 6000).fetchall()


def test_a_table_that_is_dropped_while_it_goes_on(v):
    rows = near(v, QUERIES[0], 8000)
    next(rows)
    with pytest.raises(apsw.LockedError):
        v.execute("DROP TABLE v")
    v.execute("ALTER TABLE v RENAME TO w")
    with pytest.raises(apsw.SQLError, match=r"no such table: main\.v|another kind of table"):
        rows.fetchall()


@pytest.mark.slow
def test_memory_that_runs_out_while_it_goes_on(v):
    """An error or all rows, never fewer; and the next search is whole."""
    for limit in range(2_000_000, 14_000_000, 400_000):
        try:
            apsw.soft_heap_limit(0)
            apsw.hard_heap_limit(apsw.memory_used() + limit)
            rows = near(v, QUERIES[0], 25_000).fetchall()
            assert len(rows) == 25_000
        except (MemoryError, apsw.NoMemError):
            pass
        finally:
            apsw.hard_heap_limit(0)
    assert len(near(v, QUERIES[0], 25_000).fetchall()) == 25_000


@pytest.mark.parametrize("recall", [0.5, 0.95])
def test_rows_do_not_depend_on_what_is_in_memory(v, recall):
    """Without memory for directories a search cannot go on where it stopped, and begins anew."""
    found = []
    for cache_mb in (0, 64):
        v.execute("SELECT ann_set('v', 'cache_mb', ?)", (cache_mb,)).fetchall()
        found.append([near(v, query, 3000, f"WHERE recall = {recall}").fetchall() for query in QUERIES])
    assert found[0] == found[1]


def test_the_last_rows_of_a_search_are_not_computed_anew(v):
    before = info(v, "searches")
    assert len(near(v, QUERIES[0], 1024).fetchall()) == 1024
    assert info(v, "searches") == before + 1


def test_a_large_search_leaves_no_memory_behind(v):
    def used():
        v.execute("PRAGMA shrink_memory")
        return apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[0]

    v.execute("SELECT ann_set('v', 'cache_mb', 0)").fetchall()
    near(v, QUERIES[0], 10).fetchall()
    before = used()
    for read in (1, ROWS):
        cursor = near(v, QUERIES[0], ROWS)
        list(itertools.islice(cursor, read))
        cursor.close()
        near(v, QUERIES[0], 10).fetchall()
        assert used() - before < 200_000
