"""core/kernel.c and its siblings: every implementation gives the bits that FORMAT.md §2 defines."""

import numpy as np
import pytest

from tests import arithmetic
from tests.core.conftest import BACKENDS

SIZES = [*range(66), 95, 96, 97, 127, 128, 129, 255, 256, 257, 300, 384, 511, 512, 513, 784, 1023, 1024, 1025]


@pytest.fixture
def kernels(core, backend):
    table = core.lib.ann_kernels_named(backend.encode())
    assert core.ffi.string(table.name).decode() == backend
    return table


def bits(value):
    return int(np.float32(value).view(np.uint32))


def same(got, wanted):
    """Bit by bit; NaN is NaN."""
    return bits(got) == bits(wanted) or (got != got and wanted != wanted)


def floats_at(core, values, offset):
    """The values in memory that starts `offset` bytes after a multiple of 64."""
    room = np.zeros(4 * len(values) + 192, np.uint8)
    start = -room.ctypes.data % 64 + offset
    room[start : start + 4 * len(values)] = np.ascontiguousarray(values, np.float32).view(np.uint8)
    return core.ffi.cast("float *", room.ctypes.data + start), room


def test_the_best_is_never_missing_and_unknown_names_are(core):
    assert core.lib.ann_kernels() != core.ffi.NULL
    assert core.lib.ann_kernels_named(b"portable") != core.ffi.NULL
    assert core.lib.ann_kernels_named(b"") == core.ffi.NULL
    assert core.lib.ann_kernels_named(b"Portable") == core.ffi.NULL


def test_all_that_this_machine_has_are_tested_and_the_best_is_chosen(core):
    tables = [core.lib.ann_kernels_at(i) for i in range(len(BACKENDS) + 1)]
    names = [core.ffi.string(table.name).decode() for table in tables if table != core.ffi.NULL]
    assert names[0] == "portable"
    assert names == sorted(names, key=BACKENDS.index)
    assert core.ffi.string(core.lib.ann_kernels().name).decode() == names[-1]


def test_forcing_a_name_holds_and_an_unknown_one_changes_nothing(core):
    before = core.ffi.string(core.lib.ann_kernels().name)
    assert core.lib.ann_kernels_force(b"portable") == 1
    assert core.ffi.string(core.lib.ann_kernels().name) == b"portable"
    assert core.lib.ann_kernels_force(b"abacus") == 0
    assert core.ffi.string(core.lib.ann_kernels().name) == b"portable"
    assert core.lib.ann_kernels_force(before) == 1


@pytest.mark.parametrize("size", [1.0, 1e18, 1e30, 1e-22, 1e-30])
def test_products_and_distances_are_summed_in_sixteen_lanes(core, kernels, rng, size):
    for n in SIZES:
        a, b = (rng.standard_normal((2, n)) * size).astype(np.float32)
        offset = (4 * n + 4) % 64
        pa, keep_a = floats_at(core, a, offset)
        pb, keep_b = floats_at(core, b, 64 - offset)
        assert same(kernels.dot(pa, pb, n), arithmetic.dot(a, b)), n
        assert same(kernels.l2(pa, pb, n), arithmetic.squares(a, b)), n
        del keep_a, keep_b


@pytest.mark.slow
def test_every_size(core, kernels, rng):
    c = rng.integers(-127, 128, 1025).astype(np.int8)
    pa, keep_a = floats_at(core, rng.standard_normal(1025), 4)
    pb, keep_b = floats_at(core, rng.standard_normal(1025), 8)
    a, b = (np.array(core.ffi.unpack(p, 1025), np.float32) for p in (pa, pb))
    for n in range(1026):
        assert bits(kernels.dot(pa, pb, n)) == bits(arithmetic.dot(a[:n], b[:n])), n
        assert bits(kernels.l2(pa, pb, n)) == bits(arithmetic.squares(a[:n], b[:n])), n
        got = kernels.dot_i8(pa, core.pointer(c, "int8_t *"), n)
        assert bits(got) == bits(arithmetic.dot(a[:n], c[:n].astype(np.float32))), n
    del keep_a, keep_b


def test_bytes_and_floats_may_lie_anywhere(core, kernels, rng):
    a, c = rng.standard_normal(97).astype(np.float32), rng.integers(-128, 128, 97 + 64).astype(np.int8)
    for offset in range(0, 64, 4):
        pa, keep = floats_at(core, a, offset)
        for shift in range(33):
            pc = core.ffi.cast("int8_t *", c.ctypes.data + shift)
            wanted = arithmetic.dot(a, c[shift : shift + 97].astype(np.float32))
            assert bits(kernels.dot_i8(pa, pc, 97)) == bits(wanted)
        del keep


def test_what_lies_beyond_the_end_does_not_matter(core, kernels):
    """NaN right behind the last component, as in a blob that others follow."""
    for n in (1, 7, 8, 9, 15, 16, 17, 31, 33):
        a = np.full(n + 16, np.nan, np.float32)
        a[:n] = 1
        assert kernels.dot(core.pointer(a), core.pointer(a), n) == n
        assert kernels.l2(core.pointer(a), core.pointer(a), n) == 0


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38, 1e-45, -0.0])
def test_ends_of_the_range(core, kernels, rng, value):
    for n in (1, 15, 16, 17, 40):
        for at in {0, n // 2, n - 1}:
            a, b = rng.standard_normal((2, n)).astype(np.float32)
            a[at] = value
            assert same(kernels.dot(core.pointer(a), core.pointer(b), n), arithmetic.dot(a, b))
            assert same(kernels.l2(core.pointer(a), core.pointer(b), n), arithmetic.squares(a, b))


def scanned(codes, table):
    nibbles = np.concatenate([codes & 15, codes >> 4], axis=1).astype(np.intp)
    return table[np.arange(len(table))[:, None], nibbles].astype(np.uint32).sum(axis=0, dtype=np.uint32)


def scan(core, kernels, codes, table):
    out = np.zeros(32, np.uint32)
    pointers = (core.pointer(codes, "uint8_t *"), core.pointer(table, "uint8_t *"))
    kernels.scan(*pointers, len(table), core.pointer(out, "uint32_t *"))
    return out


def test_scan_adds_up_what_the_tables_say(core, kernels, rng):
    for n in [*range(33), 63, 64, 65, 127, 128, 255, 256, 257, 258, 511, 512, 513, 1024, 16384]:
        for highest in (2, 256):
            codes = rng.integers(0, 256, (n, 16), np.uint8)
            table = rng.integers(0, highest, (n, 16), np.uint8)
            np.testing.assert_array_equal(scan(core, kernels, codes, table), scanned(codes, table))


def test_scan_does_not_overflow(core, kernels):
    for n in (255, 256, 257, 514, 16384):
        codes, table = np.full((n, 16), 0xF3, np.uint8), np.full((n, 16), 255, np.uint8)
        assert (scan(core, kernels, codes, table) == 255 * n).all()


def test_scan_takes_tables_and_codes_from_anywhere(core, kernels, rng):
    for shift in range(1, 32):
        room = rng.integers(0, 256, (2, 16 * 70 + 64), np.uint8)
        codes, table = (room[i, shift * (i + 1) :][: 16 * 70].reshape(70, 16) for i in range(2))
        np.testing.assert_array_equal(scan(core, kernels, codes, table), scanned(codes, table))


def test_estimates_and_which_are_within_the_bound(core, kernels, rng):
    line, out = core.ffi.new("AnnLine *"), np.zeros(32, np.float32)
    for size in (1, 1e-20, 1e20, 1e38):
        sums = rng.integers(0, 1 << 22, 32).astype(np.uint32)
        shift, slope = (rng.standard_normal((2, 32)) * size).astype(np.float32)
        line.unit, line.minimum, line.base = (float(x) for x in rng.standard_normal(3))
        with np.errstate(all="ignore"):
            s = sums.astype(np.float32) * np.float32(line.unit) + np.float32(line.minimum)
            wanted = (np.float32(line.base) + shift) + slope * s
        for bound in (np.inf, -np.inf, float(np.median(wanted)), float(wanted[3])):
            line.bound = bound
            room = np.concatenate([shift, slope]).tobytes()
            within = kernels.estimate(
                core.pointer(sums, "uint32_t *"), core.ffi.from_buffer(room), line, core.pointer(out)
            )
            np.testing.assert_array_equal(out.view(np.uint32), wanted.view(np.uint32))
            assert [within >> v & 1 for v in range(32)] == (~(wanted > np.float32(bound))).astype(int).tolist()


def test_the_least_is_the_first_of_equals(core, kernels, rng):
    for n in (32, 64, 96, 128, 1024):
        for _ in range(30):
            x = rng.integers(-3, 3, n).astype(np.float32) * np.float32(rng.choice([1e-30, 1, 1e30]))
            x[rng.integers(0, n, n // 3)] = np.inf
            assert kernels.least(core.pointer(x), n) == np.flatnonzero(x == x.min())[0]
    assert kernels.least(core.pointer(np.full(64, np.inf, np.float32)), 64) == 0


@pytest.mark.parametrize("size", [1.0, 1e30, 1e-42])
def test_hadamard_takes_its_steps_in_the_stated_order(core, kernels, rng, size):
    for n in (16, 32, 64, 128, 256, 512, 1024, 65536):
        x = (rng.standard_normal((1, n)) * size).astype(np.float32)
        wanted = arithmetic.Rotation._hadamard(x)[0]
        kernels.hadamard(core.pointer(x), n)
        np.testing.assert_array_equal(x[0].view(np.uint32), wanted.view(np.uint32))


def test_tables_hold_the_sums_of_four(core, kernels, rng):
    for n in (8, 64, 100, 16384):
        for size in (1.0, 1e-30, 1e30):
            query = (rng.standard_normal(4 * n) * size).astype(np.float32)
            wanted = arithmetic.Lookup.of(query)
            room = np.zeros((n, 16), np.uint8)
            largest = np.abs(query.reshape(-1, 4))
            largest = np.float32(2) * (((largest[:, 0] + largest[:, 1]) + largest[:, 2]) + largest[:, 3]).max()
            steps = np.float32(255) / largest
            kernels.fill(core.pointer(query), n, steps, core.pointer(room, "uint8_t *"))
            np.testing.assert_array_equal(room, wanted.table)


@pytest.mark.parametrize("n", [1, 16, 31, 32, 256, 800])
@pytest.mark.parametrize("n_rows", [0, 1, 3, 4, 9])
def test_products_with_many_rows_are_those_with_each(core, kernels, rng, n, n_rows):
    x = rng.standard_normal(n).astype(np.float32)
    rows = rng.standard_normal((max(n_rows, 1), n)).astype(np.float32)
    out = np.full(n_rows + 1, 7, np.float32)
    kernels.dot_rows(core.pointer(x), core.pointer(rows), n, n_rows, core.pointer(out))
    assert out[n_rows] == 7
    for r in range(n_rows):
        assert out[r].tobytes() == np.float32(kernels.dot(core.pointer(x), core.pointer(rows[r]), n)).tobytes()


@pytest.mark.parametrize("n", [16, 32, 256, 800])
@pytest.mark.parametrize("n_rows", [0, 1, 2, 5, 9])
def test_products_of_four_vectors_are_nearly_right(core, kernels, rng, n, n_rows):
    a = rng.standard_normal((4, n)).astype(np.float32)
    b = rng.standard_normal((max(n_rows, 1), n)).astype(np.float32)
    out = np.full(4 * n_rows + 1, 7, np.float32)
    kernels.products(core.pointer(a), core.pointer(b), n, n_rows, core.pointer(out))
    assert out[-1] == 7
    right = b[:n_rows].astype(np.float64) @ a.T.astype(np.float64)
    within = n * 2.0**-23 * (np.abs(b[:n_rows]).astype(np.float64) @ np.abs(a.T).astype(np.float64))
    assert (np.abs(out[:-1].reshape(n_rows, 4) - right) <= within).all()


@pytest.mark.parametrize("n", [16, 32, 256, 800])
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e18])
def test_signs_and_what_a_code_needs_of_a_residual(core, kernels, rng, n, size):
    x, c = (rng.standard_normal((2, n)) * size).astype(np.float32)
    c[::5] = x[::5]
    bits, out = np.zeros(n // 8, np.uint8), np.zeros((3, 16), np.float32)
    kernels.signs(core.pointer(x), core.pointer(c), n, core.pointer(bits, "uint8_t *"), core.pointer(out))
    r = x - c
    assert np.array_equal(np.unpackbits(bits, bitorder="little"), r >= 0)
    wanted = np.stack([arithmetic.lanes(terms) for terms in (np.abs(r), np.where(r >= 0, c, -c), r * c)])
    assert out.tobytes() == wanted.tobytes()
