"""The five shadow tables: made, renamed and dropped together, and refused when they are not ours."""

from __future__ import annotations

import apsw
import pytest

import sqlite_ann
from tests import oracle


def names(db):
    return sorted(name for (name,) in db.execute("SELECT name FROM sqlite_schema"))


def test_a_table_has_five_shadow_tables_with_the_declared_columns(table):
    table.create()
    for suffix, columns in oracle.SHADOWS.items():
        sql = table.db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (f"v_{suffix}",)).get
        assert sql.endswith(f"({columns})")
    assert len(names(table.db)) == 6


def test_they_are_renamed_and_dropped_with_the_table(table):
    table.create()
    table.db.execute("ALTER TABLE v RENAME TO w")
    assert names(table.db) == ["w", *sorted(f"w_{suffix}" for suffix in oracle.SHADOWS)]
    table.db.execute("DROP TABLE w")
    assert names(table.db) == []


@pytest.mark.parametrize("suffix", oracle.SHADOWS)
def test_a_name_that_is_taken_refuses_the_table_and_leaves_nothing(table, suffix):
    table.db.execute(f"CREATE TABLE V_{suffix}(x)")
    with pytest.raises(apsw.SQLError, match=f"expected the name v_{suffix} to be free"):
        table.create()
    assert names(table.db) == [f"V_{suffix}"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON v_pages BEGIN SELECT 1; END", "without triggers or indexes, got"),
        ("CREATE INDEX i ON v_vectors(vector)", "without triggers or indexes, got"),
        (
            "ALTER TABLE v_places ADD COLUMN more",
            "expected v_places to have the columns id INTEGER PRIMARY KEY, pages BLOB, got id INTEGER 10,pages BLOB 00,more  00",
        ),
        ("DROP TABLE v_waiting", "expected the table v_waiting, which is missing"),
    ],
)
def test_tables_that_are_not_as_declared_are_refused_when_opened(forest, sql, message):
    stored = forest().db.serialize("main")
    plain, db = apsw.Connection(":memory:"), sqlite_ann.connect(":memory:")
    plain.deserialize("main", stored)
    plain.execute(sql)
    db.deserialize("main", plain.serialize("main"))
    with pytest.raises(apsw.Error, match=message):
        db.execute("SELECT count(*) FROM v").fetchall()
