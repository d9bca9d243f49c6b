"""What it costs to build a forest, and to insert into it row by row.

    python bench/build.py                           # fashion, text, sift, words
    python bench/build.py text --options threads=1 --rows 40000 --search-k 500 1000 2000

Seconds by the clock, and of computing in all threads, which is what a busy machine leaves comparable. With
`--search-k`, recall@10 when a search stops after so many vectors: the quality of the partition, whatever
calibration says.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import data
import numpy as np

import sqlite_ann

SHOWN_QUERIES = 1000


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock and of computing."""
    clock, computing = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - computing


def insert(db: apsw.Connection, base: np.ndarray, first: int, last: int) -> None:
    """The rows first..last-1, each a statement, in one transaction."""
    with db:
        for id in range(first, last):
            db.execute("INSERT INTO v(rowid, embedding) VALUES(?, ?)", (id, base[id].tobytes()))


def recall_at(db: apsw.Connection, queries: np.ndarray, truth: np.ndarray, search_k: int) -> float:
    """recall@10 of searches that look at `search_k` vectors."""
    hits = 0
    for query, true in zip(queries, truth, strict=True):
        found = db.execute("SELECT id FROM ann_search('v', ?, 10) WHERE search_k = ?", (query.tobytes(), search_k))
        hits += len({id for (id,) in found} & set(true.tolist()))
    return hits / (10 * len(queries))


def report(name: str, arguments: argparse.Namespace) -> None:
    """Build, insert, search; one line each."""
    dataset = data.load(name)
    order = np.random.default_rng(0).permutation(len(dataset.base))[: arguments.rows or None]
    base, queries = np.ascontiguousarray(dataset.base[np.sort(order)]), dataset.queries[:SHOWN_QUERIES]
    bulk = len(base) - arguments.inserts
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite_ann.connect(str(Path(folder) / "build.db"))
        db.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=normal")
        more = f", {arguments.options}" if arguments.options else ""
        db.execute(
            f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{base.shape[1]}], metric={dataset.metric}{more})"
        )
        db.execute("INSERT INTO v(v) VALUES('absorb=0')")
        with db:
            sql = "INSERT INTO v(rowid, embedding) VALUES(?, ?)"
            db.executemany(sql, ((id, base[id].tobytes()) for id in range(bulk)))
        clock, computing = timed(lambda: db.execute("INSERT INTO v(v) VALUES('optimize')") and None)
        print(f"{name}, {bulk:,} x {base.shape[1]}: built in {clock:.1f} s, computing {computing:.1f} s", flush=True)
        clock, computing = timed(lambda: insert(db, base, bulk, len(base)))
        print(f"  inserts: {arguments.inserts / clock:,.0f}/s, {arguments.inserts / computing:,.0f}/s of computing")
        if arguments.search_k:
            truth = data.exact_neighbours(base, queries, dataset.metric, 10)
            for search_k in arguments.search_k:
                print(f"  recall@10 of {search_k:,} inspected: {recall_at(db, queries, truth, search_k):.4f}")
        db.close()


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["fashion", "text", "sift", "words"])
    parser.add_argument("--rows", type=int, default=0, help="of the data set; all")
    parser.add_argument("--inserts", type=int, default=5000, help="rows held back and inserted one by one")
    parser.add_argument("--options", default="", help='of CREATE VIRTUAL TABLE, such as "threads=1, trees=3"')
    parser.add_argument("--search-k", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    for name in arguments.names:
        if not data.is_here(name):
            data.fetch(name)
        report(name, arguments)


if __name__ == "__main__":
    main()
