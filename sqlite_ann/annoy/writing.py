"""Writes an .ann file that Annoy opens and searches: items, trees in Annoy's shape, and the roots once more.

    write(path, metric, f, ids, points, n_trees, seed)

A tree cuts its items in two until they find room in one node. Each cut is the plane between two means of a sample,
which Annoy measures a query against as it does with planes of its own:

    angular               plane · y                 through the origin
    euclidean, manhattan  plane · y + offset
    dot                   plane · y + offset²       so that a plane whose offset would be negative is turned round
    hamming               one bit of y

Where no plane parts them, as with equal vectors, they are dealt out at random, by a plane of zeros: Annoy then looks at
both sides. The generator is seeded, so that equal rows give equal files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .metric import Metric

SAMPLE = 256  # items whose means give a plane: Annoy takes 200
ROUNDS = 4  # of moving the two means
TRIES = 3  # as Annoy
LOPSIDED = 0.95  # as Annoy: a larger share on one side is no cut
BATCH_NODES = 65536  # items written at once

Array = NDArray[Any]


def write(path: str, metric: Metric, f: int, ids: Array, points: Array, n_trees: int, seed: int) -> None:
    """`ids` ascend and are not negative; `points` are their vectors, as a node has them."""
    with Path(path).open("wb") as file:
        n_items = write_items(file, metric.node(f), ids, points)
        trees = Trees(file, metric, f, ids, points, n_items, seed)
        roots = [trees.plant() for _ in range(n_trees)]
        file.write(b"".join(roots))


def write_items(file: BinaryIO, node: np.dtype[np.void], ids: Array, points: Array) -> int:
    """A node for each id up to the last; those that are not given are zeros."""
    n_items = int(ids[-1]) + 1 if len(ids) else 0
    for start in range(0, n_items, BATCH_NODES):
        nodes = np.zeros(min(BATCH_NODES, n_items - start), node)
        first, last = np.searchsorted(ids, (start, start + len(nodes)))
        nodes["n"][ids[first:last] - start] = 1
        nodes["vector"][ids[first:last] - start] = points[first:last]
        file.write(nodes.tobytes())
    return n_items


class Trees:
    """The trees of one file, written node by node: children before their parents, so that their numbers are known."""

    def __init__(
        self, file: BinaryIO, metric: Metric, f: int, ids: Array, points: Array, n_items: int, seed: int
    ) -> None:
        self.file = file
        self.metric = metric
        self.f = f
        self.node = metric.node(f)
        self.has_offset = "offset" in (self.node.names or ())
        self.room = metric.leaf_items(f)
        self.ids = ids
        self.points = points
        self.n_items = n_items
        self.n_nodes = n_items
        self.rng = np.random.default_rng(seed)

    def plant(self) -> bytes:
        """Write one tree; the result is its root, of which a copy goes to the end of the file."""
        rows = np.arange(len(self.ids))
        if self.n_items <= self.room or len(rows) <= 1:
            root = self._leaf(rows, self.n_items)
        else:
            root = self._parent(rows, self.n_items)
        self._write(root)
        return root

    def _subtree(self, rows: Array) -> int:
        """The number of the node that holds these items."""
        if len(rows) == 1:
            return int(self.ids[rows[0]])
        is_leaf = len(rows) <= self.room
        return self._write(self._leaf(rows, len(rows)) if is_leaf else self._parent(rows, len(rows)))

    def _write(self, node: bytes) -> int:
        if self.n_nodes >= 2**31 - 1:
            raise ValueError(f"an .ann file holds at most {2**31 - 1} nodes")
        self.file.write(node)
        self.n_nodes += 1
        return self.n_nodes - 1

    def _leaf(self, rows: Array, n: int) -> bytes:
        start = self.metric.children
        node = int(n).to_bytes(4, "little").ljust(start, b"\0") + self.ids[rows].astype("<i4").tobytes()
        return node.ljust(self.node.itemsize, b"\0")

    def _parent(self, rows: Array, n: int) -> bytes:
        node = np.zeros((), self.node)
        is_right = self._cut(rows, node)
        node["n"] = n
        node["children"] = [self._subtree(rows[~is_right]), self._subtree(rows[is_right])]
        return node.tobytes()

    def _cut(self, rows: Array, node: Array) -> NDArray[np.bool_]:
        """Put a plane into the node, and say which of the rows are on its right side."""
        for _ in range(TRIES):
            is_right = self._bit(rows, node) if self.metric.is_bits else self._plane(rows, node)
            if 1 - LOPSIDED < is_right.mean() < LOPSIDED:
                return is_right
        node["vector"] = 0
        if self.has_offset:
            node["offset"] = 0
        is_right = np.arange(len(rows)) < len(rows) // 2
        self.rng.shuffle(is_right)
        return is_right

    def _plane(self, rows: Array, node: Array) -> NDArray[np.bool_]:
        """The plane between two means of a sample."""
        sample = self._directions(self.points[self._some(rows)].astype(np.float64))
        means = sample[self.rng.choice(len(sample), 2, replace=False)]
        for _ in range(ROUNDS):
            is_second = self._right_of(sample, *between(means))
            if not is_second.any() or is_second.all():
                break
            means = self._directions(np.stack([sample[~is_second].mean(0), sample[is_second].mean(0)]))
        normal, offset = between(means)
        if self.metric.name == "angular":
            offset = 0.0
        elif self.metric.name == "dot":
            if offset < 0:
                normal, offset = -normal, -offset
            offset = offset**0.5
        node["vector"] = normal
        if self.has_offset:
            node["offset"] = offset
            offset = float(node["offset"]) ** (2 if self.metric.name == "dot" else 1)
        return self._right_of(self.points[rows], node["vector"], offset)

    def _right_of(self, points: Array, normal: Array, offset: float) -> NDArray[np.bool_]:
        if self.metric.name == "angular":
            offset = 0.0
        return np.asarray(points @ normal + offset > 0)

    def _directions(self, points: Array) -> Array:
        """Of length 1, where only directions count."""
        if self.metric.name != "angular":
            return points
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        return points / np.where(lengths > 0, lengths, 1)

    def _bit(self, rows: Array, node: Array) -> NDArray[np.bool_]:
        """One bit, of some at random the one that parts a sample most evenly. Annoy counts them from a word's highest."""
        places = self.rng.integers(0, self.f, 20)
        sample = self.points[self._some(rows)]
        shares = np.abs((sample[:, places // 64] >> (places % 64).astype("<u8") & np.uint64(1)).mean(0) - 0.5)
        place = int(places[np.argmin(shares)])
        node["vector"][0] = place // 64 * 64 + 63 - place % 64
        return np.asarray(self.points[rows, place // 64] >> np.uint64(place % 64) & np.uint64(1), bool)

    def _some(self, rows: Array) -> Array:
        return rows if len(rows) <= SAMPLE else self.rng.choice(rows, SAMPLE, replace=False)


def between(means: Array) -> tuple[Array, float]:
    """The plane half-way between two points, the second on its right side: its normal of length 1, and its offset."""
    normal = means[1] - means[0]
    length = float(np.linalg.norm(normal))
    normal = normal / length if length > 0 else normal
    return normal, -float(normal @ (means[0] + means[1])) / 2
