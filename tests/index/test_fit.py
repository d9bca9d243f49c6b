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


@pytest.mark.slow
@pytest.mark.parametrize("life", ["loaded", "grown"])
def test_rows_find_themselves_among_counts_by_zipfs_law(table, life):
    """Most components are small and a few are huge, so that many rows are nearly parallel."""
    rng = np.random.default_rng(1)
    rows = np.minimum(rng.zipf(1.5, (5000, 32)), 1e6).astype(np.float32)
    table.create(d=32, metric="cosine", leaf_capacity=256)
    if life == "loaded":
        table.load(rows)
        table.command("rebuild")
    else:
        with table.db:
            for id_, row in enumerate(rows):
                table.insert(id_, row)
    found = [table.search(row, 1, 0.9)[0] for row in rows]
    assert np.mean([id_ == i or far < 3e-7 for i, (id_, far) in enumerate(found)]) >= 0.999


@pytest.mark.slow
def test_rows_of_wide_leaves_do_not_hide_a_row_from_itself(table):
    """Their estimates err by more than what is around a small row, and many fall below 0."""
    rng = np.random.default_rng(1)
    rows = np.minimum(rng.zipf(1.3, (10_000, 32)) - 1, 1e6).astype(np.float32)
    table.create(d=32, leaf_capacity=256)
    with table.db:
        for id_, row in enumerate(rows):
            table.insert(id_, row)
    found = [table.search(row, 1, 0.9)[0] for row in rows[:2000]]
    assert np.mean([far == 0 for _, far in found]) >= 0.998
