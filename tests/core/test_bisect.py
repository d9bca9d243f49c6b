"""core/bisect.c: split a sample by hyperplanes down to parts that fit a leaf."""

import numpy as np
import pytest

NOMEM, INTERRUPT = 7, 9


class Bisection:
    """Of points, each told by its number."""

    def __init__(self, core, points, most=20, seed=0, tree=0, threads=0, poll=None):
        self.core, ffi = core, core.ffi
        self.points = np.ascontiguousarray(points, np.float32)
        n, length = self.points.shape
        self._start = ffi.cast("float *", self.points.ctypes.data)
        rows = ffi.new("const float *[]", [self._start + i * length for i in range(n)])
        plan = ffi.new("AnnBisectPlan *", {"seed": seed, "tree": tree, "most": most, "length": length})
        pool, self.made = ffi.new("AnnPool **"), ffi.new("AnnBisection *")
        if threads:
            assert core.lib.ann_pool_new(threads, pool) == 0
        self.rc = core.lib.ann_bisect(rows, n, plan, pool[0], poll or ffi.NULL, self.made)
        core.lib.ann_pool_free(pool[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.core.lib.ann_bisection_clear(self.made)

    @property
    def nodes(self):
        return [self.made.nodes[i] for i in range(self.made.n_nodes)]

    def members(self, node):
        length = self.points.shape[1]
        found = self.made.members[node.first : node.first + node.n]
        return [(member - self._start) // length for member in found]

    def leaves(self):
        return [self.members(node) for node in self.nodes if node.left < 0]


@pytest.fixture
def points(rng):
    return rng.standard_normal((1500, 16)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 20, 21, 300, 1500])
def test_every_point_is_in_one_leaf_and_no_leaf_has_too_many(core, points, n):
    with Bisection(core, points[:n]) as halves:
        assert halves.rc == 0
        leaves = halves.leaves()
        assert sorted(i for leaf in leaves for i in leaf) == list(range(n))
        assert all(1 <= len(leaf) <= 20 for leaf in leaves)
        assert len(halves.nodes) == 2 * len(leaves) - 1


def test_a_node_has_the_members_of_its_two_sides_and_neither_is_small(core, points):
    with Bisection(core, points) as halves:
        nodes = halves.nodes
        assert (nodes[0].first, nodes[0].n, nodes[0].path) == (0, 1500, 1)
        for node in nodes:
            if node.left < 0:
                assert (node.n_left, node.right) == (0, -1)
                continue
            left, right = nodes[node.left], nodes[node.right]
            assert (left.path, right.path) == (2 * node.path, 2 * node.path + 1)
            assert (left.first, right.first) == (node.first, node.first + node.n_left)
            assert (left.n, left.n + right.n) == (node.n_left, node.n)
            assert min(left.n, right.n) >= 0.15 * node.n


def test_points_that_are_apart_are_never_in_one_leaf(core, rng):
    points = rng.standard_normal((200, 16)).astype(np.float32)
    points[::2] += 100
    with Bisection(core, points, most=100) as halves:
        assert [{i % 2 for i in leaf} for leaf in halves.leaves()] in ([{0}, {1}], [{1}, {0}])


def test_seed_and_tree_say_which_leaves_come(core, points):
    with Bisection(core, points, seed=5) as one, Bisection(core, points, seed=5) as again:
        assert one.leaves() == again.leaves()
        for seed, tree in ((6, 0), (5, 1)):
            with Bisection(core, points, seed=seed, tree=tree) as other:
                assert one.leaves() != other.leaves()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_makes_the_same_leaves(core, points, threads):
    with Bisection(core, points) as alone, Bisection(core, points, threads=threads) as together:
        assert together.leaves() == alone.leaves()


def test_equal_points_are_dealt_out(core):
    with Bisection(core, np.ones((300, 16))) as halves:
        assert all(1 <= len(leaf) <= 20 for leaf in halves.leaves())


def test_what_poll_says_ends_it(core, points):
    @core.ffi.callback("int(void *)")
    def check(_):
        return INTERRUPT

    with Bisection(core, points, poll=core.ffi.new("AnnPoll *", {"check": check})) as halves:
        assert (halves.rc, halves.made.n_nodes) == (INTERRUPT, 0)


def test_each_failed_allocation(core, points):
    n = 1
    while True:
        core.fail_once(n)
        with Bisection(core, points[:150]) as halves:
            if not core.failed:
                assert halves.rc == 0
                break
            assert (halves.rc, halves.made.nodes) == (NOMEM, core.ffi.NULL)
        n += 1
    assert n > 5
