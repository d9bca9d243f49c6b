"""The only place where SQLite's codes become exceptions.

| what happened                                            | exception                          |
| -------------------------------------------------------- | ---------------------------------- |
| SQLite or the extension refused, `code` says what        | Error, caused by apsw's own        |
| an array of the wrong shape or size, an option not known | ValueError                         |
| something that is no array of numbers, no connection     | TypeError                          |
| `Index.get` of an id that is not there                   | KeyError                           |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


class Error(Exception):
    """What SQLite or the extension refused, in its words; `code` is SQLite's extended result code.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> index = sqlite_ann.Index.create(db, "v", dim=1)
    >>> index.add(7, [1])
    >>> try:
    ...     index.add(7, [2])
    ... except sqlite_ann.Error as error:
    ...     print(error.code == apsw.SQLITE_CONSTRAINT_ROWID)
    True
    """

    def __init__(self, message: str, code: int = apsw.SQLITE_ERROR) -> None:
        super().__init__(message)
        self.code = code


def translation(error: apsw.Error, where: str = "") -> Error:
    """The Error for what apsw raised; its message begins with `where`."""
    # apsw writes its exception's name before SQLite's message; a code of 0 is apsw's own complaint.
    message = str(error).removeprefix(f"{type(error).__name__}: ")
    return Error(where + message, getattr(error, "extendedresult", 0) or apsw.SQLITE_ERROR)


@contextmanager
def translated() -> Iterator[None]:
    """Everything apsw raises inside leaves as an Error; also to decorate a function with.

    >>> with translated():
    ...     apsw.Connection(":memory:").execute("SELECT * FROM songs")
    Traceback (most recent call last):
    sqlite_ann.errors.Error: no such table: songs
    """
    try:
        yield
    except apsw.Error as error:
        raise translation(error) from error
