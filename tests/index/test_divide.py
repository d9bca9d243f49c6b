"""A full page becomes two, and its parent learns of it."""

from __future__ import annotations

import numpy as np
import pytest


def depth(table):
    return table.db.execute("SELECT max(depth) FROM ann_trees('v')").get


def test_a_leaf_divides_when_one_more_than_its_capacity_comes(forest):
    table = forest(trees=1)
    leaf, index = table.leaf_with(0), table.index
    for i in range(32 - leaf.n):
        table.insert(5000 + i, index.vector(0))
    assert table.leaf_with(0).n == 32
    assert table.index.state["leaf_pages"] == index.state["leaf_pages"]
    table.insert(6000, index.vector(0))
    after = table.sound()
    assert after.state["leaf_pages"] == index.state["leaf_pages"] + 1
    old, new = after.page(leaf.number), after.page(after.state["last_page"])
    assert old.parent == new.parent == leaf.parent
    assert old.n + new.n == 33
    assert min(old.n, new.n) >= 8
    parent = after.page(leaf.parent)
    assert {old.number, new.number} <= set(parent.ids)
    assert parent.children[parent.ids.index(new.number)] == new.centre


@pytest.mark.slow
def test_directories_divide_into_a_new_level(table, near):
    table.create(trees=1, leaf_capacity=64)
    table.command("absorb=0")
    table.load(near[:1000])
    table.command("optimize")
    before = depth(table), table.info("planted_rows")
    for first, rows in (
        (5000, 990),
        (10_000, 1900),
        (20_000, 3600),
    ):  # never more than are placed: nothing is planted anew
        table.load(np.resize(near, (rows, 8)), first)
        table.command("absorb=25")  # optimize would plant anew
        table.command("absorb=0")
    assert (depth(table), table.info("planted_rows")) == (before[0] + 1, before[1])
    index = table.sound()
    assert index.state["directory_pages"] >= 3
    assert all(page.n <= 128 for page in index.walk(0) if not page.is_leaf)


@pytest.mark.slow
def test_optimize_plants_anew_what_has_grown_fourfold(table, near):
    table.create(leaf_capacity=64).load(near[:1000])
    for first in range(1000, 4100, 50):
        table.load(near[:50] + np.float32(first / 1000), first)
    assert table.info("planted_rows") == 1000
    table.command("optimize")
    assert table.info("planted_rows") == 4100
    table.delete(list(range(0, 3100)))
    table.command("optimize")
    assert table.info("planted_rows") == 1000
    table.sound()


@pytest.mark.slow
def test_equal_vectors_divide_evenly(forest, near):
    table = forest(trees=1)
    table.load(np.tile(100 + near[:1], (280, 1)), 5000)
    table.command("optimize")
    index = table.sound()
    sizes = [leaf.n for leaf in index.leaves(0) if min(leaf.ids, default=0) >= 5000]
    assert len(sizes) >= 10
    assert min(sizes) >= 8
    assert len({tuple(leaf.ids) for leaf in index.leaves(0)}) == index.state["leaf_pages"]


@pytest.mark.slow
def test_halves_are_nearer_to_their_own_centres(table, near):
    """Members lie with their own half's centre, but for the few that a smaller half is made up with."""
    table.create(trees=1).load(near[:1000])
    for id_ in range(1000, 1400):
        table.insert(id_, near[id_])
    index = table.sound()
    centres = np.array([leaf.centre.point for leaf in index.leaves(0)])
    own = other = 0
    for number, leaf in enumerate(index.leaves(0)):
        x = index.rotation(np.array([index.vector(id_) for id_ in leaf.ids]).reshape(-1, 8))
        far = ((x[:, None] - centres[None]) ** 2).sum(axis=2)
        own += int((far.argmin(axis=1) == number).sum())
        other += len(x)
    assert own / other > 0.6
