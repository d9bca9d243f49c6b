"""Approximate nearest neighbours inside SQLite: vectors and their index in one ordinary database file.

    >>> import numpy as np, sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> index = sqlite_ann.Index.create(db, "song_ann", dim=2, metric="l2")
    >>> index.add([7, 8, 9], [[0, 0], [3, 4], [6, 8]])
    >>> ids, distances = index.search([3, 3], k=2)
    >>> ids.tolist(), distances.tolist()
    ([8, 7], [1.0, 4.242640687119285])

| name                                  | what for                                                          |
| ------------------------------------- | ----------------------------------------------------------------- |
| connect(path), load(connection)       | a connection with the extension in it                             |
| loadable_path()                       | the compiled extension, for `.load` and other languages           |
| Index                                 | one vector table: add, search, remove, get, optimize, check, …    |
| indexes(db)                           | the names of the vector tables that are there                     |
| connect_async(path), AsyncIndex       | the same for programs that await                                  |
| Collection, Document                  | documents with keys, texts, metadata and vectors in one table     |
| Found                                 | what a search gives: ids and distances                            |
| Error                                 | what SQLite or the extension refused                              |
| Busy, ReadOnly, Duplicate, Damaged, Interrupted | kinds of Error                                          |

docs/PYTHON.md tells of all of them.
"""

from typing import TYPE_CHECKING, Any

from .extension import load, loadable_path

if TYPE_CHECKING:
    from .aio import AsyncIndex, connect_async
    from .answers import Found
    from .catalog import indexes
    from .collection.collection import Collection
    from .collection.document import Document
    from .connection import connect
    from .errors import Busy, Damaged, Duplicate, Error, Interrupted, ReadOnly
    from .index import Index

__version__ = "0.1.0"  # that of pyproject.toml

# What needs apsw or numpy is imported when it is asked for: to load the extension, neither is wanted.
_LATER = {
    "aio": ["AsyncIndex", "connect_async"],
    "answers": ["Found"],
    "catalog": ["indexes"],
    "collection.collection": ["Collection"],
    "collection.document": ["Document"],
    "connection": ["connect"],
    "errors": ["Busy", "Damaged", "Duplicate", "Error", "Interrupted", "ReadOnly"],
    "index": ["Index"],
}

__all__ = [
    "AsyncIndex",
    "Busy",
    "Collection",
    "Damaged",
    "Document",
    "Duplicate",
    "Error",
    "Found",
    "Index",
    "Interrupted",
    "ReadOnly",
    "__version__",
    "connect",
    "connect_async",
    "indexes",
    "load",
    "loadable_path",
]


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            from importlib import import_module

            value = getattr(import_module(f".{module}", __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
