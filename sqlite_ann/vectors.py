"""The only place where arrays become blobs, and blobs arrays.

    as_ids(ids)               int64 (n,)          from whole numbers that fit
    as_vectors(x, dim)        (n, dim)            shape and kind checked, nothing copied yet
    batches(ids, x)           pairs of buffers    little-endian int64 and float32, some 32 MB at a time
    float_buffer(x)           one buffer          little-endian float32
    from_blob(blob)           float32 (dim,)
    as_count(name, x)         int or None         numpy's whole numbers too
    as_number(name, x)        float or None       NaN, which SQL takes for NULL, is refused

Lists and whatever numpy makes an array of are taken. Components may be of any kind that numpy turns into
float32 without changing what they are: float64 and whole numbers are rounded, text and complex numbers
refused. Numbers that are not finite are refused by the table.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

BATCH_BYTES = 32 << 20  # one INSERT's worth: far below SQLite's limit for a blob, large enough to cost nothing
FLOAT = np.dtype("<f4")
ID = np.dtype("<i8")


def as_ids(ids: ArrayLike) -> Ids:
    """The ids as a 1-D int64 array; one id alone is an array of one.

    >>> as_ids([3, 1, 2]), as_ids(np.uint8(7))
    (array([3, 1, 2]), array([7]))
    """
    given = np.asarray(ids)
    if given.ndim > 1:
        raise ValueError(f"ids: expected a 1-D array, got shape {given.shape}")
    if given.size == 0:
        return np.empty(0, ID)  # an empty list has no dtype worth checking
    if given.dtype.kind not in "iu":
        raise TypeError(f"ids: expected 64-bit whole numbers, got {given.dtype}")
    if given.dtype.kind == "u" and given.max() > np.iinfo(np.int64).max:
        raise ValueError(f"ids: {given.max()} is above the largest 64-bit id, {np.iinfo(np.int64).max}")
    return np.ascontiguousarray(np.atleast_1d(given), ID)


def as_vectors(vectors: ArrayLike, dim: int) -> NDArray[np.generic]:
    """The vectors as a 2-D array with `dim` columns, of the dtype they came in; one vector alone is a row.

    >>> as_vectors([1, 2, 3], 3).shape, as_vectors(np.ones((5, 3), np.float16), 3).shape
    ((1, 3), (5, 3))
    """
    given = np.asarray(vectors)
    if given.ndim not in (1, 2):
        raise ValueError(f"vectors: expected shape (n, {dim}) or ({dim},), got {given.shape}")
    if given.shape == (0,):
        given = given.reshape(0, dim)
    if given.shape[-1] != dim:
        raise ValueError(f"vectors: expected {dim} components, got {given.shape[-1]} (shape {given.shape})")
    if not np.can_cast(given.dtype, FLOAT, "same_kind"):
        raise TypeError(f"vectors: expected numbers, got {given.dtype}")
    return np.atleast_2d(given)


def float_buffer(vectors: NDArray[np.generic]) -> Vectors:
    """What is bound to SQL as a blob: little-endian float32 without a gap, copied only if it is not so yet.

    >>> bytes(float_buffer(np.array([1, 2])).data).hex()
    '0000803f00000040'
    """
    with np.errstate(over="ignore"):  # too large for a float32 becomes infinite, which the table refuses by name
        return np.ascontiguousarray(vectors, FLOAT)


def as_count(name: str, value: object) -> int | None:
    """A whole number, of any kind, for SQL; None stays None.

    >>> as_count("k", np.int64(3)), as_count("k", 3.0)
    (3, 3)
    >>> as_count("k", float("nan"))
    Traceback (most recent call last):
    ValueError: k: expected a whole number, got nan
    """
    if value is None:
        return None
    if isinstance(value, float | np.floating) and value == value and float(value).is_integer():
        return int(value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name}: expected a whole number, got {value}") from None


def as_number(name: str, value: object) -> float | None:
    """A number, of any kind, for SQL; None stays None.

    >>> as_number("recall", np.float32(0.5))
    0.5
    >>> as_number("recall", float("nan"))
    Traceback (most recent call last):
    ValueError: recall: expected a number, got nan
    """
    if value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if number != number:
        raise ValueError(f"{name}: expected a number, got {value}")
    return number


def batches(ids: Ids, vectors: NDArray[np.generic], n_bytes: int = BATCH_BYTES) -> Iterator[tuple[Ids, Vectors]]:
    """Ids and vectors in pieces of at most `n_bytes` of float32, so that a large array is never copied whole.

    >>> [len(part) for part, _ in batches(np.arange(5), np.ones((5, 4)), n_bytes=32)]
    [2, 2, 1]
    """
    n_rows = max(1, n_bytes // (FLOAT.itemsize * vectors.shape[1]))
    for start in range(0, len(ids), n_rows):
        yield ids[start : start + n_rows], float_buffer(vectors[start : start + n_rows])


def from_blob(blob: bytes) -> Vectors:
    """The float32 components of a stored vector; the memory is the blob's, read-only.

    >>> from_blob(bytes.fromhex("0000803f00000040"))
    array([1., 2.], dtype=float32)
    """
    return np.frombuffer(blob, FLOAT)
