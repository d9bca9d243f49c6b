"""What an assistant can ask of a database: its indexes, and what is near a text's row, a vector or a row.

The docstrings of the three tools are what the assistant reads.
"""

from __future__ import annotations

from typing import Any

import apsw

from ..catalog import indexes
from ..names import quoted, resolved
from ..vectors import as_count, as_vectors, float_buffer

TOLD = ("rows", "dimensions", "type", "metric", "content", "column")
NEEDED = ("dimensions", "content", "column")  # of a search: to count the rows would take longer than it


class Tools:
    """Over a connection that need not be able to write."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self._known: dict[str, tuple[int, dict[str, Any]]] = {}  # of an index, and of which schema

    def tables(self) -> list[dict[str, Any]]:
        """List the indexes: how many rows, which metric, over which table ("content"), and that table's columns."""
        found = []
        for name in indexes(self.db):
            about = self._told(name, TOLD)
            found.append({"index": name, **about, "columns": self._columns(name, about)})
        return found

    def search(
        self, index: str, text: str | None = None, vector: list[float] | None = None, k: int = 10
    ) -> dict[str, Any]:
        """Find the k rows that are nearest to a row that has a text (a title, a name, a key), or to a vector.

        Give one of text and vector. A text is looked for in the columns of the indexed table: first as a whole, then as
        a part. "of" is the row that was found by it, which is not among "near".
        """
        if (not text) == (not vector):
            raise ValueError("search: expected one of text and vector")
        about = self._about(index)
        if text:
            return self._like(index, about, self._row_with(index, about, text), k)
        query = float_buffer(as_vectors(vector, about["dimensions"], "vector")[0]).tobytes()
        return {
            "of": None,
            "near": self._rows(index, about, "ann_search(?, ?, ?) AS near", (query, as_count("k", k))),
        }

    def like(self, index: str, id: int, k: int = 10) -> dict[str, Any]:
        """Find the k rows that are nearest to the row with this id. "of" is that row."""
        return self._like(index, self._about(index), id, k)

    def _like(self, index: str, about: dict[str, Any], id: int, k: int) -> dict[str, Any]:
        of = self._rows(index, about, "(SELECT * FROM ann_search_item(?, ?, 1)) AS near", (as_count("id", id),))
        if not of or of[0]["id"] != id:
            raise ValueError(f"{index} has no row {id}")
        del of[0]["distance"]
        search = "(SELECT * FROM ann_search_item(?, ?, ?) WHERE exclude_self = 1) AS near"
        return {"of": of[0], "near": self._rows(index, about, search, (id, as_count("k", k)))}

    def _about(self, index: str) -> dict[str, Any]:
        """What a search has to know, which is asked for once, until the schema changes."""
        version = self.db.execute("PRAGMA schema_version").get
        known = self._known.get(index)
        if known is None or known[0] != version:
            about = self._told(index, NEEDED)
            known = version, {**about, "columns": self._columns(index, about)}
            self._known[index] = known
        return known[1]

    def _told(self, index: str, keys: tuple[str, ...]) -> dict[str, Any]:
        """What an index says of itself, by these keys; to ask for every key would read the whole table for its size."""
        marks = ", ".join("?" * len(keys))
        told = dict(self.db.execute(f"SELECT key, value FROM ann_info(?) WHERE key IN ({marks})", (index, *keys)))
        return {key: told.get(key) for key in keys}

    def _columns(self, index: str, about: dict[str, Any]) -> list[str]:
        """The columns of the indexed table that an assistant can read: all but those of blobs."""
        if about["content"] is None:
            return []
        schema = resolved(self.db, index)[0] or "main"
        column = str(about["column"]).lower()
        rows = self.db.execute("SELECT name, type FROM pragma_table_xinfo(?, ?)", (about["content"], schema))
        return [name for name, type_ in rows if name.lower() != column and type_.upper() != "BLOB"]

    def _table(self, index: str, content: str) -> str:
        return quoted(content, resolved(self.db, index)[0] or "main")

    def _row_with(self, index: str, about: dict[str, Any], text: str) -> int:
        content = about["content"]
        if content is None:
            raise ValueError(
                f"{index} is over no table, in which a text could be: expected a vector, or like with an id"
            )
        columns = [f"t.{quoted(name)}" for name in about["columns"]]
        whole = " OR ".join(f"{column} = :text COLLATE NOCASE" for column in columns)
        part = " OR ".join(f"instr(lower({column}), lower(:text))" for column in columns)
        table, vector = self._table(index, content), quoted(about["column"])
        for condition in (whole, part):
            sql = f"SELECT rowid FROM {table} AS t WHERE ({condition or 0}) AND t.{vector} NOT NULL ORDER BY rowid LIMIT 1"
            found = self.db.execute(sql, {"text": text}).get
            if found is not None:
                return int(found)
        raise ValueError(f"no row of {content} has the text {text!r}; looked in {', '.join(columns) or 'no column'}")

    def _rows(self, index: str, about: dict[str, Any], search: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        content = about["content"]
        names = [name for name in about["columns"] if name.lower() not in ("id", "distance")]
        shown = "".join(f", t.{quoted(name)}" for name in names)
        join = f"LEFT JOIN {self._table(index, content)} AS t ON t.rowid = near.id" if content else ""
        sql = f"SELECT near.id, near.distance{shown} FROM {search} {join} ORDER BY near.rank"
        rows = self.db.execute(sql, (index, *values))
        return [
            {n: v for n, v in zip(("id", "distance", *names), row, strict=True) if type(v) is not bytes} for row in rows
        ]
