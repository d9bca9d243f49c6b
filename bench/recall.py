"""Recall and work on real data, against exact neighbours: what `make bench-recall` prints.

    python bench/recall.py                      # songs, fashion, text
    python bench/recall.py words sift --k 100
    python bench/recall.py text-int8 text-bit sift-l1      # other element types and metrics

For every data set: a table built and optimised; then the same after 30 % of its rows were deleted and as
many others (of text: half as many) inserted one by one, without `optimize`. Queries are never in the table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import apsw
import data
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import sqlite_ann

CHURN = 0.3  # of the rows, replaced by others
LOAD_ROWS = 8192  # a call of Index.add
AT_LEAST = {"text": 100_000}  # rows of the table, even if fewer are left to be inserted later


@dataclass(frozen=True)
class Figures:
    """What one round of queries gave."""

    recall: float
    inspected: float  # codes looked at, a query
    microseconds: float  # median of a query, from Python


def measure(index: sqlite_ann.Index, queries: np.ndarray, farthest: np.ndarray, k: int, recall: float) -> Figures:
    """Search for every query at the asked `recall`; farthest: the distance of its k-th nearest, float (q,).

    Which of equals is found is all the same.
    """
    hits, inspected, times = 0, 0, []
    for query, far in zip(queries, farthest, strict=True):
        start = time.perf_counter()
        _, distances = index.search(query, k=k, recall=recall)
        times.append(time.perf_counter() - start)
        hits += int((distances <= far).sum())
        inspected += inspected_by(index) if len(times) % 10 == 0 else 0
    n = len(queries)
    return Figures(hits / (n * k), inspected / (n // 10), 1e6 * float(np.median(times)))


def inspected_by(index: sqlite_ann.Index) -> int:
    """Codes that the last search of this connection looked at."""
    sql = "SELECT value FROM ann_info(?) WHERE key = 'inspected'"
    return int(index.db.execute(sql, (index.name,)).get)


def add(index: sqlite_ann.Index, base: np.ndarray, ids: np.ndarray) -> None:
    """The rows `ids` of base, in bulk."""
    for at in track(range(0, len(ids), LOAD_ROWS), description="load", transient=True):
        some = ids[at : at + LOAD_ROWS]
        index.add(some, base[some])


def insert_one_by_one(index: sqlite_ann.Index, base: np.ndarray, ids: Iterable[int]) -> float:
    """Each row a statement, all in one transaction; rows a second."""
    start, n = time.perf_counter(), 0
    sql = f"INSERT INTO {index.table}(rowid, {index.column}) VALUES(?, ?)"
    with index.db:
        for id in track(list(ids), description="insert", transient=True):
            index.db.execute(sql, (int(id), base[id]))
            n += 1
    return n / (time.perf_counter() - start)


def rounds(name: str, n_queries: int, k: int, recalls: list[float]) -> Iterable[tuple[str, ...]]:
    """Rows of the report for one data set."""
    dataset = data.load(name)
    base, queries = dataset.base, dataset.queries[:n_queries]
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite_ann.connect(str(Path(folder) / "recall.db"))
        db.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=normal")
        index = sqlite_ann.Index.create(db, "v", dim=dataset.dim, metric=dataset.metric, type=dataset.element)
        yield from both_rounds(db, index, dataset.metric, name, base, queries, k, recalls)
        db.close()


def both_rounds(
    db: apsw.Connection,
    index: sqlite_ann.Index,
    metric: str,
    name: str,
    base: np.ndarray,
    queries: np.ndarray,
    k: int,
    recalls: list[float],
) -> Iterable[tuple[str, ...]]:
    """Fresh, then churned."""
    order = np.random.default_rng(0).permutation(len(base))
    kept = max(int(len(base) / (1 + CHURN)), AT_LEAST.get(name, 0))
    first, late = np.sort(order[:kept]), order[kept:]
    add(index, base, first)
    start = time.perf_counter()
    index.optimize(progress=True)
    built = time.perf_counter() - start
    yield from report(index, metric, f"{name}, built in {built:.0f} s", base, first, queries, k, recalls)
    gone = first[np.random.default_rng(1).permutation(kept)[: int(CHURN * kept)]]
    with db:
        db.executemany(f"DELETE FROM {index.table} WHERE rowid = ?", ((int(id),) for id in gone))
    speed = insert_one_by_one(index, base, late)
    now = np.sort(np.concatenate([np.setdiff1d(first, gone), late]))
    label = f"{name}, 30 % replaced at {speed:,.0f} inserts/s"
    yield from report(index, metric, label, base, now, queries, k, recalls)


def report(
    index: sqlite_ann.Index,
    metric: str,
    label: str,
    base: np.ndarray,
    ids: np.ndarray,
    queries: np.ndarray,
    k: int,
    recalls: list[float],
) -> Iterable[tuple[str, ...]]:
    """One row for each recall asked for; the table now holds `ids`."""
    last = ids[data.exact_neighbours(base[ids], queries, metric, k)[:, -1]]
    exact = [data.exact_distances(base[[id]], query, metric)[0] for id, query in zip(last, queries, strict=True)]
    farthest = np.sqrt(exact) if metric == "l2" else np.array(exact)
    farthest += 1e-6 * np.abs(farthest) + 1e-7  # distances of a search are sums of floats
    for asked in recalls:
        got = measure(index, queries, farthest, k, asked)
        yield (
            label,
            f"{len(ids):,} x {index.dim}",
            f"{asked}",
            f"{got.recall:.4f}",
            f"{got.inspected:,.0f}",
            f"{got.microseconds:,.0f}",
        )


def main() -> None:
    """Parse the command line, fetch what is missing, print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=", ".join(data.NAMES), default=["songs", "fashion", "text"]
    )
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--recall", type=float, nargs="*", default=[0.9, 0.95, 0.99])
    arguments = parser.parse_args()
    table = Table(title=f"recall@{arguments.k} on queries that are not in the table")
    for heading in ("data", "rows", "asked", "recall", "inspected", "µs a query"):
        table.add_column(heading, justify="left" if heading == "data" else "right")
    console = Console(width=110)
    for name in arguments.names:
        data.bring(name)
        for row in rounds(name, arguments.queries, arguments.k, arguments.recall):
            table.add_row(*row)
            console.print(*row, sep="  ")
    console.print(table)


if __name__ == "__main__":
    main()
