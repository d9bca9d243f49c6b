"""Rows on their way into a table: from generators, and without those that are bad.

parts(pairs, n)          ids and vectors of n rows at a time, from pairs of an id and a vector, or of batches
good(kind, …)            ids and rows without the bad ones, and why these are
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from . import arrow, elements
from . import vectors as arrays

PART_ROWS = 8192  # rows of a generator that are put into one statement


def parts(
    pairs: Iterable[Any], n: int = PART_ROWS, kinds: tuple[type, ...] = (int, np.integer)
) -> Iterator[tuple[Any, Any]]:
    """An id and its vector are gathered, ids and their vectors handed on as they come; an id is of one of these kinds.

    >>> [ids for ids, _ in parts([(7, [1, 2]), (8, [3, 4]), ([9, 10], [[5, 6], [7, 8]])])]
    [[7, 8], [9, 10]]
    """
    ids: list[Any] = []
    vectors: list[Any] = []
    for i, pair in enumerate(pairs):
        try:
            id_, vector = pair
        except (TypeError, ValueError):
            raise TypeError(f"rows[{i}]: expected an id and its vector, got {type(pair).__name__}") from None
        is_one = isinstance(id_, kinds)
        if is_one:
            ids.append(id_)
            vectors.append(vector)
        if len(ids) == n or (ids and not is_one):
            yield ids, vectors
            ids, vectors = [], []
        if not is_one:
            yield id_, vector
    if ids:
        yield ids, vectors


def good(kind: str, vectors: Any, dim: int, ids: arrays.Ids) -> tuple[arrays.Ids, elements.Rows, dict[int, str]]:
    """What can be stored of these rows, and for each id of the others the reason.

    >>> good("float32", [[1, 2], [3], [4, np.nan]], 2, np.array([7, 8, 9]))
    (array([7]), array([[1, 2]]), {8: 'expected 2 components, got 1', 9: 'expected finite components, got nan'})
    """
    read = arrow.read(vectors)
    vectors = vectors if read is None else read
    vectors = vectors if hasattr(vectors, "__len__") else list(vectors)
    try:
        rows = elements.as_rows(kind, vectors, dim, "vectors", ids)
    except (TypeError, ValueError):
        return one_by_one(kind, list(vectors), dim, ids)
    if len(rows) != len(ids):
        return ids, rows, {}  # which the caller refuses
    finite = elements.finite(kind, rows)
    reasons = {}
    for i in np.nonzero(~finite)[0].tolist():
        numbers = elements.buffer(kind, rows[i : i + 1])[0]
        first = next((number for number in numbers.tolist() if not np.isfinite(number)), "infinity")
        reasons[int(ids[i])] = f"expected finite components, got {first}"
    return ids[finite], rows[finite], reasons


def one_by_one(kind: str, vectors: list[Any], dim: int, ids: arrays.Ids) -> tuple[arrays.Ids, Any, dict[int, str]]:
    """`good` where numpy makes no array of all."""
    if len(vectors) != len(ids):
        return ids, vectors, {}
    there, rows, reasons = [], [], {}
    for id_, vector in zip(ids.tolist(), vectors, strict=True):
        try:
            row = elements.as_rows(kind, [vector], dim)
            kept, _, why = good(kind, row, dim, np.array([id_]))
            reasons.update(why)
            there += kept.tolist()
            rows += [row[0]] * len(kept)
        except (TypeError, ValueError) as error:
            reasons[id_] = str(error).partition(": ")[2].partition(" (shape")[0]
    width = elements.width(kind, dim) if rows and len(rows[0]) != dim else dim
    return np.array(there, arrays.ID), np.array(rows).reshape(len(rows), width), reasons
