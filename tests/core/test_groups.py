"""core/groups.c: groups of ids as bytes, which may have come from anybody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import groups

IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
KEYS = st.dictionaries(IDS, st.integers(0, 5), max_size=40)


def opened(core, blob: bytes):
    """(the groups, the bytes that they borrow); None when they are none."""
    made, held = core.ffi.new("AnnGroups *"), core.ffi.from_buffer("uint8_t[]", bytearray(blob or b"\0"))
    rc = core.lib.ann_groups_open(made, held, len(blob))
    assert rc in (0, 1)
    return (made, held) if rc == 0 else None


@given(keys=KEYS)
@settings(deadline=None, max_examples=80)
def test_groups_are_written_and_read_as_the_document_says(core_library, keys):
    core = core_library
    blob = groups.packed(keys)
    of = groups.unpacked(blob)
    made, _held = opened(core, blob)
    assert (made.n, made.n_groups) == (len(of), len(set(of.values())))
    rows = core.ffi.new("AnnGrouped[]", [(id_, of[id_]) for id_ in sorted(of)] or 1)
    out, size = core.ffi.new("uint8_t **"), core.ffi.new("int64_t *")
    assert core.lib.ann_groups_make(rows, len(of), made.n_groups, out, size) == 0
    assert bytes(core.ffi.buffer(out[0], size[0])) == blob
    core.lib.ann_free(out[0])
    for id_ in {*keys, -4, 0, 4, 2**63 - 1, -(2**63)}:
        assert core.lib.ann_groups_find(made, id_) == of.get(id_, -1)


@pytest.mark.parametrize("keys", [{}, {7: "a"}, {1: "a", 2: "b", 3: "a"}, {-5: "x", 2**62: "y", 9: "z"}])
def test_what_is_not_groups_in_their_one_form_is_refused(core, keys):
    blob = groups.packed(keys)
    for size in range(len(blob)):
        assert opened(core, blob[:size]) is None
    assert opened(core, blob + b"\0" * 12) is None
    for at in range(len(blob)):
        for bit in range(8):
            altered = bytearray(blob)
            altered[at] ^= 1 << bit
            try:
                expected = groups.unpacked(bytes(altered))
            except ValueError:
                assert opened(core, bytes(altered)) is None
            else:
                made, _held = opened(core, bytes(altered))
                assert {id_: core.lib.ann_groups_find(made, id_) for id_ in expected} == expected


def test_a_failed_allocation_makes_nothing(core):
    out, size = core.ffi.new("uint8_t **"), core.ffi.new("int64_t *")
    core.fail_from(1)
    assert core.lib.ann_groups_make(core.ffi.new("AnnGrouped[]", [(1, 0)]), 1, 1, out, size) == 7
    assert out[0] == core.ffi.NULL
