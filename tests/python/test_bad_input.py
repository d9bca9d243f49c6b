"""What a user may give by mistake: each is one sentence in the user's words, and nothing is written."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import aclosing

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import AsyncIndex, Error, Index, connect_async
from sqlite_ann.cli import main


@pytest.fixture
def index(db):
    made = Index.create(db, "v", dim=3, metric="l2")
    made.add([1, 2], [[1, 2, 3], [4, 5, 6]])
    return made


def one_sentence(error) -> str:
    said = str(error.value)
    assert "\n" not in said
    return said


# --- rows ----------------------------------------------------------------------------------------

BAD_ROWS = [
    ([[1, 2, 3], None], "vectors[1] (id 8): expected 3 components, got None"),
    ([[1, 2, 3], "one"], "vectors[1] (id 8): expected 3 components, got text"),
    ([[1, 2, 3], b"one"], "vectors[1] (id 8): expected 3 components, got bytes"),
    ([[1, 2, 3], []], "vectors[1] (id 8): expected 3 components, got 0"),
    ([[1, 2, 3], [1, 2]], "vectors[1] (id 8): expected 3 components, got 2"),
    ([[1, 2, 3], [1, 2, None]], "vectors[1] (id 8): expected numbers, got None at component 2"),
    ([None, None], "vectors[0] (id 7): expected numbers, got None"),
    (["one", "two"], "vectors: expected numbers, got text"),
    ([[1, 2, 3], [1, np.nan, 3]], "vectors[1] (id 8): expected finite components, got NaN at component 1"),
    ([[1, 2, 3], [1, 2, -np.inf]], "vectors[1] (id 8): expected finite components, got -infinity at component 2"),
    ([[1, 2], [3, 4]], "vectors: expected 3 components, got 2 (shape (2, 2))"),
    ([[1, 2, 3]], "expected as many ids as vectors, got 2 ids and 1 vectors"),
]


@pytest.mark.parametrize(("vectors", "said"), BAD_ROWS)
def test_a_bad_row_is_named_and_none_is_added(index, vectors, said):
    with pytest.raises((ValueError, TypeError, Error)) as error:
        index.add([7, 8], vectors)
    assert one_sentence(error) == said
    assert list(index) == [1, 2]


def test_a_bad_row_is_named_by_its_place_in_all_that_was_given(index, monkeypatch):
    monkeypatch.setattr("sqlite_ann.vectors.BATCH_BYTES", 24)  # two rows a statement, in the default argument too
    monkeypatch.setattr(sqlite_ann.vectors.batches, "__defaults__", (24,))
    rows = np.ones((9, 3))
    rows[6, 0] = np.inf
    with pytest.raises(Error) as error:
        index.add(np.arange(10, 19), rows)
    assert one_sentence(error) == "vectors[6] (id 16): expected finite components, got infinity at component 0"
    assert list(index) == [1, 2]


@pytest.mark.parametrize("n_before", [0, 5, 20000])
def test_a_generator_that_raises_half_way_leaves_nothing(index, n_before):
    def rows():
        for i in range(n_before):
            yield 10 + i, [i, 0, 0]
        raise OSError("the disk of the reader is gone")

    with pytest.raises(OSError, match=r"^the disk of the reader is gone$"):
        index.add(rows())
    assert list(index) == [1, 2]
    assert not index.db.in_transaction


# --- arguments -----------------------------------------------------------------------------------

ARGUMENTS = [
    (lambda index: index.search(None), "query: expected numbers, got None"),
    (lambda index: index.search("[1, 2, 3]"), "query: expected numbers, got text"),
    (lambda index: index.search([1, 2, None]), "query: expected numbers, got None at component 2"),
    (lambda index: index.search([1, 2]), "query: expected 3 components, got 2 (shape (2,))"),
    (lambda index: index.get(None), "ids: expected 64-bit whole numbers, got None"),
    (lambda index: index[1:2], "ids: expected 64-bit whole numbers, got slice"),
    (lambda index: index.get("1"), "ids: expected 64-bit whole numbers, got text"),
    (lambda index: index.join(None), "other: expected an index of the same connection, got None"),
    (
        lambda index: index.recommend(1, per=3),
        "per: expected a pair, (groups, rows of each), got 3",
    ),
    (lambda index: Index.create(index.db, "w", dim=None), "dim: expected a whole number, got None"),
    (
        lambda index: Index.create(index.db, "distance", dim=2),
        'ann table distance: expected another table name than "distance", which names a hidden column',
    ),
]


@pytest.mark.parametrize(("call", "said"), ARGUMENTS)
def test_an_argument_is_called_by_its_name(index, call, said):
    with pytest.raises((ValueError, TypeError, Error)) as error:
        call(index)
    assert one_sentence(error) == said


def test_keys_that_are_no_text(db):
    index = Index.create(db, "v", dim=1, key="uuid")
    for keys, got in ((None, "None"), (7, "int")):
        with pytest.raises(TypeError, match=rf"^keys: expected text, or several of it, got {got}$"):
            index.get(keys)


# --- connections ---------------------------------------------------------------------------------


def test_a_closed_connection_is_an_error_of_ours_whatever_is_asked_of_it():
    db = sqlite_ann.connect(":memory:")
    db.close()
    for ask in (sqlite_ann.load, sqlite_ann.indexes, lambda db: Index(db, "v")):
        with pytest.raises(Error, match=r"^The connection has been closed$"):
            ask(db)


def test_a_closed_async_connection_too_and_no_async_index_is_sent_to_other_processes():
    async def ask():
        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=1)
            with pytest.raises(pickle.PicklingError, match=r"^expected an Index to be pickled, got AsyncIndex"):
                pickle.dumps(index)
        for opening in (AsyncIndex.open(db, "v"), AsyncIndex.create(db, "v", dim=1)):
            with pytest.raises(Error, match=r"^The connection has been closed$"):
                await opening

    asyncio.run(ask())


# --- the command line ----------------------------------------------------------------------------

COMMANDS = [
    (["load", "songs.db", "new", "none.csv"], "none.csv: No such file or directory"),
    (["load", "songs.db", "new", "."], ".: Is a directory"),
    (["load", "songs.db", "new", "latin.csv"], "latin.csv: expected text in UTF-8, got a byte 0xff"),
    (["load", "songs.db", "new", "ragged.csv"], "ragged.csv, line 3: expected 3 fields, got 2"),
    (["load", "songs.db", "new", "nan.csv"], "nan.csv, line 2: expected finite components, got nan at component 1"),
    (["load", "songs.db", "new", "--table", "song", "--column", "title"], "song.title: expected vectors, got none"),
    (["load", "none.ann", "new.db", "--annoy", "dot"], "none.ann: No such file or directory"),
    (["search", "songs.db", "v", "--query", "[1, 2, null]"], "query: expected numbers, got None at component 2"),
    (
        ["search", "songs.db", "v", "--id", "1", "--show", "writer", "--table", "song"],
        "song has no column writer; it has id, title",
    ),
    (["plot", "songs.db", "empty", "-o", "a.svg"], "empty: expected two rows or more to measure with, got 0"),
]


@pytest.mark.parametrize(("arguments", "said"), COMMANDS)
def test_the_command_line_says_it_in_one_sentence_and_leaves_no_file(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    with sqlite_ann.connect("songs.db") as db:
        Index.create(db, "v", dim=3).add([1], [[1, 2, 3]])
        Index.create(db, "empty", dim=3)
        db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title); INSERT INTO song VALUES (1, 'Reel')")
    (tmp_path / "latin.csv").write_bytes(b"id,a,b\n1,2,\xff\n")
    (tmp_path / "ragged.csv").write_text("id,a,b\n1,2,3\n4,5\n")
    (tmp_path / "nan.csv").write_text("id,a,b\n1,2,nan\n")
    before = sorted(tmp_path.iterdir())
    code = main(arguments)
    assert (code, capsys.readouterr().err) == (1, f"sqlite-ann: {said}\n")
    assert sorted(tmp_path.iterdir()) == before
    assert sqlite_ann.indexes(str(tmp_path / "songs.db")) == ["empty", "v"]


def test_equal_rows_are_drawn_as_any_others(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with sqlite_ann.connect("songs.db") as db:
        Index.create(db, "same", dim=3).add(np.arange(2000), np.ones((2000, 3)))
    assert main(["plot", "songs.db", "same", "-o", "same.svg", "--sample", "10"]) == 0
    assert "same.svg: the curve of same, 2,000 rows" in capsys.readouterr().out
