"""The notes of an ordinary table, alone: read once a call, counted, and taken away."""

from __future__ import annotations

import pytest


@pytest.fixture
def notes(parts):
    return parts.made("AnnNotes", parts.lib.ann_notes_new, parts.lib.ann_notes_free, parts.handle, 1)


def noted(parts, notes):
    out = parts.ffi.new("AnnBitmap **")
    assert parts.lib.ann_notes_get(notes, out) == 0
    if out[0] == parts.ffi.NULL:
        return []
    ids = parts.ffi.new("int64_t[]", out[0].n)
    parts.lib.ann_bitmap_ids(out[0], ids)
    return list(ids)


def write(parts, *ids):
    parts.db.executemany("INSERT INTO v_changes VALUES (?)", [(id_,) for id_ in ids])


def test_a_call_reads_the_notes_once_and_the_next_one_again(parts, notes):
    assert noted(parts, notes) == []
    assert parts.lib.ann_notes_digest(notes) == 0
    parts.lib.ann_notes_forget(notes)
    write(parts, 7, -3, 2**62)
    assert noted(parts, notes) == [-3, 7, 2**62]
    digest = parts.lib.ann_notes_digest(notes)
    write(parts, 8)
    assert noted(parts, notes) == [-3, 7, 2**62]
    parts.lib.ann_notes_forget(notes)
    assert noted(parts, notes) == [-3, 7, 8, 2**62]
    assert 0 != digest != parts.lib.ann_notes_digest(notes)


def test_the_first_ones_are_given_and_go(parts, notes):
    write(parts, *range(10))
    ids, n = parts.ffi.new("int64_t[4]"), parts.ffi.new("int64_t *")
    assert (parts.lib.ann_notes_count(notes, n), n[0]) == (0, 10)
    assert (parts.lib.ann_notes_first(notes, 4, ids, n), n[0], list(ids)) == (0, 4, [0, 1, 2, 3])
    assert parts.lib.ann_notes_delete(notes, ids[3]) == 0
    assert noted(parts, notes) == [4, 5, 6, 7, 8, 9]
    assert (parts.lib.ann_notes_count(notes, n), n[0]) == (0, 6)


def test_a_table_with_vectors_of_its_own_has_none_and_is_not_asked(parts):
    notes = parts.made("AnnNotes", parts.lib.ann_notes_new, parts.lib.ann_notes_free, parts.handle, 0)
    parts.db.execute("DROP TABLE v_changes")
    n = parts.ffi.new("int64_t *", 5)
    assert noted(parts, notes) == []
    assert (parts.lib.ann_notes_count(notes, n), n[0]) == (0, 0)
    assert parts.lib.ann_notes_delete(notes, 9) == 0
