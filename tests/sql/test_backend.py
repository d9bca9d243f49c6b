"""sql/backend.c: the inner loops are chosen by name; which ones makes no difference but in speed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import apsw
import numpy as np
import pytest

import sqlite_ann

LOAD = "import sqlite_ann; db = sqlite_ann.connect(':memory:')\n"
SHOW = "CREATE VIRTUAL TABLE v USING ann(e float32[2]); SELECT value FROM ann_info('v') WHERE key = 'backend'"


@pytest.fixture(autouse=True)
def the_best_afterwards(db: apsw.Connection) -> Iterator[None]:
    """The choice is the process's: other tests go on with what they had."""
    yield
    db.execute("CREATE VIRTUAL TABLE last USING ann(e float32[2])")
    db.execute("INSERT INTO last(last) VALUES('backend=best')")


def choose(db: apsw.Connection, name: str, table: str = "v") -> None:
    db.execute(f"INSERT INTO {table}({table}) VALUES(?)", (f"backend={name}",))


def chosen(db: apsw.Connection) -> str:
    return str(db.execute("SELECT value FROM ann_info('v') WHERE key = 'backend'").get)


def names_here(db: apsw.Connection) -> list[str]:
    """What the error for an unknown name lists, without `best`."""
    with pytest.raises(apsw.SQLError) as error:
        choose(db, "abacus")
    sentence = re.search(r'ann table v: expected a backend (\w.*), or best, got "backend=abacus"$', str(error.value))
    assert sentence, error.value
    return sentence[1].split(", ")


def in_a_new_process(code: str, backend: str) -> tuple[str, str]:
    """What it prints, and the last line of its complaint."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"SQLITE_ANN_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip(), (done.stderr.strip().splitlines() or [""])[-1]


def test_an_unknown_name_is_an_error_that_lists_what_is_here_and_changes_nothing(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    names = names_here(db)
    assert names[0] == "portable"
    assert chosen(db) == names[-1]
    for wrong in ("", "Portable", "portable ", "avx"):
        with pytest.raises(apsw.SQLError, match="expected a backend portable"):
            choose(db, wrong)
    assert chosen(db) == names[-1]


def test_a_choice_holds_for_all_connections_until_the_next(db):
    other = sqlite_ann.connect(":memory:")
    for connection in (db, other):
        connection.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    for name in names_here(db):
        choose(db, name)
        assert chosen(db) == chosen(other) == name
    choose(other, "portable")
    assert chosen(a_new_connection()) == "portable"
    choose(db, "best")
    assert chosen(other) == names_here(db)[-1]
    other.close()


def a_new_connection() -> apsw.Connection:
    third = sqlite_ann.connect(":memory:")
    third.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    return third


def everything_of(name: str) -> list[Any]:
    """An index made in all the ways there are by one backend: its shadow tables, and answers of it."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((3000, 50)).astype("<f4")
    db = sqlite_ann.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[50], metric=cosine, leaf_capacity=32)")
    choose(db, name)
    with db:
        db.executemany("INSERT INTO v(rowid, e) VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(x)))
    db.execute("INSERT INTO v(v) VALUES('optimize')")
    for i in range(2500, 2600):
        db.execute("INSERT INTO v(rowid, e) VALUES (?, ?)", (i + 1000, (x[i] * 2 + 1).tobytes()))
        db.execute("DELETE FROM v WHERE rowid = ?", (i - 2000,))
    assert chosen(db) == name
    tables = [t for (t,) in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'v\\_%' ESCAPE '\\' ORDER BY 1")]
    found = [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
    for recall in (0.5, 0.9, 0.99):
        found += [
            db.execute("SELECT id, distance FROM ann_search('v', ?, 10, ?)", (query.tobytes(), recall)).fetchall()
            for query in rng.standard_normal((20, 50)).astype("<f4")
        ]
    db.execute("INSERT INTO v(v) VALUES('rebuild')")
    found += [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
    db.close()
    return found


def test_every_backend_makes_the_same_bytes_and_gives_the_same_answers(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    first, *others = names_here(db)
    wanted = everything_of(first)
    assert any(len(rows) > 50 for rows in wanted)
    for name in others:
        assert everything_of(name) == wanted, name


def test_the_environment_chooses_before_any_statement_and_commands_after_it():
    assert in_a_new_process(LOAD + f'print(db.execute("{SHOW}").get)', "portable") == ("portable", "")
    code = (
        LOAD
        + f"""
db.execute("{SHOW}")
db.execute("INSERT INTO v(v) VALUES('backend=best')")
second = sqlite_ann.connect(':memory:')
print(second.execute("{SHOW}").get == db.execute("SELECT value FROM ann_info('v') WHERE key = 'backend'").get)
"""
    )
    assert in_a_new_process(code, "portable") == ("True", "")
    assert in_a_new_process(LOAD + "print('loaded')", "") == ("loaded", "")


def test_an_unknown_name_in_the_environment_is_told_when_loading():
    printed, complaint = in_a_new_process(LOAD + "print('loaded')", "abacus")
    assert printed == ""
    assert re.search(r'sqlite_ann: expected SQLITE_ANN_BACKEND to be portable, .*or best, got "abacus"$', complaint), (
        complaint
    )
