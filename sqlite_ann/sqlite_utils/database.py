"""The database of a command, and the columns of its tables; what is refused is one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlite_utils import Database
from sqlite_utils.db import quote_identifier
from sqlite_utils.utils import sqlite3

from ..extension import load

CANNOT = (
    "the sqlite3 of this Python was built without loading of extensions: "
    "expected pysqlite3 beside sqlite-utils, which `sqlite-utils install pysqlite3` puts there"
)


def beside(db: Database, index: str, columns: tuple[str, ...]) -> tuple[str, str]:
    """SQL for columns of the indexed table: what is selected, and the join."""
    found = db.execute("SELECT value FROM ann_info(?) WHERE key = 'content'", [index]).fetchone()
    if not found or not found[0]:
        raise click.ClickException(f"{index} is over no table, so that there are no columns to show")
    check_columns(db, found[0], columns)
    table = quote_identifier(found[0])
    return "".join(f", t.{quote_identifier(c)}" for c in columns), f" JOIN {table} AS t ON t.rowid = near.id"


def check_columns(db: Database, table: str, columns: tuple[str, ...]) -> None:
    there = [column.name for column in db[table].columns]
    for name in columns:
        if name not in there:
            raise click.ClickException(f"{table} has no column {name}; it has {', '.join(there)}")


@contextmanager
def opened(path: str) -> Iterator[Database]:
    """The database with the extension in it; what is refused is one sentence."""
    db = Database(path, execute_plugins=False)
    try:
        if not hasattr(db.conn, "enable_load_extension"):
            raise click.ClickException(CANNOT)
        load(db.conn)
        db.execute("SELECT 1 FROM sqlite_master")  # is it a database?
        yield db
    except (sqlite3.Error, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        db.close()
