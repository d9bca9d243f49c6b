"""Arrays of ids and of numbers, as they are given; elements.py makes the blobs of each type.

    as_array(name, x)         an array            from columns of arrays and from iterators too; no set, no mask
    as_ids(ids)               int64 (n,)          from whole numbers that fit
    as_vectors(x, dim)        (n, dim)            shape and kind checked, nothing copied yet
    batches(ids, x)           pairs of arrays     some 32 MB at a time
    float_buffer(x)           one buffer          little-endian float32
    plain(x)                  a scalar            Python's own for one of numpy's
    as_count(name, x)         int or None         of any kind; what is not whole is refused
    as_number(name, x)        float or None       of any kind; NaN, which SQL takes for NULL, is refused

Lists and whatever numpy makes an array of are taken; so is a column of a table whose cells are arrays or lists, and
an iterator, which is read to its end. None of the libraries that make such columns is known here: they speak
Arrow, which arrow.py reads, or give numpy an array of objects. Components may be of any kind that numpy turns into float32 without changing
what they are: float64 and whole numbers are rounded, text and complex numbers refused. Numbers that are not
finite are refused by the table.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import arrow

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]
IdsLike = ArrayLike | Iterable[int] | Iterable[tuple[Any, ...]]  # the last: rows of SQL with one column
VectorsLike = ArrayLike | Iterable[ArrayLike]

BATCH_BYTES = 32 << 20  # one INSERT's worth: far below SQLite's limit for a blob, large enough to cost nothing
FLOAT = np.dtype("<f4")
ID = np.dtype("<i8")


def as_array(name: str, given: Any, dim: int | None = None, ids: Ids | None = None) -> NDArray[Any]:
    """What was given as an array, of numbers where that can be; all but `given` is for the words of an error.

    >>> as_array("vectors", (np.ones(2) for _ in range(3))).shape
    (3, 2)
    >>> as_array("vectors", {1.5, 2.5})
    Traceback (most recent call last):
    TypeError: vectors: expected them in an order, got a set
    """
    if isinstance(given, set | frozenset | Mapping):
        wanted = "an array or a list" if isinstance(given, Mapping) else "them in an order"
        raise TypeError(f"{name}: expected {wanted}, got a {type(given).__name__}")
    if isinstance(given, np.ndarray) and np.any(getattr(given, "mask", False)):  # what is under a mask means nothing
        raise ValueError(f"{name}: expected no masked numbers, got {np.sum(given.mask)} of them")  # type: ignore[attr-defined]
    read = None if isinstance(given, np.ndarray | list) else arrow.read(given)
    given = given if read is None else read
    try:
        array = np.asarray(given)
        if array.dtype == object and array.ndim == 0 and isinstance(given, Iterable) and array is not given:
            given = list(given)  # an iterator, or a view of a dict
            array = np.asarray(given)
        if array.dtype == object:  # a column of arrays or lists, or a table with no other column
            given = array[:, 0] if array.shape[1:] == (1,) and isinstance(array[0, 0], Sized) else array
            array = np.asarray(given.tolist())
    except ValueError:  # rows of several lengths, of which numpy tells in terms of its own
        raise ValueError(odd_row(name, list(given), dim, ids)) from None
    return array


def odd_row(name: str, rows: list[Any], dim: int | None, ids: Ids | None) -> str:
    """The sentence for rows that make no array: it names the first that is not as long as it should be."""
    for i, row in enumerate(rows):
        length = len(row) if isinstance(row, Sized) and not isinstance(row, str | bytes) else kind_of(row)
        if dim is not None and length != dim:
            return f"{row_name(name, i, ids)}: expected {dim} components, got {length}"
    return f"{name}: expected numbers, got {len(rows)} rows of several kinds"


def kind_of(value: object) -> str:
    """What came in the place of a number, in a word.

    >>> kind_of(None), kind_of("7"), kind_of([7])
    ('None', 'text', 'list')
    """
    return "None" if value is None else "text" if isinstance(value, str) else type(value).__name__


def a_kind_of(value: object) -> str:
    """The same with its article.

    >>> a_kind_of(object()), a_kind_of({7})
    ('an object', 'a set')
    """
    kind = kind_of(value)
    return f"{'an' if kind[0] in 'aeioAEIO' else 'a'} {kind}"


def kind_of_all(array: NDArray[Any]) -> str:
    """The same of an array: the type of its numbers."""
    return "text" if array.dtype.kind == "U" else str(array.dtype)


def row_name(name: str, i: int, ids: Ids | None) -> str:
    return f"{name}[{i}]" + (f" (id {ids[i]})" if ids is not None and i < len(ids) else "")


def as_ids(ids: Any, name: str = "ids", *, in_order: bool = True) -> Ids:
    """The ids as a 1-D int64 array; one id alone is an array of one. A set will do where no order is needed.

    Rows of one column, as a query in SQL gives them, are ids as well.

    >>> as_ids([3, 1, 2]), as_ids(np.uint8(7)), as_ids({5}, in_order=False), as_ids([(8,), (6,)])
    (array([3, 1, 2]), array([7]), array([5]), array([8, 6]))
    """
    given = as_array(name, list(ids) if not in_order and isinstance(ids, set | frozenset) else ids)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim > 1:
        raise ValueError(f"{name}: expected a 1-D array, got shape {given.shape}")
    if given.ndim == 0 and given.dtype == object:
        raise TypeError(f"{name}: expected 64-bit whole numbers, got {kind_of(given.item())}")
    if given.size == 0:
        return np.empty(0, ID)  # an empty list has no dtype worth checking
    if given.dtype == object:
        for i, id_ in enumerate(given.tolist()):
            if not isinstance(id_, int):
                raise TypeError(f"{name}[{i}]: expected 64-bit whole numbers, got {kind_of(id_)}")
    if given.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected 64-bit whole numbers, got {kind_of_all(given)}")
    if given.dtype.kind == "u" and given.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name}: {given.max()} is above the largest 64-bit id, {np.iinfo(np.int64).max}")
    return np.ascontiguousarray(np.atleast_1d(given), ID)


def as_vectors(vectors: Any, dim: int, name: str = "vectors", ids: Ids | None = None) -> NDArray[np.generic]:
    """The vectors as a 2-D array with `dim` columns, of the dtype they came in; one vector alone is a row.

    `name` and `ids` are for the words of an error.

    >>> as_vectors([1, 2, 3], 3).shape, as_vectors(np.ones((5, 3), np.float16), 3).shape
    ((1, 3), (5, 3))
    """
    given = as_array(name, vectors, dim, ids)
    if not np.can_cast(given.dtype, FLOAT, "same_kind"):
        raise TypeError(no_number(name, given, ids))
    if given.ndim not in (1, 2):
        raise ValueError(f"{name}: expected shape (n, {dim}) or ({dim},), got {given.shape}")
    if given.shape == (0,):
        given = given.reshape(0, dim)
    if given.shape[-1] != dim:
        raise ValueError(f"{name}: expected {dim} components, got {given.shape[-1]} (shape {given.shape})")
    return np.atleast_2d(given)


def no_number(name: str, array: NDArray[Any], ids: Ids | None) -> str:
    """The sentence for an array of something else than numbers: what it is, and of objects, where the first is."""
    if array.dtype.kind == "S":
        return f"{name}: expected numbers, got bytes (np.frombuffer(blob, '<f4') reads a blob of float32)"
    wrong = (at for at, cell in np.ndenumerate(array) if not isinstance(cell, int | float | np.number))
    if array.dtype != object or (first := next(wrong, None)) is None:
        return f"{name}: expected numbers, got {kind_of_all(array)}"
    *row, j = first or (0,)
    if array.ndim == 1 and ids is not None and len(ids) > 1:  # no vector, but a column of what are none
        row, j = [j], -1
    where = row_name(name, row[0], ids) if row else name
    component = f" at component {j}" if j >= 0 and array.size > 1 else ""
    return f"{where}: expected numbers, got {kind_of(array[first])}{component}"


def float_buffer(vectors: NDArray[np.generic]) -> Vectors:
    """What is bound to SQL as a blob: little-endian float32 without a gap, copied only if it is not so yet.

    >>> bytes(float_buffer(np.array([1, 2])).data).hex()
    '0000803f00000040'
    """
    with np.errstate(over="ignore"):  # too large for a float32 becomes infinite, which the table refuses by name
        return np.ascontiguousarray(vectors, FLOAT)


def plain(value: object) -> object:
    """A scalar of numpy, or an array of no dimensions, as Python's own; all else as it is.

    >>> plain(np.uint8(3)), plain(np.array(0.5)), plain("l2")
    (3, 0.5, 'l2')
    """
    is_scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return value.item() if is_scalar else value  # type: ignore[attr-defined]


def as_count(name: str, value: object) -> int | None:
    """A whole number of 64 bits, of any kind, for SQL; None stays None.

    >>> as_count("k", np.int64(3)), as_count("k", 3.0)
    (3, 3)
    >>> as_count("k", float("nan"))
    Traceback (most recent call last):
    ValueError: k: expected a whole number, got nan
    """
    number = plain(value)
    if number is None:
        return None
    if isinstance(number, float):
        if not number.is_integer():
            raise ValueError(f"{name}: expected a whole number, got {number}")
        number = int(number)
    try:
        count = operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {number!r}") from None
    if not -(2**63) <= count < 2**63:
        raise ValueError(f"{name}: expected a whole number of 64 bits, got {count}")
    return count


def as_number(name: str, value: object) -> float | None:
    """A number, of any kind, for SQL; None stays None.

    >>> as_number("recall", np.float32(0.5))
    0.5
    >>> as_number("recall", float("nan"))
    Traceback (most recent call last):
    ValueError: recall: expected a number, got nan
    """
    given = plain(value)
    if given is None:
        return None
    if not isinstance(given, SupportsFloat) or isinstance(given, np.ndarray):  # float() itself would read text
        raise TypeError(f"{name}: expected a number, got {given!r}")
    try:
        number = float(given)
    except OverflowError:
        raise ValueError(f"{name}: expected a number of at most 1.7e308, got a larger one") from None
    if number != number:
        raise ValueError(f"{name}: expected a number, got {number}")
    return number


def batches(ids: Ids, vectors: NDArray[Any], n_bytes: int = BATCH_BYTES) -> Iterator[tuple[Ids, NDArray[Any]]]:
    """Ids and vectors in pieces of at most `n_bytes` of float32, so that a large array is never converted whole.

    >>> [len(part) for part, _ in batches(np.arange(5), np.ones((5, 4)), n_bytes=32)]
    [2, 2, 1]
    """
    n_rows = max(1, n_bytes // (FLOAT.itemsize * vectors.shape[1]))
    for start in range(0, len(ids), n_rows):
        yield ids[start : start + n_rows], vectors[start : start + n_rows]
