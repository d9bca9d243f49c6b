"""What must not be silent, and what must not write: damage that shortens, looking, numbers at their ends."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann

D = 16


def rows_of(n: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, D)).astype(np.float32)


@pytest.fixture
def v(db):
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{D}], metric=l2, leaf_capacity=32)")
    sqlite_ann.Index(db, "v").add(np.arange(1240), rows_of(1240))
    return db


def found(db, k=10, recall=None, where=""):
    sql = f"SELECT id FROM ann_search('v', ?, ?, ?) {where}"
    return [id_ for (id_,) in db.execute(sql, (rows_of(1)[0].tobytes(), k, recall))]


def lie(db, rows: int, placed: int) -> None:
    sql = "UPDATE v_config SET value = ?1 || substr(value, 17) WHERE id = 2"
    db.execute(sql, (rows.to_bytes(8, "little") + placed.to_bytes(8, "little"),))


@pytest.mark.parametrize("recall", [None, 1])
def test_a_state_that_lies_shortens_no_answer(v, recall):
    lie(v, 5, 5)
    assert len(found(v, 10, recall)) == 10
    assert len(found(v, 2000, recall)) == 1240


def test_waiting_rows_are_found_whatever_the_counters_say(v):
    v.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    v.execute(
        "INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (rows_of(100).tobytes(), D, np.arange(9000, 9100).astype("<i8").tobytes()),
    )
    assert 9000 in found(v, 2)
    lie(v, 2**40, 2**40)
    assert 9000 in found(v, 2)


def test_a_row_that_no_counter_knows_is_found_exactly(v):
    v.execute("INSERT INTO v_vectors VALUES (77777, ?)", (rows_of(1)[0].tobytes(),))
    assert len(found(v, 5000, 1)) == 1241
    assert 77777 in found(v, 2, 1)


@pytest.mark.parametrize(
    "look", ["SELECT * FROM ann_check('v')", "SELECT * FROM ann_pages('v')", "PRAGMA integrity_check"]
)
def test_looking_under_query_only_harms_nothing(v, look):
    v.execute("BEGIN")
    v.execute("INSERT INTO v(rowid, embedding) VALUES (5000, ?)", (rows_of(1)[0].tobytes(),))
    v.execute("PRAGMA query_only = 1")
    try:
        v.execute(look).fetchall()
    except apsw.ReadOnlyError as error:
        assert "PRAGMA query_only is on" in str(error)
    assert 5000 in found(v, 2)
    v.execute("PRAGMA query_only = 0")
    v.execute("COMMIT")
    assert 5000 in found(v, 2)
    assert v.execute("SELECT * FROM ann_check('v')").fetchall() == []


@pytest.mark.parametrize(("begin", "end"), [("BEGIN", "COMMIT"), ("SAVEPOINT a", "RELEASE a")])
def test_a_commit_under_query_only_loses_nothing(v, begin, end):
    row = "INSERT INTO v(rowid, embedding) VALUES (?, ?)"
    v.execute(f"{begin}; CREATE TABLE song(id); INSERT INTO song VALUES (1)")
    v.execute(row, (5000, rows_of(1)[0].tobytes()))
    v.execute("SAVEPOINT b")
    v.execute(row, (5001, rows_of(1)[0].tobytes()))
    v.execute("PRAGMA query_only = 1")
    with pytest.raises(apsw.ReadOnlyError):
        v.execute("RELEASE b")  # it is gone all the same
    for _ in range(2):
        with pytest.raises(apsw.BusyError, match="before it is committed, but PRAGMA query_only is on"):
            v.execute(end)
    with pytest.raises(apsw.ReadOnlyError):
        v.execute("SAVEPOINT c")
    assert v.in_transaction
    v.execute("PRAGMA query_only = 0")
    v.execute(row, (5002, rows_of(1)[0].tobytes()))
    v.execute(end)
    assert {5000, 5001, 5002} <= set(found(v, 4))
    assert v.execute("SELECT id FROM song").get == 1
    assert v.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_a_table_made_in_a_transaction_survives_a_commit_under_query_only(v):
    v.execute("BEGIN; CREATE VIRTUAL TABLE w USING ann(e float32[1]); PRAGMA query_only = 1")
    with pytest.raises(apsw.BusyError, match="ann table w: expected to write"):
        v.execute("COMMIT")
    v.execute("PRAGMA query_only = 0; COMMIT")
    assert v.execute("SELECT * FROM ann_check('w')").fetchall() == []


def test_a_search_among_rows_that_begin_to_wait_writes_nothing(v):
    v.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    v.execute("BEGIN")
    v.execute(
        "INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (rows_of(100).tobytes(), D, np.arange(9000, 9100).astype("<i8").tobytes()),
    )
    v.execute("PRAGMA query_only = 1")
    assert 9000 in found(v, 2)
    assert 9000 in found(v, 2, 1)
    v.execute("PRAGMA query_only = 0")
    v.execute("COMMIT")
    assert v.execute("SELECT * FROM ann_check('v')").fetchall() == []


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, 2**32, 2**40])
def test_a_page_with_a_number_that_is_none(v, number):
    v.execute("INSERT INTO v_pages SELECT ?, data FROM v_pages WHERE id = 2", (number,))
    assert v.execute("SELECT kind FROM ann_pages('v') WHERE page = ?", (number,)).get == "damaged"
    for sql in ("SELECT * FROM ann_trees('v')", "INSERT INTO v(v) VALUES ('warm')"):
        with pytest.raises(apsw.CorruptError, match=f"page {number} is damaged"):
            v.execute(sql).fetchall()
    assert any("is not valid" in fault for (fault,) in v.execute("SELECT fault FROM ann_check('v')"))
    v.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert v.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_a_limit_of_infinity_is_no_limit_of_ten_rows(v):
    for limit in ("9e999", "1e308"):
        assert len(found(v, None, 1, f"WHERE max_distance = {limit}")) == 1240


@pytest.mark.parametrize("k", [2**63 - 1, 2**62, 10**12])
def test_the_largest_k(v, k):
    assert len(found(v, k)) == 1240
    assert len(found(v, k, 1)) == 1240


@pytest.mark.slow
def test_recall_of_many_rows_among_clusters(db):
    """Where the calibration's largest k is that of a cluster, the next row is far."""
    rng = np.random.default_rng(4)
    rows = (6 * rng.standard_normal((30, 32)))[np.arange(30_000) % 30] + rng.standard_normal((30_000, 32))
    rows = rows.astype(np.float32)
    index = sqlite_ann.Index.create(db, "c", dim=32, metric="l2")
    index.add(np.arange(30_000), rows)
    for k in (1280, 3000):
        shares = []
        for query in rows[:30] + np.float32(0.1):
            far = np.sort(((rows - query) ** 2).sum(axis=1))[k - 1]
            _, distances = index.search(query, k=k)
            shares.append((distances**2 <= far * 1.00001).sum() / k)
        assert np.mean(shares) > 0.94
    assert len(index.search(rows[0], k=30_000)[0]) >= 0.95 * 30_000
