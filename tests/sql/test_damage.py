"""Damaged, newer and foreign shadow tables; interrupted writes. Nothing crashes, and a rebuild heals."""

from __future__ import annotations

import threading
import time

import apsw
import numpy as np
import pytest

QUERY = np.arange(16, dtype="<f4").tobytes()
SEARCH = "SELECT id, distance FROM ann_search('v', ?, 10, ?)"


def faults(db):
    return [row[0] for row in db.execute("SELECT fault FROM ann_check('v')")]


def flip(db, table, column, id_, byte):
    """Alter one byte of a stored blob."""
    with db.blob_open("main", table, column, id_, True) as blob:
        blob.seek(byte)
        old = blob.read(1)[0]
        blob.seek(byte)
        blob.write(bytes([old ^ 0x55]))


def root(db):
    return db.execute("SELECT root FROM ann_trees('v') WHERE tree = 0").get


# Statements that spoil a table of 1,500 rows with a forest, and words that ann_check finds for it.
FAULTS = {
    "format row gone": ("DELETE FROM v_config WHERE id = 1", 'expected a row "format" in v_config, which is missing'),
    "state row gone": ("DELETE FROM v_config WHERE id = 2", 'expected a row "state" in v_config, which is missing'),
    "all of config gone": ("DELETE FROM v_config", 'expected a row "format" in v_config, which is missing'),
    "format is text": ("UPDATE v_config SET value = 'x' WHERE id = 1", "config row 1 is damaged"),
    "newer format": (
        "UPDATE v_config SET value = 3 WHERE id = 1",
        "expected format 2, got 3; a newer sqlite_ann wrote it",
    ),
    "state too short": ("UPDATE v_config SET value = x'00' WHERE id = 2", "config row 2 is damaged; rebuild it"),
    "another sum of pages": (
        """UPDATE v_config SET value = CAST(substr(value, 1, 96) || x'0102030405060708' || substr(value, 105) AS BLOB)
            WHERE id = 2""",
        "config row 2 has another pages_sum than the pages",
    ),
    "state is null": ("UPDATE v_config SET value = NULL WHERE id = 2", "config row 2 is damaged; rebuild it"),
    "state of ones": (
        "UPDATE v_config SET value = CAST(replace(hex(zeroblob(48)), '0', char(255)) AS BLOB) WHERE id = 2",
        "config row 2 is damaged; rebuild it",
    ),
    "root is gone": (
        "DELETE FROM v_pages WHERE id = (SELECT root FROM ann_trees('v') LIMIT 1)",
        "is missing; rebuild it",
    ),
    "all pages gone": ("DELETE FROM v_pages", "directory pages, got 0 and 0"),
    "a page is empty": ("UPDATE v_pages SET data = x'' WHERE id = 5", "page of 0 bytes is not valid"),
    "a page is null": ("UPDATE v_pages SET data = NULL WHERE id = 5", "page of 0 bytes is not valid"),
    "a page is cut short": (
        "UPDATE v_pages SET data = substr(data, 1, 100) WHERE id = 5",
        "page of 100 bytes is not valid",
    ),
    "a page is text": ("UPDATE v_pages SET data = 'page' WHERE id = 5", "page of 4 bytes is not valid"),
    "two pages swapped": (
        "INSERT INTO v_pages SELECT -1, data FROM v_pages WHERE id = 20;"
        "UPDATE v_pages SET data = (SELECT data FROM v_pages WHERE id = 21) WHERE id = 20;"
        "UPDATE v_pages SET data = (SELECT data FROM v_pages WHERE id = -1) WHERE id = 21; DELETE FROM v_pages WHERE id = -1",
        "",
    ),
    "a page too many": (
        "INSERT INTO v_pages SELECT 9999, data FROM v_pages WHERE id = 20",
        "page number is beyond the last one used",
    ),
    "a leaf is gone": (
        "DELETE FROM v_pages WHERE id = (SELECT page FROM ann_pages('v') WHERE kind = 'leaf' LIMIT 1)",
        "is missing; rebuild it",
    ),
    "a vector is gone": ("DELETE FROM v_vectors WHERE id = 301", "entry has no vector"),
    "a vector too many": (
        "INSERT INTO v_vectors SELECT 2, vector FROM v_vectors WHERE id = 1",
        "expected 1500 vectors, got 1501",
    ),
    "a vector is too short": (
        "UPDATE v_vectors SET vector = x'00' WHERE id = 301",
        "vector 301 is damaged; write it anew or delete it",
    ),
    "a vector is null": (
        "UPDATE v_vectors SET vector = NULL WHERE id = 301",
        "vector 301 is damaged; write it anew or delete it",
    ),
    "a vector is text": (
        "UPDATE v_vectors SET vector = printf('%064d', 0) WHERE id = 301",
        "vector 301 is damaged; write it anew or delete it",
    ),
    "a vector is not finite": (
        "UPDATE v_vectors SET vector = CAST(substr(vector, 1, 60) || x'0000c07f' AS BLOB) WHERE id = 301",
        "vector 301 is damaged; write it anew or delete it",
    ),
    "a vector is another": (
        "UPDATE v_vectors SET vector = zeroblob(64) WHERE id = 301",
        "code differs from the one its vector gives",
    ),
    "a place is gone": ("DELETE FROM v_places WHERE id = 301", "entry is not where the places table says"),
    "a place is another": (
        "UPDATE v_places SET pages = (SELECT pages FROM v_places WHERE id = 4) WHERE id = 301",
        "entry is not where the places table says",
    ),
    "a place is too short": ("UPDATE v_places SET pages = x'00' WHERE id = 301", "place 301 is damaged; rebuild it"),
    "a place names one leaf twice": (
        "UPDATE v_places SET pages = substr(pages, 1, 4) || substr(pages, 1, 4) WHERE id = 301",
        "place 301 is damaged; rebuild it",
    ),
    "a place too many": (
        "INSERT INTO v_places SELECT 2, pages FROM v_places WHERE id = 301",
        "expected 1500 rows in the forest, got 1501 places",
    ),
    "placed rows wait": ("INSERT INTO v_waiting VALUES (300, 310)", "row is in the forest and waits as well"),
    "runs overlap": ("INSERT INTO v_waiting VALUES (5000, 5010), (5005, 5006)", "waiting runs overlap"),
    "a run ends before it begins": (
        "INSERT INTO v_waiting VALUES (5000, 4999)",
        "waiting run 5000 is damaged; rebuild it",
    ),
    "calibration too short": ("UPDATE v_config SET value = x'00' WHERE id = 3", "config row 3 is damaged; rebuild it"),
}
all_faults = pytest.mark.parametrize("what", FAULTS)


@all_faults
def test_check_finds_the_fault(forest, what):
    db = forest().db
    sql, words = FAULTS[what]
    db.execute(sql)
    found = faults(db)
    assert found
    assert any(words in fault for fault in found), found
    with pytest.raises(apsw.CorruptError if "expected format" not in words else apsw.Error, match="ann table v"):
        db.execute("INSERT INTO v(v) VALUES ('integrity-check')")
    assert "ann table v" in str(db.execute("PRAGMA integrity_check").fetchall())


@all_faults
def test_a_damaged_table_answers_or_says_that_it_is_damaged(forest, queries, what):
    table = forest()
    table.db.execute(FAULTS[what][0])
    for recall in (0.5, 0.95, 1):
        for query in queries[:5]:
            try:
                found = table.search(query, 10, recall)
            except apsw.Error as error:
                assert isinstance(error, (apsw.CorruptError, apsw.SQLError))
                assert "ann table v" in str(error)
            else:
                assert len(found) == 10


@all_faults
def test_writing_to_a_damaged_table_writes_whole_rows_or_none(forest, what):
    db = forest().db
    db.execute(FAULTS[what][0])
    for sql in (
        "INSERT INTO v(rowid, embedding) VALUES (90001, zeroblob(64)), (90002, zeroblob(64))",
        "UPDATE v SET embedding = zeroblob(64) WHERE rowid = 301",
        "DELETE FROM v WHERE rowid IN (4, 301)",
    ):
        before = db.execute("SELECT count(*), sum(length(vector)) FROM v_vectors").get
        try:
            db.execute(sql)
        except apsw.Error as error:
            assert "ann table v" in str(error)
            assert db.execute("SELECT count(*), sum(length(vector)) FROM v_vectors").get == before


@pytest.mark.parametrize("tree", [0, 1])
@pytest.mark.parametrize(
    "sql", ["DELETE FROM v WHERE rowid = 301", "UPDATE v SET embedding = zeroblob(64) WHERE rowid = 301"]
)
def test_a_write_that_meets_damage_undoes_its_statement_only(forest, sql, tree):
    db = forest().db
    db.execute("CREATE TABLE other(x)")
    page = np.frombuffer(db.execute("SELECT pages FROM v_places WHERE id = 301").get, "<u4")[tree]
    db.execute("UPDATE v_pages SET data = x'' WHERE id = ?", (int(page),))
    db.execute("BEGIN; INSERT INTO other VALUES (1)")
    with pytest.raises(apsw.CorruptError, match=f"page {page} is damaged; rebuild it"):
        db.execute(sql)
    assert db.in_transaction
    assert len(db.execute(SEARCH, (QUERY, 1)).fetchall()) == 10
    db.execute("INSERT INTO other VALUES (2); COMMIT")
    assert db.execute("SELECT count(*) FROM other").get == 2
    assert db.execute("SELECT count(*) FROM v").get == 1500
    db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert faults(db) == []


@all_faults
def test_a_damaged_table_can_be_renamed_and_dropped(forest, what):
    db = forest().db
    db.execute(FAULTS[what][0])
    db.execute("ALTER TABLE v RENAME TO w")
    assert db.execute("SELECT count(*) FROM ann_check('w')").get > 0
    db.execute("DROP TABLE w")
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "several",
    [
        ("all of config gone",),
        ("format is text", "state of ones", "calibration too short"),
        ("all pages gone", "a page is text", "a page too many"),
        ("root is gone", "a place is gone", "a place is another", "placed rows wait", "runs overlap"),
        ("a vector is another", "a vector too many"),
        ("a vector is gone", "a place is too short"),
    ],
    ids=" and ".join,
)
def test_rebuild_heals(forest, several):
    table = forest()
    for what in several:
        table.db.execute(FAULTS[what][0])
    table.db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert faults(table.db) == []
    assert len(table.db.execute(SEARCH, (QUERY, 0.95)).fetchall()) == 10
    if "vector" not in several[0]:
        query = np.arange(16, dtype=np.float32)
        assert table.search(query, 20, 1) == table.exact(query, 20)


@pytest.mark.parametrize(
    "what", ["a vector is too short", "a vector is null", "a vector is text", "a vector is not finite"]
)
def test_a_damaged_vector_stops_a_rebuild_until_it_is_written_anew_or_deleted(forest, what):
    db = forest().db
    for repair in ("UPDATE v SET embedding = zeroblob(64) WHERE rowid = 301", "DELETE FROM v WHERE rowid = 301"):
        db.execute(FAULTS[what][0])
        with pytest.raises(apsw.CorruptError, match="vector 301 is damaged; write it anew or delete it"):
            db.execute("INSERT INTO v(v) VALUES ('rebuild')")
        db.execute(repair)
        assert faults(db) == []


@pytest.mark.parametrize("byte", [0, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 40, 64, 70, 97, 200, 400, 600])
def test_a_flipped_byte_of_a_page_is_corruption(forest, byte):
    db = forest().db
    flip(db, "v_pages", "data", root(db), byte)
    with pytest.raises(apsw.CorruptError, match="ann table v: page 1 is damaged; rebuild it") as caught:
        db.execute(SEARCH, (QUERY, 0.95)).fetchall()
    assert caught.value.extendedresult == apsw.SQLITE_CORRUPT_VTAB
    assert len(db.execute(SEARCH, (QUERY, 1)).fetchall()) == 10


def test_a_newer_format_is_refused_in_words(forest, refused):
    db = forest().db
    db.execute("UPDATE v_config SET value = 9 WHERE id = 1")
    message = "ann table v: expected format 2, got 9; a newer sqlite_ann wrote it"
    for sql in (
        "SELECT * FROM ann_search('v', '[1]')",
        "SELECT * FROM v",
        "DELETE FROM v",
        "SELECT * FROM ann_info('v')",
        "INSERT INTO v(v) VALUES ('optimize')",
    ):
        assert refused(db, sql, (), message).extendedresult == apsw.SQLITE_ERROR


@pytest.mark.parametrize("content", [False, True])
def test_what_a_newer_version_wrote_is_not_rebuilt(db, content):
    """It would lose what this version knows nothing of."""
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB); INSERT INTO song VALUES (1, zeroblob(8))")
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[2]{', content=song' if content else ''})")
    db.execute("CREATE TABLE other(x)")
    db.execute("UPDATE v_config SET value = ? WHERE id = 1", (2**40,))

    def everything():
        names = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        tables = [name for name, sql in names if sql.startswith("CREATE TABLE")]
        return names, {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}

    before = everything()
    db.execute("BEGIN")
    with pytest.raises(
        apsw.SQLError, match="ann table v: expected format 2, got 1099511627776; a newer sqlite_ann wrote"
    ):
        db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert everything() == before
    db.execute("INSERT INTO other VALUES (1); COMMIT")
    db.execute("UPDATE v_config SET value = 1 WHERE id = 1; INSERT INTO v(v) VALUES ('rebuild')")
    assert faults(db) == []


# --- shadow tables that are not as we made them --------------------------------------------------


@pytest.mark.parametrize("suffix", ["config", "vectors", "pages", "places", "waiting"])
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP TABLE v_{0}", "expected the table v_{0}, which is missing"),
        ("ALTER TABLE v_{0} ADD COLUMN more", "expected v_{0} to have the columns"),
        ("CREATE INDEX mine ON v_{0}(id)", "expected v_{0} to be a table without triggers or indexes, got"),
        ("CREATE TRIGGER mine AFTER INSERT ON v_{0} BEGIN SELECT 1; END", "without triggers or indexes, got"),
        ("DROP TABLE v_{0}; CREATE VIEW v_{0} AS SELECT 1 AS id", "expected v_{0} to be a table without triggers"),
    ],
)
def test_a_foreign_shadow_table(forest_file, other_connections, refused, suffix, sql, message):
    plain = apsw.Connection(forest_file)
    plain.execute(sql.format(suffix))
    plain.close()
    db = other_connections(forest_file)
    words = message.format(suffix)
    assert refused(db, SEARCH, (QUERY, 0.9), words).extendedresult == apsw.SQLITE_CORRUPT_VTAB
    refused(db, "DELETE FROM v", (), words)
    assert any(words in fault for fault in faults(db))
    if "VIEW" not in sql:
        db.execute("ALTER TABLE v RENAME TO w; DROP TABLE w")
        assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


# --- interrupts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 5, 200, 2000])
@pytest.mark.parametrize("in_transaction", [False, True])
def test_an_interrupted_insert_of_many_rows_leaves_nothing(db, load, make_vectors, rng, after, in_transaction):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[16], leaf_capacity=32); CREATE TABLE other(x)")
    load(db, np.arange(100), make_vectors(rng, 100))
    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        return calls > after

    if in_transaction:
        db.execute("BEGIN; INSERT INTO other VALUES (1)")
    db.set_progress_handler(stop, 20)
    with pytest.raises(apsw.InterruptError):
        load(db, np.arange(100, 4000), make_vectors(rng, 3900))
        db.execute("COMMIT" if in_transaction else "SELECT 1")
    db.set_progress_handler(None)
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM v").get == 100
    assert db.execute("SELECT count(*) FROM other").get == 0
    assert faults(db) == []
    load(db, np.arange(100, 1500), make_vectors(rng, 1400))
    assert faults(db) == []


@pytest.mark.parametrize("command", ["rebuild", "optimize", "integrity-check"])
def test_an_interrupted_command_changes_nothing(forest, command, queries):
    table = forest()
    table.db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    table.db.execute("INSERT INTO v(embedding) SELECT embedding FROM v WHERE rowid < 900")
    before = [table.db.execute(f"SELECT * FROM v_{t}").fetchall() for t in ("config", "pages", "places", "waiting")]
    expected = table.search(queries[0], 10)
    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        return calls > 20

    table.db.set_progress_handler(stop, 20)
    with pytest.raises(apsw.InterruptError):
        table.db.execute("INSERT INTO v(v) VALUES (?)", (command,))
    table.db.set_progress_handler(None)
    after = [table.db.execute(f"SELECT * FROM v_{t}").fetchall() for t in ("config", "pages", "places", "waiting")]
    assert after == before
    assert table.search(queries[0], 10) == expected
    assert faults(table.db) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_interrupt_stops_a_build_soon(db, load, make_vectors, rng, threads):
    """Within 50 ms of computing, in each thread: a busy machine may take longer by the clock."""
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[64], leaf_capacity=32, threads={threads})")
    db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    load(db, np.arange(6000), make_vectors(rng, 6000, 64))
    asked = []

    def interrupt():
        asked.append((time.monotonic(), time.process_time()))
        db.interrupt()

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(apsw.InterruptError):
        db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    late, computed = time.monotonic() - asked[0][0], time.process_time() - asked[0][1]
    timer.join()
    assert computed < 0.05 * threads
    assert late < 0.5
    assert db.execute("SELECT count(*) FROM v").get == 6000
    assert faults(db) == []


def test_an_interrupted_search_can_be_asked_again(forest, queries):
    table = forest()
    expected = table.search(queries[0], 10, 1)
    table.db.set_progress_handler(lambda: True, 1)
    with pytest.raises(apsw.InterruptError):
        table.search(queries[0], 10, 1)
    table.db.set_progress_handler(None)
    assert table.search(queries[0], 10, 1) == expected
