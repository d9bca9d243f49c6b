"""core/blocks.c: items of one size, one after the other in blocks that do not move."""

import numpy as np
import pytest

BLOCK = 32768  # ANN_BLOCKS_BYTES


class Items:
    """AnnBlocks of int64 at the beginning of each item."""

    def __init__(self, core, size):
        self.lib, self.ffi = core.lib, core.ffi
        self.blocks = core.ffi.new("AnnBlocks *")
        core.lib.ann_blocks_init(self.blocks, size)
        self.in_block = 1 << self.blocks.shift

    def at(self, i):
        """The address that blocks.h has for item i."""
        block = self.blocks.blocks[i // self.in_block]
        return self.ffi.cast("int64_t *", block + i % self.in_block * self.blocks.size)

    def add(self, number):
        rc = self.lib.ann_blocks_add(self.blocks)
        if rc == 0:
            self.at(self.blocks.n - 1)[0] = number
        return rc

    def numbers(self):
        return [self.at(i)[0] for i in range(self.blocks.n)]


@pytest.fixture
def items(core):
    made = []

    def make(size):
        made.append(Items(core, size))
        return made[-1]

    yield make
    for one in made:
        core.lib.ann_blocks_clear(one.blocks)


@pytest.mark.parametrize(("size", "in_block"), [(8, 4096), (80, 256), (1560, 16), (16384, 2), (20000, 1), (262168, 1)])
def test_a_block_has_as_many_items_as_fit_and_one_at_least(items, size, in_block):
    some = items(size)
    assert some.in_block == in_block
    for i in range(5):
        assert some.add(i) == 0
    assert some.blocks.n_blocks == -(-5 // in_block)
    assert some.numbers() == list(range(5))


def test_items_stay_where_they_are_while_others_come_and_go(items):
    some, expected, places = items(1560), [], []
    rng = np.random.default_rng(1)
    for number in range(3000):
        if expected and rng.random() < (0.3 if number < 2000 else 0.7):
            expected.pop(), places.pop()
            some.lib.ann_blocks_drop_last(some.blocks)
        else:
            assert some.add(number) == 0
            expected.append(number)
            places.append(some.at(some.blocks.n - 1))
        assert some.blocks.n_blocks == -(-len(expected) // some.in_block), "an empty block is not kept"
    assert len(expected) > 100
    assert some.numbers() == expected
    assert [some.at(i) for i in range(len(expected))] == places


def test_without_memory_nothing_changes(core, items):
    for failing in (1, 2):
        some = items(16384)
        core.fail_from(failing)
        assert some.add(1) == 7
        assert some.blocks.n == some.blocks.n_blocks == 0
        core.fail_from(0)
        assert [some.add(i) for i in range(3)] == [0, 0, 0]
        core.fail_from(1)
        assert [some.add(i) for i in (3, 4)] == [0, 7], "the last block has room for one"
        core.fail_from(0)
        assert some.numbers() == [0, 1, 2, 3]


def test_cleared_blocks_can_be_filled_again(items):
    some = items(1560)
    for _ in range(2):
        for i in range(40):
            assert some.add(i) == 0
        some.lib.ann_blocks_clear(some.blocks)
        assert (some.blocks.n, some.blocks.n_blocks, some.blocks.size, some.in_block) == (0, 0, 1560, 16)
