"""The walk through directories to the leaves."""

from __future__ import annotations

import struct

import apsw
import pytest

from tests import alter, oracle


def test_trees_of_several_levels_have_their_leaves_at_the_bottom(forest):
    table = forest(trees=1)
    ((depth, directories, leaves),) = table.db.execute("SELECT depth, directories, leaves FROM ann_trees('v')")
    index = table.sound()
    assert directories > 1
    assert leaves == len(index.leaves(0))
    top = index.page(index.roots[0])
    assert top.level >= 2
    assert depth in (top.level, top.level + 1)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_a_walk_over_several_levels_finds_most_neighbours_early(forest, near, metric):
    """A tenth of the entries is enough for eight of ten neighbours."""
    table = forest(trees=1, metric=metric)
    found = 0
    for query in near[:50]:
        rows = table.search(query, 10, None, "search_k = 120")
        found += len({id_ for id_, _ in rows} & {id_ for id_, _ in table.exact(query)})
    assert found / 500 > 0.8


@pytest.mark.parametrize("trees", [1, 2, pytest.param(5, marks=pytest.mark.slow)])
def test_a_walk_to_the_end_reads_every_entry(forest, near, trees):
    table = forest(trees=trees)
    rows = table.search(near[0], 10, None, "search_k = 1000000")
    assert table.info("inspected") == 1200 * trees
    assert [id_ for id_, _ in rows] == [id_ for id_, _ in table.exact(near[0])]


def test_leaves_come_nearest_first(forest, near):
    """A query that is a row is found in the first leaves that are read."""
    table, index = forest(), forest().index
    at_once = sum(table.search(index.vector(id_), 1, None, "search_k = 64")[0][1] == 0 for id_ in range(0, 1200, 24))
    assert at_once >= 45


# --- what all walks share --------------------------------------------------------------------------

WAYS = {
    "a search": lambda table, near: table.search(near[0], 10, None, "search_k = 1000000"),
    "an insert": lambda table, near: table.insert(90_000, near[0]),
    "a build": lambda table, near: table.load(near, 90_000).command("optimize"),
    "a calibration": lambda table, near: table.command("optimize"),
}


def set_children(table, page, number: int) -> None:
    """All children of a directory get that number."""
    start = oracle.HEADER + oracle.CENTRE + page.length
    alter.page(
        table.db, "v", page.number, lambda data: struct.pack_into(f"<{page.n}q", data, start, *page.n * [number])
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [0, -1, 2**32, 2**32 + 1])
def test_a_child_that_is_no_page_number_is_told_alike_by_all(forest, near, way, number):
    table = forest(trees=1)
    page = table.index.page(table.index.roots[0])
    while page.level > 1:
        page = table.index.page(page.ids[0])
    set_children(table, table.index.page(page.parent), number)
    alter.state(table.db, "v", changes=1000)
    with pytest.raises(apsw.CorruptError, match=f"^ann table v: page {page.parent} is damaged; rebuild it$"):
        WAYS[way](table, near)


@pytest.mark.parametrize("way", ["a search", "a calibration"])
def test_a_leaf_that_is_no_page_number_is_told_alike(forest, near, way):
    """By whoever looks at all leaves; an insert looks at the nearest alone."""
    table = forest(trees=2)
    page = table.index.page(table.index.roots[1])
    while page.level > 1:
        page = table.index.page(page.ids[-1])
    set_children(table, page, 2**32)
    alter.state(table.db, "v", changes=1000)
    with pytest.raises(apsw.CorruptError, match=f"page {page.number} is damaged"):
        WAYS[way](table, near)
