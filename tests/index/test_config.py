"""The rows of the config table: which there are, when, and what becomes of a table that lacks one."""

from __future__ import annotations

import apsw
import pytest

NAMES = "SELECT name FROM v_config ORDER BY id"


def names(table) -> list[str]:
    return [name for (name,) in table.db.execute(NAMES)]


def test_a_table_is_marked_as_new_until_it_is_committed(table):
    table.db.execute("BEGIN")
    table.create()
    assert names(table) == ["format", "state", "options", "made"]
    table.db.execute("COMMIT")
    assert names(table) == ["format", "state", "options"]


def test_the_options_are_written_as_they_are_understood(table):
    table.create(d=6, metric="cosine", seed=7)
    text = table.db.execute("SELECT value FROM v_config WHERE name = 'options'").get
    assert text == "column=e type=float32 dimensions=6 metric=cosine trees=2 seed=7 leaf_capacity=32 length=256"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (1, 'expected a row "format" in v_config, which is missing'),
        (2, 'expected a row "state" in v_config, which is missing'),
    ],
)
def test_a_row_that_every_table_has_is_missed(forest, near, row, sentence):
    table = forest()
    table.db.execute("DELETE FROM v_config WHERE id = ?", (row,))
    with pytest.raises(apsw.CorruptError, match=sentence):
        table.search(near[0])
    table.command("rebuild")
    table.sound()


@pytest.mark.parametrize("row", [3, 5, 6, 7, 8])
def test_rows_that_only_some_tables_have_may_be_missing(forest, near, row):
    table = forest()
    table.db.execute("DELETE FROM v_config WHERE id = ?", (row,))
    assert len(table.search(near[0])) == 10
    table.insert(9999, near[0])
    table.sound()
