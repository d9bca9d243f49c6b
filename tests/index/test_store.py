"""One table's state: counters that agree with what is stored, through commits, rollbacks and other connections."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann


@pytest.mark.slow
def test_counters_agree_with_counts_after_every_kind_of_write(forest, near):
    table = forest()
    table.load(near[:300], 5000)
    table.delete(list(range(0, 400, 3)))
    table.insert(1, near[0], "REPLACE")
    table.db.execute("UPDATE v SET rowid = rowid + 9000 WHERE rowid BETWEEN 500 AND 540")
    index = table.sound()
    leaves = [leaf for tree in range(index.trees) for leaf in index.leaves(tree)]
    assert index.state["rows"] == len(index.vectors) == 1500 - 134
    assert index.state["placed"] * index.trees == sum(leaf.n for leaf in leaves)
    assert index.state["leaf_pages"] + index.state["directory_pages"] == len(index.pages)
    assert index.state["last_page"] >= max(index.pages)
    assert index.state["rows"] == table.info("rows")
    assert table.info("waiting") == len(index.vectors) - len(index.places)


def test_a_rollback_gives_back_every_byte(forest, near):
    table = forest()
    before = table.index
    with pytest.raises(ZeroDivisionError), table.db:
        table.load(near[:200], 5000)
        table.delete(list(range(100)))
        assert table.info("rows") == 1300
        raise ZeroDivisionError
    assert table.index == before
    assert table.info("rows") == 1200


def test_another_connection_sees_counters_when_they_are_committed(forest, near, tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(forest().db.serialize("main"))
    ours, theirs = (sqlite_ann.connect(path) for _ in range(2))
    count = "SELECT value FROM ann_info('v') WHERE key = 'rows'"
    with ours:
        ours.execute("INSERT INTO v(rowid, e) VALUES (9999, ?)", (near[0].tobytes(),))
        assert (ours.execute(count).get, theirs.execute(count).get) == (1201, 1200)
    assert theirs.execute(count).get == 1201
    ours.close()
    theirs.close()


def test_a_newer_format_is_refused_and_not_touched(forest, near):
    table = forest()
    table.db.execute("UPDATE v_config SET value = 3 WHERE id = 1")
    before = table.db.execute("SELECT * FROM v_pages").fetchall()
    for act in (lambda: table.search(near[0]), lambda: table.insert(9, near[0]), lambda: table.delete([9])):
        with pytest.raises(apsw.SQLError, match="expected format 2, got 3; a newer sqlite_ann wrote it"):
            act()
    assert table.db.execute("SELECT * FROM v_pages").fetchall() == before


def test_ids_from_one_end_to_the_other_are_kept(table, near):
    ids = [-(2**63), -1, 0, 1, 2**63 - 1]
    table.create()
    for id_, vector in zip(ids, near, strict=False):
        table.insert(id_, vector)
    found, vectors = table.sound().array()
    assert found.tolist() == ids
    np.testing.assert_array_equal(vectors, near[:5])
