"""Keys that are text in the place of ids: a UUID, a URL, a file's name.

    Index.create(db, "song_ann", dim=64, key="uuid")    Index(db, "song_ann")

Beside the vector table stands an ordinary one, which everybody can read and join:

    CREATE TABLE song_ann_key(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE)

Where such a table is, the index has keys, whether they are asked for or not; other columns may follow these two. `add` gives every new key a number and `remove` takes it away, in one transaction with the vectors. Keys that are
not there are passed over, but by `get`. An index over an ordinary table (`content`) has none: that table's other
columns are what its rows are called by.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import wraps
from typing import Any, TypeVar, cast

import apsw
import numpy as np
from numpy.typing import NDArray

from . import elements
from . import rows as rows_given
from . import vectors as arrays
from .answers import Found
from .errors import Duplicate, known_as, translated
from .index import Index
from .names import check_unicode, place, quoted
from .opened import OpenTable
from .progress import Report
from .recommendation import as_per
from .searches import After, Per
from .transaction import savepoint

KeysLike = str | Iterable[str] | Iterable[tuple[Any, ...]]  # the last: rows of SQL with one column

Method = TypeVar("Method", bound=Callable[..., Any])

OVER_A_TABLE = "key: expected an index with vectors of its own, got {} over {}: join that by id for its other columns"


def as_keys(keys: Any, name: str = "keys") -> list[str]:
    """One key, or several in any iterable, as a list; rows of one column, as a query in SQL gives them, are keys as well.

    >>> as_keys("a"), as_keys(["b", "c"]), as_keys([("d",), ("e",)])
    (['a'], ['b', 'c'], ['d', 'e'])
    """
    if not isinstance(keys, Iterable):
        raise TypeError(f"{name}: expected text, or several of it, got {arrays.kind_of(keys)}")
    rows = [keys] if isinstance(keys, str) else keys
    given = [row[0] if isinstance(row, tuple) and len(row) == 1 else row for row in rows]
    for key in given:
        if not isinstance(key, str) or "\0" in key:
            raise TypeError(f"{name}: expected text without zero characters, got {key!r}")
        check_unicode(name, key)
    return [str(key) for key in given]


def by_keys(method: Method) -> Method:
    """For methods of an index with keys: what `ids` and `ids_of` are to others, `keys` and `keys_of` are to these."""
    called = translated()(method)

    @wraps(method)
    def refusing_ids(index: KeyedIndex, *arguments: Any, **named: Any) -> Any:
        for given, meant in (("ids", "keys"), ("ids_of", "keys_of")):
            if given in named:
                raise TypeError(
                    f"{method.__name__}: expected {meant}=, since the index has keys ({index.key_name}), got {given}="
                )
        return called(index, *arguments, **named)

    return cast(Method, refusing_ids)


@known_as("Index")
class KeyedIndex(Index):
    """An Index whose ids are text; `Index(..., key=...)` makes it.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> index = sqlite_ann.Index.create(db, "song_ann", dim=2, metric="l2", key="uuid")
    >>> index.add(["a", "b", "c"], [[0, 0], [3, 4], [6, 8]])
    >>> keys, distances = index.search([3, 3], k=2)
    >>> keys.tolist(), distances.tolist()[0]
    (['b', 'a'], 1.0)
    >>> index.remove("b"), "b" in index, len(index)
    (1, False, 2)
    """

    key_name: str  # the column of the keys, which `key` has as SQL takes it
    key: str
    keys: str  # their table, as SQL takes it
    _place: tuple[str, str]

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, key={self.key_name!r})"

    def _make_keys(self) -> None:
        columns = f"id INTEGER PRIMARY KEY, {self.key} TEXT NOT NULL UNIQUE"
        self.db.execute(f"CREATE TABLE IF NOT EXISTS {self.keys}({columns})")

    @by_keys
    def add(  # type: ignore[override]
        self,
        keys: KeysLike | Iterable[Any],
        vectors: arrays.VectorsLike | None = None,
        *,
        existing: str = "refuse",
        on_bad: str = "refuse",
        progress: bool | Report = False,
    ) -> dict[str, str] | None:
        """As `Index.add`: of what `on_bad` leaves out, it gives the keys with the reasons."""
        given = None if vectors is None else as_keys(keys)
        with savepoint(self.db):
            self._make_keys()
            rows: tuple[Any, ...]
            if given is None:
                pairs = rows_given.parts(keys, kinds=(str,))
                rows = (((self._numbered(as_keys(some), existing), part) for some, part in pairs),)
            else:
                rows = self._numbered(given, existing), vectors
            left_out = super().add(*rows, existing=existing, on_bad=on_bad, progress=progress)  # type: ignore[call-overload]
            return None if left_out is None else self._without(left_out)

    def _numbered(self, keys: list[str], existing: str) -> list[int]:
        """The id of each key; those that are new get one."""
        if existing == "refuse":
            self._refuse(keys)
        sql = f"INSERT OR IGNORE INTO {self.keys}({self.key}) SELECT value FROM json_each(?)"
        self.db.execute(sql, (json.dumps(keys),))
        return self._numbers(keys)

    def _without(self, left_out: dict[int, str]) -> dict[str, str]:
        """What was left out, by its keys, of which those go that have no vector."""
        ids = np.array(list(left_out), arrays.ID)
        reasons = dict(zip(self._named(ids).tolist(), left_out.values(), strict=True))
        self.db.execute(
            f"DELETE FROM {self.keys} WHERE id IN (SELECT id FROM ann_ids(?))"
            f" AND NOT EXISTS (SELECT 1 FROM {self.table} AS v WHERE v.rowid = {self.keys}.id)",
            (ids,),
        )
        return reasons

    @by_keys
    def search(  # type: ignore[override]
        self,
        query: arrays.VectorsLike,
        k: int | None = 10,
        recall: float | None = None,
        *,
        keys: KeysLike | None = None,
        exclude: KeysLike | None = None,
        search_k: int | None = None,
        max_distance: float | None = None,
        after: After | None = None,
        per: Per | None = None,
        diversity: float | None = None,
        threads: int | None = None,
    ) -> Found:
        """As `Index.search`; many queries give None where there is no key more."""
        found, distances = super().search(
            query,
            k,
            recall,
            ids=self._optional(keys),
            exclude=self._optional(exclude, "exclude"),
            search_k=search_k,
            max_distance=max_distance,
            after=self._after(after),
            per=self._per(per),
            diversity=diversity,
            threads=threads,
        )
        return Found(self._named(found), distances)

    @translated()
    def recommend(  # type: ignore[override]
        self,
        like: KeysLike | Mapping[str, float],
        k: int = 10,
        *,
        dislike: KeysLike | Mapping[str, float] | None = None,
        heard: KeysLike | None = None,
        per: Per | None = None,
        diversity: float | None = None,
        recall: float | None = None,
    ) -> Found:
        """As `Index.recommend`."""
        found, distances = super().recommend(
            self._known_of("like", like),
            k,
            dislike=None if dislike is None else self._known_of("dislike", dislike),
            heard=self._optional(heard, "heard"),
            per=self._per(per),
            diversity=diversity,
            recall=recall,
        )
        return Found(self._named(found), distances)

    @by_keys
    def search_item(  # type: ignore[override]
        self,
        keys_of: KeysLike,
        k: int | None = 10,
        recall: float | None = None,
        *,
        exclude_self: bool = True,
        keys: KeysLike | None = None,
        exclude: KeysLike | None = None,
        search_k: int | None = None,
        max_distance: float | None = None,
        after: After | None = None,
        per: Per | None = None,
        diversity: float | None = None,
    ) -> Found:
        """As `Index.search_item`."""
        ids = self._there(as_keys(keys_of, "keys_of"))
        found, distances = super().search_item(
            ids[0] if isinstance(keys_of, str) else ids,
            k,
            recall,
            exclude_self=exclude_self,
            ids=self._optional(keys),
            exclude=self._optional(exclude, "exclude"),
            search_k=search_k,
            max_distance=max_distance,
            after=self._after(after),
            per=self._per(per),
            diversity=diversity,
        )
        return Found(self._named(found), distances)

    @by_keys
    def upsert(self, keys: KeysLike | Iterable[Any], vectors: arrays.VectorsLike | None = None) -> None:  # type: ignore[override]
        """As `Index.upsert`."""
        self.add(keys, vectors, existing="replace")

    @by_keys
    def update(self, keys: KeysLike, vectors: arrays.VectorsLike) -> None:  # type: ignore[override]
        """As `Index.update`."""
        given = as_keys(keys)
        with savepoint(self.db):
            self._there(given)
            self.add(given, vectors, existing="replace")

    @translated()
    def join(self, other: OpenTable, k: int = 10, recall: float | None = None) -> Any:
        """As `Index.join`: keys on the sides that have them."""
        left, right, distances = super().join(other, k, recall)
        return self._named(left), other._named(right) if isinstance(other, KeyedIndex) else right, distances

    @translated()
    def graph(self, k: int = 10, recall: float | None = None) -> Any:
        """As `Index.graph`."""
        left, right, distances = super().graph(k, recall)
        return self._named(left), self._named(right), distances

    @by_keys
    def remove(self, keys: KeysLike) -> int:  # type: ignore[override]
        """As `Index.remove`."""
        ids = self._known(keys)
        if not len(ids):
            return 0
        with savepoint(self.db):
            n_removed = super().remove(ids)
            self.db.execute(f"DELETE FROM {self.keys} WHERE id IN (SELECT id FROM ann_ids(?))", (ids,))
        return n_removed

    @by_keys
    def get(self, keys: KeysLike) -> elements.Rows:  # type: ignore[override]
        """As `Index.get`."""
        ids = self._there(as_keys(keys))
        return super().get(ids[0] if isinstance(keys, str) else ids)

    @translated()
    def __delitem__(self, keys: KeysLike) -> None:  # type: ignore[override]
        given = as_keys(keys)
        with savepoint(self.db):
            self._there(given)
            self.remove(given)

    @translated()
    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        """The keys, in order of the numbers that they were given."""
        return iter(self._named(np.fromiter(super().__iter__(), np.int64)).tolist())

    def __reduce__(self) -> tuple[Any, ...]:
        make, arguments = super().__reduce__()
        return make, (*arguments, self.key_name)

    @translated()
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and any(super(KeyedIndex, self).__contains__(id_) for id_ in self._known(key))

    @translated()
    def drop(self) -> None:
        """Remove the table, all it kept, and the table of its keys."""
        with savepoint(self.db):
            super().drop()
            self.db.execute(f"DROP TABLE IF EXISTS {self.keys}")

    def _numbers(self, keys: list[str]) -> list[Any]:
        """The id of each key, None where it has none."""
        if not keys or not self._has_keys():
            return [None] * len(keys)
        sql = (
            f"SELECT k.id FROM json_each(?) AS given LEFT JOIN {self.keys} AS k ON k.{self.key} = given.value"
            " ORDER BY given.id"
        )
        return [id_ for (id_,) in self.db.execute(sql, (json.dumps(keys),))]

    def _there(self, keys: list[str]) -> list[int]:
        """The id of each key; one that is not there is a KeyError."""
        ids = self._numbers(keys)
        for key, id_ in zip(keys, ids, strict=True):
            if id_ is None:
                raise KeyError(key)
        return ids

    def _optional(self, keys: KeysLike | None, name: str = "keys") -> arrays.Ids | None:
        """An argument that need not be given."""
        return None if keys is None else self._known(keys, name)

    def _known(self, keys: KeysLike, name: str = "keys") -> arrays.Ids:
        return arrays.as_ids([id_ for id_ in self._numbers(as_keys(keys, name)) if id_ is not None])

    def _known_of(self, name: str, given: Any) -> Any:
        """Ids in the place of keys, in a mapping as in a list."""
        if not isinstance(given, Mapping):
            return self._known(given, name)
        ids = self._numbers(as_keys(given, name))
        return {id_: value for id_, value in zip(ids, given.values(), strict=True) if id_ is not None}

    def _per(self, per: Per | None) -> Per | None:
        """Groups of ids in the place of groups of keys."""
        if per is None or not isinstance(as_per(per)[0], Mapping):
            return per
        return self._known_of("per", per[0]), per[1]

    def _after(self, after: After | None) -> After | None:
        """(distance, id) in the place of (distance, key); where an answer to many queries is filled up, no more comes."""
        if not isinstance(after, tuple | list) or len(after) != 2:
            return after  # which is refused by name
        distance, key = after
        if isinstance(key, str):
            return distance, self._there(as_keys(key, "after"))[0]
        keys = list(key)
        ids = iter(self._there(as_keys([one for one in keys if one is not None], "after")))
        return distance, [-1 if one is None else next(ids) for one in keys]

    def _named(self, ids: arrays.Ids) -> NDArray[np.object_]:
        """Keys in the place of ids; None for -1, and for a row that somebody wrote without a key."""
        names: dict[int, str] = {}
        if ids.size and self._has_keys():
            sql = f"SELECT k.id, k.{self.key} FROM {self.keys} AS k WHERE k.id IN (SELECT id FROM ann_ids(?))"
            with closing(self.db.execute(sql, (np.ascontiguousarray(ids.ravel(), arrays.ID),))) as rows:
                names = dict(rows)
        return np.array([names.get(id_) for id_ in ids.ravel().tolist()], object).reshape(ids.shape)

    def _refuse(self, keys: list[str]) -> None:
        """Before anything is written: the same key twice, or one that is there already."""
        if len(set(keys)) < len(keys):
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise Duplicate(f"keys: expected each once, got {twice!r} twice", apsw.SQLITE_CONSTRAINT_UNIQUE)
        known = {id_: key for key, id_ in zip(keys, self._numbers(keys), strict=True) if id_ is not None}
        # A key may have been written, with what else is told of it, before its vector.
        sql = f"SELECT i.id FROM ann_ids(?) AS i WHERE EXISTS (SELECT 1 FROM {self.table} WHERE rowid = i.id) LIMIT 1"
        there = self.db.execute(sql, (arrays.as_ids(list(known)),)).get
        if there is not None:
            raise Duplicate(
                f"{self.name}: expected new keys, got {known[there]!r}, which is there", apsw.SQLITE_CONSTRAINT_UNIQUE
            )

    def _check_column(self) -> None:
        """Refuse a name that the table of keys does not have; SQLite would take it for text where it is quoted."""
        schema, table = self._place
        columns = [name for (name,) in self.db.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))]
        if columns and self.key_name.lower() not in map(str.lower, columns):
            raise ValueError(f"key: {table} has no column {self.key_name}; it has {', '.join(columns)}")
        # A renaming of the index leaves its keys where they are: without this, none would be found.
        if not columns and len(self):
            raise ValueError(
                f"key: expected the keys of {self.name} in the table {table}, which is not there; "
                "where the index was renamed, rename that table, too"
            )

    def _has_keys(self) -> bool:
        """The table of keys is made by `create`, or else by the first `add`."""
        return self.db.table_exists(*self._place)


def with_keys(index: Index, key: str) -> None:
    """Make an index that was just opened one with keys."""
    if not isinstance(key, str) or not key:
        raise TypeError(f"key: expected the name of a column, got {key!r}")
    content = index._value("content")
    if content is not None:
        raise ValueError(OVER_A_TABLE.format(index.name, content))
    index.__class__ = KeyedIndex
    assert isinstance(index, KeyedIndex)
    schema, table = place(index.db, index.name)
    index.key_name, index.key = key, quoted(key)
    index._place = schema, f"{table}_key"
    index.keys = quoted(f"{table}_key", schema)
    index._check_column()
