"""Rows are found whatever the order of their ids, and of what is done to their table."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann

D, ROWS = 8, 4000
RNG = np.random.default_rng(5)
VECTORS = RNG.standard_normal((ROWS, D)).astype("<f4")
MORE = RNG.standard_normal((1001, D)).astype("<f4")


def make(name="v", d=D, vectors=VECTORS):
    db = sqlite_ann.connect(":memory:")
    db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(embedding float32[{d}], metric=l2)")
    add(db, np.arange(1, len(vectors) + 1), vectors, name)
    db.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")
    return db


def add(db, ids, vectors, name="v"):
    db.execute(
        f"INSERT INTO {name}(rowid, embedding) SELECT id, vector FROM ann_rows(?, {vectors.shape[1]}, NULL, ?)",
        (vectors.tobytes(), np.asarray(ids, "<i8").tobytes()),
    )


def lost(db, ids, vectors):
    """Of these rows, those that a search for their own vector does not find."""
    sql = "SELECT id FROM ann_search('v', ?, 1, .99)"
    return [id_ for id_, x in zip(ids, vectors, strict=True) if db.execute(sql, (x.tobytes(),)).get != id_]


ORDERS = {
    "rising, then a low one": [*range(30000, 31000), 5],
    "falling": list(range(31000, 29999, -1)),
    "at random": (30000 + np.random.default_rng(1).permutation(1001)).tolist(),
    "two ends in turn": [i // 2 + 20000 if i % 2 else 50000 - i for i in range(1001)],
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_bulk_load_is_found_in_whatever_order_its_ids_come(order):
    db, ids = make(), ORDERS[order]
    db.execute("DELETE FROM v WHERE rowid = 5")
    add(db, ids, MORE)
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    assert lost(db, ids, MORE) == []
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_a_batch_of_the_index_is_found_in_whatever_order_its_ids_come():
    db = make()
    sqlite_ann.Index(db, "v").add(np.array(ORDERS["at random"]), MORE)
    assert lost(db, ORDERS["at random"], MORE) == []


@pytest.mark.parametrize("d", [D, 4 * D])
@pytest.mark.parametrize(
    "sql", ["SELECT id FROM ann_search('v', ?, 20000)", "SELECT rowid FROM v WHERE embedding MATCH ?"]
)
def test_a_search_does_not_go_on_in_another_table_that_took_the_name(sql, d):
    db = make(vectors=np.concatenate([VECTORS] * 5))
    cursor = iter(db.execute(sql, (VECTORS[0].tobytes(),)))
    assert next(cursor) == (1,)
    db.execute("ALTER TABLE v RENAME TO old")
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(embedding float32[{d}], metric=l2)")
    add(db, [7], np.ones((1, d), "<f4"))
    with pytest.raises(apsw.SQLError, match="expected the table v that the search began in, but another one has its"):
        while len(next(cursor)):
            pass


def test_equal_searches_of_one_statement_see_that_the_table_has_become_another():
    db = make()
    db.execute("CREATE VIRTUAL TABLE w USING ann(embedding float32[8], metric=l2)")
    add(db, [77], MORE[:1], "w")

    def swap():
        for a, b in (("v", "x"), ("w", "v"), ("x", "w")):
            db.execute(f"ALTER TABLE {a} RENAME TO {b}")

    db.create_scalar_function("swap", lambda i: swap() if i == 1 else None)
    # Of the outer row, so that SQLite asks it for each.
    sql = """SELECT (SELECT id FROM ann_search('v', iif(value < 9, ?, NULL), 1)), swap(value)
        FROM json_each('[0, 1, 2]')"""
    found = [id_ for id_, _ in db.execute(sql, (VECTORS[0].tobytes(),))]
    assert [found[0], found[2]] == [1, 77]


def test_settings_of_a_dropped_table_do_not_wait_for_the_next_of_its_name(tmp_path):
    path = str(tmp_path / "x.db")
    db, other = sqlite_ann.connect(path), sqlite_ann.connect(path)
    for name in "tu":
        db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(embedding float32[8])")
    db.execute("SELECT ann_set('t', 'cache_mb', 7), ann_set('u', 'cache_mb', 9)").fetchall()
    other.execute("DROP TABLE u")
    db.execute("SELECT count(*) FROM t").fetchall()
    db.execute("ALTER TABLE t RENAME TO u")
    assert db.execute("SELECT ann_set('u', 'cache_mb')").get == 7


def test_given_queries_are_seen_by_others_after_a_rebuild(tmp_path):
    path = str(tmp_path / "x.db")
    db = sqlite_ann.connect(path)
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[8], metric=l2)")
    add(db, range(20), VECTORS[:20])
    db.execute("INSERT INTO v(v, embedding) VALUES ('learn', ?)", (MORE[0].tobytes(),))
    other = sqlite_ann.connect(path)
    learned = "SELECT value FROM ann_info('v') WHERE key = 'learned'"
    assert db.execute(learned).get == other.execute(learned).get == 1
    other.execute("INSERT INTO v(v, embedding) VALUES ('learn', ?)", (MORE[1].tobytes(),))
    other.execute("INSERT INTO v(v) VALUES ('rebuild')")
    db.execute("INSERT INTO v(v, embedding) VALUES ('learn', ?)", (MORE[2].tobytes(),))
    assert other.execute(learned).get == 3
