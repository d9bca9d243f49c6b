"""The only place where SQLite's codes become exceptions.

| what happened                                            | exception                                     |
| -------------------------------------------------------- | --------------------------------------------- |
| SQLite or the extension refused, `code` says what        | Error, caused by apsw's own                   |
| … of these, some that a program may want to tell apart   | Busy, ReadOnly, Duplicate, Damaged, Interrupted |
| an array of the wrong shape or size, an option not known | ValueError                                    |
| something that is no array of numbers, no connection     | TypeError                                     |
| an id that is not there, where it has to be              | KeyError                                      |

All of Error stands under apsw.Error, and each of the five under apsw's class for the same code: `except
apsw.BusyError` catches what a method of `Index` raised and what a statement did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isfunction, unwrap
from typing import TypeVar

import apsw

Class = TypeVar("Class", bound=type)


class Error(apsw.Error):
    """What SQLite or the extension refused, in its words; `code` is SQLite's extended result code.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> index = sqlite_ann.Index.create(db, "v", dim=1)
    >>> index.add(7, [1])
    >>> try:
    ...     index.add(7, [2])
    ... except sqlite_ann.Error as error:
    ...     print(type(error).__name__, error.code == apsw.SQLITE_CONSTRAINT_ROWID)
    Duplicate True
    """

    def __init__(self, message: str, code: int = apsw.SQLITE_ERROR) -> None:
        super().__init__(message)
        self.code = code
        self.result, self.extendedresult = code & 0xFF, code  # as on every error of apsw's


class Busy(Error, apsw.BusyError):
    """Another connection writes to the file, or reads what is to be overwritten: try again."""


class ReadOnly(Error, apsw.ReadOnlyError):
    """The file, its folder or the connection does not allow to write."""


class Duplicate(Error, apsw.ConstraintError):
    """The id is there already."""


class Damaged(Error, apsw.CorruptError):
    """What is stored contradicts itself; `Index.check` says where."""


class Interrupted(Error, apsw.InterruptError):
    """`Connection.interrupt` was called, or a progress handler said to stop."""


KINDS: dict[int, type[Error]] = {
    apsw.SQLITE_BUSY: Busy,
    apsw.SQLITE_READONLY: ReadOnly,
    apsw.SQLITE_CONSTRAINT_ROWID: Duplicate,
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY: Duplicate,
    apsw.SQLITE_CONSTRAINT_UNIQUE: Duplicate,
    apsw.SQLITE_CORRUPT: Damaged,
    apsw.SQLITE_INTERRUPT: Interrupted,
}


def kind_of(code: int) -> type[Error]:
    """The class for an extended result code.

    >>> kind_of(apsw.SQLITE_BUSY_SNAPSHOT).__name__, kind_of(apsw.SQLITE_FULL).__name__
    ('Busy', 'Error')
    """
    return KINDS.get(code) or KINDS.get(code & 0xFF, Error)


def translation(error: apsw.Error, where: str = "", first_query: int = 0) -> Error:
    """The Error for what apsw raised; its message begins with `where`.

    `first_query`: the number of the first query of the statement, which counts from 0.

    >>> str(translation(apsw.SQLError("SQLError: v, query[2]: expected 3 components, got 2"), first_query=100))
    'v, query[102]: expected 3 components, got 2'
    """
    # apsw writes its exception's name before SQLite's message; a code of 0 is apsw's own complaint.
    message = str(error).removeprefix(f"{type(error).__name__}: ")
    message = re.sub(r"\bquery\[(\d+)\]", lambda n: f"query[{int(n[1]) + first_query}]", message, count=1)
    code = getattr(error, "extendedresult", 0) or apsw.SQLITE_ERROR
    return kind_of(code)(where + message, code)


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
    except Error:
        raise
    except apsw.Error as error:
        raise translation(error) from error


def known_as(public: str) -> Callable[[Class], Class]:
    """Let Python's own errors name the class of `sqlite_ann` that a method is called on, not the one it is written in.

    >>> import sqlite_ann
    >>> sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1).optimize(now=True)
    Traceback (most recent call last):
    TypeError: Index.optimize() got an unexpected keyword argument 'now'
    """

    def rename(written: Class) -> Class:
        for method in vars(written).values():
            function = unwrap(method)
            if isfunction(function):
                # both, for pickle finds a function by them
                function.__module__, function.__qualname__ = "sqlite_ann", f"{public}.{function.__name__}"
        return written

    return rename
