"""Vectors as callers give them, as tables store them, and as callers get them back.

    codec(metric, f).pack(vector)      any sequence of f numbers → the bytes of a table's row
    codec(metric, f).unpack(bytes)     → a list of f floats
    codec(metric, f).zero              the bytes of an id that was not given

Both are called once for each call of the user's, so they are short, and make no arrays where plain Python is faster.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import chain
from math import isfinite
from typing import Any, Protocol

import numpy as np

from ..vectors import float_buffer
from .metric import Metric

BITS = [tuple(float(byte >> i & 1) for i in range(8)) for byte in range(256)]


class Vector(Protocol):
    """What is taken for a vector: f numbers that can be asked for by place."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: Any, /) -> Any: ...


class Floats:
    """Vectors of float32."""

    def __init__(self, f: int) -> None:
        self.f = f
        self.struct = struct.Struct(f"<{f}f")
        self.zero = bytes(self.struct.size)

    def pack(self, vector: Vector) -> bytes:
        blob = self.rounded(vector)
        if not isfinite(sum(self.struct.unpack(blob))):
            raise ValueError(f"vector: expected {self.f} finite numbers, got {odd_one(self.unpack(blob))}")
        return blob

    def rounded(self, vector: Vector) -> bytes:
        """The components, rounded to float32; what is too large for it becomes infinite."""
        if len(vector) != self.f:
            raise IndexError(f"Vector has wrong length (expected {self.f}, got {len(vector)})")
        if type(vector) is np.ndarray and vector.ndim == 1 and vector.dtype.kind in "biuf":
            return float_buffer(vector).tobytes()
        # Else what Annoy asks of a vector, too: its length, and its components one after the other.
        values = vector if type(vector) in (list, tuple) else [vector[z] for z in range(self.f)]
        try:
            return self.struct.pack(*values)  # type: ignore[misc]
        except struct.error:
            array("f", values)  # type: ignore[arg-type]  # says which kind of thing is no number
            raise
        except OverflowError:
            return float_buffer(np.array(values, np.float64)).tobytes()

    def unpack(self, blob: bytes) -> list[float]:
        return list(self.struct.unpack(blob))


class Bits:
    """Vectors of bits, given and got as numbers: what is above a half is 1. Bit i is `byte[i // 8] >> i % 8 & 1`."""

    def __init__(self, f: int) -> None:
        self.f = f
        self.floats = Floats(f)
        self.zero = bytes((f + 7) // 8)

    def pack(self, vector: Vector) -> bytes:
        values = np.frombuffer(self.floats.rounded(vector), "<f4")
        return np.packbits(values > 0.5, bitorder="little").tobytes()

    def unpack(self, blob: bytes) -> list[float]:
        return list(chain.from_iterable(map(BITS.__getitem__, blob)))[: self.f]


Codec = Floats | Bits


def codec(metric: Metric, f: int) -> Codec:
    """
    >>> from sqlite_ann.annoy.metric import METRICS
    >>> codec(METRICS["hamming"], 3).unpack(codec(METRICS["hamming"], 3).pack([1, 0, 1]))
    [1.0, 0.0, 1.0]
    """
    return Bits(f) if metric.is_bits else Floats(f)


def odd_one(values: Sequence[float]) -> str:
    """
    >>> odd_one([1.0, float("inf")])
    'inf at component 1'
    """
    return next(f"{x} at component {z}" for z, x in enumerate(values) if not isfinite(x))
