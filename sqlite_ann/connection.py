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

from .errors import kind_of, translation
from .extension import load

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
    name, flags = os.fspath(path), options.pop("flags", apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    if isinstance(path, str) and path.startswith("file:"):
        flags |= apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(name, flags=flags, **options)
        look_at(connection)
    except apsw.Error as error:
        refusal = translation(error)
        reason = why_not_opened(name, flags) if isinstance(error, apsw.CantOpenError) else None
        raise kind_of(refusal.code)(f"unable to open {name}: {reason or refusal}", refusal.code) from error
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    load(connection)
    return connection


def look_at(connection: apsw.Connection) -> None:
    """Read the file's header, which SQLite leaves to the first statement; close what is no database.

    The schema is not read, so that `PRAGMA encoding` can still be said to a new database. A file that is busy, or
    damaged further on, is left to whoever uses it.
    """
    try:
        _ = connection.execute("PRAGMA schema_version").get
    except (apsw.CantOpenError, apsw.NotADBError):
        connection.close()
        raise
    except apsw.Error:
        pass


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
