"""What a command answers: rows of named columns, shown for people, as JSON or as CSV.

    Answer(columns, rows)         several rows
    record({…}, "a sentence")     one, which people are told as a sentence, or else line by line
    show(answer, form)            on standard output; form is people, json or csv
    tell("a sentence")            on the error stream

For people it is a table of rich's on a terminal where rich is installed; else aligned text, never cut. JSON and CSV
have every digit, and blobs in hexadecimal.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import combining, east_asian_width


@dataclass(frozen=True)
class Answer:
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    sentence: str = ""  # for people, instead of the rows
    is_record: bool = False  # one row, which is an object in JSON
    code: int = 0  # the exit code


def record(values: dict[str, Any], sentence: str = "") -> Answer:
    return Answer(list(values), [list(values.values())], sentence, is_record=True)


def tell(sentence: str) -> None:
    """What is wrong, on the error stream."""
    print(f"sqlite-ann: {sentence}", file=sys.stderr)


def show(answer: Answer, form: str) -> None:
    {"people": show_people, "json": show_json, "csv": show_csv}[form](answer)


# --- for programs --------------------------------------------------------------------------------


def show_json(answer: Answer) -> None:
    objects = [dict(zip(answer.columns, map(plain, row), strict=True)) for row in answer.rows]
    print(json.dumps(objects[0] if answer.is_record else objects, ensure_ascii=False, indent=2, allow_nan=False))


def show_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([plain(value) for value in row] for row in answer.rows)


def plain(value: Any) -> Any:
    """A value that JSON can hold."""
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- for people ----------------------------------------------------------------------------------


def show_people(answer: Answer) -> None:
    if answer.sentence:
        print(answer.sentence)
        return
    show_plain(answer, rich_table())


def show_plain(answer: Answer, draw: Table | None = None) -> None:
    """As a table of aligned text, or as `draw` has it."""
    columns, rows = answer.columns, answer.rows
    if not columns:
        return
    if answer.is_record:
        columns, rows = (), list(zip(columns, rows[0], strict=True))
    n_columns = len(columns) or 2
    is_number = [any(isinstance(row[i], int | float) for row in rows) and bool(columns) for i in range(n_columns)]
    texts = [[written(value) for value in row] for row in rows]
    (draw or text_table)(columns, texts, is_number)


def written(value: Any) -> str:
    """A value for people; what would move a terminal's cursor is escaped.

    >>> written(0.123456789), written(b"123"), written(None), written("two\\nlines")
    ('0.123457', '3 bytes', '', 'two\\\\nlines')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


Table = Callable[[Sequence[str], list[list[str]], list[bool]], None]


def rich_table() -> Table | None:
    """Prints a table by rich; None where that is not installed, or nobody looks."""
    if not sys.stdout.isatty():
        return None
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return None

    def draw(columns: Sequence[str], rows: list[list[str]], is_number: list[bool]) -> None:
        table = Table(box=box.SIMPLE_HEAD, show_header=bool(columns))
        for i, is_right in enumerate(is_number):
            name = Text(columns[i]) if columns else ""
            table.add_column(name, justify="right" if is_right else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)

    return draw


def text_table(columns: Sequence[str], rows: list[list[str]], is_number: list[bool]) -> None:
    lines = [list(columns), *rows] if columns else rows
    widths = [max((width(line[i]) for line in lines), default=0) for i in range(len(is_number))]
    if columns:
        lines.insert(1, ["-" * n for n in widths])
    for line in lines:
        cells = []
        for text, n, is_right in zip(line, widths, is_number, strict=True):
            space = " " * (n - width(text))
            cells.append(space + text if is_right else text + space)
        print("  ".join(cells).rstrip())


def width(text: str) -> int:
    """The places that a text takes in a terminal.

    >>> width("reel"), width("民歌"), width("e\\u0301")
    (4, 4, 1)
    """
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
