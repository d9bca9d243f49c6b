"""core/hash.c: a map from 64-bit ids to pointers, against a dict."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FIRST = 64  # slots
FACTOR = 0x9E3779B97F4A7C15  # of an id's product, which begins with its slot


def beginning_at(slot, n):
    """One of many ids whose search begins at the same of the first 64 slots, or of more in the same place."""
    product = ((slot << 58) + n) * pow(FACTOR, -1, 2**64) % 2**64
    return product - 2**64 if product >= 2**63 else product


# Ids of all kinds, some that come again, and some that get into each other's way at the end of the slots.
IDS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-20, 20)
    | st.builds(beginning_at, st.sampled_from([0, 1, 62, 63]), st.integers(0, 9))
)


class Map:
    """An AnnHash of pointers that are numbers from 1 on, and what it should hold."""

    def __init__(self, core):
        self.core, self.lib = core, core.lib
        self.hash = core.ffi.new("AnnHash *")
        self.expected = {}

    def pointer(self, number):
        return self.core.ffi.cast("void *", number)

    def number(self, pointer):
        return int(self.core.ffi.cast("intptr_t", pointer))

    def put(self, key, value):
        rc = self.lib.ann_hash_put(self.hash, key, self.pointer(value))
        if rc == 0:
            self.expected[key] = value
        return rc

    def remove(self, key):
        assert self.number(self.lib.ann_hash_remove(self.hash, key)) == self.expected.pop(key, 0)

    def remove_at(self, slot):
        del self.expected[self.hash.slots[slot].key]
        self.lib.ann_hash_remove_at(self.hash, slot)

    def slots(self):
        return [(self.hash.slots[i].key, self.number(self.hash.slots[i].value)) for i in range(self.hash.n_slots)]

    def check(self, *absent):
        used = [(key, value) for key, value in self.slots() if value]
        assert dict(used) == self.expected
        assert self.hash.n == len(used) == len(self.expected)
        assert self.hash.n * 2 <= self.hash.n_slots
        assert self.hash.n_slots & (self.hash.n_slots - 1) == 0
        for key in [*self.expected, *absent]:  # the look-up itself is inline: idset.c's
            assert self.lib.ann_idset_has(self.hash, key) == (key in self.expected)


@pytest.fixture
def ids(core):
    made = Map(core)
    yield made
    core.lib.ann_hash_clear(made.hash)
    assert (made.hash.n, made.hash.n_slots) == (0, 0)


ACTIONS = st.lists(
    st.tuples(st.just("put"), IDS)
    | st.tuples(st.sampled_from(["remove", "remove one of them", "remove at", "shrink", "drop"]), IDS)
    | st.tuples(st.just("put many"), st.integers(1, 200)),
    max_size=60,
)


@given(actions=ACTIONS)
@settings(deadline=None, max_examples=150)
def test_is_a_map(core_library, actions):
    made = Map(core_library)
    for at, (action, n) in enumerate(actions, 1):
        if action == "put":
            assert made.put(n, at) == 0
        elif action == "put many":
            for i in range(n):
                assert made.put(i * n, at + i) == 0
        elif action == "remove":
            made.remove(n)
        elif action == "remove one of them" and made.expected:
            made.remove(sorted(made.expected)[n % len(made.expected)])
        elif action == "remove at" and made.expected:
            used = [slot for slot, (_, value) in enumerate(made.slots()) if value]
            made.remove_at(used[n % len(used)])
        elif action == "shrink":
            made.lib.ann_hash_shrink(made.hash)
        elif action == "drop":
            slots = made.hash.n_slots
            made.lib.ann_hash_drop(made.hash)
            made.expected.clear()
            assert made.hash.n_slots == slots
        made.check(*(n for _, n in actions))
    made.lib.ann_hash_clear(made.hash)


def test_whoever_goes_through_the_slots_meets_each_key_once(core, ids):
    for id_ in range(1000):
        ids.put(id_ * 7919, id_ + 1)
    slot, seen = core.ffi.new("int64_t *"), []
    while (value := core.lib.ann_hash_next(ids.hash, slot)) != core.ffi.NULL:
        seen.append((ids.hash.slots[slot[0] - 1].key, ids.number(value)))
    assert len(seen) == 1000
    assert dict(seen) == ids.expected
    assert core.lib.ann_hash_next(ids.hash, slot) == core.ffi.NULL


def test_a_hand_over_the_slots_removes_whatever_it_is_to(core, ids):
    """As the clock of a cache does: it stays where it has removed, for another may have moved there."""
    for i in range(600):
        ids.put(beginning_at(i % 60 + 4, i << 40), i + 1)
    slot = 0
    while slot < ids.hash.n_slots:
        value = ids.number(ids.hash.slots[slot].value)
        if value and value % 3:
            ids.remove_at(slot)
        else:
            slot += 1
    assert all(value % 3 == 0 for value in ids.expected.values())
    ids.check()


def test_ids_that_follow_one_another_do_not_meet(core, ids):
    """As rowids and page numbers do: each in the slot where its search begins, or the next."""
    for id_ in range(1, 32_769):
        ids.put(id_, id_)
    late = [slot - ((id_ * FACTOR) % 2**64 >> ids.hash.shift) for slot, (id_, value) in enumerate(ids.slots()) if value]
    assert ids.hash.n_slots == 65_536
    assert max(late) <= 1


def test_is_smaller_when_hardly_a_slot_is_used(core, ids):
    for id_ in range(1000):
        ids.put(id_, id_ + 1)
    most = ids.hash.n_slots
    for id_ in range(999, 1, -1):
        ids.remove(id_)
        ids.lib.ann_hash_shrink(ids.hash)
        assert ids.hash.n_slots <= max(16 * ids.hash.n, 4 * FIRST)
    assert FIRST <= ids.hash.n_slots < most
    ids.check(2, 999)


def test_reserved_room_is_there_when_memory_is_out(core, ids):
    for id_ in range(200):
        assert core.lib.ann_hash_reserve(ids.hash) == 0
        core.fail_from(1)
        assert ids.put(id_, id_ + 1) == 0
        core.fail_from(0)
    ids.check()


def test_failed_allocation_leaves_what_was_there(core, ids):
    core.fail_from(1)
    assert ids.put(1, 1) == 7
    ids.check(1)
    core.fail_from(0)
    for id_ in range(FIRST // 2):
        assert ids.put(id_, id_ + 1) == 0
    core.fail_from(1)
    assert core.lib.ann_hash_reserve(ids.hash) == 7
    assert ids.put(1000, 1) == 7
    assert ids.put(5, 99) == 0  # it has a slot
    ids.check(1000)


def test_shrinking_needs_memory_and_does_without(core, ids):
    for id_ in range(1000):
        ids.put(id_, id_ + 1)
    for id_ in range(2, 1000):
        ids.remove(id_)
    slots = ids.hash.n_slots
    core.fail_from(1)
    core.lib.ann_hash_shrink(ids.hash)
    assert (ids.hash.n_slots, core.failed) == (slots, 1)
    ids.check(2)
