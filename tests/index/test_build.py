"""Planting, absorbing, rebuilding."""

from __future__ import annotations

import pytest

from tests import alter


def test_planting_needs_a_thousand_rows(table, near):
    table.create().load(near[:999])
    table.command("optimize")
    index = table.sound()
    assert (index.pages, index.waiting, index.state["placed"]) == ({}, [(0, 998)], 0)
    table.insert(999, near[999])
    index = table.sound()
    assert (index.waiting, index.state["placed"], index.state["planted_rows"]) == ([], 1000, 1000)


@pytest.mark.slow
def test_rebuild_gives_the_same_bytes_every_time(forest, near):
    table = forest()
    table.delete(list(range(300)))
    table.load(near[:300], 5000)
    table.command("rebuild")
    first = table.sound()
    table.command("rebuild")
    assert table.index == first


@pytest.mark.slow
def test_rebuild_forgets_the_order_of_writing(table, vectors):
    table.create().load(vectors[:1000])
    table.command("rebuild")
    at_once = table.index
    table.db.execute("DROP TABLE v")
    table.create().load(vectors[940:1000], 940)
    for id_ in range(40):
        table.insert(id_, vectors[id_])
    table.load(vectors[40:940], 40)
    table.command("rebuild")
    assert table.sound() == at_once


@pytest.mark.slow
def test_rebuild_heals_pages_places_runs_and_config(forest, near):
    table = forest()
    table.command("rebuild")
    sound = table.index
    alter.page(table.db, "v", sound.roots[0], lambda data: data.__setitem__(200, 77), seal=False)
    alter.state(table.db, "v", rows=3, placed=9, last_page=1, root1=5)
    table.db.execute("DELETE FROM v_pages WHERE id % 7 = 3; DELETE FROM v_places WHERE id % 2 = 0")
    table.db.execute(
        "INSERT INTO v_waiting VALUES (5, 1), (10, 90); UPDATE v_config SET value = 'x' WHERE id IN (3, 4)"
    )
    assert table.faults()
    table.command("rebuild")
    assert table.sound() == sound


@pytest.mark.slow
def test_a_table_twice_as_large_is_planted_anew(forest, near):
    table = forest()
    table.command("absorb=0")
    table.load(near[:100], 5000)
    table.command("optimize")
    assert table.info("planted_rows") == 1200
    table.load(near, 10_000)
    table.command("optimize")
    assert table.info("planted_rows") == 3300
    assert table.faults() == []
