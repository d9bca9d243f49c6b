"""Rows placed together: the same bytes for any number of threads and any room in memory."""

from __future__ import annotations

import pytest

from .conftest import clustered


def shadow_tables(db, name="v"):
    """Every byte that is stored, but for the options' text in schema rows."""
    return {
        suffix: db.execute(f"SELECT * FROM {name}_{suffix} ORDER BY id").fetchall()
        for suffix in ("config", "vectors", "pages", "places", "waiting")
    }


def built(table, rows, commands=("optimize",), **options):
    table.db.execute("DROP TABLE IF EXISTS v")
    table.create(**options).load(rows)
    for command in commands:
        table.command(command)
    table.sound()
    return shadow_tables(table.db)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"metric": "cosine", "trees": 3}, {"metric": "dot", "trees": 1}, {"seed": 9}])
def test_threads_do_not_change_a_byte(table, options):
    """3,000 rows are three batches; leaves of 32 are divided in all of them."""
    rows = clustered(3000, 5)
    alone = built(table, rows, threads=1, **options)
    assert alone["pages"]
    for threads in (2, 3):
        assert built(table, rows, threads=threads, **options) == alone
    assert built(table, rows, commands=("optimize", "rebuild"), threads=2, **options) == alone


@pytest.mark.slow
def test_threads_do_not_change_a_byte_of_what_is_absorbed_later(table):
    """Into a forest that is there already, in slices too."""
    found = []
    for threads in (1, 2, 3):
        table.db.execute("DROP TABLE IF EXISTS v")
        table.create(threads=threads).load(clustered(2000, 5))
        table.command("optimize")
        table.command("absorb=0")
        table.load(clustered(1500, 6), 10_000)
        while table.info("waiting"):
            table.command("optimize", 40)
        table.sound()
        found.append(shadow_tables(table.db))
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.slow
def test_room_in_memory_does_not_change_a_byte(table):
    """Without any, workers find no page and the writer routes all rows, against the same forest."""
    rows = clustered(3000, 5)
    assert built(table, rows, cache_mb=0, threads=2) == built(table, rows, threads=1)
