"""core/idset.c: a set of 64-bit ids."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)


@pytest.fixture
def held(core):
    holder = core.ffi.new("AnnIdSet *")
    core.lib.ann_idset_init(holder)
    yield holder
    core.lib.ann_idset_clear(holder)


@given(ids=st.lists(IDS, max_size=300), others=st.lists(IDS, max_size=20))
@settings(deadline=None, max_examples=60)
def test_is_a_set(core_library, ids, others):
    core = core_library
    holder, new = core.ffi.new("AnnIdSet *"), core.ffi.new("int *")
    core.lib.ann_idset_init(holder)
    expected = set()
    for id_ in ids:
        assert core.lib.ann_idset_add(holder, id_, new) == 0
        assert new[0] == (id_ not in expected)
        expected.add(id_)
    assert holder.n == len(expected)
    assert [bool(core.lib.ann_idset_has(holder, id_)) for id_ in [*ids, *others]] == [
        id_ in expected for id_ in [*ids, *others]
    ]
    core.lib.ann_idset_clear(holder)


def test_empty_set_has_nothing(core, held):
    assert not core.lib.ann_idset_has(held, 0)


def test_ids_that_share_their_low_bits_are_told_apart(core, held):
    ids = [i << 32 for i in range(-500, 500)]
    for id_ in ids:
        assert core.lib.ann_idset_add(held, id_, core.ffi.NULL) == 0
    assert held.n == len(ids)
    assert not any(core.lib.ann_idset_has(held, id_ + 1) for id_ in ids)


def test_is_at_most_half_full(core, held):
    for id_ in range(1000):
        core.lib.ann_idset_add(held, id_, core.ffi.NULL)
        assert held.n * 2 <= held.n_slots + 1
        assert held.n_slots & (held.n_slots - 1) == 0


def test_failed_allocation_leaves_what_was_there(core, held):
    core.fail_once(1)
    assert core.lib.ann_idset_add(held, 1, core.ffi.NULL) == 7
    assert (held.n, held.n_slots) == (0, 0)
    for id_ in range(32):
        assert core.lib.ann_idset_add(held, id_, core.ffi.NULL) == 0
    core.fail_once(1)
    assert core.lib.ann_idset_add(held, 1000, core.ffi.NULL) == 7
    assert held.n == 32
    assert all(core.lib.ann_idset_has(held, id_) for id_ in range(32))
