"""What the vectors of a table are in numpy, by the type of their components.

    type       rows given to `add`                                        rows that `get` gives
    float32    anything numpy turns into float32                          float32 (n, dim)
    float16    the same, rounded                                          float16 (n, dim)
    bfloat16   the same, rounded; ml_dtypes' bfloat16; uint16 as bits     bfloat16 of ml_dtypes, if that is installed, or
                                                                          uint16 as bits, (n, dim)
    int8       whole numbers from -128 to 127                             int8 (n, dim)
    bit        bool or 0 and 1, (n, dim); uint8 (n, ceil(dim / 8))        uint8 (n, ceil(dim / 8)), as
                                                                          np.packbits(…, bitorder="little") gives

A query is what a row can be, or of float32: its components above 0 are the bits that are set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import vectors as arrays

Rows = NDArray[Any]

STORED = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "int8": "i1", "bit": "u1"}


def width(kind: str, dim: int) -> int:
    """Numbers in a row of the arrays."""
    return -(-dim // 8) if kind == "bit" else dim


def as_rows(kind: str, given: Any, dim: int, name: str = "vectors", ids: arrays.Ids | None = None) -> Rows:
    """Rows for a table, shape and kind checked, nothing copied that `buffer` can convert piece by piece.

    >>> as_rows("int8", [[1, -128]], 2).shape, as_rows("bit", np.ones((5, 12), bool), 12).dtype
    ((1, 2), dtype('bool'))
    """
    if kind in ("float32", "float16"):
        return arrays.as_vectors(given, dim, name, ids)
    array = arrays.as_array(name, given, dim, ids)
    if kind == "bfloat16":
        bits = array.view(np.uint16) if array.dtype.name == "bfloat16" else array
        return arrays.as_vectors(bits, dim, name, ids)
    if kind == "int8":
        return within(arrays.as_vectors(whole(array, name), dim, name, ids), -128, 127, name)
    if array.dtype == np.uint8 and array.shape[-1:] == (width(kind, dim),) != (dim,):
        return arrays.as_vectors(array, width(kind, dim), name, ids)
    rows = arrays.as_vectors(array if array.dtype == bool else whole(array, name), dim, name, ids)
    return within(rows, 0, 1, name).astype(bool)


def whole(array: Rows, name: str) -> Rows:
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected whole numbers, got {array.dtype}; SQL's ann_quantize makes them of floats")
    return array


def within(rows: Rows, least: int, most: int, name: str) -> Rows:
    wrong = np.argwhere((rows < least) | (rows > most))
    if len(wrong):
        i, j = wrong[0]
        raise ValueError(f"{name}[{i}]: expected numbers from {least} to {most}, got {rows[i, j]} at component {j}")
    return rows


def buffer(kind: str, rows: Rows) -> Rows:
    """What is bound to SQL as a blob for rows of `as_rows`.

    >>> buffer("bit", np.array([[1, 0, 1, 0, 0, 0, 0, 0, 1]], bool)).tolist(), buffer("bfloat16", np.array([1.5])).tolist()
    ([[5, 1]], [16320])
    """
    if kind == "bit" and rows.dtype == bool:
        return np.packbits(rows, axis=-1, bitorder="little")
    if kind == "bfloat16" and rows.dtype != np.uint16:
        return to_bfloat16(arrays.float_buffer(rows))
    with np.errstate(over="ignore"):  # too large becomes infinite, which the table refuses by name
        return np.ascontiguousarray(rows, STORED[kind])


def finite(kind: str, rows: Rows) -> NDArray[np.bool_]:
    """Which rows of `as_rows` the table takes: those whose numbers are finite when they are stored.

    >>> finite("float16", np.array([[1, 2], [3, 1e5]])).tolist()
    [True, False]
    """
    if kind in ("int8", "bit"):
        return np.ones(len(rows), bool)
    stored = buffer(kind, rows)
    fine = (stored & 0x7F80) != 0x7F80 if kind == "bfloat16" else np.isfinite(stored)
    return np.asarray(fine.all(axis=1))


def to_bfloat16(x: arrays.Vectors) -> Rows:
    """The upper halves of floats, rounded to the nearest, halves to even; NaN stays NaN."""
    bits = x.view("<u4")
    rounded = (bits + (np.uint32(0x7FFF) + (bits >> 16 & 1))) >> 16
    return np.where(np.isnan(x), 0x7FC0, rounded).astype("<u2")


def queries(kind: str, given: Any, dim: int, name: str = "query") -> Rows:
    """Queries as blobs, one a row: float32, or bits.

    >>> queries("int8", [0.5, 1], 2).tolist(), queries("bit", [True, False, True], 3).tolist()
    ([[0.5, 1.0]], [[5]])
    """
    if kind in ("float32", "float16", "int8"):
        return arrays.float_buffer(arrays.as_vectors(given, dim, name))
    array = arrays.as_array(name, given, dim)
    if kind == "bit" and array.dtype.kind in "biu":
        return buffer(kind, as_rows(kind, array, dim, name))
    if kind == "bfloat16" and (array.dtype.name == "bfloat16" or array.dtype == np.uint16):
        return (as_rows(kind, array, dim, name).astype("<u4") << 16).view("<f4")
    return arrays.float_buffer(arrays.as_vectors(array, dim, name))


def plain_row(kind: str, dim: int) -> tuple[np.dtype[Any], tuple[int]]:
    """The dtype and the shape of a row that is a query with nothing to be asked of it; else those of float32.

    >>> plain_row("int8", 3), plain_row("bit", 12), plain_row("bit", 1)
    ((dtype('int8'), (3,)), (dtype('uint8'), (2,)), (dtype('float32'), (1,)))
    """
    is_plain = kind in ("float16", "int8") or (kind == "bit" and width(kind, dim) != dim)
    return (np.dtype(STORED[kind]), (width(kind, dim),)) if is_plain else (arrays.FLOAT, (dim,))


def as_floats(kind: str, some: Rows, dim: int) -> Rows:
    """Queries of `queries` as float32."""
    if kind == "bit" and some.dtype == np.uint8:
        return np.unpackbits(some, axis=1, bitorder="little", count=dim).astype("<f4")
    return some


def dtype_of(kind: str) -> np.dtype[Any]:
    """Of the rows that come back."""
    if kind == "bfloat16":
        try:
            from ml_dtypes import bfloat16  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return np.dtype("<u2")
        dtype: np.dtype[Any] = np.dtype(bfloat16)
        return dtype
    return np.dtype(STORED[kind])
