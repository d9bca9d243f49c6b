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
| Error                                 | what SQLite or the extension refused                              |
"""

from importlib.metadata import version

from .errors import Error
from .extension import connect, load, loadable_path
from .index import Index

__all__ = ["Error", "Index", "__version__", "connect", "load", "loadable_path"]
__version__ = version("sqlite_ann")
