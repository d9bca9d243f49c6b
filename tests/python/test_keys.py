"""Index(db, name, key=...): keys that are text, in an ordinary table beside the vectors."""

from __future__ import annotations

import pickle

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index, keys, rows

ROWS = {"one": [1, 0], "two": [2, 0], "three": [3, 0], 'it\'s "four" é': [4, 0]}


def test_examples(run_examples):
    run_examples(keys)


@pytest.fixture
def songs(db):
    songs = Index.create(db, "song_ann", 2, metric="l2", key="uuid")
    songs.add(list(ROWS), list(ROWS.values()))
    return songs


def content(db):
    """Keys by number, and vectors by number."""
    return (
        dict(db.execute("SELECT id, uuid FROM song_ann_key")),
        {id_: np.frombuffer(blob, "<f4").tolist() for id_, blob in db.execute("SELECT rowid, embedding FROM song_ann")},
    )


def test_a_table_is_filled_searched_changed_and_opened_again(db, songs):
    found, distances = songs.search([0, 0], k=3)
    assert (found.tolist(), distances.tolist()) == (["one", "two", "three"], [1, 2, 3])
    assert songs.get("two").tolist() == [2, 0]
    assert songs.get(["three", "one"]).tolist() == [[3, 0], [1, 0]]
    assert songs.remove(["two", "never"]) == 1
    again = Index(db, "song_ann", key="uuid")
    again.add("five", [0.5, 0])
    assert again.search([0, 0], k=3)[0].tolist() == ["five", "one", "three"]
    assert ("five" in again, "two" in again, 7 in again, len(again)) == (True, False, False, 4)
    named, vectors = content(db)
    assert named.keys() == vectors.keys()


def test_keys_are_found_without_being_asked_for(db, tmp_path):
    path = tmp_path / "songs.db"
    made = Index.create(path, "song_ann", 2, metric="l2", key="uuid")
    assert repr(Index(path, "song_ann")) == repr(made) == "Index('song_ann', dim=2, metric='l2', key='uuid')"
    Index(path, "song_ann").add(list(ROWS), list(ROWS.values()))
    made.db.execute("ALTER TABLE song_ann_key ADD COLUMN title")
    for index in (
        Index(made.db, "song_ann"),
        Index(path, "main.song_ann"),
        Index.create(path, "song_ann", 2, exists_ok=True),
    ):
        assert index.search([0, 0], k=2).ids.tolist() == ["one", "two"]
    Index(path, "song_ann").drop()
    assert made.db.execute("SELECT count(*) FROM sqlite_schema").get == 0


@pytest.mark.parametrize(
    "columns",
    [
        "id INTEGER PRIMARY KEY, tonic TEXT NOT NULL",
        "id INTEGER PRIMARY KEY, tonic TEXT NOT NULL, mode TEXT, UNIQUE (tonic, mode)",
        "id INTEGER PRIMARY KEY, tonic TEXT UNIQUE",
        "id INTEGER, tonic TEXT NOT NULL UNIQUE",
    ],
)
def test_a_table_about_keys_of_another_kind_makes_no_index_keyed(db, columns):
    Index.create(db, "song", 1).add([7], [[1]])
    db.execute(f"CREATE TABLE song_key({columns})")
    assert Index(db, "song").search([1]).ids.tolist() == [7]


def test_the_keys_are_those_of_the_schema_that_the_index_is_in(db, tmp_path):
    db.execute("ATTACH ? AS aux", (str(tmp_path / "aux.db"),))
    Index.create(db, "aux.song_ann", 2, metric="l2", key="uuid").add(["a"], [[1, 2]])
    there = Index(db, "song_ann")
    assert pickle.loads(pickle.dumps(there)).search([1, 2]).ids.tolist() == ["a"]
    Index.create(db, "main.song_ann", 2, metric="l2").add([7], [[1, 2]])
    assert Index(db, "song_ann").search([1, 2]).ids.tolist() == [7]
    db.execute("CREATE TEMP TABLE song_ann_key(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE)")
    assert Index(db, "aux.song_ann").search([1, 2]).ids.tolist() == ["a"]
    assert Index(db, "song_ann").search([1, 2]).ids.tolist() == [7]


def test_a_key_that_was_written_before_its_vector_is_new(db):
    songs = Index.create(db, "song_ann", 2, key="uuid")
    db.execute("INSERT INTO song_ann_key VALUES (70, 'a'), (71, 'b')")
    songs.add(["b", "c"], [[1, 2], [3, 4]])
    assert ("a" in songs, songs.search([1, 2], k=1).ids.tolist()) == (False, ["b"])
    with pytest.raises(sqlite_ann.Duplicate, match="expected new keys, got 'b', which is there"):
        songs.add(["a", "b"], [[1, 2], [3, 4]])


def test_an_index_over_a_table_has_ids_whatever_stands_beside_it(db):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding); INSERT INTO song VALUES (7, '[1, 2]')")
    db.execute("CREATE TABLE song_ann_key(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE)")
    assert Index.create(db, "song_ann", 2, content="song").search([1, 2]).ids.tolist() == [7]


def test_an_index_that_cannot_have_its_keys_is_not_made(db):
    db.execute("CREATE TABLE song_ann_key(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE)")
    with pytest.raises(ValueError, match="key: song_ann_key has no column uuid; it has id, path"):
        Index.create(db, "song_ann", 2, key="uuid")
    assert sqlite_ann.indexes(db) == []


def test_the_keys_are_read_without_us(db, songs):
    sql = "SELECT uuid, distance FROM ann_search('song_ann', '[0, 0]', 2) AS near JOIN song_ann_key ON song_ann_key.id = near.id"
    assert db.execute(sql + " ORDER BY rank").fetchall() == [("one", 1.0), ("two", 2.0)]


def test_another_column_of_keys_is_refused(db, songs):
    with pytest.raises(ValueError, match="key: song_ann_key has no column path; it has id, uuid"):
        Index(db, "song_ann", key="path")
    assert Index(db, "song_ann", key="UUID").search([0, 0], k=1)[0].tolist() == ["one"]


def test_among_and_without_keys_and_many_queries(songs):
    assert songs.search([0, 0], keys=["two", "three", "never"])[0].tolist() == ["two", "three"]
    assert songs.search([0, 0], exclude="one", k=1)[0].tolist() == ["two"]
    assert songs.search([0, 0], keys=[])[0].tolist() == []
    found, distances = songs.search([[0, 0], [9, 0]], k=5)
    assert found[0].tolist() == [*ROWS, None]
    assert found[1, 0] == list(ROWS)[-1]
    assert distances[0, 4] == np.inf


def test_keys_are_recommended(songs):
    assert songs.recommend("one", 2, heard=["two", "never"])[0].tolist() == ["three", list(ROWS)[3]]
    found = songs.recommend({"one": 1, "two": 2}, dislike="three", per=({list(ROWS)[3]: "a"}, 1))[0].tolist()
    assert found == [list(ROWS)[3]]


def test_keys_that_are_there_are_refused_replaced_or_left(db, songs):
    before = content(db)
    with pytest.raises(sqlite_ann.Error, match="song_ann: expected new keys, got 'two', which is there") as caught:
        songs.add(["new", "two"], [[7, 7], [8, 8]])
    assert caught.value.code == apsw.SQLITE_CONSTRAINT_UNIQUE
    assert content(db) == before
    songs.add(["new", "two"], [[7, 7], [8, 8]], existing="skip")
    assert (songs.get("new").tolist(), songs.get("two").tolist()) == ([7, 7], [2, 0])
    songs.add(["two"], [[8, 8]], existing="replace")
    assert songs.get("two").tolist() == [8, 8]
    assert len(songs) == 5


def test_what_is_refused_leaves_nothing_behind(db, songs):
    before = content(db)
    for given, vectors, error in (
        (["a", "a"], [[1, 1], [2, 2]], "keys: expected each once, got 'a' twice"),
        (["a", 7], [[1, 1], [2, 2]], "keys: expected text without zero characters, got 7"),
        (["a\0"], [[1, 1]], "keys: expected text without zero characters"),
        (["a", "b"], [[1, 1]], "expected as many ids as vectors, got 2 ids and 1 vectors"),
        (["a", "b"], [[1, 1], [1, np.inf]], "expected finite components"),
    ):
        with pytest.raises((ValueError, TypeError, sqlite_ann.Error), match=error):
            songs.add(given, vectors)
        assert content(db) == before
    with pytest.raises(KeyError, match="never"):
        songs.get(["one", "never"])
    for key in (7, ""):
        with pytest.raises(TypeError, match="key: expected the name of a column"):
            Index(db, "song_ann", key=key)


def test_of_a_key_given_twice_the_last_vector_stays_or_the_first_as_of_an_id(db, songs):
    plain = Index.create(db, "plain", 2)
    for index, one, new in ((songs, "one", "a"), (plain, 1, 2)):
        index.upsert([new, one, new, one], [[1, 1], [2, 2], [3, 3], [4, 4]])
        assert index.get([new, one]).tolist() == [[3, 3], [4, 4]]
        index.update([one, one], [[5, 5], [6, 6]])
        assert index.get(one).tolist() == [6, 6]
        newer = new * 3
        index.add([newer, newer], [[7, 7], [8, 8]], existing="skip")
        assert index.get(newer).tolist() == [7, 7]
        with pytest.raises(sqlite_ann.Duplicate, match="twice"):
            index.add([new * 5, new * 5], [[1, 1], [2, 2]])
    named, vectors = content(db)
    assert named.keys() == vectors.keys()


def test_an_index_that_was_renamed_asks_for_its_keys(db, songs):
    db.execute("ALTER TABLE song_ann RENAME TO tune_ann")
    with pytest.raises(
        ValueError, match="key: expected the keys of tune_ann in the table tune_ann_key, which is not there;"
    ):
        Index(db, "tune_ann", key="uuid")
    db.execute("ALTER TABLE song_ann_key RENAME TO tune_ann_key")
    assert Index(db, "tune_ann", key="uuid").search([0, 0], k=1).ids.tolist() == ["one"]


def test_a_rollback_takes_back_keys_and_vectors(db, songs):
    before = content(db)
    with pytest.raises(ZeroDivisionError), db:
        songs.add("a", [1, 1])
        songs.remove("one")
        raise ZeroDivisionError
    assert content(db) == before


def test_a_table_without_keys_yet_is_empty_and_goes_with_its_keys(db):
    songs = Index.create(db, "song_ann", 2, key="uuid")
    assert songs.search([1, 1])[0].tolist() == []
    assert (songs.remove("a"), "a" in songs) == (0, False)
    songs.add("a", [1, 1])
    songs.drop()
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


def test_keys_stand_for_ids_wherever_an_index_takes_them(db, songs):
    assert songs.search_item("two", k=2).to_list() == [("one", 1.0), ("three", 1.0)]
    assert songs.search_item(["one", "three"], k=1, exclude_self=False).ids.tolist() == [["one"], ["three"]]
    songs.upsert(["two", "five"], [[20, 0], [5, 0]])
    songs.update("one", [10, 0])
    assert (songs["two"].tolist(), songs["one"].tolist()) == ([20, 0], [10, 0])
    assert sorted(songs) == sorted([*ROWS, "five"])
    del songs["five"]
    assert "five" not in songs
    for change in (lambda: songs.update(["one", "six"], [[0, 0], [0, 0]]), lambda: songs.__delitem__(["one", "six"])):
        with pytest.raises(KeyError, match="six"):
            change()
    assert songs["one"].tolist() == [10, 0]
    with pytest.raises(KeyError, match="six"):
        songs.search_item("six")
    left, right, _ = songs.graph(k=1)
    assert dict(zip(left, right, strict=True))["three"] == 'it\'s "four" é'
    assert songs.join(songs, k=1)[1].tolist() == left.tolist()
    with pytest.raises(sqlite_ann.Duplicate, match="'one', which is there"):
        songs.add("one", [0, 0])


def test_a_keyed_index_of_a_file_goes_to_another_process(tmp_path):
    songs = Index.create(tmp_path / "songs.db", "song_ann", 2, metric="l2", key="uuid")
    songs.add(list(ROWS), list(ROWS.values()))
    assert pickle.loads(pickle.dumps(songs)).search([2, 0], k=1).ids.tolist() == ["two"]


def test_pairs_of_a_generator_are_read_piece_by_piece(db, songs, monkeypatch):
    monkeypatch.setattr("sqlite_ann.rows.parts.__defaults__", (2, rows.parts.__defaults__[1]))
    songs.add((f"more {i}", [10 + i, 0]) for i in range(5))
    songs.upsert([("more 1", [50, 0]), (["six", "seven"], [[6, 0], [7, 0]]), ("one", [60, 0])])
    given = {"more 0": 10, "more 1": 50, "more 4": 14, "six": 6, "seven": 7, "one": 60}
    assert songs.get(list(given)).tolist() == [[x, 0] for x in given.values()]
    assert len(songs) == 11
    before = content(db)

    def failing():
        yield from ((f"new {i}", [i, 0]) for i in range(5))
        raise ZeroDivisionError

    for pairs, refused in (
        (failing(), ZeroDivisionError),
        ([("new", [1, 1]), ("newer", [1, 1]), ("two", [1, 1])], sqlite_ann.Duplicate),
        ([("new", [1, 1]), ("newer", [1, 1]), ("new", [1, 1])], sqlite_ann.Duplicate),
        ([("new", [1, 1]), (7, [1, 1])], TypeError),
    ):
        with pytest.raises(refused):
            songs.add(pairs)
        assert content(db) == before


def test_bad_vectors_are_left_out_with_their_keys(db, songs):
    nan = "expected finite components, got nan"
    given = {"five": [5, 0], "six": [np.nan, 0], "one": [np.nan, 0], "two": [20, 0]}
    assert songs.add(list(given), list(given.values()), existing="replace", on_bad="skip") == {"six": nan, "one": nan}
    assert (songs["one"].tolist(), songs["two"].tolist(), "six" in songs) == ([1, 0], [20, 0], False)
    pairs = (pair for pair in (("seven", [7, 0]), ("eight", [8])))
    assert songs.add(pairs, on_bad="skip") == {"eight": "expected 2 components, got 1"}
    assert songs.add("nine", [9, 0], on_bad="skip") == {}
    named, vectors = content(db)
    assert named.keys() == vectors.keys()
    assert set(named.values()) == {*ROWS, "five", "seven", "nine"}
    with pytest.raises(ValueError, match="on_bad: expected one of refuse, skip, got 'drop'"):
        songs.add("ten", [1, 1], on_bad="drop")


def test_ids_in_the_place_of_keys_are_refused_by_name(songs):
    for method, given in (
        ("search", {"query": [0, 0], "ids": [1]}),
        ("search_item", {"ids_of": 1}),
        ("add", {"ids": 1, "vectors": [0, 0]}),
        ("upsert", {"ids": 1, "vectors": [0, 0]}),
        ("update", {"ids": 1, "vectors": [0, 0]}),
        ("get", {"ids": 1}),
        ("remove", {"ids": 1}),
    ):
        name = "ids_of" if "ids_of" in given else "ids"
        wanted = rf"^{method}: expected {name.replace('id', 'key')}=, since the index has keys \(uuid\), got {name}=$"
        with pytest.raises(TypeError, match=wanted):
            getattr(songs, method)(**given)
    songs.upsert(keys="two", vectors=[20, 0])
    assert songs.get(keys="two").tolist() == [20, 0]
