"""How a table grows: time, file, memory and searches of tables of made-up rows, each table in a process of its own.

python bench/big.py --rows 100000 1000000 --dim 384 --type float32

Rows are 2,000 clusters that vary in 20 directions, with a little noise in all, made piece by piece so that they need no
memory; queries are such rows that are not in the table. Recall is that of 200 of them beside `recall=1`.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import sqlite_ann

PIECE, CLUSTERS, WIDTH, QUERIES, CHECKED, K = 50_000, 2_000, 20, 2_000, 200, 10


def pieces(rows: int, dim: int, seed: int) -> Iterator[tuple[range, np.ndarray]]:
    """Ids and vectors, a piece at a time."""
    shape = np.random.default_rng(0)  # the same for rows and queries
    basis = shape.standard_normal((WIDTH, dim), dtype=np.float32)
    middles = shape.standard_normal((CLUSTERS, WIDTH), dtype=np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, rows, PIECE):
        n = min(PIECE, rows - start)
        inner = middles[rng.integers(0, CLUSTERS, n)] + 0.5 * rng.standard_normal((n, WIDTH), dtype=np.float32)
        yield range(start, start + n), inner @ basis + 0.5 * rng.standard_normal((n, dim), dtype=np.float32)


def measure(rows: int, dim: int, kind: str, folder: Path) -> str:
    path = folder / "big.db"
    index = sqlite_ann.Index.create(str(path), "big", dim=dim, type=kind)
    index.db.execute("PRAGMA journal_mode = wal; PRAGMA synchronous = normal")
    begun = time.perf_counter()
    index.add(pieces(rows, dim, 1))
    index.optimize()
    loaded = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    index.db.close()

    index = sqlite_ann.Index(str(path), "big")
    (_, queries) = next(pieces(QUERIES, dim, 2))
    begun_first = time.perf_counter()
    index.search(queries[0], k=K)
    first = time.perf_counter() - begun_first
    for query in queries:  # until what they need is in memory
        index.search(query, k=K)
    begun_searching = time.perf_counter()
    found = [index.search(query, k=K).ids for query in queries]
    each = (time.perf_counter() - begun_searching) / QUERIES
    begun_exact = time.perf_counter()
    exact = [index.search(query, k=K, recall=1).ids for query in queries[:CHECKED]]
    each_exact = (time.perf_counter() - begun_exact) / CHECKED
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=False)])
    info = index.info()
    cells = (
        f"{rows:,} × {dim} {kind}",
        f"{loaded - begun:.0f}",
        f"{peak:,.0f}",
        f"{path.stat().st_size / 1e6:,.0f}",
        f"{info['index_bytes'] / 1e6:,.0f}",
        f"{1e3 * first:.0f}",
        f"{1e6 * each:,.0f}",
        f"{recall:.3f}",
        f"{1e3 * each_exact:,.1f}",
        f"{info['cache_bytes'] / 1e6:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--type", default="float32")
    args = parser.parse_args()
    print("| table | loading, s | peak, MB | file, MB | of it index, MB | first search, ms | search, µs | recall at .95 | exact, ms | kept, MB |")  # fmt: skip
    print("| --- " * 10 + "|")
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1) as pool:
            print(pool.apply(measure, (rows, args.dim, args.type, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
