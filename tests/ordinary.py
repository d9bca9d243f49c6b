"""The ordinary table under an index with `content`, as docs/FORMAT.md says that it is found: by the triggers on it."""

from __future__ import annotations

import re
from typing import Any

import apsw

TRIGGERS = ("insert", "update", "delete")
SHADOWS = {
    "config": "id INTEGER PRIMARY KEY, name TEXT, value",
    "pages": "id INTEGER PRIMARY KEY, data BLOB",
    "places": "id INTEGER PRIMARY KEY, pages BLOB",
    "waiting": "id INTEGER PRIMARY KEY, last INTEGER",
    "changes": "id INTEGER PRIMARY KEY",
}


def table_of(db: apsw.Connection, name: str) -> tuple[str, str, str]:
    """Its name, its key, and the column of vectors, whatever they are called by now."""
    sql = "SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?"
    tables, texts = zip(*(db.execute(sql, (f"{name}_{suffix}",)).fetchone() for suffix in TRIGGERS), strict=True)
    assert len(set(tables)) == 1
    begin = 'CREATE TRIGGER "{}_update" AFTER UPDATE ON "{}" WHEN new.'
    begin = begin.format(*(it.replace('"', '""') for it in (name, tables[0])))
    vector = re.match(r'"((?:[^"]|"")+)" IS NOT ', texts[1].removeprefix(begin))
    assert vector
    key = db.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk = 1", (tables[0],)).get
    return tables[0], key, vector[1].replace('""', '"')


def rows(db: apsw.Connection, name: str) -> tuple[dict[int, Any], set[int]]:
    """What is in the column of vectors and not NULL; and the ids that were noted."""
    table, key, vector = (it.replace('"', '""') for it in table_of(db, name))
    found = db.execute(f'SELECT "{key}", "{vector}" FROM "{table}" WHERE "{vector}" IS NOT NULL').fetchall()
    return dict(found), {id_ for (id_,) in db.execute(f'SELECT id FROM "{name}_changes"')}
