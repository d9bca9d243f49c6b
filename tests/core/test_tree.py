"""core/tree.c: grow the trees of a forest from a sample."""

import re
from pathlib import Path

import numpy as np
import pytest

NOMEM, INTERRUPT = 7, 9
HEADER = (Path(__file__).resolve().parents[2] / "c_ext/core/tree.h").read_text("utf-8")


@pytest.fixture
def core(core):
    """tree.h is read whole: it holds nothing but types and functions."""
    if not hasattr(core.lib, "ann_tree_grow"):
        plain = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
        levels = re.search(r"#define ANN_MAX_LEVELS (\d+)", plain)[1]
        plain = re.sub(r"^#.*$", "", plain, flags=re.MULTILINE).replace("[ANN_MAX_LEVELS]", f"[{levels}]")
        core.ffi.cdef(plain)
    return core


class Forest:
    """Trees over points, as numpy."""

    def __init__(self, core, points, n_trees=1, leaf_sample=20, fanout=8, seed=0, passes=0, poll=None, threads=0):
        self.core, ffi = core, core.ffi
        self.points = np.ascontiguousarray(points, np.float32)
        n, length = self.points.shape
        start = ffi.cast("float *", self.points.ctypes.data)
        self.rows = ffi.new("const float *[]", [start + i * length for i in range(n)])
        self.trees = ffi.new("AnnTree[]", n_trees)
        self.rc = 0
        plan = ffi.new("AnnTreePlan *", {"seed": seed, "leaf_sample": leaf_sample, "fanout": fanout})
        self.poll = poll or ffi.NULL
        pool = ffi.new("AnnPool **")
        if threads:
            assert core.lib.ann_pool_new(threads, pool) == 0
        for plan.tree in range(n_trees):
            if self.rc == 0:
                tree = self.trees + plan.tree
                self.rc = core.lib.ann_tree_grow(self.rows, n, length, plan, pool[0], self.poll, tree)
        for _ in range(passes if self.rc == 0 else 0):
            self.rc = core.lib.ann_tree_refine(self.trees, n_trees, self.rows, n, pool[0], self.poll)
            if self.rc:
                break
        core.lib.ann_pool_free(pool[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for i in range(len(self.trees)):
            self.core.lib.ann_tree_clear(self.trees + i)

    def level(self, tree, level):
        """(centres, spreads, parents)."""
        it, ffi = self.trees[tree].levels[level], self.core.ffi

        def array(pointer, count, kind):
            return np.frombuffer(ffi.buffer(pointer, 4 * count), kind).copy()

        length = self.trees[tree].length
        return (
            array(it.centres, it.n * length, np.float32).reshape(it.n, length),
            array(it.spreads, it.n, np.float32),
            array(it.parents, it.n, np.int32),
        )

    def bytes(self):
        return b"".join(
            part.tobytes()
            for t in range(len(self.trees))
            for level in range(self.trees[t].n_levels)
            for part in self.level(t, level)
        )

    def leaves(self):
        return np.concatenate([self.level(t, 0)[0] for t in range(len(self.trees))])


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
