"""Finds the compiled extension and loads it into connections.

    loadable_path()       where it is, without the suffix, as SQLite likes it
    load(connection)      into an open connection, of apsw or of a DB-API driver

Nothing is changed in the process: an extension belongs to the connection that loaded it. Programs that load it each
time they start should not wait for more than that: neither apsw nor numpy is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, overload

if TYPE_CHECKING:
    import apsw

SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")


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
    tried = []
    for file in [override.removesuffix(SUFFIX) + SUFFIX] if override else places():
        if os.path.isfile(file):  # noqa: PTH113 (the path stays a string)
            return file.removesuffix(SUFFIX)
        tried.append(file)
    wanted = (
        "SQLITE_ANN_EXTENSION names it"
        if override
        else "in a source folder, `make build` makes it; of an installed package, `pip install --force-reinstall` does"
    )
    raise FileNotFoundError(f"the compiled extension {tried[0]} is not there ({wanted})")


def places() -> Iterator[str]:
    """Where the library may be, the likeliest first."""
    name = f"sqlite_ann{SUFFIX}"
    yield os.path.join(os.path.dirname(__file__), name)  # noqa: PTH118, PTH120 (pathlib takes longer to import)

    from importlib import metadata, resources

    # An editable install may have the library and the Python sources in two folders: resources knows both.
    yield str(resources.files("sqlite_ann").joinpath(name))
    # In a clone, Python finds the package's sources before an installed package, which alone has the library.
    try:
        yield str(metadata.distribution("sqlite_ann").locate_file(f"sqlite_ann/{name}"))
    except metadata.PackageNotFoundError:
        return


@overload
def load(connection: apsw.Connection | DbApiConnection) -> None: ...
@overload
def load(connection: apsw.AsyncConnection) -> Awaitable[None]: ...
def load(connection: Any) -> Awaitable[None] | None:
    """Load the extension into an open connection. Loading of others is left as it was found, or off.

    Into one of apsw's async connections: `await load(connection)`.

    >>> import apsw, sqlite_ann
    >>> db = apsw.Connection(":memory:")
    >>> sqlite_ann.load(db)
    >>> db.execute("SELECT ann_version()").get == sqlite_ann.__version__
    True
    """
    path = loadable_path()
    apsw = sys.modules.get("apsw")  # who has a connection of apsw's has imported it
    if apsw and isinstance(connection, apsw.Connection):
        from .errors import translated

        with translated():
            if getattr(connection, "is_async", False):
                loading: Awaitable[None] = connection.async_run(load_into_apsw, connection, path)
                return loading
            load_into_apsw(connection, path)
    elif hasattr(connection, "enable_load_extension"):
        connection.enable_load_extension(True)
        try:
            load_or_copy(connection.load_extension, path, type(connection).__module__)
        finally:
            connection.enable_load_extension(False)
    elif hasattr(connection, "execute"):
        from .errors import Error

        raise Error(
            "this connection's driver was built without loading of extensions: "
            "use sqlite_ann.connect(), or install sqlite_ann[dbapi] and use pysqlite3"
        )
    else:
        raise TypeError(f"expected a connection of apsw or of a DB-API driver, got {type(connection).__name__}")
    return None


def load_into_apsw(connection: apsw.Connection, path: str) -> None:
    import apsw

    from .errors import translated

    # This switch allows the call below, and never SQL's own load_extension().
    switch = apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION
    with translated():
        before = connection.config(switch, -1)
        connection.config(switch, 1)
        try:
            load_or_copy(connection.load_extension, path, "apsw")
        finally:
            connection.config(switch, before)


COPIES: dict[str, str] = {}  # what a driver loads that was not the first in this process


def load_or_copy(load: Callable[[str], object], path: str, driver: str) -> None:
    """Load the extension; a driver with another SQLite than one that has it already gets a copy of the file.

    A library that is loaded calls one SQLite. apsw has its own, and pysqlite3 or Python's sqlite3 another.
    """
    copy = COPIES.get(driver)
    if copy and not os.path.isfile(copy + SUFFIX):  # noqa: PTH113 (who cleans the folder, or made it before a fork)
        copy = COPIES[driver] = copied(path)
    try:
        refuse_cut_off(path + SUFFIX)
        load(copy or path)
    except Exception as error:
        explain(error, path + SUFFIX)
        if copy or "expected one SQLite library in a process" not in str(error):
            raise
        COPIES[driver] = copied(path)
        load(COPIES[driver])


WHOLE: set[str] = set()  # libraries that were looked at


def refuse_cut_off(file: str) -> None:
    if file in WHOLE:
        return
    from .machine import cut_off

    if reason := cut_off(file):
        from .errors import Error

        raise Error(reason)
    WHOLE.add(file)


def explain(error: Exception, file: str) -> None:
    """Raise what a linker does not say: that the file is another platform's."""
    from .machine import foreign

    if reason := foreign(file):
        from .errors import Error

        raise Error(reason) from error


def copied(path: str) -> str:
    """A copy of the extension that is there as long as this process."""
    import atexit
    import shutil
    import tempfile

    folder, owner = tempfile.mkdtemp(prefix="sqlite_ann-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a fork has inherited the folder, and this function
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    shutil.copy(path + SUFFIX, folder)
    return os.path.join(folder, os.path.basename(path))  # noqa: PTH118, PTH119
