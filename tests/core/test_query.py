"""core/query.c: what a search starts from, of rows of every type."""

import struct

import numpy as np
import pytest

TYPES = ["float32", "float16", "bfloat16", "int8", "bit"]


def element(core, name):
    return core.lib.ann_element_named(name.encode())


class Query:
    """A query's bytes in memory, right before what must not be touched."""

    def __init__(self, core, name, n):
        self.core, self.rows, self.n = core, element(core, name), n
        self.size = core.lib.ann_query_size(self.rows, n)
        self.room = np.full(self.size + 16, 0xAA, np.uint8)
        self.pointer = core.pointer(self.room, "uint8_t *")

    def check(self, rc, message):
        assert (self.room[self.size :] == 0xAA).all()
        return self if rc == 0 else self.core.ffi.string(message).decode()

    def from_blob(self, blob):
        message = self.core.ffi.new("char[200]")
        rc = self.core.lib.ann_query_from_blob(self.rows, blob, len(blob), self.n, self.pointer, message)
        return self.check(rc, message)

    def from_json(self, text):
        message = self.core.ffi.new("char[200]")
        rc = self.core.lib.ann_query_from_json(self.rows, text.encode(), len(text), self.n, self.pointer, message)
        return self.check(rc, message)

    def floats(self):
        return self.room[: 4 * self.n].view("<f4").tolist()

    def whole(self):
        found = self.core.lib.ann_query_whole(self.rows, self.pointer, self.n)
        return None if found == self.core.ffi.NULL else list(found[0 : self.n])

    def bits(self):
        return np.unpackbits(self.room[: self.size], bitorder="little")[: self.n].tolist()


def test_sizes(core):
    for n in (1, 3, 4, 7, 8, 65536):
        sizes = [core.lib.ann_query_size(element(core, name), n) for name in TYPES]
        assert sizes == [4 * n, 4 * n, 4 * n, 4 * n + (n + 3) // 4 * 4, (n + 7) // 8]


def test_it_is_of_floats_but_of_bits(core):
    for name in TYPES:
        wanted = "bit" if name == "bit" else "float32"
        assert core.lib.ann_query_element(element(core, name)) == element(core, wanted)


@pytest.mark.parametrize("name", TYPES[:4])
def test_floats_stay_as_they_are(core, name):
    values = [1.1, -0.0, 1e-30, 3e38, 0.25]
    query = Query(core, name, 5).from_blob(struct.pack("<5f", *values))
    assert query.floats() == np.float32(values).tolist()
    assert query.whole() is None
    assert Query(core, name, 3).from_json("[1.5, -2, 1e-3]").floats() == np.float32([1.5, -2, 1e-3]).tolist()


def test_a_blob_of_the_rows_own_type_is_widened(core):
    values = [1.5, -2.0, 0.0]
    assert Query(core, "float16", 3).from_blob(np.float16(values).tobytes()).floats() == values
    bfloat16 = (np.float32(values).view(np.uint32) >> 16).astype("<u2").tobytes()
    assert Query(core, "bfloat16", 3).from_blob(bfloat16).floats() == values
    query = Query(core, "int8", 3).from_blob(np.int8([127, -128, 3]).tobytes())
    assert (query.floats(), query.whole()) == ([127, -128, 3], [127, -128, 3])
    assert Query(core, "bit", 12).from_blob(b"\x05\x08").bits() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_whole_floats_among_whole_numbers_are_whole_numbers(core):
    assert Query(core, "int8", 3).from_blob(struct.pack("<3f", 1, -128, 127)).whole() == [1, -128, 127]
    assert Query(core, "int8", 2).from_json("[0, 5e0]").whole() == [0, 5]
    for other in (0.5, 128, -129, 1e30):
        assert Query(core, "int8", 2).from_blob(struct.pack("<2f", 1, other)).whole() is None
    assert Query(core, "int8", 2).from_blob(struct.pack("<2f", 0, -0.0)).whole() == [0, 0]


def test_components_above_0_are_the_bits_that_are_set(core):
    query = Query(core, "bit", 9).from_blob(struct.pack("<9f", 1, -1, 0, 1e-45, -0.0, 5, 0, -3, 2))
    assert query.bits() == [1, 0, 0, 1, 0, 1, 0, 0, 1]


def test_what_is_no_query_is_refused_with_both_lengths(core):
    assert Query(core, "float32", 2).from_blob(bytes(7)) == "expected a blob of 8 bytes (2 float32), got 7 bytes"
    wanted = "expected a blob of 2 bytes (2 int8) or 8 bytes (float32), got 7 bytes"
    assert Query(core, "int8", 2).from_blob(bytes(7)) == wanted
    for name in TYPES:
        got = Query(core, name, 3).from_blob(struct.pack("<3f", 1, 2, np.nan))
        assert got == "expected finite components, got NaN at component 2"
    assert (
        Query(core, "float16", 1).from_blob(b"\x00\xfc") == "expected finite components, got -infinity at component 0"
    )
    assert Query(core, "bit", 3).from_blob(b"\x18") == "expected 0 in the bits after the first 3, got a last byte 0x18"
    assert Query(core, "bit", 3).from_json("[0, 1, 0.5]") == "expected 0 or 1, got 0.5 at component 2"


@pytest.mark.parametrize("name", TYPES)
def test_a_row_is_known_again_in_the_query_made_of_it(core, rng, name):
    n = 21
    rows = element(core, name)
    for _ in range(20):
        row = np.zeros(core.lib.ann_element_size(rows, n), np.uint8)
        if name in ("float32", "float16"):
            row = rng.standard_normal(n).astype(name).view(np.uint8)
        elif name == "bfloat16":
            row = (rng.standard_normal(n).astype(np.float32).view(np.uint32) >> 16).astype("<u2").view(np.uint8)
        else:
            row[:] = rng.integers(0, 256, len(row))
            row[-1] &= 31 if name == "bit" else 255
        query = Query(core, name, n)
        core.lib.ann_query_from_vector(rows, core.pointer(row, "uint8_t *"), n, query.pointer)
        held = query.from_blob(row.tobytes())
        in_place = np.zeros(query.size, np.uint8)
        in_place[: len(row)] = row
        core.lib.ann_query_from_vector(
            rows, core.pointer(in_place, "uint8_t *"), n, core.pointer(in_place, "uint8_t *")
        )
        assert (in_place == held.room[: query.size]).all()
        is_of = core.lib.ann_query_is_vector
        assert is_of(rows, query.pointer, core.pointer(row, "uint8_t *"), n)
        row[0] ^= 1
        assert not is_of(rows, query.pointer, core.pointer(row, "uint8_t *"), n)


def test_a_vector_of_another_type_is_a_query_of_the_same_numbers(core):
    numbers = [3.0, -0.0, 2.5, -128.0, 127.0]
    whole = [3.0, 0.0, -128.0, 127.0, 1.0]
    for rows, of, given in (("float16", "float32", numbers), ("int8", "float32", numbers), ("int8", "float16", whole)):
        query, vector = Query(core, rows, 5), Query(core, of, 5)
        stored = np.array(given, {"float32": "<f4", "float16": "<f2"}[of]).view(np.uint8)
        core.lib.ann_query_from_other(query.rows, vector.rows, core.pointer(stored, "uint8_t *"), 5, query.pointer)
        assert query.check(0, None).floats() == given
        assert query.whole() == ([int(x) for x in given] if (rows, given) == ("int8", whole) else None)


def test_bits_and_numbers_are_not_queries_of_each_other(core):
    able = [[core.lib.ann_query_can_be(element(core, rows), element(core, of)) for of in TYPES] for rows in TYPES]
    assert able == [[1, 1, 1, 1, 0]] * 4 + [[0, 0, 0, 0, 1]]


@pytest.mark.parametrize("rows", TYPES)
@pytest.mark.parametrize("of", TYPES)
def test_a_blob_of_a_type_that_is_told(core, rng, rows, of):
    """Float32 becomes whatever is asked; numbers stay the numbers that they are."""
    n = 19
    assert core.lib.ann_query_takes(element(core, rows), element(core, of)) == (
        of == "float32" or (rows == "bit") == (of == "bit")
    )
    if of != "float32" and (rows == "bit") != (of == "bit"):
        return
    numbers = rng.integers(-9, 10, n).astype("<f4")
    packed = np.packbits(numbers > 0, bitorder="little")
    halves = numbers.astype("<f2"), (numbers.view("<u4") >> 16).astype("<u2")
    blob = dict(zip(TYPES, (numbers, *halves, numbers.astype("i1"), packed), strict=True))[of].tobytes()
    query, message = Query(core, rows, n), core.ffi.new("char[200]")
    rc = core.lib.ann_query_from_blob_of(query.rows, element(core, of), blob, len(blob), n, query.pointer, message)
    query.check(rc, message)
    if rows == "bit":
        assert query.bits() == (numbers > 0).tolist()
    else:
        assert query.floats() == numbers.tolist()
        assert query.whole() == (numbers.tolist() if rows == "int8" else None)


def test_what_is_not_finite_is_refused_in_a_blob_of_any_type(core):
    for of, blob in (("float32", struct.pack("<2f", 1, np.inf)), ("float16", struct.pack("<2e", 1, np.inf))):
        query, message = Query(core, "int8", 2), core.ffi.new("char[200]")
        rc = core.lib.ann_query_from_blob_of(query.rows, element(core, of), blob, len(blob), 2, query.pointer, message)
        assert query.check(rc, message) == "expected finite components, got infinity at component 1"
