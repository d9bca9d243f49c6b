"""From what sampled neighbours cost to what a search has to do: the recall that is asked for, for every k."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import clustered


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 10, 100])
def test_every_k_gets_its_recall(table, k):
    rows, queries = np.split(clustered(6600, 9, 16), [6000])
    table.create(d=16).load(rows)
    table.command("rebuild")
    for recall in (0.7, 0.9, 0.98):
        assert table.recall(queries, k, recall) > recall - 0.02


@pytest.mark.slow
def test_columns_of_very_different_width(table):
    """A search opens directories by estimates; the fit has to know what these are worth."""
    rng = np.random.default_rng(0)
    n = 20_300
    people = np.column_stack(
        [rng.normal(40, 12, n), rng.lognormal(10, 1, n), rng.normal(170, 10, n), rng.normal(70, 15, n)]
    ).astype(np.float32)
    table.create(d=4, leaf_capacity=256).load(people[:20_000])
    table.command("rebuild")
    for recall in (0.95, 0.99):
        assert table.recall(people[20_000:], 10, recall) > recall - 0.015
