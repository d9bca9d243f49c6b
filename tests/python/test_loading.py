"""`sqlite-ann load`: where vectors and ids come from, what is refused, and ids that are there already."""

from __future__ import annotations

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann.cli import main

ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with rows.npy, 6 x 2."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", ROWS)
    return tmp_path


@pytest.fixture
def load(here, capsys):
    """Run `sqlite-ann load songs.db song_ann …` and give the exit code and what is said."""

    def run(*arguments):
        code = main(["load", "songs.db", "song_ann", *arguments])
        out, err = capsys.readouterr()
        return code, (err if code else out).splitlines()[-1]

    return run


def stored():
    index = Index(sqlite_ann.connect("file:songs.db?mode=ro"), "song_ann")
    ids = [id_ for (id_,) in index.db.execute("SELECT rowid FROM song_ann ORDER BY rowid")]
    return dict(zip(ids, index.get(ids).tolist(), strict=True))


def in_table(sql):
    db = sqlite_ann.connect("songs.db")
    db.execute(sql)
    db.close()


# --- files ---------------------------------------------------------------------------------------


def test_an_npz_of_one_array_is_taken_whatever_it_is_called(load):
    np.savez_compressed("one.npz", ROWS)
    assert load("one.npz")[0] == 0
    assert stored() == dict(enumerate(ROWS.tolist()))


def test_of_several_arrays_the_column_and_the_id_are_named(load):
    np.savez("songs.npz", ids=np.arange(10, 16), melody=ROWS, words=-ROWS)
    said = "sqlite-ann: songs.npz holds the arrays ids, melody, words: --column says which is meant"
    assert load("songs.npz") == (1, said)
    said = "sqlite-ann: songs.npz holds the arrays ids, melody, words, and none that is called tune"
    assert load("songs.npz", "--column", "tune") == (1, said)
    assert load("songs.npz", "--column", "melody", "--ids", "songs.npz", "--id", "ids")[0] == 0
    assert stored() == dict(zip(range(10, 16), ROWS.tolist(), strict=True))


@pytest.mark.parametrize("name", ["text.npy", "empty.npy", "broken.npz", "objects.npy", "objects.npz"])
def test_a_file_of_something_else_is_named_and_no_database_made(load, here, name):
    (here / "text.npy").write_text("1,2\n3,4\n")
    (here / "empty.npy").touch()
    (here / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    np.save("objects.npy", np.array([{}, {}]))
    np.savez("objects.npz", np.array([{}, {}]))
    wanted = "expected an array of numbers as numpy.save or numpy.savez writes it, got something else"
    assert load(name) == (1, f"sqlite-ann: {name}: {wanted}")
    assert not (here / "songs.db").exists()


def test_a_missing_file_makes_no_database(load, here):
    assert load("gone.npy")[0] == 1
    assert load("--table", "song") == (1, "sqlite-ann: unable to open songs.db: there is no such file")
    assert not (here / "songs.db").exists()


# --- ids that are there already ------------------------------------------------------------------


@pytest.fixture
def again(load):
    """Ids 0 to 3 are there; what a load adds has ids 2 to 7."""
    np.save("four.npy", -ROWS[:4])
    np.save("ids.npy", np.arange(2, 8))
    assert load("four.npy", "--metric", "l2")[0] == 0
    in_table("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding)")
    db = sqlite_ann.connect("songs.db")
    db.executemany("INSERT INTO song VALUES (?, ?)", zip(range(2, 8), ROWS, strict=True))
    return load


@pytest.mark.parametrize("source", [("rows.npy", "--ids", "ids.npy"), ("--table", "song")])
def test_ids_that_are_there_are_refused_replaced_or_skipped(again, source):
    old = dict(enumerate((-ROWS[:4]).tolist()))
    new = dict(zip(range(2, 8), ROWS.tolist(), strict=True))
    code, said = again(*source)
    assert code == 1
    assert "2 is there already" in said
    assert said.endswith("; --replace puts new vectors in the place of old ones, --skip leaves the old")
    assert stored() == old
    code, said = again(*source, "--skip")
    assert (code, said.split(" in ")[0]) == (0, "song_ann: 4 vectors added, 2 left as they were")
    assert stored() == {**new, **old}
    code, said = again(*source, "--replace")
    assert (code, said.split(" in ")[0]) == (0, "song_ann: 0 vectors added, 6 replaced")
    assert stored() == {**old, **new}
    assert main(["check", "songs.db", "song_ann"]) == 0


def test_what_fails_on_the_way_leaves_nothing(again):
    before = stored()
    np.save("bad.npy", np.array([[1, 2], [np.nan, 2]]))
    assert again("rows.npy", "bad.npy", "--replace")[0] == 1
    assert stored() == before


def test_replace_and_skip_exclude_each_other(load):
    with pytest.raises(SystemExit):
        load("rows.npy", "--replace", "--skip")


# --- a table of the same database ----------------------------------------------------------------


def test_a_missing_column_is_told_with_those_there_are(load):
    in_table("CREATE TABLE song(id INTEGER PRIMARY KEY, title, melody AS (title)); INSERT INTO song VALUES (1, '[1]')")
    said = "sqlite-ann: song has no column embedding; it has id, title, melody"
    assert load("--table", "song") == (1, said)
    said = "sqlite-ann: song has no column nr; it has id, title, melody"
    assert load("--table", "song", "--column", "title", "--id", "nr") == (1, said)
    assert load("--table", "gone") == (1, "sqlite-ann: there is no table gone")
    assert load("--table", "song", "--column", "MELODY", "--id", "ID")[0] == 0


@pytest.mark.parametrize(
    ("columns", "arguments"),
    [
        ("id INTEGER PRIMARY KEY, embedding", ()),
        ("id integer, embedding, PRIMARY KEY(id DESC)", ("--id", "_rowid_")),
        ("rowid INTEGER, embedding", ()),
        ("nr TEXT, embedding", ("--id", "nr")),
    ],
)
def test_ids_that_last_are_taken(load, columns, arguments):
    in_table(f"CREATE TABLE song({columns}); INSERT INTO song VALUES (5, '[1, 0]'), (7, '[0, 1]')")
    assert load("--table", "song", *arguments)[0] == 0
    assert stored() == {5: [1, 0], 7: [0, 1]}


@pytest.mark.parametrize(
    "columns",
    [
        "name, embedding",
        "id INT PRIMARY KEY, embedding",
        "id INTEGER PRIMARY KEY DESC, embedding",
        "a INTEGER, embedding, PRIMARY KEY(a, embedding)",
    ],
)
@pytest.mark.parametrize("name", [None, "rowid", "OID"])
def test_a_rowid_that_vacuum_may_change_is_refused_with_the_cure(load, columns, name):
    in_table(f"CREATE TABLE song({columns}); INSERT INTO song VALUES (5, '[1, 0]')")
    code, said = load("--table", "song", *(("--id", name) if name else ()))
    assert code == 1
    assert said.startswith("sqlite-ann: song has no INTEGER PRIMARY KEY, so VACUUM may give its rows other ids")
    assert said.endswith("declare one, or name another column of lasting ids with --id")


@pytest.mark.parametrize(
    "made", ["TABLE song(a PRIMARY KEY, embedding) WITHOUT ROWID", "VIEW song AS SELECT 1 AS a, '[1, 0]' AS embedding"]
)
def test_what_has_no_rowid_needs_an_id(load, made):
    in_table(f"CREATE {made}")
    said = "sqlite-ann: song has no rowid: --id says which of its columns holds the ids"
    assert load("--table", "song") == (1, said)


def test_another_index_is_a_table_whose_rowids_last(load):
    assert load("rows.npy")[0] == 0
    assert main(["load", "songs.db", "copy", "--table", "song_ann"]) == 0
    assert len(Index(sqlite_ann.connect("songs.db"), "copy")) == 6


@pytest.mark.parametrize(("value", "said"), [("'a'", "'a'"), ("NULL", "NULL"), ("1.5", "1.5"), ("x'01'", "X'01'")])
def test_ids_that_are_no_whole_numbers_are_refused(load, value, said):
    in_table(f"CREATE TABLE song(nr, embedding); INSERT INTO song VALUES (1, '[1, 0]'), ({value}, '[0, 1]')")
    said = f"sqlite-ann: song.nr: expected whole numbers for ids, got {said}"
    assert load("--table", "song", "--id", "nr") == (1, said)
    assert sqlite_ann.connect("songs.db").table_exists(None, "song_ann") is False
