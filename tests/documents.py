"""The documents as data: their fenced blocks, headings and tables, and SQL run as the shell would.

blocks_of(path, language)     what is in ```language fences, each with the answer shown after it
headings(path)                outside of fences
text_under(path, heading)     up to the next heading of its level
run_sql(db, code)             what the shell prints
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SQL_MD = ROOT / "docs" / "SQL.md"
SET_UP = "Set-up"

_FOLDERS = [p for p in ROOT.iterdir() if p.is_dir() and p.name not in ("build", "dist") and not p.name.startswith(".")]
EVERY = sorted([*ROOT.glob("*.md"), *(path for folder in _FOLDERS for path in folder.rglob("*.md"))])


# --- Reading a document


@dataclass(frozen=True)
class Block:
    """Fenced lines, and what the block after them, if it is ```text, says that they print."""

    section: str  # the ## heading above
    language: str
    code: str
    line: int
    answer: str | None


def read_blocks(path: Path) -> list[Block]:
    """All fenced blocks but the ```text ones, which belong to the block before."""
    blocks: list[Block] = []
    section, language, code, begun = "", None, [], 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if language is None and line.startswith("```"):
            language, code, begun = line[3:], [], number
        elif language is None:
            section = line[3:] if line.startswith("## ") else section
        elif line != "```":
            code.append(line)
        elif language == "text":
            asked = blocks.pop()
            assert asked.answer is None, f"{path.name}:{begun}: the second answer to one block"
            blocks.append(Block(asked.section, asked.language, asked.code, asked.line, "\n".join(code)))
            language = None
        else:
            blocks.append(Block(section, language, "\n".join(code), begun, None))
            language = None
    assert language is None, f"{path.name}:{begun}: a fence that is not closed"
    return blocks


def blocks_of(path: Path, language: str) -> list[Block]:
    return [block for block in read_blocks(path) if block.language == language]


def sections(path: Path) -> list[str]:
    return list(dict.fromkeys(block.section for block in blocks_of(path, "sql")))


def headings(path: Path) -> list[str]:
    """Those outside of fences."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)


def text_under(path: Path, heading: str) -> str:
    """From a heading to the next of its level or above."""
    text = path.read_text(encoding="utf-8")
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, flags=re.MULTILINE)
    assert match, f"{path.name} has no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, flags=re.MULTILINE)
    return rest[: end.start()] if end else rest


def links(path: Path) -> list[str]:
    """The targets of all links but those to other sites."""
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")) if "://" not in link]


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def make_targets() -> set[str]:
    """What `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def first_cells(text: str) -> list[str]:
    """What stands in `backquotes` in the first column of tables."""
    return re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)


# --- Running SQL as the shell does


def run_sql(db: apsw.Connection, code: str) -> str:
    """What the shell prints in `.mode column` with the tree of EXPLAIN QUERY PLAN; an error ends it."""
    printed: list[str] = []
    try:
        for statement in statements(code):
            cursor = db.execute(statement)
            rows: list[tuple[Any, ...]] = []
            names: list[str] = []
            for row in cursor:
                names = names or [name for name, *_ in cursor.get_description()]
                rows.append(row)
            is_plan = re.match(r"\s*EXPLAIN QUERY PLAN", statement, re.IGNORECASE)
            printed += plan_tree(rows) if is_plan else in_columns(names, rows)
    except apsw.Error as error:
        printed.append("Error: " + str(error).removeprefix(f"{type(error).__name__}: "))
    return "\n".join(printed)


def statements(code: str) -> Iterator[str]:
    """One statement after the other. The shell's own commands, such as .load, are left out."""
    statement = ""
    for line in code.splitlines():
        if not statement and line.startswith("."):
            continue
        statement += line + "\n"
        if apsw.complete(statement):
            yield statement
            statement = ""
    assert not statement.strip(), f"a statement without its semicolon: {statement}"


def in_columns(names: list[str], rows: list[tuple[Any, ...]]) -> list[str]:
    if not rows:
        return []
    table = [names] + [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    table.insert(1, ["-" * width for width in widths])
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def plan_tree(rows: list[tuple[Any, ...]], parent: int = 0, indent: str = "") -> list[str]:
    lines = [] if parent else ["QUERY PLAN"]
    children = [(node, detail) for node, above, _, detail in rows if above == parent]
    for node, detail in children:
        last = (node, detail) == children[-1]
        lines.append(f"{indent}{'`--' if last else '|--'}{detail}")
        lines += plan_tree(rows, node, indent + ("   " if last else "|  "))
    return lines
