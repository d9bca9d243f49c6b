"""The k nearest rows of a vector."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.mark.parametrize("metric", ["l2", *(pytest.param(it, marks=pytest.mark.slow) for it in ("cosine", "dot"))])
def test_recall_one_is_what_numpy_finds(forest, near, metric):
    table = forest(metric=metric)
    table.command("absorb=0")
    table.load(near[:100], 5000)
    for query in near[200:220]:
        rows, wanted = table.search(query, 15, 1), table.exact(query, 15)
        assert table.info("inspected") == 1300
        assert [id_ for id_, _ in rows] == [id_ for id_, _ in wanted]
        np.testing.assert_allclose([far for _, far in rows], [far for _, far in wanted], rtol=1e-5, atol=1e-5)


def test_fewer_are_inspected_as_recall_falls(forest, near):
    table = forest()
    inspected = []
    for recall in (1, 0.8, 0.5):
        table.search(near[0], 5, recall)
        inspected.append(table.info("inspected"))
    assert inspected[0] == 1200
    assert inspected[2] <= inspected[1] < 1200


def test_few_ids_are_scored_one_by_one(forest, near):
    table = forest()
    few = json.dumps(list(range(0, 1200, 150)))
    rows = table.search(near[0], 5, 0.5, "id IN (SELECT value FROM json_each(?))", few)
    assert table.info("inspected") == 8
    wanted = [id_ for id_, _ in table.exact(near[0], 1200) if id_ % 150 == 0][:5]
    assert [id_ for id_, _ in rows] == wanted


def test_distances_are_exact_whatever_the_recall(forest, near):
    table = forest()
    index = table.index
    for query in near[:10]:
        for id_, distance in table.search(query, 10, 0.5):
            assert distance == pytest.approx(float(np.linalg.norm(index.vector(id_) - query)), rel=1e-5)


def test_no_row_comes_twice_and_none_is_missing(forest, near):
    """Every row is in two leaves and may wait too; k beyond the number of rows gives all."""
    table = forest()
    table.load(near[:90], 5000)
    for k in (1, 50, 3000):
        ids = [id_ for id_, _ in table.search(near[0], k)]
        assert len(ids) == len(set(ids)) == min(k, 1290)
