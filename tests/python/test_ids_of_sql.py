"""Ids and keys as a query in SQL gives them, as a list of rows and as the cursor, wherever they are taken."""

from __future__ import annotations

import pytest

from sqlite_ann import Index

JIGS = "SELECT id FROM song WHERE kind = 'jig'"
KEYS = "SELECT title FROM song WHERE kind = 'jig'"


@pytest.fixture
def songs(db):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, kind TEXT)")
    db.executemany(
        "INSERT INTO song VALUES (?, ?, ?)", [(i, f"no {i}", "jig" if i % 2 else "reel") for i in range(1, 7)]
    )


@pytest.fixture
def index(db, songs):
    index = Index.create(db, "song_ann", 1, metric="l2")
    index.add(range(1, 7), [[i] for i in range(1, 7)])
    return index


@pytest.fixture
def keyed(db, songs):
    index = Index.create(db, "track", 1, metric="l2", key="title")
    index.add([f"no {i}" for i in range(1, 7)], [[i] for i in range(1, 7)])
    return index


@pytest.fixture(params=["list", "cursor"])
def rows(db, request):
    return lambda sql: db.execute(sql).fetchall() if request.param == "list" else db.execute(sql)


def test_ids_of_sql_are_searched_among_left_out_read_and_removed(index, rows):
    assert index.search([0], k=2, ids=rows(JIGS)).ids.tolist() == [1, 3]
    assert index.search([[0], [9]], k=2, ids=rows(JIGS)).ids.tolist() == [[1, 3], [5, 3]]
    assert index.search([0], k=2, exclude=rows(JIGS)).ids.tolist() == [2, 4]
    assert index.search_item(2, k=2, exclude=rows(JIGS)).ids.tolist() == [4, 6]
    assert index.search_item(rows(JIGS), k=1).ids.tolist() == [[2], [2], [4]]
    assert index.recommend(rows(JIGS), 1, heard=rows("SELECT 4")).ids.tolist() == [2]
    assert index.get(rows(JIGS)).tolist() == [[1], [3], [5]]
    index.update(rows(JIGS), [[10], [30], [50]])
    assert index[[1, 3, 5]].tolist() == [[10], [30], [50]]
    assert index.remove(rows(JIGS)) == 3
    del index[rows("SELECT 2")]
    assert list(index) == [4, 6]


def test_no_rows_of_sql_are_no_ids(index, rows):
    none = "SELECT id FROM song WHERE kind = 'air'"
    assert index.search([0], ids=rows(none)).ids.tolist() == []
    assert index.search([0], k=1, exclude=rows(none)).ids.tolist() == [1]
    assert index.get(rows(none)).shape == (0, 1)
    assert index.remove(rows(none)) == 0


def test_what_is_no_column_of_ids_is_refused(index, rows):
    with pytest.raises(ValueError, match=r"^ids: expected a 1-D array, got shape \(6, 2\)$"):
        index.search([0], ids=rows("SELECT id, id FROM song"))
    with pytest.raises(TypeError, match=r"^exclude: expected 64-bit whole numbers, got text$"):
        index.search([0], exclude=rows("SELECT title FROM song"))


def test_vectors_are_read_by_a_cursor_though_the_table_was_made_anew(db, index):
    db.execute("DROP TABLE song_ann; CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[2], metric = l2)")
    Index(db, "song_ann").add([1], [[3, 4]])
    assert index.get(db.execute("SELECT id FROM song WHERE id = 1")).tolist() == [[3, 4]]


def test_keys_of_sql_are_searched_among_left_out_read_and_removed(keyed, rows):
    assert keyed.search([0], k=2, keys=rows(KEYS)).ids.tolist() == ["no 1", "no 3"]
    assert keyed.search([0], k=2, exclude=rows(KEYS)).ids.tolist() == ["no 2", "no 4"]
    assert keyed.search_item(rows(KEYS), k=1).ids.tolist() == [["no 2"], ["no 2"], ["no 4"]]
    assert keyed.recommend(rows(KEYS), 1, heard=rows("SELECT 'no 4'")).ids.tolist() == ["no 2"]
    assert keyed.get(rows(KEYS)).tolist() == [[1], [3], [5]]
    assert keyed.remove(rows(KEYS)) == 3
    assert sorted(keyed) == ["no 2", "no 4", "no 6"]
    with pytest.raises(TypeError, match=r"^keys: expected text without zero characters, got \('no 1', 'jig'\)$"):
        keyed.search([0], keys=rows("SELECT title, kind FROM song WHERE id = 1"))
