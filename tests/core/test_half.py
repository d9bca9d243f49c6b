"""core/half.c: float16 and bfloat16, from their bits to floats, and back by one rounding."""

import math
from fractions import Fraction

import numpy as np
import pytest

EVERY = np.arange(1 << 16, dtype=np.uint16)
TYPES = ["float16", "bfloat16"]


def widened(name, bits=EVERY):
    """The numbers, as numpy has them, or as the upper halves of floats."""
    if name == "float16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def half(core, name):
    return getattr(core.lib, f"ANN_HALF_{name.upper()}")


def from_decimal(core, name, text):
    return core.lib.ann_half_from_decimal(half(core, name), text.encode())


def infinity(name):
    return 0x7C00 if name == "float16" else 0x7F80


def nearest(name, exact):
    """In exact arithmetic: halves to even, and infinity from half a unit beyond the largest on."""
    numbers = widened(name, np.arange(infinity(name), dtype=np.uint16))
    sign, exact = (0x8000, -exact) if exact < 0 else (0, exact)
    at = int(np.searchsorted(numbers, float(min(exact, Fraction(2) ** 200)), side="right")) - 1
    at = max(at, 0)
    values = [Fraction(float(x)) for x in numbers[max(at - 1, 0) : at + 3]]
    if len(values) and at + 3 > len(numbers):
        values.append(2 * Fraction(float(numbers[-1])) - Fraction(float(numbers[-2])))
    best = min(range(len(values)), key=lambda i: (abs(values[i] - exact), (max(at - 1, 0) + i) & 1))
    return sign | (max(at - 1, 0) + best)


@pytest.mark.parametrize("name", TYPES)
def test_every_number_comes_back_from_its_float(core, name):
    values = widened(name)
    for bits, x in zip(EVERY.tolist(), values.tolist(), strict=True):
        if not math.isnan(x):
            assert core.lib.ann_half_from_double(half(core, name), x) == bits
    assert core.lib.ann_half_from_double(half(core, name), math.nan) & 0x7FFF > infinity(name)


@pytest.mark.parametrize("name", TYPES)
def test_what_lies_between_two_goes_to_the_nearest_and_the_middle_to_even(core, name):
    values = widened(name, np.arange(infinity(name), dtype=np.uint16)).astype(np.float64)
    convert, kind = core.lib.ann_half_from_double, half(core, name)
    for bits in [*range(40), *range(1, len(values) - 1, 997), len(values) - 2]:
        low, high = values[bits], values[bits + 1]
        middle = (low + high) / 2
        assert convert(kind, middle) == bits + (bits & 1)
        assert convert(kind, np.nextafter(middle, 0)) == bits
        assert convert(kind, np.nextafter(middle, np.inf)) == bits + 1
        assert convert(kind, -middle) == 0x8000 | (bits + (bits & 1))


@pytest.mark.parametrize("name", TYPES)
def test_numbers_as_numpy_rounds_them(core, name, rng):
    x = np.concatenate([rng.standard_normal(300) * 10.0**e for e in range(-9, 5)])
    if name == "float16":
        wanted = x.astype(np.float16).view(np.uint16)
        got = [core.lib.ann_half_from_double(half(core, name), v) for v in x]
        assert got == wanted.tolist()
    for v in x[::50]:
        assert core.lib.ann_half_from_double(half(core, name), v) == nearest(name, Fraction(float(v)))


@pytest.mark.parametrize(("name", "largest"), [("float16", 65504), ("bfloat16", 3.3895313892515355e38)])
def test_beyond_the_largest_is_infinity(core, name, largest):
    limit = largest * (1 + 2.0 ** -(12 if name == "float16" else 9))
    convert, kind = core.lib.ann_half_from_double, half(core, name)
    assert convert(kind, largest) == infinity(name) - 1
    assert convert(kind, np.nextafter(limit, 0)) == infinity(name) - 1
    for x in (limit * 1.001, 1e300, math.inf):
        assert convert(kind, x) == infinity(name)
        assert convert(kind, -x) == 0x8000 | infinity(name)


@pytest.mark.parametrize("name", TYPES)
def test_decimals_are_rounded_once(core, name):
    """On the middle of two, and so little beside it that the nearest double is the middle."""
    values = widened(name, np.arange(infinity(name), dtype=np.uint16))
    for bits in [0, 1, 2, 3, 1000, 15000, 16000, 16256, 16257, 20000, 30000, infinity(name) - 2]:
        middle = (Fraction(float(values[bits])) + Fraction(float(values[bits + 1]))) / 2
        digits = 0
        while (middle * 10**digits).denominator != 1:
            digits += 1
        whole = (middle * 10**digits).numerator
        if len(str(whole)) > 100:
            continue
        for text, wanted in [
            (f"{whole}e-{digits}", bits + (bits & 1)),
            (f"{whole}{'0' * 20}1e-{digits + 21}", bits + 1),
            (f"{whole * 10**20 - 1}e-{digits + 20}", bits),
        ]:
            assert from_decimal(core, name, text) == wanted, text
            assert from_decimal(core, name, "-" + text) == 0x8000 | wanted, text
        plain = f"{whole}".rjust(digits + 1, "0")
        if digits < 40:
            plain = f"{plain[: len(plain) - digits]}.{plain[len(plain) - digits :] or '0'}"
            assert from_decimal(core, name, plain) == bits + (bits & 1)
            assert from_decimal(core, name, plain + "0" * 20 + "1") == bits + 1


def test_decimals_at_the_ends(core):
    for text, wanted in [("0", 0), ("-0", 0x8000), ("-0.0e5", 0x8000), ("1", 0x3C00), ("65504", 0x7BFF)]:
        assert from_decimal(core, "float16", text) == wanted
    assert from_decimal(core, "float16", "65519.99999999999999999999999999") == 0x7BFF
    assert from_decimal(core, "float16", "65520") == 0x7C00
    assert from_decimal(core, "float16", "1e-400") == 0
    assert from_decimal(core, "float16", "-1e400") == 0xFC00
    assert from_decimal(core, "float16", "2.98023223876953125e-8") == 0  # half of the smallest, to even
    assert from_decimal(core, "float16", "2.9802322387695312500000000000000001e-8") == 1
    assert from_decimal(core, "bfloat16", "3.0e38") == nearest("bfloat16", Fraction(3 * 10**38))
