"""Haystack's filters as conditions of a Collection; what is none of them is a FilterError."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from reprlib import repr as brief
from typing import Any

from haystack.errors import FilterError

from ..collection import KEY, TEXT, Compare, Condition, Every, Not, Some
from ..collection.filters import DEEPEST, Field, compiled

LOGICAL = ("AND", "OR", "NOT")
COMPARISONS = ("==", "!=", ">", ">=", "<", "<=", "in", "not in")


def condition_of(filters: dict[str, Any] | None) -> Condition:
    """The condition that filters stand for; all documents, where there are none.

    >>> condition_of({"field": "meta.year", "operator": "<", "value": 1800})
    Compare(field='year', operator='<', value=1800)
    """
    if not filters:
        return Every(())
    condition = _parsed(filters)
    try:
        compiled(condition)  # a collection's own refusals become Haystack's
    except ValueError as error:
        raise FilterError(str(error)) from None
    return condition


def _parsed(filters: dict[str, Any], depth: int = 0) -> Condition:
    if depth > DEEPEST:
        raise FilterError(f"expected filters within filters to a depth of at most {DEEPEST}")
    if not isinstance(filters, dict):
        raise FilterError(f"expected a filter as a dictionary, got {brief(filters)}")
    if "field" in filters:
        return _comparison(filters)
    operator, conditions = _value(filters, "operator"), _value(filters, "conditions")
    if operator not in LOGICAL or not isinstance(conditions, list):
        raise FilterError(f"expected AND, OR or NOT of a list of conditions, got {operator!r} of {brief(conditions)}")
    parts = tuple(_parsed(part, depth + 1) for part in conditions)
    if operator == "OR":
        return Some(parts)
    return Not(Every(parts)) if operator == "NOT" else Every(parts)


def field_of(name: str) -> Field:
    """A field as Haystack writes it; dots lead into objects.

    >>> field_of("meta.person.name"), field_of("year")
    (('person', 'name'), 'year')
    """
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a field, got {name!r}")
    if name in ("id", "content"):
        return KEY if name == "id" else TEXT
    names = tuple(name.removeprefix("meta.").split("."))
    return names[0] if len(names) == 1 else names


def _comparison(given: dict[str, Any]) -> Condition:
    field, operator, value = given["field"], _value(given, "operator"), _value(given, "value")
    if not isinstance(field, str) or operator not in COMPARISONS:
        raise FilterError(f"expected a field and one of {', '.join(COMPARISONS)}, got {field!r} and {operator!r}")
    if operator in ("in", "not in") and not isinstance(value, list):
        raise FilterError(f"{field}: expected a list for {operator!r}, got {brief(value)}")
    if operator[0] in "<>" and isinstance(value, str) and not _is_date(value):
        raise FilterError(f"{field}: expected a number or an ISO date for {operator!r}, got {brief(value)}")
    if operator not in ("in", "not in") and isinstance(value, Iterable) and not isinstance(value, str):
        raise FilterError(f"{field}: expected a number, text or a date for {operator!r}, got {brief(value)}")
    return Compare(field_of(field), operator, value)


def _value(given: dict[str, Any], name: str) -> Any:
    if name not in given:
        raise FilterError(f"expected {name!r} in {brief(given)}")
    return given[name]


def _is_date(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False
