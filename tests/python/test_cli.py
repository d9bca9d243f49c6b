"""The command line, run in this process; once as a command of its own."""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann.cli import main

DIM = 4


@pytest.fixture
def vectors(rng):
    return rng.standard_normal((30, DIM)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "songs.db")


@pytest.fixture
def loaded(path, vectors, tmp_path):
    """A database with 30 vectors in song_ann, ids 0 to 29."""
    np.save(tmp_path / "vectors.npy", vectors)
    assert main(["load", path, "song_ann", str(tmp_path / "vectors.npy"), "--metric", "l2"]) == 0
    return path


@pytest.mark.slow
def test_the_command_is_installed():
    shown = subprocess.run(
        [sys.executable, "-m", "sqlite_ann", "--version"], capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.strip() == sqlite_ann.__version__


def test_path_is_one_that_sqlite_loads(capsys):
    assert main(["path"]) == 0
    with contextlib.closing(apsw.Connection(":memory:")) as db:
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1)
        db.load_extension(capsys.readouterr().out.strip())
        assert db.execute("SELECT ann_version()").get == sqlite_ann.__version__


def test_load_numbers_vectors_from_zero(path, vectors, tmp_path, capsys):
    np.save(tmp_path / "vectors.npy", vectors)
    assert main(["load", path, "song_ann", str(tmp_path / "vectors.npy"), "--metric", "l2"]) == 0
    assert "30 vectors added" in capsys.readouterr().out
    index = Index(sqlite_ann.connect(path), "song_ann")
    assert index.metric == "l2"
    np.testing.assert_array_equal(index.get(np.arange(30)), vectors)


def test_load_several_files_with_ids(path, vectors, tmp_path):
    np.save(tmp_path / "a.npy", vectors[:10].astype(np.float64))
    np.save(tmp_path / "b.npy", vectors[10:])
    np.save(tmp_path / "ids.npy", np.arange(100, 130))
    files = [str(tmp_path / name) for name in ("a.npy", "b.npy")]
    assert main(["load", path, "song_ann", *files, "--ids", str(tmp_path / "ids.npy")]) == 0
    index = Index(sqlite_ann.connect(path), "song_ann")
    assert index.metric == "cosine"
    np.testing.assert_array_equal(index.get(np.arange(100, 130)), vectors)


def test_load_adds_to_an_index_that_is_there(loaded, vectors, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(50, 80))
    arguments = ["load", loaded, "song_ann", str(tmp_path / "vectors.npy"), "--ids", str(tmp_path / "ids.npy")]
    assert main(arguments) == 0
    assert len(Index(sqlite_ann.connect(loaded), "song_ann")) == 60


def test_load_is_all_or_nothing(path, vectors, tmp_path, capsys):
    np.save(tmp_path / "a.npy", vectors)
    np.save(tmp_path / "b.npy", np.full((1, DIM), np.nan))
    assert main(["load", path, "song_ann", str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]) == 1
    assert "b.npy: vectors[0] (id 30): expected finite components" in capsys.readouterr().err
    assert sqlite_ann.connect(path).execute("SELECT count(*) FROM sqlite_schema").get == 0


@pytest.mark.parametrize("as_text", [False, True])
def test_load_from_a_table_of_blobs_or_json(path, vectors, as_text):
    db = sqlite_ann.connect(path)
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding)")
    for i, vector in enumerate(vectors.tolist()):
        value = json.dumps(vector) if as_text else np.asarray(vector, np.float32).tobytes()
        db.execute("INSERT INTO song VALUES (?, ?)", (i + 7, value))
    db.execute("INSERT INTO song VALUES (1, NULL)")
    db.close()
    assert main(["load", path, "song_ann", "--table", "song"]) == 0
    index = Index(sqlite_ann.connect(path), "song_ann")
    assert len(index) == 30
    np.testing.assert_array_equal(index.get(np.arange(7, 37)), vectors)


def test_load_from_named_columns(path):
    db = sqlite_ann.connect(path)
    db.execute('CREATE TABLE "my songs"(nr, "the vector"); INSERT INTO "my songs" VALUES (5, \'[1, 0]\')')
    db.close()
    arguments = ["load", path, "song_ann", "--table", "my songs", "--column", "the vector", "--id", "nr"]
    assert main(arguments) == 0
    assert 5 in Index(sqlite_ann.connect(path), "song_ann")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["song_ann"], "load: expected either FILE or --table after DB and INDEX, got neither"),
        (["song_ann", "gone.npy"], "gone.npy"),
    ],
)
def test_load_says_what_is_wrong(path, capsys, arguments, said):
    assert main(["load", path, *arguments]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("sqlite-ann: ")


def test_metric_of_an_index_that_is_there_is_refused(loaded, tmp_path, capsys):
    assert main(["load", loaded, "song_ann", str(tmp_path / "vectors.npy"), "--metric", "dot"]) == 1
    assert "there already" in capsys.readouterr().err


def test_search_near_a_vector(loaded, vectors, capsys):
    assert main(["search", loaded, "song_ann", "--query", json.dumps(vectors[3].tolist()), "-k", "2"]) == 0
    head, line, first, second = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert (head, line) == (["id", "distance"], ["--", "-" * len("distance")])
    assert first == ["3", "0"]
    assert float(second[1]) > 0


def test_search_near_a_row_leaves_it_out(loaded, vectors, capsys):
    assert main(["search", loaded, "song_ann", "--id", "3", "-k", "5", "--recall", "1", "--csv"]) == 0
    ids = [int(row["id"]) for row in csv.DictReader(capsys.readouterr().out.splitlines())]
    distances = np.linalg.norm(vectors.astype(np.float64) - vectors[3], axis=1)
    assert ids == np.argsort(distances)[1:6].tolist()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--id", "99"], "id 99 is not in song_ann"),
        (["--query", "[1, 2]"], "expected 4 components, got 2"),
        (["--query", "{}"], "JSON array"),
        (["--query", "[1"], "expected a JSON array of numbers, as in '[0.1, 0.7]', got '[1'"),
        (["--query", "[]"], "expected a JSON array of numbers, as in '[0.1, 0.7]', got '[]'"),
        (
            ["--query", "[[1, 2], [3, 4]]"],
            "expected a JSON array of numbers, as in '[0.1, 0.7]', got '[[1, 2], [3, 4]]'",
        ),
        (["--query", "[1, 2, 3, NaN]"], "got NaN at component 3"),
        (["--id", "1", "-k", "0"], "k"),
    ],
)
def test_search_says_what_is_wrong(loaded, capsys, arguments, said):
    assert main(["search", loaded, "song_ann", *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-k", "nan"], "argument -k: expected a whole number, got 'nan'"),
        (["-k", "2.5"], "argument -k: expected a whole number, got '2.5'"),
        (["--recall", "nan"], "argument --recall: expected a number, got 'nan'"),
        (["--recall", "high"], "argument --recall: expected a number, got 'high'"),
    ],
)
def test_an_option_that_is_no_number_is_misuse_in_a_sentence(loaded, capsys, arguments, said):
    with pytest.raises(SystemExit) as caught:
        main(["search", loaded, "song_ann", "--id", "3", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)


def test_info_prints_keys_and_values(loaded, capsys):
    assert main(["info", loaded, "song_ann"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = {line.split()[0]: line.split()[1:] for line in lines}
    assert shown["rows"] == ["30"]
    assert shown["metric"] == ["l2"]
    assert shown["content"] == []


def test_check_of_a_sound_and_of_a_damaged_index(loaded, capsys):
    assert main(["check", loaded, "song_ann"]) == 0
    assert "song_ann is sound" in capsys.readouterr().out
    db = sqlite_ann.connect(loaded)
    db.execute("DELETE FROM song_ann_vectors WHERE rowid = 3")
    db.close()
    assert main(["check", loaded, "song_ann"]) == 1
    assert capsys.readouterr().out != ""


def test_optimize_says_when_there_is_nothing_to_do(loaded, rng, capsys):
    assert main(["optimize", loaded, "song_ann"]) == 0
    shown = capsys.readouterr().out.splitlines()[-1]
    assert shown == "song_ann: nothing to do, 30 rows are too few for a forest and are all compared"
    index = Index(sqlite_ann.connect(loaded), "song_ann")
    index.add(np.arange(100, 2100), rng.standard_normal((2000, DIM)))
    index.add(np.arange(3000, 3200), rng.standard_normal((200, DIM)))
    for said in ("song_ann: 2,230 rows in the forest\n", "song_ann: nothing to do, 2,230 rows in the forest\n"):
        assert main(["optimize", loaded, "song_ann"]) == 0
        assert capsys.readouterr().out == said


def test_a_database_that_is_not_there_is_not_made(tmp_path, capsys):
    path = tmp_path / "gone.db"
    assert main(["info", str(path), "song_ann"]) == 1
    assert capsys.readouterr().err == f"sqlite-ann: unable to open {path}: there is no such file\n"
    assert not path.exists()


def test_a_database_may_be_a_uri(loaded, capsys):
    assert main(["search", f"file:{loaded}?mode=ro", "song_ann", "--id", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 10
    assert main(["load", f"file:{loaded}?mode=ro", "song_ann", "--table", "song_ann", "--id", "rowid"]) == 1
    assert main(["info", "file:gone.db", "song_ann"]) == 1
    assert "unable to open file:gone.db: there is no such file" in capsys.readouterr().err


def test_misuse_exits_with_two(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2
