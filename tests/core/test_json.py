"""core/json.c: an array of numbers, one number at a time; test_element.py reads whole vectors by it."""

import json
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


def arrays(core, text):
    """(the texts of the arrays in an array, what ended the reading: "" or the clause of the error)."""
    data = text.encode()
    held = core.ffi.new("char[]", len(data) or 1)
    core.ffi.memmove(held, data, len(data))
    json, found, message = core.ffi.new("AnnJson *"), core.ffi.new("int *"), core.ffi.new("char[200]")
    at, n = core.ffi.new("const char **"), core.ffi.new("int64_t *")
    out: list[str] = []
    rc = core.lib.ann_json_open_arrays(json, held, len(data), message)
    while rc == 0:
        rc = core.lib.ann_json_next_array(json, at, n, found, message)
        if rc == 0 and not found[0]:
            assert json.n == len(out)
            return out, ""
        if rc == 0:
            out.append(core.ffi.unpack(at[0], n[0]).decode())
    return out, core.ffi.string(message).decode()


def test_arrays_come_from_bracket_to_bracket(core):
    assert arrays(core, "[]") == ([], "")
    assert arrays(core, " [ [1, 2] ,[],\t[x] ] ") == (["[1, 2]", "[]", "[x]"], "")


def test_what_is_wrong_with_an_array_of_arrays_is_told_when_it_is_reached(core):
    assert arrays(core, "{}") == ([], "expected a JSON array of arrays, got other text")
    assert arrays(core, "") == ([], "expected a JSON array of arrays, got other text")
    assert arrays(core, "[1, 2]") == ([], "expected an array at character 2 of the JSON text")
    assert arrays(core, "[[1], ]") == (["[1]"], "expected an array at character 7 of the JSON text")
    assert arrays(core, "[[1] [2]]") == (["[1]"], "expected a comma or ] at character 6 of the JSON text")
    assert arrays(core, "[[1]] 3") == (["[1]"], "expected nothing after ] at character 5 of the JSON text")
    for text in ("[", "[[1]", "[[1", "[["):
        assert arrays(core, text)[1] == "expected ] at the end of the JSON text"


def members(core, text):
    """(the members as (name, value) texts, what ended the reading: "" or the clause of the error)."""
    data = text.encode()
    held = core.ffi.new("char[]", len(data) or 1)
    core.ffi.memmove(held, data, len(data))
    json, found, member = core.ffi.new("AnnJson *"), core.ffi.new("int *"), core.ffi.new("AnnMember *")
    message, number = core.ffi.new("char[200]"), core.ffi.new("char[]", core.lib.ANN_JSON_NUMBER)
    out: list[tuple[str, str]] = []
    rc = core.lib.ann_json_open_object(json, held, len(data), message)
    while rc == 0:
        rc = core.lib.ann_json_next_member(json, member, found, message)
        if rc == 0 and not found[0]:
            assert json.n == len(out)
            return out, ""
        if rc == 0:
            name, value = (
                core.ffi.unpack(at, n).decode()
                for at, n in ((member.name, member.n_name), (member.value, member.n_value))
            )
            assert core.lib.ann_json_is_null(member) == (value == "null")
            assert core.lib.ann_json_is_number(member, number) == (value[0] in "-0123456789")
            out.append((name, value))
    return out, core.ffi.string(message).decode()


def test_members_come_as_they_are_written(core):
    assert members(core, "{}") == ([], "")
    text = ' { "1" : "a\\"b" , "-2":null,\t"":-1.5e3, "x\\\\":true,"f":false } '
    assert members(core, text) == (
        [("1", '"a\\"b"'), ("-2", "null"), ("", "-1.5e3"), ("x\\\\", "true"), ("f", "false")],
        "",
    )


def test_what_is_wrong_with_an_object_is_told_when_it_is_reached(core):
    assert members(core, "[]") == ([], "expected a JSON object, got other text")
    for text, clause in (
        ("{", "expected } at the end of the JSON text"),
        ('{"a"', "expected a colon at character 5 of the JSON text"),
        ("{a:1}", "expected a name in quotation marks at character 2 of the JSON text"),
        ('{"a', "expected a name in quotation marks at character 2 of the JSON text"),
        ('{"a\\', "expected a name in quotation marks at character 2 of the JSON text"),
        ('{"a":}', "expected a number, a string or null at character 6 of the JSON text"),
        ('{"a":[1]}', "expected a number, a string or null at character 6 of the JSON text"),
        ('{"a":nul', "expected a number, a string or null at character 6 of the JSON text"),
    ):
        assert members(core, text) == ([], clause)
    assert members(core, '{"a":1 "b":2}') == (
        [("a", "1")],
        "expected a comma or } at character 8 of the JSON text",
    )
    assert members(core, '{"a":1,}')[1] == "expected a name in quotation marks at character 8 of the JSON text"
    assert members(core, '{"a":1}}')[1] == "expected nothing after } at character 7 of the JSON text"


@given(st.text('{}"0123:,.eE- nulltrue\\', max_size=30))
@settings(deadline=None, max_examples=200)
def test_any_text_is_read_to_its_end_or_refused(core_library, text):
    """What Python reads as an object of such members is read, and nothing else."""
    _, clause = members(core_library, text)
    try:
        parsed = json.loads(text, object_pairs_hook=tuple, parse_constant=int)
        is_flat = isinstance(parsed, tuple) and not any(isinstance(value, (list, tuple)) for _, value in parsed)
    except ValueError:
        is_flat = False
    if "\\" not in text:  # escapes are left to whoever takes a string for text
        assert (clause == "") == is_flat
