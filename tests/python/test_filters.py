"""Conditions on documents: each operator, all of them in random combinations beside plain Python, and what is refused."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlite_ann import Collection
from sqlite_ann.collection.filters import KEY, TEXT, Compare, Every, Not, Some, compiled

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0, 0.1, 1e300, 123456.789, 5e-324]),
    st.sampled_from(["", "a", "ab", "B", "[1]", "{}", "1", "1790-07-14", "ä", "it's"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.just({}), st.just({"b": 1}))
FIELDS = ["a", "b", "a.b", "it's", "ä"]
METAS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)

COMPARISONS = st.one_of(
    st.builds(Compare, st.sampled_from(FIELDS), st.sampled_from(["==", "!="]), SCALARS),
    st.builds(
        Compare,
        st.sampled_from(FIELDS),
        st.sampled_from(["<", "<=", ">", ">="]),
        SCALARS.filter(lambda value: not isinstance(value, bool)),
    ),
    st.builds(Compare, st.sampled_from(FIELDS), st.sampled_from(["in", "not in"]), st.lists(SCALARS, max_size=3)),
    st.builds(Compare, st.sampled_from(FIELDS), st.just("contains"), SCALARS),
    st.builds(Compare, st.sampled_from(FIELDS), st.just("icontains"), st.sampled_from(["", "A", "b"])),
    st.builds(Compare, st.sampled_from(FIELDS), st.just("empty"), st.booleans()),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(lambda parts: Every(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Some(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


def holds(condition, meta) -> bool:
    """The condition by its words, in Python."""
    if isinstance(condition, Every):
        return all(holds(part, meta) for part in condition.parts)
    if isinstance(condition, Some):
        return any(holds(part, meta) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, meta)
    there, wanted = meta.get(condition.field), condition.value
    match condition.operator:
        case "==":
            return there == wanted
        case "!=":
            return there != wanted
        case "in":
            return there in wanted
        case "not in":
            return there not in wanted
        case "contains":
            if isinstance(there, str):
                return isinstance(wanted, str) and wanted in there
            return isinstance(there, list) and wanted in there
        case "icontains":
            return isinstance(there, str) and wanted.lower() in there.lower()
        case "empty":
            return (there in (None, "", [], {}) and there is not False and there != 0) == wanted
    is_text = isinstance(wanted, str)
    if isinstance(there, bool) or wanted is None or not isinstance(there, str if is_text else int | float):
        return False
    return {"<": there < wanted, "<=": there <= wanted, ">": there > wanted, ">=": there >= wanted}[condition.operator]


def test_a_moment_is_the_same_in_every_zone(db):
    docs = Collection.open(db, "docs")
    winter = datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))  # in Greenwich it is last year
    docs.add(["a", "b"], None, [{"at": winter}, {"at": np.datetime64("2021-05-01T12:00:00", "ns")}])
    assert docs.count({"at": winter.astimezone(UTC)}) == 1
    assert docs.count({"at": {"<": datetime(2019, 12, 31, 23, 30, tzinfo=UTC)}}) == 1
    assert docs.count({"at": datetime(2021, 5, 1, 12)}) == docs.count({"at": {">": np.datetime64("2021-01-01")}}) == 1


def test_a_list_is_not_the_text_that_it_is_written_as(db):
    docs = Collection.open(db, "docs")
    docs.add(["a", "b"], None, [{"tags": ["x"]}, {"tags": '["x"]'}])
    assert [d.key for d in docs.get(where={"tags": {"in": ['["x"]', "y"]}})] == ["b"]
    assert [d.key for d in docs.get(where={"tags": {"not in": ['["x"]']}})] == ["a"]


@settings(max_examples=400, deadline=None)
@given(METAS, CONDITIONS)
def test_a_condition_holds_where_its_words_say_so(meta, condition):
    sql, values = compiled(condition)
    with closing(apsw.Connection(":memory:")) as db:
        db.execute("CREATE TABLE d(key TEXT, text TEXT, meta TEXT)")
        db.execute("INSERT INTO d VALUES ('k', 't', ?)", (json.dumps(meta, ensure_ascii=False),))
        found = db.execute(f"SELECT count(*) FROM d WHERE {sql}", values).get
        assert found == holds(condition, meta), (sql, values)
        assert db.execute(f"SELECT typeof({sql}) FROM d", [*values]).get == "integer" or found == 0


def test_a_mapping_says_the_same_as_conditions():
    assert compiled({"year": {"<": 1900, ">": 1800}, "book": "Aird"}) == compiled(
        Every((Compare("year", "<", 1900), Compare("year", ">", 1800), Compare("book", "==", "Aird")))
    )
    assert compiled({"or": [{"a": 1}, {"not": {"b": None}}]}) == compiled(
        Some((Compare("a", "==", 1), Not(Compare("b", "==", None))))
    )
    assert compiled({("address", "city"): "Dublin"})[0] == """json_extract(d.meta, '$."address"."city"') = ?"""
    assert compiled({}) == compiled(None)
    assert compiled(Every((Every(()), Every(())))) == compiled(None)
    assert compiled(Every((Every(()), Compare("a", "==", 1)))) == ("(json_extract(d.meta, '$.\"a\"') = ?)", [1])


def test_dates_and_numpys_numbers_are_what_the_metadata_hold():
    assert compiled({"on": {">": date(1790, 7, 14)}})[1] == ["1790-07-14"]
    assert compiled({"on": datetime(1790, 7, 14, 9)})[1] == ["1790-07-14T09:00:00"]
    assert compiled({"n": np.int64(3)})[1] == [3]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"year": {"~": 3}}, "where, 'year': expected one of ==, !=, .*, got '~'"),
        ({"$and": [{"a": 1}]}, r"where: expected and, or, not, or a field with one of ==, .*, empty, got '\$and'$"),
        ({"$not": {"a": 1}}, r"where: expected and, or, not, or a field with one of .*, got '\$not'$"),
        ({"$any": [1]}, r"where: expected and, or, not, or a field with one of .*, got '\$any'$"),
        ({"year": [1, 2]}, "where, 'year': expected text, a number or a date for '==', got a list"),
        ({"year": {"<": [1]}}, "where, 'year': expected text, a number or a date for '<', got a list"),
        ({"year": {"<": True}}, "where, 'year': expected a number, text or a date for '<', got True"),
        ({"year": {"in": "1790"}}, "where, 'year': expected a list of values for 'in', got '1790'"),
        ({"year": {"in": 3}}, "where, 'year': expected a list of values for 'in', got 3"),
        ({"year": {}}, "where, 'year': expected an operator and a value, got {}"),
        ({"year": float("nan")}, "where, 'year': expected a finite number, got nan"),
        ({"year": 2**70}, "where, 'year': expected a number of at most 64 bits, got 1180591620717411303424"),
        ({"year": {"empty": 1}}, "where, 'year': expected True or False for 'empty', got 1"),
        ({"year": {"icontains": 1}}, "where, 'year': expected text for 'icontains', got 1"),
        ({"or": []}, r"where: expected a list of conditions for 'or', got \[\]"),
        ({"and": {"a": 1}}, "where: expected a list of conditions for 'and', got {'a': 1}"),
        ({'a"b': 1}, "where: expected the name of a field, without quotes, .*, got 'a\"b'"),
        ({"a\0b": 1}, "where: expected the name of a field"),
        ({3: 1}, "where: expected the name of a field, .*, got 3"),
        ({(): 1}, "where: expected the name of a field, .*"),
        ({"": 1}, "where: expected the name of a field, .*, got ''"),
        (
            {"or": [{"a": i} for i in range(501)]},
            "where: expected at most 500 conditions; 'in' takes a list of any length",
        ),
    ],
)
def test_what_is_no_condition_is_refused_by_a_sentence(where, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        compiled(where)


@pytest.mark.parametrize("where", ["year < 1900", 3, [("year", "<", 1900)]])
def test_what_is_no_mapping_is_refused(where):
    with pytest.raises(TypeError, match=r"^where: expected a mapping of fields, as in {.year.: 1790}, got "):
        compiled(where)


def test_conditions_that_are_too_deep_are_refused():
    as_mapping: dict = {"a": 1}
    as_nodes = Compare("a", "==", 1)
    for _ in range(1000):
        as_mapping, as_nodes = {"not": as_mapping}, Not(as_nodes)
    for where in (as_mapping, as_nodes):
        with pytest.raises(
            ValueError, match=r"^where: expected conditions within conditions to a depth of at most 50$"
        ):
            compiled(where)


def test_the_most_and_the_deepest_conditions_are_taken():
    deep: dict = {"a": 1}
    for _ in range(49):
        deep = {"not": deep}
    with closing(apsw.Connection(":memory:")) as db:
        db.execute("CREATE TABLE d(key TEXT, text TEXT, meta TEXT); INSERT INTO d VALUES ('k', 't', '{\"a\":1}')")
        for where in (deep, {"or": [{"a": i} for i in range(490)]}, {"a": {"in": list(range(100_000))}}):
            sql, values = compiled(where)
            assert db.execute(f"SELECT count(*) FROM d WHERE {sql}", values).get == (where is not deep)


def test_the_keys_and_texts_of_documents_are_fields_too():
    with closing(apsw.Connection(":memory:")) as db:
        db.execute("CREATE TABLE d(key TEXT, text TEXT, meta TEXT)")
        db.execute("INSERT INTO d VALUES ('a', 'Danny Boy', '{}'), ('b', NULL, '{\"key\": \"a\"}')")

        def keys(where):
            sql, values = compiled(where)
            return "".join(key for (key,) in db.execute(f"SELECT key FROM d WHERE {sql} ORDER BY key", values))

        assert keys(Compare(KEY, "==", "a")) == "a"
        assert keys(Compare(KEY, ">", "a")) == "b"
        assert keys(Compare(TEXT, "icontains", "danny")) == "a"
        assert keys(Compare(TEXT, "contains", "danny")) == ""
        assert keys(Compare(TEXT, "empty", True)) == "b"
        assert keys({"key": "a"}) == "b"
