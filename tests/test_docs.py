"""The documents tell the truth: every example runs, and whatever can be named in SQL is described.

SQL.md promises its readers: each `##` section begins with the set-up in an empty database, and runs from top to
bottom; answers are what SQLite's shell prints in `.mode column`; of an error, the sentence. README.md has one
database for all its SQL, and one namespace for all its Python.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests.documents import (
    README,
    ROOT,
    SET_UP,
    SQL_MD,
    Block,
    blocks_of,
    first_cells,
    headings,
    make_targets,
    read_blocks,
    run_sql,
    sections,
    text_under,
)

DOCUMENTS = [README, SQL_MD]
INNOCUOUS, DIRECTONLY = 0x200000, 0x80000  # sqlite3.h


def check_blocks(db: apsw.Connection, path: Path, blocks: list[Block]) -> None:
    """Runs them; a block without an answer may print what it likes, but not fail."""
    for block in blocks:
        printed = run_sql(db, block.code)
        where = f"{path.name}:{block.line}, section {block.section!r}"
        if block.answer is None:
            assert "Error: " not in printed, f"{where}: {printed}"
        else:
            wanted = "\n".join(line.rstrip() for line in block.answer.splitlines())
            assert printed == wanted, f"{where} prints\n{printed}\nand not\n{wanted}"


# --- The examples


@pytest.mark.parametrize("section", sections(SQL_MD))
def test_the_sql_of_a_section_gives_the_answers_shown(section: str, db: apsw.Connection):
    set_up = [] if section == SET_UP else [b for b in blocks_of(SQL_MD, "sql") if b.section == SET_UP]
    check_blocks(db, SQL_MD, set_up + [b for b in blocks_of(SQL_MD, "sql") if b.section == section])


def test_the_sql_of_the_readme_gives_the_answers_shown_twice(db: apsw.Connection):
    blocks = blocks_of(README, "sql")
    assert blocks
    for _ in range(2):
        check_blocks(db, README, blocks)


def test_the_python_of_the_readme_prints_what_is_shown_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(README, "python")
    assert blocks
    for _ in range(2):
        names: dict[str, Any] = {}
        for block in blocks:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block.code, f"README.md, line {block.line}", "exec"), names)
            assert printed.getvalue().rstrip() == (block.answer or "").rstrip()
        names["db"].close()


@pytest.fixture
def shell(stock_shell: tuple[str, str]) -> Callable[[str | Path, str], str]:
    """shell(database, lines): what SQLite's own shell prints, started in the clone as the documents say."""
    program, _ = stock_shell

    def run(database: str | Path, lines: str) -> str:
        command = [program, "-batch", "-bail", str(database)]
        shown = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, cwd=ROOT)
        assert (shown.returncode, shown.stderr) == (0, "")
        return shown.stdout

    return run


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_line_that_loads_the_extension_does_so_in_the_shell(path: Path, shell):
    lines = re.findall(r"^(?:sqlite> )?(\.load .*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert lines
    for line in lines:
        assert shell(":memory:", f"{line}\nSELECT ann_version();\n") == f"{sqlite_ann.__version__}\n"


def test_the_shell_prints_the_answers_of_the_readme_twice(tmp_path: Path, shell):
    for _ in range(2):
        blocks = blocks_of(README, "sql")
        printed = shell(tmp_path / "songs.db", "\n".join(block.code for block in blocks))
        answers = "\n".join(block.answer or "" for block in blocks)
        assert [line.rstrip() for line in printed.splitlines()] == answers.splitlines()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_all_examples_are_of_a_kind_that_is_run(path: Path):
    """```sql, ```python and ```text; ```sh for commands; no language for what cannot be run."""
    assert {block.language for block in read_blocks(path)} <= {"sql", "python", "sh", ""}


def test_a_wrong_answer_and_a_failing_example_are_noticed(db: apsw.Connection):
    right = Block("s", "sql", "SELECT 1 AS a;", 1, "a\n-\n1")
    check_blocks(db, SQL_MD, [right])
    for code, answer in (
        ("SELECT 2 AS a;", "a\n-\n1"),
        ("SELECT no_such;", None),
        ("SELECT 1 AS a WHERE 0;", "a\n-\n1"),
    ):
        with pytest.raises(AssertionError, match=r"SQL\.md:1"):
            check_blocks(db, SQL_MD, [Block("s", "sql", code, 1, answer)])


# --- Everything that has a name is described


def registered(what: str) -> set[str]:
    """The functions or modules that are there with the extension and were not without."""
    with contextlib.closing(apsw.Connection(":memory:")) as db:
        names = f"SELECT DISTINCT name FROM pragma_{what}_list"
        before = {name for (name,) in db.execute(names)}
        sqlite_ann.load(db)
        return {name for (name,) in db.execute(names)} - before


def headed_names() -> set[str]:
    """`name` or `name(arguments)` of the headings of SQL.md."""
    return {
        match[1] for heading in headings(SQL_MD) if (match := re.fullmatch(r"`([\w-]+)(=N|=NAME|\(.*\))?`", heading))
    }


def sql_of_examples() -> str:
    return "\n".join(block.code for block in blocks_of(SQL_MD, "sql"))


def test_every_function_and_module_has_a_heading_and_an_example():
    names = registered("function") | registered("module")
    assert {"ann", "ann_search", "ann_distance"} <= names
    assert names - headed_names() == set()
    assert {name for name in headed_names() if name.startswith("ann")} - names == set()
    for name in names:
        assert re.search(rf"\b{name}\(", sql_of_examples()), f"no example of {name}"


def test_every_option_has_a_row_a_heading_and_an_example():
    source = (ROOT / "c_ext/index/options.c").read_text()
    options = set(re.findall(r'sqlite3_stricmp\(name, "(\w+)"\)', source))
    assert {"metric", "trees", "seed"} <= options
    assert set(first_cells(text_under(SQL_MD, "Options"))) == options
    assert options - headed_names() == set()
    for option in options:
        assert re.search(rf"USING ann\([^;]*\b{option} ?= ?\w+", sql_of_examples()), f"no example of {option}"


def settings() -> dict[str, bool]:
    """What ann_set knows: is it a command too?"""
    source = (ROOT / "c_ext/sql/setting.c").read_text()
    return {name: flag == "1" for name, flag in re.findall(r'^  \{"(\w+)", \d.*, ([01]), get_', source, re.MULTILINE)}


def test_every_command_has_a_heading_and_an_example():
    source = (ROOT / "c_ext/sql/table.c").read_text()
    commands = set(re.findall(r'strcmp\(text, "([\w-]+)"\)', source)) | set(
        re.findall(r'strncmp\(text, "(\w+)=", \d+\)', source)
    )
    commands |= {name for name, is_command in settings().items() if is_command}
    assert {"optimize", "rebuild", "backend", "absorb", "warm"} <= commands
    assert commands - headed_names() == set()
    for command in commands:
        assert re.search(rf"VALUES\('{command}(=\w+)?'", sql_of_examples()), f"no example of {command}"


def test_every_setting_has_a_row_and_an_example():
    assert "threads" in settings()
    assert first_cells(text_under(SQL_MD, "`ann_set(table, name [, value])`")) == list(settings())
    for name in settings():
        assert f"ann_set('many', '{name}'" in sql_of_examples()


def test_every_column_of_a_table_function_is_described(db: apsw.Connection):
    for heading in headings(SQL_MD):
        name = heading.strip("`").split("(")[0]
        if name not in registered("module") - {"ann"}:
            continue
        text = text_under(SQL_MD, heading)
        if name.startswith("ann_search_item"):
            text += text_under(SQL_MD, "`ann_search(table, query [, k [, recall]])`")
        for (column,) in db.execute("SELECT name FROM pragma_table_xinfo(?)", (name,)):
            assert f"`{column}`" in text or f"({column})`" in heading, f"{heading} says nothing of {column}"


def test_every_key_of_ann_info_has_a_row(db: apsw.Connection):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2])")
    keys = [key for (key,) in db.execute("SELECT key FROM ann_info('v')")]
    assert first_cells(text_under(SQL_MD, "`ann_info(table)`")) == keys


def test_every_key_of_ann_state_has_a_row(db: apsw.Connection):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2])")
    keys = [key for (key,) in db.execute("SELECT key FROM ann_state('v')")]
    rows = re.findall(r"^\| (`\w+`.*?) \|", text_under(SQL_MD, "`ann_state(table)`"), flags=re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == keys


def test_every_shadow_table_has_a_row(db: apsw.Connection):
    db.execute("CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[2])")
    tables = {
        name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'song\\_ann\\_%' ESCAPE '\\'")
    }
    assert set(first_cells(text_under(SQL_MD, "Transactions and files"))) == tables


def test_the_scalar_functions_are_marked_as_the_document_says(db: apsw.Connection):
    flags = dict(db.execute("SELECT name, max(flags) FROM pragma_function_list WHERE name LIKE 'ann%' GROUP BY name"))
    assert set(flags) == registered("function")
    text, marked = SQL_MD.read_text(encoding="utf-8"), set()
    for mark, bit in (("SQLITE_INNOCUOUS", INNOCUOUS), ("SQLITE_DIRECTONLY", DIRECTONLY)):
        row = re.search(rf"^\| (.*) \| `{mark}`", text, flags=re.MULTILINE)
        assert row
        names = set(re.findall(r"`(\w+)`", row[1]))
        assert names == {name for name in flags if flags[name] & bit}
        marked |= names
    assert marked == set(flags)


# --- The examples of the demo


@pytest.fixture(scope="module")
def songs() -> Iterator[apsw.Connection]:
    """A stand-in for the songs that the demo fetches: 1,500 made-up ones, some with the names that are asked for."""
    run = pytest.importorskip("sqlite_ann.demo.run")
    named = {
        1: ("The Irish Washerwoman", "O'Neill's Music of Ireland", "jig"),
        2: ("The Soldier's Joy", "Ryan's Mammoth Collection", "reel"),
        3: ("Cherish the Ladies", "O'Neill's Music of Ireland", "jig"),
        4: ("The Drunken Sailor drinks whiskey", "Ryan's Mammoth Collection", "hornpipe"),
    }
    books = ["O'Neill's Music of Ireland", "Ryan's Mammoth Collection", "Aird's Selection of Airs"]
    db = sqlite_ann.connect(":memory:")
    with db:
        db.execute(run.TABLES)
        for i in range(1, 1501):
            title, book, kind = named.get(i, (f"Tune {i}", books[i % 3], ["jig", "reel"][i % 2]))
            db.execute(run.INSERT_SONG, (i, title, book, "Ireland", kind, "G major", "6/8", 100, song_vector(i)))
        db.execute(run.INDEX)
    yield db
    db.close()


def song_vector(i: int) -> bytes:
    """64 numbers near one of forty centres."""
    centre = np.random.default_rng(i % 40).standard_normal(64)
    return (centre + 0.2 * np.random.default_rng(1000 + i).standard_normal(64)).astype("<f4").tobytes()


@pytest.mark.parametrize("path", sorted((ROOT / "sql/examples").glob("*.sql")), ids=lambda path: path.stem)
def test_an_example_of_the_demo_asks_a_question_and_has_an_answer(path: Path, songs: apsw.Connection):
    text = path.read_text(encoding="utf-8")
    assert re.match(r"-- .*\?$", text.splitlines()[0]), "the first line is a question"
    assert apsw.complete(text)
    assert songs.execute(text).fetchall()


# --- The README


def test_the_commands_of_the_readme_are_those_of_the_makefile():
    shell = "\n".join(block.code for block in blocks_of(README, "sh"))
    assert re.findall(r"^make (?:demo|test)\b", shell, flags=re.MULTILINE) == ["make demo", "make test"]
    named = set(re.findall(r"\bmake ([a-z-]+)`", README.read_text(encoding="utf-8")))
    assert named | {"demo", "test"} <= make_targets()


def test_the_map_of_the_readme_lists_every_top_level_folder():
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()}
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")} - ignored
    listed = {cell.rstrip("/") for cell in first_cells(text_under(README, "Where things are")) if cell.endswith("/")}
    assert folders - listed == set()
    assert all((ROOT / cell).exists() for cell in first_cells(text_under(README, "Where things are")))
