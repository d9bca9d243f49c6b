"""A vector table from Python: each method shows the SQL it runs.

    Index.create(db, "song_ann", dim=64)   Index(db, "song_ann")
    add  search  recommend  remove  get  len()  in    optimize  check  info  recall  explain  drop

Index(db, "song_ann", key="uuid") has keys that are text in the place of ids (sqlite_ann/keys.py).

A name may carry its schema, as in "aux.songs". Everything is inside SQLite's transactions: what a method
writes is undone by a rollback around it, and a method that fails leaves nothing behind.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from . import elements
from . import vectors as arrays
from .errors import translated, translation
from .names import quoted, resolved
from .progress import Report, reporting
from .recommendation import as_groups, as_items
from .transaction import savepoint

BULK_ROWS = 1000  # more at once, and the forest takes them in when all are there, not after each of several statements
# Pages a slice of `optimize` may change, and half of the rows it places: other writers wait as long as that takes, a
# second or two.  A build writes a page again for every slice that changed it, which with 512 took half of its time.
OPTIMIZE_PAGES = 32768

INSERT = {"refuse": "INSERT", "replace": "INSERT OR REPLACE", "skip": "INSERT OR IGNORE"}
SEARCH = "SELECT id, distance FROM ann_search(?, ?, ?, ?)"
RECOMMEND = "SELECT id, distance FROM ann_search_items(?, ?, ?, ?)"
SEARCH_PLAIN = "SELECT all_ids, all_distances FROM ann_search(?, ?, ?, ?) LIMIT 1"  # ten rows in one
EXPLAIN = "SELECT step, count, bytes, microseconds FROM ann_explain(?, ?, ?, ?)"
RECALL = "SELECT k, sample, recall, low, high FROM ann_recall(?, ?, ?, ?, ?)"

Found = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True)
class Recall:
    """What `Index.recall` measured; without neighbours to find, sample is 0 and the shares are None."""

    k: int
    sample: int  # rows searched for
    recall: float | None  # the share of their exact neighbours that was found
    low: float | None  # a 95 % interval of it
    high: float | None


@dataclass(frozen=True)
class Step:
    """One row of `Index.explain`; docs/SQL.md lists the steps."""

    step: str
    count: int | None
    bytes: int | None
    microseconds: float | None


class Index:
    """One vector table of a database.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> sqlite_ann.Index.create(db, "song_ann", dim=64)
    Index('song_ann', dim=64, metric='cosine')
    >>> sqlite_ann.Index(db, "song_ann").dim
    64
    """

    def __new__(cls, db: apsw.Connection, name: str, key: str | None = None) -> Index:
        if key is None or cls is not Index:
            return super().__new__(cls)
        from .keys import KeyedIndex  # which stands on this file

        return super().__new__(KeyedIndex)

    @translated()
    def __init__(self, db: apsw.Connection, name: str, key: str | None = None) -> None:
        """Open a table that is there. `key`: ids are text, in a table beside it: sqlite_ann/keys.py."""
        _check(db, name)
        self.db = db
        self.name = name
        # table and column are written as SQL takes them, ready to be put in a statement
        schema, table = resolved(db, name)
        self.table = quoted(table, schema)
        self._command = quoted(table)
        self.dim = int(self._value("dimensions"))
        self.metric = str(self._value("metric"))
        self.column = quoted(self._value("column"))
        self.type = str(self._value("type"))

    @classmethod
    @translated()
    def create(
        cls,
        db: apsw.Connection,
        name: str,
        dim: int,
        metric: str | None = None,
        type: str = "float32",
        *,
        key: str | None = None,
        **options: Any,
    ) -> Index:
        """Make a vector table; options are those of CREATE VIRTUAL TABLE, as in `trees=4, seed=7`.

        `metric`: cosine, angular, l2, l1 or dot (default cosine); hamming or jaccard of bits (default hamming).
        `type`: of the components: float32, float16, bfloat16, int8 or bit. What arrays are taken and given
        for each is told in sqlite_ann/elements.py.
        `content`: an ordinary table whose column `embedding` is indexed, without a copy. What is written there is found
        at once; `add` and `remove` are then refused, and `optimize` takes in what was written. `key`: the ids are text,
        called so: sqlite_ann/keys.py.

        >>> import sqlite_ann
        >>> db = sqlite_ann.connect(":memory:")
        >>> sqlite_ann.Index.create(db, "song_ann", dim=64, metric="l2", trees=4).info()["trees"]
        4
        >>> bits = sqlite_ann.Index.create(db, "hash_ann", dim=12, type="bit")
        >>> bits.add([1], [[1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]])
        >>> bits.metric, bits.get(1)
        ('hamming', array([5, 8], dtype=uint8))
        >>> db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding); INSERT INTO song VALUES (7, '[3, 4]')").get
        >>> sqlite_ann.Index.create(db, "over_song", dim=2, content="song").search([3, 4])
        (array([7]), array([0.]))
        """
        _check(db, name)
        schema, table = resolved(db, name)
        if metric is not None:
            options = {"metric": metric, **options}
        arguments = "".join(f", {_option(key, value)}" for key, value in options.items())
        db.execute(
            f"CREATE VIRTUAL TABLE {quoted(table, schema)}"
            f" USING ann(embedding {_type(type)}[{arrays.as_count('dim', dim)}]{arguments})"
        )
        return cls(db, name, key)

    @translated()
    def add(
        self,
        ids: arrays.IdsLike,
        vectors: arrays.VectorsLike,
        *,
        existing: str = "refuse",
        progress: bool | Report = False,
    ) -> None:
        """Insert n ids with their vectors, shape (n, dim): all of them, or none when one is refused.

        Vectors may be an array, a list, a column of arrays as pandas, polars and pyarrow have them, or an iterator, which
        is read to its end first. An id that is there already is refused; `existing`: "replace" puts the new vector in
        the place of the old, "skip" leaves the old. `progress`: True for a bar, or a function that is called with (rows
        done, rows in all).

        They are found at once. When more than a quarter of the rows wait by then, the forest takes them in; a smaller
        part goes on waiting, and makes searches slower, until more come or `optimize` is called.

        >>> import numpy as np, sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=3)
        >>> index.add(np.arange(5), np.ones((5, 3), np.float32))
        >>> index.add(99, [1, 2, 3])
        >>> len(index)
        6
        """
        if existing not in INSERT:
            raise ValueError(f"existing: expected one of {', '.join(INSERT)}, got {existing!r}")
        ids = arrays.as_ids(ids)
        rows = elements.as_rows(self.type, vectors, self.dim, "vectors", ids)
        if len(ids) != len(rows):
            raise ValueError(f"expected as many ids as vectors, got {len(ids)} ids and {len(rows)} vectors")
        # Asked for before the savepoint, which must begin by writing: SQLite may refuse a reader that turns writer.
        share = self._value("absorb") if len(ids) > BULK_ROWS else 0
        later = self._absorbing_later(share) if len(ids) > BULK_ROWS else nullcontext()
        with savepoint(self.db), later:
            with reporting(progress, f"adding to {self.name}") as report:
                self._insert(INSERT[existing], ids, rows, report)
            if self._value("waiting") * 100 > self._value("rows") * share > 0:
                self.optimize(bool(progress) and not callable(progress))

    def search(
        self,
        query: arrays.VectorsLike,
        k: int | None = 10,
        recall: float | None = None,
        *,
        ids: arrays.IdsLike | None = None,
        exclude: arrays.IdsLike | None = None,
        search_k: int | None = None,
        max_distance: float | None = None,
    ) -> Found:
        """The k nearest: ids and distances, nearest first.

        One query, shape (dim,), gives as many as were found. Many, shape (m, dim), give two arrays of shape
        (m, k), filled up with id -1 and distance inf.

        `recall`: the share of the true neighbours that is wanted, on average (default 0.95; 1 is exact).
        `search_k`: how many vectors to inspect at most; without `recall`, instead of it.
        `ids`, `exclude`: search only these; leave these out; sets will do. k are found whenever k qualify.
        `max_distance`: nothing farther; with k=None everything within. (k=None alone is SQL's default, 10.)

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1, metric="l2")
        >>> index.add([1, 2, 3], [[10], [20], [30]])
        >>> ids, distances = index.search([19], k=2)
        >>> ids, distances
        (array([2, 1]), array([1., 9.]))
        >>> ids, distances = index.search([[19], [29]], k=1, exclude=[2])
        >>> ids
        array([[1],
               [3]])
        """
        # One vector in the form that SQL takes is the usual case, and often soon done: nothing else is asked of it.
        # (No helper functions here: they would cost as much as they tell.)
        if (
            type(query) is np.ndarray
            and query.dtype == arrays.FLOAT
            and query.shape == (self.dim,)
            and query.flags.c_contiguous
            and type(k) is int
            and (recall is None or (type(recall) is float and recall == recall))
            and ids is None
            and exclude is None
            and search_k is None
            and max_distance is None
        ):
            try:
                found = self.db.execute(SEARCH_PLAIN, (self.name, query, k, recall)).get or (b"", b"")
                return np.frombuffer(found[0], "<i8").copy(), np.frombuffer(found[1], "<f8").copy()
            except apsw.Error as error:
                raise translation(error) from error
        return self._search(query, k, recall, ids, exclude, search_k, max_distance)

    @translated()
    def _search(
        self,
        query: arrays.VectorsLike,
        k: int | None,
        recall: float | None,
        ids: arrays.IdsLike | None,
        exclude: arrays.IdsLike | None,
        search_k: int | None,
        max_distance: float | None,
    ) -> Found:
        """`search` for queries of every form, with everything that can be asked of it."""
        k, search_k = arrays.as_count("k", k), arrays.as_count("search_k", search_k)
        recall, max_distance = arrays.as_number("recall", recall), arrays.as_number("max_distance", max_distance)
        where = {
            "search_k = ?": search_k,
            "max_distance = ?": max_distance,
            "only = ?": self._id_set("ids", ids),
            "exclude = ?": self._id_set("exclude", exclude),
        }
        where = {clause: value for clause, value in where.items() if value is not None}
        sql = SEARCH + (" WHERE " + " AND ".join(where) if where else "") + " ORDER BY rank"
        given = arrays.as_array("query", query, self.dim)
        queries = elements.queries(self.type, given, self.dim)
        rows: list[Any] = []
        with savepoint(self.db) if len(queries) > 1 else nullcontext():  # all see the same table
            try:
                for q in queries:
                    rows.append(self._rows(sql, self.name, q, k, recall, *where.values()))
            except apsw.Error as error:
                i = len(rows)  # which of them it is tells something only where it is the vector that is wrong
                place = f"query[{i}]: " if len(queries) > 1 and not np.isfinite(queries[i]).all() else ""
                raise translation(error, place) from error

        if given.ndim == 1 and rows:
            return _columns(rows[0])
        width = k if k is not None else max(map(len, rows), default=0)
        found = np.full((len(rows), width), -1, np.int64), np.full((len(rows), width), np.inf)
        for i, row in enumerate(rows):
            found[0][i, : len(row)], found[1][i, : len(row)] = _columns(row)
        return found

    @translated()
    def recommend(
        self,
        like: arrays.IdsLike | Mapping[Any, float],
        k: int = 10,
        *,
        dislike: arrays.IdsLike | Mapping[Any, float] | None = None,
        heard: arrays.IdsLike | None = None,
        per: tuple[Mapping[Any, object] | str | bytes, int] | None = None,
        diversity: float | None = None,
        recall: float | None = None,
    ) -> Found:
        """The k rows nearest to those liked and away from those disliked: ids and distances, in order of rank.

        `like`, `dislike`: ids, or a mapping from ids to weights above 0. All that is disliked counts half of what is
        liked. None of them comes back, nor any of `heard`. `per`: (groups, m), for at most m rows of a group; groups are a
        mapping from ids to keys, or a blob of `ann_groups`. `diversity`: from 0 to 1, for rows that are not all alike.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1, metric="l2")
        >>> index.add([1, 2, 3, 4, 5], [[1], [2], [3], [4], [9]])
        >>> books = {3: "Aird", 4: "Aird", 5: "Ryan"}
        >>> ids, distances = index.recommend([1], heard=[2], per=(books, 1), k=2)
        >>> ids
        array([3, 5])
        """
        groups, most = (None, None) if per is None else (as_groups(per[0]), arrays.as_count("per", per[1]))
        where = {
            "exclude_self = ?": 1,
            "exclude = ?": self._id_set("heard", heard),
            "groups = ?": groups,
            "max_per = ?": most,
            "diversity = ?": arrays.as_number("diversity", diversity),
        }
        where = {clause: value for clause, value in where.items() if value is not None}
        limits = arrays.as_count("k", k), arrays.as_number("recall", recall)
        sql = f"{RECOMMEND} WHERE {' AND '.join(where)} ORDER BY rank"
        return _columns(self._rows(sql, self.name, as_items(like, dislike), *limits, *where.values()))

    @translated()
    def learn(self, queries: arrays.VectorsLike) -> None:
        """Measure with these real queries, shape (m, dim), from now on: searches like them get the recall they ask for.

        A sample of at most 400 of all that were ever given is kept in the file. Without it, the recall is that of
        queries like the rows. Ends with `optimize`.

        >>> import numpy as np, sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=8)
        >>> rows = np.random.default_rng(0).standard_normal((2000, 8))
        >>> index.add(np.arange(2000), rows)
        >>> index.learn((rows[:300] + rows[300:600]) / 2)
        >>> index.info()["learned"]
        300
        """
        given = elements.as_floats(self.type, elements.queries(self.type, queries, self.dim, "queries"), self.dim)
        with savepoint(self.db):
            for _, some in arrays.batches(np.arange(len(given)), given):
                self.db.execute(
                    f"INSERT INTO {self.table}({self._command}, {self.column}) VALUES ('learn', ?)", (some,)
                )
            self.optimize()

    @translated()
    def remove(self, ids: arrays.IdsLike) -> int:
        """Delete these ids and say how many were there.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1)
        >>> index.add([1, 2, 3], [[1], [2], [3]])
        >>> index.remove([2, 3, 4])
        2
        """
        self.db.execute(
            f"DELETE FROM {self.table} WHERE rowid IN (SELECT id FROM ann_ids(?))",
            (arrays.as_ids(ids, in_order=False),),
        )
        return self.db.changes()

    @translated()
    def get(self, ids: arrays.IdsLike) -> elements.Rows:
        """The stored vectors of these ids, in the table's type, shape (n, dim), or (dim,) for one id alone.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=2)
        >>> index.add([1, 2], [[1, 2], [3, 4]])
        >>> index.get(2)
        array([3., 4.], dtype=float32)
        >>> index.get([2, 1, 3])
        Traceback (most recent call last):
        KeyError: 3
        """
        given = arrays.as_array("ids", ids)
        wanted = arrays.as_ids(given)
        dtype = elements.dtype_of(self.type)
        vectors = np.empty((len(wanted), elements.width(self.type, self.dim)), dtype)
        sql = (
            f"SELECT i.id, v.{self.column} FROM ann_ids(?) AS i LEFT JOIN {self.table} AS v ON v.rowid = i.id"
            " ORDER BY i.n"
        )
        with closing(self.db.execute(sql, (wanted,))) as rows:
            for i, (id_, blob) in enumerate(rows):
                if blob is None:
                    raise KeyError(id_)
                vectors[i] = np.frombuffer(blob, dtype)
        return vectors[0] if given.ndim == 0 else vectors

    @translated()
    def __len__(self) -> int:
        return int(self._value("rows"))

    @translated()
    def __contains__(self, id_: object) -> bool:
        try:
            key = operator.index(id_)  # type: ignore[arg-type]
        except TypeError:
            return False
        if not -(2**63) <= key < 2**63:
            return False
        return self.db.execute(f"SELECT 1 FROM {self.table} WHERE rowid = ?", (key,)).get is not None

    def __repr__(self) -> str:
        return f"Index({self.name!r}, dim={self.dim}, metric={self.metric!r})"

    @translated()
    def optimize(self, progress: bool | Report = False) -> bool:
        """Take the waiting rows into the forest, repair and re-fit it, in slices that lock nobody out for long.

        Each slice is a transaction of its own, unless one is open. `progress`: True for a bar, or a function
        that is called with (rows done, rows in all). The result: whether anything was done; where nothing is to be,
        finding that out is all it costs.

        >>> import numpy as np, sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=8)
        >>> index.add(np.arange(2000), np.random.default_rng(0).standard_normal((2000, 8)))
        >>> index.info()["waiting"], index.optimize()
        (0, False)
        """
        left, total, wrote = self._left(), 0, False
        shown = progress if left[0] or callable(progress) else False  # no bar from 0 to 0
        with reporting(shown, f"optimizing {self.name}") as report:
            while True:
                before, total = left, max(total, left[0])
                changes = self.db.total_changes()
                self._run("optimize", OPTIMIZE_PAGES)
                wrote = wrote or self.db.total_changes() - changes > 1  # the command itself counts as one
                left = self._left()
                report(total - left[0], total)
                # In a table too small for a forest the rows go on waiting, which nothing changes.
                if left[0] == 0 or left == before:
                    return wrote

    @translated()
    def check(self) -> list[tuple[str, int | None, int | None]]:
        """What is wrong with the index, as (fault, page, id); an empty list when it is sound.

        >>> import sqlite_ann
        >>> sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=2).check()
        []
        """
        return self._rows("SELECT fault, page, id FROM ann_check(?)", self.name)

    @translated()
    def info(self) -> dict[str, Any]:
        """Everything the index tells about itself; the sizes in bytes are counted by reading all of it.

        >>> import sqlite_ann
        >>> about = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=2).info()
        >>> about["rows"], about["dimensions"], about["type"], about["metric"]
        (0, 2, 'float32', 'cosine')
        """
        return dict(self._rows("SELECT key, value FROM ann_info(?)", self.name))

    @translated()
    def recall(self, k: int = 10, sample: int = 100, recall: float | None = None, *, queries: bool = False) -> Recall:
        """The recall that searches really give, measured on `sample` rows spread over the table.

        `recall`: what they are asked for (default 0.95). `queries`: measured on those given to `learn` instead of
        rows. It reads the table twice.

        >>> import numpy as np, sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=8)
        >>> index.add(np.arange(2000), np.random.default_rng(0).standard_normal((2000, 8)))
        >>> measured = index.recall(k=10, sample=500)
        >>> measured.sample, measured.low < measured.recall < measured.high, measured.high > 0.95
        (500, True, True)
        """
        counts = arrays.as_count("k", k), arrays.as_count("sample", sample)
        return Recall(*self._rows(RECALL, self.name, *counts, arrays.as_number("recall", recall), int(queries))[0])

    @translated()
    def explain(self, query: arrays.VectorsLike, k: int | None = 10, recall: float | None = None) -> list[Step]:
        """Where the time of one search goes, step by step, and why fewer than k rows are found.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1, metric="l2")
        >>> index.add([1, 2, 3], [[10], [20], [30]])
        >>> for step in index.explain([19], k=5):
        ...     if step.count:
        ...         print(step.step, step.count)
        exact 3
        found 3
        fewer: the table has no more rows 2
        """
        queries = elements.queries(self.type, query, self.dim)
        if len(queries) != 1:
            raise ValueError(f"query: expected one vector, got {len(queries)}")
        limits = arrays.as_count("k", k), arrays.as_number("recall", recall)
        return [Step(*row) for row in self._rows(EXPLAIN, self.name, queries[0], *limits)]

    @translated()
    def drop(self) -> None:
        """Remove the table and all it kept.

        >>> import sqlite_ann
        >>> db = sqlite_ann.connect(":memory:")
        >>> sqlite_ann.Index.create(db, "v", dim=2).drop()
        >>> db.execute("SELECT count(*) FROM sqlite_schema").get
        0
        """
        self.db.execute(f"DROP TABLE {self.table}")

    def _id_set(self, name: str, ids: arrays.IdsLike | None) -> bytes | None:
        """The set of these ids, made once for all queries."""
        if ids is None:
            return None
        return self.db.execute("SELECT ann_id_set(?)", (arrays.as_ids(ids, name, in_order=False),)).get  # type: ignore[no-any-return]

    def _insert(self, verb: str, ids: arrays.Ids, rows: NDArray[np.generic], report: Report) -> None:
        done = 0
        for some_ids, some_rows in arrays.batches(ids, rows):
            self.db.execute(
                f"{verb} INTO {self.table}(rowid, {self.column}) SELECT id, vector FROM ann_rows(?, ?, ?, ?)",
                (elements.buffer(self.type, some_rows), self.dim, self.type, some_ids),
            )
            done += len(some_ids)
            report(done, len(ids))

    @contextmanager
    def _absorbing_later(self, before: int) -> Iterator[None]:
        """Inside, statements of many rows leave them waiting; the setting is the connection's."""
        self._run("absorb=0")
        try:
            yield
        finally:
            self._run(f"absorb={before}")

    def _left(self) -> tuple[int, int]:
        """What `optimize` has to do yet, and what it has made so far."""
        return self._value("waiting"), self._value("leaf_pages")

    def _value(self, key: str) -> Any:
        """One entry of `info`; to ask for all makes SQLite read the whole table for its size."""
        return self._rows("SELECT value FROM ann_info(?) WHERE key = ?", self.name, key)[0][0]

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self.db.execute(sql, values).fetchall()

    def _run(self, command: str, k: int | None = None) -> None:
        """A command, as FTS5 has them: written to the column that is called as the table is."""
        if k is None:
            self.db.execute(f"INSERT INTO {self.table}({self._command}) VALUES (?)", (command,))
        else:
            self.db.execute(f"INSERT INTO {self.table}({self._command}, k) VALUES (?, ?)", (command, k))


def _check(db: object, name: object) -> None:
    """Refuse what would else fail somewhere below, in words of Python's."""
    if not isinstance(db, apsw.Connection):
        raise TypeError(f"expected a connection of apsw, as sqlite_ann.connect() gives, got {type(db).__name__}")
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a table, got {type(name).__name__}")


def _type(given: object) -> str:
    """A type as it is written in CREATE VIRTUAL TABLE, which says which there are."""
    if not isinstance(given, str) or not given.isalnum():
        raise ValueError(f"type: expected the name of a type, got {given!r}")
    return given


def _columns(rows: list[Any]) -> Found:
    """Rows of (id, distance) as two arrays."""
    ids, distances = zip(*rows, strict=True) if rows else ((), ())
    return np.array(ids, np.int64), np.array(distances, np.float64)


def _option(key: str, value: object) -> str:
    """One argument of CREATE VIRTUAL TABLE: numbers and plain words bare, all else quoted."""
    if not key.isidentifier():
        raise ValueError(f"{key!r} is not the name of an option")
    value = arrays.plain(value)
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not (text.isalnum() and text.isascii()):
        text = "'" + text.replace("'", "''") + "'"
    return f"{key} = {text}"
