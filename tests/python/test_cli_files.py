"""What `sqlite-ann load` makes of text and Parquet, what it says of bad rows, and what it leaves behind when it fails."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann.cli import main, rows


@pytest.fixture
def load(tmp_path, monkeypatch, capsys):
    """Run `sqlite-ann load songs.db song_ann …` and give the exit code and the last sentence."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, index="song_ann"):
        code = main(["load", "songs.db", index, *arguments])
        out, err = capsys.readouterr()
        return code, (err if code else out).splitlines()[-1].split(" in 0")[0]

    return run


def stored():
    with sqlite_ann.connect("file:songs.db?mode=ro") as db:
        index = Index(db, "song_ann")
        ids = [id_ for (id_,) in db.execute("SELECT rowid FROM song_ann ORDER BY rowid")]
        return dict(zip(ids, index.get(ids).tolist(), strict=True))


def given(monkeypatch, content: bytes):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_examples(run_examples):
    run_examples(rows)


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments", "wanted"),
    [
        ("0.5,1\n2,3\n", (), {0: [0.5, 1], 1: [2, 3]}),
        ("x,y\n0.5,1\n\n2,3\n", (), {0: [0.5, 1], 1: [2, 3]}),
        ("\ufeffx,id,y\r\n0.5,7,1\r\n2,9,3\r\n", (), {7: [0.5, 1], 9: [2, 3]}),
        ('id,title,embedding\n7,"a, b","[0.5, 1]"\n', (), {7: [0.5, 1]}),
        ('nr,id,tune\n-7,1,"[0.5, 1]"\n', ("--id", "nr", "--column", "tune"), {-7: [0.5, 1]}),
    ],
)
def test_csv_of_numbers_or_of_json(load, text, arguments, wanted):
    Path("a.csv").write_text(text, encoding="utf-8")
    assert load("a.csv", *arguments)[0] == 0
    assert stored() == wanted


@pytest.mark.parametrize(
    ("text", "arguments", "wanted"),
    [
        ("[0.5, 1]\n\n[2, 3]\n", (), {0: [0.5, 1], 1: [2, 3]}),
        ('{"id": 7, "embedding": [1, 2], "title": "x"}\n', (), {7: [1, 2]}),
        ('{"nr": "7", "tune": [1, 2]}\n', ("--id", "nr", "--column", "tune"), {7: [1, 2]}),
    ],
)
def test_lines_of_json(load, text, arguments, wanted):
    Path("a.jsonl").write_text(text)
    assert load("a.jsonl", *arguments)[0] == 0
    assert stored() == wanted


BAD = [
    ("a.csv", "x,y\n1,2\n3\n", "a.csv, line 3: expected 2 fields, got 1"),
    ("a.csv", "x,y\n1,2\n3,reel\n", "a.csv, line 3: expected a number in column y, got 'reel'"),
    ("a.csv", "x,y\n1,2\nreel,3\n", "a.csv, line 3: expected a number in column x, got 'reel'"),
    ("a.csv", "x,y\n1,2\n3,nan\n", "a.csv, line 3: expected finite components, got nan at component 1"),
    ("a.csv", "x,y\n1,2\n3,1e39\n", "a.csv, line 3: expected finite components, got inf at component 1"),
    ("a.csv", "id,x\n1,2\none,2\n", "a.csv, line 3: expected a whole number of 64 bits for its id, got 'one'"),
    ("a.jsonl", "[1, 2]\n[1, 2\n", "a.jsonl, line 2: expected JSON, got '[1, 2'"),
    ("a.jsonl", "[1, 2]\n{}\n", "a.jsonl, line 2: expected an object with embedding, or an array, got '{}'"),
    ("a.jsonl", '[1, 2]\n["a", 2]\n', "a.jsonl, line 2: expected an array of numbers, got ['a', 2]"),
    ("a.jsonl", "[1, 2]\n[1, 2]\n[1]\n", "a.jsonl, line 3: expected 2 components as in most rows, got 1"),
    ("a.jsonl", "[1]\n[1, 2]\n[1, 3]\n", "a.jsonl, line 1: expected 2 components as in most rows, got 1"),
]


@pytest.mark.parametrize(("name", "text", "said"), BAD)
def test_a_bad_row_is_refused_by_its_line_and_leaves_no_database(load, name, text, said):
    Path(name).write_text(text)
    assert load(name) == (1, f"sqlite-ann: {said}")
    assert not Path("songs.db").exists()


@pytest.mark.parametrize(("name", "text", "said"), BAD)
def test_skip_leaves_a_bad_row_out_and_tells_it(load, name, text, said, capsys):
    Path(name).write_text(text)
    n_good = len(text.splitlines()) - (name == "a.csv") - 1
    assert main(["load", "songs.db", "song_ann", name, "--skip", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert {key: told[key] for key in ("added", "bad", "rows")} == {"added": n_good, "bad": 1, "rows": n_good}
    assert f"sqlite-ann: left out {said}" in err
    if "line 1" in said:
        assert list(stored()) == [1, 2], "counted ids tell the places of rows"


def test_many_bad_rows_are_told_ten_times(load, capsys):
    Path("a.csv").write_text("1\n" + "nan\n" * 40)
    assert main(["load", "songs.db", "song_ann", "a.csv", "--skip"]) == 0
    out, err = capsys.readouterr()
    assert err.count("left out") == rows.MANY + 1
    assert "1 vectors added, 40 bad left out" in out


@pytest.mark.parametrize(
    ("name", "text", "arguments", "said"),
    [
        ("a.csv", "", (), "a.csv: expected vectors, got none"),
        ("a.csv", "x,y\n", (), "a.csv: expected vectors, got none"),
        ("a.csv", "x,y\n1,2\n", ("--column", "tune"), "a.csv has no column tune; it has x, y"),
        ("a.csv", "1,2\n", ("--id", "nr"), "a.csv has no column nr; its first line has numbers and no names"),
        ("a.jsonl", '[1]\n{"id": 3, "embedding": [1]}\n', (),
         "a.jsonl: expected an id in every row or in none, got 1 in 2 rows"),
        ("a.parquet", "PAR1", (), "a.parquet: expected a Parquet file, got something else"),
        ("a.tsv", "1\t2", (), "a.tsv: expected an array of numbers as numpy.save or numpy.savez writes it, "
         "got something else"),
        ("a.csv", "id,x\n1,2\n", ("--ids", "ids.npy"), "a.csv has ids of its own: --ids is for .npy and .npz files"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_loaded_is_told(load, name, text, arguments, said):
    np.save("ids.npy", [1])
    Path(name).write_text(text)
    assert load(name, *arguments) == (1, f"sqlite-ann: {said}")
    assert not Path("songs.db").exists()


def test_text_that_is_no_utf8_is_told(load):
    Path("a.csv").write_bytes(b"\xff\xfe1\n")
    code, said = load("a.csv")
    assert (code, said.startswith("sqlite-ann: a.csv: expected text in UTF-8")) == (1, True)


def test_counted_ids_go_on_from_file_to_file_and_do_not_mix_with_others(load):
    Path("a.csv").write_text("1\n2\n")
    Path("b.jsonl").write_text("[3]\n")
    Path("c.csv").write_text("id,x\n9,4\n")
    assert load("a.csv", "b.jsonl")[0] == 0
    assert stored() == {0: [1], 1: [2], 2: [3]}
    assert load("a.csv", "c.csv") == (1, "sqlite-ann: a.csv has no ids, and c.csv has")


def test_standard_input_is_what_format_says(load, monkeypatch):
    given(monkeypatch, b"1,2\n3,4\n")
    assert load("-", "--format", "csv")[0] == 0
    array = io.BytesIO()
    np.save(array, np.array([[5, 6]], np.float32))
    given(monkeypatch, array.getvalue())
    assert load("-", "--format", "npy", "--replace")[0] == 0
    assert stored() == {0: [5, 6], 1: [3, 4]}
    assert load("-") == (1, "sqlite-ann: standard input: --format says what it holds")


def test_whole_numbers_of_text_fit_tables_of_whole_types(load):
    with sqlite_ann.connect("songs.db") as db:
        Index.create(db, "song_ann", 2, type="int8")
    Path("a.csv").write_text("1,-2\n")
    assert load("a.csv")[0] == 0
    assert stored() == {0: [1, -2]}
    Path("a.csv").write_text("1.5,-2\n")
    code, said = load("a.csv", "--replace")
    assert (code, said.startswith("sqlite-ann: a.csv: vectors: expected whole numbers")) == (1, True)


# --- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        [[0.5, 1], [2, 3]],
        pyarrow.array([[0.5, 1], [2, 3]], pyarrow.list_(pyarrow.float32(), 2)),
        ["[0.5, 1]", "[2, 3]"],
        [np.array([0.5, 1], "<f4").tobytes(), np.array([2, 3], "<f4").tobytes()],
    ],
)
def test_parquet_of_lists_text_and_blobs(load, cells):
    pyarrow.parquet.write_table(pyarrow.table({"title": ["a", "b"], "id": [7, 9], "embedding": cells}), "a.parquet")
    assert load("a.parquet")[0] == 0
    assert stored() == {7: [0.5, 1], 9: [2, 3]}


def test_parquet_with_a_row_of_nothing_or_without_the_column(load):
    pyarrow.parquet.write_table(pyarrow.table({"tune": [[1.0, 2.0], None]}), "a.parquet")
    assert load("a.parquet") == (1, "sqlite-ann: a.parquet has no column embedding; it has tune")
    said = "sqlite-ann: a.parquet, row 1: expected an array of numbers, got nothing"
    assert load("a.parquet", "--column", "tune") == (1, said)
    assert load("a.parquet", "--column", "tune", "--skip") == (0, "song_ann: 1 vectors added, 1 bad left out")


def test_without_pyarrow_parquet_is_told_how_to_be_read(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    Path("a.parquet").touch()
    said = "sqlite-ann: reading Parquet needs the package pyarrow: pip install 'sqlite_ann[arrow]'"
    assert load("a.parquet") == (1, said)


# --- arrays and tables ---------------------------------------------------------------------------


def test_an_npz_gives_its_ids_too(load):
    np.savez("a.npz", tune=np.ones((2, 2)), nr=[5, 6])
    assert load("a.npz", "--column", "tune", "--id", "nr")[0] == 0
    assert list(stored()) == [5, 6]


def test_skip_leaves_bad_rows_of_an_array_out(load):
    np.save("a.npy", np.array([[1, 2], [np.nan, 2], [3, 4]]))
    np.save("ids.npy", [5, 6, 7])
    assert load("a.npy", "--ids", "ids.npy", "--skip") == (0, "song_ann: 2 vectors added, 1 bad left out")
    assert stored() == {5: [1, 2], 7: [3, 4]}


def test_files_of_other_dimensions_are_named(load):
    np.save("a.npy", np.ones((2, 2)))
    np.save("b.npy", np.ones((2, 3)))
    assert load("a.npy", "b.npy") == (1, "sqlite-ann: b.npy: vectors: expected 2 components, got 3 (shape (2, 3))")
    assert not Path("songs.db").exists()


def test_skip_leaves_bad_rows_of_a_table_out(load, capsys):
    with sqlite_ann.connect("songs.db") as db:
        db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding)")
        values = ["a reel", "[1, 2]", "[1]", b"12345678901", "[3, 4]", "[null, 1]"]
        db.executemany("INSERT INTO song(embedding) VALUES (?)", [(value,) for value in values])
    assert load("--table", "song")[0] == 1
    assert main(["load", "songs.db", "song_ann", "--table", "song", "--skip"]) == 0
    out, err = capsys.readouterr()
    assert "2 vectors added, 4 bad left out" in out
    assert "left out song, id 3: ann table song_ann, column embedding: expected 2 numbers, got 1" in err
    assert stored() == {2: [1, 2], 5: [3, 4]}


@pytest.mark.parametrize("arguments", [(), ("--skip",)])
def test_a_table_is_loaded_with_a_bar(tmp_path, monkeypatch, capfd, arguments):
    monkeypatch.chdir(tmp_path)
    with sqlite_ann.connect("songs.db") as db:
        db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding)")
        with db:
            db.executemany("INSERT INTO song(embedding) VALUES (?)", [("[1, 2]",)] * 700)
            db.execute("INSERT INTO song(embedding) VALUES (iif(?, 'a reel', '[1, 2]'))", (bool(arguments),))
    assert main(["load", "songs.db", "song_ann", "--table", "song", *arguments]) == 0
    err = capfd.readouterr().err
    assert "adding to song_ann" in err
    assert "701/701" in err
    assert "optimizing" not in err  # of so few rows there is nothing to be done


# --- names and files that are there --------------------------------------------------------------


@pytest.mark.parametrize("index", ["nope.v", "other.db", "folder/v", ""])
def test_no_table_of_an_odd_name_is_made_by_accident(load, index):
    np.save("a.npy", np.ones((2, 2)))
    said = f"sqlite-ann: INDEX: expected the name of a table, without dot or slash, got {index!r}"
    assert load("a.npy", index=index) == (1, said)
    assert not Path("songs.db").exists()


def test_an_empty_file_of_the_users_own_stays_when_a_load_fails(load):
    Path("songs.db").touch()
    Path("a.csv").write_text("nan\n")
    assert load("a.csv")[0] == 1
    assert Path("songs.db").exists()


def test_a_locked_and_a_read_only_file_are_named(load, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[sqlite_ann.connect.__module__], "BUSY_MILLISECONDS", 20)
    np.save("a.npy", np.ones((2, 2)))
    other = sqlite_ann.connect("songs.db")
    other.execute("CREATE TABLE t(x); BEGIN IMMEDIATE")
    assert load("a.npy") == (1, "sqlite-ann: songs.db: database is locked")
    other.close()
    said = "sqlite-ann: file:songs.db?mode=ro: attempt to write a readonly database\n"
    assert main(["load", "file:songs.db?mode=ro", "song_ann", "a.npy"]) == 1
    assert capsys.readouterr().err.endswith(said)


def test_what_stops_the_forest_leaves_the_vectors(load, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Index, "optimize", stop)
    np.save("a.npy", np.ones((2, 2)))
    assert load("a.npy") == (1, "sqlite-ann: stopped; what was not finished is undone")
    assert list(stored()) == [0, 1]


def test_no_source_opens_a_database(load):
    assert load() == (1, "sqlite-ann: load: expected either FILE or --table after DB and INDEX, got neither")
    assert load("--table", "song", "--format", "csv") == (1, "sqlite-ann: --format is for files, not for --table")
    assert not Path("songs.db").exists()


def test_columns_that_an_index_does_not_hold_are_named_once_a_file(load, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text('id,title,embedding,artist\n7,"a","[0.5, 1]",x\n8,"b","[1, 1]",y\n')
    Path("b.jsonl").write_text(
        '{"id": 9, "embedding": [1, 2], "title": "x"}\n{"id": 10, "embedding": [1, 2], "year": 7}\n'
    )
    pyarrow.parquet.write_table(pyarrow.table({"kind": ["a"], "id": [11], "embedding": [[1.0, 2.0]]}), "c.parquet")
    Path("d.csv").write_text("id,x,y\n12,1,2\n")
    assert main(["load", "songs.db", "song_ann", "a.csv", "b.jsonl", "c.parquet", "d.csv"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    how = "to have them beside the vectors, import it into a table and load that by --table"
    assert told == [
        f"sqlite-ann: left out the columns {names}: {how}"
        for names in ("title, artist of a.csv", "title of b.jsonl", "kind of c.parquet")
    ]
