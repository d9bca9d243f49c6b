"""core/gather.c: ids on their way to a set."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import idset

IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)


def finished(core, gather) -> bytes:
    out, size = core.ffi.new("uint8_t **"), core.ffi.new("int64_t *")
    assert core.lib.ann_gather_finish(gather, out, size) == 0
    blob = bytes(core.ffi.buffer(out[0], size[0]))
    core.lib.ann_free(out[0])
    return blob


@given(parts=st.lists(st.tuples(st.sampled_from(["one", "list", "set"]), st.lists(IDS, max_size=30)), max_size=6))
@settings(deadline=None, max_examples=120)
def test_everything_that_was_added_is_in_the_set_once(core_library, parts):
    core = core_library
    gather, bitmap = core.ffi.new("AnnGather *"), core.ffi.new("AnnBitmap *")
    for kind, ids in parts:
        if kind == "one":
            for id_ in ids:
                assert core.lib.ann_gather_add(gather, id_) == 0
        elif kind == "list":
            held = core.ffi.from_buffer("uint8_t[]", bytearray(np.array(ids, "<i8").tobytes()))
            assert core.lib.ann_gather_add_list(gather, held, len(ids)) == 0
        else:
            blob = idset.packed(ids)
            held = core.ffi.from_buffer("uint8_t[]", bytearray(blob))
            assert core.lib.ann_bitmap_open(bitmap, held, len(blob)) == 0
            assert core.lib.ann_gather_add_set(gather, bitmap) == 0
    expected = idset.packed(id_ for _, ids in parts for id_ in ids)
    assert finished(core, gather) == expected
    assert finished(core, gather) == expected
    core.lib.ann_gather_clear(gather)


def test_a_failed_allocation_leaves_what_was_there(core):
    gather = core.ffi.new("AnnGather *")
    for id_ in (5, 3, 5):
        assert core.lib.ann_gather_add(gather, id_) == 0
    out, size = core.ffi.new("uint8_t **"), core.ffi.new("int64_t *")
    core.fail_from(1)
    assert core.lib.ann_gather_finish(gather, out, size) == 7
    held = core.ffi.from_buffer("uint8_t[]", bytearray(8 * 1000))
    assert core.lib.ann_gather_add_list(gather, held, 1000) == 7
    core.fail_from(0)
    assert finished(core, gather) == idset.packed({3, 5})
    core.lib.ann_gather_clear(gather)
