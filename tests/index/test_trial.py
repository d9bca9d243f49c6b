"""Searches that find what is known to be there: the same however pages are read."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import clustered


@pytest.mark.slow
def test_calibration_does_not_depend_on_memory_or_threads(table):
    found = []
    for options in ({"threads": 1}, {"threads": 3}, {"threads": 3, "cache_mb": 0}):
        table.db.execute("DROP TABLE IF EXISTS v")
        table.create(**options).load(clustered(2500, 3))
        table.command("rebuild")
        found.append(table.index.calibration)
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.slow
def test_a_recall_needs_no_more_than_all_entries(forest):
    grid = forest().index.calibration
    assert all(0 < inspect <= 2 * 1200 for row in grid for _, inspect, _ in row)


@pytest.mark.slow
def test_neighbours_behind_thousands_of_estimates_are_ranked_too(table):
    """Where single components decide the order by l2, on which estimates go, that of l1 is another."""
    rng = np.random.default_rng(0)
    centres = 4 * rng.standard_normal((300, 48))
    points = (centres[rng.integers(0, 300, 10_100)] + rng.standard_t(1.2, (10_100, 48))).astype(np.float32)
    table.create(d=48, metric="l1", leaf_capacity=256).load(points[:10_000])
    table.command("rebuild")
    assert table.recall(points[10_000:], 100, 0.9) > 0.9
