"""core/topk.c: the k best, and the queue of a walk; core/select.h."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

IDS = st.integers(-(2**63), 2**63 - 1)
SCORES = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0])
KEYS = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 1.0])


def kept(core, k, items):
    top = core.ffi.new("AnnTopk *")
    core.lib.ann_topk_init(top, k)
    worst = []
    for key, id_ in items:
        assert core.lib.ann_topk_push(top, key, id_) == 0
        if k:
            worst.append(core.lib.ann_topk_worst(top))
    core.lib.ann_topk_sort(top)
    out = [(top.items[i].key, top.items[i].id) for i in range(top.n)]
    core.lib.ann_topk_clear(top)
    return out, worst


def ordered(items):
    """NaN counts as infinity; ties by id."""
    return sorted((math.inf if key != key else key, id_) for key, id_ in items)


@given(items=st.lists(st.tuples(KEYS, IDS)), k=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_keeps_the_k_smallest_ties_by_id(core_library, items, k):
    out, worst = kept(core_library, k, items)
    assert out == ordered(items)[:k]
    for n, bound in enumerate(worst, 1):
        best = ordered(items[:n])[:k]
        assert bound == (best[-1][0] if len(best) == k else math.inf)


def test_keeping_none_takes_everything_and_keeps_nothing(core):
    assert kept(core, 0, [(1.0, 1), (2.0, 2)])[0] == []


def selected(core, keys, at):
    """The key at a place, and the order in which the items are left."""
    items = core.ffi.new("AnnRanked[]", [(key, id_) for id_, key in enumerate(keys)])
    key = core.lib.ann_ranked_select(items, len(keys), at)
    return key, [(item.key, item.id) for item in items]


@given(keys=st.lists(KEYS.filter(lambda key: key == key), min_size=1, max_size=200), data=st.data())
@settings(deadline=None, max_examples=100)
def test_selects_the_key_that_sorting_would_put_there(core_library, keys, data):
    at = data.draw(st.integers(0, len(keys) - 1))
    key, left = selected(core_library, keys, at)
    items = ordered([(key, id_) for id_, key in enumerate(keys)])
    assert key == items[at][0]
    assert ordered(left) == items
    assert ordered(left[: at + 1]) == items[: at + 1]


@pytest.mark.parametrize(
    "keys", [range(20_000), range(20_000, 0, -1), [7] * 20_000, [i // 5000 for i in range(20_000)]]
)
def test_selects_among_many_that_are_equal_or_in_order(core, keys):
    """In some milliseconds, not in seconds: n^2 would be noticed."""
    for at in (0, 9_999, 19_900, 19_999):
        assert selected(core, list(map(float, keys)), at)[0] == sorted(keys)[at]


@given(items=st.lists(st.tuples(SCORES, st.integers(0, 2**32 - 1))), at_once=st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_frontier_hands_out_the_nearest_first(core_library, items, at_once):
    core = core_library
    queue, payload, key = core.ffi.new("AnnFrontier *"), core.ffi.new("uint32_t *"), core.ffi.new("float *")
    core.lib.ann_frontier_init(queue)
    held, todo = [], list(items)
    while todo or held:
        for score, number in todo[:at_once]:
            assert core.lib.ann_frontier_push(queue, score, number) == 0
        held = ordered([*held, *todo[:at_once]])
        todo = todo[at_once:]
        nearest = held.pop(0)
        assert core.lib.ann_frontier_top(queue, key, payload) == 1
        assert (key[0], payload[0]) == nearest
        assert core.lib.ann_frontier_pop(queue, payload) == 1
        assert payload[0] == nearest[1]
    assert core.lib.ann_frontier_top(queue, key, payload) == 0
    assert core.lib.ann_frontier_pop(queue, payload) == 0
    core.lib.ann_frontier_clear(queue)


@given(keys=st.lists(SCORES, min_size=1, max_size=60), news=st.lists(SCORES, max_size=30))
@settings(deadline=None, max_examples=60)
def test_frontier_replaces_its_first_as_a_pop_and_a_push_would(core_library, keys, news):
    core = core_library
    queue, payload = core.ffi.new("AnnFrontier *"), core.ffi.new("uint32_t *")
    core.lib.ann_frontier_init(queue)
    for number, key in enumerate(keys):
        assert core.lib.ann_frontier_push(queue, key, number) == 0
    held = ordered([(key, number) for number, key in enumerate(keys)])
    for number, key in enumerate(news, len(keys)):
        core.lib.ann_frontier_replace(queue, key, number)
        held = ordered([*held[1:], (key, number)])
    for _, number in held:
        assert core.lib.ann_frontier_pop(queue, payload) == 1
        assert payload[0] == number
    core.lib.ann_frontier_clear(queue)


@pytest.mark.parametrize("kind", ["topk", "frontier"])
def test_failed_allocation_leaves_what_was_there(core, kind):
    holder = core.ffi.new({"topk": "AnnTopk *", "frontier": "AnnFrontier *"}[kind])
    if kind == "topk":
        core.lib.ann_topk_init(holder, 1000)
    else:
        core.lib.ann_frontier_init(holder)
    push = getattr(core.lib, f"ann_{kind}_push")
    core.fail_from(1)
    assert push(holder, 1.0, 1) == 7
    core.fail_from(2)
    pushed = 0
    while push(holder, float(pushed), pushed) == 0:
        pushed += 1
    assert holder.n == pushed > 0
    core.fail_from(0)
    assert push(holder, -1.0, 99) == 0
    assert holder.n == pushed + 1
    getattr(core.lib, f"ann_{kind}_clear")(holder)
    assert holder.items == core.ffi.NULL
