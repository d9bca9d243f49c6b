"""What a search has read stays in memory through every commit that did not touch its table, and through no other.

A program that logs plays beside its searches commits all the time; pages of another state are never answered from.
"""

from __future__ import annotations

import shutil

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import arithmetic, oracle

D, ROWS = 8, 1500
RNG = np.random.default_rng(1)
VECTORS = RNG.standard_normal((ROWS, D)).astype("<f4")
OTHERS = (4 + RNG.standard_normal((ROWS, D))).astype("<f4")
QUERIES = RNG.standard_normal((6, D)).astype("<f4")


def make(path, vectors=VECTORS, name="v"):
    db = sqlite_ann.connect(path)
    db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(e float32[{D}], metric=l2, leaf_capacity=32)")
    fill(db, vectors, name)
    db.execute("CREATE TABLE IF NOT EXISTS plays(song)")
    return db


def fill(db, vectors, name="v"):
    db.execute(f"INSERT INTO {name}(rowid, e) SELECT n, vector FROM ann_rows(?, {D})", (vectors.tobytes(),))
    db.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")


def search(db, recall=0.99):
    sql = f"SELECT id FROM ann_search('v', ?, 10, {recall}) ORDER BY rank"
    return [[id_ for (id_,) in db.execute(sql, (query.tobytes(),))] for query in QUERIES]


def exact(db):
    """By numpy, from what plain SQL reads of the vectors."""
    ids, vectors = zip(*db.execute("SELECT id, vector FROM v_vectors"), strict=True)
    rows = np.frombuffer(b"".join(vectors), "<f4").reshape(-1, D)
    return [arithmetic.exact("l2", np.array(ids), rows, query, 10)[0].tolist() for query in QUERIES]


def warm(db):
    for _ in range(2):
        search(db)


def reads(db):
    """Pages and rows that a search of what was searched for before has to read from SQLite."""
    sql = "SELECT step, count FROM ann_explain('v', ?, 10, .99) WHERE step LIKE 'read%'"
    return sum(count for query in QUERIES for _, count in db.execute(sql, (query.tobytes(),)))


@pytest.fixture
def two(tmp_path):
    """A connection that has searched, and another to the same file."""
    ours = make(tmp_path / "a.db")
    theirs = sqlite_ann.connect(tmp_path / "a.db")
    warm(ours)
    assert reads(ours) == 0
    yield ours, theirs
    ours.close()
    theirs.close()


BESIDE = {
    "a row": ["INSERT INTO plays VALUES (1)"],
    "a transaction": ["BEGIN", "INSERT INTO plays VALUES (1)", "INSERT INTO plays VALUES (2)", "COMMIT"],
    "a rollback": ["BEGIN", "INSERT INTO plays VALUES (1)", "ROLLBACK"],
    "a table": ["CREATE TABLE more(x)"],
    "another ann table": [
        f"CREATE VIRTUAL TABLE w USING ann(e float32[{D}])",
        f"INSERT INTO w(e) SELECT vector FROM ann_rows(zeroblob({400 * D}), {D})",
        "INSERT INTO w(w) VALUES ('optimize')",
    ],
    "vacuum": ["VACUUM"],
    "analyze": ["ANALYZE"],
}


@pytest.mark.parametrize("who", [0, 1], ids=["ours", "theirs"])
@pytest.mark.parametrize("statements", BESIDE.values(), ids=BESIDE)
def test_commits_beside_the_table_cost_a_search_nothing(two, statements, who):
    ours = two[0]
    before = search(ours)
    for statement in statements:
        two[who].execute(statement)
        assert search(ours) == before
    assert reads(ours) == 0


def test_a_search_within_a_transaction_beside_the_table_keeps_what_it_has(two):
    ours = two[0]
    for _ in range(3):
        with ours:
            ours.execute("INSERT INTO plays VALUES (1)")
            assert reads(ours) == 0
        assert reads(ours) == 0


def test_own_commits_to_the_table_keep_what_is_known(two):
    """All but the leaves and directories that were changed is in memory; and these are, as they were written."""
    ours = two[0]
    ours.execute("INSERT INTO v(rowid, e) VALUES (9000, ?)", (QUERIES[0].tobytes(),))
    assert search(ours)[0][0] == 9000
    assert reads(ours) == 0


TOUCH = {
    "insert": [f"INSERT INTO v(rowid, e) SELECT 9000 + n, vector FROM ann_rows(:q, {D})"],
    "delete": ["DELETE FROM v WHERE rowid IN (SELECT id FROM ann_search('v', substr(:q, 1, 32), 5))"],
    "update": [f"UPDATE v SET e = (SELECT vector FROM ann_rows(:q, {D}) LIMIT 1) WHERE rowid = 7"],
    "another id": ["UPDATE v SET rowid = 70000 WHERE rowid = (SELECT id FROM ann_search('v', substr(:q, 1, 32), 1))"],
    "all deleted": ["DELETE FROM v", f"INSERT INTO v(rowid, e) SELECT 5 + n, vector FROM ann_rows(:q, {D})"],
    "rebuild": ["UPDATE v SET e = substr(:q, 1, 32) WHERE rowid % 3 = 0", "INSERT INTO v(v) VALUES ('rebuild')"],
    "by slices": [
        "INSERT INTO v(v) VALUES ('absorb=0')",
        f"INSERT INTO v(rowid, e) SELECT 9000 + n, vector FROM ann_rows(:both, {D})",
        *["INSERT INTO v(v, k) VALUES ('optimize', 3)"] * 5,
    ],
    "there and back": [
        "INSERT INTO v(rowid, e) VALUES (9000, substr(:q, 1, 32))",
        "DELETE FROM v WHERE rowid = 9000",
        "INSERT INTO v(rowid, e) VALUES (9001, substr(:q, 33, 32))",
    ],
    "made anew": [
        "DROP TABLE v",
        f"CREATE VIRTUAL TABLE v USING ann(e float32[{D}], metric=l2, leaf_capacity=32)",
        f"INSERT INTO v(rowid, e) SELECT n, vector FROM ann_rows(:o, {D})",
        "INSERT INTO v(v) VALUES ('optimize')",
    ],
}
VALUES = {"q": QUERIES.tobytes(), "o": OTHERS.tobytes(), "both": (QUERIES.tobytes() + OTHERS.tobytes())}


@pytest.mark.parametrize("who", [0, 1], ids=["ours", "theirs"])
@pytest.mark.parametrize("statements", TOUCH.values(), ids=TOUCH)
def test_what_is_written_to_the_table_is_answered_from_at_once(two, statements, who):
    ours = two[0]
    for statement in statements:
        two[who].execute(statement, VALUES)
        if ours.execute("SELECT 1 FROM sqlite_schema WHERE name = 'v'").get and ours.execute("SELECT 1 FROM v").get:
            assert search(ours, 1) == exact(ours)
            assert sum(len(set(a) & set(b)) for a, b in zip(search(ours), exact(ours), strict=True)) >= 0.96 * sum(
                map(len, exact(ours))
            )
    assert ours.execute("SELECT count(*) FROM ann_check('v')").get == 0


@pytest.mark.parametrize("undo", ["ROLLBACK", "ROLLBACK TO s", "fails"])
def test_what_was_undone_is_not_answered_from(two, undo):
    ours = two[0]
    before = search(ours)
    ours.execute("BEGIN; INSERT INTO plays VALUES (1); SAVEPOINT s")
    ours.execute(TOUCH["insert"][0], VALUES)
    ours.execute(TOUCH["delete"][0], VALUES)
    assert search(ours) != before
    if undo == "fails":
        ours.execute("ROLLBACK TO s")
        with pytest.raises(apsw.ConstraintError):
            ours.execute(f"INSERT INTO v(rowid, e) SELECT 1499 - n, vector FROM ann_rows(:q, {D})", VALUES)
    else:
        ours.execute(undo)
    assert search(ours) == before
    if undo != "ROLLBACK":
        ours.execute("COMMIT")
    assert search(ours) == before


def test_an_older_snapshot_is_answered_from_itself(two):
    """In WAL mode a reader goes on seeing the state it began with, whatever is committed meanwhile."""
    ours, theirs = two
    theirs.pragma("journal_mode", "wal")
    ours.execute("BEGIN; SELECT * FROM plays")
    before = search(ours)
    theirs.execute(TOUCH["insert"][0], VALUES)
    assert search(ours) == before
    assert search(theirs) != before
    ours.execute("COMMIT")
    assert search(ours) == search(theirs) != before


def test_another_file_with_the_same_counters_is_read_anew(tmp_path):
    """A backup into the open connection, of a table that had as many rows, pages and changes."""
    ours, other = make(tmp_path / "a.db"), make(tmp_path / "b.db", OTHERS)
    warm(ours)
    with ours.backup("main", other, "main") as backup:
        backup.step()
    assert search(ours, 1) == exact(ours) == exact(other)
    ours.close()
    other.close()


def test_a_copy_of_the_file_is_the_same_table_until_either_is_written(two, tmp_path):
    ours = two[0]
    ours.close()
    shutil.copyfile(tmp_path / "a.db", tmp_path / "c.db")
    a, c = (sqlite_ann.connect(tmp_path / name) for name in ("a.db", "c.db"))
    state = "SELECT value FROM v_config WHERE id = 2"
    assert a.execute(state).get == c.execute(state).get
    for db in (a, c):
        db.execute("INSERT INTO v(rowid, e) VALUES (9000, ?)", (QUERIES[0].tobytes(),))
    assert a.execute(state).get == c.execute(state).get  # the same statements
    c.execute("DELETE FROM v WHERE rowid = 1")
    assert a.execute(state).get != c.execute(state).get


def test_the_state_is_the_same_whatever_memory_and_threads_there_are(tmp_path):
    """pages_sum is that of the pages, and history that of the statements, however often pages were written."""
    states = []
    for i, settings in enumerate(["cache_mb=0, threads=1", "cache_mb=64, threads=2"]):
        db = sqlite_ann.connect(tmp_path / f"{i}.db")
        db.execute(f"CREATE VIRTUAL TABLE v USING ann(e float32[{D}], metric=l2, leaf_capacity=32, {settings})")
        fill(db, VECTORS)
        with db:
            for statement in TOUCH["insert"] + TOUCH["update"] + TOUCH["another id"]:
                db.execute(statement, VALUES)
        states.append([db.execute("SELECT value FROM v_config WHERE id = 2").get])
        db.execute("INSERT INTO v(v) VALUES ('rebuild')")
        states[-1].append(db.execute("SELECT value FROM v_config WHERE id = 2").get)
        assert oracle.check(db, "v") == []
        db.close()
    assert states[0] == states[1]


def test_a_rebuild_says_the_same_of_the_same_rows_and_another_of_others(tmp_path):
    """Also where the codes, and so the pages, stay what they are."""
    dbs = [make(tmp_path / f"{i}.db") for i in range(2)]
    dbs[0].execute("DELETE FROM v WHERE rowid > 700")
    dbs[1].execute("DELETE FROM v WHERE rowid > 700")
    small = np.frombuffer(dbs[0].execute("SELECT vector FROM v_vectors WHERE id = 5").get, "<f4").copy()
    small[0] = np.nextafter(small[0], np.float32(9))
    dbs[1].execute("UPDATE v SET e = ? WHERE rowid = 5", (small.tobytes(),))
    for db in dbs:
        db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    sums = [oracle.read(db, "v").state for db in dbs]
    assert sums[0]["pages_sum"] == sums[1]["pages_sum"]
    assert sums[0]["history"] != sums[1]["history"]
    for db in dbs:
        db.close()
