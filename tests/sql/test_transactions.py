"""Transactions, savepoints, other connections, and what protects the shadow tables."""

from __future__ import annotations

import subprocess
import sys

import apsw
import numpy as np
import pytest

QUERY = np.arange(16, dtype="<f4").tobytes()
NEAREST = "SELECT id FROM ann_search('v', ?, 1)"


def nearest(db):
    return db.execute(NEAREST, (QUERY,)).get


def add(db, rowid):
    db.execute("INSERT INTO v(rowid, embedding) VALUES (?, ?)", (rowid, QUERY))


def remove(db, rowid):
    db.execute("DELETE FROM v WHERE rowid = ?", (rowid,))


def sound(db):
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


@pytest.fixture(params=["small", "forest"])
def db16(request, db, forest):
    """Table v of 16 dimensions: thirty rows, or a forest."""
    if request.param == "forest":
        return forest().db
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[16], metric=l2)")
    db.execute(
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 3 FROM n WHERE i < 88)"
        " INSERT INTO v(rowid, embedding) SELECT i, '[' || rtrim(replace(hex(zeroblob(16)), '00', i || ','), ',') || ']' FROM n"
    )
    return db


# --- one connection ------------------------------------------------------------------------------


def test_a_row_is_found_in_its_transaction_and_not_after_rollback(db16):
    before = nearest(db16)
    db16.execute("BEGIN")
    add(db16, 50_000)
    assert nearest(db16) == 50_000
    db16.execute("ROLLBACK")
    assert nearest(db16) == before
    sound(db16)


def test_a_deleted_row_is_gone_in_its_transaction_and_back_after_rollback(db16):
    before = nearest(db16)
    db16.execute("BEGIN")
    remove(db16, before)
    assert nearest(db16) != before
    db16.execute("ROLLBACK")
    assert nearest(db16) == before
    sound(db16)


def test_an_updated_row_moves_and_moves_back(db16):
    before = nearest(db16)
    far = 1 if before != 1 else 4
    db16.execute("BEGIN; SAVEPOINT a")
    db16.execute("UPDATE v SET embedding = ? WHERE rowid = ?", (QUERY, far))
    db16.execute("UPDATE v SET rowid = 60000 WHERE rowid = ?", (far,))
    assert nearest(db16) == 60_000
    db16.execute("ROLLBACK TO a")
    assert nearest(db16) == before
    db16.execute("COMMIT")
    sound(db16)


def test_nested_savepoints(db16):
    before = nearest(db16)
    db16.execute("SAVEPOINT a")
    add(db16, 50_003)
    db16.execute("SAVEPOINT b")
    add(db16, 50_002)
    db16.execute("SAVEPOINT c")
    add(db16, 50_001)
    assert nearest(db16) == 50_001
    db16.execute("ROLLBACK TO c")
    assert nearest(db16) == 50_002
    add(db16, 50_000)
    db16.execute("RELEASE c")
    assert nearest(db16) == 50_000
    db16.execute("ROLLBACK TO b; RELEASE b")
    assert nearest(db16) == 50_003
    sound(db16)
    db16.execute("ROLLBACK TO a")
    assert nearest(db16) == before
    db16.execute("RELEASE a")
    assert not db16.in_transaction
    sound(db16)


def test_a_savepoint_taken_before_the_first_write(db16):
    before = nearest(db16)
    db16.execute("BEGIN; SAVEPOINT a; SAVEPOINT b")
    add(db16, 50_000)
    db16.execute("RELEASE b; ROLLBACK TO a")
    assert nearest(db16) == before
    add(db16, 50_001)
    db16.execute("COMMIT")
    assert nearest(db16) == 50_001
    sound(db16)


def test_a_constraint_in_a_transaction_keeps_what_came_before(db16):
    db16.execute("BEGIN")
    add(db16, 50_001)
    for sql in (
        "INSERT INTO v(rowid, embedding) VALUES (50000, ?1), (4, ?1)",
        "INSERT INTO v(rowid, embedding) SELECT rowid + 3, ?1 FROM v WHERE rowid > 10",
        "UPDATE v SET rowid = 4, embedding = ?1 WHERE rowid IN (7, 10)",
    ):
        with pytest.raises(apsw.ConstraintError):
            db16.execute(sql, (QUERY,))
        assert db16.in_transaction
        assert nearest(db16) == 50_001
        sound(db16)
    db16.execute("COMMIT")
    assert nearest(db16) == 50_001
    sound(db16)


def test_a_failure_of_another_table_undoes_the_statement(db16):
    db16.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, at, CHECK (id <> 50002))")
    db16.execute(
        "CREATE TRIGGER t BEFORE INSERT ON song BEGIN INSERT INTO v(rowid, embedding) VALUES (new.id, new.at); END"
    )
    before = nearest(db16)
    db16.execute("BEGIN")
    with pytest.raises(apsw.ConstraintError):
        db16.execute("INSERT INTO song VALUES (50000, ?1), (50001, ?1), (50002, ?1)", (QUERY,))
    assert nearest(db16) == before
    db16.execute("COMMIT")
    sound(db16)


@pytest.mark.parametrize("command", ["optimize", "rebuild", "integrity-check", "cache_mb=0", "absorb=0"])
def test_commands_inside_transactions(forest, shadow_hash, command):
    db = forest().db
    stored = shadow_hash(db)
    db.execute("BEGIN")
    add(db, 50_000)
    db.execute("INSERT INTO v(v) VALUES (?)", (command,))
    assert nearest(db) == 50_000
    sound(db)
    add(db, 50_001)
    remove(db, 50_000)
    assert nearest(db) == 50_001
    db.execute("ROLLBACK")
    assert shadow_hash(db) == stored
    db.execute("INSERT INTO v(v) VALUES (?)", (command,))
    sound(db)


def test_a_bulk_load_is_undone_by_rollback_to(db, load, make_vectors, rng):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[16], metric=l2, leaf_capacity=32)")
    db.execute("BEGIN")
    load(db, np.arange(500), make_vectors(rng, 500))
    db.execute("SAVEPOINT a")
    load(db, np.arange(500, 2000), make_vectors(rng, 1500))
    db.execute("SAVEPOINT b")
    assert db.execute("SELECT value FROM ann_info('v') WHERE key = 'leaf_pages'").get > 0
    db.execute("ROLLBACK TO a")
    sound(db)
    assert db.execute("SELECT count(*) FROM ann_search('v', ?, 10000)", (QUERY,)).get == 500
    load(db, np.arange(500, 2000), make_vectors(rng, 1500))
    db.execute("COMMIT")
    sound(db)
    assert db.execute("SELECT count(*) FROM v").get == 2000


def test_many_small_transactions_keep_a_forest_sound(forest, rng):
    db = forest().db
    for i in range(150):
        db.execute("BEGIN" if i % 3 else "SAVEPOINT a")
        for _ in range(rng.integers(1, 6)):
            if rng.random() < 0.5:
                db.execute("INSERT INTO v(embedding) VALUES (?)", (rng.integers(-30, 31, 16).astype("<f4").tobytes(),))
            else:
                remove(db, int(rng.integers(0, 1500)) * 3 + 1)
        if i % 3:
            db.execute("COMMIT" if rng.random() < 0.5 else "ROLLBACK")
        else:
            db.execute("ROLLBACK TO a; RELEASE a" if rng.random() < 0.5 else "RELEASE a")
    sound(db)


# --- several connections -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_second_connection_sees_committed_states_only(forest_file, other_connections, mode):
    one, two = other_connections(forest_file), other_connections(forest_file)
    one.pragma("journal_mode", mode)
    before = nearest(two)
    one.execute("BEGIN")
    add(one, 50_000)
    assert (nearest(one), nearest(two)) == (50_000, before)
    one.execute("COMMIT")
    assert nearest(two) == 50_000
    remove(two, 50_000)
    assert (nearest(one), nearest(two)) == (before, before)
    two.execute("INSERT INTO v(v) VALUES ('rebuild')")
    add(one, 50_001)
    assert (nearest(one), nearest(two)) == (50_001, 50_001)
    sound(one)
    sound(two)


def test_a_wal_reader_keeps_its_snapshot(forest_file, other_connections):
    writer, reader = other_connections(forest_file), other_connections(forest_file)
    writer.pragma("journal_mode", "wal")
    before = nearest(reader)
    reader.execute("BEGIN")
    assert nearest(reader) == before
    add(writer, 50_000)
    writer.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert nearest(reader) == before
    sound(reader)
    reader.execute("COMMIT")
    assert nearest(reader) == 50_000


def test_two_writers_one_after_the_other(forest_file, other_connections):
    one, two = other_connections(forest_file), other_connections(forest_file)
    two.set_busy_timeout(0)
    one.execute("BEGIN IMMEDIATE")
    add(one, 50_000)
    with pytest.raises(apsw.BusyError):
        add(two, 50_001)
    one.execute("COMMIT")
    add(two, 50_001)
    for i in range(20):
        add(one if i % 2 else two, 60_000 + i)
        remove(two if i % 2 else one, 60_000 + i)
    sound(one)
    assert one.execute("SELECT count(*) FROM v").get == 1502


def test_a_commit_that_is_busy_can_be_tried_again(forest_file, other_connections):
    writer, reader = other_connections(forest_file), other_connections(forest_file)
    writer.set_busy_timeout(0)
    half_read = reader.execute("SELECT rowid FROM v")
    next(half_read)
    writer.execute("BEGIN")
    add(writer, 50_000)
    with pytest.raises(apsw.BusyError):
        writer.execute("COMMIT")
    assert writer.in_transaction
    add(writer, 50_001)
    half_read.close()
    writer.execute("COMMIT")
    sound(reader)
    assert nearest(reader) == 50_000


OTHER_PROCESS = """
import sys, sqlite_ann
db = sqlite_ann.connect(sys.argv[1])
query = bytes.fromhex(sys.argv[2])
for line in sys.stdin:
    if line.strip() == "add":
        db.execute("INSERT INTO v(rowid, embedding) VALUES (70000, ?)", (query,))
    print(db.execute("SELECT id FROM ann_search('v', ?, 1)", (query,)).get, flush=True)
"""


def test_a_second_process_sees_committed_states_only(forest_file, other_connections):
    db = other_connections(forest_file)
    before = nearest(db)
    command = [sys.executable, "-c", OTHER_PROCESS, forest_file, QUERY.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:

        def asked(what):
            other.stdin.write(what + "\n")
            other.stdin.flush()
            return int(other.stdout.readline())

        assert asked("look") == before
        db.execute("BEGIN")
        add(db, 80_000)
        assert asked("look") == before
        db.execute("COMMIT")
        assert asked("look") == 80_000
        assert asked("add") == 70_000
        assert nearest(db) == 70_000
        other.stdin.close()
    sound(db)


# --- protection ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["config", "vectors", "pages", "places", "waiting"])
def test_defensive_mode_protects_the_shadow_tables(forest, suffix):
    db = forest().db
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    for sql in (
        f"DELETE FROM v_{suffix}",
        f"UPDATE v_{suffix} SET id = 1",
        f"DROP TABLE v_{suffix}",
        f"ALTER TABLE v_{suffix} ADD COLUMN x",
    ):
        with pytest.raises(apsw.SQLError, match=r"may not be (modified|dropped|altered)"):
            db.execute(sql)
    with pytest.raises(apsw.SQLError, match="object name reserved for internal use"):
        db.execute(f"CREATE TABLE w(x); CREATE VIRTUAL TABLE u USING ann(e float32[2]); CREATE TABLE u_{suffix}(x)")


def test_defensive_mode_does_not_hinder_the_table_itself(forest):
    db = forest().db
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    add(db, 50_000)
    db.execute("UPDATE v SET rowid = 50001 WHERE rowid = 50000; DELETE FROM v WHERE rowid = 4")
    db.execute("INSERT INTO v(v) VALUES ('rebuild'); ALTER TABLE v RENAME TO w; ALTER TABLE w RENAME TO v; VACUUM")
    assert nearest(db) == 50_001
    sound(db)
    db.execute("DROP TABLE v; CREATE VIRTUAL TABLE v USING ann(embedding float32[16])")
    assert db.execute("SELECT count(*) FROM v").get == 0


# --- writes that fail half-way, and writes by hand ---------------------------------------------------


@pytest.fixture
def poisoned(forest):
    """In a transaction, within a savepoint `early`, a row was taken out of the index and could not be deleted."""
    db = forest().db
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute("PRAGMA foreign_keys = 1; CREATE TABLE mine(x REFERENCES v_vectors(id)); INSERT INTO mine VALUES (4)")
    db.execute("BEGIN; SAVEPOINT early")
    with pytest.raises(apsw.ConstraintError):
        remove(db, 4)
    return db


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO v(rowid, embedding) VALUES (50000, zeroblob(64))",
        "INSERT INTO v(rowid, embedding) SELECT rowid + 50000, embedding FROM v WHERE rowid < 100",
        "UPDATE v SET embedding = zeroblob(64) WHERE rowid = 7",
        "UPDATE v SET embedding = zeroblob(64) WHERE rowid < 100",
        "DELETE FROM v WHERE rowid < 100",
        "INSERT INTO v(v) VALUES ('optimize')",
        "ALTER TABLE v RENAME TO w",
        "COMMIT",
    ],
)
def test_after_a_write_that_failed_half_way_every_statement_says_why(poisoned, sql):
    for _ in range(1 if sql == "COMMIT" else 2):  # which rolls back what it refuses
        with pytest.raises(apsw.Error, match="a write failed half-way; roll the transaction back"):
            poisoned.execute(sql)
    if poisoned.in_transaction:
        poisoned.execute("ROLLBACK")
    sound(poisoned)
    assert poisoned.execute("SELECT count(*) FROM v").get == 1500


def test_only_a_savepoint_from_before_heals_it(poisoned):
    poisoned.execute("SAVEPOINT late")
    poisoned.execute("ROLLBACK TO late")
    with pytest.raises(apsw.Error, match="a write failed half-way"):
        add(poisoned, 50_000)
    poisoned.execute("RELEASE late; SAVEPOINT later; RELEASE later")
    with pytest.raises(apsw.Error, match="a write failed half-way"):
        add(poisoned, 50_000)
    poisoned.execute("ROLLBACK TO early")
    add(poisoned, 50_000)
    poisoned.execute("COMMIT")
    assert nearest(poisoned) == 50_000
    assert poisoned.execute("SELECT count(*) FROM v").get == 1501
    sound(poisoned)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("searched_before", [False, True])
def test_a_write_by_hand_that_is_rolled_back_is_not_answered_from_memory(
    forest_file, other_connections, mode, searched_before
):
    db = other_connections(forest_file)
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute(f"PRAGMA journal_mode = {mode}")
    before = nearest(db if searched_before else other_connections(forest_file))
    db.execute("BEGIN")
    db.execute("UPDATE v_vectors SET vector = zeroblob(64)")
    assert db.execute("SELECT max(distance) FROM ann_search('v', zeroblob(64), 10)").get == 0
    db.execute("ROLLBACK")
    assert nearest(db) == before
    assert db.execute("SELECT max(distance) FROM ann_search('v', zeroblob(64), 10)").get > 0


def test_a_rebuild_that_is_rolled_back_heals_nothing(poisoned):
    poisoned.execute("SAVEPOINT late; INSERT INTO v(v) VALUES ('rebuild'); ROLLBACK TO late")
    with pytest.raises(apsw.Error, match="a write failed half-way"):
        poisoned.execute("COMMIT")
    sound(poisoned)
    assert poisoned.execute("SELECT count(*) FROM v").get == 1500


def test_a_rebuild_that_is_kept_heals(poisoned):
    poisoned.execute("SAVEPOINT late; INSERT INTO v(v) VALUES ('rebuild'); RELEASE late")
    add(poisoned, 50_000)
    poisoned.execute("COMMIT")
    assert nearest(poisoned) == 50_000
    sound(poisoned)


def test_what_a_savepoint_cannot_write_it_does_not_heal(forest):
    """The second statement's savepoint is to write what the first has changed, and fails half-way."""
    db = forest().db
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute("PRAGMA foreign_keys = 1; CREATE TABLE mine(x REFERENCES v_places(id)); INSERT INTO mine VALUES (4)")
    db.execute("BEGIN")
    remove(db, 4)
    with pytest.raises(apsw.Error, match="constraint failed"):
        db.execute("INSERT INTO v(rowid, embedding) SELECT rowid + 50000, embedding FROM v WHERE rowid < 100")
    with pytest.raises(apsw.Error):
        db.execute("COMMIT")
    if db.in_transaction:
        db.execute("ROLLBACK")
    sound(db)
    assert db.execute("SELECT count(*) FROM v").get == 1500
