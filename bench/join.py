"""The k-nearest join of two tables and the graph of one, beside one search a row: what `make bench-join` prints.

    python bench/join.py                       # 50,000 rows of text, and songs: some minutes
    python bench/join.py --data sift --k 100
    python bench/join.py --rows 20000

Rows of the left table a second, k nearest of the right table for each, with everything in memory; the fastest of three runs
by the clock on the wall, since threads are part of it. The left table is as large as the right one where the data has as many
rows, of which none is in both.

    items      one ann_search_item a row, in one statement
    graph      ann_graph; 1: by one thread
    searches   one ann_search a row of the left table, in one statement
    join       ann_join; 1: by one thread
    others     all vectors handed over in one call, with as many threads, at the first setting that reaches the recall of ann_join

Microseconds of the processor, of all threads, stand beside it: on a machine that is shared they say more than the clock. Recall is
that of a thousand of the rows. Figures are kept in build/bench/join.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apsw
import compare
import data
import numpy as np
from peer import Peer, Space
from peers import FaissGraph, Hnswlib, Usearch
from rich.console import Console
from rich.table import Table

import sqlite_ann

OUT = compare.OUT / "join.json"
RUNS = 3
SAMPLE = 1000  # rows whose recall is looked at
THREADS = 2

SEARCHES = "SELECT l.rowid, s.id FROM l, ann_search('r', l.embedding, ?) AS s"
ITEMS = "SELECT r.rowid, s.id FROM r, ann_search_item('r', r.rowid, ?) AS s WHERE s.exclude_self = 1"
JOIN = "SELECT left_id, id FROM ann_join('l', 'r', ?)"
GRAPH = "SELECT left_id, id FROM ann_graph('r', ?)"

console = Console()


@dataclass
class Line:
    """One way of doing it."""

    data: str
    way: str
    rows: int  # of the left table
    seconds: float  # by the clock
    cpu: float  # seconds of the processor
    recall: float


def fastest(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """The least seconds by the clock and of the processor, and what was found."""
    clock = cpu = np.inf
    for _ in range(RUNS):
        start, used = time.perf_counter(), time.process_time()
        found = call()
        clock, cpu = min(clock, time.perf_counter() - start), min(cpu, time.process_time() - used)
    return clock, cpu, found


def shares(found: np.ndarray, truth: dict[int, np.ndarray]) -> float:
    """The recall of rows (m, k) of ids."""
    return float(np.mean([np.isin(found[row], near).mean() for row, near in truth.items()]))


def ours(db: apsw.Connection, sql: str, k: int, threads: int) -> tuple[float, float, np.ndarray]:
    """The ids come back as (m, k): every row has k neighbours here."""
    db.execute("SELECT ann_set('r', 'threads', ?)", (threads,)).fetchall()
    seconds, cpu, rows = fastest(lambda: db.execute(sql, (k,)).fetchall())
    return seconds, cpu, np.array(rows)[:, 1].reshape(-1, k)


def others(
    left: np.ndarray, right: np.ndarray, metric: str, k: int, least: float, truth: dict[int, np.ndarray]
) -> Iterable[tuple[str, float, float, float]]:
    """The first setting of each that reaches a recall."""
    if metric == "cosine":
        left, right = data.normalized(left), data.normalized(right)
    for peer, search in (
        (Hnswlib(), lambda peer: peer.hnsw.knn_query(left, k, num_threads=THREADS)[0]),
        (Usearch(), lambda peer: peer.usearch.search(left, k, threads=THREADS).keys),
        (FaissGraph(), lambda peer: peer.faiss.search(left, k)[1]),
    ):
        options = peer.builds(*right.shape)[0]
        with tempfile.TemporaryDirectory() as folder:
            peer.build(right, Space(right.shape[1], metric), Path(folder) / "index", options)
            yield reached(peer, search, right, metric, Path(folder) / "index", options, least, truth)


def reached(
    peer: Peer,
    search: Callable[[Any], np.ndarray],
    right: np.ndarray,
    metric: str,
    path: Path,
    options: dict[str, Any],
    least: float,
    truth: dict[int, np.ndarray],
) -> tuple[str, float, float, float]:
    peer.open(path, Space(right.shape[1], metric), options)
    if peer.name.startswith("faiss"):
        import faiss

        faiss.omp_set_num_threads(THREADS)
    recall, setting = 0.0, {}
    for setting in peer.settings(options, len(right)):
        peer.set(setting)
        recall = shares(search(peer), truth)
        if recall >= least:
            break
    seconds, cpu, _ = fastest(lambda: search(peer))
    return f"{peer.name}, {json.dumps(setting)}", seconds, cpu, recall


def measured(name: str, rows: int, k: int) -> list[Line]:
    dataset, _ = compare.sample(name, None)
    chosen = np.random.default_rng(0).permutation(len(dataset.base))
    n = min(rows, len(chosen) // 2)
    right, left = (dataset.base[np.sort(part)] for part in (chosen[:n], chosen[n : 2 * n]))
    some = np.random.default_rng(1).permutation(n)[:SAMPLE]
    near = dict(zip(some.tolist(), data.exact_neighbours(right, left[some], dataset.metric, k), strict=True))
    itself = data.exact_neighbours(right, right[some], dataset.metric, k + 1)
    # Of duplicates the row itself need not be the first.
    apart = {row: ids[ids != row][:k] for row, ids in zip(some.tolist(), itself, strict=True)}
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite_ann.connect(f"{folder}/ours.db")
        for table, vectors in (("l", left), ("r", right)):
            index = sqlite_ann.Index.create(db, table, dim=right.shape[1], metric=dataset.metric)
            index.add(np.arange(len(vectors)), vectors)
            index.optimize()
            db.execute("SELECT ann_set(?, 'warm', 1)", (table,)).fetchall()
        for way, sql, threads, truth in (
            ("items", ITEMS, 1, apart),
            ("graph, 1", GRAPH, 1, apart),
            ("graph", GRAPH, THREADS, apart),
            ("searches", SEARCHES, 1, near),
            ("join, 1", JOIN, 1, near),
            ("join", JOIN, THREADS, near),
        ):
            seconds, cpu, found = ours(db, sql, k, threads)
            lines.append(Line(name, way, n, seconds, cpu, shares(found, truth)))
        db.close()
    for way, seconds, cpu, recall in others(left, right, dataset.metric, k, lines[-1].recall, near):
        lines.append(Line(name, way, n, seconds, cpu, recall))
    return lines


def shown(lines: list[Line], k: int) -> Table:
    table = Table(
        "data", "way", "rows", "rows a second", "cpu us a row", "recall", title=f"k = {k}, recall .95 asked for of ours"
    )
    for line in lines:
        table.add_row(
            line.data,
            line.way,
            f"{line.rows:,}",
            f"{line.rows / line.seconds:,.0f}",
            f"{1e6 * line.cpu / line.rows:.1f}",
            f"{line.recall:.3f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", default=["text", "songs"], choices=sorted(data.RECIPES))
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--k", type=int, default=10)
    given = parser.parse_args()
    lines: list[Line] = []
    for name in given.data:
        with console.status(f"{given.rows:,} rows of {name}"):
            lines += measured(name, given.rows, given.k)
    console.print(shown(lines, given.k))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
