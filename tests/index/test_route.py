"""The leaves that a row is put into."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests import arithmetic


def centres(index):
    """Numbers and centres of all leaves, as they are stored."""
    leaves = [leaf for tree in range(index.trees) for leaf in index.leaves(tree)]
    return np.array([leaf.number for leaf in leaves]), np.array([leaf.centre.point for leaf in leaves], np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("trees", [1, 2, 3])
@pytest.mark.parametrize("metric", ["l2", "dot"])
def test_the_first_copy_is_in_a_leaf_among_the_nearest_and_copies_are_apart(table, vectors, near, trees, metric):
    table.create(metric=metric, trees=trees, leaf_capacity=128).load(vectors)
    table.command("optimize")
    index = table.sound()
    numbers, points = centres(index)
    new = 90_000 + np.arange(40)
    for id_, vector in zip(new, near[-40:], strict=True):
        table.insert(int(id_), vector)
    index = table.sound()
    rotated = arithmetic.prepared(metric, index.rotation, near[-40:]).astype(np.float64)
    ranks = []
    for id_, x in zip(new, rotated, strict=True):
        pages = struct.unpack(f"<{trees}I", index.places[int(id_)])
        assert len(set(pages)) == trees
        order = numbers[((points - x) ** 2).sum(1).argsort()].tolist()
        ranks.append(order.index(pages[0]))
        assert all(order.index(page) < 16 for page in pages)
    assert np.median(ranks) == 0


@pytest.mark.parametrize("trees", [2, 3])
def test_no_tree_is_left_out(forest, vectors, trees):
    """Every root is opened, however far it seems: the first copy is in the nearest leaf of the whole forest."""
    index = forest(trees=trees).index
    numbers, points = centres(index)
    rotated = arithmetic.prepared("l2", index.rotation, vectors).astype(np.float64)
    first = np.array([struct.unpack(f"<{trees}I", index.places[id_])[0] for id_ in range(len(vectors))])
    nearest = numbers[((points[None] - rotated[:, None]) ** 2).sum(2).argmin(1)]
    assert (first == nearest).mean() > 0.9
