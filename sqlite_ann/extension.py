"""Finds the compiled extension and loads it into connections.

    loadable_path()       where it is, without the suffix, as SQLite likes it
    load(connection)      into an open connection, of apsw or of a DB-API driver
    connect(path)         a new apsw connection that has it

Nothing is changed in the process: an extension belongs to the connection that loaded it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import resources
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import apsw

from .errors import Error, translated, translation

SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
BUSY_MILLISECONDS = 5000  # what Python's own sqlite3 waits for another writer


class DbApiConnection(Protocol):
    """A connection of pysqlite3, or of a sqlite3 that was built to load extensions."""

    def enable_load_extension(self, enable: bool, /) -> None: ...

    def load_extension(self, path: str, /) -> None: ...


def loadable_path() -> str:
    """The compiled extension, for SQLite's `.load` and for other languages; the suffix is left to SQLite.

    The environment variable SQLITE_ANN_EXTENSION names another build, with or without its suffix. A copy of the file in
    a folder of your own is best called `sqlite_ann`, without suffix: SQLite loads it as `./sqlite_ann`, whereas a
    `sqlite_ann.so` would be taken for this package by Python that runs there.

    >>> import sqlite_ann
    >>> sqlite_ann.loadable_path().endswith("sqlite_ann")
    True
    """
    override = os.environ.get("SQLITE_ANN_EXTENSION")
    files = [override.removesuffix(SUFFIX) + SUFFIX] if override else places()
    for file in files:
        if os.path.isfile(file):  # noqa: PTH113 (the path stays a string)
            return file.removesuffix(SUFFIX)
    wanted = "SQLITE_ANN_EXTENSION names it" if override else "in a source folder, `make build` makes it"
    raise FileNotFoundError(f"the compiled extension {files[0]} is not there ({wanted})")


def places() -> list[str]:
    """Where the library may be, the likeliest first."""
    name = f"sqlite_ann{SUFFIX}"
    # An editable install may have the library and the Python sources in two folders: resources knows both.
    found = [str(resources.files("sqlite_ann").joinpath(name))]
    # In a clone, Python finds the package's sources before an installed package, which alone has the library.
    with suppress(PackageNotFoundError):
        found.append(str(distribution("sqlite_ann").locate_file(f"sqlite_ann/{name}")))
    return found


def load(connection: apsw.Connection | DbApiConnection) -> None:
    """Load the extension into an open connection. Loading of others is left as it was found, or off.

    >>> import apsw, sqlite_ann
    >>> db = apsw.Connection(":memory:")
    >>> sqlite_ann.load(db)
    >>> db.execute("SELECT ann_version()").get == sqlite_ann.__version__
    True
    """
    path = loadable_path()
    if isinstance(connection, apsw.Connection):
        # This switch allows the call below, and never SQL's own load_extension().
        switch = apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION
        with translated():
            before = connection.config(switch, -1)
            connection.config(switch, 1)
            try:
                connection.load_extension(path)
            finally:
                connection.config(switch, before)
    elif hasattr(connection, "enable_load_extension"):
        connection.enable_load_extension(True)
        try:
            connection.load_extension(path)
        finally:
            connection.enable_load_extension(False)
    elif hasattr(connection, "execute"):
        raise Error(
            "this connection's driver was built without loading of extensions: "
            "use sqlite_ann.connect(), or install sqlite_ann[dbapi] and use pysqlite3"
        )
    else:
        raise TypeError(f"expected a connection of apsw or of a DB-API driver, got {type(connection).__name__}")


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
        raise Error(f"unable to open {name}: {reason or refusal}", refusal.code) from error
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
