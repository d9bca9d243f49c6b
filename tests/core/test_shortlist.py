"""core/shortlist.c: the best of many, and their ids in order."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
KEYS = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0])


def chosen(core, wanted, items):
    """The ids that are left in the end, and after each item the limit and how many are kept."""
    shortlist, ids, n = core.ffi.new("AnnShortlist *"), core.ffi.new("int64_t **"), core.ffi.new("int64_t *")
    core.lib.ann_shortlist_restart(shortlist, wanted)
    seen = []
    for key, id_ in items:
        assert core.lib.ann_shortlist_add(shortlist, key, id_) == 0
        seen.append((shortlist.limit, core.lib.ann_shortlist_count(shortlist)))
    assert core.lib.ann_shortlist_finish(shortlist, ids, n) == 0
    out = [ids[0][i] for i in range(n[0])]
    core.lib.ann_shortlist_clear(shortlist)
    return out, seen


def best(wanted, items):
    return sorted((math.inf if key != key else key, id_) for key, id_ in items)[:wanted]


def numbered(*keys):
    return [(float(key), i) for i, key in enumerate(keys)]


@example(items=numbered(0, 1, 4, 2, 3, 5, 6, 7, 8, 9), wanted=5)  # the exact limit is not picked
@example(items=numbered(50, 9, *range(9), *range(51, 60), *range(20, 30)), wanted=10)  # nor does it rise
@given(items=st.lists(st.tuples(KEYS, IDS), max_size=200), wanted=st.integers(1, 40))
@settings(deadline=None, max_examples=200)
def test_keeps_the_best_by_key_then_id(core_library, items, wanted):
    ids, seen = chosen(core_library, wanted, items)
    assert ids == sorted({id_ for _, id_ in best(wanted, items)})
    for n, (limit, count) in enumerate(seen, 1):
        assert count == min(n, wanted)
        assert limit >= best(wanted, items[:n])[-1][0]  # none of the best is above it
        if n == 2 * wanted:
            within = sum((math.inf if key != key else key) <= limit for key, _ in items[:n])
            assert 2 * within <= 3 * wanted or limit == best(wanted, items[:n])[-1][0]
    assert all(later <= earlier for (earlier, _), (later, _) in pairwise(seen))


@pytest.mark.parametrize("order", ["up", "down", "equal", "saw"])
@pytest.mark.parametrize("wanted", [1, 2, 33, 1000])
def test_orders_that_are_hard_for_a_pivot(core, order, wanted):
    keys = {
        "up": range(5000),
        "down": range(5000, 0, -1),
        "equal": [7] * 5000,
        "saw": [i * 37 % 101 for i in range(5000)],
    }
    items = [(float(key), 5000 - i) for i, key in enumerate(keys[order])]
    assert chosen(core, wanted, items)[0] == sorted(id_ for _, id_ in best(wanted, items))


def test_begins_again_in_the_same_memory(core):
    shortlist, ids, n = core.ffi.new("AnnShortlist *"), core.ffi.new("int64_t **"), core.ffi.new("int64_t *")
    for wanted, last in ((3, 2), (5, 4), (1, 0)):
        core.lib.ann_shortlist_restart(shortlist, wanted)
        assert shortlist.limit == math.inf
        for i in range(20, -1, -1):
            assert core.lib.ann_shortlist_add(shortlist, i, i) == 0
        assert core.lib.ann_shortlist_finish(shortlist, ids, n) == 0
        assert [ids[0][i] for i in range(n[0])] == list(range(last + 1))
    core.lib.ann_shortlist_clear(shortlist)


def test_what_is_wanted_later_comes_besides_what_was_kept(core):
    shortlist, ids, n = core.ffi.new("AnnShortlist *"), core.ffi.new("int64_t **"), core.ffi.new("int64_t *")
    core.lib.ann_shortlist_restart(shortlist, 2)
    for i in range(4):  # two too many: the limit is known
        assert core.lib.ann_shortlist_add(shortlist, i, i) == 0
    core.lib.ann_shortlist_widen(shortlist, 5)
    core.lib.ann_shortlist_widen(shortlist, 1)
    assert (shortlist.wanted, shortlist.limit) == (5, math.inf)
    for i in range(10, 20):
        assert core.lib.ann_shortlist_add(shortlist, i, i) == 0
    assert core.lib.ann_shortlist_finish(shortlist, ids, n) == 0
    found = [ids[0][i] for i in range(n[0])]
    assert len(found) == 5
    assert found[:2] == [0, 1]
    core.lib.ann_shortlist_clear(shortlist)


def test_a_row_that_came_twice_is_one_id(core):
    assert chosen(core, 4, [(1.0, 8), (2.0, -3), (3.0, 8), (9.0, 1), (9.5, 2)])[0] == [-3, 1, 8]


def test_failed_allocation_leaves_what_was_there(core):
    shortlist, ids, n = core.ffi.new("AnnShortlist *"), core.ffi.new("int64_t **"), core.ffi.new("int64_t *")
    core.lib.ann_shortlist_restart(shortlist, 10_000)
    for fails in (1, 2):
        core.fail_from(fails)
        assert core.lib.ann_shortlist_add(shortlist, 1.0, 1) == 7
        assert shortlist.n == 0
    core.fail_from(0)
    added = 0
    while added < 256:
        assert core.lib.ann_shortlist_add(shortlist, float(added), added) == 0
        added += 1
    core.fail_from(1)
    assert core.lib.ann_shortlist_add(shortlist, -1.0, 999) == 7
    assert core.lib.ann_shortlist_finish(shortlist, ids, n) == 7
    core.fail_from(0)
    assert core.lib.ann_shortlist_finish(shortlist, ids, n) == 0
    assert [ids[0][i] for i in range(n[0])] == list(range(256))
    core.lib.ann_shortlist_clear(shortlist)
