"""Searches that find what is known to be there: the same however pages are read."""

from __future__ import annotations

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
