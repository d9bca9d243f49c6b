"""core/mmr.c against the formula in plain Python."""

import numpy as np
import pytest


class Pool:
    """Rows of whole numbers, so that distances are exact, by distance from a query."""

    def __init__(self, core, x, query, metric="l2"):
        self.core, self.space = core, core.ffi.new("AnnSpace *")
        element = core.lib.ann_element_named(b"float32")
        core.lib.ann_space_init(self.space, element, core.lib.ann_metric_named(element, metric.encode()), x.shape[1])
        self.between = lambda a, b: (
            float(np.sqrt(((a - b) ** 2).sum())) if metric == "l2" else float(np.abs(a - b).sum())
        )
        far = [self.between(row, query) for row in x]
        order = sorted(range(len(x)), key=lambda i: (far[i], i))
        self.x, self.rows = x[order].astype(np.float64), [(far[i], i + 100) for i in order]

    def chosen(self, k, diversity, poll=None):
        """(rc, all ids in the order in which they are left)."""
        core, n = self.core, len(self.rows)
        pool = core.ffi.new("AnnRanked[]", self.rows or 1)
        vectors = np.ascontiguousarray(self.x, np.float32)
        rc = core.lib.ann_mmr_choose(
            self.space, pool, core.pointer(vectors, "uint8_t *"), n, k, diversity, poll or core.ffi.NULL
        )
        return rc, [(pool[i].key, pool[i].id) for i in range(n)]

    def expected(self, k, diversity):
        left, taken = list(range(len(self.rows))), []
        while left and len(taken) < k:
            values = [
                (1 - diversity) * self.rows[i][0]
                - (diversity * min(self.between(self.x[i], self.x[j]) for j in taken) if taken else 0)
                for i in left
            ]
            taken.append(left.pop(values.index(min(values)) if taken else 0))
        return [self.rows[i] for i in [*taken, *left]]


@pytest.mark.parametrize("metric", ["l2", "l1"])
@pytest.mark.parametrize("diversity", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_rows_are_taken_by_the_formula(core, rng, metric, diversity):
    for n, k in ((1, 1), (40, 10), (40, 40), (7, 20)):
        pool = Pool(core, rng.integers(-4, 5, (n, 3)), np.zeros(3), metric)
        assert pool.chosen(k, diversity) == (0, pool.expected(k, diversity))


def test_the_example_of_the_header(core):
    pool = Pool(core, np.array([[1], [2], [4]]), np.zeros(1))
    assert [id_ for _, id_ in pool.chosen(3, 0.6)[1]] == [100, 102, 101]


def test_without_diversity_the_order_stays_and_of_equals_the_first_is_taken(core):
    pool = Pool(core, np.array([[0, 1], [1, 0], [0, 1], [-1, 0]]), np.zeros(2))
    assert pool.chosen(4, 0)[1] == pool.rows
    assert [id_ for _, id_ in pool.chosen(4, 1)[1]] == [100, 101, 103, 102]


def test_a_failed_allocation_and_a_poll_that_stops_leave_the_pool_as_it_was(core, rng):
    pool = Pool(core, rng.integers(-4, 5, (20, 3)), np.zeros(3))
    for n in range(1, 5):
        core.fail_once(n)
        assert pool.chosen(5, 1) == (7, pool.rows)
    core.fail_from(0)
    stop = core.ffi.callback("int(void *)", lambda _: 9)
    assert pool.chosen(5, 1, core.ffi.new("AnnPoll *", (stop, core.ffi.NULL))) == (9, pool.rows)
