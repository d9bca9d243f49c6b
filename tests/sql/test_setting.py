"""ann_set: what a connection can set of a table, also where it can write nothing."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import oracle

D = 16
DEFAULTS = {"cache_mb": 256, "absorb": 25, "threads": 0}
OTHERS = {"cache_mb": 7, "absorb": 8, "threads": 9}
MOST = {"cache_mb": 1 << 20, "absorb": 100, "threads": 64}
QUERY = np.arange(D, dtype="<f4").tobytes()


def ann_set(db, *arguments, table="v"):
    marks = ", ".join("?" * len(arguments))
    return db.execute(f"SELECT ann_set('{table}', {marks})", arguments).get


def values(db, table="v"):
    return {name: ann_set(db, name, table=table) for name in DEFAULTS}


def info(db, key):
    return db.execute("SELECT value FROM ann_info('v') WHERE key = ?", (key,)).get


def search(db, recall=0.9):
    return db.execute("SELECT id, distance FROM ann_search('v', ?, 10, ?)", (QUERY, recall)).fetchall()


def reads(db):
    """Pages and rows that a search has to read from SQLite."""
    sql = "SELECT sum(count) FROM ann_explain('v', ?, 10, .9) WHERE step LIKE 'read%'"
    return db.execute(sql, (QUERY,)).get


def insert(db, first, n):
    rows = np.random.default_rng(first).integers(-40, 40, (n, D)).astype("<f4")
    ids = np.arange(first, first + n, dtype="<i8")
    db.execute(
        "INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (rows.tobytes(), D, ids.tobytes()),
    )


def sound(db):
    assert db.execute("SELECT fault FROM ann_check('v')").fetchall() == []
    assert oracle.check(db, "v") == []


def works(db):
    """All that can be set is set and read back; what was warmed needs no reading."""
    for name, value in OTHERS.items():
        assert ann_set(db, name, value) == value
    assert values(db) == OTHERS
    expected = search(db)
    held = ann_set(db, "warm", 1)
    assert held == ann_set(db, "warm") == info(db, "cache_bytes") > 0
    assert reads(db) == 0
    assert search(db) == expected


# --- What is set


def test_a_setting_is_read_as_the_table_was_made(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[3])")
    assert values(db) == DEFAULTS
    db.execute("CREATE VIRTUAL TABLE w USING ann(embedding float32[3], cache_mb=3, threads=2)")
    assert values(db, "w") == {"cache_mb": 3, "absorb": 25, "threads": 2}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_setting_is_set_and_read_back(small, name):
    for value in (0, 1, MOST[name]):
        assert ann_set(small.db, name, value) == value
        assert ann_set(small.db, name) == value
    assert {key: value for key, value in values(small.db).items() if key != name} == {
        key: value for key, value in DEFAULTS.items() if key != name
    }


@pytest.mark.parametrize("value", [64, 64.0, "64", "64.0"])
def test_a_whole_number_may_come_in_any_type(small, value):
    assert ann_set(small.db, "absorb", value) == 64


def test_a_name_may_be_in_any_case_and_of_any_schema(small):
    small.db.execute("ATTACH ':memory:' AS other; CREATE VIRTUAL TABLE other.v USING ann(embedding float32[3])")
    assert ann_set(small.db, "CACHE_mb", 5, table="OTHER.V") == 5
    assert ann_set(small.db, "cache_mb") == 256


def test_nothing_is_written(forest, shadow_hash):
    db = forest().db
    db.execute("INSERT INTO v(rowid, embedding) VALUES (70000, ?)", (QUERY,))
    before = shadow_hash(db), db.total_changes(), db.last_insert_rowid()
    works(db)
    assert (shadow_hash(db), db.total_changes(), db.last_insert_rowid()) == before
    assert not db.in_transaction


def test_the_commands_set_the_same(forest):
    db = forest().db
    for name in ("cache_mb", "absorb"):
        db.execute("INSERT INTO v(v) VALUES (?)", (f"{name}=5",))
        assert ann_set(db, name) == 5
    assert ann_set(db, "absorb", 6) == info(db, "absorb") == 6
    db.execute("INSERT INTO v(v) VALUES ('warm')")
    held = ann_set(db, "warm")
    assert held == info(db, "cache_bytes") > 0
    ann_set(db, "cache_mb", 0)
    ann_set(db, "cache_mb", 5)
    assert ann_set(db, "warm") == 0
    assert ann_set(db, "warm", 1) == held


def test_threads_are_those_of_the_next_build_and_change_no_byte(forest, shadow_hash):
    db, seen = forest().db, set()
    for threads in (1, 3, 64):
        ann_set(db, "threads", threads)
        db.execute("INSERT INTO v(v) VALUES ('rebuild')")
        seen.add(shadow_hash(db))
    assert len(seen) == 1


# --- How long it lasts


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_settings_survive_what_replaces_the_virtual_table(forest, end):
    db = forest().db
    for name, value in OTHERS.items():
        ann_set(db, name, value)
    db.execute("BEGIN")
    insert(db, 70_000, 5)
    with pytest.raises(apsw.CantOpenError):
        db.execute("ATTACH '/nonexistent/x.db' AS m")
    assert values(db) == OTHERS
    assert ann_set(db, "absorb", 3) == 3
    db.execute("PRAGMA writable_schema=RESET")
    assert values(db) == {**OTHERS, "absorb": 3}
    db.execute(end)
    assert values(db) == {**OTHERS, "absorb": 3}  # not part of the transaction
    sound(db)


def test_a_new_table_of_the_name_has_settings_of_its_own(small):
    for name, value in OTHERS.items():
        ann_set(small.db, name, value)
    small.db.execute("DROP TABLE v; CREATE VIRTUAL TABLE v USING ann(embedding float32[3])")
    assert values(small.db) == DEFAULTS


def test_another_connection_has_settings_of_its_own(forest_file, other_connections):
    one, two = other_connections(forest_file), other_connections(forest_file)
    works(one)
    assert values(two) == DEFAULTS
    assert ann_set(two, "warm") == 0


# --- Where nothing can be written


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_read_only_connection(forest_file, other_connections, mode):
    writer = other_connections(forest_file)
    assert writer.pragma("journal_mode", mode) == mode
    reader = other_connections(f"file:{forest_file}?mode=ro")
    assert reader.readonly("main")
    works(reader)
    insert(writer, 70_000, 3)
    works(reader)


def test_query_only(forest):
    db = forest().db
    db.pragma("query_only", True)
    works(db)


@pytest.mark.parametrize(("mode", "lock"), [("delete", "IMMEDIATE"), ("wal", "IMMEDIATE"), ("wal", "EXCLUSIVE")])
def test_while_another_connection_writes(forest_file, other_connections, mode, lock):
    writer, db = other_connections(forest_file), other_connections(forest_file)
    assert writer.pragma("journal_mode", mode) == mode
    writer.execute(f"BEGIN {lock}")
    insert(writer, 70_000, 3)
    works(db)
    writer.execute("COMMIT")
    works(db)


def test_a_file_that_cannot_be_read_is_said_so(forest_file, other_connections):
    writer, db = other_connections(forest_file), other_connections(forest_file)
    db.set_busy_timeout(0)
    ann_set(db, "absorb", 3)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(apsw.BusyError):
        ann_set(db, "warm", 1)
    writer.execute("COMMIT")
    assert ann_set(db, "absorb") == 3
    works(db)


# --- warm and cache_mb


@pytest.mark.parametrize("value", [1, None, 1.0, "1"])
def test_warm_reads_what_the_next_search_needs(forest, value):
    db = forest().db
    assert ann_set(db, "warm") == 0
    assert ann_set(db, "warm", value) == ann_set(db, "warm") == info(db, "cache_bytes") > 0
    assert reads(db) == 0


@pytest.mark.parametrize("query_only", [False, True])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_warm_in_a_transaction_that_has_changed_the_table(forest, end, query_only):
    db = forest().db
    before = search(db, 1)
    db.execute("BEGIN")
    db.execute("DELETE FROM v WHERE rowid % 5 = 0")
    insert(db, 70_000, 300)
    db.execute("INSERT INTO v(rowid, embedding) VALUES (80000, ?)", (QUERY,))
    db.pragma("query_only", query_only)
    ann_set(db, "warm", 1)
    assert search(db)[0] == (80_000, 0)
    db.pragma("query_only", False)
    assert reads(db) == 0
    db.execute("INSERT INTO v(rowid, embedding) VALUES (80001, ?)", (QUERY,))
    db.execute(end)
    assert search(db)[:2] == [(80_000, 0), (80_001, 0)] if end == "COMMIT" else search(db, 1) == before
    sound(db)


def test_warm_in_a_statement_that_writes_to_the_table(forest):
    db = forest().db
    db.execute(
        "INSERT INTO v(rowid, embedding) SELECT 70000 + n, vector FROM ann_rows(?, ?) "
        "WHERE ann_set('v', 'warm', 1) >= 0 AND ann_set('v', 'cache_mb', n % 2) = n % 2 AND ann_set('v', 'warm', 1) >= 0",
        (QUERY * 200, D),
    )
    assert db.execute("SELECT count(*) FROM v WHERE rowid >= 70000").get == 200
    sound(db)


def test_a_smaller_cache_lets_memory_go_at_once(forest):
    db = forest().db
    assert ann_set(db, "warm", 1) > 0
    ann_set(db, "cache_mb", 0)
    assert ann_set(db, "warm") == 0
    assert ann_set(db, "warm", 1) == 0  # no room
    assert reads(db) > 0


def test_a_smaller_cache_while_a_search_is_half_read(forest):
    db = forest().db
    expected = db.execute("SELECT id FROM ann_search('v', ?, 1500, 1)", (QUERY,)).fetchall()
    got = []
    for row in db.execute("SELECT id FROM ann_search('v', ?, 1500, 1)", (QUERY,)):
        got.append(row)
        if len(got) % 100 == 5:
            ann_set(db, "cache_mb", len(got) // 100 % 2)
    assert got == expected


def test_a_smaller_cache_in_a_transaction_keeps_what_is_not_written(forest):
    db = forest().db
    ann_set(db, "warm", 1)
    db.execute("BEGIN")
    db.execute("INSERT INTO v(rowid, embedding) VALUES (70000, ?)", (QUERY,))
    before = ann_set(db, "warm")
    ann_set(db, "cache_mb", 0)
    assert ann_set(db, "warm") < before
    assert search(db)[0] == (70_000, 0)
    db.execute("COMMIT")
    assert ann_set(db, "warm") == 0
    assert search(db)[0] == (70_000, 0)
    sound(db)


def test_warm_on_a_damaged_page_is_an_error_and_loses_nothing(forest):
    db = forest().db
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    page = db.execute("SELECT max(id) FROM v_pages").get
    db.execute("UPDATE v_pages SET data = zeroblob(length(data)) WHERE id = ?", (page,))
    with pytest.raises(apsw.CorruptError, match=f"ann table v: page {page} is damaged; rebuild it") as caught:
        ann_set(db, "warm", 1)
    assert caught.value.extendedresult == apsw.SQLITE_CORRUPT_VTAB
    db.execute("BEGIN")
    db.execute("INSERT INTO v_vectors VALUES (70000, ?)", (QUERY,))
    with pytest.raises(apsw.CorruptError):
        ann_set(db, "warm", 1)
    for name, value in OTHERS.items():
        assert ann_set(db, name, value) == value
    db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert ann_set(db, "warm", 1) > 0
    db.execute("COMMIT")
    assert search(db)[0] == (70_000, 0)
    ann_set(db, "warm", 1)
    sound(db)


def test_warm_can_be_interrupted(forest):
    db = forest().db
    db.set_progress_handler(lambda: True, 20)
    with pytest.raises(apsw.InterruptError):
        ann_set(db, "warm", 1)
    db.set_progress_handler(None, 20)
    works(db)


# --- absorb


def loaded(db):
    """Half as many rows again wait."""
    ann_set(db, "absorb", 0)
    insert(db, 70_000, 700)
    assert info(db, "waiting") > 600


def test_absorb_in_a_transaction_that_has_written_takes_in_what_waits_when_it_ends(forest):
    db = forest().db
    db.execute("BEGIN")
    loaded(db)
    ann_set(db, "absorb", 25)
    db.execute("COMMIT")
    assert info(db, "waiting") == 0
    sound(db)


@pytest.mark.parametrize(("share", "waits"), [(0, True), (50, True), (30, False)])
def test_absorb_is_the_share_that_may_wait(forest, share, waits):
    db = forest().db
    ann_set(db, "absorb", share)
    insert(db, 70_000, 850)
    assert (info(db, "waiting") > 0) == waits


def test_absorb_outside_a_transaction_starts_no_work(forest, shadow_hash):
    db = forest().db
    loaded(db)
    before = shadow_hash(db)
    ann_set(db, "absorb", 25)
    search(db)
    assert shadow_hash(db) == before
    insert(db, 90_000, 100)
    assert info(db, "waiting") == 0


def test_absorb_under_query_only_does_not_lose_the_transaction(forest):
    db = forest().db
    db.execute("BEGIN")
    loaded(db)
    db.pragma("query_only", True)
    ann_set(db, "absorb", 25)
    db.execute("COMMIT")
    db.pragma("query_only", False)
    assert info(db, "rows") == 2200
    assert info(db, "waiting") > 600
    sound(db)


@pytest.mark.parametrize(("begin", "end"), [("BEGIN", "ROLLBACK"), ("SAVEPOINT a", "ROLLBACK TO a; RELEASE a")])
def test_settings_stay_when_a_rename_is_undone(forest, begin, end):
    db = forest().db
    for name, value in OTHERS.items():
        ann_set(db, name, value)
    before = search(db)
    for _ in range(2):
        db.execute(f"{begin}; ALTER TABLE v RENAME TO w")
        assert values(db, "w") == OTHERS
        db.execute("DELETE FROM w WHERE rowid < 100")
        db.execute(end)
        assert values(db) == OTHERS
        assert search(db) == before
    insert(db, 90_000, 100)
    sound(db)


def test_settings_of_a_renamed_table_are_not_those_of_the_next(forest):
    db = forest().db
    ann_set(db, "absorb", 8)
    db.execute(
        "ALTER TABLE v RENAME TO w; CREATE VIRTUAL TABLE v USING ann(embedding float32[16], metric=l2, leaf_capacity=32)"
    )
    assert (ann_set(db, "absorb", table="w"), ann_set(db, "absorb")) == (8, 25)
    db.execute("BEGIN; ALTER TABLE v RENAME TO u; ROLLBACK")
    assert (ann_set(db, "absorb", table="w"), ann_set(db, "absorb")) == (8, 25)


# --- What is refused

WRONG = [
    ("cache_mb", -1, "cache_mb to be a whole number from 0 to 1048576, got -1"),
    ("cache_mb", 1048577, "cache_mb to be a whole number from 0 to 1048576, got 1048577"),
    ("cache_mb", None, "cache_mb to be a whole number from 0 to 1048576, got NULL"),
    ("cache_mb", float("nan"), "cache_mb to be a whole number from 0 to 1048576, got NULL"),
    ("cache_mb", 0.5, "cache_mb to be a whole number from 0 to 1048576, got 0.5"),
    ("cache_mb", float("inf"), "cache_mb to be a whole number from 0 to 1048576, got Inf"),
    ("cache_mb", 1e300, "cache_mb to be a whole number from 0 to 1048576, got 1.0e+300"),
    ("cache_mb", "8 MB", "cache_mb to be a whole number from 0 to 1048576, got 8 MB"),
    ("cache_mb", np.int64(8).tobytes(), "cache_mb to be a whole number from 0 to 1048576, got a blob of 8 bytes; pass"),
    ("absorb", 101, "absorb to be a whole number from 0 to 100, got 101"),
    ("absorb", 2**32 + 5, "absorb to be a whole number from 0 to 100, got 4294967301"),
    ("threads", 65, "threads to be a whole number from 0 to 64, got 65"),
    ("warm", 0, "warm to be 1, got 0"),
    ("warm", "yes", "warm to be 1, got yes"),
    ("warm", b"1", "warm to be 1, got a blob of 1 bytes; pass int(warm)"),
    ("seed", 1, 'one of cache_mb, absorb, threads, warm, got "seed"'),
    ("", 1, 'one of cache_mb, absorb, threads, warm, got ""'),
    ("cache", 1, 'one of cache_mb, absorb, threads, warm, got "cache"'),
    (5, 1, 'one of cache_mb, absorb, threads, warm, got "5"'),
    (None, 1, "one of cache_mb, absorb, threads, warm, got NULL"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_what_cannot_be_set_is_refused_and_changes_nothing(small, refused, name, value, message):
    before = values(small.db)
    refused(small.db, "SELECT ann_set('v', ?, ?)", (name, value), f"ann_set: expected {message}")
    assert values(small.db) == before
    assert ann_set(small.db, "warm") == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "expected the name of an ann table, got NULL"),
        ("no_such", "expected the name of an ann table, but there is no table no_such"),
        ("plain", "expected an ann table, but main.plain is another kind of table"),
        ("v_pages", "expected an ann table, but main.v_pages is another kind of table"),
    ],
)
def test_a_table_that_is_none_is_refused(small, refused, table, message):
    small.db.execute("CREATE TABLE plain(x)")
    for sql in ("SELECT ann_set(?, 'absorb')", "SELECT ann_set(?, 'absorb', 5)"):
        refused(small.db, sql, (table,), f"ann_set: {message}")


@pytest.mark.parametrize("sql", ["SELECT ann_set()", "SELECT ann_set('v')", "SELECT ann_set('v', 'absorb', 5, 6)"])
def test_another_number_of_arguments_is_refused(small, refused, sql):
    refused(small.db, sql, (), "wrong number of arguments to function ann_set()")


@pytest.mark.parametrize(
    ("schema", "sql"),
    [
        ("CREATE VIEW w AS SELECT ann_set('v', 'cache_mb', 0)", "SELECT * FROM w"),
        (
            "CREATE TABLE t(x); CREATE TRIGGER w AFTER INSERT ON t BEGIN SELECT ann_set('v', 'cache_mb', 0); END",
            "INSERT INTO t VALUES (1)",
        ),
        ("CREATE TABLE t(x DEFAULT (ann_set('v', 'cache_mb', 0)), y)", "INSERT INTO t(y) VALUES (1)"),
    ],
)
def test_a_schema_cannot_set_anything(small, refused, schema, sql):
    small.db.execute("PRAGMA trusted_schema = ON")
    small.db.execute(schema)
    refused(small.db, sql, (), "unsafe use of ann_set()")
    assert ann_set(small.db, "cache_mb") == 256


def test_it_is_not_taken_for_a_constant(small):
    got = small.db.execute("SELECT ann_set('v', 'absorb', n) FROM (SELECT 5 AS n UNION ALL SELECT 6)").fetchall()
    assert got == [(5,), (6,)]
    flags = small.db.execute("SELECT DISTINCT flags & 0x280800 FROM pragma_function_list WHERE name = 'ann_set'")
    assert flags.fetchall() == [(0x80000,)]  # SQLITE_DIRECTONLY, not SQLITE_INNOCUOUS, not SQLITE_DETERMINISTIC


def test_the_extension_loaded_again(small):
    ann_set(small.db, "absorb", 5)
    sqlite_ann.load(small.db)
    assert ann_set(small.db, "absorb") == 5
