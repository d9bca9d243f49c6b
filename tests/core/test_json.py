"""core/json.c: an array of numbers, one number at a time; test_element.py reads whole vectors by it."""

import locale

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def numbers(core, text):
    """(the texts of the numbers, what ended the reading: "" or the clause of the error)."""
    data = text.encode()
    # in memory that ends with the text: no zero byte behind it
    held = core.ffi.new("char[]", len(data) or 1)
    core.ffi.memmove(held, data, len(data))
    json, found = core.ffi.new("AnnJson *"), core.ffi.new("int *")
    number, message = core.ffi.new("char[]", core.lib.ANN_JSON_NUMBER), core.ffi.new("char[200]")
    out: list[str] = []
    rc = core.lib.ann_json_open(json, held, len(data), message)
    while rc == 0:
        rc = core.lib.ann_json_next(json, number, found, message)
        if rc == 0 and not found[0]:
            assert json.n == len(out)
            return out, ""
        if rc == 0:
            out.append(core.ffi.string(number).decode())
    return out, core.ffi.string(message).decode()


def test_numbers_come_as_text_one_by_one(core):
    assert numbers(core, "[]") == ([], "")
    assert numbers(core, " [ 1 , -2.50,3e+7\t,0] ") == (["1", "-2.50", "3e+7", "0"], "")


def test_what_is_wrong_is_told_when_it_is_reached(core):
    assert numbers(core, "{}") == ([], "expected a JSON array of numbers, got other text")
    assert numbers(core, "[1, x]") == (["1"], "expected a number at character 5 of the JSON text")
    assert numbers(core, "[1, ]") == (["1"], "expected a number at character 5 of the JSON text")
    assert numbers(core, "[1 2]") == (["1"], "expected a comma or ] at character 4 of the JSON text")
    assert numbers(core, "[1, 2] 3") == (["1", "2"], "expected nothing after ] at character 6 of the JSON text")
    assert numbers(core, "[1") == (["1"], "expected ] at the end of the JSON text")


def test_the_longest_number_fits_in_every_locale(core):
    longest = "-1." + "2" * 125
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("C", "de_DE.UTF-8", "ps_AF.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
        except locale.Error:
            continue
        try:
            point = locale.localeconv()["decimal_point"]
            assert numbers(core, f"[{longest}]") == ([longest.replace(".", str(point))], "")
            assert numbers(core, f"[{longest}2]")[1] == "expected a number at character 2 of the JSON text"
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)


@given(st.text("[]0123456789.,eE+- x", max_size=30))
@settings(deadline=None, max_examples=100)
def test_any_text_ends(core_library, text):
    found, message = numbers(core_library, text)
    assert not message or message.startswith("expected ")
    assert core_library.lib.ann_json_length(text.encode(), len(text)) >= (len(found) if not message else -1)


@pytest.mark.parametrize(
    ("text", "n"),
    [("[]", 0), ("[ ]", 0), ("[1]", 1), ("[1,2]", 2), (" [1,2,3]", 3), ("", -1), ("1,2", -1), ("x'00'", -1)],
)
def test_length_is_told_before_reading(core, text, n):
    assert core.lib.ann_json_length(text.encode(), len(text)) == n
