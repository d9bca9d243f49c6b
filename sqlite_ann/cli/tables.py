"""The tables of a database: whether one is an index, and what columns an ordinary one has.

index_table(db, name)          schema and name of one, which may be damaged or of another format
check_columns(db, …)           refuses columns that are not there, and rowids that do not last
beside(db, table, columns)     looks columns up by id: what `search --show` shows
columns_beside(index, …)       the same of the table that belongs to an index, or is joined by its keys
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apsw
import numpy as np

from ..catalog import key_column
from ..index import Index
from ..names import place, quoted, resolved
from ..shadows import MADE

ROWID = ("rowid", "oid", "_rowid_")

# --- indexes -------------------------------------------------------------------------------------


def index_table(db: apsw.Connection, name: str) -> tuple[str, str]:
    """For commands that must not read the index before they do their work, or do it on the wrong table."""
    schema, table = resolved(db, name)
    schema = schema or "main"
    sql = db.execute(
        f"SELECT sql FROM {quoted(schema)}.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", (table,)
    ).get
    if sql is None:
        raise ValueError(f"there is no table {name}")
    if not MADE.match(sql):
        raise ValueError(f"{name} is a table, but not one of vectors")
    return schema, table


# --- ordinary tables -----------------------------------------------------------------------------


def check_known(db: apsw.Connection, schema: str, table: str, columns: Sequence[str]) -> None:
    """Refuse columns that are not there, which SQLite may take for text."""
    there = [name for (name,) in db.execute("SELECT name FROM pragma_table_xinfo(?, ?)", (table, schema))]
    if not there:
        raise ValueError(f"there is no table {table}")
    known = {name.lower() for name in there}
    for name in columns:
        if name.lower() not in known:
            raise ValueError(f"{table} has no column {name}; it has {', '.join(there)}")


def check_columns(db: apsw.Connection, schema: str, table: str, id_: str, column: str) -> None:
    """Refuse columns that are not there, and rowids that do not last."""
    names = db.execute("SELECT lower(name) FROM pragma_table_xinfo(?, ?)", (table, schema))
    is_rowid = id_.lower() in ROWID and (id_.lower(),) not in names.fetchall()
    check_known(db, schema, table, [column] if is_rowid else [column, id_])
    if is_rowid:
        check_rowid(db, schema, table)


def check_rowid(db: apsw.Connection, schema: str, table: str) -> None:
    """Refuse the rowid of a table where it is no column of its own: VACUUM may number such rows anew."""
    kind, without_rowid = db.execute("SELECT type, wr FROM pragma_table_list(?) WHERE schema = ?", (table, schema)).get
    if kind == "view" or without_rowid:
        raise ValueError(f"{table} has no rowid: --id says which of its columns holds the ids")
    # Of a key that is the rowid there is no index; INTEGER PRIMARY KEY DESC, for one, is another column with one.
    lasting = db.execute(
        "SELECT count(*) = 1 AND max(type) = 'INTEGER' COLLATE NOCASE"
        " AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, ?2) WHERE origin = 'pk')"
        " FROM pragma_table_info(?1, ?2) WHERE pk",
        (table, schema),
    ).get
    if kind != "virtual" and not lasting:
        raise ValueError(
            f"{table} has no INTEGER PRIMARY KEY, so VACUUM may give its rows other ids than the index has:"
            " declare one, or name another column of lasting ids with --id"
        )


def beside(db: apsw.Connection, name: str, columns: Sequence[str]) -> Callable[[Any], list[tuple[Any, ...]]]:
    """A function from ids to these columns of their rows, NULL where there is no row."""
    schema, table = place(db, name)
    check_known(db, schema, table, columns)
    keys = db.execute("SELECT name, upper(type) FROM pragma_table_info(?, ?) WHERE pk", (table, schema)).fetchall()
    key, kind = keys[0] if len(keys) == 1 else ("", "")
    if kind != "INTEGER":
        raise ValueError(f"{name} has no INTEGER PRIMARY KEY, by which its rows would be found")
    shown = ", ".join(f"t.{quoted(column)}" for column in columns)
    sql = (
        f"SELECT {shown} FROM ann_ids(?) AS i LEFT JOIN {quoted(table, schema)} AS t ON t.{quoted(str(key))} = i.id"
        " ORDER BY i.n"
    )
    return lambda ids: db.execute(sql, (np.ascontiguousarray(ids, "<i8"),)).fetchall()


LookUp = Callable[[Any], list[tuple[Any, ...]]]


def columns_beside(index: Index, name: str | None, columns: Sequence[str]) -> LookUp:
    """As beside(), of the table that the index is over, or of its keys, where none is named.

    A table that has the column of the keys is joined by that.
    """
    db, (schema, table) = index.db, place(index.db, index.name)
    key = key_column(db, index.name)
    content = db.execute("SELECT value FROM ann_info(?) WHERE key = 'content'", (index.name,)).get
    name = name or content or (f"{table}_key" if key else None)
    if name is None:
        raise ValueError(f"--table says which table has {', '.join(columns)}: {index.name} has vectors alone")
    there, other = place(db, name)
    if not key or (there, other) == (schema, f"{table}_key") or not has_column(db, there, other, key):
        return beside(db, name, columns)
    check_known(db, there, other, columns)
    shown = ", ".join(f"t.{quoted(column)}" for column in columns)
    sql = (
        f"SELECT {shown} FROM ann_ids(?) AS i LEFT JOIN {quoted(f'{table}_key', schema)} AS k ON k.id = i.id"
        f" LEFT JOIN {quoted(other, there)} AS t ON t.{quoted(key)} = k.{quoted(key)} GROUP BY i.n ORDER BY i.n"
    )
    return lambda ids: db.execute(sql, (np.ascontiguousarray(ids, "<i8"),)).fetchall()


def has_column(db: apsw.Connection, schema: str, table: str, column: str) -> bool:
    names = db.execute("SELECT lower(name) FROM pragma_table_xinfo(?, ?)", (table, schema)).fetchall()
    return (column.lower(),) in names
