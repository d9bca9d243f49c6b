"""core/grow.c: room for more items, by doubling."""

import pytest

MOST = 1 << 30  # ANN_MAX_ALLOC


@pytest.fixture
def array(core):
    """An array of int64 that is freed at the end: (the owner's pointer, for how many items it is allocated)."""
    items, allocated = core.ffi.new("int64_t **"), core.ffi.new("int64_t *")
    yield items, allocated
    core.lib.ann_free(items[0])


def grow(core, array, wanted, size=8):
    items, allocated = array
    return core.lib.ann_grow_to(items, wanted, allocated, size)


def test_items_stay_and_their_number_doubles(core, array):
    items, allocated = array
    sizes, n = [], 0
    while n < 5000:
        if n == allocated[0]:
            assert grow(core, array, n + 1) == 0
            sizes.append(allocated[0])
        items[0][n] = n * n
        n += 1
    assert sizes == [64 << i for i in range(len(sizes))]
    assert [items[0][i] for i in range(n)] == [i * i for i in range(n)]


@pytest.mark.parametrize(("wanted", "allocated"), [(1, 64), (64, 64), (65, 128), (1000, 1024)])
def test_many_at_once_take_one_allocation(core, array, wanted, allocated):
    core.fail_from(2)
    assert grow(core, array, wanted) == 0
    assert array[1][0] == allocated


def test_failed_allocation_leaves_what_was_there(core, array):
    items, allocated = array
    core.fail_from(1)
    assert grow(core, array, 1) == 7
    assert (items[0], allocated[0]) == (core.ffi.NULL, 0)
    core.fail_from(0)
    assert grow(core, array, 1) == 0
    items[0][63] = 99
    before = items[0]
    core.fail_from(1)
    assert grow(core, array, 65) == 7
    assert (items[0], allocated[0], items[0][63]) == (before, 64, 99)


@pytest.mark.parametrize(("wanted", "tried"), [(64, 1), (65, 1), (100, 1), (101, 0), (2**62, 0)])
def test_an_allocation_may_be_as_large_as_any(core, array, wanted, tried):
    """Where twice as many items are too many for one allocation, as many as it may have are asked for."""
    core.fail_from(1)
    assert grow(core, array, wanted, MOST // 100) == 7
    assert core.failed == tried
