"""Many vectors in parts: few at first, and all of them where all answers are wanted."""

from __future__ import annotations

import numpy as np
import pytest

ROWS = "SELECT query, id, distance FROM ann_search_many('v', ?, 2)"
WHOLE = "SELECT all_ids FROM ann_search_many('v', ?, 2) LIMIT 1"


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1279, 1280, 1281])
def test_every_vector_comes_once_where_parts_end(forest, near, n):
    queries = near[:n].astype("<f4").tobytes()
    rows = forest().db.execute(ROWS, (queries,)).fetchall()
    assert [query for query, *_ in rows] == np.arange(n).repeat(2).tolist()


def sizes(table, sql, queries):
    """Searches made before a row came, where there were any."""
    found, before = [], table.info("searches")
    for at, _ in enumerate(table.db.execute(sql, (queries.astype("<f4").tobytes(),))):
        now = table.info("searches")
        if now != before:
            found.append((at, now - before))
        before = now
    return found


def test_a_part_is_searched_for_when_the_one_before_is_read(forest, near):
    table = forest()
    assert sizes(table, ROWS, near[:1500]) == [(0, 256), (512, 1024), (2560, 220)]


def test_who_reads_all_answers_at_once_has_them_at_the_first_row(forest, near):
    assert sizes(forest(), WHOLE, near[:1500]) == [(0, 1500)]


def test_a_part_has_as_many_answers_as_there_is_memory_for(forest, near):
    """32 MB of answers of 1,200 rows each: two parts, and the same rows as one by one."""
    table = forest()
    sql = "SELECT all_ids FROM ann_search_many('v', ?, 1200) LIMIT 1"
    queries = near[:1500].repeat(2, axis=0)
    ids = np.frombuffer(table.db.execute(sql, (queries.astype("<f4").tobytes(),)).get, "<i8").reshape(3000, 1200)
    assert table.info("searches") == 3000
    for at in (0, 1500, 2999):
        assert ids[at].tolist() == [id_ for id_, _ in table.search(queries[at], 1200)]
