"""Tables to search, and numpy as the oracle.

Components are whole numbers, so that every sum is exact in float32: distances equal numpy's to the last bit,
and ties are real ties. Tables with a forest are built once and copied for each test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import numpy as np
import pytest

import sqlite_ann

DIM = 16
ROWS = 1500


def distances(metric: str, query: np.ndarray, x: np.ndarray) -> np.ndarray:
    q, x = np.asarray(query, np.float64), np.asarray(x, np.float64)
    if metric == "l2":
        return np.sqrt(((x - q) ** 2).sum(axis=1))
    if metric == "l1":
        return np.abs(x - q).sum(axis=1)
    if metric == "dot":
        return 0.0 - x @ q
    qq, xx = q @ q, (x * x).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (x @ q) / np.where(qq == xx, xx, np.sqrt(qq) * np.sqrt(xx))
    far = 1 - np.clip(np.where((qq == 0) | (xx == 0), 0, cosines), -1, 1)
    return np.sqrt(2 * far) if metric == "angular" else far


def exact(metric: str, query: np.ndarray, ids: np.ndarray, x: np.ndarray, k: int | None = None) -> list[tuple]:
    """The k nearest as (id, distance), ties by smaller id."""
    far = distances(metric, query, x)
    order = np.lexsort((ids, far))[:k]
    return [(int(ids[i]), float(far[i])) for i in order]


class Table:
    """An ann table `v`, and its rows in numpy."""

    def __init__(self, db: apsw.Connection, metric: str, ids: np.ndarray, x: np.ndarray) -> None:
        self.db, self.metric, self.ids, self.x = db, metric, ids, x

    def exact(self, query: np.ndarray, k: int | None = None, among: np.ndarray | None = None) -> list[tuple]:
        """What a search should give; `among`: a mask of rows."""
        mask = np.ones(len(self.ids), bool) if among is None else among
        return exact(self.metric, query, self.ids[mask], self.x[mask], k)

    def search(self, query: Any, k: int | None = None, recall: float | None = None, where: str = "", *more) -> list:
        """(id, distance) in the order in which rows come."""
        query = query.astype("<f4").tobytes() if isinstance(query, np.ndarray) else query
        sql = f"SELECT id, distance FROM ann_search('v', ?, ?, ?) {where and 'WHERE ' + where}"
        return self.db.execute(sql, (query, k, recall, *more)).fetchall()

    def info(self, key: str) -> Any:
        return self.db.execute("SELECT value FROM ann_info('v') WHERE key = ?", (key,)).get


def whole_numbers(rng: np.random.Generator, rows: int, dim: int = DIM) -> np.ndarray:
    """Clusters of whole-numbered vectors."""
    centres = rng.integers(-30, 31, (12, dim))
    return (centres[rng.integers(0, 12, rows)] + rng.integers(-12, 13, (rows, dim))).astype(np.float32)


def fill(db: apsw.Connection, ids: np.ndarray, x: np.ndarray, table: str = "v") -> None:
    db.execute(
        f"INSERT INTO {table}(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (x.astype("<f4").tobytes(), x.shape[1], ids.astype("<i8").tobytes()),
    )


@pytest.fixture(scope="session")
def forest_bytes() -> Callable[[str], bytes]:
    """A database whose table v has 1,500 rows in a forest of many small pages, as bytes."""
    made: dict[str, bytes] = {}

    def make(metric: str) -> bytes:
        if metric not in made:
            db = sqlite_ann.connect(":memory:")
            db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{DIM}], metric={metric}, leaf_capacity=32)")
            fill(db, *forest_rows())
            made[metric] = db.serialize("main")
            db.close()
        return made[metric]

    return make


def forest_rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return np.arange(ROWS, dtype=np.int64) * 3 + 1, whole_numbers(rng, ROWS)


@pytest.fixture
def forest(forest_bytes, db) -> Callable[..., Table]:
    """forest(metric): a private copy in memory, as a Table."""

    def copy(metric: str = "l2") -> Table:
        db.deserialize("main", forest_bytes(metric))
        return Table(db, metric, *forest_rows())

    return copy


@pytest.fixture
def forest_file(forest_bytes, tmp_path) -> str:
    """The l2 forest as a file."""
    path = tmp_path / "forest.db"
    path.write_bytes(forest_bytes("l2"))
    return str(path)


@pytest.fixture
def small(db, rng) -> Table:
    """Ids 1 to 60 in two dimensions, l2: searched exactly, full of ties."""
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=l2)")
    table = Table(db, "l2", np.arange(1, 61), rng.integers(-5, 6, (60, 2)).astype(np.float32))
    fill(db, table.ids, table.x)
    return table


@pytest.fixture
def queries(rng) -> Iterator[np.ndarray]:
    """Forty queries like the forest's rows."""
    _, x = forest_rows()
    near = x[rng.integers(0, len(x), 40)] + rng.integers(-3, 4, (40, DIM))
    return near.astype(np.float32)


@pytest.fixture(name="forest_rows")
def forest_rows_fixture() -> tuple[np.ndarray, np.ndarray]:
    """Ids and vectors of the forest."""
    return forest_rows()


@pytest.fixture
def load():
    """fill(db, ids, vectors [, table])."""
    return fill


@pytest.fixture
def oracle():
    """exact(metric, query, ids, vectors [, k])."""
    return exact


@pytest.fixture
def make_vectors():
    """whole_numbers(rng, rows [, dim])."""
    return whole_numbers


@pytest.fixture
def shadow_hash() -> Callable[[apsw.Connection], str]:
    """shadow_hash(db): one hash over all rows of v's shadow tables."""

    def digest(db: apsw.Connection) -> str:
        sha = hashlib.sha256()
        for suffix in ("config", "vectors", "pages", "places", "waiting"):
            for row in db.execute(f"SELECT * FROM v_{suffix} ORDER BY id"):
                sha.update(repr(row).encode())
        return sha.hexdigest()

    return digest


@pytest.fixture
def other_connections() -> Iterator[Callable[[str], apsw.Connection]]:
    """Opens more connections, closed when the test ends."""
    opened: list[apsw.Connection] = []

    def connect(path: str, **options: Any) -> apsw.Connection:
        opened.append(sqlite_ann.connect(path, **options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def refused() -> Callable[..., Exception]:
    """refused(db, sql, bindings, message): raises an error with exactly that message; the error comes back."""

    def check(db: apsw.Connection, sql: str, bindings: tuple = (), message: str = "") -> Exception:
        with pytest.raises(apsw.Error) as caught:
            db.execute(sql, bindings).fetchall()
        assert message in str(caught.value)
        return caught.value

    return check
