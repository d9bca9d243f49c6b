"""A plugin for datasette: `datasette install sqlite_ann pysqlite3` puts it beside it.

Every connection has the extension, where the driver can load one; the tables that hold an index are hidden. On
datasette 1.0 the page of a row of an indexed table begins with rows like it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from datasette import hookimpl

from ..extension import load
from ..shadows import shadows, vector_tables
from .likeness import actions, html_of

# The shadow tables of each database of each datasette, as its newest connection found them.
_hidden: WeakKeyDictionary[Any, dict[str, list[str]]] = WeakKeyDictionary()


@hookimpl
def prepare_connection(conn: Any, database: str, datasette: Any) -> None:
    """Load the extension; a driver that cannot is left alone, since most pages have no use for it."""
    if hasattr(conn, "enable_load_extension"):
        with suppress(FileNotFoundError):
            load(conn)
    schema = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    names = shadows((name for name, _ in schema), vector_tables(map(tuple, schema)))
    _hidden.setdefault(datasette, {})[database] = names
    if names and hasattr(datasette, "config"):  # 1.0 hides shadow tables itself, but for the one that triggers write to
        tables = datasette.config.setdefault("databases", {}).setdefault(database, {}).setdefault("tables", {})
        for name in names:
            if name.endswith("_changes"):
                tables.setdefault(name, {}).setdefault("hidden", True)


@hookimpl(optionalhook=True)
def get_metadata(datasette: Any) -> dict[str, Any]:
    """Of datasette 0: what is hidden is told by metadata."""
    found = _hidden.get(datasette, {})
    return {"databases": {at: {"tables": {name: {"hidden": True} for name in names}} for at, names in found.items()}}


@hookimpl(optionalhook=True)
def top_row(datasette: Any, database: str, table: str, row: Any) -> Any:
    """Of datasette 1.0: rows like the one whose page it is."""
    return lambda: html_of(datasette, database, table, row)


@hookimpl(optionalhook=True)
def row_actions(datasette: Any, actor: Any, database: str, table: str, row: Any) -> Any:
    """Of datasette 1.0: the search as a query, to change and to share."""
    return lambda: actions(datasette, actor, database, table, row)
