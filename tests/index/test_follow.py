"""A calibration that follows the changes of a table: grown, replaced and interrupted in every way."""

from __future__ import annotations

import itertools

import apsw
import numpy as np
import pytest

import sqlite_ann

from .conftest import D, Table, clustered

ROWS, QUERIES = np.split(clustered(6200, 11), [6000])


def grow(table: Table, first: int, last: int) -> None:
    with table.db:
        for i in range(first, last):
            table.insert(i, ROWS[i])


def in_progress(table: Table) -> bool:
    return table.db.execute("SELECT count(*) FROM v_config WHERE id = 5").get == 1


def grow_until_in_progress(table: Table, first: int) -> int:
    """Insert row by row; the next row to insert."""
    for i in itertools.count(first):
        if in_progress(table):
            return i
        table.insert(i, ROWS[i])
    raise AssertionError


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_a_table_that_grows_row_by_row_is_measured_again_and_again(table, metric):
    table.create(metric=metric)
    seen = set()
    for first in range(0, 6000, 250):
        grow(table, first, first + 250)
        seen.add(table.info("calibrated_rows"))
    assert len(seen) >= 4
    assert table.info("calibrated_rows") > 6000 / 2.5
    for recall in (0.9, 0.99):
        assert table.recall(QUERIES, 10, recall) > recall - 0.02
    table.sound()


@pytest.mark.slow
def test_rows_that_are_replaced_by_others_are_measured(table):
    """The second half of the data is far from the first, and of another shape."""
    far = (100 + 3 * np.random.default_rng(1).standard_normal((3200, D))).astype(np.float32)
    table.create().load(ROWS[:3000])
    with table.db:
        for i in range(3000):
            table.db.execute("UPDATE v SET e = ? WHERE rowid = ?", (far[i].tobytes(), i))
    assert table.info("waiting") == 0
    for recall in (0.9, 0.99):
        assert table.recall(far[3000:], 10, recall) > recall - 0.02
    table.sound()


@pytest.mark.slow
def test_a_slice_goes_on_where_another_process_stopped(tmp_path):
    stored = []
    for every in (10_000, 311, 7):
        path = str(tmp_path / f"{every}.db")
        table = Table(sqlite_ann.connect(path))
        table.create().load(ROWS[:1200])
        for i in range(1200, 3000):
            if i % every == 0:
                table.db.close()
                table = Table(sqlite_ann.connect(path))
            table.insert(i, ROWS[i])
        index = table.sound()
        stored.append((index.pages, index.places, index.state, index.calibration))
        assert table.info("calibrated_rows") > 1200
        table.db.close()
    assert stored[0] == stored[1] == stored[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE v_config SET value = x'' WHERE id = 5",
        "UPDATE v_config SET value = substr(value, 1, length(value) - 1) WHERE id = 5",
        "UPDATE v_config SET value = value || x'00' WHERE id = 5",
        "UPDATE v_config SET value = zeroblob(length(value)) WHERE id = 5",
        "UPDATE v_config SET value = 'text' WHERE id = 5",
        "UPDATE v_config SET value = substr(value, 1, 8) || x'ffffffff' || substr(value, 13) WHERE id = 5",
        "UPDATE v_config SET value = substr(value, 1, 4) || x'07000000' || substr(value, 9) WHERE id = 5",
        "DELETE FROM v_config WHERE id = 6",
        "UPDATE v_config SET value = x'0000c07f' WHERE id = 6",
        "UPDATE v_config SET value = replace(value, substr(value, 1, 4), x'0000c07f') WHERE id = 6",
    ],
)
def test_stored_bytes_that_make_no_sense_are_measured_anew(table, damage):
    table.create().load(ROWS[:1200])
    at = grow_until_in_progress(table, 1200)
    table.db.execute(damage)
    grow(table, at, 4000)
    assert table.info("calibrated_rows") > 1200
    table.sound()


@pytest.mark.slow
def test_every_byte_of_it_altered_harms_nothing(table, rng):
    table.create().load(ROWS[:1200])
    at = grow_until_in_progress(table, 1200)
    grow(table, at, at + 25)
    assert in_progress(table)
    state = table.db.serialize("main")
    size = table.db.execute("SELECT length(value) FROM v_config WHERE id = 5").get
    for i in [*range(0, 70), *rng.integers(0, size, 60).tolist()]:
        table.db.deserialize("main", state)
        sql = "UPDATE v_config SET value = substr(value, 1, ?1) || ?2 || substr(value, ?1 + 2) WHERE id = 5"
        table.db.execute(sql, (i, bytes([rng.integers(0, 256)])))
        grow(table, at + 25, at + 90)
        assert len(table.search(QUERIES[0], 10, 0.9)) == 10
    table.sound()


@pytest.mark.slow
def stored(table):
    """Every row of every shadow table."""
    shadows = ("config", "vectors", "pages", "places", "waiting")
    return {name: table.db.execute(f"SELECT * FROM v_{name} ORDER BY id").fetchall() for name in shadows}


def test_a_rollback_takes_its_slices_back(table):
    table.create().load(ROWS[:1200])
    at = grow_until_in_progress(table, 1200)
    before = stored(table)
    with pytest.raises(ZeroDivisionError), table.db:
        for i in range(at, 3000):
            table.insert(i, ROWS[i])
        raise ZeroDivisionError
    assert stored(table) == before
    grow(table, at, 3000)
    assert table.info("calibrated_rows") > 1200
    table.sound()


@pytest.mark.slow
def test_optimize_gives_it_up(table):
    table.create().load(ROWS[:1200])
    at = grow_until_in_progress(table, 1200)
    table.command("optimize")
    assert not in_progress(table)
    assert (table.info("calibrated_rows"), table.info("changes")) == (at, 0)


@pytest.mark.slow
def test_rows_that_go_while_it_is_in_progress(table):
    table.create().load(ROWS[:2000])
    grow(table, 2000, 4020)
    assert in_progress(table)
    table.delete(list(range(0, 4020, 2)))
    grow(table, 4020, 5000)
    for i in range(1, 600, 2):
        table.db.execute("UPDATE v SET e = ? WHERE rowid = ?", (ROWS[5000 + i].tobytes(), i))
    assert table.recall(QUERIES, 10, 0.9) > 0.88
    table.sound()


@pytest.mark.slow
@pytest.mark.parametrize("after", [60, 80, 100, 120])
def test_an_interrupt_within_a_slice_rolls_back(table, after):
    table.create().load(ROWS[:1200])
    at = grow_until_in_progress(table, 1200)
    before = stored(table)
    asked = itertools.count()
    table.db.execute("BEGIN")
    table.db.set_progress_handler(lambda: next(asked) > after, 1)
    with pytest.raises(apsw.InterruptError):
        for i in range(at, 3000):
            table.insert(i, ROWS[i])
    table.db.set_progress_handler(None)
    if table.db.in_transaction:  # the statement alone was interrupted, before it wrote
        table.db.execute("ROLLBACK")
    assert stored(table) == before
    grow(table, at, 3000)
    table.sound()
