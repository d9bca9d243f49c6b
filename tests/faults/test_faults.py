"""Whatever fails half-way, fails cleanly: nothing of it stays, nothing is stuck, and trying again works."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest

import sqlite_ann
from tests import alter

from .operations import READS, WRITES, Operation, command, content, insert, make, opened, sound

pytestmark = pytest.mark.slow
MEMORY = (MemoryError, apsw.NoMemError)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "made.db"
    make(path)
    return path


@contextmanager
def copies(
    made: Path, path: Path, opening: Callable[[Path], apsw.Connection]
) -> Iterator[Callable[[], apsw.Connection]]:
    """A connection to a new copy of a database, at `path`, as often as it is called; the one before is closed."""
    connections: list[apsw.Connection] = []

    def fresh() -> apsw.Connection:
        for old in connections:
            old.close()
        shutil.copy(made, path)
        connections[:] = [opening(path)]
        return connections[0]

    yield fresh
    for old in connections:
        old.close()


@pytest.fixture
def fresh(made: Path, tmp_path: Path) -> Iterator[Callable[[], apsw.Connection]]:
    with copies(made, tmp_path / "v.db", opened) as fresh:
        yield fresh


def ends_well(db: apsw.Connection, operation: Operation, before: dict, after: dict, failed: bool) -> None:
    """Nothing stays of what failed, everything of what did not; then it is tried (again)."""
    if db.in_transaction:
        db.execute("ROLLBACK")
    assert content(db) == (before if failed else after)
    sound(db)
    if failed:
        operation(db)
        assert content(db) == after
        sound(db)


# --- disk full -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITES)
def test_full_disk(fresh, name):
    operation, db = WRITES[name], fresh()
    before = content(db)
    operation(db)
    after, full = content(db), 0
    for spare in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55):
        db = fresh()
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').get + spare}")
        failed = False
        try:
            operation(db)
        except apsw.FullError:
            failed = True
        if failed:  # read while the disk is still full
            if db.in_transaction:
                db.execute("ROLLBACK")
            sound(db)
        db.execute("PRAGMA max_page_count = 1000000")
        ends_well(db, operation, before, after, failed)
        full += failed
    assert full or name not in ("insert_and_absorb", "optimize", "rebuild")  # these need room for certain


# --- interrupts ----------------------------------------------------------------------------------


class Interrupt:
    """Interrupts a connection at the n-th call of its progress handler."""

    def __init__(self, db: apsw.Connection, n: float, every: int) -> None:
        self.calls, self.n = 0, n
        db.set_progress_handler(self.handler, every)

    def handler(self) -> bool:
        self.calls += 1
        return self.calls >= self.n


@pytest.mark.parametrize("name", WRITES)
def test_interrupted_write(fresh, name):
    operation, every, db = WRITES[name], 29, fresh()
    before = content(db)
    calls = Interrupt(db, float("inf"), every)
    operation(db)
    after = content(db)
    for at in sorted({1 + calls.calls * i // 12 for i in range(12)}):
        db = fresh()
        Interrupt(db, at, every)
        failed = False
        try:
            operation(db)
        except apsw.InterruptError:
            failed = True
        db.set_progress_handler(None)
        ends_well(db, operation, before, after, failed)


@pytest.mark.parametrize("name", READS)
def test_interrupted_read(fresh, name):
    operation, db = READS[name], fresh()
    right = operation(db)
    calls = Interrupt(db, float("inf"), 3)
    operation(db)
    for at in sorted({1 + calls.calls * i // 12 for i in range(12)}):
        Interrupt(db, at, 3)
        with suppress(apsw.InterruptError):
            assert operation(db) == right
        db.set_progress_handler(None)
        assert operation(db) == right


# --- out of memory -------------------------------------------------------------------------------


@contextmanager
def memory(more: int) -> Iterator[None]:
    """SQLite, and with it the extension, may allocate only so many bytes more."""
    apsw.hard_heap_limit(apsw.memory_used() + max(more, 1))
    try:
        yield
    finally:
        apsw.hard_heap_limit(0)
        apsw.soft_heap_limit(0)  # which the hard one had lowered


def peak(operation: Operation, db: apsw.Connection) -> int:
    """The bytes that it takes."""
    apsw.memory_high_water(True)
    start = apsw.memory_used()
    operation(db)
    return apsw.memory_high_water(False) - start


def shares(n: int) -> list[float]:
    """More of the small ones."""
    return [(i / n) ** 2 for i in range(n)]


@pytest.mark.parametrize("name", WRITES)
def test_write_without_memory(fresh, name):
    operation, db = WRITES[name], fresh()
    before = content(db)
    needed = peak(operation, db)
    after, without = content(db), 0
    for share in shares(16):
        db = fresh()
        failed = False
        with memory(int(needed * share)):
            try:
                operation(db)
            except MEMORY:
                failed = True
        ends_well(db, operation, before, after, failed)
        without += failed
    assert without


@pytest.mark.parametrize("name", READS)
def test_read_without_memory(fresh, name):
    operation, db = READS[name], fresh()
    right = operation(db)
    needed = peak(operation, db)
    for share in shares(30):
        with memory(int(needed * share)), suppress(*MEMORY):
            assert operation(db) == right
        assert operation(db) == right


# --- failing reads and writes of the file --------------------------------------------------------


class Fault:
    """Lets the n-th call of the file's xRead, xWrite or xSync fail, and all after it."""

    def __init__(self) -> None:
        self.calls, self.n = 0, float("inf")

    def call(self) -> None:
        self.calls += 1
        if self.calls >= self.n:
            raise apsw.IOError("the disk is broken")


FAULT = Fault()


class BrokenFile(apsw.VFSFile):
    def xRead(self, amount, offset):
        FAULT.call()
        return super().xRead(amount, offset)

    def xWrite(self, data, offset):
        FAULT.call()
        super().xWrite(data, offset)

    def xSync(self, flags):
        FAULT.call()
        super().xSync(flags)


class BrokenDisk(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("broken", "")

    def xOpen(self, name, flags):
        return BrokenFile("", name, flags)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["insert_singly", "insert_and_absorb", "update", "delete", "savepoints", "optimize"])
def test_broken_disk(made, tmp_path, name):
    operation, path, disk = WRITES[name], tmp_path / "v.db", BrokenDisk()

    def fresh() -> apsw.Connection:
        shutil.copy(made, path)
        Path(f"{path}-journal").unlink(missing_ok=True)
        db = sqlite_ann.connect(path, vfs="broken")
        db.execute("PRAGMA cache_size = 20")  # reads and writes on the way
        command(db, "absorb=0")
        return db

    db = fresh()
    before = content(db)
    FAULT.calls = 0
    operation(db)
    calls = FAULT.calls
    after = content(db)
    db.close()
    for at in sorted({1 + calls * i // 10 for i in range(10)}):
        db = fresh()
        FAULT.calls, FAULT.n, failed = 0, at, False
        try:
            operation(db)
        except (apsw.IOError, apsw.CantOpenError):
            failed = True
        finally:
            FAULT.n = float("inf")
        ends_well(db, operation, before, after, failed)
        db.close()
    disk.unregister()


# --- a process that dies -------------------------------------------------------------------------

WRITER = """
import sys, sqlite_ann
from tests.faults.operations import command, insert
db = sqlite_ann.connect(sys.argv[1])
db.execute(f"PRAGMA journal_mode = {sys.argv[2]}; PRAGMA synchronous = off")
for i in range(1000):
    db.execute("BEGIN")
    insert(db, 100000 + 100 * i, 100, seed=i)
    db.execute("DELETE FROM v WHERE rowid = ?", (i,))
    if i % 5 == 2:
        command(db, "optimize", 20)
    db.execute("COMMIT")
    print(i, flush=True)
"""


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_killed_writer(made, tmp_path, journal):
    """What it said it had committed is there, what it had not is not, and the index is sound."""
    for lines in (1, 3, 7, 12):
        path = tmp_path / f"{lines}.db"
        shutil.copy(made, path)
        rows = len(content(opened(path)))
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path, journal], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)][-1]
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        last = int((rest.split() or [said])[-1])
        db = opened(path)
        sound(db)
        done = last if len(content(db)) == rows + 100 * (last + 1) - last else last + 1  # the word may come too late
        assert len(content(db)) == rows + 100 * (done + 1) - done
        insert(db, 500000, 100, seed=1)
        command(db, "optimize")
        sound(db)
        db.close()


# --- damaged pages -------------------------------------------------------------------------------


def damage(db: apsw.Connection, choice: random.Random) -> None:
    """A few bytes of one page, most often with a checksum that fits again."""
    page = choice.choice([page for (page,) in db.execute("SELECT id FROM v_pages")])

    def edit(data: bytearray) -> None:
        size = choice.choice((64, len(data)))
        for _ in range(choice.choice((1, 1, 2, 8))):
            data[choice.randrange(size)] = choice.choice((0, 1, 127, 128, 255))

    alter.page(db, "v", page, edit, seal=choice.random() < 0.8)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_page(fresh, seed):
    """Searches and writes give an answer or say that a page is damaged; to rebuild heals."""
    print(f"seed {seed}")
    choice, db = random.Random(seed), fresh()
    damage(db, choice)
    operations = {**WRITES, **READS}
    del operations["rebuild"]
    for name in choice.sample(sorted(operations), 14):
        try:
            operations[name](db)
        except apsw.CorruptError as error:
            assert error.extendedresult == apsw.SQLITE_CORRUPT_VTAB
        except apsw.SQLError as error:
            assert "roll the transaction back" in str(error)
        except apsw.ConstraintError:
            pass  # the operation was done before
        if db.in_transaction:
            db.execute("ROLLBACK")
    command(db, "rebuild")
    sound(db)
