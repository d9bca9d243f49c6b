"""Finding and loading the compiled extension."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import apsw
import pytest

import sqlite_ann
from sqlite_ann import extension

LOAD_SWITCH = apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION


def test_examples(run_examples):
    run_examples(extension)
    run_examples(sqlite_ann)


def imported_by(code):
    """What a fresh Python has imported by then; -S keeps out what an editable install brings by itself."""
    code += "\nimport sys; print(*sys.modules)"
    path = os.pathsep.join([str(Path(sqlite_ann.__file__).parents[1]), *filter(None, sys.path)])
    command = [sys.executable, "-S", "-c", code]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


HEAVY = {"numpy", "apsw", "importlib.metadata", "importlib.resources", "pathlib", "asyncio"}


def test_import_brings_neither_numpy_nor_apsw_nor_metadata():
    code = "import sqlite_ann; sqlite_ann.__version__; sqlite_ann.loadable_path()"
    assert imported_by(code) & HEAVY == set()
    assert {"numpy", "apsw"} <= imported_by("from sqlite_ann import Index")
    assert "numpy" not in imported_by("import sqlite_ann; sqlite_ann.connect(':memory:')")


def test_loading_into_a_db_api_connection_brings_neither_numpy_nor_apsw():
    pytest.importorskip("pysqlite3.dbapi2")
    code = "from pysqlite3 import dbapi2\nimport sqlite_ann; sqlite_ann.load(dbapi2.connect(':memory:'))"
    assert imported_by(code) & (HEAVY - {"asyncio"}) == set()


def test_names_that_are_imported_late_are_there_for_who_looks():
    assert set(sqlite_ann.__all__) <= set(dir(sqlite_ann))
    names = {}
    exec("from sqlite_ann import *", names)
    assert set(sqlite_ann.__all__) <= set(names)
    with pytest.raises(AttributeError, match="module 'sqlite_ann' has no attribute 'Indexx'"):
        sqlite_ann.Indexx  # noqa: B018


def test_the_version_is_that_of_the_project():
    root = Path(__file__).parents[2]
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == sqlite_ann.__version__


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


TWO_LIBRARIES = """
import apsw, sqlite_ann
from pathlib import Path
from pysqlite3 import dbapi2
from sqlite_ann import extension

def use(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2])")
    db.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1, 2]')")
    assert list(db.execute("SELECT id FROM ann_search('v', '[1, 2]')")) == [(1,)]
    db.execute("DROP TABLE v")

first, others = sqlite_ann.connect(":memory:"), []
for _ in range(20):
    others.append(dbapi2.connect(":memory:", isolation_level=None))
    sqlite_ann.load(others[-1])
    for db in (first, *others):
        use(db)
(copy,) = map(Path, extension.COPIES.values())
assert copy.parent.is_dir()
others[0].enable_load_extension(True)
try:
    others[0].load_extension(sqlite_ann.loadable_path())
except dbapi2.OperationalError as error:
    print(error)
print(copy.parent)
"""


def test_two_sqlite_libraries_in_one_process_have_a_copy_each():
    pytest.importorskip("pysqlite3.dbapi2")
    run = subprocess.run([sys.executable, "-c", TWO_LIBRARIES], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    said, folder = run.stdout.splitlines()
    assert "sqlite_ann: expected one SQLite library in a process, got " in said
    assert not Path(folder).exists()


CLEANED = """
import shutil
from pathlib import Path

import sqlite_ann
from pysqlite3 import dbapi2
from sqlite_ann import extension

first = sqlite_ann.connect(":memory:")
for _ in range(2):
    db = dbapi2.connect(":memory:")
    sqlite_ann.load(db)
    print(db.execute("SELECT ann_version()").fetchone()[0])
    db.close()
    shutil.rmtree(Path(*extension.COPIES.values()).parent)
"""


def test_a_copy_that_is_gone_is_made_again():
    """A service whose folder of temporary files is cleaned, or whose parent, which made the copy, has ended."""
    pytest.importorskip("pysqlite3.dbapi2")
    run = subprocess.run([sys.executable, "-c", CLEANED], capture_output=True, text=True, timeout=60)
    assert (run.stderr, run.stdout.split()) == ("", [sqlite_ann.__version__] * 2)


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


@pytest.mark.slow
def test_the_command_line_shell_loads_it(tmp_path):
    script = f".load {sqlite_ann.loadable_path()}\nSELECT 'version ' || ann_version();\n"
    shell = [sys.executable, "-m", "apsw", ":memory:"]
    done = subprocess.run(shell, input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert f"version {sqlite_ann.__version__}" in done.stdout, done.stderr
