"""What can be done to a table, so that each can be made to fail half-way.

    make(path)          1,600 rows, of which 400 wait; the same bytes every time
    opened(path)        a connection to it, warm
    WRITES, READS       name -> what to do with a connection; a write is one statement or one transaction
    content(db)         {rowid: vector}
    sound(db)           ann_check is silent, an exact search is right

Each gives the same rows on every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import numpy as np

import sqlite_ann

DIM = 8
Operation = Callable[[apsw.Connection], object]


def vectors(n: int, seed: int) -> np.ndarray:
    """Whole numbers around a dozen centres."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).integers(-20, 21, (12, DIM))
    return (centres[rng.integers(0, 12, n)] + rng.integers(-2, 3, (n, DIM))).astype("<f4")


def insert(db: apsw.Connection, first: int, n: int, seed: int, verb: str = "INSERT") -> None:
    """n rows in one statement."""
    db.execute(
        f"{verb} INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (vectors(n, seed).tobytes(), DIM, np.arange(first, first + n, dtype="<i8").tobytes()),
    )


def command(db: apsw.Connection, text: str, k: int | None = None) -> None:
    db.execute("INSERT INTO v(v, k) VALUES (?, ?)", (text, k))


def make(path: Path) -> None:
    db = sqlite_ann.connect(path)
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{DIM}], metric=l2, leaf_capacity=32)")
    insert(db, 1, 1200, seed=1)
    command(db, "optimize")
    command(db, "absorb=0")
    insert(db, 5000, 400, seed=2)
    db.close()


def opened(path: Path) -> apsw.Connection:
    db = sqlite_ann.connect(path)
    command(db, "absorb=0")
    db.execute("SELECT id FROM ann_search('v', ?)", (vectors(1, 0).tobytes(),)).fetchall()
    return db


# --- writes --------------------------------------------------------------------------------------


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """Commits; what fails is left to whoever looks on."""
    db.execute("BEGIN")
    yield
    db.execute("COMMIT")


def insert_one(db: apsw.Connection) -> None:
    db.execute("INSERT INTO v(embedding) VALUES (?)", (vectors(1, 3).tobytes(),))


def insert_singly(db: apsw.Connection) -> None:
    with transaction(db):
        for vector in vectors(60, 4):
            db.execute("INSERT INTO v(embedding) VALUES (?)", (vector.tobytes(),))


def insert_and_absorb(db: apsw.Connection) -> None:
    command(db, "absorb=1")
    with transaction(db):
        insert(db, 9000, 200, seed=5)
        insert(db, 9500, 200, seed=6)


def replace(db: apsw.Connection) -> None:
    insert(db, 1100, 150, seed=7, verb="INSERT OR REPLACE")


def update(db: apsw.Connection) -> None:
    db.execute("UPDATE v SET embedding = ? WHERE rowid BETWEEN 200 AND 280", (vectors(1, 8).tobytes(),))


def move(db: apsw.Connection) -> None:
    db.execute("UPDATE v SET rowid = rowid + 20000 WHERE rowid BETWEEN 300 AND 340")


def delete(db: apsw.Connection) -> None:
    db.execute("DELETE FROM v WHERE rowid BETWEEN 400 AND 700")


def savepoints(db: apsw.Connection) -> None:
    with transaction(db):
        insert(db, 30000, 30, seed=9)
        db.execute("SAVEPOINT a")
        delete(db)
        db.execute("ROLLBACK TO a")
        insert(db, 31000, 30, seed=10)
        db.execute("RELEASE a")


def make_and_drop(db: apsw.Connection) -> None:
    with transaction(db):
        db.execute("CREATE VIRTUAL TABLE w USING ann(embedding float32[2])")
        db.execute("INSERT INTO w(embedding) VALUES ('[1,2]')")
        db.execute("ALTER TABLE w RENAME TO x")
        db.execute("DROP TABLE x")


WRITES: dict[str, Operation] = {
    "insert_one": insert_one, "insert_singly": insert_singly, "insert_and_absorb": insert_and_absorb,
    "replace": replace, "update": update, "move": move, "delete": delete, "savepoints": savepoints,
    "make_and_drop": make_and_drop,
    "optimize": lambda db: command(db, "optimize"),
    "optimize_slice": lambda db: command(db, "optimize", 5),
    "rebuild": lambda db: command(db, "rebuild"),
}  # fmt: skip


# --- reads ---------------------------------------------------------------------------------------


def search(db: apsw.Connection, k: int, recall: float | None = None, where: str = "true") -> list[tuple]:
    sql = f"SELECT id, distance FROM ann_search('v', ?, ?, ?) WHERE {where}"
    return db.execute(sql, (vectors(1, 11).tobytes(), k, recall)).fetchall()


READS: dict[str, Callable[[apsw.Connection], list[tuple]]] = {
    "search": lambda db: search(db, 10),
    "search_far": lambda db: search(db, 700),
    "search_exactly": lambda db: search(db, 10, 1),
    "search_among": lambda db: search(db, 10, None, "id IN (SELECT rowid * 3 FROM v)"),
    "match": lambda db: db.execute(
        "SELECT rowid, embedding, distance FROM v WHERE embedding MATCH ? ORDER BY distance LIMIT 20",
        (vectors(1, 12).tobytes(),),
    ).fetchall(),
    "item": lambda db: db.execute("SELECT id FROM ann_search_item('v', 77, 10)").fetchall(),
    "match_twice": lambda db: db.execute(
        "WITH n AS NOT MATERIALIZED (SELECT rowid AS id FROM v WHERE embedding MATCH ? AND k = 20)"
        " SELECT a.id, near.id FROM n a JOIN n b USING (id), ann_search_item('v', a.id % 3 * 3 + 3, 2) AS near",
        (vectors(1, 12).tobytes(),),
    ).fetchall(),
    "items": lambda db: db.execute(
        """SELECT id FROM ann_search_items('v', '{"77": 1, "78": 1, "79": -0.5}', 10) WHERE exclude_self = 1
              AND groups = (SELECT ann_groups(rowid, rowid % 90) FROM v) AND max_per = 1 AND diversity = 0.5"""
    ).fetchall(),
    "next_page": lambda db: search(
        db,
        300,
        None,
        """after_distance = 1 AND after_id = 5 AND max_per = 1
                                   AND groups = (SELECT json_group_object(rowid, rowid % 90) FROM v)""",
    ),
    "graph": lambda db: db.execute("SELECT * FROM ann_graph('v', 3) LIMIT 700").fetchall(),
    "many": lambda db: db.execute(
        "SELECT query, id, hex(all_distances) FROM ann_search_many('v', ?, 3) LIMIT 5", (vectors(300, 13).tobytes(),)
    ).fetchall(),
    "many_exactly": lambda db: db.execute(
        "SELECT * FROM ann_search_many('v', ?, 3, 1)", (vectors(100, 13).tobytes(),)
    ).fetchall(),
    "scan": lambda db: db.execute("SELECT rowid, embedding FROM v").fetchall(),
    "check": lambda db: db.execute("SELECT * FROM ann_check('v')").fetchall(),
    "pages": lambda db: db.execute("SELECT * FROM ann_pages('v')").fetchall(),
    "warm": lambda db: db.execute("SELECT ann_set('v', 'warm', 1) > 0").fetchall(),
    "recall": lambda db: db.execute("SELECT * FROM ann_recall('v', 5, 20)").fetchall(),
    "explain": lambda db: db.execute(
        "SELECT step, iif(step LIKE 'read%', NULL, count) FROM ann_explain('v', ?)", (vectors(1, 11).tobytes(),)
    ).fetchall(),
}


# --- afterwards ----------------------------------------------------------------------------------


def content(db: apsw.Connection) -> dict[int, bytes]:
    return dict(db.execute("SELECT rowid, embedding FROM v"))


def sound(db: apsw.Connection) -> None:
    """Read first: nothing that writes may be needed to mend what failed."""
    rows = content(db)
    found = search(db, 10, 1)
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    query = vectors(1, 11)[0].astype(np.float64)
    far = {row: float(np.sqrt(((np.frombuffer(blob, "<f4") - query) ** 2).sum())) for row, blob in rows.items()}
    assert found == sorted(far.items(), key=lambda item: (item[1], item[0]))[:10]
