"""A search is traced only when it is explained, and what was traced belongs to it alone."""

from __future__ import annotations


def counts(table, query, k=10):
    sql = "SELECT step, count, bytes FROM ann_explain('v', ?, ?)"
    return table.db.execute(sql, (query.astype("<f4").tobytes(), k)).fetchall()


def test_the_same_search_again_has_the_same_counts(forest, near):
    table = forest()
    counts(table, near[0])
    assert counts(table, near[0]) == counts(table, near[0])


def test_other_searches_in_between_are_not_counted(forest, near):
    table = forest()
    table.search(near[0])
    before = counts(table, near[0])
    table.search(near[0], 200, 0.99)
    assert counts(table, near[0]) == before


def test_an_explained_search_finds_what_others_find(forest, near):
    table = forest()
    found = table.search(near[0], 25)
    assert {step: n for step, n, _ in counts(table, near[0], 25)}["found"] == len(found)
