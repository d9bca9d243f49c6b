"""An index over an ordinary table, from Python."""

from __future__ import annotations

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from tests.sql import songs


@pytest.fixture
def index(db):
    songs.made(db)
    return Index(db, "song_ann")


def test_it_is_opened_searched_and_counted_like_any_other(index, rng):
    query = songs.vectors(rng, 1)[0]
    ids, distances = index.search(query, k=10, recall=1.0)
    assert list(zip(ids, distances, strict=True)) == songs.exact(index.db, query, 10)
    assert (len(index), 4 in index, 5 in index) == (1500, True, False)
    assert (index.get([4, 7]) == [songs.stored(index.db)[i] for i in (4, 7)]).all()
    assert index.recall(k=10, sample=100).recall > 0.9
    assert index.check() == []
    found, _ = index.search(query, k=5, exclude=ids)
    assert not set(found) & set(ids)


def test_rows_are_written_to_the_table(index, rng):
    for write in (
        lambda: index.add([2], songs.vectors(rng, 1)),
        lambda: index.add(np.arange(10_000, 13_000), songs.vectors(rng, 3000)),
        lambda: index.remove([4]),
    ):
        with pytest.raises(Exception, match="expected rows to be written to song, whose vectors it indexes"):
            write()
    assert (len(index), index.info()["absorb"]) == (1500, 25)
    songs.insert(index.db, [2], songs.vectors(rng, 1))
    assert len(index) == 1501


def test_optimize_takes_in_what_was_written_and_then_has_nothing_to_do(index, rng):
    songs.insert(index.db, range(10_000, 10_400), songs.vectors(rng, 400))
    told = []
    assert index.info()["waiting"] == 400
    assert index.optimize(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (400, 400)
    assert index.info()["waiting"] == 0
    assert not index.optimize()
    index.db.execute("DELETE FROM song WHERE id > 200")
    assert index.optimize()
    assert len(index) == 67


def test_of_a_small_table_nothing_is_to_be_done_twice(db, rng):
    songs.made(db, 50)
    index = Index(db, "song_ann")
    assert not index.optimize()
    songs.insert(db, [2, 3], songs.vectors(rng, 2))
    assert index.optimize()
    assert not index.optimize()


def test_it_is_created_over_a_table_and_dropped_without_it(db):
    db.execute("CREATE TABLE 'my songs'(id INTEGER PRIMARY KEY, embedding BLOB)")
    index = Index.create(db, "v", dim=2, metric="l2", content="my songs", content_rowid="id")
    db.execute("INSERT INTO \"my songs\" VALUES (7, '[3, 4]')")
    assert index.search([3, 4])[0].tolist() == [7]
    index.drop()
    assert songs.names(db) == ["my songs"]


@pytest.mark.parametrize(("kind", "wanted"), [("float32", [1, 0, 1]), ("bit", [5])])
def test_vectors_in_json_are_read_and_what_is_no_vector_is_not_there(db, kind, wanted):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding)")
    index = Index.create(db, "v", 3, type=kind, content="song")
    db.execute("INSERT INTO song VALUES (1, '[1,0,1]'), (2, 'reel'), (3, '[1]'), (4, x'01020304'), (5, 7), (6, NULL)")
    assert index[1].tolist() == wanted
    assert index.get([1, 1]).tolist() == [wanted, wanted]
    for id_ in range(2, 7):
        with pytest.raises(KeyError, match=str(id_)):
            index.get(id_)
    index.drop()
    db.execute("INSERT INTO song VALUES (8, '[1,2]')")
    Index.create(db, "v", 2, content="song")
    assert index.get(8).tolist() == [1, 2]


@pytest.mark.parametrize("n", [1, 2000])
def test_vectors_none_of_which_fit_are_refused_when_the_index_is_made(db, rng, n):
    """A wrong `dim` would else make an index that finds nothing, and says nothing."""
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB)")
    with db:
        rows = ((i, songs.blob(v)) for i, v in enumerate(rng.standard_normal((n, 3)).astype("<f4"), 1))
        db.executemany("INSERT INTO song VALUES (?, ?)", rows)
    said = r"ann table v: row 1 is not indexed: expected a blob of 8 bytes \(2 float32\), got 12 bytes"
    with pytest.raises(sqlite_ann.Error, match=said) as raised:
        Index.create(db, "v", 2, content="song")
    assert not isinstance(raised.value, sqlite_ann.Damaged)
    assert songs.names(db) == ["song"]
    assert len(Index.create(db, "v", 3, content="song")) == n
    db.execute("UPDATE song SET embedding = NULL; DROP TABLE v")
    assert len(Index.create(db, "v", 2, content="song")) == 0


def test_queries_are_learned(index, rng):
    index.db.execute("DELETE FROM song WHERE id < 100")
    sql = "INSERT INTO song_ann(song_ann, embedding) VALUES ('learn', ?)"
    index.db.execute(sql, (songs.blob(songs.vectors(rng, 1)[0]),))
    assert index.info()["changes_waiting"] == 0
    index.learn(songs.vectors(rng, 99))
    assert index.info()["learned"] == 100
    assert sqlite_ann.Index(index.db, "song_ann").recall(queries=True).sample == 100


def test_what_is_read_is_a_vector_whatever_the_column_has(db):
    db.execute("CREATE TABLE tune(id INTEGER PRIMARY KEY, embedding)")
    db.execute("INSERT INTO tune VALUES (7, '[3, 4]'), (8, x'00'), (9, NULL), (10, 'no vector')")
    index = Index.create(db, "tune_ann", dim=2, content="tune")
    assert index.get(7).tolist() == [3.0, 4.0]
    assert list(index) == [7]
    assert len(index) == 2  # what may be a vector: a text is not read for it
    assert [i in index for i in (7, 8, 9, 10)] == [True, False, False, False]
    with pytest.raises(KeyError, match="8"):
        index.get([7, 8])
    with pytest.raises(KeyError, match="8"):
        index.search_item([7, 8])


def test_rows_that_no_search_finds_are_not_counted_where_type_or_length_tell(index):
    n = len(index)
    wrong = [np.ones(songs.DIM, "<f8").tobytes(), songs.blob(np.ones(songs.DIM - 1, "<f4")), b"", 5, 2.5, None]
    for id_, given in enumerate(wrong, 90_000):
        index.db.execute("INSERT INTO song VALUES (?, ?, ?)", (id_, f"wrong {id_}", given))
    assert len(index) == n == len(index.search(np.ones(songs.DIM), k=10_000).ids)
    index.db.execute("REPLACE INTO song VALUES (90000, '', ?)", (songs.blob(np.ones(songs.DIM, "<f4")),))
    assert len(index) == n + 1
    index.optimize()
    assert len(index) == n + 1


def test_rows_have_no_keys_but_those_of_their_table(db, index):
    sentence = "key: expected an index with vectors of its own, got {} over song: join that by id"
    with pytest.raises(ValueError, match=sentence.format("song_ann")):
        Index(db, "song_ann", key="title")
    before = songs.names(db)
    with pytest.raises(ValueError, match=sentence.format("other")):
        Index.create(db, "other", dim=songs.DIM, content="song", key="title")
    assert songs.names(db) == before
