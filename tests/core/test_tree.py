"""core/tree.c: grow a tree's leaves and directories from a sample."""

import numpy as np
import pytest

from tests.core.forest import Forest

NOMEM, INTERRUPT = 7, 9


@pytest.fixture
def points(rng):
    return rng.standard_normal((1500, 16)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 20, 21, 300, 1500])
@pytest.mark.parametrize("passes", [0, 2])
def test_is_a_tree_of_bounded_directories(core, points, n, passes):
    with Forest(core, points[:n], fanout=8, passes=passes) as forest:
        assert forest.rc == 0
        tree = forest.trees[0]
        assert tree.n_levels >= 2
        assert tree.length == 16
        assert tree.levels[tree.n_levels - 1].n == 1
        for level in range(tree.n_levels - 1):
            above = tree.levels[level + 1].n
            counts = np.bincount(forest.level(0, level)[2], minlength=above)
            assert len(counts) == above
            assert counts.min() >= 1
            assert counts.max() <= 8
            assert (np.diff(forest.level(0, level)[2]) >= 0).all()
        assert tree.levels[0].n >= n / 20


def test_leaves_are_means_of_their_members(core, points):
    """Before refining, leaf centres weighted by members would give the mean: no leaf has too many members."""
    with Forest(core, points, leaf_sample=20) as forest:
        centres, spreads, _ = forest.level(0, 0)
        assert 1500 / 20 <= len(centres) <= 1500 / (20 * 0.15)
        assert np.isfinite(centres).all()
        assert (spreads > 0).all()
        np.testing.assert_allclose(centres.mean(0), points.mean(0), atol=0.2)


def test_directories_are_means_of_their_children(core, points):
    with Forest(core, points, passes=1) as forest:
        for level in range(1, forest.trees[0].n_levels):
            below, _, parents = forest.level(0, level - 1)
            centres, spreads, _ = forest.level(0, level)
            for node in range(len(centres)):
                children = below[parents == node]
                np.testing.assert_allclose(centres[node], children.mean(0), atol=1e-5)
                wanted = ((children - centres[node]) ** 2).sum(1).mean()
                assert spreads[node] == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_same_seed_same_bytes_and_other_seeds_or_trees_others(core, points):
    with Forest(core, points, 2, seed=5, passes=2) as one, Forest(core, points, 2, seed=5, passes=2) as again:
        assert one.bytes() == again.bytes()
        with Forest(core, points, 2, seed=6, passes=2) as other:
            assert one.bytes() != other.bytes()
        assert one.level(0, 0)[0].tobytes() != one.level(1, 0)[0].tobytes()


def test_equal_points(core):
    with Forest(core, np.ones((300, 16)), 2, passes=2) as forest:
        assert forest.rc == 0
        assert (forest.leaves() == 1).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_bytes(core, points, threads):
    with Forest(core, points, 2, passes=2) as alone, Forest(core, points, 2, passes=2, threads=threads) as together:
        assert together.bytes() == alone.bytes()


def test_interrupt_stops_growing_and_refining(core, points):
    calls = []

    @core.ffi.callback("int(void *)")
    def check(_):
        calls.append(1)
        return INTERRUPT if len(calls) == stop else 0

    poll = core.ffi.new("AnnPoll *", {"check": check})
    stop = 0
    with Forest(core, points, passes=1, poll=poll) as forest:
        assert forest.rc == 0
    n = len(calls)
    assert n > 20
    for stop in (1, 5, n - 1, n):
        calls.clear()
        with Forest(core, points, passes=1, poll=poll) as forest:
            assert forest.rc == INTERRUPT
        assert len(calls) == stop


def test_each_failed_allocation(core, rng):
    points, n = rng.standard_normal((150, 16)), 1
    while True:
        core.fail_once(n)
        with Forest(core, points, 2, passes=1) as forest:
            if not core.failed:
                assert forest.rc == 0
                break
            assert forest.rc == NOMEM
        n += 1
    assert n > 20
