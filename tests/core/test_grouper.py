"""core/grouper.c: ids with keys on their way to groups."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import groups

ROWS = st.lists(st.tuples(st.integers(-20, 20), st.binary(max_size=2)), max_size=60)


def finished(core, rows):
    """(rc, the groups, the id that is told)."""
    grouper, out = core.ffi.new("AnnGrouper *"), core.ffi.new("uint8_t **")
    size, id_ = core.ffi.new("int64_t *"), core.ffi.new("int64_t *")
    rc = 0
    for row, key in rows:
        rc = rc or core.lib.ann_grouper_add(grouper, row, key, len(key))
    rc = rc or core.lib.ann_grouper_finish(grouper, out, size, id_)
    blob = bytes(core.ffi.buffer(out[0], size[0])) if rc == 0 else b""
    core.lib.ann_free(out[0])
    core.lib.ann_grouper_clear(grouper)
    return rc, blob, id_[0]


@given(rows=ROWS)
@settings(deadline=None, max_examples=150)
def test_ids_in_any_order_come_to_groups_unless_one_has_two_keys(core_library, rows):
    keys = dict(rows)
    torn = sorted(id_ for id_, key in rows if keys[id_] != key)
    rc, blob, told = finished(core_library, rows)
    if torn:
        assert (rc, told) == (1, torn[0])
    else:
        assert (rc, blob) == (0, groups.packed(keys))


def test_keys_are_told_apart_by_all_their_bytes(core):
    rows = [(i, b"x" * (i % 7) + bytes([i % 3])) for i in range(500)]
    assert finished(core, rows) == (0, groups.packed(dict(rows)), 0)


def test_a_failed_allocation_is_told_and_loses_nothing(core):
    rows = [(i * 7 % 100, bytes([i * 7 % 100 % 9])) for i in range(100)]
    expected = groups.packed(dict(rows))
    for n in range(1, 40):
        core.fail_once(n)
        rc, blob, _ = finished(core, rows)
        assert (rc, blob) == ((7, b"") if core.failed else (0, expected))
        if not core.failed:
            break
    assert n > 5
