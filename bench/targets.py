"""What the project promises of itself, measured, each figure beside its target: `make bench-targets`.

    python bench/targets.py                      # all, some ten minutes
    python bench/targets.py small growth         # these
    python bench/targets.py --rows 10000         # of every table at most so many rows: to try the program

Figures are ratios of two things measured in the same run, where they can be; queries are never in the table.
They are also kept in build/bench/targets.json.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apsw
import compare
import data
import front
import numpy as np
from peer import K, Space
from peers import Hnswlib, SqliteVec
from rich.console import Console
from rich.progress import track

import sqlite_ann

console = Console()
Search = Callable[[np.ndarray], object]


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    what: str
    value: float
    relation: str  # how it has to be to `target`: '<=' or '>='
    target: float
    more: str = ""  # what the ratio is made of

    @property
    def kept(self) -> bool:
        return self.value <= self.target if self.relation == "<=" else self.value >= self.target


# ---- Tables and times -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where tables are made, and how large at most; both are the command's to say."""

    folder: Path
    rows: int | None

    def limited(self, rows: int) -> int:
        return min(rows, self.rows or rows)


@functools.cache
def sampled(name: str, rows: int | None) -> tuple[data.Dataset, np.ndarray]:
    """So many rows of a data set, and the true neighbours of its queries, int64 (q, K)."""
    dataset, truth = compare.sample(name, rows)
    return dataset, truth[:, :K]


@functools.cache
def built(place: Place, name: str, rows: int | None) -> Path:
    """A database with these rows in the table `v`, optimized, built once a run."""
    dataset, _ = sampled(name, rows)
    path = place.folder / f"{name}-{rows}.db"
    with contextlib.closing(database(path)) as db:
        filled(db, dataset.base, np.arange(len(dataset.base)), dataset.metric)
    return path


def database(path: Path) -> apsw.Connection:
    db = sqlite_ann.connect(str(path))
    db.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=normal")
    return db


def filled(db: apsw.Connection, base: np.ndarray, ids: np.ndarray, metric: str) -> sqlite_ann.Index:
    """A table of the rows `ids` of base, optimized."""
    index = sqlite_ann.Index.create(db, "v", dim=base.shape[1], metric=metric)
    index.add(ids, base[ids])
    index.optimize(progress=True)
    return index


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite_ann.Index]:
    with contextlib.closing(database(path)) as db:
        yield sqlite_ann.Index(db, "v")


def timed(queries: np.ndarray, *calls: Search, passes: int = 3) -> list[np.ndarray]:
    """Seconds of each query, float64 (q,), of each call: the median of several passes, one query a call.

    The calls take turns, so that whatever the machine does meanwhile happens to all of them.
    """
    rounds = np.empty((passes, len(calls), len(queries)))
    for times in rounds:
        for call, row in zip(calls, times, strict=True):
            for query in queries[-50:]:
                call(query)
            for i, query in enumerate(queries):
                start = time.perf_counter()
                call(query)
                row[i] = time.perf_counter() - start
    return list(np.median(rounds, axis=0))


def usual(queries: np.ndarray, *calls: Search) -> list[float]:
    """Microseconds of the median query, of each call."""
    return [1e6 * float(np.median(times)) for times in timed(queries, *calls)]


def recall_of(index: sqlite_ann.Index, queries: np.ndarray, truth: np.ndarray, asked: float | None = None) -> float:
    """The share of the true k nearest (q, k) that is found."""
    found = index.search(queries, k=truth.shape[1], recall=asked)[0]
    return sum(len(np.intersect1d(*pair)) for pair in zip(found, truth, strict=True)) / truth.size


def ratio(what: str, value: float, by: float, relation: str, target: float, unit: str) -> Figure:
    """value / by, with both of them told."""
    return Figure(what, value / by, relation, target, f"{value:,.4g} / {by:,.4g} {unit}")


# ---- The figures ----------------------------------------------------------------------------------


def slow_queries(place: Place) -> Iterator[Figure]:
    """The slowest of a hundred queries against the usual one."""
    for name in ("text", "words"):
        dataset, _ = sampled(name, place.rows)
        with opened(built(place, name, place.rows)) as index:
            (times,) = timed(dataset.queries, index.search)
        times *= 1e6
        yield ratio(f"{name}: p99 / median of a query", np.quantile(times, 0.99), np.median(times), "<=", 4, "µs")


def exact(place: Place) -> Iterator[Figure]:
    """recall=1 against sqlite-vec, which is always exact."""
    dataset, _ = sampled("words", place.rows)
    other, path = SqliteVec(), place.folder / "exact.db"
    space = Space(dataset.base.shape[1], dataset.metric)
    other.build(dataset.base, space, path, {})
    other.open(path, space, {})
    with opened(built(place, "words", place.rows)) as index:
        ours, theirs = usual(dataset.queries[:20], functools.partial(index.search, recall=1.0), other.search)
    yield ratio("words: exact search / sqlite-vec", ours / 1e3, theirs / 1e3, "<=", 1, "ms")


def inserts(place: Place) -> Iterator[Figure]:
    """Half of the rows replaced one by one, without optimize, against a fresh build of the same rows."""
    dataset, _ = sampled("text", place.rows)
    base, metric, queries = dataset.base, dataset.metric, dataset.queries
    order = np.random.default_rng(0).permutation(len(base))
    n = 2 * len(base) // 3  # in the table; half of them go, and the last third comes
    gone, late = order[: n // 2], order[n : n + n // 2]
    now = np.sort(np.concatenate([order[n // 2 : n], late]))
    truth = now[data.exact_neighbours(base[now], queries, metric, K)]
    with (
        contextlib.closing(database(place.folder / "churned.db")) as db,
        contextlib.closing(database(place.folder / "fresh.db")) as other,
    ):
        churned = filled(db, base, np.sort(order[:n]), metric)
        speed = replaced_one_by_one(churned, base, gone, late)
        yield Figure("text, 384-d: single inserts a second", speed, ">=", 10_000, "one transaction, index kept")
        fresh = filled(other, base, now, metric)
        old, new = (recall_of(index, queries, truth) for index in (churned, fresh))
        yield Figure("text, half replaced: recall less than fresh by", new - old, "<=", 0.01, f"{old:.4f}")
        late_time, fresh_time = usual(queries, churned.search, fresh.search)
        yield ratio("text, half replaced: time / fresh", late_time, fresh_time, "<=", 1.2, "µs")


def replaced_one_by_one(index: sqlite_ann.Index, base: np.ndarray, gone: np.ndarray, late: np.ndarray) -> float:
    """Delete `gone`, insert `late`, a statement each, in one transaction; inserts a second."""
    db, sql = index.db, f"INSERT INTO {index.table}(rowid, {index.column}) VALUES(?, ?)"
    with db:
        for id in track(gone.tolist(), description="delete", transient=True):
            db.execute(f"DELETE FROM {index.table} WHERE rowid = ?", (id,))
        rows = [(int(id), base[id].tobytes()) for id in late]
        start = time.perf_counter()
        for row in rows:
            db.execute(sql, row)
    return len(rows) / (time.perf_counter() - start)


def small(place: Place) -> Iterator[Figure]:
    """Small tables against the matrix in numpy, plus ten constant rows out of a table function of SQLite."""
    for rows, most in ((10_000, 1), (1_000, 2)):
        dataset, _ = sampled("text", place.limited(rows))
        matrix, queries = data.normalized(dataset.base), data.normalized(dataset.queries)
        with opened(built(place, "text", place.limited(rows))) as index:
            rest = functools.partial(by_numpy_and_sqlite, matrix, index.db)
            ours, theirs = usual(queries, index.search, rest)
        yield ratio(f"text, {len(matrix):,} rows: time / (numpy + a table function)", ours, theirs, "<=", most, "µs")


def by_numpy_and_sqlite(matrix: np.ndarray, db: apsw.Connection, query: np.ndarray) -> None:
    """What the answer costs that is not ours to save: the products, and a statement that returns ten rows."""
    by_numpy(matrix, query)
    constant_rows(db, query)


def by_numpy(matrix: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The K nearest by cosine of unit vectors, (n, d) and (d,)."""
    scores = matrix @ query
    nearest = np.argpartition(-scores, K)[:K]
    nearest = nearest[np.argsort(-scores[nearest])]
    return nearest, 1 - scores[nearest]


def constant_rows(db: apsw.Connection, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ten rows of an id and a number, made into arrays as Index.search does; the query is bound for its bytes."""
    sql = "SELECT key, value FROM json_each('[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0]') WHERE ? NOTNULL"
    ids, distances = zip(*db.execute(sql, (query.tobytes(),)), strict=True)
    return np.array(ids, np.int64), np.array(distances)


def growth(place: Place) -> Iterator[Figure]:
    """The exponent of the time of a query in the rows, where a recall of .95 is measured."""
    sizes = [place.limited(250_000) // part for part in (10, 5, 2, 1)]
    times = []
    for rows in sizes:
        dataset, truth = sampled("words", rows)
        queries, truth = dataset.queries[:500], truth[:500]
        with opened(built(place, "words", rows)) as index:
            grid = (0.8, 0.9, 0.95, 0.98, 0.99)
            seconds = usual(queries, *(functools.partial(index.search, recall=asked) for asked in grid))
            recalls = [recall_of(index, queries, truth, asked) for asked in grid]
        speeds = [1 / each for each in seconds]
        times.append(1 / (front.speed_at(list(zip(recalls, speeds, strict=True)), 0.95) or math.nan))
    exponent = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
    more = ", ".join(f"{rows:,}: {each:,.0f} µs" for rows, each in zip(sizes, times, strict=True))
    yield Figure("words: growth exponent of the time at recall .95", exponent, "<=", 0.5, more)


def memory(place: Place) -> Iterator[Figure]:
    """Without pages kept from search to search, and with the file mapped, against the default."""
    for name in ("text", "words"):
        dataset, _ = sampled(name, place.rows)
        path, searches = built(place, name, place.rows), []
        with contextlib.ExitStack() as stack:
            for cache, mapped in ((None, 0), (0, 0), (0, 2**31)):
                index = stack.enter_context(opened(path))
                index.db.execute(f"PRAGMA mmap_size={mapped}")
                if cache is not None:
                    index.db.execute(f"INSERT INTO {index.table}({index.table}) VALUES('cache_mb={cache}')")
                searches.append(index.search)
            default, none, none_mapped = usual(dataset.queries, *searches)
        yield ratio(f"{name}, cache_mb=0: time / default", none, default, "<=", 3, "µs")
        yield ratio(f"{name}, cache_mb=0, mmap_size: time / default", none_mapped, default, "<=", 2, "µs")


def size(place: Place) -> Iterator[Figure]:
    """Bytes of the index, and of the whole file, against the vectors as float32."""
    for name in compare.DATA:
        dataset, _ = sampled(name, place.rows)
        path, raw = built(place, name, place.rows), dataset.base.nbytes
        most = 0.3 if dataset.base.shape[1] >= 300 else 0.7
        with opened(path) as index:
            sql = "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1 AND name GLOB 'v_*' AND name <> 'v_vectors'"
            yield ratio(f"{name}: index / raw", index.db.execute(sql).get / 1e6, raw / 1e6, "<=", most, "MB")
        yield ratio(f"{name}: whole file / raw", path.stat().st_size / 1e6, raw / 1e6, "<=", 1.6, "MB")


def first(place: Place) -> Iterator[Figure]:
    """Connecting and the first answer in a fresh process, the file being in the system's cache."""
    dataset, _ = sampled("words", place.rows)
    path, times = built(place, "words", place.rows), []
    for query in dataset.queries[:11]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            times.append(1e3 * pool.apply(first_query, (path, query)))
    yield Figure("words: first query in a fresh process, ms", float(np.median(times)), "<=", 10, "with connecting")


def first_query(path: Path, query: np.ndarray) -> float:
    """Seconds until the first answer; what was imported does not count."""
    start = time.perf_counter()
    with opened(path) as index:
        index.search(query)
        return time.perf_counter() - start


def asked(place: Place) -> Iterator[Figure]:
    """The recall asked for against the one measured."""
    for name in compare.DATA:
        dataset, truth = sampled(name, place.rows)
        with opened(built(place, name, place.rows)) as index:
            for wanted in front.RECALLS:
                measured = recall_of(index, dataset.queries, truth, wanted)
                what = f"{name}: recall where {wanted:g} is asked for"
                yield Figure(what, measured, ">=", wanted - 0.01)
                yield Figure(what, measured, "<=", wanted + (1 - wanted) / 2)


def lists(place: Place) -> Iterator[Figure]:
    """The recall asked for against the one measured, for k besides 10; the truth is an exact search's."""
    for name in compare.DATA:
        dataset, _ = sampled(name, place.rows)
        with opened(built(place, name, place.rows)) as index:
            for k, n in ((1, 1000), (100, 500), (1000, 200)):
                queries = dataset.queries[:n]
                exact = track(queries, description=f"{name}, k = {k}", transient=True)
                truth = np.array([index.search(query, k=k, recall=1.0)[0] for query in exact])
                for wanted in front.RECALLS:
                    measured = recall_of(index, queries, truth, wanted)
                    yield Figure(
                        f"{name}, k = {k}: recall where {wanted:g} is asked for", measured, ">=", wanted - 0.01
                    )


def build(place: Place) -> Iterator[Figure]:
    """A build from rows in the table against hnswlib's (M 16, ef 200, as many threads) from the same rows."""
    for name in compare.DATA:
        dataset, _ = sampled(name, place.rows)
        rows, metric = np.arange(len(dataset.base)), dataset.metric
        other, path = Hnswlib(), place.folder / "other"
        with contextlib.closing(database(place.folder / f"{name}-built.db")) as db:
            index = sqlite_ann.Index.create(db, "v", dim=dataset.base.shape[1], metric=metric)
            db.execute("SELECT ann_set('v', 'absorb', 0)").fetchall()  # else adding builds already
            index.add(rows, dataset.base)
            assert index.info()["waiting"] == len(rows)
            ours = seconds(index.optimize)
        theirs = seconds(
            other.build, dataset.base, Space(dataset.base.shape[1], metric), path, {"M": 16, "ef_construction": 200}
        )
        yield ratio(f"{name}: build / hnswlib's", ours, theirs, "<=", 0.2, "s")


def seconds(call: Callable[..., object], *arguments: Any) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


PARTS: dict[str, Callable[[Place], Iterator[Figure]]] = {
    "small": small,
    "size": size,
    "asked": asked,
    "lists": lists,
    "build": build,
    "slow": slow_queries,
    "first": first,
    "memory": memory,
    "exact": exact,
    "inserts": inserts,
    "growth": growth,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rows", type=int)
    given = parser.parse_args()
    compare.OUT.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=compare.OUT) as folder, contextlib.suppress(KeyboardInterrupt):
        for name in given.parts or PARTS:
            for figure in PARTS[name](Place(Path(folder), given.rows)):
                figures.append(figure)
                show(figure)
                keep(figures)
    console.print(f"{sum(figure.kept for figure in figures)} of {len(figures)} targets are met")


def show(figure: Figure) -> None:
    mark = "[green]met[/]  " if figure.kept else "[red]missed[/]"
    target = f"{figure.relation} {figure.target:,g}"
    console.print(f"{mark:16} {figure.what:58} {figure.value:10,.4g}  {target:>9}  {figure.more}", soft_wrap=True)


def keep(figures: list[Figure]) -> None:
    kept = {**compare.circumstances(["sqlite_ann"]), "figures": [asdict(figure) for figure in figures]}
    (compare.OUT / "targets.json").write_text(json.dumps(kept, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
