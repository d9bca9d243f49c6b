"""Counters that cannot be are damage, whatever is asked: nothing is computed from them."""

from __future__ import annotations

import apsw
import pytest

from .conftest import clustered

COUNTERS = {"rows": 0, "placed": 8, "last_page": 16, "leaf_pages": 24, "directory_pages": 32, "changes": 40}
COUNTERS |= {"calibrated_rows": 48, "planted_rows": 56}
IMPOSSIBLE = (-1, -(2**63), 2**63 - 1, 2**62, 2**49)


@pytest.mark.parametrize("value", IMPOSSIBLE)
@pytest.mark.parametrize("counter", COUNTERS)
def test_a_counter_that_cannot_be(forest, near, counter, value):
    table = forest()
    at = COUNTERS[counter]
    sql = "UPDATE v_config SET value = substr(value, 1, ?1) || ?2 || substr(value, ?1 + 9) WHERE id = 2"
    table.db.execute(sql, (at, value.to_bytes(8, "little", signed=True)))
    for ask in (
        lambda: table.search(near[0], 10),
        lambda: table.search(near[0], 2**62, 1),
        lambda: table.command("optimize"),
        lambda: table.insert(9999, near[0]),
        lambda: table.delete([3]),
    ):
        with pytest.raises(apsw.CorruptError, match="config row 2 is damaged"):
            ask()
    assert len(table.faults()) == 1
    table.command("rebuild")
    table.sound()


def test_more_pages_than_were_ever_numbered(forest, near):
    table = forest()
    last = table.index.state["last_page"]
    sql = "UPDATE v_config SET value = substr(value, 1, 16) || ?1 || substr(value, 25) WHERE id = 2"
    table.db.execute(sql, ((last // 2).to_bytes(8, "little"),))
    with pytest.raises(apsw.CorruptError, match="config row 2 is damaged"):
        table.insert(9999, near[0])


def test_the_counters_of_a_table_that_was_emptied(table):
    table.create().load(clustered(1200, 1))
    table.delete(list(range(1200)))
    assert table.search(clustered(1, 1)[0], 5) == []
    table.sound()
