"""core/sums.c and its siblings: sums over a query and a row of each type, in the same bits by every implementation."""

import numpy as np
import pytest

from tests import arithmetic

SIZES = [*range(66), 95, 96, 97, 127, 128, 129, 255, 257, 384, 512, 1025]
TYPES = ["float32", "float16", "bfloat16", "int8"]


@pytest.fixture
def sums(core, backend):
    return core.lib.ann_kernels_named(backend.encode()).sums


def row_of(rng, name, n):
    """Components as they are stored, and as floats."""
    if name == "int8":
        row = rng.integers(-128, 128, n).astype(np.int8)
        return row, row.astype(np.float32)
    if name == "bfloat16":
        row = (rng.standard_normal(n).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return row, (row.astype(np.uint32) << 16).view(np.float32)
    row = rng.standard_normal(n).astype(name)
    return row, row.astype(np.float32)


def bits(x):
    return int(np.float32(x).view(np.uint32))


@pytest.mark.parametrize("name", TYPES)
def test_sums_are_those_of_the_widened_row(core, sums, rng, name):
    of = sums.of[TYPES.index(name)]
    for n in SIZES:
        q = rng.standard_normal(n).astype(np.float32)
        row, wide = row_of(rng, name, n)
        shifted = np.zeros(row.nbytes + 3, np.uint8)
        shifted[3:] = row.view(np.uint8)
        for p in (core.pointer(row, "uint8_t *"), core.pointer(shifted, "uint8_t *") + 3):
            pq = core.pointer(q) if n else core.ffi.NULL
            assert bits(of.dot(pq, p, n)) == bits(arithmetic.dot(q, wide)), n
            assert bits(of.l2(pq, p, n)) == bits(arithmetic.squares(q, wide)), n
            assert bits(of.l1(pq, p, n)) == bits(arithmetic.folded(arithmetic.lanes(np.abs(q - wide)))), n
            assert bits(of.norm(p, n)) == bits(arithmetic.dot(wide, wide)), n
            out = np.full(n + 1, 7, np.float32)
            of.widen(p, n, core.pointer(out))
            np.testing.assert_array_equal(out, [*wide, 7])


def test_every_number_of_two_bytes_is_widened_exactly(core, sums):
    every, out = np.arange(1 << 16, dtype=np.uint16), np.empty(1 << 16, np.float32)
    sums.of[1].widen(core.pointer(every, "uint8_t *"), len(every), core.pointer(out))
    np.testing.assert_array_equal(out, every.view(np.float16).astype(np.float32))
    sums.of[2].widen(core.pointer(every, "uint8_t *"), len(every), core.pointer(out))
    np.testing.assert_array_equal(out, (every.astype(np.uint32) << 16).view(np.float32))


def whole(core, sums, a, b):
    p, q = (core.pointer(x, "int8_t *") for x in (a, b))
    return [f(p, q, len(a)) for f in (sums.int8_dot, sums.int8_l2, sums.int8_l1)]


def wanted(a, b):
    a, b = a.astype(np.int64), b.astype(np.int64)
    return [int(a @ b), int(((a - b) ** 2).sum()), int(np.abs(a - b).sum())]


def test_sums_of_whole_numbers_are_exact(core, sums, rng):
    for n in SIZES:
        a, b = rng.integers(-128, 128, (2, n)).astype(np.int8)
        assert whole(core, sums, a, b) == wanted(a, b), n


@pytest.mark.parametrize(("a", "b"), [(-128, -128), (-128, 127), (127, 127), (127, -128)])
def test_sums_of_whole_numbers_do_not_overflow_at_the_most_dimensions(core, sums, a, b):
    a, b = np.full(65536, a, np.int8), np.full(65536, b, np.int8)
    assert whole(core, sums, a, b) == wanted(a, b)


def test_bits_that_differ_and_bits_in_common_are_counted(core, sums, rng):
    for n in [*SIZES, 8192]:
        a, b = rng.integers(0, 256, (2, n), np.uint8)
        p, q = (core.pointer(x, "uint8_t *") for x in (a, b))
        assert sums.differing(p, q, n) == np.unpackbits(a ^ b).sum()
        assert sums.common(p, q, n) == np.unpackbits(a & b).sum()
        assert sums.differing(p, p, n) == 0
