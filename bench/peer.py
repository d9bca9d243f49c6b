"""What a peer of the benchmarks is: one library behind the same four calls, and small things that they need.

Nothing here knows a library; peers.py has them, faiss_peers.py those of faiss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

K = 10
THREADS = 2  # of a build, where the peer has them; a search has one

CARE = (10, 20, 40, 80, 160, 320, 640)  # candidates that a graph keeps while it is searched

Options = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """What the vectors are, and what near means.

    A row of them is float32 (dim,), float16 (dim,), int8 (dim,), or of bits uint8 (dim / 8,), as
    np.packbits(…, bitorder="little") gives them.
    """

    dim: int
    metric: str
    element: str = "float32"


def spaces(**metrics: str) -> frozenset[tuple[str, str]]:
    """What a library can: pairs of an element type and a metric.

    >>> sorted(spaces(int8="l2 dot"))
    [('int8', 'dot'), ('int8', 'l2')]
    """
    return frozenset((element, metric) for element, some in metrics.items() for metric in some.split())


class Peer:
    """One library. A subclass fills in the grid and the four calls."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]  # distributions, for the versions
    modules: ClassVar[tuple[str, ...]]  # to be imported before the clock starts
    in_sqlite: ClassVar[bool] = False
    unit_length: ClassVar[bool] = False  # wants the vectors of a cosine normalized
    takes: ClassVar[frozenset[tuple[str, str]]] = spaces(float32="cosine l2")

    def builds(self, n: int, dim: int) -> list[Options]:
        """Ways to build for n rows of `dim` components, the most usual first."""
        return [{}]

    def settings(self, options: Options, n: int) -> list[Options]:
        """Ways to search what `options` built, from fast to careful."""
        return [{}]

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        """Index (n, …) vectors of the space, row i having the id i, and save it."""
        raise NotImplementedError

    def open(self, path: Path, space: Space, options: Options) -> None:
        """Make what `build` saved ready for searching, with one thread."""
        raise NotImplementedError

    def set(self, setting: Options) -> None:
        """Search like this from now on."""

    def search(self, query: np.ndarray) -> Iterable[int]:
        """The ids of the K rows nearest to a vector of the space, as this library gives them."""
        raise NotImplementedError


# ---- Small things they need -----------------------------------------------------------------------


def as_rows(base: np.ndarray) -> Iterable[tuple[int, bytes]]:
    """(id, blob) of each row of float32 (n, d), made when asked for."""
    return ((i, row.tobytes()) for i, row in enumerate(base))


def doubling(first: int, last: int) -> Iterable[int]:
    """Twice as many each time."""
    return (first << i for i in range(10) if first << i <= last)


def within(value: float, least: int, most: int) -> int:
    return max(least, min(most, round(value)))


def divisor(number: int, near: float) -> int:
    """The divisor of `number` closest to `near`, from 8 to 256: into so many parts a vector can be cut."""
    return min((i for i in range(8, 257) if number % i == 0), key=lambda i: abs(i - near))
