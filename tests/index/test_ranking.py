"""Rows measured exactly: those that wait, those of a list, those of the forest; each once."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def mixed(forest, near):
    """1,200 rows in the forest and 60 that wait, which lie among them."""
    table = forest()
    table.command("absorb=0")
    return table.load(near[:60], 5000)


def test_waiting_rows_and_the_forests_come_in_one_order(mixed, near):
    for query in near[60:80]:
        rows = mixed.search(query, 12, 0.999)
        assert {id_ >= 5000 for id_, _ in mixed.exact(query, 200)} == {True, False}
        assert [id_ for id_, _ in rows] == [id_ for id_, _ in mixed.exact(query, 12)]
        assert [far for _, far in rows] == sorted(far for _, far in rows)


def test_listed_rows_are_measured_wherever_they_are(mixed, near):
    listed = [*range(0, 1200, 100), *range(5000, 5060, 10), 99_999]
    rows = mixed.search(near[70], 30, 0.9, "only = ?", json.dumps(listed))
    wanted = [id_ for id_, _ in mixed.exact(near[70], 1260) if id_ in set(listed)]
    assert [id_ for id_, _ in rows] == wanted
    assert len(rows) == len(listed) - 1


def test_a_search_that_goes_on_gives_each_row_once_and_in_order(mixed, near):
    sql = "SELECT id, distance FROM ann_search('v', ?, 1000000, .99)"
    rows = mixed.db.execute(sql, (near[75].astype("<f4").tobytes(),)).fetchall()
    assert len({id_ for id_, _ in rows}) == len(rows) >= 1260 * 0.99
    np.testing.assert_array_equal([far for _, far in rows], sorted(far for _, far in rows))


def test_a_waiting_row_that_goes_is_measured_no_more(mixed, near):
    query = near[5]
    assert mixed.search(query, 1)[0] == (5005, 0.0)
    mixed.delete([5005])
    assert 5005 not in [id_ for id_, _ in mixed.search(query, 1260, 1)]
