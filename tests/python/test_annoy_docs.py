"""docs/ANNOY.md tells the truth: the tests that it names are there, every call has its SQL."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import apsw
import pytest

from sqlite_ann.annoy import AnnoyIndex
from tests.documents import ROOT, blocks_of, text_under

ANNOY_MD = ROOT / "docs" / "ANNOY.md"


def public_calls() -> set[str]:
    return {name for name, _ in inspect.getmembers(AnnoyIndex, inspect.isfunction) if not name.startswith("_")}


def test_every_statement_that_is_named_can_be_prepared(db: apsw.Connection):
    db.execute(blocks_of(ANNOY_MD, "sql")[0].code)
    db.execute("CREATE TABLE annoy_built(n_trees)")
    named = re.findall(r"`((?:SELECT|INSERT) [^`…]*)`", text_under(ANNOY_MD, "The same in SQL"))
    assert len(named) > 8
    values = {"vector": "'[1, 2]'", "i": "1", "n": "2"}
    for sql in named:
        db.execute(re.sub(r"(?<=[ (])(vector|i|n)(?=[,)]|$)", lambda match: values[match[1]], sql)).fetchall()


def test_every_call_has_a_row_of_sql():
    cells = " ".join(re.findall(r"^\| (.*?) \|", text_under(ANNOY_MD, "The same in SQL"), flags=re.MULTILINE))
    for name in public_calls():
        assert re.search(rf"`{name}\(", cells), name


@pytest.mark.parametrize("name", sorted(public_calls()))
def test_every_call_says_what_it_does(name):
    assert inspect.getdoc(getattr(AnnoyIndex, name))


def test_the_tests_that_hold_a_row_are_there():
    written = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_annoy*.py"))
    rows = text_under(ANNOY_MD, "What is kept").strip().splitlines()[4:]
    assert rows
    for row in rows:
        names = re.findall(r"`(test_\w+)`", row)
        assert names, row
        assert all(f"def {name}(" in written for name in names), row
