"""Names of tables and columns, as users give them and as SQL takes them.

Nothing is imported here, since plugins of command lines wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def check_unicode(where: str, text: str) -> None:
    """Refuse half of a surrogate pair, which is no character: nothing can store it.

    >>> check_unicode("keys", "a\\ud800")
    Traceback (most recent call last):
    ValueError: keys: expected text that UTF-8 can hold, got '\\ud800' in it
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        odd = text[error.start]
        raise ValueError(f"{where}: expected text that UTF-8 can hold, got {odd!r} in it") from None


def as_text(value: str) -> str:
    """A text as SQL takes it, where it cannot be bound.

    >>> print(as_text("city's"))
    'city''s'
    """
    return "'" + value.replace("'", "''") + "'"


def resolved(db: apsw.Connection, name: str) -> tuple[str | None, str]:
    """Schema and table, by the rule of ann_search(): a table of that name, else cut at the first dot.

    >>> import apsw
    >>> resolved(apsw.Connection(":memory:"), "temp.songs")
    ('temp', 'songs')
    """
    schema, _, table = name.partition(".")
    schemas = ["temp", *(row[1].lower() for row in db.execute("PRAGMA database_list"))]
    if table and schema.lower() in schemas and not db.table_exists(None, name):
        return schema, table
    return None, name


def place(db: apsw.Connection, name: str) -> tuple[str, str]:
    """As resolved(), with the schema in which a name without one is found; main, where there is no such table.

    >>> import apsw
    >>> place(apsw.Connection(":memory:"), "songs")
    ('main', 'songs')
    """
    schema, table = resolved(db, name)
    if schema is not None:
        return schema, table
    schemas = [str(row[1]) for row in db.execute("PRAGMA database_list")]
    return next((s for s in ("temp", *schemas) if db.table_exists(s, table)), "main"), table
