"""sqlite-utils: the plugin is found, its databases have the extension, and two commands make and search an index."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sqlite_utils")
pytest.importorskip("pysqlite3")

from click.testing import CliRunner
from sqlite_utils import Database
from sqlite_utils.cli import cli
from sqlite_utils.plugins import pm

import sqlite_ann
from sqlite_ann import sqlite_utils as plugin
from tests.guests import plugins


@pytest.fixture(scope="module")
def hosted():
    """sqlite-utils with our plugin, in this process."""
    pm.register(plugin)
    plugin.register_commands(cli=cli)
    yield cli
    pm.unregister(plugin)
    for name in ("ann-create", "ann-search"):
        del cli.commands[name]


@pytest.fixture
def songs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    db = Database("songs.db", execute_plugins=False)
    songs = [{"id": i, "title": f"tune {i}", "v": np.array([i, 1], "<f4").tobytes()} for i in range(1, 31)]
    db["song"].insert_all(songs, pk="id")
    db["word"].insert_all([{"id": 1, "json": None}, {"id": 2, "json": "[1, 2, 3]"}], pk="id")
    db["empty"].create({"id": int, "v": bytes}, pk="id")
    db["no_key"].insert({"v": b"\0" * 8})
    db.close()


@pytest.fixture
def utils(hosted, songs):
    """utils(words…): runs sqlite-utils beside songs.db; what it printed, or its complaint."""

    def run(*words, fails=False):
        done = CliRunner().invoke(hosted, words)
        assert (done.exit_code != 0) == fails, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.stderr if fails else done.stdout

    return run


def test_an_installed_plugin_is_found_and_every_database_has_the_extension(songs, tmp_path):
    found = json.loads(plugins.run(tmp_path, "sqlite_utils", "plugins").stdout)
    assert [(p["name"], sorted(p["hooks"])) for p in found] == [
        ("sqlite_ann", ["prepare_connection", "register_commands"])
    ]
    version = plugins.run(tmp_path, "sqlite_utils", "songs.db", "SELECT ann_version() AS version").stdout
    assert json.loads(version) == [{"version": sqlite_ann.__version__}]
    assert "ann-search" in plugins.run(tmp_path, "sqlite_utils", "--help").stdout


def test_an_index_is_made_searched_and_follows_the_table(utils):
    assert utils("ann-create", "songs.db", "song", "v", "--metric", "l2") == "song_ann: 30 rows\n"
    near = json.loads(utils("ann-search", "songs.db", "song_ann", "--id", "7", "-k", "2", "-c", "title"))
    assert near == [
        {"rank": 1, "id": 6, "distance": 1.0, "title": "tune 6"},
        {"rank": 2, "id": 8, "distance": 1.0, "title": "tune 8"},
    ]
    utils("songs.db", "DELETE FROM song WHERE id = 8")
    shown = utils("ann-search", "songs.db", "song_ann", "--query", "[8, 1]", "-k", "1", "--recall", "1", "--csv")
    assert shown.splitlines() == ["rank,id,distance", "1,7,1.0"]
    shown = utils("ann-search", "songs.db", "song_ann", "--query", "[8, 1]", "-k", "1", "-t", "-c", "title", "-c", "id")
    assert shown.splitlines()[-1].split() == ["1", "7", "1", "tune", "7", "7"]


def test_vectors_of_json_an_empty_table_and_names_with_blanks(utils):
    assert utils("ann-create", "songs.db", "word", "json") == "word_ann: 1 rows\n"
    assert utils("ann-create", "songs.db", "empty", "v", "--dim", "2", "--name", "my index") == "my index: 0 rows\n"
    assert json.loads(utils("ann-search", "songs.db", "my index", "--query", "[1, 2]")) == []
    assert "already exists" in utils(
        "ann-create", "songs.db", "empty", "v", "--dim", "2", "--name", "my index", fails=True
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ann-create songs.db none v", "songs.db has no table none"),
        ("ann-create songs.db song w", "song has no column w; it has id, title, v"),
        ("ann-create songs.db empty v", "empty has no vector in v: --dim says how many numbers one has"),
        ("ann-create songs.db song title", "song has no vector in title: --dim says how many numbers one has"),
        ("ann-create songs.db ';DROP-- v", "songs.db has no table ';DROP--"),
        ("ann-create none.txt song v", "file is not a database"),
        ("ann-search none.txt song_ann --id 1", "file is not a database"),
        ("ann-search songs.db ';DROP-- --id 1", "there is no table ';DROP--"),
        ("ann-create songs.db no_key v", "INTEGER PRIMARY KEY"),
        ("ann-create songs.db song v --name far --metric far", "metric"),
        ("ann-create none.db song v", "'none.db' does not exist"),
        ("ann-search songs.db none --query [1,2]", "none"),
        ("ann-search songs.db song_ann", "expected one of --id and --query"),
        ("ann-search songs.db song_ann --id 1 --query [1,2]", "expected one of --id and --query"),
        ("ann-search songs.db song_ann --query [1]", "expected 2 numbers, got 1"),
        ("ann-search songs.db song_ann --id 1 -c w", "song has no column w; it has id, title, v"),
        ("ann-search songs.db alone --query [1,2] -c w", "alone is over no table"),
    ],
)
def test_what_is_wrong_is_one_sentence(utils, words, message):
    utils("ann-create", "songs.db", "song", "v")
    utils("songs.db", "CREATE VIRTUAL TABLE alone USING ann(v float32[2])")
    Path("none.txt").write_text("a text that is no database " * 100)
    complaint = utils(*words.split(), fails=True)
    assert message in complaint.splitlines()[-1]


@pytest.mark.skipif(hasattr(sqlite3.Connection, "load_extension"), reason="Python's own sqlite3 can load extensions")
def test_without_a_driver_that_loads_all_but_our_commands_work(songs, tmp_path):
    (tmp_path / "bare.py").write_text(
        "import runpy, sys\nsys.modules['pysqlite3'] = None\nrunpy.run_module('sqlite_utils', run_name='__main__')\n"
    )
    counted = plugins.run(tmp_path, "bare", "songs.db", "SELECT count(*) AS n FROM song")
    assert (json.loads(counted.stdout), counted.stderr) == ([{"n": 30}], "")
    refused = plugins.run(tmp_path, "bare", "ann-create", "songs.db", "song", "v")
    assert refused.returncode == 1
    assert "was built without loading of extensions: expected pysqlite3" in refused.stderr.splitlines()[-1]


def test_a_connection_that_cannot_load_is_left_alone():
    plugin.prepare_connection(conn=object())


def test_the_plugin_imports_neither_numpy_nor_apsw(tmp_path):
    (tmp_path / "looks.py").write_text(
        "import sys, sqlite_utils\nbefore = {*sys.modules}\nimport sqlite_ann.sqlite_utils\n"
        "print({'numpy', 'apsw', 'click'} & ({*sys.modules} - before))\n"
    )
    assert plugins.run(tmp_path, "looks").stdout == "set()\n"
