"""Reads an .ann file: its items and how many trees it has. Its trees themselves are not used: ours answer.

The file says nothing of itself, so that everything in it is checked against what it must be (metric.py). To open looks
at its end and its beginning; `items` looks at every node.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..vectors import BATCH_BYTES
from .metric import Metric

Items = tuple[NDArray[np.int64], NDArray[np.generic]]

LOOKED_AT = 16  # items at the beginning that are checked at once
N = struct.Struct("<i")
MAX_F = 65536  # what a table of ours can hold


class AnnFile:
    """An open .ann file, mapped into memory."""

    def __init__(self, path: str, metric: Metric, f: int, *, prefault: bool = False) -> None:
        self.path = path
        self.metric = metric
        self.f = f
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            if size == 0:
                raise OSError(f"{path}: Size of file is zero")
            if size % metric.node_bytes(f):
                raise OSError(
                    f"{path}: Index size is not a multiple of vector size: expected nodes of {metric.node_bytes(f)} bytes"
                    f" ({metric.name}, {f} dimensions), got {size} bytes"
                )
            self.map = mapped(file.fileno(), prefault=prefault)
        self.node_bytes = metric.node_bytes(f)
        self.n_nodes = size // self.node_bytes
        self.n_items = self._n(self.n_nodes - 1)
        if not 0 <= self.n_items < self.n_nodes:
            raise self._wrong(f"the last node has {self.n_items} items below it, in {self.n_nodes} nodes")
        for i in range(min(self.n_items, LOOKED_AT)):
            self._check_item(i, self._n(i))
        self.n_trees = self._count_trees()

    @cached_property
    def nodes(self) -> NDArray[np.void]:
        return np.frombuffer(self.map, self.metric.node(self.f))

    def vector(self, i: int) -> bytes:
        """An item's bytes, as a table of ours has them."""
        start = i * self.node_bytes + self.metric.vector
        return self.map[start : start + self._row_bytes()]

    def items(self) -> Iterator[Items]:
        """Ids and vectors of all items, some at a time; the whole file is checked before the first."""
        self.check()
        step = max(1, BATCH_BYTES // self.node_bytes)
        for start in range(0, self.n_items, step):
            some = self.nodes[start : min(start + step, self.n_items)]
            ids = np.flatnonzero(some["n"])
            vectors = np.ascontiguousarray(some["vector"][ids])
            if self.metric.is_bits:
                vectors = np.ascontiguousarray(vectors.view("u1")[:, : self._row_bytes()])
                spare = -self.f % 8
                if spare and np.any(vectors[:, -1] >> (8 - spare)):
                    raise self._wrong("bits beyond the last are set")
            elif not np.isfinite(vectors).all():
                i = ids[~np.isfinite(vectors).all(axis=1)][0]
                raise self._wrong(f"item {start + i} is not finite")
            yield ids + start, vectors

    def check(self) -> None:
        """Every node is what a node can be, or an OSError."""
        n = self.nodes["n"]
        for i in np.flatnonzero(n[: self.n_items] & ~1)[:1]:
            self._check_item(int(i), int(n[i]))
        if np.count_nonzero(n[self.n_items :] == self.n_items) != 2 * self.n_trees:
            raise self._wrong("its roots are not copied to the end")
        step = max(1, BATCH_BYTES // self.node_bytes)
        for start in range(self.n_items, self.n_nodes, step):
            self._check_below(start, min(start + step, self.n_nodes))

    def _check_below(self, start: int, end: int) -> None:
        """The same of some nodes that are no items."""
        counts, room = self.nodes["n"], self.metric.leaf_items(self.f)
        n = counts[start:end]
        if np.any(n < 0) or np.any(n > self.n_items):
            raise self._wrong("a node has more items below it than there are")
        numbers = np.frombuffer(self.map, "<i4").reshape(self.n_nodes, -1)[start:end, self.metric.children // 4 :]
        listed = numbers[:, :room][(n <= room)[:, None] & (np.arange(room) < n[:, None])]
        if np.any(listed < 0) or np.any(listed >= self.n_items):
            raise self._wrong("a node lists items that are not there")
        children = numbers[n > room, :2]
        if np.any(children < 0) or np.any(children >= self.n_nodes):
            raise self._wrong("a node has children that are not in the file")
        # A root is said to have all below it, ids that were not given too.
        stated = np.where(n == self.n_items, self._n_present, n)[n > room]
        if np.any(counts[children].sum(axis=1, dtype=np.int64) != stated):
            raise self._wrong("a node has not as many items below it as its children")

    @cached_property
    def _n_present(self) -> int:
        return int(np.count_nonzero(self.nodes["n"][: self.n_items]))

    def _row_bytes(self) -> int:
        return (self.f + 7) // 8 if self.metric.is_bits else 4 * self.f

    def _n(self, i: int) -> int:
        """How many items are below a node."""
        return int(N.unpack_from(self.map, i * self.node_bytes)[0])

    def _count_trees(self) -> int:
        """Roots are the nodes with all items below them, and are copied to the end."""
        first = self.n_nodes  # of those that stand together at the end
        while first > self.n_items and self._n(first - 1) == self.n_items:
            first -= 1
        n_roots = self.n_nodes - first
        roots = [self.map[i * self.node_bytes : (i + 1) * self.node_bytes] for i in range(first, self.n_nodes)]
        if first == self.n_items:  # trees of one node each, and their copies
            if sorted(roots[: n_roots // 2]) != sorted(roots[n_roots // 2 :]):
                raise self._wrong("its roots are not copied to the end")
            return n_roots // 2
        # The root of one tree, the last that was planted, stands before the copies, of which one is its own.
        return n_roots - (roots[0] in roots[1:])

    def _check_item(self, i: int, n: int) -> None:
        if n not in (0, 1):
            raise self._wrong(f"node {i} should be an item and has {n} items below it")

    def _wrong(self, what: str) -> OSError:
        return OSError(f"{self.path}: expected an .ann file, {self.metric.name} of {self.f} dimensions, but {what}")


def mapped(fileno: int, *, prefault: bool) -> mmap.mmap:
    """The file in memory, read as it is asked for; or at once, where the system can."""
    if prefault and hasattr(mmap, "MAP_POPULATE"):
        return mmap.mmap(fileno, 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
    return mmap.mmap(fileno, 0, access=mmap.ACCESS_READ)


def find_f(path: str, metric: Metric) -> int:
    """The number of dimensions, which an .ann file does not tell: that for which it all makes sense.

    Few large nodes may do so by chance, with an item or two; then the most items are meant.
    """
    if metric.is_bits:
        raise ValueError(f"{path}: expected to be told how many bits a vector has: an .ann file has whole words of 64")
    size, best_f, most = Path(path).stat().st_size, 0, 0
    for f in range(1, MAX_F + 1):
        if size and size % metric.node_bytes(f) == 0:
            try:
                file = AnnFile(path, metric, f)
                file.check()
            except OSError:
                continue
            if file.n_items > most:  # of no items, any number of dimensions would do
                best_f, most = f, file.n_items
    if best_f == 0:
        raise OSError(f"{path}: expected an .ann file, {metric.name}, but no number of dimensions fits")
    return best_f
