"""Every fault is said in words, by ann_check and by the oracle."""

from __future__ import annotations

import struct

import pytest

from tests import alter, oracle

PAGE_START = oracle.HEADER + oracle.CENTRE + 256  # of the first block


def id_twice(table):
    leaf = table.leaf_with(0)
    alter.page(table.db, "v", leaf.number, lambda data: struct.pack_into("<q", data, PAGE_START, leaf.ids[1]))


def slope_of_a_directory(table):
    root = table.index.roots[0]
    alter.page(table.db, "v", root, lambda data: struct.pack_into("<f", data, PAGE_START + 384, -3.5))


def shift_of_a_row(table):
    leaf = table.leaf_with(0)
    alter.page(table.db, "v", leaf.number, lambda data: struct.pack_into("<f", data, PAGE_START + 256, 0.25))


def at_the_end_of(field):
    """Something in the last place of a part of a leaf that is not full."""

    def damage(table):
        leaf = table.leaf_with(0)
        assert leaf.n < 31
        at = PAGE_START + {"ids": 248, "shifts": 380, "slopes": 508, "codes": 527}[field]
        alter.page(table.db, "v", leaf.number, lambda data: data.__setitem__(at, 0x10))

    damage.__name__ = f"unused_{field}"
    return damage


def unused_centre(table):
    index = table.index
    page = next(page for page in index.walk(0) if not page.is_leaf and page.n % 32)
    alter.page(table.db, "v", page.number, lambda data: data.__setitem__(len(data) - 1, 9))


def reserved_of_a_centre(table):
    alter.page(table.db, "v", table.leaf_with(0).number, lambda data: data.__setitem__(64 + 20, 1))


def reserved_of_a_header(table):
    alter.page(table.db, "v", table.leaf_with(0).number, lambda data: data.__setitem__(45, 1))


def centre_of_a_child(table):
    alter.page(table.db, "v", table.leaf_with(0).number, lambda data: data.__setitem__(64 + 32 + 9, data[105] ^ 1))


def another_parent(table):
    index, leaf = table.index, table.leaf_with(0)
    other = next(page for page in index.walk(leaf.tree) if page.level == 1 and page.number != leaf.parent)
    alter.page(table.db, "v", leaf.number, lambda data: struct.pack_into("<I", data, 20, other.number))


def sql(text):
    return lambda table: table.db.execute(text)


def counter(**values):
    return lambda table: alter.state(table.db, "v", **values)


FAULTS = {
    "an id twice in a leaf": (id_twice, "entry is in the leaf twice"),
    "a directory's slope": (slope_of_a_directory, "differs from the one its centre gives"),
    "a row's shift": (shift_of_a_row, "code differs from the one its vector gives"),
    **{f"unused {it}": (at_the_end_of(it), "reserved or unused") for it in ("ids", "shifts", "slopes", "codes")},
    "unused centre": (unused_centre, "reserved or unused"),
    "reserved bytes of a centre": (reserved_of_a_centre, "reserved or unused"),
    "reserved bytes of a header": (reserved_of_a_header, "is not valid"),
    "a child's centre": (centre_of_a_child, "centre differs from the one in its parent"),
    "another parent": (another_parent, "page is not among the children of its parent"),
    "a run inside a run": (sql("INSERT INTO v_waiting VALUES (6000, 6100), (6010, 6020)"), "waiting runs overlap"),
    "a run of placed rows": (sql("INSERT INTO v_waiting VALUES (5, 5)"), "row is in the forest and waits as well"),
    "options of another table": (sql("UPDATE v_config SET value = 'x' WHERE id = 4"), "config row 4 is not what"),
    "a calibration too long": (
        sql("UPDATE v_config SET value = zeroblob(289) WHERE id = 3"),
        "config row 3 is damaged",
    ),
    "too many rows": (counter(rows=1201), "expected 1201 vectors, got 1200"),
    "too few leaves": (counter(leaf_pages=7), "expected 7 leaf"),
    "a vector of another": (
        sql("UPDATE v_vectors SET vector = (SELECT vector FROM v_vectors WHERE id = 9) WHERE id = 5"),
        "code differs from the one its vector gives",
    ),
}


# Others are like one of these, or looked for by other tests too.
QUICK = ("an id twice in a leaf", "a directory's slope", "a row's shift", "unused codes", "unused centre")
QUICK += ("reserved bytes of a centre", "reserved bytes of a header", "a run inside a run", "options of another table")


@pytest.mark.parametrize("what", [pytest.param(it, marks=[pytest.mark.slow] * (it not in QUICK)) for it in FAULTS])
def test_the_fault_is_said_in_words(forest, what):
    table = forest()
    damage, words = FAULTS[what]
    damage(table)
    found = table.faults()
    assert any(words in fault for fault in found), found
    assert oracle.check(table.db, "v")


def test_checking_stops_at_a_hundred_faults(forest):
    table = forest()
    table.db.execute("UPDATE v_vectors SET vector = zeroblob(32)")
    assert len(table.faults()) == 100
