"""Opens databases with the extension loaded, and says why one cannot be opened.

connect(path)                 a connection of apsw's that has it
Cursor                        its cursors, which bind numpy's numbers as numbers
prepare(connection)           read the file's header, and load the extension
why_not_opened(name, flags)   the reason, where the folders show one
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
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

    A number of numpy's, such as an id of an answer, is bound as a number; apsw by itself binds its bytes as a blob.

    >>> import numpy as np
    >>> with sqlite_ann.connect(":memory:") as db:
    ...     db.execute("SELECT typeof(?)", (np.int64(7),)).get
    'integer'
    """
    name, flags = place(path, options.pop("flags", None))
    try:
        connection = apsw.Connection(name, flags=flags, **options)
        try:
            prepare(connection)
        except BaseException:
            connection.close()
            raise
    except Error:  # of the extension, and not of the file
        raise
    except apsw.Error as error:
        raise not_opened(error, name, flags) from error
    return connection


class Cursor(apsw.Cursor):
    """A cursor that binds a scalar of numpy's as Python's own: as a blob, an id is equal to none, without an error."""

    def execute(self, statements: str, bindings: Any = None, **options: Any) -> apsw.Cursor:
        return super().execute(statements, None if bindings is None else plain_bindings(bindings), **options)

    def executemany(self, statements: str, sequenceofbindings: Iterable[Any], **options: Any) -> apsw.Cursor:
        return super().executemany(statements, map(plain_bindings, sequenceofbindings), **options)


def plain_bindings(bindings: Any) -> Any:
    """The same values, with Python's own in the place of scalars of numpy's, for which numpy need not be imported."""
    if isinstance(bindings, tuple | list) and not any(map(is_scalar, map(type, bindings))):
        return bindings  # the usual case, which is soon seen
    if isinstance(bindings, Mapping):
        return {name: plain(value) for name, value in bindings.items()}
    # apsw knows the marker of its own for no values at all, and refuses the rest
    return [plain(value) for value in bindings] if isinstance(bindings, Iterable) else bindings


@cache
def is_scalar(kind: type) -> bool:
    """Is a value of this type a scalar of numpy's?  Looked up once for each type."""
    return any((base.__module__, base.__name__) == ("numpy", "generic") for base in kind.__mro__)


def plain(value: Any) -> Any:
    return value.item() if is_scalar(type(value)) else value  # type: ignore[arg-type]  # types are hashable


def place(path: str | os.PathLike[str], flags: int | None) -> tuple[str, int]:
    """What SQLite is to open, and how."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if flags is None else flags
    is_uri = isinstance(path, str) and path.startswith("file:")
    return os.fspath(path), flags | (apsw.SQLITE_OPEN_URI if is_uri else 0)


def prepare(connection: apsw.Connection) -> None:
    """Look at the file's header, which SQLite leaves to the first statement, load the extension, bind numpy's numbers.

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
    connection.cursor_factory = Cursor
    load_into_apsw(connection, loadable_path())


def not_opened(error: apsw.Error, name: str, flags: int) -> Error:
    """The Error that names what could not be opened, and the reason where there is a better one than SQLite's."""
    refusal = translation(error)
    reason = why_not_opened(name, flags) if isinstance(error, apsw.CantOpenError | apsw.IOError) else None
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
