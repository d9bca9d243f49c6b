"""The recall that was asked for, in every life of a table: what `make bench-life` prints.

    python bench/life.py                         # every life on every set, a good half hour
    python bench/life.py --sets text sift --lives grown window
    python bench/life.py --rows 20000            # of every set at most so many
    python bench/life.py --sets text-int8 text-bit sift-l1     # other element types and metrics
    python bench/life.py --content               # of indexes over an ordinary table, to which every life writes

Each life ends with a table that holds some rows; beside it stands a fresh table of the same rows, loaded at once and
optimized. No life calls `optimize`. Recall counts a row as found when it is as near as the tenth; queries are in no
table. Figures are kept in build/bench/life.json.

What is written to an ordinary table is compared by every search until it is taken in: there each life ends with a
command, `warm`, which does that and does not measure anew as `optimize` would.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import data
import numpy as np
from peer import Space
from rich.console import Console
from rich.table import Table as Listing

import sqlite_ann

K, QUERIES = 10, 500
ASKED = (0.90, 0.95, 0.99)
SHORT, FEW = 0.01, 0.015  # what the measured recall may lack, and for .90 where rows are few
SLOW = 1.3  # times the fresh table's search
MANY = 300_000  # rows of the life by commits of a thousand

console = Console(width=130)


@dataclass(frozen=True)
class Material:
    """A set of vectors, in a random order, and one of another kind with the same shape."""

    name: str
    space: Space
    rows: np.ndarray  # (n, …) vectors of the space
    queries: np.ndarray  # (q, …)
    others: np.ndarray  # (m, …), of another distribution, with queries of their own
    other_queries: np.ndarray


@dataclass(frozen=True)
class Line:
    """What one life came to: recalls and microseconds of a search, beside those of a fresh table."""

    set: str
    life: str
    rows: int
    recalls: list[float]
    fresh: list[float]
    microseconds: float
    fresh_microseconds: float
    promised: bool = True

    @property
    def slower(self) -> float:
        return self.microseconds / self.fresh_microseconds

    @property
    def kept(self) -> bool:
        allowed = [FEW if self.rows < 2000 and asked == 0.90 else SHORT for asked in ASKED]
        enough = all(got >= asked - less for got, asked, less in zip(self.recalls, ASKED, allowed, strict=True))
        return enough and self.slower <= SLOW


# ---- Lives ----------------------------------------------------------------------------------------


class Life:
    """A table and what is in it: id → vector, kept beside it to know the truth."""

    def __init__(self, index: sqlite_ann.Index) -> None:
        self.index, self.rows = index, {}  # type: ignore[var-annotated]
        self.written, self.key = index.table, "rowid"  # where rows are written
        if index.info()["content"]:
            self.written, self.key = "song", "id"
        self.insert_sql = f"INSERT INTO {self.written}({self.key}, {index.column}) VALUES (?, ?)"

    def insert(self, vectors: np.ndarray, first: int) -> None:
        """One by one, in one transaction."""
        with self.index.db:
            for id_, vector in enumerate(vectors, first):
                self.index.db.execute(self.insert_sql, (id_, vector))
                self.rows[id_] = vector

    def add(self, vectors: np.ndarray, first: int, each: int) -> None:
        """By `Index.add` of so many."""
        if self.written == "song":
            return self.insert(vectors, first)
        for at in range(0, len(vectors), each):
            some = vectors[at : at + each]
            self.index.add(np.arange(first + at, first + at + len(some)), some)
            self.rows.update(enumerate(some, first + at))
        return None

    def update(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """One by one."""
        with self.index.db:
            for id_, vector in zip(ids.tolist(), vectors, strict=True):
                sql = f"UPDATE {self.written} SET {self.index.column} = ? WHERE {self.key} = ?"
                self.index.db.execute(sql, (vector, id_))
                self.rows[id_] = vector

    def delete(self, ids: list[int]) -> None:
        """One by one."""
        with self.index.db:
            for id_ in ids:
                self.index.db.execute(f"DELETE FROM {self.written} WHERE {self.key} = ?", (id_,))
                del self.rows[id_]

    def load(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """All at once."""
        if self.written != "song":
            return self.index.add(ids, vectors)
        with self.index.db:
            self.index.db.executemany(self.insert_sql, zip(ids.tolist(), vectors, strict=True))
        return None

    def settle(self) -> None:
        """What an ordinary table has had written is taken in."""
        if self.written == "song":
            self.index.db.execute(f"INSERT INTO {self.index.table}({self.index.table}) VALUES ('warm')")


def grown(life: Life, material: Material) -> None:
    life.insert(material.rows, 0)


def batches(life: Life, material: Material) -> None:
    life.add(material.rows, 0, 50)


def fourfold(life: Life, material: Material) -> None:
    """5,000 (a fifth, if there are fewer) loaded and optimized, then four times as many one by one."""
    n = min(5000, len(material.rows) // 5)
    life.add(material.rows[:n], 0, n)
    life.index.optimize()
    life.insert(material.rows[n : 5 * n], n)


def quarter(life: Life, material: Material) -> None:
    """A quarter less one row more than was optimized."""
    n = len(material.rows) * 4 // 5
    life.add(material.rows[:n], 0, n)
    life.index.optimize()
    life.insert(material.rows[n : n + n // 4 - 1], n)


def updated(life: Life, material: Material) -> None:
    n = len(material.rows) // 2
    life.add(material.rows[:n], 0, n)
    life.update(np.arange(n), material.rows[n : 2 * n])


def another(life: Life, material: Material) -> None:
    """Every row updated to another distribution."""
    n = min(len(material.rows), len(material.others))
    life.add(material.rows[:n], 0, n)
    life.update(np.arange(n), material.others[:n])


def window(life: Life, material: Material) -> None:
    """A quarter of the rows; then the oldest out and the newest in, three times over."""
    n = len(material.rows) // 4
    life.add(material.rows[:n], 0, n)
    for at in range(n, 4 * n, 100):
        some = material.rows[at : min(at + 100, 4 * n)]
        life.delete(list(range(at - n, at - n + len(some))))
        life.insert(some, at)


def deleted(life: Life, material: Material) -> None:
    """Nine of ten rows deleted."""
    life.add(material.rows, 0, len(material.rows))
    gone = np.random.default_rng(3).permutation(len(material.rows))[: len(material.rows) * 9 // 10]
    life.delete(gone.tolist())


def commits(life: Life, material: Material) -> None:
    """By commits of a thousand."""
    for at in range(0, len(material.rows), 1000):
        life.insert(material.rows[at : at + 1000], at)


LIVES: dict[str, Callable[[Life, Material], None]] = {
    "grown": grown,
    "batches": batches,
    "fourfold": fourfold,
    "quarter": quarter,
    "updated": updated,
    "another": another,
    "window": window,
    "deleted": deleted,
    "commits": commits,
}

# ---- Queries that are not like the rows ---------------------------------------------------------------


def mean_of_ten(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """What a user liked: ten rows at random."""
    return np.stack([rows[rng.choice(len(rows), 10, replace=False)].mean(axis=0) for _ in range(n)])


def mean_of_neighbours(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """A row and the nine that are nearest to it, by l2."""
    norms = np.einsum("ij,ij->i", rows, rows)
    near = (np.argsort(norms - 2 * rows @ row)[:10] for row in rows[rng.choice(len(rows), n)])
    return np.stack([rows[ids].mean(axis=0) for ids in near])


def less_half_of_another(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Like this, but not like that."""
    return rows[rng.choice(len(rows), n)] - rows[rng.choice(len(rows), n)] / 2


UNLIKE = {"mean of ten": mean_of_ten, "mean of near": mean_of_neighbours, "less half": less_half_of_another}


def unlike(folder: Path, material: Material, kind: str) -> Iterator[Line]:
    """Loaded, optimized, and asked by such queries; then once more after learning 400 others of the kind."""
    rng = np.random.default_rng(4)
    rows = material.rows.astype(np.float32, copy=False)
    queries, learned = (UNLIKE[kind](rows, n, rng).astype(np.float32) for n in (QUERIES, 400))
    with table(folder, "unlike", material.space) as index:
        index.add(np.arange(len(material.rows)), material.rows)
        index.optimize()
        far = limits(material.rows, queries, material.space.metric)
        before, (usual_before,) = [recall_of(index, queries, far, asked) for asked in ASKED], usual(queries, index)
        yield Line(material.name, kind, len(material.rows), before, before, usual_before, usual_before, promised=False)
        index.learn(learned)
        index.optimize()
        after, (usual_after,) = [recall_of(index, queries, far, asked) for asked in ASKED], usual(queries, index)
        yield Line(material.name, f"{kind}, learned", len(material.rows), after, before, usual_after, usual_after)


# ---- Sets that are made ---------------------------------------------------------------------------


def made(n: int = 20_500) -> Iterator[tuple[str, str, np.ndarray]]:
    """(name, metric, vectors): skewed, clustered, tied, sparse, of few dimensions, and of none but noise."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal
    people = [rng.normal(40, 12, n), rng.lognormal(10, 1, n), rng.normal(170, 10, n), rng.normal(70, 15, n)]
    yield "income", "l2", np.column_stack(people)
    for sigma in (1.0, 1.5, 2.0):
        yield f"norms {sigma:g}", "l2", normal((n, 64)) * np.exp(rng.normal(0, sigma, n))[:, None]
    yield "zipf counts", "l2", np.minimum(rng.zipf(1.5, (n, 20)), 1e6).astype(float)
    one = normal((n, 8))
    one[:, 0] = np.exp(rng.normal(0, 2, n))
    yield "one wide column", "l2", one
    yield "far from origin", "l2", rng.normal(100, 1, (n, 64))
    yield "far clusters", "cosine", (20 + normal((200, 32)))[rng.integers(0, 200, n)] + 0.1 * normal((n, 32))
    sizes = 1 / np.arange(1, 301)
    yield "zipf clusters", "l2", (3 * normal((300, 32)))[rng.choice(300, n, p=sizes / sizes.sum())] + normal((n, 32))
    same = normal((n, 16))
    same[rng.choice(n, n // 2, replace=False)] = same[0]
    yield "half identical", "l2", same
    yield "small integers", "l2", rng.integers(0, 4, (n, 12)).astype(float)
    sparse = rng.poisson(0.03, (n, 200)).astype(float)
    sparse[sparse.sum(axis=1) == 0, 0] = 1
    yield "sparse", "cosine", sparse
    for d in (1, 2, 3, 4):
        yield f"{d} dimensions", "l2", normal((n, d))
    yield "noise", "l2", rng.random((n, 32))


# ---- Measuring ------------------------------------------------------------------------------------


def limits(rows: np.ndarray, queries: np.ndarray, metric: str) -> np.ndarray:
    """The distance of the K-th nearest row of each query, as ann_distance gives it, float64 (q,)."""
    near = data.exact_neighbours(rows, queries, metric, K)
    far = np.array([data.exact_distances(rows[i], q, metric).max() for i, q in zip(near, queries, strict=True)])
    return np.sqrt(far) if metric == "l2" else far


def recall_of(index: sqlite_ann.Index, queries: np.ndarray, far: np.ndarray, asked: float) -> float:
    """The share of K that are as near as the K-th: ties are no misses."""
    _, found = index.search(queries, k=K, recall=asked)
    return float((found <= (far + 1e-6 * np.abs(far) + 1e-7)[:, None]).mean())


def usual(queries: np.ndarray, *indexes: sqlite_ann.Index) -> list[float]:
    """Microseconds of the mean search at .95, of each: the tables take turns, and the best of five rounds counts."""
    rounds = np.empty((5, len(indexes)))
    for i in range(len(rounds)):
        for j, index in enumerate(indexes):
            start = time.perf_counter()
            for query in queries:
                index.search(query, k=K, recall=0.95)
            rounds[i, j] = 1e6 * (time.perf_counter() - start) / len(queries)
    return rounds.min(axis=0).tolist()


@contextlib.contextmanager
def table(folder: Path, name: str, space: Space, content: bool = False) -> Iterator[sqlite_ann.Index]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        db = sqlite_ann.connect(str(Path(place) / f"{name}.db"))
        db.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=normal")
        with contextlib.closing(db):
            if content:
                db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB)")
            more = {"type": space.element} | ({"content": "song"} if content else {})
            yield sqlite_ann.Index.create(db, "v", dim=space.dim, metric=space.metric, **more)


def measured(folder: Path, material: Material, life: str, content: bool = False) -> Line:
    """Live it, and build the same rows anew."""
    queries = material.other_queries if life == "another" else material.queries
    with (
        table(folder, "lived", material.space, content) as index,
        table(folder, "fresh", material.space, content) as fresh,
    ):
        lived = Life(index)
        LIVES[life](lived, material)
        lived.settle()
        ids = np.array(sorted(lived.rows))
        rows = np.stack([lived.rows[id_] for id_ in ids.tolist()])
        far = limits(rows, queries, material.space.metric)
        Life(fresh).load(ids, rows)
        fresh.optimize()
        times = usual(queries, index, fresh)
        recalls = [[recall_of(one, queries, far, asked) for asked in ASKED] for one in (index, fresh)]
        assert index.check() == []
    return Line(material.name, life, len(ids), *recalls, *times)


def built(folder: Path, name: str, metric: str, vectors: np.ndarray) -> Line:
    """Only a build, of a set that is made; the last 500 vectors are the queries."""
    rows, queries = np.split(vectors.astype(np.float32), [len(vectors) - QUERIES])
    with table(folder, "built", Space(rows.shape[1], metric)) as index:
        index.add(np.arange(len(rows)), rows)
        index.optimize()
        far = limits(rows, queries, metric)
        recalls = [recall_of(index, queries, far, asked) for asked in ASKED]
        (microseconds,) = usual(queries, index)
    return Line(name, "built", len(rows), recalls, recalls, microseconds, microseconds)


def materials(names: list[str], most: int) -> Iterator[Material]:
    """The sets, each with another of the same shape: the set's own rows otherwise."""
    for name in names:
        dataset = data.load(name)
        rng = np.random.default_rng(1)
        rows = dataset.base[rng.permutation(len(dataset.base))][:most]
        queries = dataset.queries[:QUERIES]
        yield Material(
            name, Space(dataset.dim, dataset.metric, dataset.element), rows, queries, *otherwise(rows, queries)
        )


def otherwise(rows: np.ndarray, queries: np.ndarray) -> list[np.ndarray]:
    """The same with their components in another order and sign, or their bytes of bits turned over."""
    rng = np.random.default_rng(2)
    turn = rng.permutation(rows.shape[1])
    if rows.dtype == np.uint8:
        mask = rng.integers(0, 256, rows.shape[1], np.uint8)
        return [np.ascontiguousarray(some[:, turn] ^ mask) for some in (rows, queries)]
    sign = rng.choice([-1, 1], rows.shape[1]).astype(rows.dtype)
    shift = rows.dtype.type(np.abs(rows).mean() if rows.dtype == np.float32 else 0)
    return [np.ascontiguousarray(some[:, turn] * sign + shift) for some in (rows, queries)]


def shown(lines: list[Line]) -> Listing:
    listing = Listing("set", "life", "rows", *(f"{asked:.2f}" for asked in ASKED), "fresh", "µs", "times fresh", "kept")
    for line in lines:
        fresh = " ".join(f"{recall:.3f}".lstrip("0") for recall in line.fresh)
        recalls = [f"{recall:.3f}" for recall in line.recalls]
        figures = (fresh, f"{line.microseconds:.0f}", f"{line.slower:.2f}")
        kept = ("yes" if line.kept else "no") if line.promised else ""
        listing.add_row(line.set, line.life, f"{line.rows:,}", *recalls, *figures, kept)
    return listing


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--sets", nargs="*", choices=data.NAMES, metavar="SET", default=["text", "words", "sift", "fashion", "songs"]
    )
    parser.add_argument("--lives", nargs="*", default=[life for life in LIVES if life != "commits"], choices=LIVES)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--no-unlike", action="store_true", help="leave out the queries that are not like the rows")
    parser.add_argument("--no-made", action="store_true", help="leave out the sets that are made")
    parser.add_argument("--no-commits", action="store_true", help=f"leave out {MANY:,} rows by commits of 1,000")
    parser.add_argument("--content", action="store_true", help="indexes over an ordinary table; only the lives")
    arguments = parser.parse_args()
    lines: list[Line] = []
    folder = Path(tempfile.gettempdir())
    for material in materials(arguments.sets, arguments.rows):
        for life in arguments.lives:
            lines.append(measured(folder, material, life, arguments.content))
            console.print(f"{lines[-1].set} {life}: {lines[-1].recalls} {lines[-1].slower:.2f}", highlight=False)
        if not arguments.no_unlike and not arguments.content and material.space.element != "bit":
            for kind in UNLIKE:
                lines += unlike(folder, material, kind)
    if not arguments.no_commits and not arguments.content:
        for material in materials(["words"], MANY):
            lines.append(measured(folder, material, "commits"))
    if not arguments.no_made and not arguments.content:
        lines += [built(folder, *one) for one in made()]
    console.print(shown(lines))
    promised = [line for line in lines if line.promised]
    console.print(f"{sum(line.kept for line in promised)} of {len(promised)} lines kept")
    out = Path(__file__).resolve().parents[1] / "build" / "bench" / "life.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
