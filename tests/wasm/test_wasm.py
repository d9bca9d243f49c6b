"""SQLite as WebAssembly with the extension inside, run by node, stores and answers what the loaded extension does.

`make wasm` builds and runs it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import apsw
import pytest

import sqlite_ann

ROOT = Path(__file__).parents[2]
SHELL = ROOT / "build/wasm/sqlite3.mjs"
LIFE = (Path(__file__).parent / "life.sql").read_text("utf-8")
TABLES = ["by_bits", "by_cosine", "by_dot", "by_l2", "song_ann"]

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not SHELL.exists(), reason="made by `make wasm`"),
    pytest.mark.slow,
]


def in_wasm(folder: Path, *arguments: str, sql: str = "") -> subprocess.CompletedProcess[str]:
    command = ["node", "--no-warnings", str(SHELL), str(folder), *arguments]
    return subprocess.run(command, input=sql, capture_output=True, text=True, timeout=250)


def hash_of(path: Path) -> str:
    """Over every row of every table of the file, as a SQLite without the extension reads them."""
    sha = hashlib.sha256()
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as db:
        names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name"
        for (name,) in db.execute(names).fetchall():
            sha.update(name.encode())
            for row in db.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):
                sha.update(repr(row).encode())
    db.close()
    return sha.hexdigest()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One life, lived natively and in WebAssembly."""
    folder = tmp_path_factory.mktemp("lives")
    db = sqlite_ann.connect(folder / "native.db")
    db.execute(LIFE)
    db.close()
    ran = in_wasm(folder, "-bail", "wasm.db", sql=LIFE)
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder / "native.db", folder / "wasm.db"


def test_the_life_makes_forests_and_finds_rows(files: tuple[Path, Path]):
    db = sqlite_ann.connect(files[0])
    for table in TABLES:
        assert db.execute("SELECT value FROM ann_info(?) WHERE key = 'leaf_pages'", (table,)).get > 50, table
    assert db.execute("SELECT count(*), count(DISTINCT name) FROM found").get == (5160, 5)
    db.close()


def test_webassembly_stores_and_finds_the_same(files: tuple[Path, Path]):
    native, wasm = files
    assert hash_of(native) == hash_of(wasm)


def test_the_hash_is_over_the_pages_too(files: tuple[Path, Path], tmp_path: Path):
    copy = tmp_path / "copy.db"
    shutil.copy(files[0], copy)
    with apsw.Connection(str(copy)) as db:
        db.execute("UPDATE by_dot_pages SET data = zeroblob(8) WHERE id = 2")
    db.close()
    assert hash_of(copy) != hash_of(files[0])


def test_each_opens_what_the_other_wrote(files: tuple[Path, Path]):
    native, wasm = files
    db = sqlite_ann.connect(wasm)
    assert [db.execute("SELECT * FROM ann_check(?)", (table,)).fetchall() for table in TABLES] == [[]] * 5
    db.close()
    checks = "".join(f"SELECT * FROM ann_check('{table}');" for table in TABLES)
    ran = in_wasm(native.parent, "-readonly", "native.db", f"{checks} SELECT count(*) FROM song_ann;")
    assert (ran.stdout, ran.stderr) == ("1455\n", "")


def test_threads_are_asked_for_and_not_had(files: tuple[Path, Path]):
    ran = in_wasm(files[1].parent, "wasm.db", "SELECT ann_set('by_l2', 'threads', 8), ann_set('by_l2', 'threads');")
    assert (ran.stdout, ran.stderr) == ("8|8\n", "")


def test_an_error_is_a_sentence_and_a_status(files: tuple[Path, Path]):
    ran = in_wasm(files[0].parent, ":memory:", "SELECT * FROM ann_search('none', '[1]');")
    assert ran.returncode == 1
    assert "none" in ran.stderr
