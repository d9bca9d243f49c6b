"""Small ann tables whose every byte can be looked at: through SQL, and through tests/oracle.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import arithmetic, oracle
from tests.clibrary import ROOT, Library, opened

D, ROWS = 8, 1200


def clustered(rows: int, seed: int, d: int = D) -> np.ndarray:
    """Vectors around thirty points."""
    rng = np.random.default_rng(seed)
    centres = 4 * rng.standard_normal((30, d))
    return (centres[rng.integers(0, 30, rows)] + rng.standard_normal((rows, d))).astype(np.float32)


class Table:
    """The ann table `v` of a database, with a column `e`."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self._read: tuple[int, Any] = (-1, None)

    def create(self, d: int = D, metric: str = "l2", leaf_capacity: int = 32, **options: Any) -> Table:
        options = {"metric": metric, "leaf_capacity": leaf_capacity, **options}
        arguments = "".join(f", {name} = {value}" for name, value in options.items())
        self.db.execute(f"CREATE VIRTUAL TABLE v USING ann(e float32[{d}]{arguments})")
        return self

    def load(self, vectors: np.ndarray, first: int = 0, step: int = 1) -> Table:
        """All in one statement, under the ids first, first + step, …"""
        ids = first + step * np.arange(len(vectors), dtype=np.int64)
        sql = "INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)"
        self.db.execute(sql, (vectors.astype("<f4").tobytes(), vectors.shape[1], ids.tobytes()))
        return self

    def insert(self, id_: int, vector: np.ndarray, verb: str = "INSERT") -> None:
        self.db.execute(f"{verb} INTO v(rowid, e) VALUES (?, ?)", (id_, vector.astype("<f4").tobytes()))

    def delete(self, ids: list[int]) -> None:
        """Each by a statement of its own, in one transaction."""
        with self.db:
            self.db.executemany("DELETE FROM v WHERE rowid = ?", [(id_,) for id_ in ids])

    def command(self, text: str, k: int | None = None) -> None:
        self.db.execute("INSERT INTO v(v, k) VALUES (?, ?)", (text, k))

    def search(self, query: np.ndarray, k: int = 10, recall: float | None = None, where: str = "", *more: Any) -> list:
        """(id, distance), nearest first."""
        sql = f"SELECT id, distance FROM ann_search('v', ?, ?, ?) {where and 'WHERE ' + where} ORDER BY rank"
        return self.db.execute(sql, (query.astype("<f4").tobytes(), k, recall, *more)).fetchall()

    def recall(self, queries: np.ndarray, k: int = 10, recall: float | None = None) -> float:
        """The share of the true neighbours that searches find."""
        found = 0
        for query in queries:
            near = {id_ for id_, _ in self.search(query, k, recall)}
            found += len(near & {id_ for id_, _ in self.exact(query, k)})
        return found / (k * len(queries))

    def exact(self, query: np.ndarray, k: int = 10) -> list[tuple[int, float]]:
        """What numpy finds."""
        changes = self.db.total_changes()
        if self._read[0] != changes:
            index = self.index
            self._read = changes, (index.metric, *index.array())
        near, far = arithmetic.exact(*self._read[1], query, k)
        return list(zip(near.tolist(), far.tolist(), strict=True))

    def info(self, key: str) -> Any:
        return self.db.execute("SELECT value FROM ann_info('v') WHERE key = ?", (key,)).get

    def faults(self) -> list[str]:
        return [fault for (fault,) in self.db.execute("SELECT fault FROM ann_check('v')")]

    @property
    def index(self) -> oracle.Index:
        """Everything that is stored, as the oracle reads it."""
        return oracle.read(self.db, "v")

    def leaf_with(self, id_: int) -> oracle.Page:
        """The first of the leaves that have a row."""
        index = self.index
        return index.page(int(np.frombuffer(index.places[id_], "<u4")[0]))

    def sound(self) -> oracle.Index:
        """Neither ann_check nor the oracle finds a fault."""
        assert self.faults() == []
        assert oracle.check(self.db, "v") == []
        return self.index


@cache
def stored(**options: Any) -> bytes:
    table = Table(sqlite_ann.connect(":memory:")).create(**options).load(clustered(2000, 1)[:ROWS])
    return table.db.serialize("main")


@pytest.fixture
def table(db: apsw.Connection) -> Table:
    """A database without a table yet: `table.create()`."""
    return Table(db)


@pytest.fixture
def forest(db: apsw.Connection) -> Callable[..., Table]:
    """forest(**options): a private copy of 1,200 rows, ids 0 to 1,199, in a forest of small leaves."""

    def copy(**options: Any) -> Table:
        db.deserialize("main", stored(**options))
        return Table(db)

    return copy


@pytest.fixture
def near() -> np.ndarray:
    """2,000 vectors, of which the first 1,200 are those of the forest, moved a little: queries, or more rows."""
    return (clustered(2000, 1) + 0.3 * clustered(2000, 2) / 4).astype(np.float32)


@pytest.fixture
def vectors() -> np.ndarray:
    """The forest's 1,200 vectors."""
    return clustered(2000, 1)[:ROWS]


# ---- parts of c_ext/index, made alone ----

LIBRARY = Path(os.environ.get("SQLITE_ANN_INDEX_TEST", ROOT / "build/dev/ann_index_test.so"))
SHADOW_TABLES = """
    CREATE TABLE v_config(id INTEGER PRIMARY KEY, name TEXT, value);
    CREATE TABLE v_vectors(id INTEGER PRIMARY KEY, vector BLOB);
    CREATE TABLE v_pages(id INTEGER PRIMARY KEY, data BLOB);
    CREATE TABLE v_places(id INTEGER PRIMARY KEY, pages BLOB);
    CREATE TABLE v_waiting(id INTEGER PRIMARY KEY, last INTEGER);
    CREATE TABLE v_changes(id INTEGER PRIMARY KEY);
"""


class Parts:
    """The library, and a database with the shadow tables of `v` alone: no ann table around them."""

    def __init__(self, library: Library, db: apsw.Connection) -> None:
        self.library, self.db = library, db
        self.lib, self.ffi = library.lib, library.ffi
        self._made: list[tuple[Any, Any]] = []
        self._spaces: list[Any] = []
        self.state, self.budget = self.ffi.new("AnnState *"), self.ffi.new("AnnBudget *", [1 << 20, 0])
        self.trace = self.ffi.new("AnnTrace **")
        self.handle = self.made(
            "AnnDb", self.lib.ann_db_new, self.lib.ann_db_free, self.lib.ann_test_handle(), b"main", b"v"
        )

    def made(self, kind: str, new: Any, free: Any, *arguments: Any) -> Any:
        """What `new` makes; freed at the end, the last first."""
        out = self.ffi.new(f"{kind} **")
        assert new(*arguments, out) == 0
        self._made.append((free, out[0]))
        return out[0]

    def space(self, dimensions: int = 3, metric: bytes = b"l2") -> Any:
        """Of float32; it lives as long as these parts."""
        space, element = self.ffi.new("AnnSpace *"), self.lib.ann_element_default()
        self.lib.ann_space_init(space, element, self.lib.ann_metric_named(element, metric), dimensions)
        self._spaces.append(space)
        return space

    def source(self, dimensions: int = 3) -> Any:
        new, free = self.lib.ann_source_new, self.lib.ann_source_free
        return self.made("AnnSource", new, free, self.handle, self.state, self.space(dimensions), 0)

    def end(self) -> None:
        for free, part in reversed(self._made):
            free(part)

    @property
    def sentence(self) -> str | None:
        """The first error's, which is taken."""
        text = self.lib.ann_db_message(self.handle)
        found = self.ffi.string(text).decode() if text else None
        self.lib.ann_db_unsay(self.handle)
        return found

    def rows(self, sql: str) -> list[Any]:
        return self.db.execute(sql).fetchall()


def open_library() -> Library:
    """c_ext/core and c_ext/index."""
    alloc = ROOT / "tests/core/alloc.c"
    types = "typedef struct sqlite3 sqlite3; typedef struct sqlite3_stmt sqlite3_stmt;"
    return opened(LIBRARY, types, ("core", "index"), alloc, Path(__file__).with_name("owners.c"))


@pytest.fixture(scope="session")
def index_library() -> Library:
    return open_library()


@pytest.fixture
def parts(index_library: Library) -> Iterator[Parts]:
    """An AnnDb on all shadow tables, empty; memory that is not freed is a failure."""
    db = apsw.Connection(":memory:")
    db.enable_load_extension(True)
    db.load_extension(str(LIBRARY.with_suffix("")), "sqlite3_annindextest_init")
    db.execute(SHADOW_TABLES)
    with index_library.counted():
        found = Parts(index_library, db)
        yield found
        found.end()
        db.close()
