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


# ---- alone, on shadow tables without an ann table ----

L = 32


@pytest.fixture
def pages(parts):
    plan = {
        "db": parts.handle,
        "state": parts.state,
        "budget": parts.budget,
        "trace": parts.trace,
        "length": L,
        "leaf_capacity": 32,
    }
    return parts.made(
        "AnnPages", parts.lib.ann_pages_new, parts.lib.ann_pages_free, parts.ffi.new("AnnPagesPlan *", plan)
    )


def added(parts, pages, level=0, parent=0):
    number, page = parts.ffi.new("uint32_t *"), parts.ffi.new("AnnPage **")
    assert parts.lib.ann_pages_add(pages, 0, level, parent, number, page) == 0
    return number[0]


def test_new_pages_alone_are_numbered_counted_and_written_together(parts, pages):
    directory, leaf = added(parts, pages, level=1), added(parts, pages, parent=1)
    assert (directory, leaf, parts.state.last_page) == (1, 2, 2)
    assert (parts.state.directory_pages, parts.state.leaf_pages) == (1, 1)
    assert parts.rows("SELECT count(*) FROM v_pages") == [(0,)]
    assert parts.lib.ann_pages_dirty(pages) == 2
    assert parts.lib.ann_pages_flush(pages) == 0
    assert parts.rows("SELECT id FROM v_pages") == [(1,), (2,)]
    assert parts.lib.ann_pages_dirty(pages) == 0


def test_a_page_alone_is_read_once_and_forgotten_when_dropped(parts, pages):
    number, page = added(parts, pages), parts.ffi.new("AnnPage **")
    parts.lib.ann_pages_flush(pages)
    held = parts.budget.pages
    parts.lib.ann_pages_drop(pages)
    assert (held > L, parts.budget.pages) == (True, 0)
    for hits in (0, 0, 1):
        assert parts.lib.ann_pages_hits(pages) == hits
        assert parts.lib.ann_pages_get(pages, number, 0, 0, page) == 0
    assert parts.budget.pages > 0
    assert parts.lib.ann_pages_get(pages, number, 1, 0, page) == parts.lib.ANN_CORRUPT  # of another tree
    assert parts.sentence == f"ann table v: page {number} is damaged; rebuild it"
    assert parts.lib.ann_pages_get(pages, 77, 0, 0, page) == parts.lib.ANN_CORRUPT
    assert parts.sentence == "ann table v: page 77 is missing; rebuild it"


def test_a_page_is_reached_from_its_parent_only_and_a_worker_reads_nothing(parts, pages):
    parent = added(parts, pages, level=1)
    leaf, page = added(parts, pages, parent=parent), parts.ffi.new("AnnPage **")
    reach = parts.lib.ann_pages_reach
    assert reach(pages, 1, leaf, parent, 0, 0, page) == 0
    assert reach(pages, 1, leaf, parent + 5, 0, 0, page) == parts.lib.ANN_CORRUPT
    assert parts.sentence == f"ann table v: page {leaf} is damaged; rebuild it"
    parts.lib.ann_pages_flush(pages)
    parts.lib.ann_pages_drop(pages)
    assert reach(pages, 0, leaf, parent, 0, 0, page) == -1  # ANN_NOT_HERE
    assert reach(pages, 1, leaf, parent, 0, 0, page) == 0
    assert reach(pages, 0, leaf, parent, 0, 0, page) == 0


def test_pages_alone_keep_to_the_budget_but_for_what_is_not_written(parts, pages):
    parts.budget.most = 4096
    for _ in range(40):
        added(parts, pages)
    parts.lib.ann_pages_trim(pages)
    assert parts.budget.pages > parts.budget.most
    parts.lib.ann_pages_flush(pages)
    parts.lib.ann_pages_trim(pages)
    assert 0 < parts.budget.pages <= parts.budget.most


@pytest.mark.parametrize("n", range(1, 6))
def test_pages_alone_survive_every_allocation_that_fails(parts, pages, n):
    number, page = parts.ffi.new("uint32_t *"), parts.ffi.new("AnnPage **")
    parts.library.fail_once(n)
    rc = parts.lib.ann_pages_add(pages, 0, 0, 0, number, page)
    if rc == 0:
        rc = parts.lib.ann_pages_flush(pages)
    assert rc == (7 if parts.library.failed else 0)
    parts.library.fail_from(0)
    assert parts.lib.ann_pages_flush(pages) == 0
    assert parts.rows("SELECT count(*) FROM v_pages") == [(parts.state.leaf_pages,)]


@pytest.mark.parametrize("held", [False, True])
def test_a_new_page_alone_never_takes_the_place_of_another(parts, pages, held):
    """Where last_page is damaged."""
    first, page = added(parts, pages), parts.ffi.new("AnnPage **")
    parts.lib.ann_pages_flush(pages)
    (stored,) = parts.rows("SELECT data FROM v_pages")
    parts.state.last_page = 0
    if not held:
        parts.lib.ann_pages_drop(pages)
    rc = parts.lib.ann_pages_add(pages, 0, 0, 5, parts.ffi.new("uint32_t *"), page)
    if rc == 0:
        rc = parts.lib.ann_pages_flush(pages)
    assert (rc, parts.sentence) == (parts.lib.ANN_CORRUPT, f"ann table v: page {first} is damaged; rebuild it")
    assert parts.rows("SELECT data FROM v_pages") == [stored]


def test_a_page_that_its_parent_does_not_name_is_damage(parts, pages):
    parent, page, at = parts.ffi.new("AnnPage **"), parts.ffi.new("AnnPage **"), parts.ffi.new("int *")
    number = added(parts, pages, level=1)
    leaf = added(parts, pages, parent=number)
    for wanted, level, out in ((number, 1, parent), (leaf, 0, page)):
        assert parts.lib.ann_pages_get(pages, wanted, 0, level, out) == 0
    assert parts.lib.ann_pages_child(pages, leaf, page[0], parent[0], at) == parts.lib.ANN_CORRUPT
    assert parts.sentence == f"ann table v: page {number} is damaged; rebuild it"
