"""index/ranges.c: which ranges of ids are in memory to the last row; against a table and its places in Python."""

import numpy as np
import pytest

LEAST, MOST = -(2**63), 2**63 - 1


class Memory:
    """A table of ids, some of which have places, and an AnnRanges that is told of whatever happens to them."""

    def __init__(self, parts):
        self.lib, self.ffi = parts.lib, parts.ffi
        self.ranges = parts.ffi.new("AnnRanges *")
        self.table, self.places = set(), []

    def hold(self, id_):
        if id_ not in self.places:
            self.places.append(id_)
        return self.places.index(id_)

    def _out(self, id_, leave):
        place = self.places.index(id_)
        if not leave:
            self.lib.ann_ranges_forget(self.ranges, place)
        self.lib.ann_ranges_leave(self.ranges, place, len(self.places) - 1)
        last = self.places.pop()
        if place < len(self.places):
            self.places[place] = last

    def evict(self, id_):
        self._out(id_, leave=False)

    def delete(self, id_):
        self.table.discard(id_)
        if id_ in self.places:
            self._out(id_, leave=True)

    def insert(self, id_):
        self.table.add(id_)
        if self.lib.ann_ranges_have(self.ranges, id_):
            self.lib.ann_ranges_join(self.ranges, id_, self.hold(id_))

    def read(self, first, last, room=10**9):
        """As a search does: what is known, and then the rest; the ids that were read for it."""
        known = self.known(first, last)
        begin = first if known is None else self.find(first, last).through + 1
        self.lib.ann_ranges_begin(self.ranges, first, last)
        ids = [id_ for id_ in sorted(self.table) if begin <= id_ <= last]
        for id_ in ids[:room]:
            self.lib.ann_ranges_read(self.ranges, id_, self.hold(id_))
        self.lib.ann_ranges_end(self.ranges, len(ids) <= room)
        return ids

    def find(self, first, last):
        found = self.lib.ann_ranges_find(self.ranges, first, last)
        return None if found == self.ffi.NULL else found

    def known(self, first, last):
        """The ids that are marked, by the way a search goes from one to the next; None: no such range."""
        found, ids = self.find(first, last), set()
        if found is None:
            return None
        place = found.low
        while place < found.high:
            start = self.lib.ann_range_next(found, place, found.high, 1)
            place = self.lib.ann_range_next(found, start, found.high, 0)
            ids.update(self.places[start:place])
        assert len(ids) == found.n
        assert ids == {id_ for id_ in self.table if first <= id_ <= found.through}, "all that the table has up to there"
        return ids


@pytest.fixture
def memory(parts):
    one = Memory(parts)
    yield one
    one.lib.ann_ranges_clear(one.ranges)


def test_a_range_is_known_once_it_was_read(memory):
    memory.table = {-5, 1, 2, 300}
    assert memory.known(LEAST, MOST) is None
    assert memory.read(LEAST, MOST) == [-5, 1, 2, 300]
    assert memory.known(LEAST, MOST) == {-5, 1, 2, 300}
    assert memory.known(0, MOST) is None
    assert memory.read(LEAST, MOST) == []


def test_rows_that_come_and_go_join_and_leave(memory):
    memory.table = set(range(0, 200, 2))
    memory.read(LEAST, MOST)
    memory.read(50, 99)
    for id_ in (51, 1000, -7, 99):
        memory.insert(id_)
    for id_ in (198, 0, 60, 1000):
        memory.delete(id_)
    assert memory.known(50, 99) == {51, 99} | set(range(50, 100, 2)) - {60}
    assert memory.known(LEAST, MOST) == memory.table


def test_a_row_that_memory_gives_up_ends_its_ranges_alone(memory):
    memory.table = set(range(100))
    memory.read(0, 49)
    memory.read(50, 99)
    memory.evict(7)
    assert memory.known(0, 49) is None
    assert memory.known(50, 99) == set(range(50, 100))
    memory.lib.ann_ranges_forget_id(memory.ranges, 99)
    assert memory.known(50, 99) is None


def test_what_memory_had_room_for_is_the_beginning(memory):
    memory.table = set(range(100))
    memory.read(LEAST, MOST, room=30)
    assert memory.known(LEAST, MOST) == set(range(30))
    memory.insert(-1)
    memory.insert(200)
    assert memory.known(LEAST, MOST) == {-1, *range(30)}
    assert memory.read(LEAST, MOST) == [*range(30, 100), 200], "with more room it goes on behind them"
    assert memory.known(LEAST, MOST) == memory.table


def test_a_range_that_has_grown_is_read_from_its_end(memory):
    memory.table = {1, 2, 3}
    memory.read(1, 3)
    memory.insert(4)
    assert memory.known(1, 4) == {1, 2, 3}
    assert memory.read(1, 4) == [4]
    assert memory.known(1, 3) is None, "less than what is known would have too much"


def test_the_range_that_was_read_first_gives_way(memory):
    memory.table = set(range(60))
    for first in range(0, 60, 10):
        memory.read(first, first + 9)
    assert [memory.known(first, first + 9) is None for first in range(0, 60, 10)] == [True] * 2 + [False] * 4


@pytest.mark.parametrize("failing", [1, 2])
def test_without_memory_less_is_known(parts, memory, failing):
    memory.table = set(range(5000))
    parts.library.fail_from(failing)
    memory.read(LEAST, MOST)
    parts.library.fail_from(0)
    known = memory.known(LEAST, MOST)
    assert (known is None) if failing == 1 else (0 < len(known) < 5000)
    memory.read(LEAST, MOST)
    assert memory.known(LEAST, MOST) == memory.table
    memory.places += range(-20000, 0)  # the next place is beyond the marks
    parts.library.fail_from(1)
    memory.insert(6000)
    parts.library.fail_from(0)
    assert memory.known(LEAST, MOST) is None


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_what_is_known_is_true(memory, seed):
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.arange(-100, 200)).tolist()
    asked = [(LEAST, MOST), (-40, -1), (0, 60), (0, 90), (70, 80), (150, 199)]
    known = 0
    for _ in range(1500):
        id_, act = int(rng.choice(ids)), rng.random()
        if act < 0.4:
            memory.insert(id_) if id_ not in memory.table else memory.delete(id_)
        elif act < 0.43 and id_ in memory.places:
            memory.evict(id_)
        elif act < 0.45:
            memory.lib.ann_ranges_forget_id(memory.ranges, id_)
        else:
            range_ = asked[rng.integers(len(asked))]
            memory.read(*range_, room=int(rng.choice([5, 1000])))
            known += memory.known(*range_) is not None
    assert known > 300
