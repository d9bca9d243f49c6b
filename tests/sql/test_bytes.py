"""Equal statements give equal bytes, and reading changes none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def live(db, load, make_vectors, trees):
    rng = np.random.default_rng(5)
    db.pragma("synchronous", "off")
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[16], leaf_capacity=32, seed=3, trees={trees})")
    load(db, rng.permutation(1300), make_vectors(rng, 1300))
    for rowid in rng.permutation(1300)[:200].tolist():
        db.execute("DELETE FROM v WHERE rowid = ?", (rowid,))
    for x in make_vectors(rng, 100):
        db.execute("INSERT INTO v(embedding) VALUES (?)", (x.tobytes(),))
    db.execute("UPDATE v SET embedding = (SELECT embedding FROM v LIMIT 1) WHERE rowid % 50 = 0")
    return db


@pytest.mark.slow
@pytest.mark.parametrize("trees", [1, 3])
def test_the_same_statements_give_the_same_bytes(shadow_hash, other_connections, load, make_vectors, trees):
    one, two = (live(other_connections(":memory:"), load, make_vectors, trees) for _ in range(2))
    assert shadow_hash(one) == shadow_hash(two)
    assert one.serialize("main") == two.serialize("main")


@pytest.mark.slow
def test_a_rebuild_depends_on_rows_options_and_seed_only(shadow_hash, other_connections, load, make_vectors, rng):
    ids, x = np.arange(1000), make_vectors(rng, 1000)

    def rebuilt(order, seed=0):
        db = other_connections(":memory:")
        db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[16], leaf_capacity=32, seed={seed})")
        db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
        for part in order:
            load(db, ids[part], x[part])
        db.execute("INSERT INTO v(v) VALUES ('rebuild')")
        return db

    forwards = rebuilt([ids])
    backwards = rebuilt([ids[i : i + 250][::-1] for i in (750, 500, 250, 0)])
    assert shadow_hash(forwards) == shadow_hash(backwards) != shadow_hash(rebuilt([ids], seed=1))
    before = shadow_hash(forwards)
    forwards.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert shadow_hash(forwards) == before


@pytest.mark.slow
def test_dbhash_of_two_files_is_equal(tmp_path, other_connections, load, make_vectors):
    told = []
    for name in ("a.db", "b.db"):
        path = str(tmp_path / name)
        live(other_connections(path), load, make_vectors, 2).close()
        command = [sys.executable, "-m", "apsw.sqlite_extra", "sqlite3_dbhash", path]
        told.append(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.split()[0])
    assert told[0] == told[1]
    assert len(told[0]) == 40


def test_reading_changes_no_byte(forest_file, other_connections, queries):
    before = Path(forest_file).read_bytes()
    db = other_connections(forest_file)
    for query in queries[:5]:
        db.execute("SELECT * FROM ann_search('v', ?, 500)", (query.tobytes(),)).fetchall()
    db.execute("SELECT * FROM ann_check('v')").fetchall()
    db.execute("SELECT * FROM ann_info('v')").fetchall()
    db.close()
    assert Path(forest_file).read_bytes() == before
