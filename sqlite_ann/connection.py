"""Opens databases with the extension loaded, and says why one cannot be opened.

connect(path)                 a connection of apsw's that has it
look_at(connection)           read the file's header, which SQLite leaves to the first statement
why_not_opened(name, flags)   the reason, where the folders show one
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import apsw

from .errors import Error, translation
from .extension import load_into_apsw, loadable_path

BUSY_MILLISECONDS = 5000  # what Python's own sqlite3 waits for another writer


def connect(path: str | os.PathLike[str], **options: Any) -> apsw.Connection:
    """Open a database with the extension loaded; options go to apsw.Connection, as in `flags=`, `vfs=`.

    Text that begins with "file:" is a URI, as in "file:songs.db?mode=ro"; a pathlib.Path never is one. It waits up to
    five seconds for another writer, as Python's own sqlite3 does. What cannot be opened, or is no database, is an
    Error that names it.

    >>> import sqlite_ann
    >>> with sqlite_ann.connect(":memory:") as db:
    ...     db.execute("SELECT ann_distance('[0,3]', '[4,0]', 'l2')").get
    5.0
    """
    name, flags = place(path, options.pop("flags", None))
    try:
        connection = apsw.Connection(name, flags=flags, **options)
        try:
            prepare(connection)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise not_opened(error, name, flags) from error
    return connection


def place(path: str | os.PathLike[str], flags: int | None) -> tuple[str, int]:
    """What SQLite is to open, and how."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if flags is None else flags
    is_uri = isinstance(path, str) and path.startswith("file:")
    return os.fspath(path), flags | (apsw.SQLITE_OPEN_URI if is_uri else 0)


def prepare(connection: apsw.Connection) -> None:
    """Look at the file's header, which SQLite leaves to the first statement, and load the extension.

    The schema is not read, so that `PRAGMA encoding` can still be said to a new database. A file that is busy, or
    damaged further on, is left to whoever uses it.
    """
    try:
        _ = connection.execute("PRAGMA schema_version").get
    except (apsw.CantOpenError, apsw.NotADBError):
        raise
    except apsw.Error:
        pass
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    load_into_apsw(connection, loadable_path())


def not_opened(error: apsw.Error, name: str, flags: int) -> Error:
    """The Error that names what could not be opened, and the reason where there is a better one than SQLite's."""
    refusal = translation(error)
    reason = why_not_opened(name, flags) if isinstance(error, apsw.CantOpenError) else None
    return type(refusal)(f"unable to open {name}: {reason or refusal}", refusal.code)


def why_not_opened(name: str, flags: int) -> str | None:
    """The reason, where the folders show one; SQLite itself says no more than that it is unable to.

    >>> why_not_opened("no such folder/songs.db", apsw.SQLITE_OPEN_READONLY)
    'there is no folder no such folder'
    """
    is_uri = flags & apsw.SQLITE_OPEN_URI and name.startswith("file:")
    file = Path(unquote(urlsplit(name).path) if is_uri else name)
    if file.is_dir():
        return "it is a folder"
    if not file.parent.is_dir():
        return f"there is no folder {file.parent}"
    if file.exists():
        return None if os.access(file, os.R_OK) else "there is no permission to read it"
    return "there is no such file" if os.access(file.parent, os.W_OK) else f"{file.parent} cannot be written to"
