"""An open vector table: what it is, its upkeep, and what it tells of itself.

    optimize  check  info  recall  explain  drop  len()

Nothing here reads or writes the table's rows: `Index`, which stands on this, does (sqlite_ann/index.py).
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import apsw

from . import elements
from . import vectors as arrays
from .answers import Recall, Step, Steps, table
from .connection import connect
from .errors import Error, known_as, translated
from .names import quoted, resolved
from .progress import Report, reporting

# Pages a slice of `optimize` may change, and half of the rows it places: other writers wait as long as that takes, a
# second or two.  A build writes a page again for every slice that changed it, which with 512 took half of its time.
OPTIMIZE_PAGES = 32768

SMALLEST_FOREST = 1000  # rows; fewer wait for ever (c_ext/index/build.h)

EXPLAIN = "SELECT step, count, bytes, microseconds FROM ann_explain(?, ?, ?, ?)"
RECALL = "SELECT k, sample, recall, low, high FROM ann_recall(?, ?, ?, ?, ?)"

SHOWN = ("rows", "dimensions", "type", "metric", "trees", "waiting")  # in a notebook; others are counted by reading all

Path = str | os.PathLike[str]


@known_as("Index")
class OpenTable:
    """One vector table of a database, by its name."""

    @translated()
    def __init__(self, db: apsw.Connection | Path, name: str) -> None:
        """Open a table that is there, in an open database or in the file of a path."""
        check_opened(db, name)
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

    @translated()
    def __len__(self) -> int:
        return int(self._value("rows"))

    def __repr__(self) -> str:
        return f"Index({self.name!r}, dim={self.dim}, metric={self.metric!r})"

    def _repr_html_(self) -> str:
        with suppress(Error), translated():
            return table(("index", *SHOWN), [[self.name, *(self._value(key) for key in SHOWN)]])
        return table(("index",), [[repr(self)]])  # closed, or dropped

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
        has_work = left[0] > 0 and (left[1] > 0 or left[0] >= SMALLEST_FOREST)
        shown = progress if has_work or callable(progress) else False  # no bar that never moves
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
    def follow(self, noted: int = 0) -> bool:
        """Of an index over an ordinary table: take what was written there into the forest, if it is more than so much.

        Cheaper than `optimize`, which repairs and measures too. The result: whether it was done.
        """
        if self._value("changes_waiting") <= noted:
            return False
        self._run(f"absorb={self._value('absorb')}")  # any command does; this one changes nothing else
        return True

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


def check_opened(db: object, name: object) -> None:
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
