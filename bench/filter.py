"""Searches among some rows, in every form, beside what they could cost: what `make bench-filter` prints.

    python bench/filter.py                       # 100,000 rows of text, some minutes
    python bench/filter.py --data sift --k 100
    python bench/filter.py --rows 20000 --queries 5

A table `fit` holds the ids of the rows that fit: as many as the selectivity says, anywhere; of the clusters nearest to the
query; or of those farthest from it. Every form answers the same question, in turns, one query a call; a figure is the
median over the queries of the fastest of three runs, in microseconds of the processor. They are kept in
build/bench/filter.json.

    list       a search for NULL with the list in IN: what SQLite takes to hand the ids over
    IN         id IN (SELECT id FROM fit), with that
    gather     SELECT ann_id_set(id) FROM fit
    set        only = (SELECT ann_id_set(id) FROM fit), with that
    kept       only = a set that was made before: the search alone
    large k    k = 1000000, a join with fit, and a LIMIT
    after      k, and a join with fit: as fast as no filter, and the rows that it finds
    exact      as kept, at a recall of 1: the rows that fit are scored
    share      a search without a filter, divided by the selectivity

`worst` is kept, or what IN takes beyond list, over the better of exact and share, whichever is more: the target is 2. Where rows that fit
are far from the query, `share` is what a walk would take that found few of them: there exact alone is what it is compared with.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import apsw
import compare
import data
import numpy as np
from peer import Space
from peers import SqliteVec, Vec1
from rich.console import Console
from rich.table import Table

import sqlite_ann

SHARES = (0.5, 0.1, 0.01, 0.001, 0.0)  # 0: a handful, HANDFUL
HANDFUL, CLUSTERS = 10, 200
WHERE = ("anywhere", "near", "far")
OUT = compare.OUT / "filter.json"
RUNS = 3
MOST_SECONDS = 1.0  # a form that takes longer is run on fewer queries

console = Console()


@dataclass
class Line:
    """One selectivity, and where the rows are."""

    where: str
    rows: int
    recall: float = math.nan
    after: float = math.nan  # rows that the wrong form finds, of k
    us: dict[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        """How many times the better of the two ways the search takes."""
        better = self.us["exact"] if self.where == "far" else min(self.us["exact"], self.us["share"])
        return max(self.us["kept"], self.us["IN alone"]) / better


@dataclass(frozen=True)
class Bench:
    """The tables, and what is asked of them."""

    base: np.ndarray  # as truth measures them
    scores: np.ndarray  # (q, n): smaller is nearer
    queries: np.ndarray
    clusters: np.ndarray  # (n,): of each row
    orders: np.ndarray  # (q, CLUSTERS): of each query, nearest first
    k: int
    ours: apsw.Connection
    others: dict[str, tuple[apsw.Connection, str]]  # name -> connection, statement

    def fitting(self, where: str, n: int, query: int) -> np.ndarray:
        """n ids, ascending."""
        rng = np.random.default_rng(query)
        if where == "anywhere":
            return np.sort(rng.choice(len(self.base), n, replace=False))
        order = self.orders[query] if where == "near" else self.orders[query][::-1]
        sizes = np.cumsum(np.bincount(self.clusters, minlength=CLUSTERS)[order])
        some = np.flatnonzero(np.isin(self.clusters, order[: np.searchsorted(sizes, n) + 1]))
        return np.sort(rng.choice(some, n, replace=False))


def fill(db: apsw.Connection, ids: np.ndarray) -> None:
    db.execute("DELETE FROM fit")
    with db:
        db.executemany("INSERT INTO fit VALUES (?)", ((id_,) for id_ in ids.tolist()))


def forms(bench: Bench, query: np.ndarray, kept: bytes) -> dict[str, Callable[[], Any]]:
    """What is timed, of ours; each gives the rows."""
    q, k = query.tobytes(), bench.k

    def run(sql: str, *values: object) -> Callable[[], Any]:
        return lambda: bench.ours.execute(sql, values).fetchall()

    search = "SELECT id FROM ann_search('v', ?, ?) WHERE "
    return {
        "list": run(search + "id IN (SELECT id FROM fit)", None, k),
        "IN": run(search + "id IN (SELECT id FROM fit)", q, k),
        "gather": run("SELECT ann_id_set(id) FROM fit"),
        "set": run(search + "only = (SELECT ann_id_set(id) FROM fit)", q, k),
        "kept": run(search + "only = ?", q, k, kept),
        "large k": run(
            "SELECT n.id FROM ann_search('v', ?, 1000000) n JOIN fit ON fit.id = n.id ORDER BY n.distance LIMIT ?", q, k
        ),
        "after": run("SELECT n.id FROM ann_search('v', ?, ?) n JOIN fit ON fit.id = n.id", q, k),
        "exact": run("SELECT id FROM ann_search('v', ?, ?, 1) WHERE only = ?", q, k, kept),
        "plain": run("SELECT id FROM ann_search('v', ?, ?)", q, k),
    }


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.thread_time()
    found = call()
    return 1e6 * (time.thread_time() - start), found


def measured(bench: Bench, where: str, n: int) -> Line:
    """All forms, in turns."""
    line, times = Line(where, n), {}
    hits = after = 0
    for i, query in enumerate(bench.queries):
        ids = bench.fitting(where, n, i)
        kept = bench.ours.execute("SELECT ann_id_set(?)", (ids.astype("<i8").tobytes(),)).get
        fill(bench.ours, ids)
        calls = forms(bench, query, kept)
        for name, (db, sql) in bench.others.items():
            if name == "vec1" and where != "anywhere":
                continue  # it restricts by columns of its own
            if name != "vec1":
                fill(db, ids)
            values = (
                (query.tobytes(), json.dumps({"nprobe": 32, "k": bench.k}), n)
                if name == "vec1"
                else (query.tobytes(), bench.k)
            )
            calls[name] = lambda db=db, sql=sql, values=values: db.execute(sql, values).fetchall()
        for name, call in calls.items():
            row = times.setdefault(name, [])
            if RUNS * sum(row) > 1e6 * MOST_SECONDS and len(row) >= 3 and name not in ("IN", "list"):
                continue
            (first, found), *others = (timed(call) for _ in range(RUNS))
            row.append(min(first, *(us for us, _ in others)))
            if name == "kept":
                hits += right(bench.scores[i], ids, found, bench.k)
            if name == "after":
                after += len(found)
    line.us = {name: float(np.median(row)) for name, row in times.items()}
    line.us["IN alone"] = float(np.median(np.subtract(times["IN"], times["list"])))
    line.us["share"] = line.us["plain"] * len(bench.base) / n
    line.recall = hits / (len(bench.queries) * min(bench.k, n))
    line.after = after / len(bench.queries)
    return line


def right(scores: np.ndarray, ids: np.ndarray, found: list[tuple[int]], k: int) -> int:
    """How many are among the k nearest that fit; rounding and ties do not count as misses."""
    k = min(k, len(ids))
    last = np.partition(scores[ids], k - 1)[k - 1]
    return int(np.sum(scores[[id_ for (id_,) in found]] <= last + 1e-5 * abs(last)))


# ---- Tables ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def made(name: str, rows: int, n_queries: int, k: int) -> Iterator[Bench]:
    dataset, _ = compare.sample(name, rows)
    queries, rng = dataset.queries[:n_queries], np.random.default_rng(0)
    base = data.normalized(dataset.base) if dataset.metric == "cosine" else dataset.base
    asked = data.normalized(queries) if dataset.metric == "cosine" else queries
    halves = np.einsum("ij,ij->i", base, base) / 2
    centres = base[rng.choice(len(base), CLUSTERS, replace=False)]
    squares = np.einsum("ij,ij->i", centres, centres) / 2
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ours = stack.enter_context(contextlib.closing(sqlite_ann.connect(f"{folder}/ours.db")))
        index = sqlite_ann.Index.create(ours, "v", dim=base.shape[1], metric=dataset.metric)
        index.add(np.arange(len(base)), dataset.base)
        index.optimize()
        ours.execute("SELECT ann_set('v', 'warm', 1)").fetchall()
        ours.execute("CREATE TEMP TABLE fit(id INTEGER PRIMARY KEY)")
        others = {}
        for peer, sql in (
            (SqliteVec(), "SELECT rowid FROM v WHERE e MATCH ? AND k = ? AND rowid IN (SELECT id FROM fit)"),
            (Vec1(), "SELECT rowid FROM v(?1, ?2) WHERE g < ?3"),
        ):
            db = built(peer, dataset, Path(folder), rng)
            others[peer.name] = (stack.enter_context(contextlib.closing(db)), sql)
        yield Bench(
            base,
            (halves if dataset.metric == "l2" else np.zeros_like(halves)) - asked @ base.T,
            queries,
            np.argmin(squares - base @ centres.T, axis=1),
            np.argsort(squares - asked @ centres.T, axis=1),
            k,
            ours,
            others,
        )


def built(peer: SqliteVec | Vec1, dataset: data.Dataset, folder: Path, rng: np.random.Generator) -> apsw.Connection:
    """A peer's table; vec1's has a column g, in which every number from 0 is once, to restrict a search by."""
    path = folder / f"{peer.name}.db"
    if isinstance(peer, SqliteVec):
        peer.build(dataset.base, Space(dataset.base.shape[1], dataset.metric), path, {})
        db = peer.connect(path)
        db.execute("CREATE TEMP TABLE fit(id INTEGER PRIMARY KEY)")
        return db
    db = peer.connect(path)
    options = peer.builds(*dataset.base.shape)[0]
    wanted = json.dumps({"distance": peer.metrics[dataset.metric], **options})
    with db:
        db.execute("CREATE VIRTUAL TABLE v USING vec1(vector, g)")
        rows = zip(
            range(len(dataset.base)), map(bytes, dataset.base), rng.permutation(len(dataset.base)).tolist(), strict=True
        )
        db.executemany("INSERT INTO v(rowid, vector, g) VALUES(?, ?, ?)", rows)
    with db:
        db.execute(
            "INSERT INTO v(cmd, arg) SELECT 'rebuild', vec1_train(vector, ?) FROM v WHERE rowid % 2 = 0", (wanted,)
        )
    return db


# ---- The report -----------------------------------------------------------------------------------

COLUMNS = ("list", "IN", "gather", "set", "kept", "exact", "share", "large k", "sqlite-vec", "vec1")


def shown(lines: list[Line], title: str) -> Table:
    table = Table("rows", "that fit", "recall", "worst", *COLUMNS, "after finds", title=title)
    for line in lines:
        cells = [f"{line.us[name]:,.0f}" if name in line.us else "" for name in COLUMNS]
        table.add_row(
            line.where, f"{line.rows:,}", f"{line.recall:.3f}", f"{line.worst:.2f}", *cells, f"{line.after:.1f}"
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="text", choices=sorted(data.RECIPES))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--k", type=int, default=10)
    given = parser.parse_args()
    lines = []
    with made(given.data, given.rows, given.queries, given.k) as bench:
        for where in WHERE:
            for share in SHARES:
                n = max(HANDFUL, round(share * len(bench.base)))
                with console.status(f"{n:,} rows, {where}"):
                    lines.append(measured(bench, where, n))
    console.print(
        shown(lines, f"{given.data}: {len(bench.base):,} rows, k = {given.k}, recall .95 asked for; microseconds")
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
