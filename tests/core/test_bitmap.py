"""core/bitmap.c: a set of ids as bytes, which may have come from anybody."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import idset

LEAST, MOST = -(2**63), 2**63 - 1
IDS = st.integers(LEAST, MOST) | st.integers(-3, 3) | st.integers(65530, 65545)
# Sets with lists, with bits, and with both.
SETS = st.tuples(st.sets(IDS, max_size=60), st.booleans(), st.sampled_from([0, 65536, -700, MOST - 700])).map(
    lambda parts: parts[0] | (set(range(parts[2], parts[2] + 700)) if parts[1] else set())
)


def made(core, ids) -> bytes:
    array = np.array(sorted(ids), np.int64)
    out, size = core.ffi.new("uint8_t **"), core.ffi.new("int64_t *")
    assert core.lib.ann_bitmap_make(core.pointer(array, "int64_t *"), len(array), out, size) == 0
    blob = bytes(core.ffi.buffer(out[0], size[0]))
    core.lib.ann_free(out[0])
    return blob


def opened(core, blob: bytes):
    """(the set, the bytes that it borrows); None when it is none."""
    bitmap, held = core.ffi.new("AnnBitmap *"), core.ffi.from_buffer("uint8_t[]", bytearray(blob))
    rc = core.lib.ann_bitmap_open(bitmap, held, len(blob))
    assert rc in (0, 1)
    return (bitmap, held) if rc == 0 else None


def ids_of(core, bitmap) -> list[int]:
    array = np.zeros(max(bitmap.n, 1), np.int64)
    core.lib.ann_bitmap_ids(bitmap, core.pointer(array, "int64_t *"))
    return array[: bitmap.n].tolist()


@given(ids=SETS)
@settings(deadline=None, max_examples=80)
def test_a_set_is_written_and_read_as_the_document_says(core_library, ids):
    core = core_library
    blob = made(core, ids)
    assert blob == idset.packed(ids)
    assert len(blob) % 8 == 4
    bitmap, held = opened(core, blob)
    assert ids_of(core, bitmap) == sorted(ids) == idset.unpacked(blob)
    del held


@given(ids=SETS, others=st.lists(IDS, max_size=40))
@settings(deadline=None, max_examples=80)
def test_a_chunk_is_found_by_its_key(core_library, ids, others):
    core = core_library
    bitmap, held = opened(core, made(core, ids))
    keys = {(id_ + 2**63) >> 16 for id_ in ids}
    for key in [*keys, *((id_ + 2**63) >> 16 for id_ in others)]:
        assert core.lib.ann_bitmap_find(bitmap, key) == (sorted(keys).index(key) if key in keys else -1)
    assert bool(bitmap.is_gapless) == (not keys or max(keys) - min(keys) == len(keys) - 1)
    del held


@pytest.mark.parametrize("n", [1, 2, 3, 7, 511, 512])
def test_a_list_has_what_is_in_it_and_nothing_else(core, n):
    lows = np.sort(np.random.default_rng(n).choice(65536, n, replace=False)).astype("<u2")
    held = core.ffi.from_buffer("uint8_t[]", bytearray(lows.tobytes()))
    has = [bool(core.lib.ann_bitmap_list_has(held, n, low)) for low in range(65536)]
    assert np.array_equal(np.flatnonzero(has), lows)


@given(ids=SETS, data=st.data())
@settings(deadline=None, max_examples=300)
def test_an_altered_byte_is_refused_or_makes_another_set(core_library, ids, data):
    """Whatever is taken is what the document reads there."""
    core = core_library
    blob = bytearray(idset.packed(ids))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(blob), 200) - 1) | st.integers(0, len(blob) - 1))
        blob[at] ^= 1 << data.draw(st.integers(0, 7))
    found = opened(core, bytes(blob))
    if found is None:
        with pytest.raises(ValueError, match="no set of ids"):
            idset.unpacked(bytes(blob))
    else:
        assert ids_of(core, found[0]) == idset.unpacked(bytes(blob))


@given(ids=SETS, data=st.data())
@settings(deadline=None, max_examples=100)
def test_a_set_of_another_length_is_refused(core_library, ids, data):
    blob = idset.packed(ids)
    cut = data.draw(st.integers(0, len(blob) - 1))
    assert opened(core_library, blob[:cut]) is None
    assert opened(core_library, blob + bytes(data.draw(st.integers(1, 40)))) is None


@pytest.mark.parametrize("at", [4, 12, 28, 32])
@pytest.mark.parametrize("number", [0, 1, 2**31, 2**32 - 1])
def test_counts_and_places_that_lie_are_refused(core, at, number):
    blob = bytearray(idset.packed(range(100, 1000)))
    right = int.from_bytes(blob[at : at + 4], "little")
    blob[at : at + 4] = number.to_bytes(4, "little")
    assert (opened(core, bytes(blob)) is None) == (number != right)


def test_without_memory_there_is_no_set(core):
    array = np.arange(10, dtype=np.int64)
    out, size = core.ffi.new("uint8_t **"), core.ffi.new("int64_t *")
    core.fail_once(1)
    assert core.lib.ann_bitmap_make(core.pointer(array, "int64_t *"), 10, out, size) == 7
