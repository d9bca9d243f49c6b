"""Runs of ids that are not yet in the forest."""

from __future__ import annotations

import numpy as np
import pytest


def test_ids_that_rise_make_one_run_whatever_gaps_they_leave(table, near):
    table.create().load(near[:300], first=10, step=7)
    assert table.index.waiting == [(10, 10 + 7 * 299)]
    table.sound()


def test_ids_that_follow_one_another_join_a_run_over_many_statements(table, near):
    table.create()
    for id_ in (1, 2, 3, 10, 11, 5):
        table.insert(id_, near[id_])
    assert table.index.waiting == [(1, 3), (5, 5), (10, 11)]
    table.sound()


@pytest.mark.parametrize("ids", [(90, 80), (90, 91, 80), (90, 80, 100), (90, 80, 90 + 1, 70), (-5, -9, 30, 25)])
def test_ids_in_any_order_all_wait_when_they_come_in_one_transaction(table, near, ids):
    """None of their runs is written before the end."""
    table.create().load(near[:20])
    with table.db:
        for i, id_ in enumerate(ids):
            table.insert(id_, near[100 + i])
    table.sound()
    table.load(near[200:1400], first=5000)
    table.command("optimize")
    table.sound()
    for i, id_ in enumerate(ids):
        assert table.search(near[100 + i], 1, 0.99) == [(id_, 0.0)]


def test_a_row_inserted_singly_inside_a_run_waits(forest, near):
    table = forest()
    table.command("absorb=0")
    table.load(near[:300], first=5000, step=2)
    waiting = table.index.waiting
    assert len(waiting) == 1  # the first rows of a statement go straight into the forest
    first, last = waiting[0]
    table.insert(first + 1, near[500])
    assert first + 1 < last
    assert first + 1 not in table.sound().places
    assert table.index.waiting == waiting
    assert table.search(near[500], 1) == [(first + 1, 0.0)]


@pytest.mark.slow
def test_a_slice_takes_the_front_of_a_run_and_the_rest_is_still_found(forest, near):
    table = forest()
    table.command("absorb=0")
    table.load(near[:300], first=5000)
    (run,) = table.index.waiting
    table.command("optimize", 20)
    ((first, last),) = table.index.waiting
    assert run[0] < first <= last == run[1]
    index = table.sound()
    assert first - 1 in index.places
    assert first not in index.places
    for id_ in (run[0], first - 1, first, last):
        assert id_ in [found for found, _ in table.search(index.vector(id_), 5, 0.99)]


def test_deleting_a_waiting_row_costs_no_run_and_its_id_may_come_back(table, near):
    table.create().load(near[:300])
    table.delete([100, 299, 0])
    assert table.index.waiting == [(0, 299)]
    table.insert(100, near[7])
    assert table.index.waiting == [(0, 299)]
    index = table.sound()
    np.testing.assert_array_equal(index.vector(100), near[7])
    assert index.state["rows"] == 298


def test_ranges_alone_grow_in_memory_until_they_are_written(parts):
    lib, ffi, source = parts.lib, parts.ffi, parts.source()
    waiting = parts.made("AnnWaiting", lib.ann_waiting_new, lib.ann_waiting_free, parts.handle, source)
    waits, ends = ffi.new("int *"), ffi.new("int64_t[2]")
    for id_ in (4, 5, 9):
        parts.db.execute("INSERT INTO v_vectors VALUES (?, zeroblob(12))", (id_,))
        assert lib.ann_waiting_add(waiting, id_) == 0
    assert parts.rows("SELECT * FROM v_waiting") == []
    assert (lib.ann_waiting_range(waiting, -(2**63), ends, ends + 1, waits), waits[0], list(ends)) == (0, 1, [4, 9])
    assert not lib.ann_waiting_is_clean(waiting)
    assert (lib.ann_waiting_flush(waiting), lib.ann_waiting_is_clean(waiting)) == (0, 1)
    assert parts.rows("SELECT * FROM v_waiting") == [(4, 9)]
    assert lib.ann_waiting_shrink(waiting, 4, 9, 5) == 0
    assert parts.rows("SELECT * FROM v_waiting") == [(6, 9)]
    for id_, expected in ((5, 0), (6, 1), (9, 1), (10, 0)):
        assert (lib.ann_waiting_has(waiting, id_, waits), waits[0]) == (0, expected)
    parts.db.execute("UPDATE v_waiting SET last = 2")
    lib.ann_waiting_drop(waiting)
    assert lib.ann_waiting_has(waiting, 7, waits) == lib.ANN_CORRUPT
    assert parts.sentence == "ann table v: waiting run 6 is damaged; rebuild it"
