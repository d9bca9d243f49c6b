"""Searches for the next page, for so many of a group, and for rows that are not all alike, beside what SQL gives."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import AsyncIndex, Index, connect_async

BOOKS = {i: f"book {i % 3}" for i in range(30)}
QUERIES = [[1, 2], [3, 3], [9, 9]]


@pytest.fixture
def index(db, rng):
    """Thirty rows on a grid of nine points, so that many are as near as others."""
    index = Index.create(db, "v", 2, metric="l2")
    index.add(np.arange(30), rng.integers(0, 3, (30, 2)))
    return index


def test_pages_are_the_parts_of_one_list(index):
    whole = index.search([1, 2], k=30).to_list()
    pages, page = [], index.search([1, 2], k=7)
    while len(page.ids):
        pages += page.to_list()
        page = index.search([1, 2], k=7, after=(page.distances[-1], page.ids[-1]))
    assert pages == whole
    assert len(whole) == 30
    id_, distance = whole[6]
    assert index.search(np.array([1, 2], "f4"), k=7, after=(distance, id_)).to_list() == whole[7:14]
    assert (
        index.search_item(4, k=5, after=index.search_item(4, k=5).to_list()[-1][::-1]).to_list()
        == (index.search_item(4, k=10).to_list()[5:])
    )


def test_many_queries_go_on_each_behind_its_own_row(index):
    page = index.search(QUERIES, k=20)
    rest = index.search(QUERIES, k=20, after=(page.distances[:, -1], page.ids[:, -1]))
    for i, query in enumerate(QUERIES):
        assert page.to_list()[i] + rest.to_list()[i] == index.search(query, k=30).to_list()
    over = index.search(QUERIES, k=20, after=(rest.distances[:, -1], rest.ids[:, -1]))
    assert over.to_list() == [[], [], []]
    items = index.search_item([3, 4], k=20)
    rest = index.search_item([3, 4], k=20, after=(items.distances[:, -1], items.ids[:, -1]))
    assert [len(found) for found in rest.to_list()] == [9, 9]


def test_so_many_of_a_group_come(index):
    found = index.search([1, 2], k=4, per=(BOOKS, 2))
    nearest = index.search([1, 2], k=30).to_list()
    firsts = [row for i, row in enumerate(nearest) if sum(b % 3 == row[0] % 3 for b, _ in nearest[:i]) < 2]
    assert found.to_list() == firsts[:4]
    blob = index.db.execute("SELECT ann_groups(id, id % 3) FROM ann_ids(?)", (np.arange(30),)).get
    assert index.search(QUERIES, k=4, per=(blob, 2)).to_list()[0] == firsts[:4]
    assert index.search([1, 2], k=2, per=(BOOKS, 2), after=firsts[1][::-1]).to_list() == firsts[2:4]
    ids = index.search_item([5, 6], k=9, per=(BOOKS, 1)).ids
    assert (ids >= 0).sum(axis=1).tolist() == [3, 3]


def test_rows_that_are_not_all_alike_come_in_order_of_rank(db, index):
    sql = "SELECT id, distance FROM {}('v', ?, 6) WHERE diversity = 0.7{} ORDER BY rank"
    expected = db.execute(sql.format("ann_search", ""), ("[1, 2]",)).fetchall()
    assert index.search([1, 2], k=6, diversity=0.7).to_list() == expected
    assert expected != index.search([1, 2], k=6).to_list()
    assert index.search(QUERIES, k=6, diversity=0.7).to_list()[0] == expected
    item = db.execute(sql.format("ann_search_item", " AND exclude_self = 1"), (4,)).fetchall()
    assert index.search_item(4, k=6, diversity=0.7).to_list() == item


def test_keys_are_told_of_pages_groups_and_diversity(db, index):
    keyed = Index.create(db, "track", 2, metric="l2", key="title")
    keyed.add([f"no {i}" for i in range(30)], index.get(np.arange(30)))
    books = {f"no {i}": book for i, book in BOOKS.items()}
    assert keyed.search([1, 2], k=4, per=(books, 2)).ids.tolist() == (
        [f"no {i}" for i in index.search([1, 2], k=4, per=(BOOKS, 2)).ids]
    )
    page = keyed.search([1, 2], k=20)
    rest = keyed.search([1, 2], k=20, after=(page.distances[-1], page.ids[-1]))
    assert sorted([*page.ids, *rest.ids]) == sorted(books)
    many = keyed.search(QUERIES, k=20)
    rest = keyed.search(QUERIES, k=20, after=(many.distances[:, -1], many.ids[:, -1]))
    assert [len(found) for found in rest.to_list()] == [10, 10, 10]
    over = keyed.search(QUERIES, k=20, after=(rest.distances[:, -1], rest.ids[:, -1]))
    assert over.to_list() == [[], [], []]
    alike, unlike = (keyed.search_item("no 4", k=6, diversity=d).ids.tolist() for d in (0, 0.7))
    assert alike == keyed.search_item("no 4", k=6).ids.tolist() != unlike
    with pytest.raises(KeyError, match="never"):
        keyed.search([1, 2], after=(1.0, "never"))
    with pytest.raises(TypeError, match=r"after: expected a pair, \(distance, id\), got 3"):
        keyed.search([1, 2], after=3)


def test_programs_that_await_ask_for_pages_too():
    async def pages():
        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=1, metric="l2")
            await index.add([1, 2, 3], [[10], [20], [30]])
            return (await index.search([10], k=5, after=(0.0, 1))).ids.tolist()

    assert asyncio.run(pages()) == [2, 3]


@pytest.mark.parametrize(
    ("query", "asked", "said"),
    [
        ([1, 2], {"after": 3}, "after: expected a pair, (distance, id), got 3"),
        ([1, 2], {"after": (7, 0.25)}, "after: expected a whole number, got 0.25"),
        ([1, 2], {"after": ("a", 2)}, "after: expected a number, got 'a'"),
        ([1, 2], {"after": (float("nan"), 2)}, "after: expected a number, got nan"),
        ([1, 2], {"after": (1.0, [2])}, "after: expected one distance and one id, got 1"),
        (QUERIES, {"after": ([1.0, 2.0], [2, 3])}, "after: expected as many distances and ids as queries, 3, got 2"),
        ([1, 2], {"after": (1.0, 2), "diversity": 0.5}, "ann_search: expected after_distance or diversity, got both"),
        ([1, 2], {"diversity": 3}, "ann_search: expected diversity to be from 0 to 1, got 3.0"),
        ([1, 2], {"per": 3}, "per: expected a pair, (groups, rows of each), got 3"),
    ],
)
def test_what_is_no_choice_is_refused_by_a_sentence(index, query, asked, said):
    with pytest.raises((TypeError, ValueError, sqlite_ann.Error), match=f"^{re.escape(said)}$"):
        index.search(query, **asked)
