"""Keeps Alembic away from the indexes and their tables, which no model describes.

In env.py, where the context is configured:

    context.configure(connection=connection, target_metadata=Base.metadata, include_name=include_name(connection))

Otherwise `alembic revision --autogenerate` writes a migration that drops them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, text

from ..shadows import shadows, vector_tables


def include_name(
    connection: Connection, then: Callable[..., bool] | None = None
) -> Callable[[str | None, str, Mapping[str, Any]], bool]:
    """A function for Alembic's `include_name`; all other names are included, or those that `then` includes.

    It looks when it is asked, so that it knows of indexes that a migration has made; the extension need not be loaded.
    """

    def is_included(name: str | None, type_: str, parent_names: Mapping[str, Any]) -> bool:
        if type_ == "table" and name is not None and name in _ours(connection, parent_names.get("schema_name")):
            return False
        return then is None or then(name, type_, parent_names)

    return is_included


def _ours(connection: Connection, schema: str | None) -> list[str]:
    of = connection.dialect.identifier_preparer.quote(schema or "main")
    schemas = connection.execute(text(f"SELECT name, sql FROM {of}.sqlite_master WHERE type = 'table'"))
    found = [(name, made) for name, made in schemas]
    tables = vector_tables(found)
    return tables + shadows((name for name, _ in found), tables)
