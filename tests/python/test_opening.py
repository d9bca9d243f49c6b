"""Opening what is there or making it, by connection and by path; and tables that change under an Index."""

from __future__ import annotations

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Error, Index
from sqlite_ann.shadows import shadows, vector_tables


def test_a_program_that_makes_its_index_runs_twice(tmp_path):
    for n in (1, 2):
        index = Index.create(tmp_path / "songs.db", "song_ann", dim=2, metric="euclidean", trees=3, exists_ok=True)
        index.upsert([n], [[n, 0]])
        assert list(index) == list(range(1, n + 1))
        index.db.close()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"dim": 3}, "v is there already, with dim 2: expected dim 3"),
        ({"metric": "cosine"}, "v is there already, with metric l2: expected metric cosine"),
        ({"type": "int8"}, "v is there already, with type float32: expected type int8"),
        ({"trees": 4}, "v is there already, with trees 2: expected trees 4"),
        ({"SEED": 7}, "v is there already, with seed 0: expected seed 7"),
        ({"colour": "red"}, None),
    ],
)
def test_a_table_that_was_made_otherwise_is_refused_and_both_are_named(db, wanted, said):
    Index.create(db, "v", 2, metric="l2")
    with pytest.raises(Error) as caught:
        Index.create(db, "v", **{"dim": 2, "exists_ok": True, **wanted})
    assert said is None or str(caught.value) == said
    assert [name for (name,) in db.execute("SELECT name FROM temp.sqlite_schema")] == []
    with pytest.raises(Error, match="already exists"):
        Index.create(db, "v", 2)


def test_an_index_over_another_table_is_not_what_was_asked_for(db):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding); CREATE TABLE tune AS SELECT * FROM song")
    over = Index.create(db, "over", 2, content="song")
    Index.create(db, "own", 2)
    for name, said in (("over", "song"), ("own", "None")):
        with pytest.raises(Error, match=f"{name} is there already, with content {said}: expected content tune"):
            Index.create(db, name, 2, content="tune", exists_ok=True)
    assert Index.create(db, "over", 2, content="SONG", content_rowid="id", exists_ok=True).table == over.table
    with pytest.raises(Error, match="over is there already, with content_rowid id: expected content_rowid title"):
        Index.create(db, "over", 2, content="song", content_rowid="title", exists_ok=True)
    assert Index.create(db, "over", 2, exists_ok=True).table == over.table


def test_keys_of_an_index_over_a_table_are_refused_before_it_is_made(db):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, embedding)")
    with pytest.raises(ValueError, match="key: expected an index with vectors of its own, got v over song"):
        Index.create(db, "v", 2, content="song", key="title")
    assert sqlite_ann.indexes(db) == []


def test_what_is_not_said_may_be_otherwise(db):
    Index.create(db, "v", 2, metric="l1", trees=4, seed=3)
    assert Index.create(db, "v", 2, exists_ok=True).metric == "l1"
    assert Index.create(db, "V", 2, metric="manhattan", cache_mb=9, exists_ok=True).metric == "l1"


def test_another_kind_of_table_is_no_index(db):
    db.execute("CREATE TABLE v(id)")
    with pytest.raises(Error, match="expected an ann table"):
        Index.create(db, "v", 2, exists_ok=True)


def test_a_path_opens_what_is_there_and_makes_no_file(tmp_path):
    with pytest.raises(Error, match=r"unable to open .*songs.db: there is no such file"):
        Index(tmp_path / "songs.db", "v")
    Index.create(str(tmp_path / "songs.db"), "v", 2).db.close()
    assert Index(str(tmp_path / "songs.db"), "v").dim == 2
    assert Index.create(":memory:", "v", 2).dim == 2


def test_the_indexes_of_a_database_are_listed(db, tmp_path):
    assert sqlite_ann.indexes(db) == []
    db.execute("ATTACH ? AS aux", (str(tmp_path / "aux.db"),))
    db.execute("CREATE TABLE annals(x); CREATE VIRTUAL TABLE words USING fts5(annotation)")
    names = ["b", "a", 'quo"te', "two words", "it's", "a.b", "temp.t", "aux.c", "aux.a"]
    for name in names:
        Index.create(db, name, 2)
    db.execute(
        "CREATE VIRTUAL TABLE [odd] USING ANN(v float32[2]); CREATE VIRTUAL TABLE `tick`using'ann'(v float32[2])"
    )
    assert sorted(sqlite_ann.indexes(db)) == sorted([*names, "odd", "tick"])
    for name in sqlite_ann.indexes(db):
        assert Index(db, name).dim == 2
    assert sqlite_ann.indexes(tmp_path / "aux.db") == ["a", "c"]
    with pytest.raises(Error, match="there is no such file"):
        sqlite_ann.indexes(tmp_path / "gone.db")


def test_a_name_that_temp_hides_comes_with_its_schema(db):
    Index.create(db, "v", 2)
    Index.create(db, "temp.v", 3)
    assert sorted(sqlite_ann.indexes(db)) == ["main.v", "temp.v"]
    assert (Index(db, "main.v").dim, Index(db, "temp.v").dim) == (2, 3)


def test_a_table_that_is_made_anew_is_searched_as_it_is(db):
    index = Index.create(db, "v", 2)
    db.execute("DROP TABLE v")
    Index.create(db, "v", 3, metric="l2").add([1], [[1, 2, 3]])
    assert index.search([1, 2, 3], k=1).to_list() == [(1, 0.0)]
    assert (index.dim, index.metric) == (3, "l2")
    db.execute("DROP TABLE v")
    Index.create(db, "v", 4)
    index.add(2, np.ones(4))
    with pytest.raises(ValueError, match="expected 4 components, got 3"):
        index.search([1, 2, 3])


def test_a_closed_connection_is_an_error(db):
    index = Index.create(db, "v", 2)
    db.close()
    for use in (lambda: index.search(np.ones(2, "f4")), lambda: index.add(1, [1, 2]), lambda: len(index)):
        with pytest.raises(Error, match="closed"):
            use()


def test_a_database_of_a_newer_format_is_told_so(tmp_path):
    index = Index.create(tmp_path / "v.db", "v", 2)
    index.db.execute("UPDATE v_config SET value = 999 WHERE id = 1")
    index.db.close()
    for use in (lambda db: Index(db, "v"), lambda db: Index.create(db, "v", 2, exists_ok=True)):
        with pytest.raises(Error, match="got 999; a newer sqlite_ann wrote it"):
            use(tmp_path / "v.db")


def test_the_tables_that_hold_an_index_are_known_by_their_names(db):
    """What others hide and leave alone is what the extension makes, over an ordinary table and without one."""
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB)")
    before = {"song", "own", "over"}
    Index.create(db, "own", 2)
    Index.create(db, "over", 2, content="song")
    schema = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
    assert vector_tables(schema) == ["over", "own"]
    names = {name for name, _ in schema}
    assert set(shadows(names, ["own", "over"])) == names - before
