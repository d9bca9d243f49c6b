"""The rows of one table beside the nearest of another: the parts in which they come."""

from __future__ import annotations

import numpy as np
import pytest

JOIN = "SELECT left_id, id, distance FROM ann_join('v', 'v', 1)"


def lefts(rows):
    return [left for left, *_ in rows]


@pytest.mark.parametrize("n", [255, 256, 257, 1279, 1280, 1281])
def test_every_row_comes_once_where_parts_end(table, near, n):
    table.create().load(near[:n], first=-40, step=3)
    assert lefts(table.db.execute(JOIN)) == list(range(-40, 3 * n - 40, 3))


def test_a_part_is_read_when_the_one_before_is(forest):
    """256 rows, then four times as many."""
    table, sizes = forest(), []
    before = table.info("searches")
    for at, _ in enumerate(table.db.execute(JOIN)):
        now = table.info("searches")
        if now != before:
            sizes.append((at, now - before))
        before = now
    assert sizes == [(0, 256), (256, 944)]


def test_vectors_that_are_large_come_in_smaller_parts(table):
    """32 MiB of a part: 65,536 components are 256 KiB as a query, and as many in a pass."""
    table.create(d=65536, metric="l2")
    rows = np.zeros((100, 65536), np.float32)
    rows[:, 0] = range(100)
    table.load(rows)
    before = table.info("searches")
    found = table.db.execute(JOIN)
    next(found)
    assert 50 < table.info("searches") - before < 100
    assert lefts(found) == list(range(1, 100))


def test_rows_written_while_it_is_read_are_in_the_parts_that_come(forest, near):
    table = forest()
    found = table.db.execute(JOIN)
    next(found)
    table.insert(10_000, near[0])
    table.delete([3, 1100])  # the one was read, the other was not
    assert lefts(found) == [*range(1, 1100), *range(1101, 1200), 10_000]
