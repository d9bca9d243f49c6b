"""AnnoyIndex: each call of Annoy's, by a table of ours.

Where the items are:

    add_item   → _pending, in memory, until something asks for the table
    build      → _table, a database in memory, or in the file of on_disk_build
    load, save → _table, a file opened to read; or _file, an .ann of Annoy's own, whose items go to a table in memory
                 when something first searches
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from operator import index as whole
from pathlib import Path
from threading import RLock
from typing import Literal, NoReturn, overload

import apsw

from ..connection import connect
from .codec import Vector, codec
from .metric import METRICS
from .reading import AnnFile
from .table import Found, Table, started

RECALL = 0.99  # what is asked for when `search_k` is not given; docs/ANNOY.md has the measurements
PENDING_BYTES = 32 << 20  # items that wait in memory before they go to the table
LEAF = 256  # entries of a leaf of ours, at most; Annoy's have f + 2
MAX_F = 65536


class AnnoyIndex:
    """An index of vectors of `f` dimensions with Annoy's interface; `metric` is one of Annoy's five.

    >>> songs = AnnoyIndex(2, "angular")
    >>> songs.add_item(0, [1, 0])
    >>> songs.add_item(1, [0, 1])
    >>> songs.build(10)
    True
    >>> songs.get_nns_by_item(0, 2)
    [0, 1]
    """

    def __init__(self, f: int, metric: str | None = None) -> None:
        self.f = whole(f)
        if metric is None:
            warnings.warn(
                "AnnoyIndex without a metric takes angular: pass metric='angular', which Annoy will require",
                FutureWarning,
                stacklevel=2,
            )
            metric = "angular"
        if metric not in METRICS:
            raise ValueError(f"No such metric: expected one of {', '.join(METRICS)}, got {metric!r}")
        if not 1 <= self.f <= MAX_F:
            raise ValueError(f"f: expected 1 to {MAX_F} dimensions, got {f}")
        self._metric = METRICS[metric]
        self._codec = codec(self._metric, self.f)
        self._lock = RLock()  # a connection serves one thread at a time; a search lets the others run
        self._is_verbose = False
        self._reset()
        _alive.add(self)

    def _reset(self) -> None:
        """As new, but for `verbose`."""
        self._pending: dict[int, bytes] = {}
        self._table: Table | None = None
        self._file: AnnFile | None = None
        self._path: str | None = None  # of the file that was loaded
        self._n_items = 0
        self._n_trees = 0
        self._seed = 0
        self._is_built = False
        self._is_loaded = False
        self._is_on_disk = False

    # --- items -----------------------------------------------------------------------------------

    def add_item(self, i: int, vector: Vector) -> None:
        """Add item `i`, any number from 0, in the place of one that has it; after `build` too."""
        i = whole(i)
        if i < 0:
            raise IndexError("Item index can not be negative")
        blob = self._codec.pack(vector)
        if self._is_loaded:
            raise Exception("You can't add an item to a loaded index")
        with self._lock:
            self._pending[i] = blob
            if i >= self._n_items:
                self._n_items = i + 1
            if len(self._pending) * len(blob) >= PENDING_BYTES:
                self._ready()

    def get_item_vector(self, i: int, /) -> list[float]:
        """The vector of item `i`: zeros, if it was never added."""
        return self._codec.unpack(self._blob(i))

    def get_distance(self, i: int, j: int, /) -> float:
        """The distance between two items; for dot their product."""
        a, b = self._blob(i), self._blob(j)
        with self._lock:
            return self._opened_table().distance(a, b)

    def get_n_items(self) -> int:
        """One more than the highest item."""
        return self._n_items

    def _blob(self, i: int) -> bytes:
        """An item's bytes, wherever they are."""
        i = whole(i)
        if i < 0:
            raise IndexError("Item index can not be negative")
        if i >= self._n_items:
            raise IndexError("Item index larger than the largest item index")
        blob = self._pending.get(i)
        if blob is None:
            with self._lock:
                if self._file is not None:
                    blob = self._file.vector(i)
                elif self._table is not None:
                    blob = self._table.vector(i)
        return self._codec.zero if blob is None else blob

    # --- the forest ------------------------------------------------------------------------------

    def build(self, n_trees: int, n_jobs: int = -1) -> Literal[True]:
        """Plant the forest. It is ours, whatever `n_trees`; `get_n_trees` says it again. -1 leaves the number to us."""
        n_trees, n_jobs = whole(n_trees), whole(n_jobs)
        if n_trees < -1:
            raise ValueError(f"n_trees: expected -1 or at least 0, got {n_trees}")
        if n_jobs < 1 and n_jobs != -1:
            raise ValueError(f"n_jobs: expected -1 or at least 1, got {n_jobs}")
        if self._is_loaded:
            raise Exception("You can't build a loaded index")
        if self._is_built:
            raise Exception("You can't build a built index")
        with self._lock:
            self._say(f"building over {self._n_items} items")
            self._n_trees = self._ready().plant(n_trees, self._seed, n_jobs)
            self._is_built = True
            self._say(f"built, {self._n_trees} trees")
        return True

    def unbuild(self) -> Literal[True]:
        """Back to before `build`: nothing is found until the next one."""
        if self._is_loaded:
            raise Exception("You can't unbuild a loaded index")
        with self._lock:
            if self._is_built:
                self._ready().unplant()
            self._is_built, self._n_trees = False, 0
        return True

    def get_n_trees(self) -> int:
        """What `build` was told, also after `load`."""
        return self._n_trees

    def set_seed(self, s: int, /) -> None:
        """What the next `build` depends on beside the items; equal seeds give equal answers."""
        self._seed = whole(s) & (2**63 - 1)

    def verbose(self, v: int, /) -> Literal[True]:
        """Say on the error stream what is being done."""
        self._is_verbose = bool(whole(v))
        return True

    def _say(self, what: str) -> None:
        if self._is_verbose:
            print(f"AnnoyIndex({self.f}, {self._metric.name!r}): {what}", file=sys.stderr)

    # --- files -----------------------------------------------------------------------------------

    def save(self, fn: str, prefault: bool = False) -> Literal[True]:
        """Write one database file, in the place of one that may be there, and load it."""
        if not self._is_built:
            raise OSError("You can't save an index that hasn't been built")
        if self._is_on_disk:  # it is there already
            return True
        with self._lock:
            path = os.fspath(fn)
            self._ready().copy(path)
            self._say(f"saved to {path}")
            return self.load(path, prefault)

    def load(self, fn: str, prefault: bool = False) -> Literal[True]:
        """Open a file of `save`, or an .ann of Annoy's, of the same `f` and metric; what was here before is dropped."""
        path = os.fspath(fn)
        opened = self._opened(path, prefault)
        with self._lock:
            self.unload()
            if isinstance(opened, Table):
                self._table, self._path = opened, path
            else:
                self._file = opened
            self._n_items, self._n_trees = opened.n_items, opened.n_trees
            self._is_built = self._is_loaded = True
            self._say(f"loaded {path}: {self._n_items} items, {self._n_trees} trees")
        return True

    def _opened(self, path: str, prefault: bool) -> Table | AnnFile:
        """A file of ours or of Annoy's; what is neither is an OSError."""
        if Path(path).stat().st_size == 0:  # to SQLite a database without tables; no file is told in Python's own way
            raise OSError(f"{path}: Size of file is zero")
        try:
            table = Table.opened(path, self._metric, self.f)
        except apsw.NotADBError:
            return AnnFile(path, self._metric, self.f, prefault=prefault)
        if prefault:
            table.warm()
        return table

    def unload(self) -> Literal[True]:
        """Close the file, or forget the items: as new."""
        with self._lock:
            if self._table is not None:
                self._table.close()
            self._reset()
        return True

    def on_disk_build(self, fn: str) -> Literal[True]:
        """Keep the items in this file from now on, which is made anew, and build in it: `save` has then nothing to do."""
        path = os.fspath(fn)
        with self._lock:
            if self._is_loaded or self._is_built or self._table is not None:
                raise OSError("on_disk_build comes before the items")
            self._table = Table.made(connect(started(path)), self._metric, self.f, self._seed)
            self._is_on_disk = True
        return True

    def _opened_table(self) -> Table:
        """The table, with what is in it so far."""
        if self._table is None:
            self._table = Table.made(connect(":memory:"), self._metric, self.f, self._seed)
        return self._table

    def _ready(self) -> Table:
        """The table, with every item in it."""
        table = self._opened_table()
        if self._file is not None and not table.n_trees:
            table.fill(self._file.items(), self._n_trees)
        if self._pending:
            table.put_items(self._pending)
            self._pending = {}
        return table

    # --- queries ---------------------------------------------------------------------------------

    @overload
    def get_nns_by_item(
        self, i: int, n: int, search_k: int = ..., include_distances: Literal[False] = ...
    ) -> list[int]: ...
    @overload
    def get_nns_by_item(self, i: int, n: int, search_k: int, include_distances: Literal[True]) -> Found: ...
    @overload
    def get_nns_by_item(self, i: int, n: int, search_k: int = ..., *, include_distances: Literal[True]) -> Found: ...
    def get_nns_by_item(self, i: int, n: int, search_k: int = -1, include_distances: bool = False) -> list[int] | Found:
        """The `n` items nearest to item `i`, which is one of them: nearest first, then by number."""
        found = self._search(self._blob(i), n, search_k)
        return found if include_distances else found[0]

    @overload
    def get_nns_by_vector(
        self, vector: Vector, n: int, search_k: int = ..., include_distances: Literal[False] = ...
    ) -> list[int]: ...
    @overload
    def get_nns_by_vector(self, vector: Vector, n: int, search_k: int, include_distances: Literal[True]) -> Found: ...
    @overload
    def get_nns_by_vector(
        self, vector: Vector, n: int, search_k: int = ..., *, include_distances: Literal[True]
    ) -> Found: ...
    def get_nns_by_vector(
        self, vector: Vector, n: int, search_k: int = -1, include_distances: bool = False
    ) -> list[int] | Found:
        """The `n` items nearest to a vector: nearest first, then by number."""
        found = self._search(self._codec.pack(vector), n, search_k)
        return found if include_distances else found[0]

    def _search(self, query: bytes, n: int, search_k: int) -> Found:
        n, search_k = whole(n), whole(search_k)
        # Annoy gathers n * n_trees candidates, or search_k of them; a negative number is to it a very large one.
        n_gathered = n * self._n_trees if search_k == -1 else search_k
        if n == 0 or n_gathered == 0 or self._n_trees == 0 or self._n_items == 0:
            return [], []
        with self._lock:
            table = self._ready()
            n_rows = table.n_rows or table.count()
            k = n if 0 < n < n_rows else n_rows
            if n < 0 or not 0 < n_gathered < n_rows:  # as many as there are: to compare all is no more work
                return table.search(query, k, 1.0)
            if search_k == -1:
                return table.search(query, k, RECALL)
            return table.inspect(query, k, self._n_inspected(search_k))

    def _n_inspected(self, search_k: int) -> int:
        """How many entries of ours are worth Annoy's search_k: it reads whole leaves, and smaller ones are closer."""
        its_leaf = self.f + 2
        return max(LEAF, its_leaf) + search_k * max(1, min(8, LEAF // its_leaf))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"cannot pickle {type(self).__name__!r} object: another process loads the file that it was saved to"
        )

    # --- processes -------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        """In a child: a connection is its parent's, and never used or closed here; the file is opened again."""
        self._lock = RLock()
        if self._table is not None and self._path is not None:
            _inherited.append(self._table)
            self._table = Table.opened(self._path, self._metric, self.f)


_alive: weakref.WeakSet[AnnoyIndex] = weakref.WeakSet()
_inherited: list[Table] = []  # kept, for to let them go would close them


def _after_fork() -> None:
    for each in list(_alive):
        each._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
