"""core/blend.c: several vectors as one query, against numpy."""

import numpy as np
import pytest


def blended(core, metric, vectors, weights, name="float32"):
    """The query, or the clause that refuses it."""
    space = core.ffi.new("AnnSpace *")
    element = core.lib.ann_element_named(name.encode())
    vectors = np.ascontiguousarray(vectors)
    n = vectors.shape[1] * (8 if name == "bit" else 1)
    core.lib.ann_space_init(space, element, core.lib.ann_metric_named(element, metric.encode()), n)
    blend = core.ffi.new("AnnBlend *")
    message = core.ffi.new("char[200]")
    query = np.zeros(space.query_size, np.uint8)
    rc = core.lib.ann_blend_init(blend, space)
    if rc == 0:
        for vector, weight in zip(vectors, weights, strict=True):
            core.lib.ann_blend_add(blend, core.pointer(vector, "uint8_t *"), weight)
        rc = core.lib.ann_blend_finish(blend, core.pointer(query, "uint8_t *"), message)
    core.lib.ann_blend_clear(blend)
    if rc == 7:
        return None
    return core.ffi.string(message).decode() if rc else query


@pytest.mark.parametrize("metric", ["l2", "l1"])
def test_lengths_give_the_weighted_mean(core, rng, metric, floats):
    x = floats(rng.standard_normal((5, 7)))
    weights = [1, 2, 0, 0.5, -1.25]
    expected = (x.astype(np.float64) * np.array(weights)[:, None]).sum(0) / sum(weights)
    np.testing.assert_allclose(blended(core, metric, x, weights).view("<f4"), expected, rtol=1e-6, atol=1e-6)
    assert blended(core, metric, x[:1], [3]).view("<f4").tolist() == x[0].tolist()


@pytest.mark.parametrize("metric", ["cosine", "angular"])
def test_directions_are_unit_vectors_before_the_mean(core, rng, metric, floats):
    x = floats(rng.standard_normal((4, 7)))
    x[2] = 0
    weights = np.array([1, 2, 5, -1.25])
    units = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    query = blended(core, metric, x, weights).view("<f4")
    np.testing.assert_allclose(query, (units * weights[:, None]).sum(0) / abs(weights).sum(), rtol=1e-5, atol=1e-6)
    longer = blended(core, metric, x * np.float32(8), weights).view("<f4")
    np.testing.assert_allclose(longer, query, rtol=1e-5, atol=1e-6)


def test_products_may_all_be_disliked(core, floats):
    x = floats([[1, 2], [3, 4]])
    assert blended(core, "dot", x, [-1, -1]).view("<f4").tolist() == [-2, -3]


def test_bits_are_those_that_most_have(core):
    x = np.array([[0b0111], [0b0011], [0b1001]], np.uint8)
    assert blended(core, "hamming", x, [1, 1, 1], "bit")[0] == 0b0011
    assert blended(core, "hamming", x, [1, 1, 5], "bit")[0] == 0b1001


def test_whole_numbers_make_a_query_of_floats(core):
    query = blended(core, "l2", np.array([[1, 2, 3, 4], [2, 2, 3, 5]], np.int8), [1, 1], "int8")
    assert query[:16].view("<f4").tolist() == [1.5, 2, 3, 4.5]


@pytest.mark.parametrize(
    ("metric", "weights", "clause"),
    [
        ("l2", [1, -1], "expected weights whose sum is above 0, got a sum of 0"),
        ("l1", [1, -3], "expected weights whose sum is above 0, got a sum of -2"),
        ("cosine", [0, 0], "expected a weight other than 0, got a sum of 0"),
    ],
)
def test_weights_that_make_no_mean_are_refused(core, floats, metric, weights, clause):
    assert blended(core, metric, floats([[1, 2], [3, 4]]), weights) == clause


def test_a_mean_that_is_beyond_a_float_is_refused(core, floats):
    clause = blended(core, "l2", floats([[3e38], [-3e38]]), [1000, -999])
    assert clause == "expected finite components, got infinity at component 0"


def test_a_failed_allocation_is_told(core, floats):
    for n in (1, 2):
        core.fail_once(n)
        assert blended(core, "l2", floats([[1]]), [1]) is None
