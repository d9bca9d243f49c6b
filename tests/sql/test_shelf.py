"""The memory of a table belongs to the connection: SQLite may replace the virtual table at any time."""

from __future__ import annotations

import contextlib

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import oracle

D = 16


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, D)).astype(np.float32)


@pytest.fixture
def v(db):
    """A table of 1,500 rows in a forest of small leaves."""
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{D}], metric=l2, leaf_capacity=32)")
    sqlite_ann.Index(db, "v").add(np.arange(1500), vectors(1500))
    return db


def insert(db, id_):
    db.execute("INSERT INTO v(rowid, embedding) VALUES (?, ?)", (id_, vectors(1, id_)[0].tobytes()))


def ids_near(db, id_):
    return [i for (i,) in db.execute("SELECT id FROM ann_search('v', ?, 1)", (vectors(1, id_)[0].tobytes(),))]


def sound(db):
    assert db.execute("SELECT fault FROM ann_check('v')").fetchall() == []
    assert oracle.check(db, "v") == []


def failing_attach(db):
    with pytest.raises(apsw.CantOpenError):
        db.execute("ATTACH '/nonexistent/x.db' AS m")


def schema_reset(db):
    db.execute("PRAGMA writable_schema=RESET")


@pytest.mark.parametrize("reset", [failing_attach, schema_reset])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_virtual_table_replaced_within_a_transaction(v, reset, end):
    v.execute("BEGIN")
    insert(v, 50_001)
    reset(v)
    insert(v, 50_002)
    reset(v)
    assert ids_near(v, 50_001) == [50_001]
    assert ids_near(v, 50_002) == [50_002]
    v.execute(end)
    expected = [50_001, 50_002] if end == "COMMIT" else []
    assert [i for i in (50_001, 50_002) if ids_near(v, i) == [i]] == expected
    assert v.execute("SELECT count(*) FROM v").get == 1500 + len(expected)
    sound(v)


@pytest.mark.parametrize("reset", [failing_attach, schema_reset])
def test_a_table_made_in_the_transaction_is_replaced(db, reset):
    db.execute("BEGIN")
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{D}], metric=l2)")
    for i in range(20):
        insert(db, i)
        if i % 7 == 3:
            reset(db)
    db.execute("COMMIT")
    assert db.execute("SELECT count(*) FROM v").get == 20
    assert db.execute("SELECT id FROM v_config WHERE id = 9").fetchall() == []
    sound(db)


def test_a_temporary_table_while_another_connection_changes_the_schema(tmp_path):
    path = str(tmp_path / "x.db")
    one, two = sqlite_ann.connect(path), sqlite_ann.connect(path)
    two.execute("CREATE TABLE other(x)")
    one.execute(f"CREATE VIRTUAL TABLE temp.v USING ann(embedding float32[{D}], metric=l2, leaf_capacity=32)")
    sqlite_ann.Index(one, "temp.v").add(np.arange(1500), vectors(1500))
    for i in range(5):
        one.execute("SAVEPOINT s")
        insert(one, 3000 + i)
        two.execute(f"CREATE TABLE t{i}(x)")
        one.execute("SELECT count(*) FROM main.other").fetchall()
        insert(one, 4000 + i)
        one.execute("RELEASE s")
    assert one.execute("SELECT count(*) FROM v").get == 1510
    assert one.execute("SELECT fault FROM ann_check('temp.v')").fetchall() == []
    one.close()
    two.close()


def test_settings_survive_what_replaces_the_virtual_table(v):
    v.execute("INSERT INTO v(v) VALUES ('absorb=7')")
    v.execute("CREATE TABLE other(x)")
    schema_reset(v)
    assert v.execute("SELECT value FROM ann_info('v') WHERE key = 'absorb'").get == 7


def test_a_new_table_of_the_name_has_settings_of_its_own(v):
    v.execute("INSERT INTO v(v) VALUES ('absorb=7')")
    v.execute("DROP TABLE v")
    v.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[3])")
    assert v.execute("SELECT value FROM ann_info('v') WHERE key = 'absorb'").get == 25


def test_the_extension_loaded_again(v):
    assert ids_near(v, 7) != []
    sqlite_ann.load(v)
    assert v.execute("SELECT count(*) FROM ann_search('v', ?, 5)", (vectors(1)[0].tobytes(),)).get == 5
    reading = v.execute("SELECT rowid FROM v")
    next(reading)
    sqlite_ann.load(v)
    assert next(reading) == (1,)
    insert(v, 2000)
    assert ids_near(v, 2000) == [2000]
    assert v.execute("SELECT ann_version(1) = ann_version()").get == 1


def steps_of_making(n: int, together: bool) -> int:
    """Hundreds of steps of SQLite's machine."""
    db, steps = sqlite_ann.connect(":memory:"), 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    db.set_progress_handler(count, 100)
    with db if together else contextlib.nullcontext():
        for i in range(n):
            db.execute(f"CREATE VIRTUAL TABLE t{i} USING ann(embedding float32[{D}])")
            db.execute(f"INSERT INTO t{i}(rowid, embedding) VALUES (1, ?)", (vectors(1).tobytes(),))
    db.set_progress_handler(None)
    db.close()
    return steps


def test_many_tables_in_one_transaction():
    assert steps_of_making(200, together=True) < 1.5 * steps_of_making(200, together=False)


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("shadow", ["waiting", "config", "vectors", "places", "pages"])
def test_a_foreign_key_to_a_shadow_table(v, on, shadow):
    """A statement with a foreign key opens a savepoint, of which SQLite tells the table that it writes for."""
    v.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    v.execute(f"PRAGMA foreign_keys = {int(on)}")
    v.execute(f"CREATE TABLE mine(x REFERENCES v_{shadow}(id))")
    v.execute("BEGIN")
    for i in range(2000, 2100):
        insert(v, i)
    v.execute("DELETE FROM v WHERE rowid < 300")
    v.execute("SAVEPOINT s")
    insert(v, 5000)
    v.execute("COMMIT")
    assert v.execute("SELECT count(*) FROM v").get == 1301
    sound(v)


def test_a_shadow_table_with_a_foreign_key_is_refused(v):
    v.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    v.execute("PRAGMA writable_schema=1")
    v.execute(
        'UPDATE sqlite_schema SET sql = \'CREATE TABLE "v_waiting"(id INTEGER PRIMARY KEY, last INTEGER'
        " REFERENCES v_waiting(id))' WHERE name = 'v_waiting'"
    )
    v.execute("PRAGMA writable_schema=RESET")
    for sql in ("SELECT * FROM ann_search('v', zeroblob(64))", "DELETE FROM v WHERE rowid = 1"):
        with pytest.raises(apsw.Error, match="expected v_waiting to have no foreign key, got one"):
            v.execute(sql).fetchall()
    v.execute("DROP TABLE v")
    assert v.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'v%'").get == 0


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE VIEW v_places AS SELECT 1 AS id, x'00' AS pages", "got view"),
        ("CREATE VIRTUAL TABLE v_places USING fts5(id, pages)", "got virtual table"),
        ("CREATE TABLE v_places(id INTEGER PRIMARY KEY, pages BLOB) WITHOUT ROWID", "WITHOUT ROWID"),
        ("CREATE TABLE v_places(id INTEGER, pages BLOB)", "got id INTEGER 00,pages BLOB 00"),
        ("CREATE TABLE v_places(id INT PRIMARY KEY, pages BLOB)", "got"),
        ("CREATE TABLE v_places(id INTEGER PRIMARY KEY, pages BLOB GENERATED ALWAYS AS (x'00'))", "got"),
    ],
)
def test_what_stands_in_the_place_of_a_shadow_table(v, made, said):
    v.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    v.execute("DROP TABLE v_places")
    v.execute(made)
    fresh = sqlite_ann.connect(":memory:")
    with fresh.backup("main", v, "main") as backup:
        backup.step()
    for sql in ("SELECT * FROM ann_search('v', zeroblob(64))", "INSERT INTO v(v) VALUES ('rebuild')"):
        with pytest.raises(apsw.Error, match=said):
            fresh.execute(sql).fetchall()
    fresh.execute("DROP TABLE v")
    assert fresh.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('v', 'v_places')").get == 0


def test_an_update_of_rowid_that_fails_loses_no_row(v):
    v.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    v.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    v.execute(
        "INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (vectors(200).tobytes(), D, np.arange(4000, 4200).astype("<i8").tobytes()),
    )
    v.execute("UPDATE v_waiting SET last = id - 1")
    v.execute("BEGIN")
    with pytest.raises(apsw.Error):
        v.execute("UPDATE v SET rowid = 9000 WHERE rowid = 4100")
    with pytest.raises(apsw.Error, match=r"a write failed half-way|damaged"):
        v.execute("COMMIT")
    if v.in_transaction:
        v.execute("ROLLBACK")
    assert v.execute("SELECT count(*) FROM v WHERE rowid = 4100").get == 1


@pytest.mark.parametrize("shadow", ["waiting", "config", "vectors", "places", "pages"])
def test_a_statement_of_ours_that_fails_undoes_itself_alone(v, shadow):
    """With a foreign key it has a savepoint, and SQLite rolls back to that, not to the user's."""
    v.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    v.execute("PRAGMA foreign_keys = 1")
    v.execute(f"CREATE TABLE mine(x REFERENCES v_{shadow}(id))")
    v.execute("BEGIN")
    for i in range(2000, 2100):
        insert(v, i)
    with pytest.raises(apsw.ConstraintError):
        insert(v, 2050)
    insert(v, 2100)
    v.execute("COMMIT")
    assert [ids_near(v, i) for i in (2000, 2099, 2100)] == [[2000], [2099], [2100]]
    assert v.execute("SELECT count(*) FROM v").get == 1601
    sound(v)


def test_a_row_that_a_foreign_key_holds(v):
    """Deleting it fails, as in any table; what was written before is committed whole, or refused whole."""
    v.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    v.execute("PRAGMA foreign_keys = 1")
    v.execute("CREATE TABLE mine(x REFERENCES v_vectors(id)); INSERT INTO mine VALUES (7)")
    v.execute("BEGIN")
    for i in range(2000, 2100):
        insert(v, i)
    with pytest.raises(apsw.Error, match="FOREIGN KEY constraint failed"):
        v.execute("DELETE FROM v WHERE rowid = 7")
    with pytest.raises(apsw.Error, match=r"a write failed half-way|FOREIGN KEY constraint failed"):
        v.execute("COMMIT")
    if v.in_transaction:
        v.execute("ROLLBACK")
    assert v.execute("SELECT count(*) FROM v").get == 1500
    assert ids_near(v, 2000) != [2000]
    sound(v)
