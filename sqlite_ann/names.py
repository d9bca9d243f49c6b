"""Names of tables and columns, as users give them and as SQL takes them."""

from __future__ import annotations

import apsw


def quoted(name: str, schema: str | None = None) -> str:
    """A name as SQL takes it, whatever is in it.

    >>> print(quoted('two "odd" words', "main"))
    "main"."two ""odd"" words"
    """
    if "\0" in name:
        raise ValueError(f"a name cannot hold a zero character: {name!r}")
    name = '"' + name.replace('"', '""') + '"'
    return name if schema is None else f"{quoted(schema)}.{name}"


def resolved(db: apsw.Connection, name: str) -> tuple[str | None, str]:
    """Schema and table, by the rule of ann_search(): a table of that name, else cut at the first dot.

    >>> resolved(apsw.Connection(":memory:"), "temp.songs")
    ('temp', 'songs')
    """
    schema, _, table = name.partition(".")
    schemas = ["temp", *(row[1].lower() for row in db.execute("PRAGMA database_list"))]
    if table and schema.lower() in schemas and not db.table_exists(None, name):
        return schema, table
    return None, name
