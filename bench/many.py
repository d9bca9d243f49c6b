"""`Index.search` for many queries in one call, beside a loop of single searches: rows of a table in docs/MEASUREMENTS.md.

    python bench/many.py                       # 1,000, 10,000 and 100,000 rows of text: a minute
    python bench/many.py --data sift --rows 100000 --k 100

Microseconds a query by the clock, everything in memory. Both ways are measured in turn, many times, and the fastest of each
is told: so they meet the same machine, and what else runs there is left out as far as it can be.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import compare
import numpy as np
from rich.console import Console
from rich.table import Table

import sqlite_ann

BATCHES = (2, 10, 63, 1000)
SEARCHES = 6000  # of each way and batch, at least


def fastest(ways: list[Callable[[], Any]], runs: int) -> list[float]:
    """The least seconds of each, in turn."""
    least = [np.inf] * len(ways)
    for _ in range(runs):
        for i, way in enumerate(ways):
            start = time.perf_counter()
            way()
            least[i] = min(least[i], time.perf_counter() - start)
    return least


def measured(index: sqlite_ann.Index, queries: np.ndarray, k: int) -> list[float]:
    """Microseconds a query: one by one, together by one thread, by two."""
    ways = [lambda: [index.search(query, k) for query in queries]]
    ways += [lambda threads=threads: index.search(queries, k, threads=threads) for threads in (1, 2)]
    alone, *together = (way() for way in ways)
    for found in together:
        assert all(
            np.array_equal(a, b)
            for one, *rows in zip(alone, *found, strict=True)
            for a, b in zip(one, rows, strict=True)
        )
    return [1e6 * seconds / len(queries) for seconds in fastest(ways, max(5, SEARCHES // len(queries)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="text")
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--k", type=int, default=10)
    given = parser.parse_args()
    dataset, _ = compare.sample(given.data, None)
    queries = np.ascontiguousarray(dataset.queries[: max(BATCHES)], np.float32)
    table = Table("rows", "queries", "one by one", "one thread", "two threads", "times", title="µs a query")
    for n in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            index = sqlite_ann.Index.create(f"{folder}/ours.db", "v", dim=queries.shape[1], metric=dataset.metric)
            index.add(np.arange(n), dataset.base[:n])
            index.optimize()
            index.db.execute("SELECT ann_set('v', 'warm', 1)").fetchall()
            for m in BATCHES:
                alone, one, two = measured(index, queries[:m], given.k)
                table.add_row(f"{n:,}", f"{m:,}", *(f"{us:.1f}" for us in (alone, one, two)), f"{alone / two:.2f}")
            index.db.close()
    Console().print(table)


if __name__ == "__main__":
    main()
