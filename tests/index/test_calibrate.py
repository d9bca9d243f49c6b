"""Measured effort: when it is measured, and that it keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.slow
def test_a_thirtieth_of_changes_makes_it_anew_at_optimize(forest, near):
    table = forest()
    assert (table.info("calibrated_rows"), table.info("changes")) == (1200, 0)
    table.delete(list(range(37)))
    before = table.index.calibration
    table.command("optimize")
    assert (table.info("calibrated_rows"), table.info("changes")) == (1200, 37)
    assert table.index.calibration == before
    table.delete([37])
    table.command("optimize")
    assert (table.info("calibrated_rows"), table.info("changes")) == (1162, 0)
    assert table.index.calibration != before
    table.sound()


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine", "angular", "l1", "dot"])
def test_searches_find_what_they_were_asked_for(forest, near, metric):
    table = forest(metric=metric)
    for recall in (0.5, 0.9):
        assert table.recall(near[:60], 10, recall) > recall - 0.05


@pytest.mark.slow
def test_products_have_no_reach(forest):
    grid = np.array(forest(metric="dot").index.calibration)
    assert (grid[:, :, 0] == 0).all()
    assert (np.array(forest(metric="l2").index.calibration)[1, :, 0] > 0).all()


@pytest.mark.slow
def test_it_is_the_same_every_time(forest, vectors, table):
    first = forest().index.calibration
    table.db.execute("DROP TABLE v")
    table.create().load(vectors)
    assert table.index.calibration == first
