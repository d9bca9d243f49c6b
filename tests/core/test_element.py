"""core/element.c: what a component is; vectors from and to blobs and JSON."""

import json
import locale
import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
LARGEST = float(np.finfo(np.float32).max)


def float32(core):
    return core.lib.ann_element_named(b"float32")


def from_blob(core, blob, d):
    out, message = core.ffi.new("float[]", max(d, 1)), core.ffi.new("char[200]")
    rc = core.lib.ann_element_from_blob(float32(core), blob, len(blob), d, out, message)
    return (rc, list(out)[:d]) if rc == 0 else (rc, core.ffi.string(message).decode())


def from_json(core, text, d):
    data = text.encode() if isinstance(text, str) else text
    # in memory that ends with the text: no zero byte behind it
    held = core.ffi.new("char[]", len(data) or 1)
    core.ffi.memmove(held, data, len(data))
    out, message = core.ffi.new("float[]", max(d, 1)), core.ffi.new("char[200]")
    rc = core.lib.ann_element_from_json(float32(core), held, len(data), d, out, message)
    return (rc, list(out)[:d]) if rc == 0 else (rc, core.ffi.string(message).decode())


def nearest_float(text):
    """The decimal rounded once, in exact arithmetic, halves to even."""
    exact = Fraction(text)
    with np.errstate(all="ignore"):
        guess = np.float32(max(-LARGEST, min(LARGEST, float(exact))))
        around = [np.nextafter(guess, np.float32(side)) for side in (-np.inf, np.inf)]
    around = [x for x in [guess, *around] if np.isfinite(x)]
    return float(min(around, key=lambda x: (abs(Fraction(float(x)) - exact), int(x.view(np.uint32)) & 1)))


def bits(x):
    return struct.pack("<f", x)


# --- blobs ------------------------------------------------------------------------------------------


@given(st.lists(FINITE, max_size=50))
@settings(deadline=None, max_examples=60)
def test_blob_round_trip(core_library, values):
    blob = struct.pack(f"<{len(values)}f", *values)
    rc, out = from_blob(core_library, blob, len(values))
    assert rc == 0
    assert struct.pack(f"<{len(out)}f", *out) == blob
    back = core_library.ffi.new("uint8_t[]", len(blob) or 1)
    vector = core_library.ffi.new("float[]", values or [0.0])
    core_library.lib.ann_element_to_blob(float32(core_library), vector, len(values), back)
    assert bytes(back)[: len(blob)] == blob
    core_library.lib.ann_element_to_blob(float32(core_library), vector, len(values), vector)  # in its place
    assert bytes(core_library.ffi.buffer(vector))[: len(blob)] == blob


def test_blob_may_lie_anywhere(core):
    room = core.ffi.new("uint8_t[]", 64)
    for offset in range(8):
        core.ffi.memmove(room + offset, struct.pack("<2f", 1.5, -2.5), 8)
        out = core.ffi.new("float[2]")
        assert core.lib.ann_element_from_blob(float32(core), room + offset, 8, 2, out, core.ffi.new("char[200]")) == 0
        assert list(out) == [1.5, -2.5]


def test_blob_of_another_length_is_refused_with_both_lengths(core):
    assert from_blob(core, bytes(7), 2) == (1, "expected a blob of 8 bytes (2 float32), got 7 bytes")
    assert from_blob(core, b"", 65536)[1] == "expected a blob of 262144 bytes (65536 float32), got 0 bytes"


@pytest.mark.parametrize(("value", "name"), [(math.nan, "NaN"), (math.inf, "infinity"), (-math.inf, "-infinity")])
def test_blob_that_is_not_finite_is_refused(core, value, name):
    rc, message = from_blob(core, struct.pack("<3f", 1, 2, value), 3)
    assert (rc, message) == (1, f"expected finite components, got {name} at component 2")


# --- JSON -------------------------------------------------------------------------------------------


@given(st.lists(FINITE, max_size=20))
@settings(deadline=None, max_examples=60)
def test_shortest_decimals_come_back_exactly(core_library, values):
    text = "[" + ", ".join(np.format_float_scientific(np.float32(v), unique=True, trim="0") for v in values) + "]"
    rc, out = from_json(core_library, text, len(values))
    assert (rc, [bits(x) for x in out]) == (0, [bits(v) for v in values])


@given(st.lists(st.floats(-LARGEST, LARGEST) | st.integers(-(10**30), 10**30), max_size=10))
@settings(deadline=None, max_examples=60)
@example([0.1, -0.0, 1e-45, 5e-324, 16777217])
def test_any_json_number_is_rounded_once(core_library, values):
    rc, out = from_json(core_library, json.dumps(values), len(values))
    assert rc == 0
    for value, got in zip(values, out, strict=True):
        assert got == nearest_float(json.dumps(value))
        assert math.copysign(1, got) == math.copysign(1, value)


def halfway_cases():
    """Decimals that lie on, a hair below, and a hair above the middle of two floats: by way of double two go wrong."""
    rng = np.random.default_rng(7)
    starts = [np.float32(x) for x in (1.0, 16777216.0, 0.1, 3e38, 1.1754944e-38, 1e-40, 1e-45, 123456.79)]
    starts += list(rng.integers(1, 0x7F000000, 40, np.uint32).view(np.float32))
    for low in starts:
        middle = (Fraction(float(low)) + Fraction(float(np.nextafter(low, np.float32(np.inf))))) / 2
        digits = 0
        while (middle * 10**digits).denominator != 1:
            digits += 1
        whole = str((middle * 10**digits).numerator)
        if len(whole) + 8 < 120:
            yield f"{whole}e-{digits}"
            yield f"{whole}0000001e-{digits + 7}"
            yield f"{int(whole) * 10**7 - 1}e-{digits + 7}"


def test_halfway_decimals_are_rounded_once(core):
    texts = [sign + text for text in sorted(set(halfway_cases())) for sign in ("", "-")]
    assert len(texts) > 200
    found = {text: from_json(core, f"[{text}]", 1) for text in texts}
    assert {text: (rc, *out) for text, (rc, out) in found.items()} == {text: (0, nearest_float(text)) for text in texts}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.00000017881393432617187499", np.float32("1.00000011920928955078125")),  # double rounding gives the next one
        ("340282346638528859811704183484516925440", LARGEST),
        ("340282356779733661637539395458142568447", LARGEST),  # rounds down by one unit in the last place
        ("1e-46", 0.0),
        ("-1e-46", -0.0),
        ("7.006492321624085e-46", 0.0),  # half of the smallest, to even
        ("7.0064923216240862e-46", 1.401298464324817e-45),
        ("1.40129846432481707e-45", 1.401298464324817e-45),
        ("0", 0.0),
        ("-0", -0.0),
        ("-0.0e-5", -0.0),
        ("1E+2", 100.0),
        ("1e02", 100.0),
    ],
)
def test_decimals_at_the_ends(core, text, value):
    rc, out = from_json(core, f"[{text}]", 1)
    assert (rc, bits(out[0])) == (0, bits(value))


@pytest.mark.parametrize("text", ["3.5e38", "1e39", "-1e400", "340282356779733661637539395458142568448"])
def test_decimals_too_large_for_a_float_are_refused(core, text):
    rc, message = from_json(core, f"[0, {text}]", 2)
    assert (rc, message) == (1, f"expected finite components, got {'-' * (text[0] == '-')}infinity at component 1")


def test_white_space_of_json_is_allowed_around_everything(core):
    assert from_json(core, " \t\r\n[ 1 ,\n2\t, 3 ]\r\n ", 3) == (0, [1, 2, 3])
    assert from_json(core, "[]", 0) == (0, [])


NOT_VECTORS = (
    r'| |{}|1|null|]|[|[1|[1,|[1,2|[1,]|[,1]|[1,,2]|[1 2]|[1;2]|[1],|[1]x|[[1]]|["1"]|[null]|[nan]|[NaN]|[inf]|[Infinity]'
    r"|[+1]|[.5]|[1.]|[01]|[-]|[--1]|[1e]|[1e+]|[1e5.5]|[1.5.5]|[0x1]|[1d0]|[1_0]|[1f]"
)


@pytest.mark.parametrize("text", [*NOT_VECTORS.split("|"), "[1\x00]", "[1\x0b]", "[\u00a01]", "[\u0661]"])
def test_what_json_does_not_allow_is_refused(core, text):
    for d in (1, 2):
        rc, message = from_json(core, text, d)
        assert rc == 1
        assert message.startswith("expected ")
        assert len(message) < 200


def test_error_says_where(core):
    assert from_json(core, "[1, x]", 2)[1] == "expected a number at character 5 of the JSON text"
    assert from_json(core, "[1 2]", 2)[1] == "expected a comma or ] at character 4 of the JSON text"
    assert from_json(core, "[1, 2] 3", 2)[1] == "expected nothing after ] at character 6 of the JSON text"
    assert from_json(core, "[1, 2, 3]", 2)[1] == "expected 2 numbers, got 3"
    assert from_json(core, "[1]", 2)[1] == "expected 2 numbers, got 1"


def test_numbers_beyond_the_dimensions_are_counted_not_stored(core):
    out = core.ffi.new("float[3]", [9, 9, 9])
    assert core.lib.ann_element_from_json(float32(core), b"[1,2,3]", 7, 2, out, core.ffi.new("char[200]")) == 1
    assert list(out) == [1, 2, 9]


def test_long_numbers_are_taken_up_to_a_limit(core):
    assert from_json(core, "[1." + "0" * 120 + "]", 1) == (0, [1.0])
    assert from_json(core, "[1." + "0" * 500 + "]", 1)[0] == 1


@given(st.binary(max_size=40) | st.text("[]0123456789.,eE+- ", max_size=30).map(str.encode), st.integers(0, 4))
@settings(deadline=None, max_examples=60)
def test_any_text_is_either_a_vector_or_refused(core_library, data, d):
    rc, out = from_json(core_library, data, d)
    try:
        parsed = json.loads(data.decode(), parse_constant=lambda name: pytest.fail(name))
        is_vector = isinstance(parsed, list) and len(parsed) == d and all(type(x) in (int, float) for x in parsed)
    except (ValueError, UnicodeDecodeError, RecursionError, pytest.fail.Exception):
        is_vector = False
    if is_vector and all(abs(Fraction(x)) < 2**127 for x in parsed):
        assert rc == 0
        assert out == [np.float32(x) for x in parsed] or [nearest_float(repr(x)) for x in parsed] == out
    elif not is_vector:
        assert rc == 1


def test_decimal_point_is_a_point_in_every_locale(core):
    """strtof reads the locale's; core gives it that."""
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
        except locale.Error:
            continue
        try:
            assert from_json(core, "[1.5, 1e-1]", 2)[0] == 0
            assert from_json(core, "[1.5]", 1) == (0, [1.5])
            assert from_json(core, "[1,5]", 2) == (0, [1, 5])
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)


def test_what_is_not_finite_is_told_before_what_comes_after_it(core):
    assert from_json(core, "[1e999 2]", 2)[1] == "expected finite components, got infinity at component 0"
    assert from_json(core, "[1, 2, 1e999 3]", 2)[1] == "expected a comma or ] at character 14 of the JSON text"


# --- the table ----------------------------------------------------------------------------------------


def test_names(core):
    wanted = core.lib.ann_element_default()
    for name in (b"float32", b"FLOAT32", b"float", b"Float"):
        assert core.lib.ann_element_named(name) == wanted
    for name in (b"", b"float3", b"float322", b"double", b"real"):
        assert core.lib.ann_element_named(name) == core.ffi.NULL
    assert core.ffi.string(wanted.named.name) == b"float32"
    names = core.ffi.new("char[]", core.lib.ANN_NAMES)
    assert core.ffi.string(core.lib.ann_element_names(names)) == b"float32, float16, bfloat16, int8 or bit"


def test_sizes(core):
    element = core.lib.ann_element_default()
    assert [core.lib.ann_element_size(element, n) for n in (0, 1, 65536)] == [0, 4, 262144]
    assert [core.lib.ann_element_count(element, n) for n in (0, 4, 6, 7, 8, 1 << 40)] == [0, 1, -1, -1, 2, 1 << 38]


def test_components_as_floats_are_where_they_lie(core, floats):
    element, values = core.lib.ann_element_default(), floats([1.5, -0.0, 3e38])
    vector = core.pointer(values)
    assert element.floats(vector, 3, core.ffi.NULL) == vector
    assert element.norm(core.pointer(floats([3, 4])), 2) == 25
    assert math.isinf(element.norm(vector, 3))


def test_zero_is_zero_of_both_signs_and_nothing_else(core):
    element = core.lib.ann_element_default()
    is_zero = core.lib.ann_element_is_zero
    assert is_zero(element, core.ffi.new("float[]", [0.0, -0.0]), 2)
    assert not is_zero(element, core.ffi.new("float[]", [0.0, 1e-45]), 2)
    assert is_zero(element, core.ffi.new("float[]", [0.0, 1.0]), 1)


def test_digits_are_as_many_as_a_component_needs(core):
    """numpy's shortest decimals lie between the two."""
    element, rng = core.lib.ann_element_default(), np.random.default_rng(3)
    for x in rng.integers(1, 0x7F000000, 500, np.uint32).view(np.float32):
        digits = np.format_float_scientific(x, unique=True, trim="-").split("e")[0].replace(".", "")
        assert len(digits) <= element.most_digits == 9
    assert element.fewest_digits == np.finfo(np.float32).precision
