"""A vector table from Python: each method shows the SQL it runs.

    Index.create(db, "song_ann", dim=64)   Index(db, "song_ann")
    add  upsert  update  remove  get  index[id]  del index[id]  len()  in  for id in index
    search  search_item  recommend  join  graph  optimize  learn  check  info  recall  explain  drop

Index.create(db, "song_ann", dim=64, key="uuid") has keys that are text in the place of ids (sqlite_ann/keys.py).

A name may carry its schema, as in "aux.songs". Everything is inside SQLite's transactions: what a method
writes is undone by a rollback around it, and a method that fails leaves nothing behind.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import chain
from pickle import PicklingError
from typing import Any, Literal, overload

import apsw
import numpy as np

from . import elements
from . import rows as rows_given
from . import vectors as arrays
from .catalog import key_column, refuse_other
from .connection import connect
from .errors import Duplicate, translated, translation
from .names import as_text, place, quoted, resolved
from .opened import Path, check_opened
from .progress import Report, reporting
from .searches import SearchedTable
from .transaction import savepoint

BULK_ROWS = 1000  # more at once, and the forest takes them in when all are there, not after each of several statements

IN_STATEMENT = re.compile(r"ann_rows, n = (?P<n>\d+) of \d+, id -?\d+: (?P<reason>.*)", re.DOTALL)

INSERT = {"refuse": "INSERT", "replace": "INSERT OR REPLACE", "skip": "INSERT OR IGNORE"}


class Index(SearchedTable):
    """One vector table of a database.

    >>> import sqlite_ann
    >>> db = sqlite_ann.connect(":memory:")
    >>> sqlite_ann.Index.create(db, "song_ann", dim=64)
    Index('song_ann', dim=64, metric='cosine')
    >>> sqlite_ann.Index(db, "song_ann").dim
    64
    """

    @translated()
    def __init__(self, db: apsw.Connection | Path, name: str, key: str | None = None) -> None:
        """Open a table that is there, in an open database or in the file of a path.

        `key`: ids are text, in a table beside it; such a table is found where it is not said: sqlite_ann/keys.py.
        """
        super().__init__(db, name)
        column = key_column(self.db, name) if key is None else key
        if column is not None and type(self) is Index:
            from .keys import with_keys  # which stands on this file

            with_keys(self, column)

    def _make_keys(self) -> None:
        """The table of keys, where the index has them."""

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
        check_opened(db, name)
        content, rowid = (_option_of(options, key_) for key_ in ("content", "content_rowid"))
        if key is not None and content is not None:
            from .keys import OVER_A_TABLE

            raise ValueError(OVER_A_TABLE.format(name, content))
        if metric is not None:
            options = {"metric": metric, **options}
        arguments = {key: f", {_option(key, value)}" for key, value in options.items()}
        definition = f"embedding {_type(type)}[{_dim(dim)}]"
        db = db if isinstance(db, apsw.Connection) else connect(db)
        schema, table = resolved(db, name)
        there = "IF NOT EXISTS " if exists_ok else ""
        made = f"ann({definition}{''.join(arguments.values())})"
        with savepoint(db):
            db.execute(f"CREATE VIRTUAL TABLE {there}{quoted(table, schema)} USING {made}")
            index = cls(db, name, key)
            index._make_keys()
        if exists_ok:
            own = "".join(text for key, text in arguments.items() if not key.lower().startswith("content"))
            refuse_other(db, name, f"ann({definition}{own})", ["dimensions", "type", *options], content, rowid)
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
                if len(blob) != vectors[i].nbytes and self._is_another():
                    return self.get(given)  # ids may be an iterator that was read
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
    def __contains__(self, id_: object) -> bool:
        try:
            key = operator.index(id_)  # type: ignore[arg-type]
        except TypeError:
            return False
        if not -(2**63) <= key < 2**63:
            return False
        return self.db.execute(f"SELECT 1 FROM {self.table} WHERE rowid = ?", (key,)).get is not None

    @translated()
    def __reduce__(self) -> tuple[Any, ...]:
        """An index of a file goes to another process by the file's path and its own name, and is opened there."""
        schema, name = place(self.db, self.name)
        path = self.db.db_filename(schema)
        if not path:
            raise PicklingError(f"{self!r} is in memory: only an index of a file can be opened by another process")
        if self.db.in_transaction:
            raise PicklingError(f"a transaction is open: another process would not see what it has done to {self!r}")
        is_read_only = self.db.readonly(schema)
        return _opened, (path, name, apsw.SQLITE_OPEN_READONLY if is_read_only else apsw.SQLITE_OPEN_READWRITE)

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
        before = done
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
        except apsw.SQLError as error:  # told by its place in the statement
            refusal, place = translation(error), IN_STATEMENT.match(str(translation(error)))
            if place is None:
                raise refusal from error
            row = arrays.row_name("vectors", done - before + int(place["n"]), ids)
            raise type(refusal)(f"{row}: {place['reason']}", refusal.code) from error
        return done

    @contextmanager
    def _absorbing_later(self, before: int) -> Iterator[None]:
        """Inside, statements of many rows leave them waiting; the setting is the connection's."""
        self._run("absorb=0")
        try:
            yield
        finally:
            self._run(f"absorb={before}")


def _opened(path: str, name: str, flags: int, key: str | None = None) -> Index:
    """What a pickled index becomes, in the process that it comes to."""
    return Index(connect(path, flags=flags), name, key)


def _one_of(name: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {given!r}")


def _dim(given: object) -> int:
    dim = arrays.as_count("dim", given)
    if dim is None:
        raise TypeError("dim: expected a whole number, got None")
    return dim


def _type(given: object) -> str:
    """A type as it is written in CREATE VIRTUAL TABLE, which says which there are."""
    if not isinstance(given, str) or not given.isalnum():
        raise ValueError(f"type: expected the name of a type, got {given!r}")
    return given


def _option_of(options: dict[str, Any], name: str) -> str | None:
    """One that is given, however its name is written."""
    return next((str(value) for option, value in options.items() if option.lower() == name), None)


def _option(key: str, value: object) -> str:
    """One argument of CREATE VIRTUAL TABLE: numbers and plain words bare, all else quoted."""
    if not key.isidentifier():
        raise ValueError(f"{key!r} is not the name of an option")
    value = arrays.plain(value)
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not (text.isalnum() and text.isascii()):
        text = as_text(text)
    return f"{key} = {text}"
