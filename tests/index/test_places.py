"""In which leaves an id is."""

from __future__ import annotations

import struct

import pytest


def leaves_of(index, id_):
    return struct.unpack(f"<{index.trees}I", index.places[id_])


@pytest.mark.parametrize("trees", [1, 2, *(pytest.param(it, marks=pytest.mark.slow) for it in range(3, 9))])
def test_a_row_is_in_as_many_different_leaves_as_there_are_trees(table, near, trees):
    table.create(trees=trees, leaf_capacity=64).load(near[:1000])
    table.insert(5000, near[1500])
    index = table.index
    assert table.faults() == []
    entries = {page.number: set(page.ids) for tree in range(trees) for page in index.leaves(tree)}
    assert len(index.places) == 1001
    for id_ in index.places:
        leaves = leaves_of(index, id_)
        assert len(set(leaves)) == trees
        assert all(id_ in entries[number] for number in leaves)


def test_copies_of_a_row_may_be_in_one_tree(forest):
    index = forest().sound()
    trees = {page.number: page.tree for tree in range(2) for page in index.leaves(tree)}
    homes = [len({trees[number] for number in leaves_of(index, id_)}) for id_ in index.places]
    assert set(homes) == {1, 2}


def test_places_follow_when_a_leaf_is_divided(forest, near):
    table = forest(trees=1)
    leaf = table.leaf_with(0)
    members, vector = set(leaf.ids), table.index.vector(0)
    for id_ in range(5000, 5033):
        table.insert(id_, vector)
    index = table.sound()
    homes = {leaves_of(index, id_)[0] for id_ in members}
    assert len(homes) > 1


def test_a_row_that_waits_or_is_gone_has_no_place(forest, near):
    table = forest()
    table.command("absorb=0")
    table.load(near[:200], 5000)
    table.delete([17, 5000, 5199])
    index = table.sound()
    assert not {17, 5000, 5150, 5199} & set(index.places)
    assert {18, 5001} <= set(index.places)


def test_places_alone_are_changed_in_memory_and_written_in_order_of_id(parts):
    lib, ffi = parts.lib, parts.ffi
    places = parts.made("AnnPlaces", lib.ann_places_new, lib.ann_places_free, parts.handle, 2)
    out, found = ffi.new("uint32_t[8]"), ffi.new("int *")
    for id_ in (300, -5, 7):
        assert lib.ann_places_put(places, id_, ffi.new("uint32_t[]", [1, 2])) == 0
    assert lib.ann_places_move(places, 7, 2, 9) == 0
    assert (lib.ann_places_changed(places), parts.rows("SELECT * FROM v_places")) == (3, [])
    assert (lib.ann_places_get(places, 7, out, found), found[0], list(out)[:2]) == (0, 1, [1, 9])
    assert lib.ann_places_flush(places) == 0
    assert [id_ for id_, _ in parts.rows("SELECT * FROM v_places")] == [-5, 7, 300]
    assert lib.ann_places_delete(places, 7) == 0
    assert (lib.ann_places_get(places, 7, out, found), found[0]) == (0, 0)
    lib.ann_places_drop(places)
    assert (lib.ann_places_get(places, 7, out, found), found[0], list(out)[:2]) == (0, 1, [1, 9])
    assert lib.ann_places_move(places, 7, 4, 9) == lib.ANN_CORRUPT
    assert parts.sentence == "ann table v: place 7 is damaged; rebuild it"
