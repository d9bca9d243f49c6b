"""What random statements found, as the few that show it."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import alter

DIM = 8


def vectors(n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(-20, 21, (12, DIM))[rng.integers(0, 12, n)] + rng.integers(-2, 3, (n, DIM))).astype("<f4")


def insert(db: apsw.Connection, ids: range | list[int], seed: int = 1) -> None:
    db.execute("INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
               (vectors(len(ids), seed).tobytes(), DIM, np.array(ids, "<i8").tobytes()))  # fmt: skip


def search(db: apsw.Connection, query: np.ndarray, k: int, name: str = "v") -> list[int]:
    return [row for (row,) in db.execute("SELECT id FROM ann_search(?, ?, ?)", (name, query.tobytes(), k))]


def faults(db: apsw.Connection, name: str = "v") -> list[tuple]:
    return db.execute("SELECT * FROM ann_check(?)", (name,)).fetchall()


@pytest.fixture
def v(db: apsw.Connection) -> apsw.Connection:
    """A forest of 1,500 rows, ids 1 to 1500."""
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{DIM}], metric=l2, leaf_capacity=32)")
    insert(db, range(1, 1501))
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    return db


def test_large_k_gives_k_rows(v):
    for query in vectors(20, seed=2):
        for k in (65, 100, 500, 1499, 1500):
            assert len(set(search(v, query, k))) == k


def test_waiting_run_does_not_reach_over_one_whose_rows_are_gone(v):
    v.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    insert(v, range(20000, 20100))  # the last of them wait
    v.execute("DELETE FROM v WHERE rowid >= 20000")
    insert(v, [*range(5000, 5070), 30000])
    v.execute("INSERT INTO v(rowid, embedding) VALUES (25000, ?)", (np.full(DIM, 99, "<f4").tobytes(),))
    assert search(v, np.full(DIM, 99, "<f4"), 3).count(25000) == 1
    assert faults(v) == []


def test_integrity_check_sees_what_the_transaction_has_in_memory(v):
    v.execute("BEGIN")
    v.execute("INSERT INTO v(embedding) VALUES (?)", (vectors(1).tobytes(),))
    assert v.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_failed_insert_is_not_counted(v):
    """A page is damaged; what was refused leaves the counters as they were."""
    v.execute("UPDATE v_pages SET data = zeroblob(10) WHERE id IN (SELECT root FROM ann_trees('v'))")
    alter.sums(v, "v", 1)
    before = v.execute("SELECT value FROM v_config WHERE name = 'state'").get
    v.execute("BEGIN")
    for row in range(9000, 9003):
        with pytest.raises(apsw.CorruptError):
            v.execute("INSERT INTO v(rowid, embedding) VALUES (?, ?)", (row, vectors(1).tobytes()))
    v.execute("COMMIT")
    assert v.execute("SELECT value FROM v_config WHERE name = 'state'").get == before


def test_failed_commit_leaves_no_statement_open(v, tmp_path):
    """After damage met half-way in a transaction, the connection reads what others write, and VACUUM runs."""
    path = str(tmp_path / "v.db")
    v.execute("VACUUM INTO ?", (path,))
    db, other = sqlite_ann.connect(path), sqlite_ann.connect(path)
    root = db.execute("SELECT root FROM ann_trees('v') LIMIT 1").get
    page = db.execute("SELECT data FROM v_pages WHERE id = ?", (root,)).get
    db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    insert(db, range(5000, 5300))
    db.execute("UPDATE v_pages SET data = zeroblob(10) WHERE id = ?", (root,))
    alter.sums(db, "v", 1)
    db.execute("BEGIN")
    with pytest.raises(apsw.CorruptError):
        db.execute("INSERT INTO v(v) VALUES ('optimize')")
    with pytest.raises(apsw.Error):
        db.execute("COMMIT")
    if db.in_transaction:
        db.execute("ROLLBACK")
    db.execute("UPDATE v_pages SET data = ? WHERE id = ?", (page, root))
    alter.sums(db, "v", -1)
    assert faults(db) == []
    far = np.full(DIM, 500, "<f4")
    search(db, far, 1)
    other.execute("INSERT INTO v(rowid, embedding) VALUES (777777, ?)", (far.tobytes(),))
    assert search(db, far, 1) == [777777]
    other.close()
    db.execute("VACUUM")
    db.close()


def test_search_after_another_table_of_that_name_was_rolled_back(v):
    query = vectors(1)[0]
    right = search(v, query, 5)
    for undo in ("ROLLBACK TO s", "ROLLBACK"):
        v.execute("BEGIN")
        v.execute("SAVEPOINT s")
        v.execute("DROP TABLE v")
        v.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[3])")
        v.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1,2,3]')")
        v.execute(undo)
        assert search(v, query, 5) == right
        assert faults(v) == []
        if v.in_transaction:
            v.execute("COMMIT")


@pytest.mark.parametrize("schema", ["main", "aux"])
def test_search_after_another_connection_made_another_table_of_that_name(tmp_path, schema):
    db, other = (sqlite_ann.connect(tmp_path / "main.db") for _ in range(2))
    for connection in (db, other):
        connection.execute("ATTACH ? AS aux", (str(tmp_path / "aux.db"),))
        connection.execute("SELECT count(*) FROM aux.sqlite_schema").fetchall()
    for first, metric in ((0, "l2"), (100, "dot")):
        db.execute(f"DROP TABLE IF EXISTS {schema}.v")
        db.execute(f"CREATE VIRTUAL TABLE {schema}.v USING ann(embedding float32[{DIM}], metric={metric})")
        insert(db, range(first, first + 5))
        for query in vectors(3, seed=2):
            sql, arguments = "SELECT id, distance FROM ann_search('v', ?)", (query.tobytes(),)
            assert other.execute(sql, arguments).fetchall() == db.execute(sql, arguments).fetchall()
        assert faults(other) == []
        assert len(other.execute("SELECT rowid, embedding FROM v").fetchall()) == 5
    db.execute(f"ALTER TABLE {schema}.v RENAME TO w")
    assert len(search(other, vectors(1)[0], 3, name="w")) == 3
    db.close()
    other.close()


@pytest.mark.parametrize("name", ["v", "w"])
def test_rollback_to_before_a_table_was_made(v, name):
    """SQLite tells such a table nothing of it: what it has in memory must not be written by the commit."""
    v.execute("BEGIN")
    v.execute("SAVEPOINT s")
    v.execute(f"DROP TABLE IF EXISTS {name}")
    v.execute(f"CREATE VIRTUAL TABLE {name} USING ann(embedding float32[{DIM}], metric=l2, leaf_capacity=32)")
    v.execute(f"INSERT INTO {name}(rowid, embedding) VALUES (1, ?)", (vectors(1).tobytes(),))
    v.execute("ROLLBACK TO s")
    v.execute("COMMIT")
    assert faults(v) == []
    assert len(search(v, vectors(1)[0], 10)) == 10
