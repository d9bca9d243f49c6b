"""How much work a recall needs, from the stored calibration."""

from __future__ import annotations

import numpy as np
import pytest

from tests import oracle


def work(table, queries, k, recall):
    """Entries inspected by all the searches together."""
    total = 0
    for query in queries:
        table.search(query, k, recall)
        total += table.info("inspected")
    return total


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine", "angular", "l1", "dot"])
def test_work_grows_with_recall(forest, near, metric):
    table = forest(metric=metric)
    figures = [work(table, near[:20], 10, recall) for recall in (0.3, 0.5, 0.7, 0.8, 0.9)]
    assert figures == sorted(figures)
    assert figures[0] == figures[1] < figures[-1]  # 0.5 is the least that is measured


def test_work_grows_with_k(forest, near):
    table = forest()
    figures = [work(table, near[:20], k, 0.8) for k in (1, 5, 10, 20, 40)]
    assert figures == sorted(figures)
    assert figures[0] < figures[-1]


def test_the_grid_rises_along_recall(forest):
    grid = np.array(forest().index.calibration)
    assert grid.shape == (len(oracle.EFFORT_KS), len(oracle.EFFORT_RECALLS), 3)
    assert (np.diff(grid[:, :, 1:], axis=1) >= 0).all()


def test_without_a_calibration_half_of_the_rows_are_looked_at(forest, near):
    table = forest()
    table.db.execute("DELETE FROM v_config WHERE id = 3")
    table.search(near[0], 1, 0.9)
    assert 600 <= table.info("inspected") < 600 + 32
    assert table.recall(near[:30], 10) > 0.8


def test_search_k_bounds_the_work(forest, near):
    table = forest()
    for search_k in (50, 200, 1000):
        table.search(near[0], 10, None, "search_k = ?", search_k)
        assert table.info("inspected") == search_k


def test_efforts_alone_guess_without_a_calibration_and_remember_one(parts):
    lib, ffi = parts.lib, parts.ffi
    efforts = parts.made("AnnEfforts", lib.ann_efforts_new, lib.ann_efforts_free, parts.handle, parts.state, 2)
    parts.state.placed = parts.state.calibrated_rows = 5000
    out = ffi.new("AnnEffort *")
    assert lib.ann_effort_for(efforts, 10, 0.9, out) == 0
    assert (out.reach, out.inspect, out.keep) == (0, 2500, 400)
    grid = ffi.new("AnnEffortGrid *")
    for k in range(lib.ANN_EFFORT_KS):
        for recall in range(lib.ANN_EFFORT_RECALLS):
            grid.cells[k][recall].inspect, grid.cells[k][recall].keep = 100, 60
    assert lib.ann_effort_save(efforts, grid) == 0
    assert (lib.ann_effort_for(efforts, 10, 0.9, out), out.inspect, out.keep) == (0, 100, 60)
    parts.db.execute("UPDATE v_config SET value = x'00' WHERE name = 'calibration'")
    assert lib.ann_effort_for(efforts, 10, 0.9, out) == 0  # remembered
    lib.ann_efforts_drop(efforts)
    assert lib.ann_effort_for(efforts, 10, 0.9, out) == lib.ANN_CORRUPT
    assert parts.sentence == "ann table v: config row 3 is damaged; rebuild it"
