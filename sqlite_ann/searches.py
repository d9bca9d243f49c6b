"""Searches of an open vector table: for vectors, for its own rows, for what some rows have in common, for all at once.

    search  search_item  recommend  join  graph

Nothing here writes. `Index` stands on this (sqlite_ann/index.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import repeat
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from . import elements
from . import vectors as arrays
from .answers import Found
from .errors import Error, known_as, translated, translation
from .opened import OpenTable
from .recommendation import as_groups, as_items, as_per
from .transaction import savepoint

SEARCH = "SELECT all_ids, all_distances FROM ann_search(?, ?, ?, ?)"  # ten rows in one, so it ends with LIMIT 1
SEARCH_PLAIN = f"{SEARCH} LIMIT 1"
SEARCH_ITEM = "SELECT all_ids, all_distances FROM ann_search_item(?, ?, ?, ?)"
SEARCH_MANY = "SELECT all_ids, all_distances FROM ann_search_many(?, ?, ?, ?, ?, ?) LIMIT 1"
RECOMMEND = "SELECT id, distance FROM ann_search_items(?, ?, ?, ?)"
JOIN = "SELECT left_id, id, distance FROM ann_join(?, ?, ?, ?) ORDER BY left_id, rank"
GRAPH = "SELECT left_id, id, distance FROM ann_graph(?, ?, ?) ORDER BY left_id, rank"
NO_ROW = "SELECT i.id FROM ann_ids(?) AS i WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE rowid = i.id) LIMIT 1"
MANY_NUMBERS = 2**24  # in the answers to many queries: a k beyond the table's rows may not ask for more than these
MOST_THREADS = 64  # ANN_MAX_THREADS of c_ext
NO_ROWS = b"", b""
Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
After = tuple[Any, Any]  # a distance and an id, or as many of both as there are queries
Per = tuple[Mapping[Any, object] | str | bytes, int]

# For the usual search, which is soon done: a Found is made in half the time, and no name of a dtype has to be read.
new_tuple, ID, DISTANCE = tuple.__new__, arrays.ID, np.dtype("<f8")
WIDENED = (np.dtype("<f2"), np.dtype("i1"))  # rows that are queries in float32


@known_as("Index")
class SearchedTable(OpenTable):
    """One that can be searched."""

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
        after: After | None = None,
        per: Per | None = None,
        diversity: float | None = None,
        threads: int | None = None,
    ) -> Found:
        """The k nearest: ids and distances, nearest first, as a Found, which unpacks as a pair.

        One query, shape (dim,), gives as many as were found. Many, shape (m, dim), give two arrays of shape
        (m, k), filled up with id -1 and distance inf: for each query what it gets alone, to the last bit.

        `recall`: the share of the true neighbours that is wanted, on average (default 0.95; 1 is exact).
        `search_k`: how many vectors to inspect at most; without `recall`, instead of it.
        `ids`, `exclude`: search only these; leave these out; sets will do, and what SQL's `ann_id_set` made. k are
        found whenever k qualify.
        `max_distance`: nothing farther; with k=None everything within. (k=None alone is SQL's default, 10.)
        `after`: (distance, id) of the last row of a page, for the next page; of many queries, an array of each.
        `per`: (groups, m), for at most m rows of a group; `diversity`: from 0 to 1, for rows that are not all alike,
        in order of rank; both as in `recommend`.
        `threads`: how many search for many queries together (default: as the table's option says, which is all
        cores unless it was set; 0 is all cores). Only queries with nothing but `k` and `recall` are searched for
        together, all others one after the other.

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
        >>> index.search([19], k=2, after=(1.0, 2)).ids
        array([1, 3])
        """
        # One vector in the form that SQL takes is the usual case, and often soon done: nothing else is asked of it.
        # (No helper functions here: they would cost as much as they tell.)
        if (
            type(query) is np.ndarray
            and query.flags.c_contiguous
            and type(k) is int
            and (recall is None or (type(recall) is float and recall == recall))
            and ids is None
            and exclude is None
            and search_k is None
            and max_distance is None
            and after is None
            and per is None
            and diversity is None
        ):
            if threads is None and (
                (query.dtype == arrays.FLOAT and query.shape == (self.dim,))
                or (query.dtype == self._row_dtype and query.shape == self._row_shape)
            ):
                try:
                    given = query.astype(arrays.FLOAT) if query.dtype in WIDENED else query
                    # apsw's own cursor: nothing here is a scalar of numpy's, which those of connect() look for
                    found = apsw.Cursor(self.db).execute(SEARCH_PLAIN, (self.name, given, k, recall)).get or NO_ROWS
                    ids_found, distances = np.frombuffer(found[0], ID).copy(), np.frombuffer(found[1], DISTANCE).copy()
                    return new_tuple(Found, (ids_found, distances))
                except apsw.Error as error:
                    raise translation(error) from error
            # Few queries are soon done, too.
            is_many = query.ndim == 2 and query.dtype == arrays.FLOAT and query.shape[1] == self.dim
            if is_many and (threads is None or type(threads) is int):
                return self._together(query, k, recall, threads)
        return self._search(query, k, recall, threads, ids, exclude, search_k, max_distance, after, per, diversity)

    @translated()
    def _search(
        self,
        query: arrays.VectorsLike,
        k: int | None,
        recall: float | None,
        threads: int | None,
        *more: Any,
    ) -> Found:
        """`search` for queries of every form, with everything that can be asked of it."""
        threads = arrays.as_count("threads", threads)
        limits = self._limits(k, recall, *more)
        given = arrays.as_array("query", query, self.dim)
        try:
            queries = elements.queries(self.type, given, self.dim)
        except ValueError:
            if not self._is_another():
                raise
            queries = elements.queries(self.type, given, self.dim)
        is_alone = given.ndim == 1 and len(queries) == 1
        if is_alone or len(limits) > 2:
            if threads is not None and not 0 <= threads <= MOST_THREADS:  # else ann_search_many sees it
                raise Error(f"expected threads to be a whole number from 0 to {MOST_THREADS}, got {threads}")
            return self._answers(SEARCH, queries, is_alone, limits)
        return self._together(queries, limits["k"], limits["recall"], threads)

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
        after: After | None = None,
        per: Per | None = None,
        diversity: float | None = None,
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
        limits = self._limits(k, recall, ids, exclude, search_k, max_distance, after, per, diversity)
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
        after: After | None,
        per: Per | None,
        diversity: float | None,
    ) -> dict[str, Any]:
        """What is asked of a search: the arguments after the query, and conditions with the values that are given."""
        behind, behind_id = (None, None) if after is None else _as_after(after)
        where = {
            "search_k = ?": arrays.as_count("search_k", search_k),
            "max_distance = ?": arrays.as_number("max_distance", max_distance),
            "only = ?": self._id_set("ids", ids),
            "exclude = ?": self._id_set("exclude", exclude),
            "after_distance = ?": behind,
            "after_id = ?": behind_id,
            **_in_groups(per),
            "diversity = ?": arrays.as_number("diversity", diversity),
        }
        given = {clause: value for clause, value in where.items() if value is not None}
        return {"k": arrays.as_count("k", k), "recall": arrays.as_number("recall", recall), **given}

    def _answers(self, sql: str, queries: Any, is_alone: bool, limits: dict[str, Any]) -> Found:
        """One search for each query; as arrays of one row, or of as many rows as there are queries."""
        k = limits["k"]
        self._check_room(k, len(queries))
        where = [clause for clause in limits if clause not in ("k", "recall")]
        sql += (" WHERE " + " AND ".join(where) if where else "") + " LIMIT 1"
        each = _of_each(limits, len(queries), is_alone)
        rows: list[Found] = []
        with savepoint(self.db) if len(queries) > 1 else nullcontext():  # all see the same table
            try:
                for query, values in zip(queries, each, strict=True):
                    rows.append(_unpacked(self.db.execute(sql, (self.name, query, *values)).get))
            except apsw.Error as error:
                i = len(rows)  # which of them it is tells something only where it is the vector that is wrong
                place = f"query[{i}]: " if len(queries) > 1 and not np.isfinite(queries[i]).all() else ""
                raise translation(error, place) from error

        if is_alone and rows:
            return rows[0]
        found = _empty(len(rows), k if k is not None else max((len(row.ids) for row in rows), default=0))
        for i, row in enumerate(rows):
            found.ids[i, : len(row.ids)], found.distances[i, : len(row.ids)] = row
        return found

    def _together(self, queries: elements.Rows, k: int | None, recall: float | None, threads: int | None) -> Found:
        """All queries at once, or as many as make a blob of some 32 MB, or answers of that size."""
        m = len(queries)
        self._check_room(k, m)
        n = max(1, arrays.BATCH_BYTES // max(queries.itemsize * queries.shape[1], 8 * (k or 1)))
        if m <= n:
            found = self._part(queries, 0, k, recall, threads)
            if found.ids.shape[1] == k or k is None:
                return found
            parts = [found]
        else:
            with savepoint(self.db):  # all see the same table
                parts = [self._part(queries[i : i + n], i, k, recall, threads) for i in range(0, m, n)]
        found = _empty(m, k if k is not None else max(part.ids.shape[1] for part in parts))
        for i, part in enumerate(parts):
            there = slice(i * n, i * n + n), slice(part.ids.shape[1])
            found.ids[there], found.distances[there] = part
        return found

    def _part(
        self, queries: elements.Rows, first: int, k: int | None, recall: float | None, threads: int | None
    ) -> Found:
        """The answers to these, as wide as the longest; first: the number of the first of them, for errors."""
        kind = self.type if queries.dtype == np.uint8 else None
        try:
            asked = self.name, queries, k, recall, kind, threads
            found = apsw.Cursor(self.db).execute(SEARCH_MANY, asked).get or NO_ROWS
        except apsw.Error as error:
            raise translation(error, first_query=first) from error
        m = len(queries)
        shape = m, len(found[0]) // (8 * m) if m else 0
        ids, distances = np.frombuffer(found[0], ID), np.frombuffer(found[1], DISTANCE)
        return new_tuple(Found, (ids.reshape(shape).copy(), distances.reshape(shape).copy()))

    def _check_room(self, k: int | None, m: int) -> None:
        """Refuse a k by which the answers to m queries would be mostly filled up."""
        if k is not None and k * m > MANY_NUMBERS and m > 1 and k > (n := len(self)):
            raise ValueError(f"k: expected at most {n}, as many as there are rows, for {m} queries; got {k}")

    @translated()
    def recommend(
        self,
        like: arrays.IdsLike | Mapping[Any, float],
        k: int = 10,
        *,
        dislike: arrays.IdsLike | Mapping[Any, float] | None = None,
        heard: arrays.IdsLike | None = None,
        per: Per | None = None,
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
        where = {
            "exclude_self = ?": 1,
            "exclude = ?": self._id_set("heard", heard),
            **_in_groups(per),
            "diversity = ?": arrays.as_number("diversity", diversity),
        }
        where = {clause: value for clause, value in where.items() if value is not None}
        limits = arrays.as_count("k", k), arrays.as_number("recall", recall)
        sql = f"{RECOMMEND} WHERE {' AND '.join(where)} ORDER BY rank"
        return _columns(self._rows(sql, self.name, as_items(like, dislike), *limits, *where.values()))

    @translated()
    def join(self, other: OpenTable, k: int = 10, recall: float | None = None) -> Pairs:
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
        if not isinstance(other, OpenTable) or other.db is not self.db:
            got = "one of another" if isinstance(other, OpenTable) else arrays.kind_of(other)
            raise ValueError(f"other: expected an index of the same connection, got {got}")
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

    def _pairs(self, sql: str, *values: Any) -> Pairs:
        dtype = np.dtype([("left_id", np.int64), ("id", np.int64), ("distance", np.float64)])
        rows = np.fromiter(self.db.execute(sql, values), dtype)
        return rows["left_id"].copy(), rows["id"].copy(), rows["distance"].copy()

    def _id_set(self, name: str, ids: arrays.IdsLike | None) -> bytes | None:
        """The set of these ids, made once for all queries; what `ann_id_set` made is one already."""
        if ids is None or isinstance(ids, bytes):
            return ids
        return self.db.execute("SELECT ann_id_set(?)", (arrays.as_ids(ids, name, in_order=False),)).get  # type: ignore[no-any-return]

    def _require(self, ids: arrays.Ids) -> None:
        for (missing,) in self._rows(NO_ROW.format(table=self.table), ids):
            raise KeyError(missing)


def _as_after(after: After) -> tuple[Any, Any]:
    """The distance and the id of the row that the next page begins behind; of each query's, as two lists.

    >>> _as_after((0.5, 7)), _as_after((np.array([0.5, 1.0]), np.array([7, 8])))
    ((0.5, 7), ([0.5, 1.0], [7, 8]))
    """
    if not isinstance(after, tuple | list) or len(after) != 2:
        raise TypeError(f"after: expected a pair, (distance, id), got {after!r:.60}")
    distance, id_ = after
    if not np.ndim(distance) and not np.ndim(id_):
        return arrays.as_number("after", distance), arrays.as_count("after", id_)
    distances = [arrays.as_number("after", one) for one in arrays.as_array("after", distance).ravel().tolist()]
    return distances, arrays.as_ids(id_, "after").tolist()


def _of_each(limits: dict[str, Any], m: int, is_alone: bool) -> Iterator[tuple[Any, ...]]:
    """The values for each of m queries: of a list, each gets its own."""
    for value in limits.values():
        if isinstance(value, list) and (is_alone or len(value) != m):
            wanted = "one distance and one id" if is_alone else f"as many distances and ids as queries, {m}"
            raise ValueError(f"after: expected {wanted}, got {len(value)}")
    columns = (value if isinstance(value, list) else repeat(value, m) for value in limits.values())
    return zip(*columns, strict=True)


def _in_groups(per: Per | None) -> dict[str, Any]:
    """At most so many rows of a group, as conditions."""
    if per is None:
        return {}
    groups, most = as_per(per)
    return {"groups = ?": as_groups(groups), "max_per = ?": most}


def _unpacked(row: tuple[bytes, bytes] | None) -> Found:
    """The two blobs in a row as arrays."""
    ids, distances = row or NO_ROWS
    return Found(np.frombuffer(ids, ID).copy(), np.frombuffer(distances, DISTANCE).copy())


def _empty(m: int, width: int) -> Found:
    """The answers to m queries before one of them is found."""
    return Found(np.full((m, width), -1, np.int64), np.full((m, width), np.inf))


def _columns(rows: list[Any]) -> Found:
    """Rows of (id, distance) as two arrays."""
    ids, distances = zip(*rows, strict=True) if rows else ((), ())
    return Found(np.array(ids, np.int64), np.array(distances, np.float64))
