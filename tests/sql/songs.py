"""An ordinary table `song`, an index `song_ann` over it, and what numpy finds in the table.

Components are whole numbers: distances equal numpy's to the last bit.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import apsw
import numpy as np

import sqlite_ann

DIM = 8
SONG = "CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT UNIQUE, embedding BLOB)"
INDEX = f"CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[{DIM}], metric=l2, leaf_capacity=32, content='song', content_rowid='id')"
TRIGGERS = ["song_ann_delete", "song_ann_insert", "song_ann_update"]


def vectors(rng: np.random.Generator, n: int) -> np.ndarray:
    centres = np.random.default_rng(1).integers(-30, 31, (20, DIM))
    return (centres[rng.integers(0, 20, n)] + rng.integers(-9, 10, (n, DIM))).astype("<f4")


def blob(vector: np.ndarray) -> bytes:
    return np.asarray(vector, "<f4").tobytes()


def insert(db: Any, ids: Any, x: np.ndarray, verb: str = "INSERT") -> None:
    """By whatever driver."""
    rows = [(int(i), f"song {i}", blob(v)) for i, v in zip(ids, x, strict=True)]
    db.cursor().executemany(f"{verb} INTO song VALUES (?, ?, ?)", rows)


def stored(db: Any, table: str = "song", column: str = "embedding", key: str = "id") -> dict[int, np.ndarray]:
    rows = db.cursor().execute(f'SELECT "{key}", "{column}" FROM "{table}" WHERE typeof("{column}") = ? ', ("blob",))
    return {i: np.frombuffer(v, "<f4") for i, v in rows.fetchall() if len(v) == 4 * DIM}


def exact(db: Any, query: np.ndarray, k: int, **where: str) -> list[tuple[int, float]]:
    rows = stored(db, **where)
    far = sorted((float(np.sqrt(((v.astype(float) - query) ** 2).sum())), i) for i, v in rows.items())
    return [(i, d) for d, i in far[:k]]


def search(db: Any, query: np.ndarray, k: int = 10, name: str = "song_ann") -> list[Any]:
    """By the forest, if there is one, and all of it: what it lacks is not found.  Of the estimates many are ranked."""
    sql = "SELECT id, distance FROM ann_search(?, ?, ?) WHERE search_k = 1000000"
    return list(db.cursor().execute(sql, (name, blob(query), k + 150)).fetchall())[:k]


def usual(db: Any, query: np.ndarray, k: int = 10, recall: float | None = None) -> list[Any]:
    """As everybody searches."""
    sql = "SELECT id, distance FROM ann_search('song_ann', ?, ?, ?)"
    return list(db.cursor().execute(sql, (blob(query), k, recall)).fetchall())


def info(db: Any, key: str, name: str = "song_ann") -> Any:
    return db.cursor().execute("SELECT value FROM ann_info(?) WHERE key = ?", (name, key)).fetchone()[0]


def run(db: Any, command: str, k: int | None = None) -> None:
    db.cursor().execute("INSERT INTO song_ann(song_ann, k) VALUES (?, ?)", (command, k))


def faults(db: Any, name: str = "song_ann") -> list[Any]:
    return list(db.cursor().execute("SELECT * FROM ann_check(?)", (name,)).fetchall())


def agrees(db: Any, queries: np.ndarray, k: int = 10, **where: str) -> None:
    """Searches find what is in the table, and nothing else; and the index is sound."""
    assert faults(db) == []
    for query in queries:
        assert search(db, query, k) == usual(db, query, k, 1.0) == exact(db, query, k, **where)


def made(db: apsw.Connection, rows: int = 1500, seed: int = 3) -> apsw.Connection:
    """A table of so many songs, ids 1, 4, 7, …, and the index over it."""
    rng = np.random.default_rng(seed)
    db.execute(SONG)
    with db:
        insert(db, range(1, 3 * rows, 3), vectors(rng, rows))
    db.execute(INDEX)
    return db


def as_file(path: Any, rows: int = 1500) -> str:
    made(sqlite_ann.connect(str(path)), rows).close()
    return str(path)


def plain(path: str) -> sqlite3.Connection:
    """A program without the extension."""
    return sqlite3.connect(path, isolation_level=None)


def names(db: Any) -> list[str]:
    return [name for (name,) in db.cursor().execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()]
