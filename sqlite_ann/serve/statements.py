"""The SQL of each answer: values are bound when it is run; beside the answer it is shown with the values in it.

Where SQLite itself writes the values in, what is shown is what was run, and can be pasted into SQLite's shell.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import apsw

from ..names import quoted
from .asked import as_id
from .shown import Shown, named


@dataclass(frozen=True)
class Ran:
    rows: list[tuple[Any, ...]]
    sql: str
    ms: float


def run(db: apsw.Connection, sql: str, values: dict[str, Any]) -> Ran:
    """Run one statement to its end."""
    written: list[str] = []

    def trace(cursor: apsw.Cursor, statement: str, bindings: Any) -> bool:
        written.append(str(cursor.expanded_sql))
        return True

    cursor = db.cursor()
    cursor.exec_trace = trace
    began = time.perf_counter()
    rows = cursor.execute(sql, values).fetchall()
    return Ran(rows, written[0], round(1000 * (time.perf_counter() - began), 2))


class Statements:
    """Of one index and one table; every one gives the id and what is shown of a row first."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.table, self.key = named(shown.table), f"t.{named(shown.key)}"
        self.columns = ", ".join(f"t.{named(column)}" for column in shown.show)
        self.has_vector = ""
        if shown.vector:
            self.has_vector = f"t.{named(shown.vector)} NOT NULL"
        elif shown.table != shown.index:
            self.has_vector = f"EXISTS (SELECT 1 FROM {named(shown.index)} AS v WHERE v.rowid = {self.key})"

    def find(self, text: str, k: int) -> tuple[str, dict[str, Any]]:
        """Rows with a text in the first column: by words where there is a table of them, else anywhere in it."""
        tables, conditions, order = f"{self.table} AS t", [self.has_vector], self.key
        value: dict[str, Any] = {}
        if not text.strip():
            pass
        elif self.shown.words:
            tables = f"{named(self.shown.words)}(:words) AS w\n  JOIN {tables} ON {self.key} = w.rowid"
            order, value = "w.rank, w.rowid", {"words": phrase(text, self.shown.show[0])}
        elif self.shown.table == self.shown.index:
            conditions, value = ["t.rowid = :id"], {"id": as_id(text.strip())}
        else:
            conditions.insert(0, f"t.{named(self.shown.show[0])} LIKE :part ESCAPE '\\'")
            value = {"part": part(text)}
        where = " AND ".join(filter(None, conditions))
        where = f"\n WHERE {where}" if where else ""
        return f"SELECT {self.key}, {self.columns}\n  FROM {tables}{where}\n ORDER BY {order} LIMIT :k;", {
            **value,
            "k": k,
        }

    def near(self, id_: int, k: int) -> tuple[str, dict[str, Any]]:
        search = "ann_search_item(:index, :id, :k)"
        return self.searched(search), {"index": self.shown.index, "id": id_, "k": k}

    def recommend(self, items: str, k: int) -> tuple[str, dict[str, Any]]:
        """`items` is JSON, as `as_items` makes it: what is liked, less half of what is not."""
        search = "ann_search_items(:index, :items, :k)"
        return self.searched(search), {"index": self.shown.index, "items": items, "k": k}

    def searched(self, search: str) -> str:
        return f"""SELECT near.id, {self.columns}, near.distance
  FROM {search} AS near
  LEFT JOIN {self.table} AS t ON {self.key} = near.id
 WHERE near.exclude_self = 1
 ORDER BY near.rank;"""

    def row(self, columns: dict[str, int]) -> str:
        """One row by its id; of each of these columns at most so many characters, of blobs none."""
        parts = "".join(f", {brief(f't.{named(column)}', most)}" for column, most in columns.items())
        return f"SELECT {self.key}, {self.columns}{parts} FROM {self.table} AS t WHERE {self.key} = :id"

    def lacking(self) -> str:
        """The first of some ids, a JSON array, that the index does not have."""
        index = named(self.shown.index)
        return f"SELECT i.value FROM json_each(:ids) AS i WHERE NOT EXISTS (SELECT 1 FROM {index} AS v WHERE v.rowid = i.value) LIMIT 1"


def brief(column: str, most: int) -> str:
    return f"CASE typeof({column}) WHEN 'text' THEN substr({column}, 1, {most}) WHEN 'blob' THEN NULL ELSE {column} END"


def phrase(text: str, column: str) -> str:
    """Words for FTS5 in one column, each of which may go on.

    >>> print(phrase("irish wash", "title"))
    "title" : ("irish"* "wash"*)
    """
    words = " ".join('"' + word.replace('"', '""') + '"*' for word in text.split())
    return f"{quoted(column)} : ({words})"


def part(text: str) -> str:
    r"""A pattern of LIKE for a text anywhere.

    >>> print(part("100%"))
    %100\%%
    """
    return "%" + "".join("\\" + letter if letter in "\\%_" else letter for letter in text) + "%"
