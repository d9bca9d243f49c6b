"""Opening databases, and what is said of those that cannot be opened."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import apsw
import apsw.ext
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import connection


def test_examples(run_examples):
    run_examples(connection)


def test_connect_hands_its_options_to_apsw(tmp_path):
    path = tmp_path / "songs.db"
    sqlite_ann.connect(path).execute("CREATE TABLE song(id INTEGER PRIMARY KEY)")
    db = sqlite_ann.connect(path, flags=apsw.SQLITE_OPEN_READONLY)
    with pytest.raises(apsw.ReadOnlyError):
        db.execute("INSERT INTO song DEFAULT VALUES")


def test_connect_opens_a_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sqlite_ann.connect("a song.db").execute("CREATE TABLE song(id INTEGER PRIMARY KEY)")
    for uri in ("file:a song.db?mode=ro", "file:a%20song.db?mode=ro", f"file://{tmp_path}/a%20song.db?mode=ro"):
        db = sqlite_ann.connect(uri)
        with pytest.raises(apsw.ReadOnlyError):
            db.execute("INSERT INTO song DEFAULT VALUES")
    db = sqlite_ann.connect("file:a song.db", flags=apsw.SQLITE_OPEN_READONLY)
    assert db.readonly("main")
    assert [path.name for path in tmp_path.iterdir()] == ["a song.db"]


@pytest.mark.parametrize("name", ["file.db", "files", "file?mode=ro", "file", Path("file:a.db?mode=ro")])
def test_connect_to_a_path_that_begins_like_a_uri(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    sqlite_ann.connect(name).execute("CREATE TABLE song(id)")
    assert [path.name for path in tmp_path.iterdir()] == [str(name)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no folder/songs.db", "unable to open no folder/songs.db: there is no folder no folder"),
        ("file:no%20folder/a.db?mode=rw", "unable to open file:no%20folder/a.db?mode=rw: there is no folder no folder"),
        ("file:gone.db?mode=rw", "unable to open file:gone.db?mode=rw: there is no such file"),
        ("file:gone.db?mode=odd", "unable to open file:gone.db?mode=odd: no such access mode: odd"),
        ("folder", "unable to open folder: it is a folder"),
        ("text.db", "unable to open text.db: file is not a database"),
    ],
)
def test_what_cannot_be_opened_is_named_with_the_reason(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("It is no database, though long enough for the header of one. " * 20)
    with pytest.raises(sqlite_ann.Error) as caught:
        sqlite_ann.connect(name)
    assert str(caught.value) == said
    assert caught.value.code == caught.value.__cause__.extendedresult
    assert not (tmp_path / "gone.db").exists()


def test_a_missing_permission_is_told(tmp_path, monkeypatch):
    (tmp_path / "there.db").touch()
    monkeypatch.setattr(connection.os, "access", lambda path, mode: False)
    assert connection.why_not_opened(str(tmp_path / "there.db"), 0) == "there is no permission to read it"
    assert connection.why_not_opened(str(tmp_path / "new.db"), 0) == f"{tmp_path} cannot be written to"


def test_connect_reads_no_more_than_the_header(tmp_path):
    db = sqlite_ann.connect(tmp_path / "new.db")
    db.execute("PRAGMA encoding = 'UTF-16le'; PRAGMA page_size = 8192; CREATE TABLE song(id)")
    assert (db.execute("PRAGMA encoding").get, db.execute("PRAGMA page_size").get) == ("UTF-16le", 8192)


def test_connect_does_not_wait_for_a_writer(tmp_path):
    writer = sqlite_ann.connect(tmp_path / "songs.db")
    writer.execute("CREATE TABLE song(id); BEGIN EXCLUSIVE")
    db = sqlite_ann.connect(tmp_path / "songs.db")
    writer.execute("COMMIT")
    assert db.execute("SELECT count(*) FROM song").get == 0


# --- numbers of numpy's --------------------------------------------------------------------------


def test_an_id_of_an_answer_finds_its_row(db):
    index = sqlite_ann.Index.create(db, "v", 1, metric="l2")
    index.add([7], [[1]])
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT)")
    found = index.search([1])
    db.executemany("INSERT INTO song VALUES (?, ?)", ((id_, "The Irish Washerwoman") for id_ in found.ids))
    for bindings in ((found.ids[0],), [found.ids[0]], found.ids, iter(found.ids)):
        assert db.execute("SELECT title FROM song WHERE id = ?", bindings).get == "The Irish Washerwoman"
    assert db.execute("SELECT title FROM song WHERE id = :id", {"id": found.ids[0]}).get == "The Irish Washerwoman"
    assert db.cursor().execute("SELECT id FROM song WHERE id = ?", (found.ids[0],)).fetchall() == [(7,)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.uint8(7), "integer"),
        (np.bool_(True), "integer"),
        (np.float32(0.5), "real"),
        (np.str_("jig"), "text"),
        (np.ones(2, np.float32), "blob"),
        (7, "integer"),
        (None, "null"),
    ],
)
def test_scalars_of_numpys_are_bound_as_pythons_own_and_arrays_as_blobs(db, value, kind):
    assert db.execute("SELECT typeof(?)", (value,)).get == kind
    assert list(db.executemany("SELECT typeof(:v)", [{"v": value}])) == [(kind,)]


def test_values_that_are_none_are_left_to_apsw(db):
    with pytest.raises(TypeError, match="dict or a sequence"):
        db.execute("SELECT ?", 7)
    assert apsw.ext.query_info(db, "SELECT 1 AS one").description == (("one", None),)


def test_programs_that_await_bind_numbers_of_numpys_too():
    async def kinds():
        async with aclosing(await sqlite_ann.connect_async(":memory:")) as db:
            return await (await db.execute("SELECT typeof(?)", (np.int64(7),))).get

    assert asyncio.run(kinds()) == "integer"
