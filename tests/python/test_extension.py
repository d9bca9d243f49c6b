"""Finding and loading the compiled extension."""

from __future__ import annotations

import os
import shutil
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


def installed(folder):
    """A folder as pip leaves it: the package, the library, and what importlib.metadata reads."""
    package, about = folder / "sqlite_ann", folder / "sqlite_ann-0.1.0.dist-info"
    shutil.copytree(Path(extension.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(sqlite_ann.loadable_path() + extension.SUFFIX, package)
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sqlite_ann\nVersion: {sqlite_ann.__version__}\n")
    return folder


def run_python(code, folder, *path):
    """Run Python in a folder that it looks into first, as `python -c` does; -S keeps an editable install out."""
    path = os.pathsep.join(map(str, (*path, Path(apsw.__file__).parents[1])))
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("SQLITE_ANN_EXTENSION", None)
    command = [sys.executable, "-S", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, env=environment)


@pytest.mark.slow
def test_an_installed_package_works_in_a_clone(tmp_path):
    site = installed(tmp_path / "site")
    clone = tmp_path / "clone"
    shutil.copytree(
        site / "sqlite_ann", clone / "sqlite_ann", ignore=shutil.ignore_patterns("*.so", "*.dylib", "*.dll")
    )
    code = "import sqlite_ann; sqlite_ann.connect(':memory:'); print(sqlite_ann.__file__, sqlite_ann.loadable_path())"
    done = run_python(code, clone, site)
    assert done.stdout.split() == [str(clone / "sqlite_ann/__init__.py"), str(site / "sqlite_ann/sqlite_ann")], (
        done.stderr
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there SQLite and Python look for suffixes of their own")
def test_a_copy_without_suffix_is_loaded_and_hides_no_package(tmp_path):
    site = installed(tmp_path / "site")
    shutil.copy(sqlite_ann.loadable_path() + extension.SUFFIX, tmp_path / "sqlite_ann")
    done = run_python("import sqlite_ann; sqlite_ann.connect(':memory:'); print('works')", tmp_path, site)
    assert done.stdout == "works\n", done.stderr
    shell = [sys.executable, "-m", "apsw", ":memory:"]
    script = ".load ./sqlite_ann\nSELECT 'version ' || ann_version();\n"
    done = subprocess.run(shell, input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert f"version {sqlite_ann.__version__}" in done.stdout, done.stderr


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


def test_connect_opens_a_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sqlite_ann.connect("a song.db").execute("CREATE TABLE song(id INTEGER PRIMARY KEY)")
    for uri in ("file:a song.db?mode=ro", "file:a%20song.db?mode=ro", f"file://{tmp_path}/a%20song.db?mode=ro"):
        db = sqlite_ann.connect(uri)
        with pytest.raises(apsw.ReadOnlyError):
            db.execute("INSERT INTO song DEFAULT VALUES")
    db = sqlite_ann.connect("file:a song.db", flags=apsw.SQLITE_OPEN_READONLY)
    assert db.readonly("main")
    assert [path.name for path in tmp_path.iterdir()] == ["a song.db"]


@pytest.mark.parametrize("name", ["file.db", "files", "file?mode=ro", "file", Path("file:a.db?mode=ro")])
def test_connect_to_a_path_that_begins_like_a_uri(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    sqlite_ann.connect(name).execute("CREATE TABLE song(id)")
    assert [path.name for path in tmp_path.iterdir()] == [str(name)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no folder/songs.db", "unable to open no folder/songs.db: there is no folder no folder"),
        ("file:no%20folder/a.db?mode=rw", "unable to open file:no%20folder/a.db?mode=rw: there is no folder no folder"),
        ("file:gone.db?mode=rw", "unable to open file:gone.db?mode=rw: there is no such file"),
        ("file:gone.db?mode=odd", "unable to open file:gone.db?mode=odd: no such access mode: odd"),
        ("folder", "unable to open folder: it is a folder"),
        ("text.db", "unable to open text.db: file is not a database"),
    ],
)
def test_what_cannot_be_opened_is_named_with_the_reason(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("It is no database, though long enough for the header of one. " * 20)
    with pytest.raises(sqlite_ann.Error) as caught:
        sqlite_ann.connect(name)
    assert str(caught.value) == said
    assert caught.value.code == caught.value.__cause__.extendedresult
    assert not (tmp_path / "gone.db").exists()


def test_a_missing_permission_is_told(tmp_path, monkeypatch):
    (tmp_path / "there.db").touch()
    monkeypatch.setattr(extension.os, "access", lambda path, mode: False)
    assert extension.why_not_opened(str(tmp_path / "there.db"), 0) == "there is no permission to read it"
    assert extension.why_not_opened(str(tmp_path / "new.db"), 0) == f"{tmp_path} cannot be written to"


def test_connect_reads_no_more_than_the_header(tmp_path):
    db = sqlite_ann.connect(tmp_path / "new.db")
    db.execute("PRAGMA encoding = 'UTF-16le'; PRAGMA page_size = 8192; CREATE TABLE song(id)")
    assert (db.execute("PRAGMA encoding").get, db.execute("PRAGMA page_size").get) == ("UTF-16le", 8192)


def test_connect_does_not_wait_for_a_writer(tmp_path):
    writer = sqlite_ann.connect(tmp_path / "songs.db")
    writer.execute("CREATE TABLE song(id); BEGIN EXCLUSIVE")
    db = sqlite_ann.connect(tmp_path / "songs.db")
    writer.execute("COMMIT")
    assert db.execute("SELECT count(*) FROM song").get == 0


@pytest.mark.slow
def test_the_command_line_shell_loads_it(tmp_path):
    script = f".load {sqlite_ann.loadable_path()}\nSELECT 'version ' || ann_version();\n"
    shell = [sys.executable, "-m", "apsw", ":memory:"]
    done = subprocess.run(shell, input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert f"version {sqlite_ann.__version__}" in done.stdout, done.stderr
