"""What the page is told of tables that the demo did not make."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann.cli import main
from sqlite_ann.serve import chart
from sqlite_ann.serve.answers import Answers
from sqlite_ann.serve.shown import shown_of

DIM = 4


@pytest.fixture
def db(tmp_path):
    with contextlib.closing(sqlite_ann.connect(tmp_path / "docs.db")) as db:
        db.execute("CREATE TABLE doc(id INTEGER PRIMARY KEY, title TEXT, body TEXT, other INTEGER, embedding BLOB)")
        vectors = np.random.default_rng(5).standard_normal((30, DIM)).astype("<f4")
        rows = [(i, f"Page {i}", f"about {i + 1}", 31 - i, vectors[i - 1].tobytes()) for i in range(1, 31)]
        db.executemany("INSERT INTO doc VALUES (?, ?, ?, ?, ?)", rows)
        db.execute(f"CREATE VIRTUAL TABLE doc_ann USING ann(embedding float32[{DIM}], metric=l2, content=doc)")
        yield db


@pytest.fixture
def other(db):
    with contextlib.closing(sqlite_ann.connect(db.filename)) as other:
        yield other


def answers(db, other, **options):
    return Answers(db, other, shown_of(db, "docs.db", *(options.get(name) for name in ("index", "table", "show"))))


def ids(answer):
    return [row["id"] for row in answer["rows"]]


def test_words_are_looked_for_in_the_first_column_alone(db, other):
    db.execute(
        "CREATE VIRTUAL TABLE words USING fts5(title, body, content=doc, content_rowid=id);"
        "INSERT INTO words(words) VALUES ('rebuild')"
    )
    told = answers(db, other)
    assert ids(told.find("page 7", 20)) == [7]
    assert ids(told.find("about", 20)) == []
    assert ids(answers(db, other, show=["body", "title"]).find("about 7", 20)) == [6]


def test_words_by_other_ids_than_the_tables_are_not_taken(db, other):
    db.execute(
        "CREATE VIRTUAL TABLE words USING fts5(title, content=doc, content_rowid=other);"
        "INSERT INTO words(words) VALUES ('rebuild')"
    )
    assert ids(answers(db, other).find("page 7", 20)) == [7]


def test_rows_that_the_index_lacks_are_not_offered(db, other):
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{DIM}], metric=l2)")
    db.execute("INSERT INTO v(rowid, embedding) SELECT id, embedding FROM doc WHERE id > 10")
    told = answers(db, other, index="v", table="doc", show=["title"])
    assert ids(told.find("", 2)) == [11, 12]
    assert ids(told.find("Page 1", 20)) == list(range(11, 20))
    assert ids(told.near(11, 3))


def test_others_write_while_the_places_of_the_map_are_found(db, other, monkeypatch):
    found = chart.on_axes

    def on_axes(*given, **named):
        db.set_busy_timeout(0)
        db.execute("UPDATE doc SET title = 'new' WHERE id = 1")
        return found(*given, **named)

    monkeypatch.setattr(chart, "on_axes", on_axes)
    assert answers(db, other).chart()["ids"] == list(range(1, 31))
    assert db.execute("SELECT title FROM doc WHERE id = 1").get == "new"


def test_a_folder_is_no_database(tmp_path, capsys):
    assert main(["serve", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"sqlite-ann: unable to open {tmp_path}: it is a folder\n"
