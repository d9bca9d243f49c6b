"""core/sort.c: in order, whole when it is stopped, and asked often enough."""

import numpy as np
import pytest

RUN = 32768


@pytest.fixture
def sort(core):
    """Sorts an array of int64 in place; `stop_at`: the poll that stops it. Returns the code, and how often it asked."""

    @core.ffi.callback("int(const void *, const void *)")
    def compare(a, b):
        x, y = core.ffi.cast("int64_t *", a)[0], core.ffi.cast("int64_t *", b)[0]
        return (x > y) - (x < y)

    def run(items, stop_at=None):
        asked = 0

        @core.ffi.callback("int(void *)")
        def check(_):
            nonlocal asked
            asked += 1
            return 9 if asked == stop_at else 0

        poll = core.ffi.new("AnnPoll *", {"check": check})
        rc = core.lib.ann_sort(core.ffi.cast("void *", items.ctypes.data), len(items), 8, compare, poll)
        return rc, asked

    return run


@pytest.mark.parametrize("n", [0, 1, 2, 1000, RUN, RUN + 1, 3 * RUN + 17])
def test_in_order(sort, n):
    items = np.random.default_rng(n).permutation(n).astype(np.int64) - n // 2
    rc, asked = sort(items)
    assert rc == 0
    assert np.array_equal(items, np.arange(n) - n // 2)
    assert asked >= (0 if n <= RUN else n // RUN)


@pytest.mark.parametrize("stop_at", range(1, 9))
def test_stopped_it_still_holds_every_item(sort, stop_at):
    items = np.random.default_rng(stop_at).permutation(3 * RUN).astype(np.int64)
    rc, asked = sort(items, stop_at)
    assert (rc, asked) == (9, stop_at)
    assert np.array_equal(np.sort(items), np.arange(3 * RUN))


@pytest.mark.parametrize("ids", [[], [5], [3, -1, 3, 2**63 - 1, -(2**63), 0], list(range(300, -300, -1))])
def test_ids_are_sorted_by_their_bytes(core, ids):
    items, other = np.array(ids, np.int64), np.zeros(len(ids), np.int64)
    sorted_ = core.lib.ann_sort_ids(
        core.ffi.cast("int64_t *", items.ctypes.data), core.ffi.cast("int64_t *", other.ctypes.data), len(ids)
    )
    assert [sorted_[i] for i in range(len(ids))] == sorted(ids)
