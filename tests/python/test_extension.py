"""Finding and loading the compiled extension."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

import sqlite_ann
from sqlite_ann import extension

LOAD_SWITCH = apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION


def test_examples(run_examples):
    run_examples(extension)
    run_examples(sqlite_ann)


def test_the_package_and_the_library_tell_one_version(db):
    assert db.execute("SELECT ann_version()").get == sqlite_ann.__version__


def test_loadable_path_has_no_suffix_and_the_file_is_there():
    path = sqlite_ann.loadable_path()
    assert Path(path + extension.SUFFIX).is_file()
    assert not path.endswith(extension.SUFFIX)


@pytest.mark.parametrize("suffix", ["", extension.SUFFIX])
def test_environment_names_another_build_with_or_without_suffix(monkeypatch, suffix):
    path = sqlite_ann.loadable_path()
    monkeypatch.setenv("SQLITE_ANN_EXTENSION", path + suffix)
    assert sqlite_ann.loadable_path() == path


def test_missing_build_is_named_in_the_error(monkeypatch, tmp_path):
    monkeypatch.setenv("SQLITE_ANN_EXTENSION", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match=r"gone.*SQLITE_ANN_EXTENSION"):
        sqlite_ann.loadable_path()


def test_load_leaves_the_permission_to_load_as_it_was():
    for allowed in (0, 1):
        db = apsw.Connection(":memory:")
        db.config(LOAD_SWITCH, allowed)
        sqlite_ann.load(db)
        assert db.config(LOAD_SWITCH, -1) == allowed


def test_load_twice_is_harmless(db):
    sqlite_ann.load(db)
    assert db.execute("SELECT ann_version()").get == sqlite_ann.__version__


def test_load_into_a_db_api_connection():
    dbapi2 = pytest.importorskip("pysqlite3.dbapi2")
    db = dbapi2.connect(":memory:")
    sqlite_ann.load(db)
    assert db.execute("SELECT ann_version()").fetchone() == (sqlite_ann.__version__,)
    with pytest.raises(dbapi2.OperationalError, match="not authorized"):
        db.load_extension(sqlite_ann.loadable_path())
    db.close()


def test_driver_that_cannot_load_extensions_is_told_what_to_do():
    db = sqlite3.connect(":memory:")
    if hasattr(db, "enable_load_extension"):
        pytest.skip("this Python's sqlite3 can load extensions")
    with pytest.raises(sqlite_ann.Error, match=r"sqlite_ann\.connect"):
        sqlite_ann.load(db)
    db.close()


def test_load_into_something_else_is_a_type_error():
    with pytest.raises(TypeError, match="got str"):
        sqlite_ann.load("songs.db")


def test_connect_hands_its_options_to_apsw(tmp_path):
    path = tmp_path / "songs.db"
    sqlite_ann.connect(path).execute("CREATE TABLE song(id INTEGER PRIMARY KEY)")
    db = sqlite_ann.connect(path, flags=apsw.SQLITE_OPEN_READONLY)
    with pytest.raises(apsw.ReadOnlyError):
        db.execute("INSERT INTO song DEFAULT VALUES")


def test_connect_to_a_path_that_cannot_be_is_an_error(tmp_path):
    with pytest.raises(sqlite_ann.Error, match="unable to open"):
        sqlite_ann.connect(tmp_path / "no folder" / "songs.db")


@pytest.mark.slow
def test_the_command_line_shell_loads_it(tmp_path):
    script = f".load {sqlite_ann.loadable_path()}\nSELECT 'version ' || ann_version();\n"
    shell = [sys.executable, "-m", "apsw", ":memory:"]
    done = subprocess.run(shell, input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert f"version {sqlite_ann.__version__}" in done.stdout, done.stderr
