"""README and SQL.md say all there is: whatever can be named in SQL is described, and has an example."""

from __future__ import annotations

import contextlib
import re

import apsw

import sqlite_ann
from tests.documents import (
    README,
    ROOT,
    SQL_MD,
    blocks_of,
    first_cells,
    headings,
    make_targets,
    text_under,
)

INNOCUOUS, DIRECTONLY = 0x200000, 0x80000  # sqlite3.h


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


# --- The README


def test_the_commands_of_the_readme_are_those_of_the_makefile():
    shell = "\n".join(block.code for block in blocks_of(README, "sh"))
    assert re.findall(r"^make (?:demo|test)\b", shell, flags=re.MULTILINE) == ["make demo", "make test"]
    named = set(re.findall(r"\bmake ([a-z-]+)`", README.read_text(encoding="utf-8")))
    assert named | {"demo", "test"} <= make_targets()


def test_the_map_of_the_readme_lists_every_top_level_folder():
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()}
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")} - ignored
    first_column = re.findall(r"^\| (`.*?) \|", text_under(README, "Where things are"), flags=re.MULTILINE)
    listed = {name for cell in first_column for name in re.findall(r"`([^`]+)/`", cell)}
    assert listed == folders
