"""Opening databases, and what is said of those that cannot be opened."""

from __future__ import annotations

from pathlib import Path

import apsw
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
