"""The ordinary table of an index: refused when it cannot be one, and followed whatever becomes of it."""

from __future__ import annotations

import apsw
import pytest

import sqlite_ann
from tests.sql import songs


@pytest.fixture
def filled(db):
    return songs.made(db, 300)


@pytest.fixture
def query(rng):
    return songs.vectors(rng, 1)


def refused(db, sql, message):
    with pytest.raises(apsw.Error) as caught:
        db.execute(sql).fetchall()
    assert message in str(caught.value)


def test_the_triggers_are_plain_sql_and_note_ids(filled):
    found = filled.execute(
        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"
    ).fetchall()
    assert [name for name, *_ in found] == songs.TRIGGERS
    assert {table for _, table, _ in found} == {"song"}
    assert all("ann_" not in sql.replace("song_ann_", "") for *_, sql in found)
    filled.execute("UPDATE song SET id = 5, title = 'x' WHERE id = 4; UPDATE song SET title = 'y' WHERE id = 7")
    assert filled.execute("SELECT id FROM song_ann_changes").fetchall() == [(4,), (5,)]


IN_VAIN = {
    "song": (
        "ALTER TABLE song RENAME TO other",
        "expected content to be a table of the schema main, which has no table song",
    ),
    "a view": (
        "ALTER TABLE song RENAME TO t; CREATE VIEW song AS SELECT * FROM t",
        "expected content to be an ordinary table, but song is a view",
    ),
    "a virtual table": (
        "DROP TABLE song; CREATE VIRTUAL TABLE song USING fts5(embedding)",
        "expected content to be an ordinary table, but song is a virtual table",
    ),
    "a table of another schema": (
        "ATTACH ':memory:' AS aux; ALTER TABLE song RENAME TO t; CREATE TABLE aux.song AS SELECT * FROM t",
        "expected content to be a table of the schema main, which has no table song",
    ),
    "a table WITHOUT ROWID": (
        "DROP TABLE song; CREATE TABLE song(id INTEGER PRIMARY KEY, embedding) WITHOUT ROWID",
        "expected song to have an INTEGER PRIMARY KEY, for VACUUM may change any other rowid, got a table WITHOUT ROWID",
    ),
    "no key": (
        "DROP TABLE song; CREATE TABLE song(id, embedding)",
        "expected song to have an INTEGER PRIMARY KEY, for VACUUM may change any other rowid, got none",
    ),
    "a key that is no rowid": (
        "DROP TABLE song; CREATE TABLE song(id INT PRIMARY KEY, embedding)",
        "expected song to have an INTEGER PRIMARY KEY, for VACUUM may change any other rowid, got none",
    ),
    "a key of two columns": (
        "DROP TABLE song; CREATE TABLE song(id INTEGER, b, embedding, PRIMARY KEY(id, b))",
        "expected song to have an INTEGER PRIMARY KEY, for VACUUM may change any other rowid, got none",
    ),
    "another key": (
        "ALTER TABLE song RENAME COLUMN id TO key",
        "expected content_rowid to be the INTEGER PRIMARY KEY of song, which is key, got id",
    ),
    "no vectors": ("ALTER TABLE song DROP COLUMN embedding", "expected a column embedding in song, which has none"),
    "a trigger of that name": (
        "CREATE TRIGGER song_ann_delete AFTER INSERT ON song BEGIN SELECT 1; END",
        'trigger "song_ann_delete" already exists',
    ),
    "a table of that name": (
        "CREATE TABLE song_ann_changes(x)",
        "expected the name song_ann_changes to be free, but something has it",
    ),
}


@pytest.mark.parametrize(("sql", "message"), IN_VAIN.values(), ids=IN_VAIN)
def test_what_cannot_be_content_is_refused_by_one_sentence_and_leaves_nothing(db, rng, sql, message):
    db.execute(songs.SONG)
    songs.insert(db, [1, 2], songs.vectors(rng, 2))
    db.execute(sql)
    before = songs.names(db)
    for transaction in (False, True):
        if transaction:
            db.execute("BEGIN")
        with pytest.raises(apsw.Error) as caught:
            db.execute(songs.INDEX)
        assert str(caught.value).endswith(f"ann table song_ann: {message}")
        if transaction:
            db.execute("COMMIT")
        assert songs.names(db) == before


def test_a_part_of_another_index_is_no_content(db):
    db.execute(
        "CREATE VIRTUAL TABLE V USING ann(e float32[2]); CREATE TABLE my_vectors(id INTEGER PRIMARY KEY, vector)"
    )
    db.execute("CREATE VIRTUAL TABLE docs USING fts5(annotations, channel)")  # no index of ours, for all its names
    db.execute('CREATE VIRTUAL TABLE u USING\n\t"ANN" (e float32[2])')
    made = "CREATE VIRTUAL TABLE w USING ann(vector float32[2], content='{}')"
    refused(
        db,
        made.format("v_Vectors"),
        "expected content to be an ordinary table, but v_Vectors is a part of another index",
    )
    refused(db, made.format("u_pages"), "u_pages is a part of another index")
    db.execute(made.format("my_vectors"))
    refused(db, made.format("docs_config").replace(" w ", " x "), "PRIMARY KEY")  # as of any other table


def test_the_key_need_not_be_named_and_may_be_called_anything(db, query):
    table = '"my ""songs"" WHEN new."'
    db.execute(f'CREATE TABLE {table}("the ""id""" INTEGER PRIMARY KEY, "a vector" BLOB)')
    db.execute(f"INSERT INTO {table} VALUES (0, ?)", (songs.blob(query[0]),))
    options = """content='my "songs" WHEN new.', content_rowid="the ""id""\""""
    db.execute(f'CREATE VIRTUAL TABLE "an ""index""" USING ann("a vector" float32[8], {options})')
    search = "SELECT id FROM ann_search('an \"index\"', ?, 5)"
    assert db.execute(search, (songs.blob(query[0]),)).fetchall() == [(0,)]
    db.execute(f"INSERT INTO {table} VALUES (9, ?)", (songs.blob(query[0]),))
    assert db.execute(search, (songs.blob(query[0]),)).fetchall() == [(0,), (9,)]
    db.execute('ALTER TABLE "an ""index""" RENAME TO plain')
    db.execute(f"DELETE FROM {table}")
    assert db.execute("SELECT id FROM ann_search('plain', ?, 5)", (songs.blob(query[0]),)).fetchall() == []
    db.execute("DROP TABLE plain")
    assert songs.names(db) == ['my "songs" WHEN new.']


def test_a_table_that_is_renamed_is_followed(filled, query):
    filled.execute("ALTER TABLE song RENAME TO tune")
    songs.agrees(filled, query, table="tune")
    assert songs.info(filled, "content") == "tune"
    filled.execute("DELETE FROM tune WHERE id < 100")
    songs.agrees(filled, query, table="tune")
    songs.run(filled, "rebuild")
    with pytest.raises(apsw.SQLError, match="expected rows to be written to tune, whose vectors it indexes"):
        filled.execute("DELETE FROM song_ann")
    songs.agrees(filled, query, table="tune")


def test_columns_that_are_renamed_are_followed(filled, query):
    filled.execute('ALTER TABLE song RENAME COLUMN embedding TO "the ""vector"""')
    filled.execute("ALTER TABLE song RENAME COLUMN id TO key")
    filled.execute("DELETE FROM song WHERE key < 100")
    found = filled.execute("SELECT id FROM ann_search('song_ann', ?, 1000)", (songs.blob(query[0]),)).fetchall()
    assert sorted(i for (i,) in found) == [i for (i,) in filled.execute("SELECT key FROM song ORDER BY 1")]
    songs.run(filled, "optimize")
    assert songs.faults(filled) == []
    filled.execute('ALTER TABLE song RENAME COLUMN "the ""vector""" TO embedding')
    assert songs.faults(filled) == []


def test_a_rename_that_is_rolled_back_and_another_in_its_place_are_followed(filled, query):
    filled.execute("BEGIN; ALTER TABLE song RENAME TO tune")
    songs.agrees(filled, query, table="tune")
    filled.execute("ROLLBACK; ALTER TABLE song RENAME TO melody")
    songs.agrees(filled, query, table="melody")


def test_a_column_more_or_less_is_no_matter(filled, query):
    filled.execute("ALTER TABLE song ADD COLUMN year")
    songs.agrees(filled, query)
    filled.execute("ALTER TABLE song DROP COLUMN year; CREATE INDEX by_title ON song(title)")
    songs.agrees(filled, query)
    with pytest.raises(apsw.SQLError, match="after drop column"):
        filled.execute("ALTER TABLE song DROP COLUMN embedding")


@pytest.mark.parametrize("legacy", [0, 1])
def test_the_index_is_renamed_with_its_triggers(filled, query, legacy):
    filled.execute(f"PRAGMA legacy_alter_table = {legacy}")
    filled.execute("DELETE FROM song WHERE id < 100")
    filled.execute("ALTER TABLE song_ann RENAME TO v")
    assert not [name for name in songs.names(filled) if "song_ann" in name]
    filled.execute("DELETE FROM song WHERE id < 200")
    assert songs.search(filled, query[0], 10, "v") == songs.exact(filled, query[0], 10)
    assert songs.faults(filled, "v") == []
    filled.execute("DROP TABLE v")
    assert songs.names(filled) == ["song", "sqlite_autoindex_song_1"]


def test_a_rename_that_fails_changes_nothing(filled, query):
    filled.execute("CREATE TRIGGER v_update AFTER INSERT ON song BEGIN SELECT 1; END")
    before = songs.names(filled)
    with pytest.raises(apsw.Error, match='trigger "v_update" already exists'):
        filled.execute("ALTER TABLE song_ann RENAME TO v")
    assert songs.names(filled) == before
    filled.execute("DELETE FROM song WHERE id < 100")
    songs.agrees(filled, query)


def test_a_dropped_index_leaves_the_table_as_it_was(filled):
    filled.execute("DELETE FROM song WHERE id < 100; DROP TABLE song_ann")
    assert songs.names(filled) == ["song", "sqlite_autoindex_song_1"]
    filled.execute("DELETE FROM song")


def test_after_the_table_was_dropped_a_sentence_says_so_and_the_index_can_be_dropped(filled, query):
    filled.execute("DROP TABLE song")
    sentence = "ann table song_ann: expected content to be a table of the schema main, which has no table song"
    for sql in (
        "SELECT * FROM ann_search('song_ann', x'00')",
        "SELECT count(*) FROM song_ann",
        "INSERT INTO song_ann(song_ann) VALUES ('optimize')",
        "INSERT INTO song_ann(song_ann) VALUES ('rebuild')",
        "SELECT * FROM ann_info('song_ann')",
    ):
        refused(filled, sql, sentence)
    assert [fault for fault, *_ in songs.faults(filled)] == [sentence.removeprefix("ann table song_ann: ")]
    filled.execute("ALTER TABLE song_ann RENAME TO v; ALTER TABLE v RENAME TO song_ann")
    filled.execute("DROP TABLE song_ann")
    assert songs.names(filled) == []


def test_a_new_table_of_that_name_is_taken_up_by_rebuild(filled, rng, query):
    filled.execute(f"DROP TABLE song; {songs.SONG}")
    songs.insert(filled, range(50), songs.vectors(rng, 50))
    sentence = "expected the trigger song_ann_insert on song, which is missing; rebuild makes it anew"
    refused(filled, "SELECT * FROM ann_search('song_ann', x'00')", sentence)
    songs.run(filled, "rebuild")
    songs.agrees(filled, query)
    songs.insert(filled, range(50, 70), songs.vectors(rng, 20))
    songs.agrees(filled, query)


@pytest.mark.parametrize("name", songs.TRIGGERS)
def test_a_trigger_that_is_missing_or_another_is_told_and_made_anew(filled, query, name):
    filled.execute(f"DROP TRIGGER {name}")
    refused(filled, "SELECT count(*) FROM song_ann", f"expected the trigger {name} on song, which is missing; rebuild")
    filled.execute(f'CREATE TRIGGER {name} AFTER INSERT ON song BEGIN DELETE FROM "song_ann_changes" WHERE id = 7; END')
    refused(filled, "SELECT count(*) FROM song_ann", f"expected the trigger {name} on song, which is another; rebuild")
    filled.execute("DELETE FROM song WHERE id < 50")
    songs.run(filled, "rebuild")
    songs.agrees(filled, query)
    filled.execute("DELETE FROM song WHERE id < 100")
    songs.agrees(filled, query)


@pytest.mark.parametrize("name", songs.TRIGGERS)
def test_a_trigger_of_a_renamed_table_is_made_anew_there(filled, query, name):
    filled.execute("ALTER TABLE song RENAME TO tune; ALTER TABLE tune RENAME COLUMN id TO number")
    filled.execute(f"DROP TRIGGER {name}")
    refused(filled, "SELECT count(*) FROM song_ann", f"expected the trigger {name} on tune, which is missing; rebuild")
    songs.run(filled, "rebuild")
    songs.agrees(filled, query, table="tune", key="number")


def test_a_table_of_notes_that_is_gone_is_told_and_made_anew(filled, query):
    filled.execute("DROP TABLE song_ann_changes")
    refused(filled, "SELECT count(*) FROM song_ann", "expected the table song_ann_changes, which is missing")
    songs.run(filled, "rebuild")
    filled.execute("DELETE FROM song WHERE id < 100")
    songs.agrees(filled, query)


def test_another_connection_renames_and_drops(tmp_path, query):
    path = songs.as_file(tmp_path / "songs.db", 300)
    db = sqlite_ann.connect(path)
    songs.agrees(db, query)
    writer = songs.plain(path)
    writer.execute("ALTER TABLE song RENAME TO tune")
    songs.agrees(db, query, table="tune")
    writer.execute("DROP TABLE tune")
    with pytest.raises(apsw.Error, match="which has no table song"):
        songs.search(db, query[0])
    writer.close()
    db.close()


def test_each_schema_has_its_own(db, rng, query):
    db.execute("ATTACH ':memory:' AS aux")
    for schema in ("temp", "main", "aux"):
        db.execute(songs.SONG.replace("song", f"{schema}.song", 1))
        db.execute(songs.INDEX.replace("song_ann", f"{schema}.song_ann", 1))
    for n, schema in enumerate(("temp", "main", "aux")):
        db.execute(f"INSERT INTO {schema}.song VALUES (?, '', ?)", (n, songs.blob(query[0])))
    for n, schema in enumerate(("temp", "main", "aux")):
        sql = f"SELECT id FROM ann_search('{schema}.song_ann', ?)"
        assert db.execute(sql, (songs.blob(query[0]),)).fetchall() == [(n,)]
        db.execute(f"DROP TABLE {schema}.song_ann; DROP TABLE {schema}.song")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("content_rowid='id'", "option content_rowid: expected the option content beside it, which is missing"),
        ("content=''", 'option content: expected a name, got ""'),
    ],
)
def test_options_that_say_nothing_are_refused(db, arguments, message):
    with pytest.raises(apsw.SQLError, match=message):
        db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[8], {arguments})")


def test_vacuum_keeps_ids(tmp_path, query):
    db = songs.made(sqlite_ann.connect(str(tmp_path / "songs.db")), 300)
    db.execute("DELETE FROM song WHERE id % 2 = 0; VACUUM")
    songs.agrees(db, query)
    db.close()
