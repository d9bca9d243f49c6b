"""Where vectors come from, alone: rows in and out, scans, and rows that are none."""

from __future__ import annotations

import numpy as np
import pytest

D = 3


@pytest.fixture
def source(parts):
    return parts.source(D)


def put(parts, source, id_, vector):
    out = parts.ffi.new("int64_t *")
    wanted = parts.ffi.NULL if id_ is None else parts.ffi.new("int64_t *", id_)
    rc = parts.lib.ann_source_put(source, wanted, parts.ffi.new("float[]", vector), out)
    return rc, out[0]


def get(parts, source, id_):
    out, found = parts.ffi.new("float[]", D), parts.ffi.new("int *")
    rc = parts.lib.ann_source_get(source, id_, out, found)
    return rc, list(out) if found[0] else None


def scanned(parts, source, first, last):
    id_, out, found, ids = parts.ffi.new("int64_t *"), parts.ffi.new("float[]", D), parts.ffi.new("int *", 1), []
    assert parts.lib.ann_source_scan(source, first, last) == 0
    while True:
        assert parts.lib.ann_source_next(source, id_, out, found) == 0
        if not found[0]:
            return ids
        ids.append((id_[0], out[0]))


def test_a_row_that_is_put_is_there_until_it_is_deleted(parts, source):
    found = parts.ffi.new("int *")
    assert put(parts, source, 5, [1, 2, 3]) == (0, 5)
    assert get(parts, source, 5) == (0, [1, 2, 3])
    assert parts.rows("SELECT id, hex(vector) FROM v_vectors") == [
        (5, np.array([1, 2, 3], "<f4").tobytes().hex().upper())
    ]
    assert parts.lib.ann_source_update(source, 5, parts.ffi.new("float[]", [4, 5, 6])) == 0
    assert get(parts, source, 5) == (0, [4, 5, 6])
    assert (parts.lib.ann_source_has(source, 5, found), found[0]) == (0, 1)
    assert (parts.lib.ann_source_delete(source, 5, found), found[0]) == (0, 1)
    assert (parts.lib.ann_source_delete(source, 5, found), found[0]) == (0, 0)
    assert (parts.lib.ann_source_has(source, 5, found), found[0]) == (0, 0)
    assert get(parts, source, 5) == (0, None)
    assert parts.lib.ann_db_changes(parts.handle) == 3


def test_sqlite_chooses_an_id_and_a_taken_one_is_refused(parts, source):
    put(parts, source, 9, [1, 1, 1])
    assert put(parts, source, None, [2, 2, 2]) == (0, 10)
    rc, _ = put(parts, source, 9, [3, 3, 3])
    assert (rc, parts.sentence) == (2579, "ann table v: expected a new rowid, but 9 is there already")
    assert get(parts, source, 9) == (0, [1, 1, 1])


def test_a_scan_gives_the_ids_within_its_ends_in_order(parts, source):
    for id_ in (-4, 7, 2, 30):
        put(parts, source, id_, [id_, 0, 0])
    assert scanned(parts, source, -(2**63), 2**63 - 1) == [(-4, -4), (2, 2), (7, 7), (30, 30)]
    assert scanned(parts, source, 2, 29) == [(2, 2), (7, 7)]
    numbers = parts.ffi.new("int64_t[3]")
    assert parts.lib.ann_source_count(source, 0, 29, numbers, numbers + 1, numbers + 2) == 0
    assert list(numbers) == [2, 2, 7]
    assert (parts.lib.ann_source_max(source, numbers), numbers[0]) == (0, 30)


def test_without_rows_there_is_no_largest_id(parts, source):
    number = parts.ffi.new("int64_t *")
    assert (parts.lib.ann_source_max(source, number), number[0]) == (0, -(2**63))


@pytest.mark.parametrize("value", ["x'00'", "NULL", "'text'", "1.5", "x'0000c07f0000000000000000'"])
def test_what_is_no_vector_is_damage(parts, source, value):
    parts.db.execute(f"INSERT INTO v_vectors VALUES (3, {value})")
    assert get(parts, source, 3)[0] == parts.lib.ANN_CORRUPT
    assert parts.sentence == "ann table v: vector 3 is damaged; write it anew or delete it"


def test_a_row_that_the_index_names_must_be_there(parts, source):
    assert parts.lib.ann_source_lacks(source, 12) == parts.lib.ANN_CORRUPT
    assert parts.sentence == "ann table v: the forest has a row 12 that v_vectors lacks; rebuild it"
    assert parts.lib.ann_source_may_keep(source) == 1
