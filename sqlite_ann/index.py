"""A vector table from Python: each method shows the SQL it runs.

    Index.create(db, "song_ann", dim=64)   Index(db, "song_ann")
    add  upsert  update  remove  get  index[id]  del index[id]  len()  in  for id in index
    search  search_item  recommend  join  graph  optimize  learn  check  info  recall  explain  drop

Index(db, "song_ann", key="uuid") has keys that are text in the place of ids (sqlite_ann/keys.py).

A name may carry its schema, as in "aux.songs". Everything is inside SQLite's transactions: what a method
writes is undone by a rollback around it, and a method that fails leaves nothing behind.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from itertools import chain
from pickle import PicklingError
from typing import Any, Literal, overload

import apsw
import numpy as np
from numpy.typing import NDArray

from . import elements
from . import rows as rows_given
from . import vectors as arrays
from .answers import Found, Recall, Step, Steps, table
from .catalog import refuse_other
from .connection import connect
from .errors import Duplicate, Error, translated, translation
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
SEARCH_ITEM = "SELECT id, distance FROM ann_search_item(?, ?, ?, ?)"
SEARCH_PLAIN = "SELECT all_ids, all_distances FROM ann_search(?, ?, ?, ?) LIMIT 1"  # ten rows in one
JOIN = "SELECT left_id, id, distance FROM ann_join(?, ?, ?, ?) ORDER BY left_id, rank"
GRAPH = "SELECT left_id, id, distance FROM ann_graph(?, ?, ?) ORDER BY left_id, rank"
EXPLAIN = "SELECT step, count, bytes, microseconds FROM ann_explain(?, ?, ?, ?)"
RECALL = "SELECT k, sample, recall, low, high FROM ann_recall(?, ?, ?, ?, ?)"

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]

SHOWN = ("rows", "dimensions", "type", "metric", "trees", "waiting")  # in a notebook; others are counted by reading all
NO_ROW = "SELECT i.id FROM ann_ids(?) AS i WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE rowid = i.id) LIMIT 1"
MANY_NUMBERS = 2**24  # in the answers to many queries: a k beyond the table's rows may not ask for more than these

# For the usual search, which is soon done: a Found is made in half the time, and no name of a dtype has to be read.
new_tuple, ID, DISTANCE = tuple.__new__, arrays.ID, np.dtype("<f8")
WIDENED = (np.dtype("<f2"), np.dtype("i1"))  # rows that are queries in float32


Path = str | os.PathLike[str]


class Index:
    """One vector table of a database.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> sqlite_ann.Index.create(db, "song_ann", dim=64)
    Index('song_ann', dim=64, metric='cosine')
    >>> sqlite_ann.Index(db, "song_ann").dim
    64
    """

    def __new__(cls, db: apsw.Connection | Path, name: str, key: str | None = None) -> Index:
        if key is None or cls is not Index:
            return super().__new__(cls)
        from .keys import KeyedIndex  # which stands on this file

        return super().__new__(KeyedIndex)

    @translated()
    def __init__(self, db: apsw.Connection | Path, name: str, key: str | None = None) -> None:
        """Open a table that is there, in an open database or in the file of a path.

        `key`: ids are text, in a table beside it: sqlite_ann/keys.py.
        """
        _check(db, name)
        self.db = db if isinstance(db, apsw.Connection) else connect(db, flags=apsw.SQLITE_OPEN_READWRITE)
        self.name = name
        # table and column are written as SQL takes them, ready to be put in a statement
        schema, table = resolved(self.db, name)
        self.table = quoted(table, schema)
        self._command = quoted(table)
        self._look()

    def _is_another(self) -> bool:
        """Does a table of another kind stand in the place of the one that was opened?  From here on, it is meant."""
        before = self.dim, self.type
        self._look()
        return before != (self.dim, self.type)

    def _look(self) -> None:
        self.dim = int(self._value("dimensions"))
        self.metric = str(self._value("metric"))
        self.column = quoted(self._value("column"))
        self.type = str(self._value("type"))
        self._row_dtype, self._row_shape = elements.plain_row(self.type, self.dim)

    @classmethod
    @translated()
    def create(
        cls,
        db: apsw.Connection | Path,
        name: str,
        dim: int,
        metric: str | None = None,
        type: str = "float32",
        *,
        exists_ok: bool = False,
        key: str | None = None,
        **options: Any,
    ) -> Index:
        """Make a vector table; options are those of CREATE VIRTUAL TABLE, as in `trees=4, seed=7`.

        `exists_ok`: one that is there already is opened; where it has another dim, type, metric or option than is said
        here, an error names both. A path instead of a connection is opened first, and made if there is no such file.

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
        >>> sqlite_ann.Index.create(db, "over_song", dim=2, content="song").search([3, 4]).ids
        array([7])
        """
        _check(db, name)
        content = next((str(value) for option, value in options.items() if option.lower() == "content"), None)
        if key is not None and content is not None:
            from .keys import OVER_A_TABLE

            raise ValueError(OVER_A_TABLE.format(name, content))
        if metric is not None:
            options = {"metric": metric, **options}
        arguments = {key: f", {_option(key, value)}" for key, value in options.items()}
        definition = f"embedding {_type(type)}[{arrays.as_count('dim', dim)}]"
        db = db if isinstance(db, apsw.Connection) else connect(db)
        schema, table = resolved(db, name)
        there = "IF NOT EXISTS " if exists_ok else ""
        made = f"ann({definition}{''.join(arguments.values())})"
        db.execute(f"CREATE VIRTUAL TABLE {there}{quoted(table, schema)} USING {made}")
        index = cls(db, name, key)
        if exists_ok:
            own = "".join(text for key, text in arguments.items() if not key.lower().startswith("content"))
            refuse_other(db, name, f"ann({definition}{own})", ["dimensions", "type", *options], content)
        return index

    @overload
    def add(
        self,
        ids: arrays.IdsLike | Iterable[Any],
        vectors: arrays.VectorsLike | None = None,
        *,
        existing: str = "refuse",
        on_bad: Literal["refuse"] = "refuse",
        progress: bool | Report = False,
    ) -> None: ...
    @overload
    def add(
        self,
        ids: arrays.IdsLike | Iterable[Any],
        vectors: arrays.VectorsLike | None = None,
        *,
        existing: str = "refuse",
        on_bad: Literal["skip"],
        progress: bool | Report = False,
    ) -> dict[int, str]: ...
    @translated()
    def add(
        self,
        ids: arrays.IdsLike | Iterable[Any],
        vectors: arrays.VectorsLike | None = None,
        *,
        existing: str = "refuse",
        on_bad: str = "refuse",
        progress: bool | Report = False,
    ) -> dict[int, str] | None:
        """Insert n ids with their vectors, shape (n, dim): all of them, or none when one is refused.

        Vectors may be an array, a list, a column of arrays as pandas, polars and pyarrow have them, or an iterator, which
        is read to its end first. One argument alone is an iterable of pairs, of an id and its vector each, or of a batch
        of ids and their vectors; it is read piece by piece, so that a generator may give more than memory holds.

        An id that is there already is refused; `existing`: "replace" puts the new vector in the place of the old, "skip"
        leaves the old. A vector that cannot be stored, such as one with a NaN, is refused; `on_bad`: "skip" leaves such
        rows out, and gives their ids with the reasons. `progress`: True for a bar, or a function that is called with
        (rows done, rows in all); of a generator both are the rows so far.

        They are found at once. When more than a quarter of the rows wait by then, the forest takes them in; a smaller
        part goes on waiting, and makes searches slower, until more come or `optimize` is called.

        >>> import numpy as np, sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=3)
        >>> index.add(np.arange(5), np.ones((5, 3), np.float32))
        >>> index.add(99, [1, 2, 3])
        >>> index.add((id_, [id_, 0, 1]) for id_ in range(10, 20))
        >>> index.add([7, 8], [[1, 2, 3], [1, 2, np.nan]], on_bad="skip")
        {8: 'expected finite components, got nan'}
        >>> len(index)
        17
        """
        _one_of("existing", existing, tuple(INSERT))
        _one_of("on_bad", on_bad, ("refuse", "skip"))
        left_out: dict[int, str] | None = {} if on_bad == "skip" else None
        parts = iter([(ids, vectors)] if vectors is not None else rows_given.parts(ids))  # type: ignore[arg-type]
        total = 0 if vectors is None else None
        # The first is asked for before the savepoint, as is all else that can be known by then.
        read = (self._rows_of(*part, left_out) for part in parts)
        first = [part for part in [next(read, None)] if part is not None]
        second = [part for part in [next(read, None)] if part is not None] if first and vectors is None else []
        is_bulk = bool(second) or (bool(first) and len(first[0][0]) > BULK_ROWS)
        # SQLite may refuse a reader that turns writer: this too is asked before the savepoint, which begins by writing.
        share = self._value("absorb") if is_bulk else 0
        later = self._absorbing_later(share) if is_bulk else nullcontext()
        with savepoint(self.db), later:
            with reporting(progress, f"adding to {self.name}") as report:
                done = 0
                for some_ids, some_rows in chain(first, second, read):
                    done = self._insert(INSERT[existing], some_ids, some_rows, report, done, total)
            if share and self._value("waiting") * 100 > self._value("rows") * share:
                self.optimize(bool(progress) and not callable(progress))
        return left_out

    def upsert(self, ids: arrays.IdsLike | Iterable[Any], vectors: arrays.VectorsLike | None = None) -> None:
        """`add` that replaces the vectors of ids that are there already; of an id given twice the last one stays.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1)
        >>> index.add([1, 2], [[1], [2]])
        >>> index.upsert([2, 3], [[20], [30]])
        >>> index.get([1, 2, 3]).tolist()
        [[1.0], [20.0], [30.0]]
        """
        self.add(ids, vectors, existing="replace")

    @translated()
    def update(self, ids: arrays.IdsLike, vectors: arrays.VectorsLike) -> None:
        """Replace the vectors of ids that are there; if one is not, a KeyError names it and nothing is changed.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1)
        >>> index.add([1, 2], [[1], [2]])
        >>> index.update([2], [[20]])
        >>> index.update([2, 3], [[21], [30]])
        Traceback (most recent call last):
        KeyError: 3
        """
        wanted = arrays.as_ids(ids)
        with savepoint(self.db):
            self._require(wanted)
            self.add(wanted, vectors, existing="replace")

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
        """The k nearest: ids and distances, nearest first, as a Found, which unpacks as a pair.

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
            and (
                (query.dtype == arrays.FLOAT and query.shape == (self.dim,))
                or (query.dtype == self._row_dtype and query.shape == self._row_shape)
            )
            and query.flags.c_contiguous
            and type(k) is int
            and (recall is None or (type(recall) is float and recall == recall))
            and ids is None
            and exclude is None
            and search_k is None
            and max_distance is None
        ):
            try:
                given = query.astype(arrays.FLOAT) if query.dtype in WIDENED else query
                found = self.db.execute(SEARCH_PLAIN, (self.name, given, k, recall)).get or (b"", b"")
                return new_tuple(Found, (np.frombuffer(found[0], ID).copy(), np.frombuffer(found[1], DISTANCE).copy()))
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
        limits = self._limits(k, recall, ids, exclude, search_k, max_distance)
        given = arrays.as_array("query", query, self.dim)
        try:
            queries = elements.queries(self.type, given, self.dim)
        except ValueError:
            if not self._is_another():
                raise
            queries = elements.queries(self.type, given, self.dim)
        return self._answers(SEARCH, queries, given.ndim == 1, limits)

    @translated()
    def search_item(
        self,
        ids_of: arrays.IdsLike,
        k: int | None = 10,
        recall: float | None = None,
        *,
        exclude_self: bool = True,
        ids: arrays.IdsLike | None = None,
        exclude: arrays.IdsLike | None = None,
        search_k: int | None = None,
        max_distance: float | None = None,
    ) -> Found:
        """The k nearest to a row that is stored, or to each of several: as `search`, with ids in the place of vectors.

        `exclude_self`: the row itself is left out. An id that is not there is a KeyError.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1, metric="l2")
        >>> index.add([1, 2, 3], [[10], [20], [40]])
        >>> index.search_item(2, k=2).to_list()
        [(1, 10.0), (3, 20.0)]
        >>> index.search_item([1, 3], k=1, exclude_self=False).ids.tolist()
        [[1], [3]]
        """
        given = arrays.as_array("ids_of", ids_of)
        items = arrays.as_ids(given, "ids_of")
        limits = self._limits(k, recall, ids, exclude, search_k, max_distance)
        limits["exclude_self = ?"] = int(exclude_self)
        with savepoint(self.db) if len(items) > 1 else nullcontext():
            self._require(items)
            return self._answers(SEARCH_ITEM, items.tolist(), given.ndim == 0, limits)

    def _limits(
        self,
        k: int | None,
        recall: float | None,
        ids: arrays.IdsLike | None,
        exclude: arrays.IdsLike | None,
        search_k: int | None,
        max_distance: float | None,
    ) -> dict[str, Any]:
        """What is asked of a search: the arguments after the query, and conditions with the values that are given."""
        where = {
            "search_k = ?": arrays.as_count("search_k", search_k),
            "max_distance = ?": arrays.as_number("max_distance", max_distance),
            "only = ?": self._id_set("ids", ids),
            "exclude = ?": self._id_set("exclude", exclude),
        }
        given = {clause: value for clause, value in where.items() if value is not None}
        return {"k": arrays.as_count("k", k), "recall": arrays.as_number("recall", recall), **given}

    def _answers(self, sql: str, queries: Any, is_alone: bool, limits: dict[str, Any]) -> Found:
        """One search for each query; as arrays of one row, or of as many rows as there are queries."""
        k = limits["k"]
        if k is not None and k * len(queries) > MANY_NUMBERS and len(queries) > 1 and k > (n := len(self)):
            raise ValueError(f"k: expected at most {n}, as many as there are rows, for {len(queries)} queries; got {k}")
        where = [clause for clause in limits if clause not in ("k", "recall")]
        sql += (" WHERE " + " AND ".join(where) if where else "") + " ORDER BY rank"
        rows: list[Any] = []
        with savepoint(self.db) if len(queries) > 1 else nullcontext():  # all see the same table
            try:
                for query in queries:
                    rows.append(self._rows(sql, self.name, query, *limits.values()))
            except apsw.Error as error:
                i = len(rows)  # which of them it is tells something only where it is the vector that is wrong
                place = f"query[{i}]: " if len(queries) > 1 and not np.isfinite(queries[i]).all() else ""
                raise translation(error, place) from error

        if is_alone and rows:
            return _columns(rows[0])
        width = k if k is not None else max(map(len, rows), default=0)
        found = Found(np.full((len(rows), width), -1, np.int64), np.full((len(rows), width), np.inf))
        for i, row in enumerate(rows):
            found.ids[i, : len(row)], found.distances[i, : len(row)] = _columns(row)
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
    def join(self, other: Index, k: int = 10, recall: float | None = None) -> Pairs:
        """The k nearest rows of another index for each row of this one: ids here, ids there, distances.

        Three arrays of one length, in order of the ids here and then of rank; the distance is the other's.

        >>> import sqlite_ann
        >>> db = sqlite_ann.connect(":memory:")
        >>> heard = sqlite_ann.Index.create(db, "heard", dim=1, metric="l2")
        >>> songs = sqlite_ann.Index.create(db, "songs", dim=1, metric="l2")
        >>> heard.add([7, 8], [[19], [29]])
        >>> songs.add([1, 2, 3], [[10], [20], [30]])
        >>> heard.join(songs, k=1)
        (array([7, 8]), array([2, 3]), array([1., 1.]))
        """
        if other.db is not self.db:
            raise ValueError("other: expected an index of the same connection")
        counts = arrays.as_count("k", k), arrays.as_number("recall", recall)
        return self._pairs(JOIN, self.name, other.name, *counts)

    @translated()
    def graph(self, k: int = 10, recall: float | None = None) -> Pairs:
        """The k nearest other rows of each row: ids, ids of their neighbours, distances.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1, metric="l2")
        >>> index.add([1, 2, 3], [[10], [20], [40]])
        >>> index.graph(k=1)
        (array([1, 2, 3]), array([2, 1, 2]), array([10., 10., 20.]))
        """
        return self._pairs(GRAPH, self.name, arrays.as_count("k", k), arrays.as_number("recall", recall))

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
                if len(blob) != vectors[i].nbytes and self._is_another():
                    return self.get(ids)
                vectors[i] = np.frombuffer(blob, dtype)
        return vectors[0] if given.ndim == 0 else vectors

    def __getitem__(self, ids: arrays.IdsLike) -> elements.Rows:
        """`get`, as in `index[7]` and `index[[7, 8]]`."""
        return self.get(ids)

    @translated()
    def __delitem__(self, ids: arrays.IdsLike) -> None:
        """`remove` of ids that are there; if one is not, a KeyError names it and nothing is changed."""
        wanted = arrays.as_ids(ids)
        with savepoint(self.db):
            self._require(wanted)
            self.remove(wanted)

    @translated()
    def __iter__(self) -> Iterator[int]:
        """The ids, ascending, as they are when it begins: the table may change meanwhile.

        >>> import sqlite_ann
        >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1)
        >>> index.add([3, 1, 2], [[1], [2], [3]])
        >>> list(index)
        [1, 2, 3]
        """
        ids = np.fromiter((id_ for (id_,) in self.db.execute(f"SELECT rowid FROM {self.table}")), np.int64)
        return iter(np.sort(ids).tolist())

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

    def _repr_html_(self) -> str:
        with suppress(Error), translated():
            return table(("index", *SHOWN), [[self.name, *(self._value(key) for key in SHOWN)]])
        return table(("index",), [[repr(self)]])  # closed, or dropped

    @translated()
    def __reduce__(self) -> tuple[Any, ...]:
        """An index of a file goes to another process by the file's path and its own name, and is opened there."""
        schema, name = resolved(self.db, self.name)
        if schema is None:
            schema = "temp" if self.db.table_exists("temp", name) else "main"
        path = self.db.db_filename(schema)
        if not path:
            raise PicklingError(f"{self!r} is in memory: only an index of a file can be opened by another process")
        if self.db.in_transaction:
            raise PicklingError(f"a transaction is open: another process would not see what it has done to {self!r}")
        is_read_only = self.db.readonly(schema)
        return _opened, (path, name, apsw.SQLITE_OPEN_READONLY if is_read_only else apsw.SQLITE_OPEN_READWRITE)

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
    def explain(self, query: arrays.VectorsLike, k: int | None = 10, recall: float | None = None) -> Steps:
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
        return Steps(Step(*row) for row in self._rows(EXPLAIN, self.name, queries[0], *limits))

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

    def _pairs(self, sql: str, *values: Any) -> Pairs:
        dtype = np.dtype([("left_id", np.int64), ("id", np.int64), ("distance", np.float64)])
        rows = np.fromiter(self.db.execute(sql, values), dtype)
        return rows["left_id"].copy(), rows["id"].copy(), rows["distance"].copy()

    def _id_set(self, name: str, ids: arrays.IdsLike | None) -> bytes | None:
        """The set of these ids, made once for all queries."""
        if ids is None:
            return None
        return self.db.execute("SELECT ann_id_set(?)", (arrays.as_ids(ids, name, in_order=False),)).get  # type: ignore[no-any-return]

    def _require(self, ids: arrays.Ids) -> None:
        for (missing,) in self._rows(NO_ROW.format(table=self.table), ids):
            raise KeyError(missing)

    def _rows_of(
        self, ids: arrays.IdsLike, vectors: arrays.VectorsLike, left_out: dict[int, str] | None
    ) -> tuple[arrays.Ids, elements.Rows]:
        """Ids and rows to be stored; for `left_out`, without those that cannot be, which are noted there."""
        ids = arrays.as_ids(ids)
        if left_out is None:
            given = arrays.as_array("vectors", vectors, self.dim, ids)
            try:
                rows = elements.as_rows(self.type, given, self.dim, "vectors", ids)
            except ValueError:
                if not self._is_another():
                    raise
                rows = elements.as_rows(self.type, given, self.dim, "vectors", ids)
        else:
            self._is_another()
            ids, rows, reasons = rows_given.good(self.type, vectors, self.dim, ids)
            left_out.update(reasons)
        if len(ids) != len(rows):
            raise ValueError(f"expected as many ids as vectors, got {len(ids)} ids and {len(rows)} vectors")
        return ids, rows

    def _insert(
        self, verb: str, ids: arrays.Ids, rows: elements.Rows, report: Report, done: int, total: int | None
    ) -> int:
        """Insert in batches; `done` rows are there before, of a total that is None where these are all."""
        try:
            for some_ids, some_rows in arrays.batches(ids, rows):
                self.db.execute(
                    f"{verb} INTO {self.table}(rowid, {self.column}) SELECT id, vector FROM ann_rows(?, ?, ?, ?)",
                    (elements.buffer(self.type, some_rows), self.dim, self.type, some_ids),
                )
                done += len(some_ids)
                report(done, len(ids) if total is None else done)
        except apsw.ConstraintError as error:
            refusal = translation(error)
            values, counts = np.unique(ids, return_counts=True)
            for twice in values[counts > 1].tolist():
                if isinstance(refusal, Duplicate) and f" {twice} is there already" in str(refusal):
                    raise Duplicate(f"ids: {twice} is given twice, or is there already", refusal.code) from error
            raise refusal from error
        return done

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


def _opened(path: str, name: str, flags: int, key: str | None = None) -> Index:
    """What a pickled index becomes, in the process that it comes to."""
    return Index(connect(path, flags=flags), name, key)


def _check(db: object, name: object) -> None:
    """Refuse what would else fail somewhere below, in words of Python's."""
    if not isinstance(db, apsw.Connection | str | os.PathLike):
        raise TypeError(
            f"expected a connection of apsw, as sqlite_ann.connect() gives, or a path, got {type(db).__name__}"
        )
    if getattr(db, "is_async", False) and _awaits(db):
        raise TypeError("expected a connection that is not async; sqlite_ann.AsyncIndex is for those that are")
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a table, got {type(name).__name__}")


def _awaits(db: Any) -> bool:
    """Do its calls have to be awaited?  In its own thread, where AsyncIndex works, they do not."""
    asked = db.readonly("main")
    if isinstance(asked, bool):
        return False
    asked.close()
    return True


def _one_of(name: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {given!r}")


def _type(given: object) -> str:
    """A type as it is written in CREATE VIRTUAL TABLE, which says which there are."""
    if not isinstance(given, str) or not given.isalnum():
        raise ValueError(f"type: expected the name of a type, got {given!r}")
    return given


def _columns(rows: list[Any]) -> Found:
    """Rows of (id, distance) as two arrays."""
    ids, distances = zip(*rows, strict=True) if rows else ((), ())
    return Found(np.array(ids, np.int64), np.array(distances, np.float64))


def _option(key: str, value: object) -> str:
    """One argument of CREATE VIRTUAL TABLE: numbers and plain words bare, all else quoted."""
    if not key.isidentifier():
        raise ValueError(f"{key!r} is not the name of an option")
    value = arrays.plain(value)
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not (text.isalnum() and text.isascii()):
        text = "'" + text.replace("'", "''") + "'"
    return f"{key} = {text}"
