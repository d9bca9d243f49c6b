"""The tables of a collection `docs`, which any program can read and write:

    docs        an ordinary table: key, text, metadata as JSON, vector
    docs_ann    the index over its vectors, `content='docs'`
    docs_fts    the words of its texts, by FTS5, where SQLite has that; three triggers keep it

sql/collection.sql shows them with comments.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import apsw

from ..names import quoted, resolved

COLUMNS = ["id", "key", "text", "meta", "embedding"]

TABLE = """CREATE TABLE {table}(
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  text TEXT,
  meta TEXT NOT NULL DEFAULT '{{}}' CHECK (json_type(meta) = 'object'),
  embedding BLOB
)"""

# The words have a copy of the texts: a row that REPLACE removes fires no trigger, and an FTS5 table that reads our texts
# has to be told the old one, or it is damaged. A copy is deleted by its number, and what is left behind finds no document.
WORDS = """CREATE VIRTUAL TABLE {words} USING fts5(text);
CREATE TRIGGER {inserted} AFTER INSERT ON {name} BEGIN
  DELETE FROM {bare_words} WHERE rowid = new.id;
  INSERT INTO {bare_words}(rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER {deleted} AFTER DELETE ON {name} BEGIN
  DELETE FROM {bare_words} WHERE rowid = old.id;
END;
CREATE TRIGGER {updated} AFTER UPDATE OF id, text ON {name} BEGIN
  DELETE FROM {bare_words} WHERE rowid IN (old.id, new.id);
  INSERT INTO {bare_words}(rowid, text) VALUES (new.id, new.text);
END"""


class Tables:
    """The names of one collection's tables, as SQL takes them."""

    def __init__(self, db: apsw.Connection, name: str) -> None:
        schema, bare = resolved(db, name)
        self.schema = schema or "main"
        self.bare = bare
        self.table = quoted(bare, self.schema)
        self.words = quoted(f"{bare}_fts", self.schema)
        self.hidden_words = quoted(f"{bare}_fts")  # FTS5's own column, by which it is asked
        self.index_name = f"{bare}_ann" if schema is None else f"{schema}.{bare}_ann"
        self._how_made = (
            f"SELECT sql FROM {quoted(self.schema)}.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE"
        )

    def are_there(self, db: apsw.Connection) -> bool:
        """Is the table there, with the columns that it needs?"""
        there = [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?, ?)", (self.bare, self.schema))]
        if there and (lacking := [name for name in COLUMNS if name not in there]):
            raise ValueError(
                f"{self.bare}: expected a table with the columns {', '.join(COLUMNS)}; it has no {', '.join(lacking)}"
            )
        return bool(there)

    def make(self, db: apsw.Connection) -> None:
        """The table, and the words where SQLite has FTS5."""
        db.execute(TABLE.format(table=self.table))
        with suppress(apsw.SQLError):
            db.execute("SAVEPOINT words")
            try:
                db.execute(self._words())
            except apsw.SQLError:
                db.execute("ROLLBACK TO words")
                raise
            finally:
                db.execute("RELEASE words")

    def index_by(self, db: apsw.Connection, name: str, value: str) -> None:
        """An index of SQLite's on an expression: docs_by_NAME, or with a number where that one is on another.

        To SQLite, docs_by_year and docs_by_Year are one name, to JSON year and Year are two.
        """
        sql = f"SELECT sql FROM {quoted(self.schema)}.sqlite_schema WHERE name = ? COLLATE NOCASE"
        on = f" ON {quoted(self.bare)}({value})"
        for n in count(1):
            index = f"{self.bare}_by_{name}" if n == 1 else f"{self.bare}_by_{name}_{n}"
            there = db.execute(sql, (index,)).fetchall()
            if not there:
                db.execute(f"CREATE INDEX {quoted(index, self.schema)}{on}")
                return
            if str(there[0][0]).endswith(on):
                return

    def made_index(self, db: apsw.Connection) -> str | None:
        """By which statement the index was made; None where there is none."""
        return self._made(db, f"{self.bare}_ann")

    def have_words(self, db: apsw.Connection) -> bool:
        return self._made(db, f"{self.bare}_fts") is not None

    def _made(self, db: apsw.Connection, name: str) -> str | None:
        """By a statement: `table_exists` would not see what another connection has made."""
        made: str | None = apsw.Cursor(db).execute(self._how_made, (name,)).get
        return made

    def _words(self) -> str:
        triggers = {
            event: quoted(f"{self.bare}_fts_{event}", self.schema) for event in ("inserted", "deleted", "updated")
        }
        return WORDS.format(
            words=self.words,
            bare_words=self.hidden_words,
            name=quoted(self.bare),
            **triggers,
        )
