"""What the commands answer, for people and for programs, and what they say when they cannot."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann.cli import answer, main, measure, picture

N, DIM = 2000, 8


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A database with an ordinary table and its index, another of three rows, and an empty one."""
    path = tmp_path_factory.mktemp("made") / "songs.db"
    rng = np.random.default_rng(7)
    with sqlite_ann.connect(path) as db:
        db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title, sound); CREATE TABLE other(title)")
        db.executemany("INSERT INTO song VALUES (?, ?, ?)", [(i, f"song\n{i}", b"abc") for i in range(0, N, 2)])
        rows = rng.standard_normal((N, DIM))
        for name, n in (("song_ann", N), ("few", 3), ("empty", 0)):
            Index.create(db, name, DIM).add(np.arange(n), rows[:n])
        Index.create(db, "equal", DIM).add(np.arange(N), np.ones((N, DIM)))
        db.execute("CREATE VIRTUAL TABLE text USING fts5(title)")
        for name in ("song_ann", "equal"):
            Index(db, name).optimize()
    return path


@pytest.fixture
def run(made, tmp_path, monkeypatch, capsys):
    """Run one command on a copy of the database; the exit code, what it prints, and the last thing that it says."""
    monkeypatch.chdir(tmp_path)
    Path("songs.db").write_bytes(made.read_bytes())

    def run(command, *arguments):
        code = main([command, "songs.db", *arguments])
        out, err = capsys.readouterr()
        return code, out, (err.splitlines() or [""])[-1]

    return run


def test_examples(run_examples):
    run_examples(answer)


# --- forms ---------------------------------------------------------------------------------------


def test_search_in_three_forms_says_the_same(run):
    plain, as_json, as_csv = (run("search", "song_ann", "--id", "4", "-k", "3", *form)[1] for form in
                              ((), ("--json",), ("--csv",)))  # fmt: skip
    objects, lines = json.loads(as_json), list(csv.DictReader(as_csv.splitlines()))
    assert list(objects[0]) == ["id", "distance"]
    assert [(int(line["id"]), float(line["distance"])) for line in lines] == [(o["id"], o["distance"]) for o in objects]
    head, rule, *rows = plain.splitlines()
    assert head.split() == ["id", "distance"]
    assert set(rule) == {"-", " "}
    assert [row.split() for row in rows] == [[str(o["id"]), f"{o['distance']:.6g}"] for o in objects]


def test_show_puts_columns_of_an_ordinary_table_beside(run):
    arguments = ("search", "song_ann", "--id", "4", "-k", "20", "--show", "TITLE", "sound", "id", "--table", "song")
    for row in json.loads(run(*arguments, "--json")[1]):
        there = row["id"] % 2 == 0
        assert row["TITLE"] == (f"song\n{row['id']}" if there else None)
        assert row["sound"] == ("616263" if there else None)
        assert row["song.id"] == (row["id"] if there else None)
    lines = run(*arguments)[1].splitlines()
    assert len(lines) == 22
    assert any("song\\n" in line and "3 bytes" in line for line in lines)


def test_a_terminal_gets_the_same_by_rich(run, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown = run("search", "song_ann", "--id", "4", "-k", "3")[1]
    monkeypatch.setitem(sys.modules, "rich", None)
    plain = run("search", "song_ann", "--id", "4", "-k", "3")[1]
    assert "─" in shown
    assert "─" not in plain
    assert [line.split() for line in shown.splitlines() if line.split()[:1] and line.split()[0].isdigit()] == [
        line.split() for line in plain.splitlines()[2:]
    ]


def test_list_shows_the_indexes_and_nothing_else(run):
    code, out, _ = run("list", "--json")
    assert code == 0
    assert [(row["index"], row["rows"]) for row in json.loads(out)] == [
        ("empty", 0), ("equal", N), ("few", 3), ("song_ann", N)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ['"odd ""name"""', "[my songs]", "`x`", "'y'", "z"])
def test_list_finds_an_index_of_any_name(run, name):
    with sqlite_ann.connect("songs.db") as db:
        db.execute(f"CREATE VIRTUAL TABLE {name}USING ann(v float32[2])" if name != "z" else
                   "CREATE VIRTUAL TABLE IF NOT EXISTS main.z\nUSING\tANN (v float32[2])")  # fmt: skip
    assert len(json.loads(run("list", "--json")[1])) == 5


def test_info_is_one_object_and_explain_has_steps(run):
    assert json.loads(run("info", "few", "--json")[1])["rows"] == 3
    steps = json.loads(run("explain", "song_ann", "--id", "4", "--json")[1])
    assert {"step": "found", "count": 10, "bytes": None, "microseconds": None} in steps


def test_recall_and_bench_have_a_row_for_each_recall_asked_for(run):
    rows = json.loads(run("recall", "song_ann", "--recall", "0.5", "0.9", "--json")[1])
    assert [row["asked"] for row in rows] == [0.5, 0.9]
    assert all(row["low"] <= row["recall"] <= row["high"] and row["sample"] == 100 for row in rows)
    points = json.loads(run("bench", "song_ann", "--sample", "30", "--json")[1])
    assert [point["asked"] for point in points] == [0.8, 0.9, 0.95, 0.98, 0.99, 1]
    assert all(point["microseconds"] > 0 for point in points)


def test_bench_searches_for_rows_spread_over_the_ids(run):
    with sqlite_ann.connect("songs.db") as db:
        index = Index(db, "song_ann")
        np.testing.assert_array_equal(measure.rows_of(index, 5), index.get([0, 499, 999, 1499, 1999]))
        np.testing.assert_array_equal(measure.rows_of(Index(db, "few"), 5), index.get([0, 1, 2]))


def test_rebuild_and_drop(run):
    code, out, _ = run("rebuild", "song_ann")
    assert (code, out.split(" in ")[0]) == (0, "song_ann: 2,000 rows, their forest made anew")
    assert run("drop", "song_ann")[:2] == (0, "song_ann is gone; VACUUM makes the file smaller\n")
    assert run("search", "song_ann", "--id", "1")[0] == 1


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("index", ["song_ann", "equal"])
@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_picture_of_each_kind(run, index, suffix, begins):
    code, out, _ = run("plot", index, "-o", f"curve.{suffix}", "--sample", "20")
    assert (code, out) == (0, f"curve.{suffix}: the curve of {index}, 2,000 rows\n")
    assert Path(f"curve.{suffix}").read_bytes().startswith(begins)


def test_a_picture_shows_its_points_and_is_the_same_each_time(tmp_path):
    points = [measure.Point(0.9, 0.92, 0.88, 0.95, 40), measure.Point(1, 1, 1, 1, 1234)]
    for name in ("a.svg", "b.svg"):
        picture.draw(points, "songs", tmp_path / name)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    assert "exact: 1,234 µs" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plot", "empty", "-o", "x.svg"), "empty: expected two rows or more to measure with, got 0"),
        (("bench", "empty"), "empty: expected two rows or more to measure with, got 0"),
        (("recall", "empty"), "empty: expected two rows or more to measure with, got 0"),
        (("plot", "few", "-o", "x.svg"),
         "few: 3 rows are too few for a forest and are all compared, so that there is no curve to draw"),
        (("plot", "song_ann", "--recall", "1", "-o", "x.svg"),
         "--recall: expected one below 1 at least, since exact search alone makes no curve"),
        (("plot", "song_ann", "--sample", "5", "-o", "no/x.svg"), "there is no folder no"),
        (("bench", "song_ann", "--sample", "0", "--recall", "1"), "--sample: expected a number from 1, got 0"),
        (("search", "song_ann", "--id", "1", "--show", "nosuch", "--table", "song"),
         "song has no column nosuch; it has id, title, sound"),
        (("search", "song_ann", "--id", "1", "--show", "title", "--table", "nosuch"), "there is no table nosuch"),
        (("search", "song_ann", "--id", "1", "--show", "title", "--table", "other"),
         "other has no INTEGER PRIMARY KEY, by which its rows would be found"),
        (("search", "song_ann", "--id", "1", "--show", "title"),
         "--show and --table go together: columns, and the table that has them"),
        (("search", "song_ann", "--query", "0.1, 0.7"),
         "--query: expected a JSON array of numbers, as in '[0.1, 0.7]', got '0.1, 0.7'"),
        (("explain", "song_ann", "--id", "-1"), "id -1 is not in song_ann"),
        (("drop", "song"), "song is a table, but not one of vectors"),
        (("drop", "text"), "text is a table, but not one of vectors"),
        (("rebuild", "nosuch"), "there is no table nosuch"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(run, arguments, said):
    assert run(*arguments) == (1, "", f"sqlite-ann: {said}")
    assert sorted(path.name for path in Path().iterdir()) == ["songs.db"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plot", "song_ann"), "the following arguments are required: -o"),
        (
            ("plot", "song_ann", "-o", "x.gif"),
            "argument -o: expected a file that ends in .svg, .png, .pdf, got 'x.gif'",
        ),
        (("recall", "song_ann", "--recall", "nan"), "argument --recall: expected a number, got 'nan'"),
        (("list", "--json", "--csv"), "argument --csv: not allowed with argument --json"),
    ],
)
def test_misuse_is_told_and_exits_with_two(run, capsys, arguments, said):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)


def test_without_matplotlib_plot_says_how_to_get_it(run, monkeypatch):
    monkeypatch.delitem(sys.modules, "sqlite_ann.cli.picture")
    monkeypatch.delattr("sqlite_ann.cli.picture")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = "sqlite-ann: plot needs the package matplotlib: pip install 'sqlite_ann[plot]'"
    assert run("plot", "song_ann", "-o", "x.svg") == (1, "", said)


def test_a_table_of_a_newer_format_is_told_and_hides_no_other(run):
    with sqlite_ann.connect("songs.db") as db:
        db.execute("UPDATE few_config SET value = 99 WHERE name = 'format'")
    code, out, said = run("search", "few", "--id", "1")
    assert (code, out) == (1, "")
    assert said == "sqlite-ann: ann table few: expected format 2, got 99; a newer sqlite_ann wrote it"
    code, out, said = run("list", "--json")
    assert code == 1
    assert said == "sqlite-ann: ann table few: expected format 2, got 99; a newer sqlite_ann wrote it"
    assert [(row["index"], row["rows"]) for row in json.loads(out)] == [
        ("empty", 0), ("equal", N), ("few", None), ("song_ann", N)
    ]  # fmt: skip
    assert run("rebuild", "few")[::2] == (1, said)
    assert run("drop", "few")[0] == 0


def test_a_database_without_an_index_says_so(run):
    Path("songs.db").write_bytes(b"")
    assert run("list") == (0, "songs.db has no index\n", "")
    assert run("list", "--json") == (0, "[]\n", "")


def test_an_index_with_keys_is_asked_and_answers_by_keys(run):
    with sqlite_ann.connect("songs.db") as db:
        Index.create(db, "tune", 2, metric="l2", key="uuid").add(["a", "b", "c"], [[1, 0], [2, 0], [4, 0]])
        db.execute(
            "CREATE TABLE title(id INTEGER PRIMARY KEY, title); INSERT INTO title VALUES (1, 'Ash'), (2, 'Broom')"
        )
    found = json.loads(
        run("search", "tune", "--id", "c", "-k", "2", "--show", "title", "--table", "title", "--json")[1]
    )
    assert [list(row.values()) for row in found] == [["b", 2.0, "Broom"], ["a", 3.0, "Ash"]]
    assert list(found[0]) == ["uuid", "distance", "title"]
    assert run("explain", "tune", "--id", "a")[0] == 0
    assert run("search", "tune", "--id", "7")[2] == "sqlite-ann: id 7 is not in tune"
    assert run("search", "song_ann", "--id", "a")[2] == "sqlite-ann: --id: expected a whole number, got 'a'"
    Path("more.csv").write_text("9,2\n3,4\n")
    refused = "sqlite-ann: tune: expected an index of numbered rows, got one with keys (uuid): add by Python"
    assert run("load", "tune", "more.csv")[2] == refused
    assert run("drop", "tune")[0] == 0
    with sqlite_ann.connect("songs.db") as db:
        assert not db.table_exists(None, "tune_key")
