"""core/split.c: cut a set of points in two by a hyperplane between two centroids."""

import numpy as np
import pytest

NOMEM = 7
DECLARATIONS = """
typedef struct AnnRng { uint64_t state; } AnnRng;
int ann_split(const float *const *points, int64_t n, int64_t length, int64_t minimum, AnnRng *rng, uint8_t *out_side);
int ann_split_mean(const float *const *points, const uint8_t *side_of, int side, int64_t n, int64_t length,
                   float *out_mean, float *out_spread);
"""


@pytest.fixture
def core(core):
    if not hasattr(core.lib, "ann_split"):
        core.ffi.cdef(DECLARATIONS)
    return core


def pointers(core, points):
    start = core.ffi.cast("float *", points.ctypes.data)
    return core.ffi.new("const float *[]", [start + i * points.shape[1] for i in range(len(points))])


def split(core, points, minimum=1, seed=1):
    points = np.ascontiguousarray(points, np.float32)
    side = np.full(len(points), 9, np.uint8)
    rng = core.ffi.new("AnnRng *", {"state": seed})
    n, length = points.shape
    rc = core.lib.ann_split(pointers(core, points), n, length, minimum, rng, core.pointer(side, "uint8_t *"))
    return side if rc == 0 else rc


def mean(core, points, side_of, side):
    points = np.ascontiguousarray(points, np.float32)
    out, spread = np.zeros(points.shape[1], np.float32), core.ffi.new("float *")
    side_of = core.ffi.NULL if side_of is None else core.pointer(side_of, "uint8_t *")
    n, length = points.shape
    rc = core.lib.ann_split_mean(pointers(core, points), side_of, side, n, length, core.pointer(out), spread)
    return (out, spread[0]) if rc == 0 else rc


def test_two_clouds_are_told_apart(core, rng):
    points = rng.standard_normal((400, 32))
    points[::3] += 10
    for seed in range(10):
        side = split(core, points, seed=seed)
        assert len(set(side[::3].tolist())) == 1
        assert (side[::3] != side[1]).all()


def test_every_point_gets_a_side_of_a_plane(core, rng):
    """Some hyperplane has the one side's points before it and the other's behind it."""
    points = rng.standard_normal((300, 8)).astype(np.float32)
    side = split(core, points)
    assert set(side.tolist()) == {0, 1}
    normal = points[side == 1].mean(0) - points[side == 0].mean(0)
    at = points @ normal
    assert np.mean((at > np.median(at)) == (side == 1)) > 0.7


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 100, 1500])
@pytest.mark.parametrize("share", [0.0, 0.15, 0.25, 0.5, 2.0])
def test_no_side_is_smaller_than_asked_for(core, rng, n, share):
    points = rng.standard_normal((n, 16))
    points[1:] *= 1e-3  # one far away: 2-means would cut it off alone
    points[0] += 100
    minimum = int(n * share) + 1
    side = split(core, points, minimum)
    assert min(side.sum(), n - side.sum()) >= min(minimum, n // 2)


@pytest.mark.parametrize("n", [2, 3, 64, 1025, 2000])
def test_equal_points_are_dealt_out_by_position(core, n):
    side = split(core, np.ones((n, 16)), n // 2)
    assert side.sum() in (n // 2, n - n // 2)
    assert (np.diff(side.astype(int)) >= 0).all()


def test_same_seed_same_cut(core, rng):
    points = rng.standard_normal((2000, 32))
    first = split(core, points, 300, seed=7)
    np.testing.assert_array_equal(first, split(core, points, 300, seed=7))
    assert any((split(core, points, 300, seed=s) != first).any() for s in range(8, 12))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_points_that_are_not_numbers_get_a_side(core, rng, value):
    points = rng.standard_normal((100, 16))
    points[::7, 3] = value
    side = split(core, points, 25)
    assert set(side.tolist()) <= {0, 1}
    assert 25 <= side.sum() <= 75


def test_mean_and_spread_of_a_side(core, rng):
    points = rng.standard_normal((100, 16)).astype(np.float32)
    side = rng.integers(0, 2, 100).astype(np.uint8)
    for which, chosen in ((0, points[side == 0]), (1, points[side == 1]), (-1, points)):
        out, spread = mean(core, points, None if which < 0 else side, which)
        wanted = chosen.astype(np.float64).mean(0)
        np.testing.assert_allclose(out, wanted, rtol=1e-6, atol=1e-7)
        assert spread == pytest.approx(((chosen - wanted) ** 2).sum(1).mean(), rel=1e-5)


def test_mean_of_nothing_is_zero(core):
    out, spread = mean(core, np.ones((3, 16)), np.zeros(3, np.uint8), 1)
    assert not out.any()
    assert spread == 0


def test_each_failed_allocation(core, rng):
    points = rng.standard_normal((50, 16))
    n = 1
    while True:
        core.fail_once(n)
        result = split(core, points)
        if not core.failed:
            break
        assert isinstance(result, int)
        assert result == NOMEM
        n += 1
    assert n == 3
    core.fail_once(1)
    assert mean(core, points, None, -1) == NOMEM
