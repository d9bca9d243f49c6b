"""Pages that somebody made to cost time or memory: each is damage, and soon."""

from __future__ import annotations

import struct
import time

import apsw
import numpy as np
import pytest

from tests import alter, oracle

QUERY = np.arange(16, dtype="<f4").tobytes()
ROOT = "SELECT root FROM ann_trees('v') WHERE tree = 0"
LOOKS = {
    "search": "SELECT id FROM ann_search('v', x'" + QUERY.hex() + "', 10)",
    "insert": "INSERT INTO v(embedding) VALUES (x'" + QUERY.hex() + "')",
    "optimize": "INSERT INTO v(v) VALUES ('optimize')",
    "warm": "INSERT INTO v(v) VALUES ('warm')",
    "recall": "SELECT * FROM ann_recall('v')",
}
everywhere = pytest.mark.parametrize("sql", LOOKS.values(), ids=LOOKS)


def directory(page: bytes, level: int, parent: int, children: list[int]) -> bytes:
    """A directory of few children, made of another one of the same length."""
    length = struct.unpack_from("<I", page, 16)[0]
    data = bytearray(page[: oracle.page_size(length, oracle.DIRECTORY, len(children))])
    data[7] = level
    struct.pack_into("<I", data, 8, len(children))
    struct.pack_into("<I", data, 20, parent)
    struct.pack_into(f"<{len(children)}q", data, oracle.HEADER + oracle.CENTRE + length, *children)
    return oracle.sealed(bytes(data))


def root_page(db) -> bytes:
    return db.execute(f"SELECT data FROM v_pages WHERE id = ({ROOT})").get


def tower(db, levels: int, wide: bool) -> None:
    """Over the root of tree 0: levels of one directory each, or of two that both lead to both below."""
    data, below, number = root_page(db), [db.execute(ROOT).get], 10_000
    level = data[7]
    for _ in range(levels):
        level += 1
        here = [number, number + 1] if wide and level > data[7] + 1 else [number]
        for page in here:
            db.execute("INSERT INTO v_pages VALUES (?, ?)", (page, directory(data, level, 0, below)))
        for child in below:
            alter.page(db, "v", child, lambda page: struct.pack_into("<I", page, 20, number))  # noqa: B023
        below, number = here, number + 2
    db.execute("INSERT INTO v_pages VALUES (?, ?)", (number, directory(data, level + 1, 0, below)))
    for child in below:
        alter.page(db, "v", child, lambda page: struct.pack_into("<I", page, 20, number))
    alter.state(db, "v", root0=number, last_page=number, changes=1000)


@everywhere
def test_directories_that_share_their_children_are_damage(forest, sql):
    db = forest().db
    tower(db, 24, wide=True)
    before = time.monotonic()
    if sql == LOOKS["warm"]:
        db.execute(sql)  # every page once, in order of number
    else:
        with pytest.raises(apsw.CorruptError, match=r"page 100\d\d is damaged"):
            db.execute(sql).fetchall()
    assert time.monotonic() - before < 5


@everywhere
def test_a_directory_that_names_a_child_twice_is_damage(forest, sql):
    db = forest().db
    root = db.execute(ROOT).get
    children = oracle.parse_page(root, root_page(db), 256).ids[:2] * 16
    db.execute(
        "UPDATE v_pages SET data = ? WHERE id = ?", (directory(root_page(db), root_page(db)[7], 0, children), root)
    )
    alter.state(db, "v", changes=1000)
    with pytest.raises(apsw.CorruptError, match=f"page {root} is damaged"):
        db.execute(sql).fetchall()


def test_a_search_looks_at_an_interrupt_while_it_goes_down(forest):
    db = forest().db
    tower(db, 200, wide=False)
    assert len(db.execute(LOOKS["search"]).fetchall()) == 10
    asked = 0

    def progress() -> bool:
        nonlocal asked
        asked += 1
        return False

    db.set_progress_handler(progress, 1)
    db.execute(LOOKS["search"]).fetchall()
    few = asked
    db.set_progress_handler(None, 1)
    assert few > 200 / 16
