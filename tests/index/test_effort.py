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
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
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
