"""What can be done with an index over an ordinary table, failing half-way: nothing of it stays, and trying again works."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import oracle
from tests.faults.test_faults import Interrupt, copies, memory, peak, shares
from tests.sql import songs

pytestmark = pytest.mark.slow

QUERY = songs.vectors(np.random.default_rng(5), 1)[0]
Operation = Callable[[apsw.Connection], object]
MEMORY = (MemoryError, apsw.NoMemError)


WRITES: dict[str, Operation] = {
    "optimize": lambda db: songs.run(db, "optimize"),
    "optimize_slice": lambda db: songs.run(db, "optimize", 5),
    "rebuild": lambda db: songs.run(db, "rebuild"),
    "warm": lambda db: songs.run(db, "warm"),
    "create": lambda db: db.execute(songs.INDEX.replace("song_ann", "other_ann")),
    "drop and create": lambda db: db.execute(f"BEGIN; DROP TABLE song_ann; {songs.INDEX}; COMMIT"),
    "rename": lambda db: db.execute(
        "BEGIN; ALTER TABLE song_ann RENAME TO v; ALTER TABLE v RENAME TO song_ann; COMMIT"
    ),
    "write": lambda db: db.execute("DELETE FROM song WHERE id % 5 = 1"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,300 rows in a forest, and 260 of them written since, some of which went without a note."""
    path = tmp_path_factory.mktemp("content") / "songs.db"
    db = songs.made(sqlite_ann.connect(str(path)), 1300)
    with db:
        for i, vector in enumerate(songs.vectors(np.random.default_rng(6), 200)):
            db.execute("UPDATE song SET embedding = ? WHERE id = ?", (songs.blob(vector), 9 * i + 1))
        db.execute("REPLACE INTO song SELECT id + 2, title, embedding FROM song WHERE id BETWEEN 3000 AND 3180")
    db.close()
    return path


def searched(path: Path) -> apsw.Connection:
    db = sqlite_ann.connect(str(path))
    songs.search(db, QUERY)
    return db


@pytest.fixture
def fresh(made: Path, tmp_path: Path) -> Iterator[Callable[[], apsw.Connection]]:
    with copies(made, tmp_path / "songs.db", searched) as fresh:
        yield fresh


def sound(db: apsw.Connection) -> None:
    songs.agrees(db, QUERY[None])
    assert oracle.check(db, "song_ann") == []


def ends_well(db: apsw.Connection, operation: Operation, failed: bool) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")
    sound(db)
    if failed:
        assert "other_ann" not in " ".join(songs.names(db))
        operation(db)
        sound(db)


@pytest.mark.parametrize("name", WRITES)
def test_an_interrupted_write(fresh, name):
    operation, db = WRITES[name], fresh()
    calls = Interrupt(db, float("inf"), 29)
    operation(db)
    for at in sorted({1 + calls.calls * i // 8 for i in range(8)}):
        db = fresh()
        Interrupt(db, at, 29)
        failed = False
        try:
            operation(db)
        except apsw.InterruptError:
            failed = True
        db.set_progress_handler(None)
        ends_well(db, operation, failed)


@pytest.mark.parametrize("name", WRITES)
def test_a_write_without_memory(fresh, name):
    operation, db = WRITES[name], fresh()
    needed = peak(operation, db)
    for share in shares(10):
        db = fresh()
        failed = False
        with memory(int(needed * share)):
            try:
                operation(db)
            except MEMORY:
                failed = True
        ends_well(db, operation, failed)


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk(fresh, name):
    operation = WRITES[name]
    for spare in (0, 1, 2, 5, 13, 34, 55):
        db = fresh()
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').get + spare}")
        failed = False
        try:
            operation(db)
        except apsw.FullError:
            failed = True
        db.execute("PRAGMA max_page_count = 1000000")
        ends_well(db, operation, failed)


def test_a_search_without_memory(fresh):
    db = fresh()
    right = songs.search(db, QUERY, 40)
    needed = peak(lambda db: songs.search(db, QUERY, 40), db)
    for share in shares(30):
        with memory(int(needed * share)), suppress(*MEMORY):
            assert songs.search(db, QUERY, 40) == right
        assert songs.search(db, QUERY, 40) == right


WRITER = """
import sys
import numpy as np
import sqlite_ann
from tests.sql import songs

db, rng = sqlite_ann.connect(sys.argv[1]), np.random.default_rng(int(sys.argv[2]))
print("begun", flush=True)
while True:
    with db:
        for vector in songs.vectors(rng, 30):
            db.execute("UPDATE song SET embedding = ? WHERE id = ?", (songs.blob(vector), int(rng.integers(4000))))
    songs.run(db, "optimize", int(rng.integers(2, 40)))
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_leaves_a_sound_index(made, tmp_path, seed):
    path = Path(shutil.copy(made, tmp_path / "songs.db"))
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(seed)], stdout=subprocess.PIPE)
    assert writer.stdout
    assert writer.stdout.readline() == b"begun\n"
    time.sleep(random.Random(seed).uniform(0.05, 0.6))
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    db = sqlite_ann.connect(str(path))
    sound(db)
    songs.run(db, "optimize")
    sound(db)
    db.close()
