"""What of a database is shown: an index, the table that says what its rows are, and which columns of that.

    shown_of(db, file, …)    from the options, or what they leave to us

| option    | without it                                                                             |
| --------- | -------------------------------------------------------------------------------------- |
| `--index` | the only one of the database                                                           |
| `--table` | the table that the index is over; else that of its keys; else there are only ids       |
| `--show`  | the first two columns of text                                                          |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from ..catalog import indexes
from ..cli.tables import check_known, index_table
from ..names import quoted

NOTES = ("abc", "melody")  # where a table has both, the page draws and plays them
N_SHOWN = 2


@dataclass(frozen=True)
class Shown:
    """Names are as the schema has them."""

    file: str
    index: str
    table: str  # the index itself, where there is no other
    key: str  # the column that is the id
    show: tuple[str, ...]
    columns: tuple[str, ...]  # all that can be read: neither vectors nor other blobs nor notes
    notes: tuple[str, ...]  # NOTES, or none
    vector: str | None  # the column with the vectors, where the index is over the table
    words: str | None  # a table of FTS5 over the first column that is shown


def shown_of(db: apsw.Connection, file: str, index: str | None, table: str | None, show: Sequence[str] | None) -> Shown:
    """Refuses, in a sentence, an index, table or column that is not there."""
    index = index_table(db, index)[1] if index else only_index(db, file)
    told: Any = dict(db.execute("SELECT key, value FROM ann_info(?) WHERE key IN ('content', 'column')", (index,)))
    table = str(table or told["content"] or (f"{index}_key" if db.table_exists("main", f"{index}_key") else index))
    vector = str(told["column"]) if str(told["content"]).lower() == table.lower() else None
    name = Path(file).name
    if table.lower() == index.lower():
        refuse_columns(index, show)
        return Shown(name, index, index, "rowid", ("rowid",), (), (), None, None)

    check_known(db, "main", table, show or ())
    rows: list[Any] = db.execute("SELECT name, upper(type), pk FROM pragma_table_xinfo(?, 'main')", (table,)).fetchall()
    keys = [(column, type_) for column, type_, pk in rows if pk]
    if len(keys) != 1 or keys[0][1] != "INTEGER":
        raise ValueError(f"{table} has no INTEGER PRIMARY KEY, by which its rows would be found")
    key = str(keys[0][0])
    types = {column: type_ for column, type_, _ in rows}
    notes = NOTES if set(NOTES) <= types.keys() - {vector} else ()
    columns = tuple(c for c in types if c.lower() != str(vector).lower() and types[c] != "BLOB" and c not in notes)
    if show:
        names = {column.lower(): column for column in types}
        chosen = tuple(names[column.lower()] for column in show)
    else:
        others = [column for column in columns if column != key]
        texts = [column for column in others if re.search("CHAR|CLOB|TEXT", types[column])]
        chosen = tuple(texts or others or [key])[:N_SHOWN]
    return Shown(name, index, table, key, chosen, columns, notes, vector, words_of(db, table, key, chosen[0]))


def only_index(db: apsw.Connection, file: str) -> str:
    found = indexes(db)
    if not found:
        raise ValueError(f"{file} has no index")
    if len(found) > 1:
        raise ValueError(f"{file} has the indexes {', '.join(found)}: --index says which")
    return found[0]


def refuse_columns(index: str, show: Sequence[str] | None) -> None:
    if show:
        raise ValueError(f"--show: expected --table, too, since {index} is over no table that has {', '.join(show)}")


def words_of(db: apsw.Connection, table: str, key: str, column: str) -> str | None:
    """A table of FTS5 with this column of this table, and its ids, by which it is searched for words."""
    schema = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%using%fts5%' ORDER BY name"

    def option(name: str, values: str) -> re.Pattern[str]:
        return re.compile(rf"""\b{name}\s*=\s*["'`\[]?({values})["'`\]]?\s*[,)]""", re.IGNORECASE)

    content, ids = option("content", re.escape(table)), option("content_rowid", f"{re.escape(key)}|rowid")
    made: Any
    for name, made in db.execute(schema).fetchall():
        columns = db.execute("SELECT name FROM pragma_table_info(?, 'main')", (name,))
        has_ids = ids.search(made) or "content_rowid" not in made.lower()
        if content.search(made) and has_ids and column in [c for (c,) in columns]:
            return str(name)
    return None


def named(name: str) -> str:
    """A name for SQL that is to be read: quoted only where it has to be.

    >>> named("song"), named("order"), named("Öl 2")
    ('song', '"order"', '"Öl 2"')
    """
    is_plain = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name.upper() not in apsw.keywords
    return name if is_plain else quoted(name)
