"""One vector in, one vector out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.arithmetic import prepared

from .conftest import clustered


@pytest.mark.parametrize("trees", [1, 2])
def test_a_nearly_empty_leaf_is_dissolved_into_its_neighbours(forest, trees):
    table = forest(trees=trees)
    before, leaf = table.index, table.leaf_with(0)
    assert leaf.n >= 8
    *gone, last = leaf.ids[3:]
    table.delete(gone)
    assert leaf.number in table.index.pages
    assert table.index.page(leaf.number).n == 4
    table.delete([last])  # fewer than an eighth of 32
    after = table.sound()
    assert leaf.number not in after.pages
    assert leaf.number not in after.page(leaf.parent).ids
    for id_ in leaf.ids[:3]:
        assert len(set(np.frombuffer(after.places[id_], "<u4"))) == trees
        assert table.search(before.vector(id_), 1)[0][1] == 0


@pytest.mark.slow
def test_deleting_the_last_row_clears_the_forest(forest, near):
    table = forest()
    table.db.execute("DELETE FROM v WHERE rowid > 0")
    assert table.sound().state["rows"] == 1
    table.delete([0])
    index = table.sound()
    assert (index.pages, index.places, index.roots, index.waiting) == ({}, {}, [0] * 8, [])
    assert table.search(near[0]) == []
    table.load(near[:1000])
    assert table.sound().state["placed"] == 1000


def test_another_vector_moves_a_row_to_other_leaves(forest, near):
    table = forest()
    before = table.index
    far = before.vector(1199)
    table.insert(0, far, "REPLACE")
    after = table.sound()
    assert after.places[0] != before.places[0]
    assert after.state["rows"] == 1200
    assert after.state["placed"] == 1200
    assert {id_ for id_, distance in table.search(far, 2, 0.99) if distance == 0} == {0, 1199}


def test_a_row_under_another_id_is_found_there_alone(forest):
    table = forest()
    vector = table.index.vector(5)
    table.db.execute("UPDATE v SET rowid = 7777 WHERE rowid = 5")
    index = table.sound()
    assert 5 not in index.places
    assert 7777 in index.places
    assert table.search(vector, 1, 0.99) == [(7777, 0.0)]


def test_a_row_that_is_refused_changes_nothing(forest, near):
    table = forest()
    before = table.index
    with pytest.raises(Exception, match="expected a new rowid, but 5 is there already"):
        table.insert(5, near[0])
    assert table.index == before


@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_leaves_follow_rows_that_become_others(table, metric):
    """Every row is given another vector: leaves that kept their centres would be looked for where the old rows were."""
    table.create(d=24, metric=metric, leaf_capacity=128).load(clustered(2400, 1, 24))
    others = clustered(2400, 2, 24) + 6
    with table.db:
        for id_, vector in enumerate(others):
            table.db.execute("UPDATE v SET e = ? WHERE rowid = ?", (vector.tobytes(), id_))
    index = table.sound()
    rotated = prepared(metric, index.rotation, others)
    strayed = n = 0
    for page in map(index.page, index.pages):
        if page.is_leaf:
            r = rotated[page.ids] - page.centre.point
            n += page.n
            strayed += page.n * bool((r.mean(axis=0) ** 2).sum() / (r**2).sum(axis=1).mean() > 0.2)
    assert strayed < 0.02 * n
