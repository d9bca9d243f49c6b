"""The index of llm's embeddings, in a file of its own beside them: of embeddings.db, embeddings-ann.db.

llm's file is only read, and its index may be deleted at any time: the next search makes it anew. A row of llm's has the
key (collection, text), so that a table of keys gives each the number that an index wants. Before a search the index
takes in what llm has written: rows that are new or whose `updated`, in seconds, is not older than the newest that the
index knows, and those that are gone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import apsw

from ..connection import connect

SCHEMA = """
CREATE TABLE IF NOT EXISTS collection(id INTEGER PRIMARY KEY, name TEXT, model TEXT, dim INTEGER, updated INTEGER, seen TEXT);
CREATE TABLE IF NOT EXISTS entry(id INTEGER PRIMARY KEY, collection INTEGER, key TEXT, UNIQUE(collection, key));
"""
FRESH = """
CREATE TEMP TABLE fresh AS SELECT e.id AS key FROM llm.embeddings AS e
 WHERE e.collection_id = :id AND length(e.embedding) = 4 * :dim
   AND (e.updated >= :updated OR NOT EXISTS (SELECT 1 FROM entry WHERE collection = :id AND key = e.id));
INSERT OR IGNORE INTO entry(collection, key) SELECT :id, key FROM fresh;
INSERT OR REPLACE INTO {index}(rowid, embedding)
SELECT entry.id, e.embedding FROM fresh
  JOIN entry ON entry.collection = :id AND entry.key = fresh.key
  JOIN llm.embeddings AS e ON e.collection_id = :id AND e.id = fresh.key;
DROP TABLE fresh;
"""
GONE = """
CREATE TEMP TABLE gone AS SELECT id FROM entry WHERE collection = :id
   AND key NOT IN (SELECT id FROM llm.embeddings WHERE collection_id = :id AND length(embedding) = 4 * :dim);
DELETE FROM {index} WHERE rowid IN (SELECT id FROM gone);
DELETE FROM entry WHERE id IN (SELECT id FROM gone);
DROP TABLE gone;
"""
COUNTS = """
SELECT (SELECT count(*) FROM entry WHERE collection = :id),
       (SELECT count(*) FROM llm.embeddings WHERE collection_id = :id AND length(embedding) = 4 * :dim)
"""


@dataclass(frozen=True)
class Indexed:
    """A collection whose index is up to date; `db` has llm's file attached as `llm`."""

    db: apsw.Connection
    id: int
    model: str

    @property
    def index(self) -> str:
        return f"ann_{self.id}"


def opened(path: Path, name: str) -> Indexed:
    """The collection of that name in llm's file; KeyError if it has none, or nothing in it."""
    seen = stamp(path)
    db = connect(path.with_name(f"{path.stem}-ann.db").absolute().as_uri())
    try:
        db.execute("ATTACH ? AS llm", (f"{path.absolute().as_uri()}?mode=ro",))
        found = db.execute("SELECT id, model FROM llm.collections WHERE name = ?", (name,)).get
        if found is None:
            raise KeyError(f"{path} has no collection {name}")
        indexed = Indexed(db, *found)
        db.execute("BEGIN IMMEDIATE")
        refresh(indexed, path, name, seen)
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return indexed


def refresh(of: Indexed, path: Path, name: str, seen: str | None) -> None:
    db = of.db
    db.execute(SCHEMA)
    dim = db.execute("SELECT length(embedding) / 4 FROM llm.embeddings WHERE collection_id = ? LIMIT 1", (of.id,)).get
    if dim is None:
        raise KeyError(f"the collection {name} of {path} is empty")
    known = db.execute("SELECT name, model, dim, updated, seen FROM collection WHERE id = ?", (of.id,)).get
    if known is None or known[:3] != (name, of.model, dim):
        db.execute(f"DROP TABLE IF EXISTS {of.index}")
        db.execute(f"CREATE VIRTUAL TABLE {of.index} USING ann(embedding float32[{dim}])")
        db.execute("DELETE FROM entry WHERE collection = ?", (of.id,))
        known = (name, of.model, dim, 0, None)
    elif seen is not None and known[4] == seen:
        return
    values = {"id": of.id, "dim": dim, "updated": known[3]}
    db.execute(FRESH.format(index=of.index), values)
    there, wanted = db.execute(COUNTS, values).get
    if there != wanted:
        db.execute(GONE.format(index=of.index), values)
    newest = db.execute("SELECT max(updated) FROM llm.embeddings WHERE collection_id = ?", (of.id,)).get
    db.execute("REPLACE INTO collection VALUES (?, ?, ?, ?, ?, ?)", (of.id, *known[:3], newest, seen))


def stamp(path: Path) -> str | None:
    """What changes with llm's file; None where it was written just now, within what a clock tells apart."""
    files = [file.stat() for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]
    is_old = all(file.st_mtime < time.time() - 2 for file in files)
    return " ".join(f"{file.st_mtime_ns}/{file.st_size}" for file in files) if is_old else None
