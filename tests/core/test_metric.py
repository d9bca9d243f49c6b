"""core/metric.c: the number a user sees, against numpy in double."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import arithmetic

METRICS = {"cosine": 1, "l2": 2, "dot": 3}
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def distance(core, metric, a, b):
    a, b = (np.ascontiguousarray(x, np.float32) for x in (a, b))
    return core.lib.ann_metric_distance(METRICS[metric], core.pointer(a), core.pointer(b), len(a))


def wanted(metric, a, b):
    a, b = (np.ascontiguousarray(x, np.float32) for x in (a, b))
    return arithmetic.distances(metric, a[None].astype(np.float64), b)[0]


def test_names(core):
    for name, metric in {**METRICS, "Cosine": 1, "L2": 2, "DOT": 3, "euclidean": 2, "EUCLIDEAN": 2}.items():
        assert core.lib.ann_metric_named(name.encode()) == metric
    for name in ("", "cos", "l1", "cosine ", "euclideanx", "x" * 100, "euclideaneuclidean"):
        assert core.lib.ann_metric_named(name.encode()) == 0
    assert [core.ffi.string(core.lib.ann_metric_name(m)) for m in (1, 2, 3, 4)] == [
        b"cosine",
        b"l2",
        b"dot",
        b"unknown",
    ]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 2, 15, 16, 17, 100, 784])
def test_is_near_to_what_double_gives(core, rng, metric, d):
    for a, b in rng.standard_normal((50, 2, d)):
        assert distance(core, metric, a, b) == pytest.approx(wanted(metric, a, b), rel=1e-5, abs=1e-5 * math.sqrt(d))


@pytest.mark.slow
@given(a=st.lists(FINITE, min_size=1, max_size=12), b=st.lists(FINITE, min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("metric", METRICS)
def test_is_a_number_whatever_is_finite(core_library, metric, a, b):
    n = min(len(a), len(b))
    got, other = distance(core_library, metric, a[:n], b[:n]), distance(core_library, metric, b[:n], a[:n])
    assert math.isfinite(got)
    assert got == other
    if metric == "cosine":
        assert 0 <= got <= 2
    if metric == "l2":
        assert got >= 0
    size = math.sqrt(sum(x * x for x in a[:n])) * math.sqrt(sum(x * x for x in b[:n])) if metric == "dot" else 1
    assert got == pytest.approx(wanted(metric, a[:n], b[:n]), rel=1e-4, abs=max(1e-4 * min(size, 1e300), 1e-30))


@pytest.mark.parametrize("size", [1e38, 1e19, 1e15, 1.0, 1e-15, 1e-19, 1e-30, 1e-38, 1e-42])
def test_ends_of_the_range(core, rng, size):
    for a, b in (rng.uniform(-1, 1, (20, 2, 40)) * size).astype(np.float32):
        assert distance(core, "cosine", a, b) == pytest.approx(wanted("cosine", a, b), rel=1e-4)
        assert distance(core, "l2", a, b) == pytest.approx(wanted("l2", a, b), rel=1e-5)
        assert distance(core, "dot", a, b) == pytest.approx(
            wanted("dot", a, b), rel=1e-3, abs=size * size * 1e-4 + 1e-44
        )


@pytest.mark.parametrize("size", [3e38, 1.0, 1e-20, 1e-45])
def test_equal_vectors_are_at_zero(core, rng, size):
    for d in (1, 3, 16, 50):
        a = (rng.uniform(0.9, 1, d) * size).astype(np.float32)
        assert a.all()
        assert distance(core, "l2", a, a) == 0
        assert distance(core, "cosine", a, a) == 0


def test_parallel_and_opposite_vectors(core):
    assert distance(core, "cosine", [1, 0], [5, 0]) == 0
    assert distance(core, "cosine", [1, 0], [-5, 0]) == 2
    assert distance(core, "cosine", [1, 0], [0, 5]) == 1
    assert distance(core, "cosine", [1e38, 0], [1e-45, 0]) == 0
    assert distance(core, "l2", [0, 3], [4, 0]) == 5


def test_zero_vector_has_cosine_zero_with_anything(core):
    for other in ([0, 0], [1, 2], [1e38, 1e38], [1e-45, 0]):
        assert distance(core, "cosine", [0, 0], other) == 1
        assert distance(core, "cosine", other, [-0.0, 0]) == 1
    assert core.lib.ann_metric_is_zero(core.ffi.new("float[]", [0.0, -0.0]), 2)
    assert not core.lib.ann_metric_is_zero(core.ffi.new("float[]", [0.0, 1e-45]), 2)


def test_zero_product_is_plus_zero(core):
    for a, b in (([0, 0], [1, 2]), ([1, -1], [1, 1]), ([-1, 0], [0, 0])):
        assert math.copysign(1, distance(core, "dot", a, b)) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_origin_gives_what_the_pair_gives(core, rng, metric):
    vectors = rng.standard_normal((20, 33)).astype(np.float32)
    origin = core.ffi.new("AnnOrigin *")
    core.lib.ann_origin_init(origin, METRICS[metric], core.pointer(vectors[0]), 33)
    for v in vectors:
        assert core.lib.ann_origin_distance(origin, core.pointer(v)) == distance(core, metric, vectors[0], v)


@pytest.mark.parametrize(("a", "b"), [([1e-30], [2e-30]), ([3e-23] * 40, [1e-23] * 40), ([1e-38, 0], [0, 1e-38])])
@pytest.mark.parametrize("metric", ["l2", "dot"])
def test_sums_below_a_float_keep_their_digits(core, metric, a, b):
    assert distance(core, metric, a, b) == pytest.approx(wanted(metric, a, b), rel=1e-6)
    assert distance(core, "l2", a, b) > 0
    assert distance(core, "l2", a, a) == 0
