"""core/code.c: one-bit codes with corrections, look-up tables and centres; FORMAT.md §10-§12."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import arithmetic

METRICS = {"cosine": 1, "l2": 1, "dot": 2}  # to the geometries of core/code.h
EXTREMES = [0.0, -0.0, 1e-45, 1e-38, 1e-20, 1.0, 1e19, 1e38, 3.4e38]


def bits(values):
    return np.asarray(values, np.float32).view(np.uint32)


class Encoder:
    """Codes by C, for rows of one length."""

    def __init__(self, core, length):
        self.core, self.length = core, length
        self.room = np.zeros(length // 8, np.uint8)
        self.code = core.ffi.new("AnnCode *")
        self.held = core.pointer(self.room, "uint8_t *")
        self.code.bits = self.held

    def __call__(self, metric, x, centre):
        x, centre = (np.ascontiguousarray(a, np.float32) for a in (x, centre))
        self.core.lib.ann_code_encode(
            METRICS[metric], self.core.pointer(x), self.core.pointer(centre), self.length, self.code
        )
        return np.unpackbits(self.room, bitorder="little"), self.code.shift, self.code.slope


def centre_record(core, point, spread=0.0):
    point = np.ascontiguousarray(point, np.float32)
    record = np.full(32 + len(point), 0xAA, np.uint8)
    core.lib.ann_centre_encode(core.pointer(point), len(point), spread, core.pointer(record, "uint8_t *"))
    return arithmetic.Centre(record.tobytes())


class Lookup:
    def __init__(self, core, length):
        self.core = core
        self.c = core.ffi.new("AnnLookup *")
        assert core.lib.ann_lookup_init(self.c, length) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.core.lib.ann_lookup_clear(self.c)

    def fill(self, query):
        query = np.ascontiguousarray(query, np.float32)
        self.core.lib.ann_lookup_fill(self.c, self.core.pointer(query))
        return np.frombuffer(self.core.ffi.buffer(self.c.bytes, 16 * self.c.n_tables), np.uint8).reshape(-1, 16).copy()


# --- codes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("length", [32, 64, 256, 800])
def test_codes_are_bit_by_bit_what_the_manual_says(core, rng, metric, length):
    encode = Encoder(core, length)
    centre = rng.standard_normal(length).astype(np.float32)
    x = rng.standard_normal((40, length)).astype(np.float32)
    x[0], x[1, ::2], x[2] = centre, centre[::2], 0
    wanted = arithmetic.encode(metric, x, centre)
    for i in range(len(x)):
        sign, shift, slope = encode(metric, x[i], centre)
        np.testing.assert_array_equal(sign, wanted.bits[i])
        assert (bits(shift), bits(slope)) == (bits(wanted.shift[i]), bits(wanted.slope[i]))


@pytest.mark.parametrize("metric", METRICS)
def test_codes_of_extreme_vectors_are_finite(core, rng, metric):
    encode = Encoder(core, 64)
    for size in EXTREMES:
        for centre_size in EXTREMES:
            x, centre = (rng.uniform(-1, 1, 64) * s for s in (size, centre_size))
            x, centre = x.astype(np.float32), centre.astype(np.float32)
            sign, shift, slope = encode(metric, x, centre)
            wanted = arithmetic.encode(metric, x[None], centre)
            assert np.isfinite([shift, slope]).all()
            assert slope <= 0
            np.testing.assert_array_equal(sign, wanted.bits[0])
            assert (bits(shift), bits(slope)) == (bits(wanted.shift[0]), bits(wanted.slope[0]))


@pytest.mark.parametrize("metric", METRICS)
def test_code_of_what_is_not_a_number_is_harmless(core, metric):
    """A rotation of numbers near the largest float can overflow."""
    for value in (np.nan, np.inf, -np.inf):
        x = np.ones(32, np.float32)
        x[3] = value
        _, shift, slope = Encoder(core, 32)(metric, x, np.zeros(32))
        assert np.isfinite([shift, slope]).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("length", [64, 256, pytest.param(1024, marks=pytest.mark.slow)])
def test_estimates_are_unbiased_and_their_error_shrinks_with_the_length(core, metric, length):
    """Over random points the mean error is nothing beside its spread; the spread falls as 1 / sqrt L.

    For |r| = |q - c| = 1 the deviation of <r, q - c> is sqrt(pi / 2 - 1) / sqrt L = .756 / sqrt L, of the squared
    distance twice that.
    """
    rng = np.random.default_rng(length)
    centre = rng.standard_normal(length).astype(np.float32)
    query, *points = (centre + r / np.linalg.norm(r) for r in rng.standard_normal((3001, length)))
    query, points = query.astype(np.float32), np.array(points, np.float32)
    codes = arithmetic.encode(metric, points, centre)
    s = (2.0 * codes.bits - 1) @ query.astype(np.float64)
    base = -(query.astype(np.float64) @ centre) if metric == "dot" else 1.0
    estimate = base + codes.shift.astype(np.float64) + codes.slope * s
    truth = (
        -(points.astype(np.float64) @ query) if metric == "dot" else ((points - query.astype(np.float64)) ** 2).sum(1)
    )
    error = estimate - truth
    # truth itself varies by 1 / sqrt L around its mean: regress that out of the error of a single query
    expected = (1 if metric == "dot" else 2) * 0.756 / np.sqrt(length)
    assert abs(error.mean()) < 5 * expected / np.sqrt(len(points)) + 0.1 * expected
    assert 0.8 * expected < error.std() < 1.2 * expected
    encode = Encoder(core, length)
    _, shift, slope = encode(metric, points[0], centre)
    assert (bits(shift), bits(slope)) == (bits(codes.shift[0]), bits(codes.slope[0]))


# --- look-ups -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [32, 256, 800])
def test_tables_are_bit_by_bit_what_the_manual_says(core, rng, length):
    with Lookup(core, length) as lookup:
        for size in (1.0, 1e-30, 1e30, 1e-3):
            query = (rng.standard_normal(length) * size).astype(np.float32)
            table, wanted = lookup.fill(query), arithmetic.Lookup.of(query)
            np.testing.assert_array_equal(table, wanted.table)
            assert (bits(lookup.c.unit), bits(lookup.c.minimum)) == (bits(wanted.unit), bits(wanted.minimum))


def test_tables_give_signed_sums_to_half_a_step_each(core, rng):
    length = 256
    with Lookup(core, length) as lookup:
        query = rng.standard_normal(length).astype(np.float32)
        table = lookup.fill(query)
        for _ in range(50):
            sign = rng.integers(0, 2, length)
            nibble = sign.reshape(-1, 4) @ [1, 2, 4, 8]
            s = float(table[np.arange(length // 4), nibble].sum()) * lookup.c.unit + lookup.c.minimum
            assert s == pytest.approx(float((2 * sign - 1) @ query), abs=length / 4 * lookup.c.unit * 0.51)
        assert table.max() == 255
        assert (table.min(axis=1) == 0).all()


@pytest.mark.parametrize("size", EXTREMES)
def test_tables_of_extreme_queries(core, rng, size):
    with Lookup(core, 64) as lookup:
        table = lookup.fill(rng.uniform(-1, 1, 64) * size)
        assert table.shape == (16, 16)
        if size in (0.0, -0.0):
            assert not table.any()
            assert (lookup.c.unit, lookup.c.minimum) == (0, 0)


def test_failed_allocation_of_a_table(core):
    core.fail_from(1)
    lookup = core.ffi.new("AnnLookup *")
    assert core.lib.ann_lookup_init(lookup, 64) == 7
    core.lib.ann_lookup_clear(lookup)


# --- centres ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=32, max_size=32))
@settings(deadline=None, max_examples=60)
def test_centre_is_bit_by_bit_what_the_manual_says(core_library, values):
    point = np.array(values, np.float32)
    with np.errstate(all="ignore"):
        assert centre_record(core_library, point, 1.5) == arithmetic.encode_centre(point, 1.5)


def test_centre_is_within_half_a_step(core, rng):
    for size in (1.0, 1e-15, 1e15):
        point = (rng.standard_normal(256) * size).astype(np.float32)
        centre = centre_record(core, point)
        assert np.abs(centre.point - point).max() <= centre.scale * 0.5001
        assert centre.norm == pytest.approx(float((centre.point.astype(np.float64) ** 2).sum()), rel=1e-5)
        out = np.zeros(256, np.float32)
        record = np.frombuffer(centre.record, np.uint8).copy()
        core.lib.ann_centre_decode(core.pointer(record, "uint8_t *"), 256, core.pointer(out))
        np.testing.assert_array_equal(out, centre.point)


@pytest.mark.parametrize(
    "values", [[np.nan], [np.inf], [-np.inf], [np.nan, 1], [1, np.nan, -2], [np.inf, 1], [3e38, np.nan]]
)
def test_centre_of_what_is_not_a_number_is_some_centre(core, values):
    """The mean of vectors near the largest float can be anything; what is stored must not be."""
    point = np.zeros(32, np.float32)
    point[: len(values)] = values
    centre = centre_record(core, point, np.inf)
    assert np.isfinite([centre.scale, centre.spread]).all()
    assert (centre.q >= -127).all()
    with np.errstate(over="ignore"):
        assert centre.norm == np.float32((centre.q.astype(float) ** 2).sum() * float(centre.scale) ** 2)


@pytest.mark.parametrize("metric", METRICS)
def test_base_is_the_distance_to_the_centre(core, rng, metric):
    length = 256
    query, point = rng.standard_normal((2, length)).astype(np.float32)
    centre = centre_record(core, point)
    record = np.frombuffer(centre.record, np.uint8).copy()
    norm = float(arithmetic.dot(query, query))
    base = core.lib.ann_centre_base(
        METRICS[metric], core.pointer(record, "uint8_t *"), core.pointer(query), norm, length
    )
    assert bits(base) == bits(centre.base(metric, query))
    q, c = query.astype(np.float64), centre.point.astype(np.float64)
    assert base == pytest.approx(-(q @ c) if metric == "dot" else ((q - c) ** 2).sum(), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_score_orders_wide_leaves_otherwise_than_narrow_ones(core, metric):
    record = np.zeros(32 + 64, np.uint8)
    pointer = core.pointer(record, "uint8_t *")
    narrow = core.lib.ann_centre_score(METRICS[metric], pointer, 2.0, 4.0, 64)
    assert narrow == 2.0
    record[8:12] = np.frombuffer(struct.pack("<f", 16.0), np.uint8)
    wide = core.lib.ann_centre_score(METRICS[metric], pointer, 2.0, 4.0, 64)
    assert wide < 2 if metric == "dot" else wide > 2  # a product gains by being spread along the query
    assert np.isfinite(wide)
