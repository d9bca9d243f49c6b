"""The measured recall is that of the searches it stands for."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
def test_it_agrees_with_searches_for_other_rows(forest, near, metric):
    """Queries like the rows, compared with numpy, come out within the interval, a little widened for being others."""
    table = forest(metric=metric)
    sql = "SELECT recall, low, high FROM ann_recall('v', 10, 600) WHERE wanted_recall = 0.8"
    ((recall, low, high),) = table.db.execute(sql)
    assert low < recall <= high
    assert low - 0.05 < table.recall(near[300:500], 10, 0.8) < high + 0.05


def test_ties_at_the_last_distance_count_as_found(table):
    """Four corners of a square, each row many times: any of the equally near will do."""
    corners = [[0, 0], [0, 1], [1, 0], [1, 1]]
    table.create(d=2)
    for id_ in range(200):
        table.db.execute("INSERT INTO v(rowid, e) VALUES (?, ?)", (id_, str(corners[id_ % 4])))
    assert table.db.execute("SELECT recall FROM ann_recall('v', 3, 200, 0.5)").get == 1
