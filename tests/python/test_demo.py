"""The demo, over a stand-in for the songs that it fetches."""

from __future__ import annotations

import contextlib
import json
import re
import shlex

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann.cli import main
from sqlite_ann.demo import run, songs
from sqlite_ann.demo.corpus import Song

NAMED = {
    0: ("The Irish Washerwoman", "O'Neill's Music of Ireland"),
    1: ("Haste to the Wedding", "Ryan's Mammoth Collection"),
    2: ("Cherish the Ladies", "O'Neill's Music of Ireland"),
    3: ("Money Musk", "Aird's Selection of Airs"),
    4: ("Humors of Whiskey", "Ryan's Mammoth Collection"),
    5: ("[Farewell] to Whiskey", "O'Neill's Music of Ireland"),
}
BOOKS = ["O'Neill's Music of Ireland", "Ryan's Mammoth Collection", "Aird's Selection of Airs"]
examples = pytest.mark.parametrize("file", run.example_files(), ids=lambda file: file.name)


@pytest.fixture(scope="module")
def collection() -> songs.Collection:
    """1,500 made-up songs near forty points, some with the names that are asked for."""
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((40, 64))[np.arange(1500) % 40] + 0.2 * rng.standard_normal((1500, 64))
    made = [
        Song(
            *NAMED.get(i, (f"Tune {i}", BOOKS[i % 3])),
            "Ireland",
            "jig",
            "G major",
            "6/8",
            [60] * 9,
            [1.0] * 9,
            f"X:{i}\nK:G\nG",
        )
        for i in range(1500)
    ]
    return songs.Collection(made, vectors.astype(np.float32), [])


@pytest.fixture
def shown(collection, tmp_path, monkeypatch, capsys) -> list[str]:
    """The lines that the demo prints, in a folder where it has made songs.db."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(songs, "load", lambda progress: collection)
    assert main(["demo"]) == 0
    return capsys.readouterr().out.splitlines()


def test_it_is_read_at_a_glance(shown):
    assert len(shown) <= 60
    assert max(map(len, shown)) <= 130
    assert any("[Farewell] to Whiskey" in line for line in shown)


def test_the_search_that_it_ends_with_works_as_it_is_printed(shown, capsys):
    command = next(line for line in shown if re.match(r"\$ .*\bsearch ", line))
    words = shlex.split(command.removeprefix("$ "))
    assert main(words[words.index("search") :]) == 0
    assert re.search(r"Tune \d+ +.*(O'Neill|Ryan|Aird)", capsys.readouterr().out)


def test_the_notes_of_a_song_are_kept_as_written_and_as_numbers(shown):
    with contextlib.closing(sqlite_ann.connect("songs.db")) as db:
        abc, melody = db.execute("SELECT abc, melody FROM song WHERE id = 8").get
    assert abc == "X:7\nK:G\nG"
    assert json.loads(melody) == [[60, 1]] * 9


@examples
def test_the_python_of_an_example_finds_the_rows_of_its_sql(file, shown):
    example = run.Example.read(file)
    assert example.question.endswith("?")
    assert apsw.complete(example.sql)
    with contextlib.closing(sqlite_ann.connect("songs.db")) as db:
        rows = db.execute(example.sql).fetchall()
        names = {"db": db, "index": sqlite_ann.Index(db, "song_ann")}
        *before, last = example.python.splitlines()
        exec("\n".join(before), names)
        found = eval(last, names)
        if isinstance(found, tuple):  # ids and distances
            titles = [db.execute("SELECT title FROM song WHERE id = ?", [id_]).get for id_ in found[0].tolist()]
            assert [row[1] for row in rows] == titles
        else:
            assert rows == [(round(100 * found.recall, 1), found.sample)]
    assert rows


def test_a_database_that_the_demo_did_not_make_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(apsw.Connection("songs.db")) as db:
        db.execute("CREATE TABLE mine(x)")
    assert main(["demo"]) == 1
    assert "stays as it is" in capsys.readouterr().err
