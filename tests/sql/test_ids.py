"""Sets of ids as values: ann_id_set makes them, `only` and `exclude` take them, and whatever else means ids."""

from __future__ import annotations

import json

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import idset

LEAST, MOST = -(2**63), 2**63 - 1
IDS = st.integers(LEAST, MOST) | st.integers(-5, 70) | st.just(LEAST) | st.just(MOST)


def int64(ids) -> bytes:
    return np.array(list(ids), "<i8").tobytes()


def ids_of(rows):
    return {id_ for id_, _ in rows}


# --- ann_id_set ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [[], [1], [3, 1, 2, 3], [-1, 0, LEAST, MOST], range(5000, 0, -1)])
def test_an_aggregate_makes_the_set_of_the_ids_of_all_rows(db, ids):
    sql = "SELECT ann_id_set(value) FROM json_each(?)"
    assert db.execute(sql, (json.dumps(list(ids)),)).get == idset.packed(ids)


def test_the_set_of_no_rows_is_the_empty_set_and_null_is_no_id(db):
    assert db.execute("SELECT ann_id_set(1) WHERE false").get == idset.packed([])
    assert db.execute("SELECT ann_id_set(value) FROM json_each('[null, 4, null]')").get == idset.packed([4])


def test_sets_and_lists_become_one_set(db):
    db.execute("CREATE TABLE part(ids)")
    parts = [idset.packed([1, 2, 900]), int64([2, 7]), "[8, 9.0, 1e1]", 11, "12", 13.0, int64([])]
    db.executemany("INSERT INTO part VALUES (?)", [(part,) for part in parts])
    assert db.execute("SELECT ann_id_set(ids) FROM part").get == idset.packed([1, 2, 7, 8, 9, 10, 11, 12, 13, 900])


def test_a_set_for_each_group(db):
    sql = "SELECT value % 3, ann_id_set(value) FROM json_each(?) GROUP BY 1"
    assert db.execute(sql, (json.dumps(list(range(30))),)).fetchall() == [
        (i, idset.packed(range(i, 30, 3))) for i in range(3)
    ]


WRONG = [
    ("x'0102'", "or a multiple of 8 bytes, got a blob of 2 bytes that is neither"),
    ("'red'", "expected a JSON array of numbers, got other text"),
    ("'[1, 2'", "expected ] at the end of the JSON text"),
    ("'[1, \"2\"]'", "expected a number at character 5 of the JSON text"),
    ("'[1, 1.5]'", "expected whole numbers of 64 bits in the JSON array, got 1.5"),
    ("'[9223372036854775808]'", "expected whole numbers of 64 bits in the JSON array, got 9223372036854775808"),
    ("1.5", "expected ids, got a real number"),
]


@pytest.mark.parametrize(("value", "message"), WRONG)
def test_what_is_no_ids_is_refused_by_all(small, refused, value, message):
    refused(small.db, f"SELECT ann_id_set({value})", (), f"ann_id_set: {message}" if value[0] != "x" else message)
    for name in ("only", "exclude"):
        for form in ("ann_search('v', '[0,0]')", "ann_search_item('v', 1)", "v"):
            match = "embedding MATCH '[0,0]' AND k = 3 AND " if form == "v" else ""
            caller = form.split("(")[0] if match == "" else "MATCH"
            error = refused(small.db, f"SELECT * FROM {form} WHERE {match} {name} = {value}", (), message)
            assert f"{caller}, {name}: " in str(error) or match


@given(ids=st.sets(IDS, max_size=50), data=st.data())
@settings(deadline=None, max_examples=100)
def test_a_damaged_set_is_refused_or_another_set(tmp_path_factory, ids, data):
    import sqlite_ann

    db = sqlite_ann.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[1], metric=l2)")
    db.execute("INSERT INTO v(rowid, e) SELECT value, '[1]' FROM json_each('[-1, 0, 1, 2, 3, 60]')")
    blob = bytearray(idset.packed(ids))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    blob = bytes(blob)[: data.draw(st.sampled_from([len(blob), len(blob), data.draw(st.integers(0, len(blob)))]))]
    try:
        expected = set(idset.unpacked(blob)) if len(blob) % 8 else set(np.frombuffer(blob, "<i8").tolist())
    except ValueError:
        expected = None
    for sql in ("SELECT id FROM ann_search('v', '[0]', 10) WHERE only = ?",
                "SELECT id FROM ann_ids((SELECT ann_id_set(?))) WHERE id IN (-1, 0, 1, 2, 3, 60)"):  # fmt: skip
        if expected is None:
            with pytest.raises(apsw.SQLError, match="expected a set of ids"):
                db.execute(sql, (blob,)).fetchall()
        else:
            assert {i for (i,) in db.execute(sql, (blob,))} == expected & {-1, 0, 1, 2, 3, 60}
    db.close()


def test_ann_ids_lists_a_set(db):
    ids = [LEAST, -7, 0, 3, *range(1000, 2000), MOST]
    assert db.execute("SELECT n, id FROM ann_ids(?)", (idset.packed(ids),)).fetchall() == list(enumerate(ids))
    assert db.execute("SELECT count(*) FROM ann_ids(?)", (idset.packed([]),)).get == 0


# --- only and exclude ----------------------------------------------------------------------------

FORMS = {"a set": idset.packed, "a list": int64, "JSON": lambda ids: json.dumps(list(ids))}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ids", [[], [5], [9, 7, 5, 7, 999], [-4, LEAST, MOST, 5], list(range(1, 61))])
def test_every_form_of_ids_means_the_same(small, form, ids):
    value, among = FORMS[form](ids), np.isin(small.ids, ids)
    for recall in (None, 1):
        assert small.search("[0,0]", 10, recall, "only = ?", value) == small.exact(np.zeros(2), 10, among)
        assert small.search("[0,0]", 10, recall, "exclude = ?", value) == small.exact(np.zeros(2), 10, ~among)


@pytest.mark.parametrize("where", ["only IN (3, 4, 5)", "only IN (SELECT value FROM json_each('[3,4,5,null,\"x\"]'))"])
def test_only_takes_a_list_too(small, where):
    assert ids_of(small.search("[0,0]", 10, None, where)) == {3, 4, 5}


def test_one_id_alone(small):
    assert ids_of(small.search("[0,0]", 10, None, "only = 7")) == {7}
    assert ids_of(small.search("[0,0]", 10, None, "only = '7'")) == {7}


def test_null_is_no_id_so_that_a_set_that_is_missing_shows_nothing(small):
    assert small.search("[0,0]", 10, None, "only = NULL") == []
    assert small.search("[0,0]", 10, None, "only = (SELECT 1 WHERE false)") == []
    assert small.search("[0,0]", 5, None, "exclude = NULL") == small.exact(np.zeros(2), 5)


@pytest.mark.parametrize("where", ["id IN (SELECT ann_id_set(3))", "exclude IN (SELECT ann_id_set(3))"])
def test_a_set_within_a_list_is_refused(small, refused, where):
    sql = f"SELECT * FROM ann_search('v', '[0,0]') WHERE {where}"
    refused(small.db, sql, (), "expected ids in IN (...), got a blob; a set of ids is compared with =")


def test_all_that_restricts_holds_together(forest, queries):
    table = forest()
    where = "only = ? AND exclude = ? AND id IN (SELECT id FROM ann_ids(?))"
    some, without, others = table.ids[::2], table.ids[::6], table.ids[::3]
    mask = np.isin(table.ids, some) & ~np.isin(table.ids, without) & np.isin(table.ids, others)
    mask |= np.isin(table.ids, np.intersect1d(some, others)) & ~np.isin(table.ids, without)
    for query in queries[:10]:
        for recall in (None, 1):
            for a, b in ((some, others), (others, some), (table.ids, table.ids[:40])):
                mask = np.isin(table.ids, a) & np.isin(table.ids, b) & ~np.isin(table.ids, without)
                given = idset.packed(a.tolist()), idset.packed(without.tolist()), int64(b)
                rows = table.search(query, 10, recall, where, *given)
                expected = table.exact(query, 10, mask)
                assert len(rows) == len(expected)
                assert ids_of(rows) <= set(table.ids[mask].tolist())
                assert recall is None or rows == expected


def test_a_filter_from_a_query_in_every_order_of_a_join(forest, queries):
    table = forest()
    table.db.execute("CREATE TABLE song AS SELECT rowid AS id, rowid % 50 AS year FROM v")
    expected = table.exact(queries[0], 5, table.ids % 50 == 7)
    for join in ("song{} ann_search('v', :q, 5, 1) n ON n.id = song.id", "ann_search('v', :q, 5, 1) n{} song ON n.id = song.id"):  # fmt: skip
        for kind in (" JOIN", " CROSS JOIN"):
            sql = f"""SELECT n.id, n.distance FROM {join.format(kind)}
                       WHERE n.only = (SELECT ann_id_set(id) FROM song WHERE year = 7) ORDER BY n.rank"""
            assert table.db.execute(sql, {"q": queries[0].tobytes()}).fetchall() == expected


def test_the_set_may_depend_on_an_outer_row(forest, queries):
    table = forest()
    table.db.execute("CREATE TABLE saved(name, ids)")
    for year in range(3):
        table.db.execute("INSERT INTO saved SELECT ?1, ann_id_set(rowid) FROM v WHERE rowid % 5 = ?1", (year,))
    sql = "SELECT name, n.id FROM saved, ann_search('v', ?, 3, 1) n WHERE n.only = saved.ids ORDER BY name, rank"
    expected = [(y, id_) for y in range(3) for id_, _ in table.exact(queries[0], 3, table.ids % 5 == y)]
    assert table.db.execute(sql, (queries[0].tobytes(),)).fetchall() == expected


def test_the_same_query_among_others_is_another_search(small):
    sql = "SELECT value, (SELECT id FROM ann_search('v', '[0,0]', 1) WHERE only = value) FROM json_each('[3,3,4,5]')"
    assert small.db.execute(sql).fetchall() == [(i, i) for i in (3, 3, 4, 5)]
    assert small.info("searches") == 3


def test_waiting_rows_and_rows_of_a_forest_alike(forest, queries):
    table = forest()
    table.db.execute("INSERT INTO v(v) VALUES('absorb=0')")
    table.db.execute(
        "INSERT INTO v(rowid, embedding) SELECT 100000 + value, ? FROM json_each(?)",
        (queries[0].astype("<f4").tobytes(), json.dumps(list(range(200)))),
    )
    assert table.info("waiting") > 0
    among = [*range(100_150, 100_160), *table.ids[:700].tolist()]
    rows = table.search(queries[0], 15, None, "only = ?", idset.packed(among))
    assert [id_ for id_, _ in rows[:10]] == list(range(100_150, 100_160))
    assert len(rows) == 15


@pytest.mark.parametrize("k", [700, 100_000])
def test_a_large_k_gives_every_row_that_fits(forest, queries, k):
    table = forest()
    among = table.ids % 4 == 0
    rows = table.search(queries[0], k, None, "only = ?", idset.packed(table.ids[among].tolist()))
    assert rows == table.exact(queries[0], None, among)


def test_max_distance_holds_among_the_ids(small):
    among = small.ids % 2 == 0
    where = "only = ? AND max_distance = 3"
    rows = small.search("[0,0]", None, None, where, idset.packed(small.ids[among].tolist()))
    assert rows == [row for row in small.exact(np.zeros(2), None, among) if row[1] <= 3]


def test_a_row_leaves_itself_out_of_its_neighbours_among_ids(forest):
    table = forest()
    only = idset.packed(table.ids[:800].tolist())
    for item in table.ids[:5].tolist():
        sql = "SELECT id FROM ann_search_item('v', ?, 5, 1) WHERE only = ? AND exclude_self = ? ORDER BY rank"
        with_self = [i for (i,) in table.db.execute(sql, (item, only, 0))]
        without = [i for (i,) in table.db.execute(sql, (item, only, 1))]
        mask = np.isin(table.ids, table.ids[:800])
        at = table.x[np.flatnonzero(table.ids == item)[0]]
        assert with_self[0] == item
        assert without == [id_ for id_, _ in table.exact(at, 5, mask & (table.ids != item))]


def test_an_item_outside_the_set_does_not_come_first(forest):
    table = forest()
    only = idset.packed(table.ids[10:].tolist())
    found = [i for (i,) in table.db.execute("SELECT id FROM ann_search_item('v', 1, 5) WHERE only = ?", (only,))]
    assert len(found) == 5
    assert 1 not in found


def test_match_takes_a_set(forest, queries):
    table = forest()
    among = table.ids % 3 == 1
    sql = "SELECT rowid FROM v WHERE embedding MATCH ? AND k = 8 AND recall = 1 AND only = ?"
    found = [i for (i,) in table.db.execute(sql, (queries[0].tobytes(), int64(table.ids[among])))]
    assert found == [id_ for id_, _ in table.exact(queries[0], 8, among)]


def test_a_plan_says_so(small):
    (plan,) = small.db.execute("EXPLAIN QUERY PLAN SELECT id FROM ann_search('v', '[0,0]') WHERE only = '[1]'")
    assert "among the ids of only" in plan[3]
