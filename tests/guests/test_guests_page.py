"""docs/GUESTS.md: the example of each guest runs, in a process and a folder of its own, and prints what is shown."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sqlite_ann
from tests.guests.plugins import ROOT, announced

PAGE = (ROOT / "docs" / "GUESTS.md").read_text(encoding="utf-8")
SET_UP = re.search(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)[1]
EXAMPLES = re.findall(r"^```(python|sh) (\S+)\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
MODULES = {
    "langchain": "langchain_core",
    "langgraph": "langgraph.store",
    "llamaindex": "llama_index",
    "sqlite-utils": "sqlite_utils",
}
COMMANDS = {"sqlite-utils": "sqlite_utils", "datasette": "datasette", "sqlite-ann": "sqlite_ann"}


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in is not
        return False


def found_at(folder: Path) -> str:
    return os.pathsep.join(map(str, [folder / "plugins", ROOT, *sys.path[1:]]))


def run(command: list[str], folder: Path) -> str:
    env = {**os.environ, "PYTHONPATH": found_at(folder), "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("language", "guest", "code", "answer"), EXAMPLES, ids=[guest for _, guest, *_ in EXAMPLES])
def test_an_example_prints_what_is_shown(language, guest, code, answer, tmp_path):
    module = MODULES.get(guest, guest)
    if not is_installed(module):
        pytest.skip(f"{module} is not installed")
    announced(tmp_path / "plugins")
    (tmp_path / "bin").mkdir()
    for name, of in COMMANDS.items():
        script = tmp_path / "bin" / name
        # Clients of MCP give their servers another environment.
        extension = f"SQLITE_ANN_EXTENSION='{sqlite_ann.loadable_path()}'"
        path = f"PYTHONPATH='{found_at(tmp_path)}'"
        script.write_text(f'#!/bin/sh\n{extension} {path} exec "{sys.executable}" -m {of} "$@"\n')
        script.chmod(0o755)
    run([sys.executable, "-c", SET_UP], tmp_path)
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-e", "-c", code]
    assert run(command, tmp_path) == answer


def test_every_example_is_run():
    named = re.findall(r"^```(?:python|sh) (\S+)$", PAGE, flags=re.MULTILINE)
    assert [guest for _, guest, *_ in EXAMPLES] == named
    assert {
        "langchain",
        "langgraph",
        "haystack",
        "llamaindex",
        "sqlalchemy",
        "sqlite-utils",
        "datasette",
        "mcp",
    } == set(named)
