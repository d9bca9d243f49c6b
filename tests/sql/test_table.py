"""The vector table is a table: rows come, change and go by ordinary SQL."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

LAST, FIRST = 2**63 - 1, -(2**63)


@pytest.fixture
def v(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=l2)")
    db.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1,0]'), (2, '[2,0]'), (3, '[3,0]')")
    return db


def content(db, where="true"):
    """{rowid: vector as text} in the order in which rows come."""
    return dict(db.execute(f"SELECT rowid, ann_json(embedding) FROM v WHERE {where}"))


def sound(db):
    """No fault, and a search finds exactly the rows that are there."""
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    found = {row[0] for row in db.execute("SELECT id FROM ann_search('v', '[0,0]', 1000000, 1)")}
    assert found == {row[0] for row in db.execute("SELECT rowid FROM v")}


# --- insert --------------------------------------------------------------------------------------


def test_a_given_rowid_is_kept(v):
    v.execute("INSERT INTO v(rowid, embedding) VALUES (70, '[7,0]')")
    assert content(v, "rowid = 70") == {70: "[7,0]"}
    sound(v)


def test_without_a_rowid_the_next_is_taken(v):
    v.execute("INSERT INTO v(embedding) VALUES ('[4,0]')")
    assert v.last_insert_rowid() == 4
    v.execute("INSERT INTO v VALUES ('[5,0]')")
    v.execute("INSERT INTO v(rowid, embedding) VALUES (NULL, '[6,0]')")
    assert list(content(v)) == [1, 2, 3, 4, 5, 6]


def test_several_rows_in_one_statement(v):
    v.execute("INSERT INTO v(embedding) VALUES ('[4,0]'), ('[5,0]'), ('[6,0]')")
    assert list(content(v).values()) == ["[1,0]", "[2,0]", "[3,0]", "[4,0]", "[5,0]", "[6,0]"]


def test_rows_from_a_select_on_another_table(v):
    v.execute(
        "CREATE TABLE song(id INTEGER PRIMARY KEY, at TEXT); INSERT INTO song VALUES (10, '[0,1]'), (11, '[0,2]')"
    )
    v.execute("INSERT INTO v(rowid, embedding) SELECT id, at FROM song")
    assert content(v, "rowid >= 10") == {10: "[0,1]", 11: "[0,2]"}


def test_rows_from_a_select_on_itself(v):
    v.execute("INSERT INTO v(rowid, embedding) SELECT rowid + 10, embedding FROM v")
    assert list(content(v)) == [1, 2, 3, 11, 12, 13]
    sound(v)


def test_a_blob_and_json_text_are_the_same_vector(v):
    v.execute("INSERT INTO v(rowid, embedding) VALUES (8, ?), (9, '[1.5, -2e1]')", (np.float32([1.5, -20]).tobytes(),))
    assert len(set(content(v, "rowid IN (8, 9)").values())) == 1
    stored = v.execute("SELECT embedding FROM v WHERE rowid = 9").get
    assert np.frombuffer(stored, "<f4").tolist() == [1.5, -20]


def test_rowids_at_both_ends_of_64_bits(v):
    v.execute("INSERT INTO v(rowid, embedding) VALUES (?, '[8,0]'), (?, '[9,0]'), (0, '[7,0]')", (FIRST, LAST))
    assert list(content(v)) == [FIRST, 0, 1, 2, 3, LAST]
    assert v.execute("SELECT id FROM ann_search('v', '[9,0]', 2)").fetchall() == [(LAST,), (FIRST,)]
    sound(v)
    v.execute("UPDATE v SET embedding = '[20,0]' WHERE rowid = ?", (LAST,))
    v.execute("DELETE FROM v WHERE rowid = ?", (FIRST,))
    assert list(content(v)) == [0, 1, 2, 3, LAST]
    sound(v)


def test_after_the_last_rowid_sqlite_chooses_a_free_one(v):
    v.execute("INSERT INTO v(rowid, embedding) VALUES (?, '[9,0]')", (LAST,))
    v.execute("INSERT INTO v(embedding) VALUES ('[5,0]')")
    assert len(content(v)) == 5
    sound(v)


def test_a_number_in_text_or_a_whole_real_is_a_rowid(v):
    v.execute("INSERT INTO v(rowid, embedding) VALUES ('12', '[0,0]'), (13.0, '[0,0]')")
    assert list(content(v, "rowid > 10")) == [12, 13]


# --- conflicts -----------------------------------------------------------------------------------


def test_a_taken_rowid_is_a_constraint_and_undoes_the_statement(v):
    with pytest.raises(apsw.ConstraintError, match="expected a new rowid, but 2 is there already") as caught:
        v.execute("INSERT INTO v(rowid, embedding) VALUES (9, '[9,9]'), (2, '[9,9]')")
    assert caught.value.extendedresult == apsw.SQLITE_CONSTRAINT_ROWID
    assert content(v) == {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}
    sound(v)


@pytest.mark.parametrize(
    ("conflict", "in_transaction", "left"),
    [
        ("REPLACE", True, {1: "[1,0]", 2: "[9,2]", 3: "[3,0]", 5: "[5,0]", 8: "[9,1]", 9: "[9,3]"}),
        ("IGNORE", True, {1: "[1,0]", 2: "[2,0]", 3: "[3,0]", 5: "[5,0]", 8: "[9,1]", 9: "[9,3]"}),
        ("ABORT", True, {1: "[1,0]", 2: "[2,0]", 3: "[3,0]", 5: "[5,0]"}),
        ("FAIL", True, {1: "[1,0]", 2: "[2,0]", 3: "[3,0]", 5: "[5,0]", 8: "[9,1]"}),
        ("ROLLBACK", False, {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}),
    ],
)
def test_insert_or(v, conflict, in_transaction, left):
    v.execute("BEGIN; INSERT INTO v(rowid, embedding) VALUES (5, '[5,0]')")
    sql = f"INSERT OR {conflict} INTO v(rowid, embedding) VALUES (8, '[9,1]'), (2, '[9,2]'), (9, '[9,3]')"
    if conflict in ("REPLACE", "IGNORE"):
        v.execute(sql)
    else:
        with pytest.raises(apsw.ConstraintError, match="but 2 is there already"):
            v.execute(sql)
    assert v.in_transaction == in_transaction
    assert content(v) == left
    sound(v)
    if v.in_transaction:
        v.execute("COMMIT")
    assert content(v) == left
    sound(v)


@pytest.mark.parametrize(
    ("conflict", "left"),
    [
        ("REPLACE", {1: "[1,0]", 3: "[2,0]"}),
        ("IGNORE", {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}),
        ("ABORT", {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}),
        ("FAIL", {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}),
    ],
)
def test_update_or_when_the_new_rowid_is_taken(v, conflict, left):
    sql = f"UPDATE OR {conflict} v SET rowid = 3 WHERE rowid = 2"
    if conflict in ("REPLACE", "IGNORE"):
        v.execute(sql)
    else:
        with pytest.raises(apsw.ConstraintError, match="but 3 is there already"):
            v.execute(sql)
    assert content(v) == left
    sound(v)


def test_replace_works_in_a_forest(forest):
    table = forest()
    table.db.execute("REPLACE INTO v(rowid, embedding) VALUES (1, ?)", (table.x[5].tobytes(),))
    assert table.search(table.x[5], 2, 1) == [(1, 0.0), (16, 0.0)]
    assert table.db.execute("SELECT count(*) FROM v").get == 1500
    assert table.db.execute("SELECT * FROM ann_check('v')").fetchall() == []


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DELETE FROM v WHERE rowid = 1 RETURNING rowid", "DELETE RETURNING is not available on virtual tables"),
        ("UPDATE v SET embedding = '[1,1]' RETURNING rowid", "UPDATE RETURNING is not available on virtual tables"),
        ("INSERT INTO v VALUES ('[1,1]') ON CONFLICT DO NOTHING", "UPSERT not implemented for virtual table"),
        ("CREATE TRIGGER t AFTER INSERT ON v BEGIN SELECT 1; END", "cannot create triggers on virtual tables"),
        ("CREATE INDEX i ON v(embedding)", "virtual tables may not be indexed"),
        ("ALTER TABLE v ADD COLUMN more", "virtual tables may not be altered"),
    ],
)
def test_what_sqlite_refuses_on_every_virtual_table(v, refused, sql, message):
    refused(v, sql, (), message)
    assert content(v) == {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}


# --- update and delete ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("embedding = '[7,7]'", {1: "[1,0]", 2: "[7,7]", 3: "[3,0]"}),
        ("rowid = 20", {1: "[1,0]", 3: "[3,0]", 20: "[2,0]"}),
        ("rowid = 20, embedding = '[7,7]'", {1: "[1,0]", 3: "[3,0]", 20: "[7,7]"}),
        ("rowid = rowid, embedding = embedding", {1: "[1,0]", 2: "[2,0]", 3: "[3,0]"}),
        ("embedding = (SELECT embedding FROM v WHERE rowid = 3)", {1: "[1,0]", 2: "[3,0]", 3: "[3,0]"}),
    ],
)
def test_update(v, change, left):
    v.execute(f"UPDATE v SET {change} WHERE rowid = 2")
    assert v.changes() == 1
    assert content(v) == left
    sound(v)


def test_update_of_many_rows_in_a_forest(forest):
    db = forest().db
    db.execute("UPDATE v SET rowid = rowid + 10000, embedding = embedding WHERE rowid % 2 = 0")
    db.execute("UPDATE v SET embedding = (SELECT embedding FROM v WHERE rowid = 1) WHERE rowid < 300")
    assert db.execute("SELECT count(*), min(rowid), max(rowid) FROM v").get == (1500, 1, 14498)
    sound_forest(db)


def test_update_from_another_table(v):
    v.execute("CREATE TABLE new(id, at); INSERT INTO new VALUES (1, '[0,1]'), (3, '[0,3]'), (4, '[0,4]')")
    v.execute("UPDATE v SET embedding = new.at FROM new WHERE new.id = v.rowid")
    assert content(v) == {1: "[0,1]", 2: "[2,0]", 3: "[0,3]"}


def test_delete_of_some_and_of_all(v):
    v.execute("DELETE FROM v WHERE rowid IN (1, 3, 99)")
    assert v.changes() == 2
    assert content(v) == {2: "[2,0]"}
    sound(v)
    v.execute("DELETE FROM v")
    assert content(v) == {}
    sound(v)
    v.execute("INSERT INTO v(embedding) VALUES ('[1,1]')")
    assert content(v) == {1: "[1,1]"}


def sound_forest(db):
    assert db.execute("SELECT value FROM ann_info('v') WHERE key = 'leaf_pages'").get > 0
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_a_forest_can_be_deleted_row_by_row(forest):
    table = forest()
    table.db.execute("DELETE FROM v WHERE rowid % 5 > 0")
    sound_forest(table.db)
    left = table.ids % 5 == 0
    assert table.search(table.x[7], 20, 1) == table.exact(table.x[7], 20, left)
    table.db.execute("DELETE FROM v")
    assert table.search(table.x[7], 20) == []
    assert table.db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    assert table.info("leaf_pages") == 0


def test_delete_of_what_a_search_found(forest):
    table = forest()
    query = table.x[11]
    nearest = [id_ for id_, _ in table.search(query, 300, 1)]
    table.db.execute("DELETE FROM v WHERE rowid IN (SELECT id FROM ann_search('v', ?, 300, 1))", (query.tobytes(),))
    assert table.db.changes() == 300
    assert table.search(query, 10, 1) == table.exact(query, 10, ~np.isin(table.ids, nearest))


def test_rows_can_be_deleted_while_they_are_read(v):
    for (rowid,) in v.execute("SELECT rowid FROM v"):
        v.execute("DELETE FROM v WHERE rowid = ?", (rowid,))
    assert content(v) == {}
    sound(v)


def test_triggers_of_other_tables_may_write_to_it(v):
    v.execute("""
        CREATE TABLE song(id INTEGER PRIMARY KEY, at);
        CREATE TRIGGER added AFTER INSERT ON song BEGIN
            INSERT INTO v(rowid, embedding) VALUES (new.id, new.at); END;
        CREATE TRIGGER gone AFTER DELETE ON song BEGIN DELETE FROM v WHERE rowid = old.id; END;
        CREATE TRIGGER changed AFTER UPDATE ON song BEGIN
            UPDATE v SET embedding = new.at WHERE rowid = old.id; END;
        INSERT INTO song VALUES (10, '[1,1]'), (11, '[2,2]'), (12, '[3,3]');
        DELETE FROM song WHERE id = 11;
        UPDATE song SET at = '[5,5]' WHERE id = 12;
    """)
    assert content(v, "rowid >= 10") == {10: "[1,1]", 12: "[5,5]"}
    with pytest.raises(apsw.SQLError, match="expected 2 numbers, got 3"):
        v.execute("INSERT INTO song VALUES (13, '[1,1]'), (14, '[1,1,1]')")
    assert v.execute("SELECT count(*) FROM song").get == 2
    assert 13 not in content(v)
    sound(v)


# --- read ----------------------------------------------------------------------------------------


def test_rows_come_in_order_of_rowid(db, rng):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[1])")
    ids = rng.permutation(200).tolist()
    db.executemany("INSERT INTO v(rowid, embedding) VALUES (?, '[1]')", [(i,) for i in ids])
    assert [r[0] for r in db.execute("SELECT rowid FROM v ORDER BY rowid")] == sorted(ids)
    assert [r[0] for r in db.execute("SELECT rowid FROM v ORDER BY rowid DESC")] == sorted(ids, reverse=True)
    assert db.execute("SELECT count(*), min(rowid), max(rowid) FROM v").get == (200, 0, 199)
    plan = str(db.execute("EXPLAIN QUERY PLAN SELECT rowid FROM v ORDER BY rowid").fetchall())
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("where", "bindings", "found"),
    [
        ("rowid = 2", (), [2]),
        ("rowid = 2.0", (), [2]),
        ("rowid = 2.5", (), []),
        ("rowid = '2'", (), [2]),
        ("rowid = NULL", (), []),
        ("rowid = ? AND rowid = ?", (2, 3), []),
        ("rowid > 1", (), [2, 3]),
        ("rowid >= 2 AND rowid <= 2", (), [2]),
        ("rowid > 1.5 AND rowid < 2.5", (), [2]),
        ("rowid < 2", (), [1]),
        ("rowid < -9.3e18", (), []),
        ("rowid < 9.3e18", (), [1, 2, 3]),
        ("rowid > ?", (LAST,), []),
        ("rowid >= ?", (FIRST,), [1, 2, 3]),
        ("rowid > NULL", (), []),
        ("rowid < 'x'", (), [1, 2, 3]),
        ("rowid BETWEEN 2 AND 9", (), [2, 3]),
        ("rowid IN (3, 1, 1, 77)", (), [1, 3]),
        ("rowid NOT IN (1)", (), [2, 3]),
        ("rowid <> 2", (), [1, 3]),
        ("rowid = 1 OR rowid = 3", (), [1, 3]),
        ("embedding = ?", (np.float32([2, 0]).tobytes(),), [2]),
        ("embedding IS NULL", (), []),
        ("distance < 5", (), []),
    ],
)
def test_a_condition(v, where, bindings, found):
    assert [r[0] for r in v.execute(f"SELECT rowid FROM v WHERE {where} ORDER BY rowid", bindings)] == found


def test_an_ordinary_table_can_be_joined_on_the_rowid(v):
    v.execute(
        "CREATE TABLE song(id INTEGER PRIMARY KEY, title); INSERT INTO song VALUES (2, 'two'), (3, 'three'), (4, 'four')"
    )
    joined = "SELECT title, ann_json(embedding) FROM song {} JOIN v ON v.rowid = song.id ORDER BY id"
    assert v.execute(joined.format("")).fetchall() == [("two", "[2,0]"), ("three", "[3,0]")]
    assert v.execute(joined.format("LEFT")).fetchall()[-1] == ("four", None)


def test_hidden_columns_are_null_and_not_in_a_star(v):
    assert v.execute("SELECT * FROM v WHERE rowid = 1").fetchall() == [(np.float32([1, 0]).tobytes(),)]
    assert v.execute("SELECT distance, rank, v FROM v WHERE rowid = 1").get == (None,) * 3


# --- counters of the connection ------------------------------------------------------------------


def test_last_insert_rowid_is_changed_by_inserts_only(v):
    v.execute("INSERT INTO v(rowid, embedding) VALUES (50, '[0,0]')")
    assert v.last_insert_rowid() == 50
    v.execute("UPDATE v SET embedding = '[9,9]' WHERE rowid = 1")
    v.execute("UPDATE v SET rowid = 77 WHERE rowid = 2")
    v.execute("DELETE FROM v WHERE rowid = 3")
    for command in ("optimize", "rebuild", "integrity-check", "cache_mb=8"):
        v.execute("INSERT INTO v(v) VALUES (?)", (command,))
    assert v.last_insert_rowid() == 50


def test_last_insert_rowid_survives_commit_and_absorption(db, load, rng):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[4])")
    load(db, np.arange(1, 1201), rng.standard_normal((1200, 4)))
    assert db.last_insert_rowid() == 1200
    db.execute("CREATE TABLE log(id INTEGER PRIMARY KEY)")
    db.execute("BEGIN; DELETE FROM v WHERE rowid < 20; INSERT INTO log VALUES (5)")
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    db.execute("COMMIT")
    assert db.last_insert_rowid() == 5


def test_changes_count_rows_not_what_is_stored_for_them(v):
    v.execute("INSERT INTO v(embedding) VALUES ('[4,0]'), ('[5,0]')")
    assert v.changes() == 2
    v.execute("UPDATE v SET embedding = '[0,0]'")
    assert v.changes() == 5
    v.execute("DELETE FROM v WHERE rowid > 3")
    assert v.changes() == 2
