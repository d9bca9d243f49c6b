"""The triggers that docs/SQL.md offers keep an index in step, whatever is done to the table it is of.

The triggers are taken out of the document. After each statement the index must hold just the table's vectors: not
NULL, under the same ids. A statement may fail; then neither has changed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import sqlite_ann
from tests.documents import SET_UP, SQL_MD, blocks_of

OF_TABLE = "SELECT id, hex(ann_vector(embedding)) FROM song WHERE embedding IS NOT NULL ORDER BY id"
OF_INDEX = "SELECT rowid, hex(embedding) FROM song_ann ORDER BY rowid"


class Songs:
    """SQL.md's songs with the triggers: the first set alone, or with what a UNIQUE title needs."""

    def __init__(self, driver: str, unique: bool) -> None:
        if driver == "apsw":
            self.db: Any = sqlite_ann.connect(":memory:")
        else:
            self.db = pytest.importorskip(driver).connect(":memory:", isolation_level=None)
            sqlite_ann.load(self.db)
        set_up = [block.code for block in blocks_of(SQL_MD, "sql") if block.section == SET_UP]
        offered = [block.code for block in blocks_of(SQL_MD, "sql") if "CREATE TRIGGER song_" in block.code]
        assert len(offered) == 2
        for code in [*set_up, *offered[: 2 if unique else 1]]:
            self.db.execute(code) if driver == "apsw" else self.db.executescript(code)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self.db.cursor().execute(sql))

    def check(self, after: str) -> None:
        assert self.run(OF_INDEX) == self.run(OF_TABLE), f"after {after}"


@pytest.fixture(params=["apsw", "pysqlite3"])
def songs(request: pytest.FixtureRequest) -> Iterator[Callable[[bool], Songs]]:
    """songs(unique): a new database, closed when the test ends."""
    made: list[Songs] = []

    def make(unique: bool) -> Songs:
        made.append(Songs(request.param, unique))
        return made[-1]

    yield make
    for each in made:
        each.db.close()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO song(id, title) VALUES (20, 'no vector')",
        "UPDATE song SET embedding = NULL WHERE id = 1",
        "UPDATE song SET embedding = '[1, 2, 3]' WHERE id = 9",
        "UPDATE song SET id = 100 WHERE id = 1",
        "UPDATE song SET rowid = 100 WHERE id = 1",
        "UPDATE song SET id = id - 1",
        "UPDATE song SET id = id + 100, embedding = '[1, 2, 3]'",
        "UPDATE OR REPLACE song SET id = id + 1",
        "DELETE FROM song WHERE id IN (2, 3)",
        "DELETE FROM song",
        "INSERT OR IGNORE INTO song(id, embedding) VALUES (1, '[1, 2, 3]'), (20, '[4, 5, 6]')",
        "INSERT OR REPLACE INTO song(id, embedding) VALUES (1, '[1, 2, 3]'), (2, NULL), (20, '[4, 5, 6]')",
        "INSERT INTO song(id, embedding) VALUES (1, '[1, 2, 3]'), (20, '[4, 5, 6]')"
        " ON CONFLICT(id) DO UPDATE SET embedding = excluded.embedding",
        "INSERT INTO song(id, embedding) VALUES (1, '[1, 2, 3]') ON CONFLICT(id) DO UPDATE SET id = 50",
    ],
)
def test_a_statement_reaches_the_index(songs, sql):
    it = songs(False)
    it.run("INSERT INTO song(id, title) VALUES (9, 'The Lost Tune')")
    before = it.run("SELECT * FROM song")
    it.run(sql)
    assert it.run("SELECT * FROM song") != before
    it.check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR REPLACE INTO song(id, title, embedding) VALUES (20, 'Danny Boy', '[1, 2, 3]')",
        "INSERT OR REPLACE INTO song(title, embedding) VALUES ('Danny Boy', NULL), ('Money Musk', '[1, 2, 3]')",
        "INSERT OR REPLACE INTO song(id, title, embedding) VALUES (1, 'Danny Boy', '[1, 2, 3]')",
        "UPDATE OR REPLACE song SET title = 'Danny Boy' WHERE id = 1",
        "UPDATE OR REPLACE song SET title = 'Danny Boy', id = 2 WHERE id = 1",
        "UPDATE OR REPLACE song SET title = 'the same'",
        "INSERT OR IGNORE INTO song(title, embedding) VALUES ('Danny Boy', '[1, 2, 3]'), ('new', '[1, 2, 3]')",
        "INSERT INTO song(title, embedding) VALUES ('Danny Boy', '[1, 2, 3]')"
        " ON CONFLICT(title) DO UPDATE SET embedding = excluded.embedding",
    ],
)
@pytest.mark.parametrize("recursive", [0, 1])
def test_a_row_that_another_takes_the_title_from_leaves_the_index(songs, recursive, sql):
    it = songs(True)
    it.run(f"PRAGMA recursive_triggers = {recursive}")
    before = it.run("SELECT * FROM song")
    it.run(sql)
    assert it.run("SELECT * FROM song") != before
    it.check(sql)


def test_what_changes_no_vector_writes_nothing_to_the_index(songs):
    it = songs(False)
    ((before,),) = it.run("SELECT total_changes()")
    it.run("UPDATE song SET title = upper(title), embedding = embedding")
    assert it.run("SELECT total_changes()") == [(before + 8,)]


def test_a_bad_vector_is_in_neither(songs):
    it = songs(False)
    before = it.run("SELECT * FROM song")
    for verb in ("INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"):
        with pytest.raises(Exception, match="expected 3 numbers, got 2"):
            it.run(f"{verb} INTO song(id, embedding) VALUES (20, '[1, 2]')")
    assert it.run("SELECT * FROM song") == before
    it.check("bad vectors")


# --- Random statements


class Dice(random.Random):
    """Parts of statements, from few ids and titles, so that they often meet."""

    def conflict(self, verb: str) -> str:
        return verb + self.choice(["", "", " OR REPLACE", " OR IGNORE", " OR FAIL", " OR ABORT", " OR ROLLBACK"])

    def id(self) -> str:
        return str(self.randint(-2, 9))

    def title(self) -> str:
        return self.choice(["NULL", "'a'", "'b'", "'c'", "'Danny Boy'", "'Money Musk'"])

    def vector(self) -> str:
        return self.choice(["NULL", f"'[{self.randint(0, 9)}, {self.randint(0, 9)}, 1]'"])

    def row(self) -> str:
        return f"({self.choice(['NULL', self.id(), self.id()])}, {self.title()}, {self.vector()})"

    def where(self) -> str:
        return self.choice(["1", f"id = {self.id()}", f"title = {self.title()}", f"id > {self.id()}", "id % 2"])

    def change(self) -> str:
        return self.choice(
            [
                f"embedding = {self.vector()}",
                f"title = {self.title()}",
                f"title = {self.title()}, embedding = {self.vector()}",
                f"id = {self.id()}, title = {self.title()}",
                f"rowid = {self.id()}, embedding = {self.vector()}",
                "id = id + 1",
                "id = id - 1",
                "id = 7 - id",
                "title = title || 'x', kind = 'reel'",
            ]
        )

    def upsert(self, unique: bool) -> str:
        target = self.choice(["id", "title"]) if unique else "id"
        theirs = self.choice(["embedding = excluded.embedding", "title = excluded.title", "id = excluded.id"])
        return self.choice(
            ["", "", " ON CONFLICT DO NOTHING"]
            + [f" ON CONFLICT({target}) DO UPDATE SET {change}" for change in (theirs, self.change())]
        )

    def statement(self, unique: bool) -> str:
        rows = ", ".join(self.row() for _ in range(self.randint(1, 3)))
        insert = f"{self.conflict('INSERT')} INTO song(id, title, embedding) VALUES {rows}{self.upsert(unique)}"
        update = f"{self.conflict('UPDATE')} song SET {self.change()} WHERE {self.where()}"
        return self.choice([insert, insert, update, update, f"DELETE FROM song WHERE {self.where()}"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("unique", [False, True], ids=["", "unique"])
def test_the_index_is_in_step_after_each_of_many_statements(songs, unique, seed):
    it, dice = songs(unique), Dice(seed)
    it.run(f"PRAGMA recursive_triggers = {seed % 2}")
    ran = 0
    for _ in range(400):
        sql = dice.statement(unique)
        try:
            it.run(sql)
            ran += 1
        except Exception as error:
            assert "UNIQUE constraint failed" in str(error), sql
        it.check(f"{sql} (seed {seed})")
    assert ran > 200
    assert it.run("SELECT * FROM ann_check('song_ann')") == []
