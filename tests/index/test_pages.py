"""Pages by number: never used again, written together, and the same whatever memory they may take."""

from __future__ import annotations

import numpy as np
import pytest


def live(table, near):
    """A table through inserts, deletes and absorbed rows."""
    table.load(near[:1000])
    table.load(near[1000:1150], 5000)
    table.delete(list(range(0, 300, 2)))
    for id_ in range(8000, 8020):
        table.insert(id_, near[id_ % 2000])
    table.command("optimize")


@pytest.mark.slow
def test_a_number_is_never_used_again(forest, near):
    table = forest(trees=1)
    index = table.index
    table.delete([id_ for leaf in index.leaves(0)[::3] for id_ in leaf.ids])
    gone = set(index.pages) - set(table.index.pages)
    assert len(gone) > 20
    table.load(near[:400], 5000)
    table.command("optimize")
    after = table.sound()
    new = set(after.pages) - set(index.pages)
    assert new
    assert min(new) > index.state["last_page"]
    assert not gone & set(after.pages)


@pytest.mark.slow
def test_every_slice_of_optimize_leaves_a_sound_forest(table, near):
    table.create(trees=1)
    table.command("absorb=0")
    table.load(near[:1000])
    placed, slices = -1, 0
    while table.index.state["placed"] < 1000:
        table.command("optimize", 40)
        index = table.sound() if slices == 2 else table.index
        assert index.state["placed"] > placed or not slices
        assert table.faults() == []
        placed, slices = index.state["placed"], slices + 1
    assert slices > 3
    table.sound()


@pytest.mark.slow
def test_a_cache_of_nothing_gives_the_same_pages_and_the_same_answers(table, near):
    stored, answers = [], []
    for cache_mb in (64, 0):
        table.create(cache_mb=cache_mb)
        live(table, near)
        index = table.sound()
        stored.append((index.pages, index.places, index.waiting, index.state, index.calibration))
        answers.append([table.search(query) for query in near[:20]])
        assert cache_mb or table.info("cache_bytes") < 200_000
        table.db.execute("DROP TABLE v")
    assert stored[0] == stored[1]
    assert answers[0] == answers[1]


def test_pages_are_as_long_as_their_entries_need(forest):
    table = forest()
    rows = table.db.execute("SELECT page, kind, entries, capacity, bytes FROM ann_pages('v')").fetchall()
    blocks = {"leaf": 512 + 4 * 256, "directory": 512 + 4 * 256 + 32 * (32 + 256)}
    for _, kind, entries, capacity, size in rows:
        assert size == 64 + 32 + 256 + int(np.ceil(entries / 32)) * blocks[kind]
        assert (capacity == 32) == (kind == "leaf")
        assert entries <= capacity
