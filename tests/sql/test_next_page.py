"""after_distance and after_id: the next page of a search begins behind the last row of the one before."""

from __future__ import annotations

import numpy as np
import pytest

from tests import groups
from tests.sql.test_groups import at_most

AFTER = "after_distance = ? AND after_id = ?"


def pages(search, k: int, recall: float | None = None, where: str = "true", *more) -> list[tuple]:
    """All rows, page by page, until one is empty."""
    rows: list[tuple] = []
    page = search(k, recall, where, *more)
    while page:
        rows += page
        id_, distance = page[-1]
        page = search(k, recall, f"{AFTER} AND {where}", distance, id_, *more)
    return rows


@pytest.mark.parametrize("metric", ["l2", "l1", "cosine", "angular", "dot"])
def test_pages_give_every_row_once_and_in_order(forest, queries, metric):
    table = forest(metric)
    for k in (1000, 350):
        rows = pages(lambda *of: table.search(queries[0], *of), k, 1)
        assert rows == table.exact(queries[0])


def test_pages_of_many_ties_and_duplicates(db, load, rng):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=l2)")
    ids = rng.permutation(500).astype(np.int64)
    load(db, ids, rng.integers(0, 2, (500, 2)).astype(np.float32))
    sql = "SELECT id, distance FROM ann_search('v', '[0, 0]', ?, ?) WHERE {}"
    for k in (1, 7, 100):
        rows = pages(lambda k, recall, where, *more: db.execute(sql.format(where), (k, recall, *more)).fetchall(), k)
        assert rows == sorted(rows, key=lambda row: (row[1], row[0]))
        assert sorted(id_ for id_, _ in rows) == list(range(500))


def test_at_less_than_full_recall_nothing_comes_twice_and_the_pages_go_to_the_end(forest, queries):
    table = forest()
    for query in queries[:5]:
        rows = pages(lambda *of, query=query: table.search(query, *of), 100)
        assert rows == sorted(set(rows), key=lambda row: (row[1], row[0]))
        assert len(rows) >= 0.9 * len(table.ids)
        assert rows[-1] == table.exact(query)[-1]


def test_rows_that_come_and_go_between_pages_move_no_other(small):
    query, everything = "[0,0]", small.exact(np.zeros(2))
    first = small.search(query, 10)
    id_, distance = first[-1]
    small.db.execute("INSERT INTO v(rowid, embedding) VALUES (1000, '[0, 0]'), (1001, '[5, 5.5]')")
    small.db.execute("DELETE FROM v WHERE rowid = ?", (everything[12][0],))
    small.db.execute("DELETE FROM v WHERE rowid = ?", (id_,))
    rest = pages(lambda *of: small.search(query, *of), 9, None, "max_distance = 7.1")  # all there are now
    behind = small.search(query, 100, None, AFTER, distance, id_)
    expected = [row for row in everything[10:] if row != everything[12]]
    assert [row for row in behind if row[0] != 1001] == expected
    assert [row for row in rest if row in set(behind)] == [row for row in behind if row[1] <= 7.1]


def test_pages_of_the_neighbours_of_a_row_and_of_its_duplicates(db, load):
    """The row itself is first, before duplicates with smaller ids: these are behind it all the same."""
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=l2)")
    load(db, np.arange(1, 31), np.repeat(np.arange(6), 5)[:, None].astype(np.float32) * [[1, 1]])
    sql = "SELECT id, distance FROM ann_search_item('v', 4, ?, ?) WHERE {}"
    everything = db.execute(sql.format("true"), (30, 1)).fetchall()
    assert [id_ for id_, _ in everything[:5]] == [4, 1, 2, 3, 5]

    def search(k, recall, where, *more):
        return db.execute(sql.format(where), (k, recall, *more)).fetchall()

    for k in (1, 2, 3, 4, 5, 6, 29):
        assert pages(search, k) == everything
        assert pages(search, k, None, "exclude_self = 1") == everything[1:]


def test_pages_are_the_parts_of_one_list_also_with_groups(forest, queries):
    table = forest()
    book = {int(id_): int(id_) % 97 for id_ in table.ids}
    where, more = "groups = ? AND max_per = 2", (groups.packed(book),)
    rows = pages(lambda *of: table.search(queries[0], *of), 30, 1, where, *more)
    assert rows == at_most(table.exact(queries[0]), book.get, 2)


def test_after_a_distance_alone_is_farther_than_that(small):
    everything = small.exact(np.zeros(2))
    far = everything[10][1]
    assert small.search("[0,0]", 100, None, "after_distance = ?", far) == [r for r in everything if r[1] > far]
    assert small.search("[0,0]", 100, None, "after_distance = ? AND max_distance = ?", far, far) == []
    assert small.search("[0,0]", 5, None, "after_distance = -9e999") == everything[:5]
    assert small.search("[0,0]", 5, None, "after_distance = 9e999") == []
    assert small.search("[0,0]", 5, None, "after_distance = NULL AND after_id = NULL") == everything[:5]


def test_a_page_by_limit_and_offset_is_the_same_at_one_k(forest, queries):
    table = forest()
    sql = "SELECT id, distance FROM ann_search('v', ?, 100) ORDER BY rank LIMIT 20 OFFSET {}"
    rows = [row for at in range(0, 100, 20) for row in table.db.execute(sql.format(at), (queries[0].tobytes(),))]
    assert rows == table.search(queries[0], 100)


def test_match_goes_on_behind_a_row(forest, queries):
    table = forest()
    everything = [id_ for id_, _ in table.exact(queries[0])]
    id_, distance = table.exact(queries[0], 10)[-1]
    sql = f"SELECT rowid FROM v WHERE embedding MATCH ? AND recall = 1 AND {AFTER} ORDER BY distance LIMIT 10"
    found = table.db.execute(sql, (queries[0].tobytes(), distance, id_)).fetchall()
    assert [i for (i,) in found] == everything[10:20]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("after_id = 5", "ann_search: expected after_distance with after_id, got none"),
        ("after_distance = 'x'", "ann_search: expected after_distance to be a number, got text"),
        ("after_distance = 1 AND after_id = 'x'", "ann_search: expected after_id to be a whole number from -"),
        ("after_distance = 1 AND after_id = 1.5", "ann_search: expected after_id to be a whole number from -"),
        ("after_distance = 1 AND diversity = 0.5", "ann_search: expected after_distance or diversity, got both"),
    ],
)
def test_what_is_refused(small, refused, where, message):
    refused(small.db, f"SELECT * FROM ann_search('v', '[0,0]') WHERE {where}", (), message)
