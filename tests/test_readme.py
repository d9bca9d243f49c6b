"""README, typed from top to bottom in a fresh copy of the clone by somebody with an empty home folder.

Commands are those of the page, to the letter: what it installs is installed, by pip, into the virtual environment that
it makes, and what runs afterwards is that environment's Python and SQLite's own shell, started as the page says. Only
the C compiler is spared: where the build folder has what it made of the same source, that is taken.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documents import README, ROOT, Block, read_blocks

TAKES_LONG = ("make demo", "make test")  # this test is part of the second
# CMake calls it as `compiler-launcher cc … -o OBJECT -c SOURCE`, in the build folder.
LAUNCHER = """#!/bin/sh
object=
for word; do
  [ "$last" = -o ] && object=$word
  last=$word
done
made="{built}/$object"
source="{root}/${{last#{clone}/}}"
if [ -f "$made" ] && [ "$made" -nt "$source" ] && cmp -s "$source" "$last"; then exec cp "$made" "$object"; fi
exec "$@"
"""


class Typist:
    """Types blocks into a terminal in a clone, and says what is answered."""

    def __init__(self, clone: Path, home: Path) -> None:
        self.clone = clone
        self.started = "true"  # what was typed so far that later commands need
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self.environment = {**kept, **pip, "HOME": str(home), "CMAKE_C_COMPILER_LAUNCHER": str(home / "launcher")}

    def bash(self, commands: str, given: str = "") -> str:
        shown = self.run(f"{self.started}\n{commands}", given)
        if shown.returncode and "pip install" in commands:
            fetched = self.run("python3 -m pip download -q --no-deps --dest fetched scikit-build-core")
            if fetched.returncode:
                pytest.skip(f"pip fetches nothing here: {fetched.stderr.strip().splitlines()[-1]}")
        assert shown.returncode == 0, f"{commands}\n{shown.stdout}{shown.stderr}"
        return shown.stdout

    def run(self, commands: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            input=given,
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
        )

    def answer(self, block: Block, sqlite: str) -> str:
        if block.language == "sql":
            return self.bash(f"{sqlite} -batch -bail", block.code)
        if block.language == "python":
            return self.bash("python -", block.code)
        said = self.bash(block.code)
        activated = re.search(r"\. \S+/activate$", block.code, re.MULTILINE)
        if activated:
            self.started = activated[0]
        return said


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git has of this tree, with what is changed."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


@pytest.fixture
def typist(clone: Path, tmp_path: Path) -> Typist:
    home = tmp_path / "home"
    home.mkdir()
    launcher = home / "launcher"
    launcher.write_text(LAUNCHER.format(built=ROOT / "build" / "dev", root=ROOT, clone=clone), encoding="utf-8")
    launcher.chmod(0o755)
    return Typist(clone, home)


@pytest.mark.slow
def test_what_the_readme_says_is_what_happens(typist: Typist, column_shell: str):
    blocks = read_blocks(README)
    typed = [block for block in blocks if not any(line in TAKES_LONG for line in block.code.splitlines())]
    assert [block.code.splitlines() for block in blocks if block not in typed] == [list(TAKES_LONG)]
    start = re.search(r"`(sqlite3 songs\.db .*)` \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert start
    assert [block.language for block in typed] == ["sh", "sql", "sql", "python"]
    for block in typed:
        shell = start[1]
        # `.mode column` is typed once, and holds until the shell is closed.
        if block.language == "sql" and ".mode" not in block.code:
            shell += " -cmd '.mode column'"
        printed = typist.answer(block, shell)
        if block.answer is not None:
            lines = [line.rstrip() for line in printed.splitlines()]
            assert lines == [line.rstrip() for line in block.answer.splitlines()], f"README.md, line {block.line}"
    assert (typist.clone / "songs.db").exists()
