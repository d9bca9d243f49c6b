"""What ann tables should hold: dictionaries, and transactions as copies of them. No line here knows of an index.

    model.begin()  commit()  rollback()  savepoint(n)  release(n)  rollback_to(n)
    model.tables[("main", "v")].rows[7] == (1, 2, 3)
    table.insert(rows, verb)  update(ids, vector)  move(ids, by, verb)  delete(ids)
    distances(metric, query, vectors), nearest(...)   in numpy

Vectors are small whole numbers, so that sums are exact and ties are real ties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FIRST_ID, LAST_ID = -(2**63), 2**63 - 1

Vector = tuple[int, ...]
Key = tuple[str, str]  # schema and name
Tables = dict[Key, "Table"]


class Conflict(Exception):
    """An id is taken: the statement is undone, or with `OR FAIL` stops where it is."""


@dataclass
class Table:
    """The rows of one ann table, and what it was made with."""

    dimensions: int
    metric: str
    rows: dict[int, Vector] = field(default_factory=dict)

    def copy(self) -> Table:
        return Table(self.dimensions, self.metric, dict(self.rows))

    def next_id(self) -> int | None:
        """The id that SQLite chooses for a row that comes without; None when that is a random one."""
        last = max(self.rows, default=0)
        return last + 1 if last < LAST_ID else None

    def insert(self, rows: Iterable[tuple[int, Vector]], verb: str = "ABORT") -> None:
        for row, vector in rows:
            if row in self.rows and verb == "IGNORE":
                continue
            if row in self.rows and verb != "REPLACE":
                raise Conflict(row)
            self.rows[row] = vector

    def update(self, ids: Iterable[int], vector: Vector) -> None:
        self.rows.update({row: vector for row in ids if row in self.rows})

    def move(self, ids: Iterable[int], by: int, verb: str = "ABORT") -> None:
        """UPDATE … SET rowid = rowid + by, which SQLite does row by row in order of id."""
        for row in sorted(ids):
            if row not in self.rows or by == 0:
                continue
            if row + by in self.rows and verb == "IGNORE":
                continue
            if row + by in self.rows and verb != "REPLACE":
                raise Conflict(row + by)
            self.rows[row + by] = self.rows.pop(row)

    def delete(self, ids: Iterable[int]) -> None:
        for row in ids:
            self.rows.pop(row, None)


def copied(tables: Tables) -> Tables:
    return {key: table.copy() for key, table in tables.items()}


class Model:
    """The tables as the writing connection sees them, as all others do, and the way back."""

    def __init__(self) -> None:
        self.tables: Tables = {}
        self.committed: Tables = {}
        self.explicit = False  # BEGIN was said
        self.savepoints: list[tuple[str, Tables]] = []

    @property
    def in_transaction(self) -> bool:
        return self.explicit or bool(self.savepoints)

    def _settle(self) -> None:
        """Without a transaction, every statement is one."""
        if not self.in_transaction:
            self.committed = copied(self.tables)

    def statement(self, change: Callable[[], object], verb: str = "ABORT") -> bool:
        """Do all of a change to self.tables, or what the verb of a conflict leaves of it. Did it succeed?"""
        before = copied(self.tables)
        try:
            change()
        except Conflict:
            if verb == "ROLLBACK":
                self.rollback()
            elif verb != "FAIL":
                self.tables = before
            self._settle()
            return False
        self._settle()
        return True

    def begin(self) -> None:
        self.explicit = True

    def commit(self) -> None:
        self.explicit = False
        self.savepoints = []
        self._settle()

    def rollback(self) -> None:
        self.explicit = False
        self.savepoints = []
        self.tables = copied(self.committed)

    def savepoint(self, name: str) -> None:
        self.savepoints.append((name, copied(self.tables)))

    def _latest(self, name: str) -> int:
        return max(i for i, (other, _) in enumerate(self.savepoints) if other == name)

    def release(self, name: str) -> None:
        del self.savepoints[self._latest(name) :]
        self._settle()

    def rollback_to(self, name: str) -> None:
        at = self._latest(name)
        del self.savepoints[at + 1 :]
        self.tables = copied(self.savepoints[at][1])


# --- the oracle of searches ----------------------------------------------------------------------


def distances(metric: str, query: Vector, vectors: NDArray[np.int64]) -> NDArray[np.float64]:
    """As users see them; exact for l2, l1 and dot, to the last digits for cosine."""
    q = np.asarray(query, np.int64)
    if metric == "l2":
        return np.sqrt(((vectors - q) ** 2).sum(axis=1).astype(np.float64))
    if metric == "l1":
        return np.abs(vectors - q).sum(axis=1).astype(np.float64)
    products = (vectors @ q).astype(np.float64)
    if metric == "dot":
        return 0.0 - products
    lengths = np.sqrt((vectors**2).sum(axis=1) * float(q @ q))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lengths == 0, 1.0, 1.0 - products / lengths)


def true_distances(table: Table, query: Vector) -> dict[int, float]:
    if not table.rows:
        return {}
    vectors = np.array(list(table.rows.values()), np.int64).reshape(-1, table.dimensions)
    return dict(zip(table.rows, distances(table.metric, query, vectors).tolist(), strict=True))
