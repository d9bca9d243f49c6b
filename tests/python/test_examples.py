"""examples/: each program runs from a folder of its own, and prints what stands at its end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sqlite_ann
from tests.documents import ROOT

EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sql"))
LONGEST = 25

every_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)


def promised(path: Path) -> str:
    """The comment that the program ends with."""
    mark = {".py": "# ", ".sql": "-- "}[path.suffix]
    lines = path.read_text(encoding="utf-8").splitlines()
    n_code = max(i for i, line in enumerate(lines, 1) if not line.startswith(mark))
    return "\n".join(line.removeprefix(mark) for line in lines[n_code:])


def printed(command: list[str], folder: Path, given: str | None = None) -> str:
    ran = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    return "\n".join(line.rstrip() for line in ran.stdout.splitlines())


@pytest.mark.parametrize("path", [path for path in PROGRAMS if path.suffix == ".py"], ids=lambda path: path.name)
def test_a_program_prints_what_stands_at_its_end(path: Path, tmp_path: Path):
    if "sqlalchemy" in path.name:
        pytest.importorskip("sqlalchemy")
        pytest.importorskip("pysqlite3")
    assert promised(path)
    assert printed([sys.executable, "-W", "error", str(path)], tmp_path) == promised(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [path for path in PROGRAMS if path.suffix == ".sql"], ids=lambda path: path.name)
def test_a_script_prints_what_stands_at_its_end(path: Path, tmp_path: Path, stock_shell: tuple[str, str]):
    load = f".load {sqlite_ann.loadable_path()}"
    script = path.read_text(encoding="utf-8")
    assert promised(path)
    assert printed([stock_shell[0], "-batch", "-header", "-column", "-cmd", load], tmp_path, script) == promised(path)
    assert list(tmp_path.iterdir()) == []


@every_program
def test_a_program_is_short_and_begins_by_saying_what_it_shows(path: Path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST
    assert max(map(len, lines)) <= 120
    assert re.match(r"(#|--) [A-Z].*\.$", lines[0])


def test_the_list_names_every_program():
    listed = re.findall(r"^\| \[(\S+)\]\(\1\) \|", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == [path.name for path in PROGRAMS]
    assert len(listed) == 10
