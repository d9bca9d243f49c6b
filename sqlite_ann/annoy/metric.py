"""Annoy's five metrics: what each is called in a table of ours, and how its nodes lie in an .ann file.

An .ann file is an array of nodes of one size, without a header. A node begins with how many items are below it; for
an item that is 1, and 0 for an id that was not given. Numbers are little-endian.

| metric               | before the vector                                       | the vector                |
| -------------------- | ------------------------------------------------------- | ------------------------- |
| angular              | n i32, children 2 of i32 (an item: its squared norm)    | f of f32                  |
| euclidean, manhattan | n i32, offset of the plane f32, children 2 of i32       | f of f32                  |
| dot                  | n i32, children 2 of i32, root of the plane's offset f32 | f of f32                 |
| hamming              | n i32, children 2 of i32, 4 bytes unused                | f bits in words of 64     |

A node of at least 2 items, but no more than find room from `children` to its end, holds their ids there, as does a
root of one item; a node of more holds two children and the plane between them.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOAT = struct.Struct("f")


@dataclass(frozen=True)
class Metric:
    """One metric of Annoy's."""

    name: str
    ours: tuple[str, ...]  # the metrics of tables that give it: the first for a new one
    children: int  # where the children of a node begin
    vector: int  # where its vector begins
    is_bits: bool = False

    @property
    def element(self) -> str:
        """The type of a table's column."""
        return "bit" if self.is_bits else "float32"

    def vector_bytes(self, f: int) -> int:
        return (f + 63) // 64 * 8 if self.is_bits else 4 * f

    def node_bytes(self, f: int) -> int:
        return self.vector + self.vector_bytes(f)

    def leaf_items(self, f: int) -> int:
        """How many items a node has room for."""
        return (self.node_bytes(f) - self.children) // 4

    def node(self, f: int) -> np.dtype[np.void]:
        """A node as numpy sees it; of its items only the first two are named."""
        vector = np.dtype(("<u8", ((f + 63) // 64,))) if self.is_bits else np.dtype(("<f4", (f,)))
        fields = {"n": ("<i4", 0), "children": (("<i4", (2,)), self.children), "vector": (vector, self.vector)}
        if not self.is_bits and self.name != "angular":
            fields["offset"] = ("<f4", 12 if self.name == "dot" else 4)
        names = list(fields)
        formats, offsets = zip(*fields.values(), strict=True)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.node_bytes(f)})

    def distances(self, found: NDArray[np.float64], ours: str) -> list[float]:
        """What Annoy reports, in float32 as it does, for the distances of a table whose metric is `ours`.

        >>> METRICS["dot"].distances(np.array([-2.0, 0.0]), "dot")
        [2.0, 0.0]
        """
        if self.name == "dot":
            found = 0.0 - found  # a product, of which the larger is the nearer; and no minus zero
        elif ours == "cosine":
            found = np.sqrt(2 * np.maximum(found, 0))  # angular, in a table that ranks alike and reports 1 - cos
        return found.astype(np.float32).tolist()  # type: ignore[no-any-return]

    def distance(self, found: float, ours: str) -> float:
        """The same of one, without an array."""
        if self.name == "dot":
            found = 0.0 - found
        elif ours == "cosine":
            found = math.sqrt(2 * max(found, 0.0))
        return float(FLOAT.unpack(FLOAT.pack(found))[0])


METRICS = {
    metric.name: metric
    for metric in (
        Metric("angular", ("angular", "cosine"), 4, 12),
        Metric("euclidean", ("l2",), 8, 16),
        Metric("manhattan", ("l1",), 8, 16),
        Metric("hamming", ("hamming",), 4, 16, is_bits=True),
        Metric("dot", ("dot",), 4, 16),
    )
}
