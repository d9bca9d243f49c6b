"""Tables in files: reopened, read-only, in WAL mode, vacuumed, backed up."""

from __future__ import annotations

import apsw
import numpy as np
import pytest


@pytest.fixture
def query():
    return np.arange(16, dtype="<f4").tobytes()


SEARCH = "SELECT id, distance FROM ann_search('v', ?, 10)"
SEARCH_ALL = "SELECT id, distance FROM ann_search('v', ?, 10, 1)"
CHECK = "SELECT * FROM ann_check('v')"


def test_a_reopened_file_answers_as_before(forest_file, other_connections, query):
    first = other_connections(forest_file)
    before = first.execute(SEARCH_ALL, (query,)).fetchall()
    first.execute("INSERT INTO v(rowid, embedding) VALUES (99999, ?)", (query,))
    first.close()
    second = other_connections(forest_file)
    assert second.execute(SEARCH_ALL, (query,)).fetchall() == [(99999, 0.0), *before[:9]]
    assert second.execute(CHECK).fetchall() == []


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_read_only_connection_searches_and_cannot_write(forest_file, other_connections, query, mode):
    writer = other_connections(forest_file)
    assert writer.pragma("journal_mode", mode) == mode
    expected = writer.execute(SEARCH, (query,)).fetchall()
    reader = other_connections(forest_file, flags=apsw.SQLITE_OPEN_READONLY)
    assert reader.execute(SEARCH, (query,)).fetchall() == expected
    assert reader.execute("SELECT count(*) FROM v").get == 1500
    assert reader.execute(CHECK).fetchall() == []
    for sql in ("DELETE FROM v", "INSERT INTO v(v) VALUES ('optimize')", "DROP TABLE v"):
        with pytest.raises(apsw.ReadOnlyError):
            reader.execute(sql)
    assert reader.execute(SEARCH, (query,)).fetchall() == expected


def test_an_immutable_file(forest_file, other_connections, query):
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    reader = other_connections(f"file:{forest_file}?immutable=1", flags=flags)
    assert len(reader.execute(SEARCH, (query,)).fetchall()) == 10


def test_query_only(forest, query):
    db = forest().db
    db.pragma("query_only", True)
    assert len(db.execute(SEARCH, (query,)).fetchall()) == 10
    with pytest.raises(apsw.ReadOnlyError):
        db.execute("INSERT INTO v VALUES (?)", (query,))


def test_vacuum_and_vacuum_into(forest_file, other_connections, query, tmp_path):
    db = other_connections(forest_file)
    expected = db.execute(SEARCH, (query,)).fetchall()
    db.execute("DELETE FROM v WHERE rowid % 5 = 0 AND rowid NOT IN (SELECT id FROM ann_search('v', ?, 10))", (query,))
    before = db.execute("SELECT id, distance FROM ann_search('v', ?, 10, 1)", (query,)).fetchall()
    db.execute("VACUUM")
    assert db.execute("SELECT id, distance FROM ann_search('v', ?, 10, 1)", (query,)).fetchall() == before
    assert db.execute(CHECK).fetchall() == []
    db.execute("INSERT INTO v(rowid, embedding) VALUES (77777, ?)", (query,))
    copy = str(tmp_path / "copy.db")
    db.execute("VACUUM INTO ?", (copy,))
    other = other_connections(copy)
    assert other.execute(SEARCH, (query,)).fetchone() == (77777, 0.0)
    assert other.execute(CHECK).fetchall() == []
    assert len(expected) == 10


def test_a_search_left_half_read_holds_nothing(forest_file, other_connections, query):
    db, writer = other_connections(forest_file), other_connections(forest_file)
    writer.set_busy_timeout(0)
    for sql in ("SELECT id FROM ann_search('v', ?, 1000)", "SELECT rowid FROM v WHERE embedding MATCH ?"):
        half_read = db.execute(sql, (query,))
        assert next(half_read)
        half_read.close()
        writer.execute("INSERT INTO v(embedding) VALUES (?)", (query,))
    db.execute("VACUUM; DROP TABLE v")


def test_in_wal_mode_a_half_read_search_and_a_writer_get_along(forest_file, other_connections, query):
    db, writer = other_connections(forest_file), other_connections(forest_file)
    writer.pragma("journal_mode", "wal")
    expected = [id_ for (id_,) in db.execute("SELECT id FROM ann_search('v', ?, 1000, 1)", (query,))]
    half_read = db.execute("SELECT id FROM ann_search('v', ?, 1000, 1)", (query,))
    first = next(half_read)[0]
    writer.execute("DELETE FROM v WHERE rowid % 2 = 0")
    assert [first, *(id_ for (id_,) in half_read)] == expected
    assert db.execute("SELECT count(*) FROM v").get < 1500


def test_backup_into_a_connection_that_already_searched(forest, other_connections, query):
    source = forest().db
    target = other_connections(":memory:")
    target.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[16], metric=l2, leaf_capacity=32)")
    assert target.execute(SEARCH, (query,)).fetchall() == []
    with target.backup("main", source, "main") as backup:
        backup.step()
    assert target.execute(SEARCH, (query,)).fetchall() == source.execute(SEARCH, (query,)).fetchall()
    source.execute("INSERT INTO v(rowid, embedding) VALUES (66666, ?)", (query,))
    with target.backup("main", source, "main") as backup:
        backup.step()
    assert target.execute(SEARCH, (query,)).fetchone() == (66666, 0.0)
    assert target.execute(CHECK).fetchall() == []


def test_a_forest_of_an_attached_file(forest_file, db, query):
    db.execute("ATTACH ? AS songs", (forest_file,))
    assert len(db.execute("SELECT id FROM ann_search('songs.v', ?)", (query,)).fetchall()) == 10
    db.execute("INSERT INTO songs.v(rowid, embedding) VALUES (5, ?)", (query,))
    assert db.execute(SEARCH, (query,)).fetchone() == (5, 0.0)
    db.execute("DETACH songs")


def test_shadow_tables_are_ordinary_rowid_tables(forest):
    db = forest().db
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE name LIKE 'v\\_%' ESCAPE '\\'").fetchall()
    assert sorted(name for name, _ in rows) == ["v_config", "v_pages", "v_places", "v_vectors", "v_waiting"]
    for name, sql in rows:
        assert "id INTEGER PRIMARY KEY" in sql
        assert "WITHOUT ROWID" not in sql
        assert db.execute("SELECT count(*) FROM pragma_index_list(?)", (name,)).get == 0


def test_the_file_is_readable_and_its_other_tables_writable_without_the_extension(forest_file, other_connections):
    plain = apsw.Connection(forest_file)
    assert plain.execute("SELECT count(*) FROM v_vectors").get == 1500
    plain.execute("CREATE TABLE song(id INTEGER PRIMARY KEY); INSERT INTO song VALUES (1)")
    with pytest.raises(apsw.SQLError, match="no such module: ann"):
        plain.execute("SELECT * FROM v")
    plain.close()
    assert other_connections(forest_file).execute(CHECK).fetchall() == []


@pytest.mark.parametrize("page_size", [512, 65536])
@pytest.mark.parametrize("auto_vacuum", [0, 2])
def test_any_page_size(db, load, make_vectors, rng, page_size, auto_vacuum):
    db.execute(f"PRAGMA page_size = {page_size}; PRAGMA auto_vacuum = {auto_vacuum}")
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[16], leaf_capacity=32)")
    load(db, np.arange(1000), make_vectors(rng, 1000))
    db.execute("DELETE FROM v WHERE rowid < 100; PRAGMA incremental_vacuum; VACUUM")
    assert db.execute(CHECK).fetchall() == []


def test_a_utf16_database(db):
    db.execute("PRAGMA encoding = 'UTF-16le'")
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=l2)")
    db.execute("INSERT INTO v VALUES ('[1,2]'), ('[3,4]')")
    assert db.execute("SELECT id, distance FROM ann_search('v', '[3,4]', 1)").fetchall() == [(2, 0.0)]
    db.execute("INSERT INTO v(v) VALUES ('rebuild'); ALTER TABLE v RENAME TO w")
    assert db.execute("SELECT * FROM ann_check('w')").fetchall() == []
