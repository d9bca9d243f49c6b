"""Random statements on an ordinary table and its index, by a program with the extension and one without.

After each the index says what numpy finds in the table. `ANN_SEEDS=200` for more of them.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from pathlib import Path

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import oracle
from tests.sql import songs

SEEDS = int(os.environ.get("ANN_SEEDS", "6"))
STEPS = 40


class Run:
    """One file, two connections, and a journal of what was done."""

    def __init__(self, path: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.db = sqlite_ann.connect(path)
        self.plain = songs.plain(path)
        self.name, self.journal = "song", [f"seed {seed}"]
        self.savepoints = 0
        for each in (self.db, self.plain):
            each.execute(f"PRAGMA recursive_triggers = {self.chance.randrange(2)}")

    def vector(self) -> bytes | None:
        return (
            songs.blob(songs.vectors(self.rng, 1)[0])
            if self.chance.random() < 0.85
            else self.chance.choice((None, b"?"))
        )

    def writer(self):
        """The other one can write only while no transaction is open here."""
        return self.db if self.savepoints or self.chance.random() < 0.5 else self.plain

    def write(self) -> None:
        low, n = self.chance.randrange(4000), self.chance.choice((1, 1, 5, 60, 600))
        any_id, title = self.chance.randrange(5000), f"song {self.chance.randrange(1500)}"
        where = f"WHERE id BETWEEN {low} AND {low + n}"
        sql, values = self.chance.choice(
            [
                ("INSERT OR {0} INTO {1} VALUES (?, ?, ?)", (any_id, title, self.vector())),
                ("REPLACE INTO {1} VALUES (?, ?, ?)", (any_id, title, self.vector())),
                ("UPDATE OR {0} {1} SET title = ? WHERE id = ?", (title, any_id)),
                ("UPDATE OR {0} {1} SET id = ? WHERE id = ?", (any_id, low)),
                ("UPDATE OR {0} {1} SET id = id + 1 " + where, ()),
                ("UPDATE {1} SET embedding = ? " + where, (self.vector(),)),
                ("UPDATE {1} SET embedding = (SELECT embedding FROM {1} ORDER BY id LIMIT 1) " + where, ()),
                ("DELETE FROM {1} " + where, ()),
                (
                    "INSERT INTO {1} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET embedding = excluded.embedding",
                    (any_id, title, self.vector()),
                ),
                (
                    "INSERT OR {0} INTO {1} SELECT id + 2500, title || ?, embedding FROM {1} " + where,
                    (str(len(self.journal)),),
                ),
            ]
        )
        sql = sql.format(self.chance.choice(("REPLACE", "IGNORE", "ABORT", "FAIL")), self.name)
        self.run(self.writer(), sql, values)

    def run(self, db, sql: str, values=()) -> None:
        self.journal.append(f"{'here' if db is self.db else 'there'}: {sql} {values}")
        try:
            db.execute(sql, values)
        except (apsw.ConstraintError, sqlite3.IntegrityError):
            self.journal.append("  refused")

    def step(self) -> None:
        kind = self.chance.choices(
            ("write", "optimize", "command", "begin", "release", "rollback", "rename", "vacuum"),
            (60, 8, 4, 8, 6, 6, 2, 1),
        )[0]
        if kind == "write":
            self.write()
        elif kind == "optimize":
            self.run(
                self.db,
                "INSERT INTO song_ann(song_ann, k) VALUES ('optimize', ?)",
                (self.chance.choice((3, 30, None)),),
            )
        elif kind == "command":
            self.run(self.db, f"INSERT INTO song_ann(song_ann) VALUES ('{self.chance.choice(('rebuild', 'warm'))}')")
        elif kind == "begin":
            self.savepoints += 1
            self.run(self.db, f"SAVEPOINT s{self.savepoints}")
        elif kind in ("release", "rollback") and self.savepoints:
            self.run(self.db, f"{'ROLLBACK TO' if kind == 'rollback' else 'RELEASE'} s{self.savepoints}")
            self.savepoints -= kind == "release"
        elif kind == "rename" and not self.savepoints:
            new = {"song": "tune", "tune": "song"}[self.name]
            self.run(self.plain, f"ALTER TABLE {self.name} RENAME TO {new}")
            self.name = new
        elif kind == "vacuum" and not self.savepoints:
            self.run(self.plain, "VACUUM")

    def check(self) -> None:
        bad = self.db.execute(f"SELECT id FROM {self.name} WHERE embedding = x'3f' ORDER BY id").fetchall()
        faults = self.db.execute("SELECT id, fault FROM ann_check('song_ann')").fetchall()
        assert [(id_,) for id_, _ in faults][:100] == bad[:100]
        assert all("is not indexed: expected" in fault for _, fault in faults)
        query = songs.vectors(self.rng, 1)[0]
        exact = songs.exact(self.db, query, 40, table=self.name)
        assert songs.search(self.db, query, 40) == exact
        assert songs.usual(self.db, query, 40, 1.0) == exact
        assert len(songs.usual(self.db, query, 40)) == len(exact)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> str:
    return songs.as_file(tmp_path_factory.mktemp("made") / "songs.db", 1300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_is_written_is_what_is_found(made, tmp_path, seed):
    path = Path(shutil.copy(made, tmp_path / "songs.db"))
    run = Run(str(path), seed)
    try:
        for _ in range(STEPS):
            run.step()
            run.check()
        while run.savepoints:
            run.run(run.db, f"RELEASE s{run.savepoints}")
            run.savepoints -= 1
        run.run(run.plain, f"DELETE FROM {run.name} WHERE embedding = x'3f'")
        run.run(run.db, "INSERT INTO song_ann(song_ann) VALUES ('optimize')")
        run.check()
        assert run.db.execute("SELECT id FROM song_ann_changes").fetchall() == []
        assert oracle.check(path, "song_ann") == []
        placed = run.db.execute("SELECT id FROM song_ann_places ORDER BY id").fetchall()
        if placed:
            sql = f"SELECT id FROM {run.name} WHERE embedding IS NOT NULL ORDER BY id"
            assert placed == run.db.execute(sql).fetchall()
    except BaseException:
        print("\n".join(run.journal))
        raise
    finally:
        run.db.close()
        run.plain.close()
