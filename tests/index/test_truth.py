"""One pass of exact comparisons, seen through ann_recall: whatever the metric, the length, the magnitude."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import clustered

ROWS, K, SAMPLE = 1100, 25, 45


def recall_by_numpy(table, asked):
    """The share of their exact neighbours that the sampled rows' searches find."""
    ids, vectors = table.index.array()
    shares = []
    for i in range(SAMPLE):
        at = (2 * i + 1) * len(ids) // (2 * SAMPLE)
        true = [id_ for id_, _ in table.exact(vectors[at], K + 1) if id_ != ids[at]][:K]
        sql = "SELECT id FROM ann_search_item('v', ?, ?, ?) WHERE exclude_self = 1"
        found = {id_ for (id_,) in table.db.execute(sql, (int(ids[at]), K, asked))}
        shares.append(len(found.intersection(true)) / K)
    return np.mean(shares)


@pytest.mark.parametrize("metric", ["l2", "cosine", "angular", "l1", "dot"])
@pytest.mark.parametrize(("d", "scale"), [(3, 1.0), (16, 1e-18), (16, 1e-22), (50, 1.0), (17, 1e15)])
def test_what_sums_of_floats_leave_out_is_never_a_neighbour(table, metric, d, scale):
    if metric == "dot" and scale < 1e-20:
        pytest.skip("products of 1e-44 are no floats to compare")
    table.create(d=d, metric=metric).load((scale * clustered(ROWS, d, d)).astype(np.float32))
    table.command("rebuild")
    measured = table.db.execute("SELECT recall FROM ann_recall('v', ?, ?, 0.05)", (K, SAMPLE)).get
    assert measured < 1
    assert measured == pytest.approx(recall_by_numpy(table, 0.05), abs=1e-9)


def test_a_sum_beyond_a_float_is_compared_exactly(table):
    table.create(d=4, metric="l2").load((1e30 * clustered(300, 5, 4)).astype(np.float32))
    assert table.db.execute("SELECT recall FROM ann_recall('v', 10, 30)").get == 1


@pytest.mark.parametrize("rows", [2, 5, 17])
def test_fewer_rows_than_neighbours_are_all_neighbours(table, rows):
    table.create(d=3).load(clustered(rows, 1, 3))
    assert table.db.execute("SELECT k, sample, recall FROM ann_recall('v', 50, 20)").get == (50, rows, 1)
