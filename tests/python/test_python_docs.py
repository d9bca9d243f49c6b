"""docs/PYTHON.md tells the truth: it names all that is public."""

from __future__ import annotations

import re

import apsw

import sqlite_ann
from tests.documents import ROOT, first_cells, text_under

PYTHON_MD = ROOT / "docs" / "PYTHON.md"


def public_of(cls):
    return {name for name in dir(cls) if not name.startswith("_") and callable(getattr(cls, name))}


def test_every_public_name_is_listed_and_no_other():
    named = [cell.strip("`") for cell in first_cells(text_under(PYTHON_MD, "All names"))]
    assert len(named) == len(set(named))
    assert set(named) - {"name", "of `Index", "of `Index`"} == set(sqlite_ann.__all__) | public_of(sqlite_ann.Index)
    in_the_place_of_operators = {"count", "has"}
    assert public_of(sqlite_ann.AsyncIndex) == {"open"} | public_of(sqlite_ann.Index) | in_the_place_of_operators
    awaited = text_under(PYTHON_MD, "Programs that await")
    assert all(f"await index.{name}(" in awaited for name in in_the_place_of_operators)


def test_every_kind_of_error_stands_where_it_is_said_to():
    rows = re.findall(r"^\| `(\w+)` \| .* \| `apsw\.(\w+)` \|$", text_under(PYTHON_MD, "Errors"), flags=re.MULTILINE)
    assert len(rows) == 6
    for name, of_apsw in rows:
        kind = getattr(sqlite_ann, name)
        assert issubclass(kind, sqlite_ann.Error)
        assert issubclass(kind, getattr(apsw, of_apsw))
