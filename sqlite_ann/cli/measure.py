"""Recall and time of searches, measured on rows of the table.

curve(index, k, sample, shares)     a Point for each recall asked for
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..answers import Recall
from ..index import Index

ROUNDS = 3  # of medians the least counts, which other programs disturb least
LEAST, SECONDS = 5, 0.2  # a round times so many searches at least, and takes no longer than this when they are slow


@dataclass(frozen=True)
class Point:
    asked: float
    recall: float  # given
    low: float  # a 95 % interval of it
    high: float
    microseconds: float  # of a search: the least of several medians


def check_rows(index: Index, sample: int) -> None:
    if sample < 1:
        raise ValueError(f"--sample: expected a number from 1, got {sample}")
    n_rows = len(index)
    if n_rows < 2:
        raise ValueError(f"{index.name}: expected two rows or more to measure with, got {n_rows}")


def curve(index: Index, k: int, sample: int, shares: Sequence[float]) -> list[Point]:
    """Exact search is not compared with itself: it is only timed."""
    check_rows(index, sample)
    index.db.pragma("mmap_size", 2**31)  # each recall reads the whole table twice
    measured = [index.recall(k, sample, share) if share != 1 else Recall(k, sample, 1, 1, 1) for share in shares]
    if any(m.recall is None for m in measured):
        raise ValueError(
            f"{index.name}: expected rows with vectors that fit, found none; `sqlite-ann check` names them"
        )
    queries = rows_of(index, sample)
    for query in queries:
        index.search(query, k, min(shares))  # reads what searches need, which those that are timed find in memory
    # Exact search is slow and takes much the same each time.
    rounds = [
        {share: microseconds(index, queries, k, share) for share in shares if share < 1 or i == 0}
        for i in range(ROUNDS)
    ]
    times = [min(times[share] for times in rounds if share in times) for share in shares]
    return [
        Point(share, float(m.recall or 0), float(m.low or 0), float(m.high or 0), micros)
        for share, m, micros in zip(shares, measured, times, strict=True)
    ]


def rows_of(index: Index, sample: int) -> NDArray[np.generic]:
    """Rows at even steps between the smallest and the largest id; fewer than the sample where ids lie unevenly."""
    least, most = index.db.execute(f"SELECT min(rowid), max(rowid) FROM {index.table}").get
    first_from = f"SELECT rowid FROM {index.table} WHERE rowid >= ? ORDER BY rowid LIMIT 1"
    steps = (least + (most - least) * i // max(1, sample - 1) for i in range(sample))
    return index.get(sorted({index.db.execute(first_from, (step,)).get for step in steps}))


def microseconds(index: Index, queries: NDArray[np.generic], k: int, share: float) -> float:
    """The median of one search for each of these, or for as many as the time allows."""
    times, start = [], time.perf_counter()
    for query in queries:
        began = time.perf_counter()
        index.search(query, k, float(share))
        now = time.perf_counter()
        times.append(1e6 * (now - began))
        if len(times) >= LEAST and now - start > SECONDS:
            break
    return statistics.median(times)
