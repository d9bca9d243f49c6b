"""Each library that can be run here is loaded, filled and searched, and stores and answers what the one compiled here does."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest

import sqlite_ann
from sqlite_ann.extension import SUFFIX
from tests.wheels.machines import HERE, MACHINES, Machine

pytestmark = pytest.mark.timeout(1800)  # an emulator on a machine that is busy
SCRIPT = Path(__file__).with_name("life.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Life:
    answers: list[str]
    backend: str  # which inner loops were used
    dbhash: str  # of all rows of all tables, also those that hold an index
    data: bytes  # of the file


def dbhash(path: Path) -> str:
    """Of what the tables hold, and how they were made; not of how SQLite has laid it out in pages."""
    digest = hashlib.sha256()
    db = sqlite3.connect(path)
    tables = db.execute("SELECT name, sql, rootpage FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    for name, sql, root in tables:
        digest.update(repr((name, sql)).encode())
        if root:  # 0: a virtual table, whose rows are those of the others
            for row in db.execute(f'SELECT * FROM "{name}"'):
                digest.update(repr(row).encode())
    db.close()
    return digest.hexdigest()


def live(machine: Machine, library: Path) -> Life:
    folder = library.parent
    *answers, backend = machine.run(SCRIPT, folder).splitlines()
    path = folder / "songs.db"
    return Life(answers, backend.removeprefix("backend|"), dbhash(path), path.read_bytes())


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """The life of the library that `make build` compiled, with this machine's compiler."""
    library = shutil.copy(sqlite_ann.loadable_path() + SUFFIX, tmp_path_factory.mktemp("ours"))
    return live(HERE, Path(library))


def test_the_life_is_worth_comparing(ours):
    """Every search found its rows, the tables are whole, and a forest was there to be searched."""
    kinds = {line.partition("|")[0] for line in ours.answers}
    searched = {"f32", "f32 exact", "f32 filtered", "f32 recommended", "f16", "bf16", "i8", "bits", "over"}
    assert kinds == searched | {"forest", "graph", "mean"}, "and no fault of ann_check"
    counts = {kind: sum(line.startswith(f"{kind}|") for line in ours.answers) for kind in searched}
    assert counts == dict.fromkeys(searched, 36) | {"f32 filtered": 9, "f32 recommended": 8}
    leaves = dict(line.split("|")[1:] for line in ours.answers if line.startswith("forest|"))
    assert leaves.keys() == {"f32", "f16", "bf16", "i8", "bits", "over"}
    assert min(map(int, leaves.values())) > 20


def test_a_changed_row_changes_the_hash(ours, tmp_path):
    path = tmp_path / "songs.db"
    path.write_bytes(ours.data)
    assert dbhash(path) == ours.dbhash
    with sqlite3.connect(path) as db:
        db.execute("UPDATE f32_pages SET data = zeroblob(length(data)) WHERE id = 2")
    assert dbhash(path) != ours.dbhash


def test_it_is_loaded_filled_and_searched_and_all_is_as_here(tag, library, ours, note):
    machine = MACHINES[tag]
    if machine is None:
        note("loaded", "compiled only")
        pytest.skip("nothing here runs it: it was compiled, and its file looked at")
    if reason := machine.missing():
        note("loaded", "skipped")
        pytest.skip(reason)
    life = live(machine, library)
    note("loaded", f"{machine.name} ({life.backend})")
    assert life.answers == ours.answers
    same_bytes = life.data == ours.data
    note("dbhash", ("equal, and every byte" if same_bytes else "equal") if life.dbhash == ours.dbhash else "DIFFERS")
    assert life.dbhash == ours.dbhash
