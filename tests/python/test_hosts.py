"""docs/HOSTS.md tells the truth of each host that is installed here: its examples run, each as a program of its own.

A ```python guest or ```sh guest block needs the packages of its section in GUESTS, a ```js guest block Node and the
module that it asks for (NODE_PATH says where), the ```c block a compiler and SQLite's header.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import sqlite_ann
from tests.documents import ROOT, Block, read_blocks
from tests.pages import Reader, tidy

HOSTS = ROOT / "docs" / "HOSTS.md"
BLOCKS = read_blocks(HOSTS)
# What the examples of a section import or run, beside pysqlite3.
GUESTS = {
    "sqlite3 and pysqlite3": [],
    "SQLAlchemy": ["sqlalchemy"],
    "Django": ["django"],
    "pandas and polars": ["pandas", "polars"],
    "datasette": ["datasette"],
    "sqlite-utils": ["sqlite_utils"],
}


def blocks_in(language: str) -> list[pytest.param]:
    found = [block for block in BLOCKS if block.language == language]
    return [pytest.param(block, id=f"{block.section}-{block.line}") for block in found]


@pytest.fixture
def run(tmp_path: Path, column_shell: str):
    """Makes the page's songs.db, runs a program there, and compares what it prints."""
    with Reader(tmp_path, column_shell) as reader:
        for block in BLOCKS:
            if block.section == "" and block.language == "sql":
                assert reader.run_sql(SimpleNamespace(parsed=block)) == ""
    environment = {**reader.environment, "PYTHONPATH": str(ROOT), "SQLITE_ANN": sqlite_ann.loadable_path()}

    def run(block: Block, *program: str) -> None:
        done = subprocess.run(
            program, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert tidy(done.stdout) == tidy(block.answer or ""), done.stderr

    return run


def need(block: Block) -> None:
    for package in ["pysqlite3", *GUESTS[block.section]]:
        pytest.importorskip(package)


@pytest.mark.parametrize("block", blocks_in("python guest"))
def test_a_python_guest(block: Block, run):
    need(block)
    run(block, sys.executable, "-W", "error", "-c", block.code)


@pytest.mark.parametrize("block", blocks_in("sh guest"))
def test_a_program_as_guest(block: Block, run):
    need(block)
    run(block, "bash", "-euo", "pipefail", "-c", block.code)


@pytest.mark.parametrize("block", blocks_in("js guest"))
def test_node(block: Block, run):
    node = shutil.which("node")
    asks = "require.resolve('@photostructure/sqlite')"
    if not node or subprocess.run([node, "-e", asks], capture_output=True).returncode != 0:
        pytest.skip("Node or its module is not installed")
    run(block, node, "-e", block.code)


@pytest.mark.parametrize("block", blocks_in("c"))
def test_a_program_in_c(block: Block, run, tmp_path: Path):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not compiler or not Path("/usr/include/sqlite3.h").exists():
        pytest.skip("no C compiler, or no header of SQLite")
    (tmp_path / "near.c").write_text(block.code, encoding="utf-8")
    build = [compiler, "-Wall", "-Wextra", "-Werror", "near.c", "-lsqlite3", "-o", "near"]
    made = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    run(block, str(tmp_path / "near"), "songs.db", sqlite_ann.loadable_path())


def test_every_block_of_the_page_is_run_by_somebody():
    languages = {block.language for block in BLOCKS}
    assert languages <= {"sql", "python", "sh", "python guest", "sh guest", "js guest", "c"}
    assert {block.section for block in BLOCKS if block.language in ("python guest", "sh guest")} == set(GUESTS)
