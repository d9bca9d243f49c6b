"""core/refine.c: k-means over the leaves of all trees."""

import numpy as np
import pytest

from tests.core.forest import Forest


@pytest.fixture
def points(rng):
    return rng.standard_normal((1500, 16)).astype(np.float32)


def loss(forest):
    d = ((forest.points[:, None] - forest.leaves()[None]) ** 2).sum(2)
    return d.min(1).mean()


def test_refining_brings_leaves_nearer_to_the_points(core, points):
    before = None
    for passes in (0, 1, 2, 3):
        with Forest(core, points, 2, passes=passes) as forest:
            now = loss(forest)
            assert before is None or now < before
            before = now


def test_refining_moves_a_leaf_to_the_mean_of_those_nearest_to_it(core, rng):
    """One directory over all leaves, so that every leaf is looked at."""
    points = rng.standard_normal((200, 16)).astype(np.float32)
    with Forest(core, points, 1, fanout=64) as plain, Forest(core, points, 1, fanout=64, passes=1) as refined:
        nearest = ((points[:, None] - plain.leaves()[None]) ** 2).sum(2).argmin(1)
        for leaf, (old, new) in enumerate(zip(plain.leaves(), refined.leaves(), strict=True)):
            members = points[nearest == leaf]
            np.testing.assert_allclose(new, members.mean(0) if len(members) else old, atol=1e-5)


def test_a_leaf_to_which_no_point_is_nearest_stays(core, rng):
    """One tree twice: of two equal centres the first tree's takes every point."""
    points = rng.standard_normal((200, 16)).astype(np.float32)
    with Forest(core, points, 1, fanout=64) as plain, Forest(core, points, 1, fanout=64) as other:
        trees = core.ffi.new("AnnTree[]", [plain.trees[0], other.trees[0]])
        before = other.bytes()
        assert core.lib.ann_refine(trees, 2, plain.rows, 200, core.ffi.NULL, core.ffi.NULL) == 0
        assert other.bytes() == before
        assert plain.bytes() != before
