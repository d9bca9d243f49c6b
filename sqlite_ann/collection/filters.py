"""Which documents are wanted: conditions on their metadata, as SQL over the table `d` with bound values.

    {"book": "Aird", "year": {">=": 1780, "<": 1800}}               all of these
    {"or": [{"tags": {"contains": "jig"}}, {"year": {"empty": True}}]}
    {"not": {"kind": {"in": ["reel", "hornpipe"]}}}

| operator             | holds when the document's value                                                  |
| -------------------- | -------------------------------------------------------------------------------- |
| ==, !=               | is the same; None stands for a field that is not there                            |
| <, <=, >, >=         | comes before, …: numbers among numbers, text among text (dates are ISO text; UTC) |
| in, not in           | is one of several                                                                 |
| contains             | is a list that has this, or a text that has this within                           |
| icontains            | is a text that has this within, whatever the case of the letters A to Z           |
| empty                | is not there, or null, or has a length of 0; with False: is anything else         |

What a field does not have is unequal to everything, and not in any list: so `not` is always the opposite. Names are
those of the metadata's own fields; a tuple of names goes into objects, ("address", "city"). KEY and TEXT stand for the
document's key and text. Who makes conditions by program writes them as Compare, Every, Some and Not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import Enum
from reprlib import repr as brief
from typing import Any

from ..names import as_text, check_unicode
from ..vectors import a_kind_of

ALL = "1"  # the expression that holds for every document
MOST_CONDITIONS, DEEPEST = 500, 50  # SQLite takes expressions of depth 1000


class Column(Enum):
    """A field that is a column of the table, not of its metadata."""

    KEY = "key"
    TEXT = "text"


KEY, TEXT = Column.KEY, Column.TEXT
Field = str | tuple[str, ...] | Column
Sql = tuple[str, list[Any]]  # an expression, and what is bound to its question marks


@dataclass(frozen=True)
class Compare:
    """One condition on one field."""

    field: Field
    operator: str
    value: Any = None


@dataclass(frozen=True)
class Every:
    """All of the conditions hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Some:
    """One of the conditions holds, or more."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    part: Condition


Condition = Compare | Every | Some | Not
Where = Mapping[Any, Any] | Condition | None

ORDERED = ("<", "<=", ">", ">=")
OPERATORS = ", ".join(("==", "!=", *ORDERED, "in", "not in", "contains", "icontains", "empty"))


def compiled(where: Where) -> Sql:
    """The condition as an expression of SQL over the columns d.key, d.text and d.meta, and its values.

    >>> compiled({"year": {"<": 1800}, "book": "Aird"})[1]
    [1800, 'Aird']
    >>> compiled(None)
    ('1', [])
    """
    condition = parsed(where)
    _refuse_large(condition)
    return _sql_of(condition)


def path_of(field: Field) -> str:
    """The path of a field in the metadata, as a literal of SQL.

    >>> print(path_of(("address", "city's")))
    '$."address"."city''s"'
    """
    names = field if isinstance(field, tuple) else (field,)
    for name in names or ("",):
        if not isinstance(name, str) or not name or any(c in '"\\' or ord(c) < 32 for c in name):
            raise ValueError(
                f"where: expected the name of a field, without quotes, backslashes and control characters, got {name!r}"
            )
        check_unicode("where", name)
    path = "$" + "".join(f'."{name}"' for name in names)
    return as_text(path)


def value_of(field: Field, of: str = "d.") -> str:
    """A field's value, as an expression of SQL; the same text each time, so that an index on it is used."""
    return f"{of}{field.value}" if isinstance(field, Column) else f"json_extract({of}meta, {path_of(field)})"


def type_of(field: Field) -> str:
    """The type of that value, as JSON names it; of a column as SQL does."""
    return f"typeof({value_of(field)})" if isinstance(field, Column) else f"json_type(d.meta, {path_of(field)})"


# --- From what users write


def parsed(where: Where, depth: int = 0) -> Condition:
    """The conditions that a mapping stands for."""
    if where is None:
        return Every(())
    if isinstance(where, Condition):
        return where
    if not isinstance(where, Mapping):
        raise TypeError(f"where: expected a mapping of fields, as in {{'year': 1790}}, got {type(where).__name__}")
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    parts: list[Condition] = []
    for name, given in where.items():
        if name in ("and", "or"):
            inner = tuple(parsed(part, depth + 1) for part in _listed(name, given))
            parts.append(Every(inner) if name == "and" else Some(inner))
        elif name == "not":
            parts.append(Not(parsed(given, depth + 1)))
        elif _is_of_others(name, given):
            raise ValueError(f"where: expected and, or, not, or a field with one of {OPERATORS}, got {name!r}")
        elif isinstance(given, Mapping):
            parts += [Compare(name, operator, value) for operator, value in _operators(name, given)]
        else:
            parts.append(Compare(name, "==", given))
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


TOO_DEEP = f"where: expected conditions within conditions to a depth of at most {DEEPEST}"


def _is_of_others(name: Any, given: Any) -> bool:
    """Words that join conditions in other databases; all else that begins so may be a field."""
    is_word = isinstance(name, str) and name.startswith("$")
    return is_word and (name in ("$and", "$or", "$not", "$nor") or isinstance(given, list | tuple))


def _listed(name: str, given: Any) -> list[Any]:
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"where: expected a list of conditions for {name!r}, got {brief(given)}")
    return list(given)


def _operators(name: Any, given: Mapping[Any, Any]) -> Iterable[tuple[str, Any]]:
    if not given:
        raise ValueError(f"where, {name!r}: expected an operator and a value, got {{}}")
    return given.items()


def _refuse_large(condition: Condition) -> None:
    """More than SQLite takes, by a sentence of ours; level by level, since it may be deeper than Python goes."""
    n, level = 0, [condition]
    for _ in range(DEEPEST + 1):
        n += len(level)
        if n > MOST_CONDITIONS:
            raise ValueError(f"where: expected at most {MOST_CONDITIONS} conditions; 'in' takes a list of any length")
        level = [part for outer in level for part in _parts(outer)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


def _parts(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, Not):
        return (condition.part,)
    return () if isinstance(condition, Compare) else condition.parts


# --- To SQL


def _sql_of(condition: Condition) -> Sql:
    if isinstance(condition, Compare):
        return _compare(condition)
    if isinstance(condition, Not):
        return _not(_sql_of(condition.part))
    word, nothing = (" AND ", ALL) if isinstance(condition, Every) else (" OR ", "0")
    parts = [_sql_of(part) for part in condition.parts]
    if isinstance(condition, Every):
        parts = [part for part in parts if part[0] != ALL]
    text = word.join(sql for sql, _ in parts)
    return (f"({text})" if parts else nothing), [value for _, values in parts for value in values]


def _not(inner: Sql) -> Sql:
    """True where the inner is false or NULL: nothing is in between."""
    return f"(({inner[0]}) IS NOT TRUE)", inner[1]


def _compare(c: Compare) -> Sql:
    """One condition, with whatever keeps SQL's comparison among values of different types from holding."""
    if c.operator == "==":
        return _equal(c)
    if c.operator == "in":
        return _in(c)
    if c.operator in ("!=", "not in"):
        return _not(_compare(Compare(c.field, {"!=": "==", "not in": "in"}[c.operator], c.value)))
    if c.operator in ORDERED:
        return _ordered(c)
    if c.operator in ("contains", "icontains"):
        return _contains(c)
    if c.operator == "empty":
        return _empty(c)
    raise ValueError(f"where, {_name(c.field)}: expected one of {OPERATORS}, got {c.operator!r}")


def _equal(c: Compare) -> Sql:
    value = _scalar(c, c.value)
    if value is None:
        return f"{value_of(c.field)} IS NULL", []
    sql, values = _bound(value)
    text = f"{value_of(c.field)} = {sql}"
    if _is_like_a_list(value) and not isinstance(c.field, Column):
        text = f"({text} AND {type_of(c.field)} = 'text')"
    return text, values


def _is_like_a_list(value: Any) -> bool:
    """json_extract writes lists and objects as text."""
    return isinstance(value, str) and value[:1] in ("[", "{")


def _in(c: Compare) -> Sql:
    if isinstance(c.value, str | bytes | Mapping) or not isinstance(c.value, Iterable):
        raise ValueError(f"where, {_name(c.field)}: expected a list of values for 'in', got {brief(c.value)}")
    values = [_scalar(c, value) for value in c.value]
    text = f"{value_of(c.field)} IN (SELECT value FROM json_each(?))"
    if any(map(_is_like_a_list, values)) and not isinstance(c.field, Column):
        text = f"({text} AND {type_of(c.field)} NOT IN ('array', 'object'))"
    bound = [json.dumps([value for value in values if value is not None], ensure_ascii=False)]
    return (f"({text} OR {value_of(c.field)} IS NULL)" if None in values else text), bound


def _ordered(c: Compare) -> Sql:
    value = _scalar(c, c.value)
    if isinstance(c.value, bool):
        raise ValueError(
            f"where, {_name(c.field)}: expected a number, text or a date for {c.operator!r}, got {c.value}"
        )
    if value is None:
        return "0", []  # nothing comes before or after what is not there
    sql, values = _bound(value)
    if isinstance(c.field, Column):
        kind = f"{'=' if isinstance(value, str) else '<>'} 'text'"
        return f"({value_of(c.field)} {c.operator} {sql} AND {type_of(c.field)} {kind})", values
    kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
    return f"({value_of(c.field)} {c.operator} {sql} AND {type_of(c.field)} IN {kinds})", values


def _contains(c: Compare) -> Sql:
    value, field = _scalar(c, c.value), value_of(c.field)
    if c.operator == "icontains":
        within, values = f"instr(lower({field}), lower(?)) > 0", [value]
    else:
        within, values = f"instr({field}, ?) > 0", [value]
    if not isinstance(value, str):
        within, values = "0", []
        if c.operator == "icontains":
            raise ValueError(f"where, {_name(c.field)}: expected text for 'icontains', got {brief(c.value)}")
    if isinstance(c.field, Column):
        return f"({within})", values
    text = f"CASE {type_of(c.field)} WHEN 'text' THEN {within}"
    if c.operator == "contains":
        sql, bound = _bound(value)
        text += f" WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(d.meta, {path_of(c.field)}) WHERE value IS {sql})"
        values = [*values, *bound]
    return f"({text} ELSE 0 END)", values


def _empty(c: Compare) -> Sql:
    if not isinstance(c.value, bool):
        raise ValueError(f"where, {_name(c.field)}: expected True or False for 'empty', got {brief(c.value)}")
    field = value_of(c.field)
    if isinstance(c.field, Column):
        text = f"coalesce({field}, '') = ''"
    else:
        lengths = "WHEN 'text' THEN '' WHEN 'array' THEN '[]' WHEN 'object' THEN '{}'"
        text = f"({type_of(c.field)} IS NULL OR {field} IS NULL OR {field} = CASE {type_of(c.field)} {lengths} END)"
    return (text, []) if c.value else _not((text, []))


def _bound(value: Any) -> Sql:
    """A value in the place of a question mark; of fractions, the number that SQLite reads where JSON has it written."""
    return ("json_extract(?, '$')", [json.dumps(value)]) if isinstance(value, float) else ("?", [value])


def _scalar(c: Compare, value: Any) -> Any:
    """A value as the metadata hold it."""
    value = as_plain(value)
    is_number = isinstance(value, bool | int | float)
    if value is not None and not is_number and not isinstance(value, str):
        kind = a_kind_of(value)
        raise ValueError(f"where, {_name(c.field)}: expected text, a number or a date for {c.operator!r}, got {kind}")
    if isinstance(value, str):
        check_unicode(f"where, {_name(c.field)}", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"where, {_name(c.field)}: expected a finite number, got {value}")
    if is_number and not -(2**63) <= value < 2**63 and isinstance(value, int):
        raise ValueError(f"where, {_name(c.field)}: expected a number of at most 64 bits, got {value}")
    return value


def as_plain(value: Any) -> Any:
    """Dates as ISO text, those with a zone in UTC, so that they are in order; numpy's scalars as Python's; all else as it is.

    >>> as_plain(date(1790, 7, 14)), as_plain(datetime.fromisoformat("2020-01-01T01:00+02:00"))
    ('1790-07-14', '2019-12-31T23:00:00+00:00')
    """
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        # Of nanoseconds numpy makes a number, of microseconds a date.
        is_date = type(value).__name__ == "datetime64" and isinstance(value.item(), int)
        value = value.astype("datetime64[us]").item() if is_date else value.item()
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return value.isoformat() if isinstance(value, date | time) else value


def _name(field: Field) -> str:
    return repr(field.value if isinstance(field, Column) else field)
