"""Which vector tables a database has, and what they were made with.

indexes(db)                        their names
key_column(db, name)               the column of a table's keys, where keys are kept beside it
refuse_other(db, found, wanted)    an error where a table is not what was asked for
"""

from __future__ import annotations

import os
from contextlib import closing

import apsw

from .connection import connect
from .errors import Error, translated
from .names import place, quoted, resolved
from .shadows import vector_tables

# By its name alone, such a table might be about anything: the keys that songs are sung in are not unique.
KEY_COLUMN = """
SELECT k.name FROM pragma_table_info(?1, ?2) AS i, pragma_table_info(?1, ?2) AS k, pragma_index_list(?1, ?2) AS u
 WHERE i.cid = 0 AND i.name = 'id' COLLATE NOCASE AND i.type = 'INTEGER' COLLATE NOCASE AND i.pk = 1
   AND k.cid = 1 AND k.type = 'TEXT' COLLATE NOCASE AND k."notnull" AND NOT k.pk
   AND u.origin = 'u' AND (SELECT json_group_array(name) FROM pragma_index_info(u.name, ?2)) = json_array(k.name)
   AND NOT EXISTS (SELECT 1 FROM ann_info(?3) WHERE key = 'content' AND value IS NOT NULL)"""

TRIAL = "what exists_ok compares with"


def indexes(db: apsw.Connection | str | os.PathLike[str]) -> list[str]:
    """The names of the vector tables, as `Index` takes them; those of attached databases come with their schema.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> for name in ("word_ann", "song_ann"):
    ...     _ = sqlite_ann.Index.create(db, name, dim=2)
    >>> sqlite_ann.indexes(db)
    ['song_ann', 'word_ann']
    """
    if not isinstance(db, apsw.Connection):
        with closing(connect(db, flags=apsw.SQLITE_OPEN_READONLY)) as opened:
            return indexes(opened)
    found: list[str] = []
    with translated():
        hidden = {name.lower() for (name,) in db.execute("SELECT name FROM temp.sqlite_schema")}
        for schema in [str(row[1]) for row in db.execute("PRAGMA database_list").fetchall()]:
            sql = f"SELECT name, sql FROM {quoted(schema)}.sqlite_schema WHERE type = 'table' AND sql LIKE '%ann%'"
            names = vector_tables(db.execute(sql))
            found += [n if schema == "main" and n.lower() not in hidden else f"{schema}.{n}" for n in names]
    return found


def key_column(db: apsw.Connection, name: str) -> str | None:
    """The column of the text keys of an index, where a table of them, as sqlite_ann/keys.py makes it, stands beside it.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> _ = sqlite_ann.Index.create(db, "song_ann", dim=2, key="uuid")
    >>> key_column(db, "song_ann")
    'uuid'
    """
    schema, table = place(db, name)
    column: str | None = db.execute(KEY_COLUMN, (f"{table}_key", schema, name)).get
    return column


def refuse_other(
    db: apsw.Connection,
    name: str,
    definition: str,
    wanted: list[str],
    content: str | None = None,
    content_rowid: str | None = None,
) -> None:
    """Refuse a table that differs from its definition in what was said of it.

    An empty table made by the same definition says what is meant: names have synonyms, and numbers are rounded.
    `content` is no part of it, since that table would be watched; nor is `content_rowid`, its primary key.
    """
    db.execute(f"CREATE VIRTUAL TABLE {quoted(TRIAL, 'temp')} USING {definition}")
    try:
        there, meant = _about(db, name), _about(db, f"temp.{TRIAL}")
    finally:
        db.execute(f"DROP TABLE {quoted(TRIAL, 'temp')}")
    if there["content"] is not None:
        schema, _ = resolved(db, name)
        key_of = "SELECT name FROM pragma_table_info(?, ?) WHERE pk"
        there["content_rowid"] = db.execute(key_of, (there["content"], schema)).get
    for key, given in (("content", content), ("content_rowid", content_rowid)):
        if given is not None:
            is_same = str(there.get(key)).lower() == given.lower()
            meant[key] = there.get(key) if is_same else given
    for key in map(str.lower, wanted):
        if key in meant and there.get(key) != meant[key]:
            what = {"dimensions": "dim"}.get(key, key)
            raise Error(f"{name} is there already, with {what} {there.get(key)}: expected {what} {meant[key]}")


def _about(db: apsw.Connection, name: str) -> dict[str, object]:
    keys = "'dimensions', 'type', 'metric', 'seed', 'trees', 'leaf_capacity', 'column', 'content'"
    return dict(db.execute(f"SELECT key, value FROM ann_info(?) WHERE key IN ({keys})", (name,)))
