"""Many vectors searched for together: each has what a search for it alone finds, whatever is in memory."""

from __future__ import annotations

import numpy as np
import pytest

D = 8
ITEMS = """SELECT l.rowid, s.id, s.distance FROM v AS l, ann_search_item('v', l.rowid, ?, ?) AS s
           WHERE s.exclude_self = 1 ORDER BY l.rowid, s.rank"""
GRAPH = "SELECT left_id, id, distance FROM ann_graph('v', ?, ?)"
QUERIES = "CREATE VIRTUAL TABLE q USING ann(e float32[8])"


def both(table, k=10, recall=None):
    """One search a row, and all together."""
    return (table.db.execute(sql, (k, recall)).fetchall() for sql in (ITEMS, GRAPH))


def together(table, queries, k=10, recall=None):
    """The rows of each query, in order."""
    table.db.execute(QUERIES)
    sql = "INSERT INTO q(rowid, e) SELECT n, vector FROM ann_rows(?, 8)"
    table.db.execute(sql, (queries.astype("<f4").tobytes(),))
    found = [[] for _ in queries]
    for left, id_, far in table.db.execute("SELECT left_id, id, distance FROM ann_join('q', 'v', ?, ?)", (k, recall)):
        found[left].append((id_, far))
    table.db.execute("DROP TABLE q")
    return found


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 511, 512, 513, 1100])
def test_any_number_of_vectors(forest, near, n):
    """With an order and without, in one group or several, in one part or several."""
    table = forest()
    assert together(table, near[:n]) == [table.search(query) for query in near[:n]]


@pytest.mark.parametrize("options", [{}, {"trees": 1}, {"trees": 4}, {"metric": "dot"}, {"metric": "cosine"}])
def test_in_every_forest(forest, options):
    alone, all_ = both(forest(**options))
    assert all_ == alone


@pytest.mark.parametrize("k", [1, 100, 256])
def test_for_any_k_and_recall(forest, k):
    for recall in (0.5, 0.99):
        alone, all_ = both(forest(), k, recall)
        assert all_ == alone


def test_vectors_without_a_direction_are_compared_with_every_row(forest, near):
    table = forest(metric="cosine")
    queries = near[:300].copy()
    queries[::3] = 0
    assert together(table, queries) == [table.search(query) for query in queries]


def test_vectors_that_are_equal_or_wild(forest, near):
    queries = np.vstack([near[:1].repeat(200, axis=0), 1e30 * near[:20], -near[:100], 1e-30 * near[:20]])
    table = forest()
    assert together(table, queries) == [table.search(query) for query in queries]


def test_what_is_not_in_memory_is_read_by_the_thread_of_the_statement(forest, near):
    """Little by little more of it is there, and the rows are the same."""
    table = forest()
    wanted = [table.search(query) for query in near[:700]]
    for megabytes in (0, 1):
        table.command(f"cache_mb={megabytes}")
        assert together(table, near[:700]) == wanted
    table.command("cache_mb=256")
    assert together(table, near[:700]) == wanted


def test_waiting_rows_are_read_once_for_all(forest, near):
    table = forest()
    table.command("absorb=0")
    table.load(near[1200:1400], first=5000)
    table.delete([5003, 17])
    table.load(near[1400:1500], first=9000, step=3)
    assert table.info("waiting") > 150
    assert together(table, near[:600]) == [table.search(query) for query in near[:600]]


def test_each_vector_is_counted_as_a_search(forest, near):
    table = forest()
    before = table.info("searches")
    together(table, near[:100])
    assert table.info("searches") == before + 100
