"""Which tables of a database are indexes, and which belong to one, told by the schema alone.

    vector_tables(schema)     the indexes among (name, sql) of sqlite_schema
    shadows(names, tables)    the tables that hold them, which other programs had better not show or change

For programs that have not loaded the extension, to which a shadow table is a table as any other. Nothing is imported
here, since plugins of command lines wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# SQLite keeps the statement from the name on as it was written, and writes what stands before it anew.
MADE = re.compile(
    r"""CREATE\s+VIRTUAL\s+TABLE\s+("(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`|\[[^\]]*\]|[^\s"'`\[]+)"""
    r"""\s*USING\s*["'`\[]?ann\b""",
    re.IGNORECASE,
)
SHADOWS = ("changes", "config", "pages", "places", "vectors", "waiting")


def vector_tables(schema: Iterable[tuple[str, str | None]]) -> list[str]:
    """The names of the vector tables.

    >>> vector_tables([("song", "CREATE TABLE song(x)"), ("v", "CREATE VIRTUAL TABLE v USING ann(x float32[2])")])
    ['v']
    """
    return sorted(name for name, made in schema if made and MADE.match(made))


def shadows(names: Iterable[str], tables: Iterable[str]) -> list[str]:
    """Those of the names that are shadow tables of the vector tables.

    >>> shadows(["song", "song_ann", "song_ann_pages", "song_ann_notes"], ["song_ann"])
    ['song_ann_pages']
    """
    theirs = {f"{table}_{suffix}".lower() for table in tables for suffix in SHADOWS}
    return [name for name in names if name.lower() in theirs]
