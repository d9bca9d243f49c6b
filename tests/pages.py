"""A page is run as its reader would: in a folder, with SQLite's own shell, Python and bash.

parts(path)               what of a page is run by itself: the whole story, or each section of a collection
run_part(path, part, …)   runs its blocks one after the other; Sybil says where one prints something else
kept_from_running(block)  why a block is not run, or ""

The rules, for writers: a ```sql, ```python or ```sh block is run, and a ```text block after it is exactly what it
prints. SQL is run on the file songs.db, in `.mode column`, with the extension loaded; of an error its sentence is
printed after `Error: `. Python blocks share their names. A block of sh ends at the first command that fails.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from sybil import Document, Example, Region

import sqlite_ann
from tests.documents import ROOT, SET_UP, Block, fences, read_blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Read from top to bottom in one folder. In all other pages each ## section begins in a new folder with the set-up:
# the blocks before the first ##, and a section of that name.
STORIES = {"README.md", "docs/ANNOY.md", "docs/FROM_SQLITE_VEC.md", "docs/PYTHON.md", "docs/TUTORIAL.md"}
# Pages that say that they can be run again where they were run.
TWICE = {"README.md", "docs/PYTHON.md"}
# Pages whose blocks a test of its own reads.
ELSEWHERE = {"docs/FORMAT.md": "tests/test_format.py"}

RUN = ("sql", "python", "sh")
INSTALLS = re.compile(r"^(sudo |apt|brew |pip |python3? -m (pip|venv) |git |make\b|cd )", re.MULTILINE)
IN_A_CLONE = "./sqlite_ann/sqlite_ann"  # how pages load the extension
END = "--- end of the block ---"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def kept_from_running(block: Block) -> str:
    """What builds, fetches or leaves the folder is not for a test."""
    if block.language not in RUN:
        return "another language"
    return "it installs" if block.language == "sh" and INSTALLS.search(block.code) else ""


def parts(path: Path) -> list[str | None]:
    """The sections that are run by themselves; None is the whole page."""
    blocks = [block for block in read_blocks(path) if not kept_from_running(block)]
    if not blocks or name_of(path) in ELSEWHERE:
        return []
    if name_of(path) in STORIES:
        return [None]
    return list(dict.fromkeys(block.section or None for block in blocks))


def run_part(path: Path, part: str | None, folder: Path, sqlite: str) -> int:
    """Runs a part of a page in a folder, with this shell of SQLite; the number of blocks that it has."""
    with Reader(folder, sqlite) as reader:

        def parser(document: Document) -> Iterator[Region]:
            for region in fences(document):
                chosen = name_of(path) in STORIES or region.parsed.section in ("", SET_UP, part)
                if chosen and not kept_from_running(region.parsed):
                    region.evaluator = reader.evaluate
                    yield region

        examples = list(Document.parse(str(path), parser))
        for example in examples:
            example.evaluate()
    return len(examples)


class Reader:
    """Does in a folder what a page says."""

    def __init__(self, folder: Path, sqlite: str) -> None:
        self.folder, self.sqlite = folder, sqlite
        self.shell: Shell | None = None  # open from the first block of SQL to the next of another language
        own = Path(sys.executable).parent  # has python and sqlite-ann
        self.environment = {
            **os.environ,
            "HOME": str(folder),  # no ~/.sqliterc
            "PATH": os.pathsep.join([str(own), str(Path(sqlite).parent), os.environ["PATH"]]),
        }

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_shell()

    def evaluate(self, example: Example) -> str | None:
        """For Sybil: what is wrong with what an example prints."""
        block: Block = example.parsed
        where = f"{name_of(Path(example.path))}:{block.line}"
        if block.language != "sql":
            self.close_shell()
        printed = {"sql": self.run_sql, "python": self.run_python, "sh": self.run_sh}[block.language](example)
        if block.answer is None:
            failed = block.language == "sql" and re.search(r"^Error: ", printed, re.MULTILINE)
            return f"{where} prints\n{printed}" if failed else None
        printed, wanted = tidy(printed), tidy(block.answer)
        return None if printed == wanted else f"{where} prints\n{printed}\nand not\n{wanted}"

    def run_sql(self, example: Example) -> str:
        self.shell = self.shell or Shell(self.sqlite, self.folder, self.environment)
        return self.shell.run(example.parsed.code)

    def run_python(self, example: Example) -> str:
        printed = io.StringIO()
        lines_above = "\n" * example.parsed.line  # so that a traceback names the page's line
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            exec(compile(lines_above + example.parsed.code, example.path, "exec", dont_inherit=True), example.namespace)
        return printed.getvalue()

    def run_sh(self, example: Example) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", example.parsed.code],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == 0, f"line {example.line}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def close_shell(self) -> None:
        if self.shell:
            self.shell.close()
        self.shell = None


class Shell:
    """SQLite's own shell, open on songs.db, one block after the other."""

    def __init__(self, program: str, folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [program, "-batch", "songs.db"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        said = self.run(f".load {IN_A_CLONE}\n.mode column")
        assert not said, said

    def run(self, code: str) -> str:
        """What it prints, errors as their sentences."""
        sql = "\n".join(line for line in code.splitlines() if not line.startswith("."))
        assert not sql.strip() or sqlite3.complete_statement(sql), f"a statement without its semicolon: {sql}"
        code = code.replace(f".load {IN_A_CLONE}", f".load {sqlite_ann.loadable_path()}")
        self.process.stdin.write(f"{code}\n.print '{END}'\n")
        self.process.stdin.flush()
        printed = ""
        while (line := self.process.stdout.readline()) != f"{END}\n":
            assert line, f"the shell has ended: {printed}"
            printed += line
        # Where in the statement it is, is shown by some versions only.
        printed = re.sub(r"^  .*\n +\^--- error here\n", "", printed, flags=re.MULTILINE)
        return re.sub(
            r"^(?:Parse e|Runtime e|E)rror(?: near line \d+)?: (.*?)(?: \(\d+\))?$", r"Error: \1", printed, flags=re.M
        )

    def close(self) -> None:
        self.process.communicate(timeout=60)


def tidy(text: str) -> str:
    """Without blanks at the ends of lines; nor to the left of all, which Sybil takes from an answer."""
    return textwrap.dedent("\n".join(line.rstrip() for line in text.splitlines())).strip("\n")
