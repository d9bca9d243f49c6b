"""core/space.c: the number a user sees, against numpy in double; points; which pairs a product rules out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import arithmetic

METRICS = ["cosine", "angular", "l2", "l1", "dot"]
NUMBERS = ["float32", "float16", "bfloat16", "int8"]
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def element_of(core, name):
    return core.lib.ann_element_named(name.encode())


def space_of(core, metric, d, name="float32"):
    element, space = element_of(core, name), core.ffi.new("AnnSpace *")
    core.lib.ann_space_init(space, element, core.lib.ann_metric_named(element, metric.encode()), d)
    return space


def distance(core, metric, a, b):
    a, b = (np.ascontiguousarray(x, np.float32) for x in (a, b))
    space, origin = space_of(core, metric, len(a)), core.ffi.new("AnnOrigin *")
    core.lib.ann_origin_init(origin, space, core.pointer(a))
    return core.lib.ann_origin_distance(origin, core.pointer(b))


def wanted(metric, a, b):
    a, b = (np.ascontiguousarray(x, np.float32) for x in (a, b))
    return arithmetic.distances(metric, a[None].astype(np.float64), b)[0]


def evenly(metric, far):
    """Squared, where the distance is the root of a number that errs by as much everywhere."""
    return far * far if metric == "angular" else far


def test_names(core):
    def named(name):
        metric = core.lib.ann_metric_named(core.lib.ann_element_default(), name)
        return core.ffi.string(metric.named.name) if metric else None

    for name in (b"cosine", b"angular", b"l2", b"l1", b"dot"):
        assert named(name) == named(name.upper()) == named(name.title()) == name
    assert named(b"euclidean") == named(b"EUCLIDEAN") == b"l2"
    assert named(b"manhattan") == named(b"Manhattan") == b"l1"
    for name in (b"", b"cos", b"l3", b"cosine ", b"euclideanx", b"x" * 100, b"euclideaneuclidean"):
        assert named(name) is None


def test_the_first_metric_is_the_default_and_all_are_listed(core):
    names = core.ffi.new("char[]", core.lib.ANN_NAMES)
    for name, default, wanted in [
        *((name, b"cosine", b"cosine, angular, l2 (euclidean), l1 (manhattan) or dot") for name in NUMBERS),
        ("bit", b"hamming", b"hamming or jaccard"),
    ]:
        element = element_of(core, name)
        assert core.ffi.string(core.lib.ann_metric_default(element).named.name) == default
        assert core.ffi.string(core.lib.ann_metric_names(element, names)) == wanted
    wanted = b"cosine, angular, l2 (euclidean), l1 (manhattan), dot, hamming or jaccard"
    assert core.ffi.string(core.lib.ann_metric_names(core.ffi.NULL, names)) == wanted
    for metric, name in ((b"dot", "float32"), (b"jaccard", "bit")):
        metric = core.lib.ann_metric_named(core.ffi.NULL, metric)
        assert core.lib.ann_metric_element(metric) == element_of(core, name)


def test_a_space_knows_its_sizes_and_its_geometry(core):
    spaces = {metric: space_of(core, metric, 33) for metric in METRICS}
    for space in spaces.values():
        assert (space.dimensions, space.blob_size, core.lib.ann_space_stride(space)) == (33, 132, 48)
        assert core.lib.ann_space_is_floats(space)
    near, product = core.lib.ANN_DISTANCE, core.lib.ANN_PRODUCT
    assert [space.geometry for space in spaces.values()] == [near, near, near, near, product]
    assert [core.lib.ann_space_is_own_nearest(space) for space in spaces.values()] == [1, 1, 1, 1, 0]


def test_spaces_are_equal_if_all_of_them_is(core):
    a = space_of(core, "l2", 33)
    assert core.lib.ann_space_equal(a, space_of(core, "l2", 33))
    assert not core.lib.ann_space_equal(a, space_of(core, "l2", 34))
    assert not core.lib.ann_space_equal(a, space_of(core, "dot", 33))


def test_many_vectors_come_and_go_at_once(core, rng):
    space, vectors = space_of(core, "l2", 5), rng.standard_normal((3, 5)).astype(np.float32)
    out = np.zeros_like(vectors)

    def read(blob, n):
        return core.lib.ann_space_queries_from_blobs(space, blob, len(blob), n, core.pointer(out))

    blob = vectors.astype("<f4").tobytes()
    assert read(blob, 3) == 0
    np.testing.assert_array_equal(out, vectors)
    assert read(b"", 0) == 0
    assert read(blob, 2) == read(blob[:-1], 3) == 1
    for i in range(3):
        bad = vectors.astype("<f4")
        bad[i, 4] = np.nan
        assert read(bad.tobytes(), 3) == 1
    back = core.ffi.new("uint8_t[]", len(blob))
    core.lib.ann_space_queries_to_blobs(space, core.pointer(vectors), 3, back)
    assert bytes(back) == blob
    core.lib.ann_space_to_blob(space, core.pointer(vectors[1]), back)
    assert bytes(back)[:20] == blob[20:40]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 2, 15, 16, 17, 100, 784])
def test_is_near_to_what_double_gives(core, rng, metric, d):
    for a, b in rng.standard_normal((50, 2, d)):
        got, far = evenly(metric, distance(core, metric, a, b)), evenly(metric, wanted(metric, a, b))
        assert got == pytest.approx(far, rel=1e-5, abs=1e-5 * math.sqrt(d))


@pytest.mark.slow
@given(a=st.lists(FINITE, min_size=1, max_size=12), b=st.lists(FINITE, min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("metric", METRICS)
def test_is_a_number_whatever_is_finite(core_library, metric, a, b):
    n = min(len(a), len(b))
    got, other = distance(core_library, metric, a[:n], b[:n]), distance(core_library, metric, b[:n], a[:n])
    assert math.isfinite(got)
    assert got == other
    if metric in ("cosine", "angular"):
        assert 0 <= got <= 2
    if metric in ("l2", "l1"):
        assert got >= 0
    size = math.sqrt(sum(x * x for x in a[:n])) * math.sqrt(sum(x * x for x in b[:n])) if metric == "dot" else 1
    got, far = evenly(metric, got), evenly(metric, wanted(metric, a[:n], b[:n]))
    assert got == pytest.approx(far, rel=1e-4, abs=max(1e-4 * min(size, 1e300), 1e-30))


@pytest.mark.parametrize("size", [1e38, 1e19, 1e15, 1.0, 1e-15, 1e-19, 1e-30, 1e-38, 1e-42])
def test_ends_of_the_range(core, rng, size):
    for a, b in (rng.uniform(-1, 1, (20, 2, 40)) * size).astype(np.float32):
        assert distance(core, "cosine", a, b) == pytest.approx(wanted("cosine", a, b), rel=1e-4)
        assert distance(core, "l2", a, b) == pytest.approx(wanted("l2", a, b), rel=1e-5)
        assert distance(core, "l1", a, b) == pytest.approx(wanted("l1", a, b), rel=1e-5)
        assert distance(core, "dot", a, b) == pytest.approx(
            wanted("dot", a, b), rel=1e-3, abs=size * size * 1e-4 + 1e-44
        )


@pytest.mark.parametrize("size", [3e38, 1.0, 1e-20, 1e-45])
def test_equal_vectors_are_at_zero(core, rng, size):
    for d in (1, 3, 16, 50):
        a = (rng.uniform(0.9, 1, d) * size).astype(np.float32)
        assert a.all()
        assert distance(core, "l2", a, a) == 0
        assert distance(core, "l1", a, a) == 0
        assert distance(core, "cosine", a, a) == 0
        assert distance(core, "angular", a, a) == 0


def test_parallel_and_opposite_vectors(core):
    assert distance(core, "cosine", [1, 0], [5, 0]) == 0
    assert distance(core, "cosine", [1, 0], [-5, 0]) == 2
    assert distance(core, "cosine", [1, 0], [0, 5]) == 1
    assert distance(core, "cosine", [1e38, 0], [1e-45, 0]) == 0
    assert distance(core, "angular", [1, 0], [5, 0]) == 0
    assert distance(core, "angular", [1, 0], [-5, 0]) == 2
    assert distance(core, "angular", [1, 0], [0, 5]) == math.sqrt(2)
    assert distance(core, "l2", [0, 3], [4, 0]) == 5
    assert distance(core, "l1", [0, 3], [4, 0]) == 7


def test_zero_vector_has_cosine_zero_with_anything(core):
    for other in ([0, 0], [1, 2], [1e38, 1e38], [1e-45, 0]):
        assert distance(core, "cosine", [0, 0], other) == 1
        assert distance(core, "cosine", other, [-0.0, 0]) == 1
        assert distance(core, "angular", other, [-0.0, 0]) == math.sqrt(2)
    zero, tiny = core.ffi.new("float[]", [0.0, -0.0]), core.ffi.new("float[]", [0.0, 1e-45])
    for metric in METRICS:
        space = space_of(core, metric, 2)
        assert core.lib.ann_space_is_flat(space, zero) == (metric in ("cosine", "angular"))
        assert not core.lib.ann_space_is_flat(space, tiny)


def test_zero_product_is_plus_zero(core):
    for a, b in (([0, 0], [1, 2]), ([1, -1], [1, 1]), ([-1, 0], [0, 0])):
        assert math.copysign(1, distance(core, "dot", a, b)) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_origin_gives_what_the_pair_gives(core, rng, metric):
    vectors = rng.standard_normal((20, 33)).astype(np.float32)
    origin = core.ffi.new("AnnOrigin *")
    space, first = space_of(core, metric, 33), core.pointer(vectors[0])
    core.lib.ann_origin_init(origin, space, first)
    for v in vectors:
        wanted, other = distance(core, metric, vectors[0], v), core.pointer(v)
        norm = core.lib.ann_space_norm(space, other)
        assert norm == (float(arithmetic.dot(v, v)) if metric in ("cosine", "angular") else 0)
        assert core.lib.ann_origin_distance(origin, other) == wanted
        assert core.lib.ann_origin_distance_of(origin, other, norm) == wanted


@pytest.mark.parametrize(("a", "b"), [([1e-30], [2e-30]), ([3e-23] * 40, [1e-23] * 40), ([1e-38, 0], [0, 1e-38])])
@pytest.mark.parametrize("metric", ["l2", "l1", "dot"])
def test_sums_below_a_float_keep_their_digits(core, metric, a, b):
    assert distance(core, metric, a, b) == pytest.approx(wanted(metric, a, b), rel=1e-6)
    assert distance(core, "l2", a, b) > 0
    assert distance(core, "l2", a, a) == 0


def test_sums_and_differences_beyond_a_float_are_no_infinity(core):
    high = float(np.finfo(np.float32).max)
    assert distance(core, "l1", [high] * 3, [-high] * 3) == 6 * high
    assert distance(core, "l1", [high] * 3, [0.0] * 3) == 3 * high


def test_angular_puts_vectors_in_the_order_of_cosine(core, rng):
    vectors = rng.standard_normal((50, 20))
    cosine, angular = ([distance(core, m, vectors[0], v) for v in vectors] for m in ("cosine", "angular"))
    np.testing.assert_array_equal(angular, np.sqrt(2 * np.array(cosine)))


# --- points -------------------------------------------------------------------------------------------


class Point:
    """Points of a space, rotated by core/rotation.c."""

    def __init__(self, core, metric, d):
        self.core, self.space = core, space_of(core, metric, d)
        self.rotation = core.ffi.new("AnnRotation *")
        assert core.lib.ann_rotation_init(self.rotation, d, 7) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.core.lib.ann_rotation_clear(self.rotation)

    def __call__(self, vector):
        vector = np.ascontiguousarray(vector, np.float32)
        out, scratch = np.full(self.rotation.length, 9, np.float32), np.empty_like(vector)
        self.core.lib.ann_space_point(
            self.space, self.rotation, *(self.core.pointer(x) for x in (vector, scratch, out))
        )
        return out


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 5, 64, 100])
def test_points_are_bit_by_bit_what_the_manual_says(core, rng, metric, d):
    vectors = rng.standard_normal((8, d)).astype(np.float32)
    vectors[1], vectors[2], vectors[3] = 0, vectors[2] * np.float32(1e-30), vectors[3] * np.float32(1e30)
    wanted = arithmetic.prepared(metric, arithmetic.Rotation(d, 7), vectors)
    with Point(core, metric, d) as point:
        for vector, row in zip(vectors, wanted, strict=True):
            np.testing.assert_array_equal(point(vector).view(np.uint32), row.view(np.uint32))


def test_the_zero_vector_has_a_point_at_a_right_angle_to_most(core):
    for metric in METRICS:
        with Point(core, metric, 50) as point:
            assert np.flatnonzero(point(np.zeros(50))).tolist() == ([0] if metric in ("cosine", "angular") else [])


# --- bounds -------------------------------------------------------------------------------------------


def bounds(core, metric, vectors):
    """A space, and the rows' AnnBound, none of them made a query's or a row's yet."""
    space = space_of(core, metric, vectors.shape[1])
    out = core.ffi.new("AnnBound[]", len(vectors))
    for i, vector in enumerate(vectors):
        core.lib.ann_bound_init(out + i, space, core.pointer(vector))
    return space, out


def allows(query, row, product):
    """ann_bound_allows, which is inline."""
    with np.errstate(all="ignore"):
        least = np.float64(query.factor) * row.factor + query.offset + row.offset
    return not float(product) < least


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [1e-20, 1e-3, 1.0, 1e3, 1e20])
def test_a_bound_rules_out_only_what_is_too_far(core, rng, metric, size):
    """And of what is clearly too far nearly everything, where products are not lost."""
    vectors = (rng.standard_normal((60, 40)) * size).astype(np.float32)
    vectors[1], vectors[2] = 0, vectors[0]
    space, rows = bounds(core, metric, vectors)
    _, queries = bounds(core, metric, vectors[:1])
    far = np.array([distance(core, metric, vectors[0], v) for v in vectors])
    kept = 0
    for i in range(len(vectors)):
        core.lib.ann_bound_as_row(rows + i, space)
    for worst in (np.inf, far.max(), np.median(far), far.min()):
        core.lib.ann_bound_as_query(queries, space, worst)
        for i, v in enumerate(vectors):
            with np.errstate(over="ignore", invalid="ignore"):
                allowed = allows(queries[0], rows[i], arithmetic.dot(vectors[0], v))
            assert allowed or far[i] > worst
            kept += allowed and far[i] > worst
    # Of l1, which is some times l2 here, products tell little.
    assert metric == "l1" or kept <= 10 or size not in (1e-3, 1.0, 1e3)


@pytest.mark.parametrize("d", [1, 40, 1000])
def test_a_bound_of_l1_rules_out_what_l2_alone_puts_too_far(core, rng, d):
    vectors = np.repeat(rng.standard_normal((1, d)).astype(np.float32), 60, axis=0)
    vectors[np.arange(1, 60), rng.integers(0, d, 59)] += rng.uniform(1, 60, 59).astype(np.float32)  # where l1 is l2
    space, rows = bounds(core, "l1", vectors)
    far = np.array([[distance(core, metric, vectors[0], v) for v in vectors] for metric in ("l1", "l2")])
    assert (far[0] >= far[1] * (1 - 1e-6)).all()
    n_ruled_out = 0
    for i in range(len(vectors)):
        core.lib.ann_bound_as_row(rows + i, space)
    for worst in np.quantile(far[0], [0.1, 0.5, 0.9], method="nearest"):
        _, query = bounds(core, "l1", vectors[:1])
        core.lib.ann_bound_as_query(query, space, worst)
        for i, v in enumerate(vectors):
            allowed = allows(query[0], rows[i], arithmetic.dot(vectors[0], v))
            assert allowed or far[0, i] > worst
            n_ruled_out += not allowed
    assert n_ruled_out > 80


def test_a_float_row_is_the_components_and_keeps_what_follows(core, rng):
    vector = rng.standard_normal(20).astype(np.float32)
    space, row = space_of(core, "l2", 20), np.full(32, 7, np.float32)
    core.lib.ann_space_float_row(space, core.pointer(vector), core.pointer(row))
    np.testing.assert_array_equal(row, [*vector, *[7] * 12])
    core.lib.ann_space_float_row(space, core.pointer(row), core.pointer(row))
    np.testing.assert_array_equal(row, [*vector, *[7] * 12])
