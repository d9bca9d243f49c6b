"""core/quantize.c: floats as the nearest vector of another type; parts of vectors."""

import numpy as np
import pytest


def element(core, name):
    return core.lib.ann_element_named(name.encode())


def quantized(core, name, x, scale=0.0):
    x = np.ascontiguousarray(x, np.float32)
    out = np.zeros(core.lib.ann_element_size(element(core, name), len(x)), np.uint8)
    message = core.ffi.new("char[200]")
    pointers = core.pointer(x), len(x), scale, core.pointer(out, "uint8_t *"), message
    if core.lib.ann_quantize(element(core, name), *pointers) != 0:
        return core.ffi.string(message).decode()
    return out


def test_halves_are_rounded_as_numpy_does(core, rng):
    x = (rng.standard_normal(500) * 10.0 ** rng.integers(-8, 4, 500)).astype(np.float32)
    assert (quantized(core, "float16", x).view(np.float16) == x.astype(np.float16)).all()
    got = (quantized(core, "bfloat16", x).view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    assert (np.abs(got - x) <= np.abs(x) * 2.0**-8).all()
    assert quantized(core, "float16", [1, -70000]) == "expected finite components, got -infinity at component 1"
    assert (quantized(core, "float32", x).view(np.float32) == x).all()


@pytest.mark.parametrize("size", [1e-40, 1e-3, 1.0, 1e38])
def test_the_largest_becomes_127_and_zeros_stay(core, rng, size):
    x = (rng.uniform(-1, 1, 100) * size).astype(np.float32)
    got = quantized(core, "int8", x).view(np.int8)
    assert np.abs(got).max() == 127
    assert (got == np.rint(x.astype(np.float64) * 127 / np.abs(x.astype(np.float64)).max())).all()
    assert not quantized(core, "int8", np.zeros(5)).any()


def test_a_scale_is_taken_as_it_is_and_what_is_beyond_is_cut(core):
    got = quantized(core, "int8", [0.1, -0.5, 0.005, 2, -2, 0.0249], 100).view(np.int8)
    assert got.tolist() == [10, -50, 0, 127, -127, 2]


def test_bits_are_what_is_above_0(core, rng):
    for n in (1, 7, 8, 9, 100):
        x = rng.standard_normal(n).astype(np.float32)
        x[0] = 0
        wanted = np.packbits(x > 0, bitorder="little")
        assert (quantized(core, "bit", x) == wanted).all()


def test_what_a_type_takes(core):
    names = ["float32", "float16", "bfloat16", "int8", "bit"]
    takes = core.lib.ann_quantize_takes_scale, core.lib.ann_quantize_takes_fractions
    assert [[f(element(core, name)) for name in names] for f in takes] == [[0, 0, 0, 1, 0], [1, 1, 1, 0, 0]]


@pytest.mark.parametrize(("name", "width"), [("float32", 4), ("float16", 2), ("bfloat16", 2), ("int8", 1)])
def test_a_slice_is_some_components(core, rng, name, width):
    vector = rng.integers(0, 60, 20 * width, np.uint8)
    for start, end in [(0, 20), (0, 1), (19, 20), (3, 11)]:
        out = np.zeros((end - start) * width, np.uint8)
        core.lib.ann_slice(
            element(core, name), core.pointer(vector, "uint8_t *"), start, end, core.pointer(out, "uint8_t *")
        )
        assert (out == vector[start * width : end * width]).all()


def test_a_slice_of_bits_begins_anywhere_and_leaves_no_bit_behind_its_end(core, rng):
    bits = rng.integers(0, 2, 50, np.uint8)
    packed = np.packbits(bits, bitorder="little")
    for start, end in [(0, 50), (1, 50), (7, 16), (8, 9), (13, 31)]:
        out = np.full((end - start + 7) // 8, 0xFF, np.uint8)
        core.lib.ann_slice(
            element(core, "bit"), core.pointer(packed, "uint8_t *"), start, end, core.pointer(out, "uint8_t *")
        )
        assert (out == np.packbits(bits[start:end], bitorder="little")).all()
