"""Declarations, reserved names, reading back and the memory of a result follow one table, in c_ext/sql/arguments.h."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

HEADER = Path(__file__).resolve().parents[2] / "c_ext" / "sql" / "arguments.h"


class Argument(NamedTuple):
    name: str
    kind: str
    forms: str  # "1110": whether ann_search, ann_search_item, ann_search_items and MATCH have it as a hidden column


class Form(NamedTuple):
    name: str  # as error sentences have it
    at: int  # in Argument.forms
    results: tuple[str, ...]  # columns before the arguments, and after them
    after: tuple[str, ...]
    sql: str  # a search with room for more conditions


ROW = re.compile(r'^ +ROW\(\w+, +"(\w+)", +([A-Z]+), +([01]), ([01]), ([01]), ([01]),', re.MULTILINE)
ARGUMENTS = [Argument(row[0], row[1], "".join(row[2:])) for row in ROW.findall(HEADER.read_text("utf-8"))]

ALL = ("all_ids", "all_distances")
FORMS = [
    Form("ann_search", 0, ("id", "distance", "rank"), ALL, "ann_search WHERE {}"),
    Form("ann_search_item", 1, ("id", "distance", "rank"), ALL, "ann_search_item WHERE {}"),
    Form("ann_search_items", 2, ("id", "distance", "rank"), ALL, "ann_search_items WHERE {}"),
    Form("MATCH", 3, ("embedding", "v", "distance", "rank"), (), "v WHERE embedding MATCH '[0,0]' AND {}"),
]

# Two good values of each kind, and one that is refused.
VALUES = {
    "NAME": ("v", "w", None),
    "QUERY": ("[0,0]", "[4,4]", "x"),
    "COUNT": (5, 7, 0),
    "RECALL": (0.5, 0.9, 1.5),
    "DISTANCE": (9.5, 12.0, "x"),
    "FRACTION": (0.25, 1.0, 1.5),
    "FLAG": (1, 0, 2),
    "WHOLE": (3, -4, "x"),
    "IDS": (3, 4, None),
    "GROUPS": ('{"1": "a"}', '{"1": "a", "2": "a"}', 7),
}
VALUES_OF = {
    "item": (3, 4, "x"),
    "items": ("[3]", '{"3": 1, "4": -0.5}', "x"),
    "after_distance": (0.5, 1.0, "x"),  # nothing comes after those of the kind
}
GO_TOGETHER = {"max_per": "groups = '{}'", "groups": "max_per = 1", "after_id": "after_distance = 0"}


def named(form: Form, argument: Argument) -> str:
    names = {"ann_search_item": "item", "ann_search_items": "items"}
    return names.get(form.name, "query") if argument.name == "query" else argument.name


def values_of(form: Form, argument: Argument) -> tuple:
    return VALUES_OF.get(named(form, argument), VALUES[argument.kind])


def needed(form: Form, but: str = "") -> str:
    """The conditions without which there is no search, or none with that argument."""
    has = {"table": "'v'", "query": "'[0,0]'", "item": "3", "items": "3"}
    names = [named(form, argument) for argument in ARGUMENTS if argument.forms[form.at] == "1"]
    together = [GO_TOGETHER[but]] if but in GO_TOGETHER else []
    return " AND ".join(["true", *together, *(f'"{n}" = {has[n]}' for n in names if n in has and n != but)])


CASES = [(form, argument) for form in FORMS for argument in ARGUMENTS if argument.forms[form.at] == "1"]
cases = pytest.mark.parametrize(("form", "argument"), CASES, ids=[f"{f.name}-{named(f, a)}" for f, a in CASES])


@pytest.fixture
def v(small):
    small.db.execute("CREATE VIRTUAL TABLE w USING ann(e float32[2], metric=l2)")
    small.db.execute("INSERT INTO w SELECT embedding FROM v")
    return small.db


def searches(db) -> int:
    sql = "SELECT sum(i.value) FROM json_each('[\"v\", \"w\"]') AS t, ann_info(t.value) AS i WHERE i.key = 'searches'"
    return db.execute(sql).get


def test_the_table_is_read_by_this_test():
    assert {"table", "query", "k", "exclude"} <= {argument.name for argument in ARGUMENTS}
    assert HEADER.read_text("utf-8").count("  ROW(") == len(ARGUMENTS)


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_arguments_are_the_hidden_columns_in_their_order(v, form):
    table = "v" if form.name == "MATCH" else form.name
    columns = v.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
    arguments = [named(form, argument) for argument in ARGUMENTS if argument.forms[form.at] == "1"]
    assert [name for name, _ in columns] == [*form.results, *arguments, *form.after]
    assert [hidden for name, hidden in columns if name in arguments] == [1] * len(arguments)


@cases
def test_an_argument_given_in_where_reads_back(v, form, argument):
    name = named(form, argument)
    for value in values_of(form, argument)[:2]:
        where = form.sql.format(f'{needed(form, name)} AND "{name}" = ?')
        assert v.execute(f'SELECT DISTINCT "{name}" FROM {where}', (value,)).fetchall() == [(value,)]


@cases
def test_an_argument_has_one_value_and_no_other_comparison(v, refused, form, argument):
    name = named(form, argument)
    expected = "= ids or IN (...)" if argument.kind == "IDS" else "= a value"
    where = form.sql.format(f'{needed(form, name)} AND "{name}" = ? AND "{name}" = ?')
    refused(
        v, f"SELECT * FROM {where}", values_of(form, argument)[:1] * 2, f"{form.name}: expected one value for {name}"
    )
    where = form.sql.format(f'{needed(form, name)} AND "{name}" > ?')
    refused(v, f"SELECT * FROM {where}", (1,), f"{form.name}: expected {name} {expected}, got another comparison")


@cases
def test_a_bad_value_is_refused(v, form, argument):
    name, bad = named(form, argument), values_of(form, argument)[2]
    if bad is not None:
        where = form.sql.format(f'{needed(form, name)} AND "{name}" = ?')
        with pytest.raises(apsw.SQLError, match=f"^{form.name}.*expected"):
            v.execute(f"SELECT * FROM {where}", (bad,)).fetchall()


@cases
def test_another_value_is_another_question(v, form, argument):
    """The same is answered from memory."""
    name = named(form, argument)
    one, other, _ = values_of(form, argument)
    where = form.sql.format(f'{needed(form, name)} AND "{name}" = x.column1')
    sql = f"SELECT (SELECT rank FROM {where}) FROM (VALUES (?1), (?1), (?2), (?2)) AS x"
    before = searches(v)
    v.execute(sql, (one, other)).fetchall()
    assert searches(v) - before == 2


@pytest.mark.parametrize("name", ["distance", "rank", *(argument.name for argument in ARGUMENTS)])
def test_a_hidden_column_of_match_cannot_be_the_vector_column_nor_be_written(v, refused, name):
    is_hidden = name in ("distance", "rank") or any(a.name == name and a.forms[3] == "1" for a in ARGUMENTS)
    create = f'CREATE VIRTUAL TABLE t USING ann("{name.upper()}" float32[2])'
    if is_hidden:
        refused(v, create, (), f'expected another column name than "{name.upper()}", which names a hidden column')
        refused(v, f'ALTER TABLE w RENAME TO "{name}"', (), f'expected another new name than "{name}"')
        message = f"expected no value for the hidden column {name}, got an integer"
        refused(v, f"INSERT INTO v(embedding, \"{name}\") VALUES ('[1,1]', 5)", (), message)
        refused(v, f'UPDATE v SET "{name}" = 5', (), message)
    else:
        v.execute(create)
        v.execute(f'ALTER TABLE w RENAME TO "{name}"')
