"""The documents as data: their fenced blocks, headings and tables. tests/pages.py runs them.

fences(document)              what is between fences, each with the answer shown after it: a parser for Sybil
blocks_of(path, language)     the same of a file, of one language
headings(path)                outside of fences
text_under(path, heading)     up to the next heading of its level
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sybil import Document, Region
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SQL_MD = ROOT / "docs" / "SQL.md"
SET_UP = "Set-up"  # the section that a collection begins each other one with

_FOLDERS = [p for p in ROOT.iterdir() if p.is_dir() and p.name not in ("build", "dist") and not p.name.startswith(".")]
EVERY = sorted([*ROOT.glob("*.md"), *(path for folder in _FOLDERS for path in folder.rglob("*.md"))])


FENCES = RawFencedCodeBlockLexer(re.compile(r"(?P<language>[^\n]*)\n"))


@dataclass(frozen=True)
class Block:
    """What is between two fences, and what the block after it, if it is ```text, says that it prints."""

    section: str  # the ## heading above, "" before the first
    language: str
    code: str
    line: int  # of the opening fence
    answer: str | None


def fences(document: Document) -> Iterator[Region]:
    """A region for each block but the ```text ones, which belong to the block before; what it has parsed is a Block."""
    regions, asked = list(FENCES(document)), []
    titles = headings_at(document.text, regions)
    for region in regions:
        language, code = region.lexemes["language"], region.lexemes["source"].removesuffix("\n")
        line = document.text.count("\n", 0, region.start) + 1
        where = f"{Path(document.path).name}:{line}"
        assert document.text[region.start : region.end].endswith("\n```"), f"{where}: a fence that is not closed"
        if language == "text":
            assert asked, f"{where}: an answer to no block"
            assert asked[-1].parsed.answer is None, f"{where}: the second answer to one block"
            asked[-1].parsed = replace(asked[-1].parsed, answer=code)
        else:
            above = [title for at, level, title in titles if at < region.start and level == 2]
            region.parsed = Block(above[-1] if above else "", language, code, line, None)
            asked.append(region)
    yield from asked


def headings_at(text: str, fenced: list[Region]) -> list[tuple[int, int, str]]:
    """Where each heading begins, its level and its words; what is between fences has none."""
    found = re.finditer(r"^(#+) (.*)$", text, flags=re.MULTILINE)
    return [(m.start(), len(m[1]), m[2]) for m in found if not any(r.start < m.start() < r.end for r in fenced)]


def read_blocks(path: Path) -> list[Block]:
    return [example.parsed for example in Document.parse(str(path), fences)]


def blocks_of(path: Path, language: str) -> list[Block]:
    return [block for block in read_blocks(path) if block.language == language]


def headings(path: Path) -> list[str]:
    """Those outside of fences."""
    document = Document(path.read_text(encoding="utf-8"), str(path))
    return [title for _, _, title in headings_at(document.text, list(FENCES(document)))]


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
