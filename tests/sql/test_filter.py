"""Searches among some ids, without some ids, with arguments left out, and once a row of another table."""

from __future__ import annotations

import json

import numpy as np
import pytest

METRICS = ["cosine", "angular", "l2", "l1", "dot"]
AMONG = "id IN (SELECT value FROM json_each(?))"
WITHOUT = "exclude IN (SELECT value FROM json_each(?))"


def listed(ids):
    return json.dumps([int(i) for i in ids])


def hits(found, expected):
    return sum(distance <= expected[-1][1] for _, distance in found)


# --- id IN ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("metric", METRICS)
def test_k_rows_come_from_among_the_ids_at_any_selectivity(forest, queries, rng, metric, share):
    table = forest(metric)
    found = wanted = 0
    for query in queries[:20]:
        among = rng.random(len(table.ids)) < share
        expected = table.exact(query, 10, among)
        rows = table.search(query, 10, None, AMONG, listed(table.ids[among]))
        assert len(rows) == len(expected)
        assert {id_ for id_, _ in rows} <= set(table.ids[among].tolist())
        assert table.search(query, 10, 1, AMONG, listed(table.ids[among])) == expected
        found += hits(rows, expected) if expected else 0
        wanted += len(expected)
    assert found >= 0.9 * wanted


@pytest.mark.parametrize("k", [100, 500])
def test_large_k_among_ids(forest, queries, k):
    table = forest()
    among = table.ids % 2 == 0
    for query in queries[:10]:
        assert len(table.search(query, k, None, AMONG, listed(table.ids[among]))) == k
        assert table.search(query, k, 1, AMONG, listed(table.ids[among])) == table.exact(query, k, among)


def test_ids_far_from_the_query_are_still_found(forest, queries):
    table = forest()
    for query in queries[:10]:
        far = {id_ for id_, _ in table.exact(query)[-40:]}
        among = np.isin(table.ids, list(far))
        rows = table.search(query, 10, None, AMONG, listed(far))
        assert len(rows) == 10
        assert {id_ for id_, _ in rows} <= far
        assert table.search(query, 10, 1, AMONG, listed(far)) == table.exact(query, 10, among)


def test_a_written_list_of_ids(small):
    in_list = small.search("[0,0]", 10, 1, "id IN (5, 7, 9, 11, 7, 999)")
    assert in_list == small.exact(np.zeros(2), 10, np.isin(small.ids, [5, 7, 9, 11]))


def test_a_written_list_of_one_is_an_equality_and_filters_after(small):
    nearest = small.exact(np.zeros(2), 1)[0][0]
    other = 1 if nearest != 1 else 2
    assert small.search("[0,0]", 1, 1, f"id IN ({other})") == []
    assert [id_ for id_, _ in small.search("[0,0]", 1, 1, "id IN (SELECT ?)", other)] == [other]


@pytest.mark.parametrize(
    "where", ["id IN ()", "id IN (SELECT 1 WHERE false)", "id IN (SELECT NULL)", "id IN ('x', 1.5)"]
)
def test_an_empty_list_of_ids_gives_no_rows(small, where):
    assert small.search("[0,0]", 10, None, where) == []


def test_ids_as_text_or_whole_reals_are_ids(small):
    rows = small.search("[0,0]", 10, None, 'id IN (SELECT value FROM json_each(\'["5", 7.0, "x", null, 9]\'))')
    assert {id_ for id_, _ in rows} == {5, 7, 9}


def test_ids_from_a_table_with_a_condition(forest, queries):
    table = forest()
    table.db.execute("CREATE TABLE song AS SELECT rowid AS id, rowid % 50 AS year FROM v")
    for query in queries[:10]:
        rows = table.search(query, 10, 1, "id IN (SELECT id FROM song WHERE year = 7)")
        assert rows == table.exact(query, 10, table.ids % 50 == 7)


def test_two_lists_of_ids_both_hold(small):
    rows = small.search("[0,0]", 60, 1, "id IN (SELECT value FROM json_each('[1,2,3,4]')) AND id IN (3, 4, 5)")
    assert {id_ for id_, _ in rows} == {3, 4}


def test_a_list_on_the_rowid_is_a_list_of_ids(small):
    rows = small.search("[0,0]", 3, 1, "rowid IN (SELECT value FROM json_each('[11,12,13,14]'))")
    assert rows == small.exact(np.zeros(2), 3, np.isin(small.ids, [11, 12, 13, 14]))


# --- exclude, NOT IN, = --------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_excluded_ids_are_replaced_by_the_next(forest, queries, metric):
    table = forest(metric)
    found = 0
    for query in queries[:20]:
        nearest = [id_ for id_, _ in table.exact(query, 30)]
        without = ~np.isin(table.ids, nearest)
        rows = table.search(query, 10, None, WITHOUT, listed(nearest))
        assert len(rows) == 10
        assert not {id_ for id_, _ in rows} & set(nearest)
        assert table.search(query, 10, 1, WITHOUT, listed(nearest)) == table.exact(query, 10, without)
        found += hits(rows, table.exact(query, 10, without))
    assert found >= 0.9 * 200


def test_exclude_all_but_few(forest, queries):
    table = forest()
    keep = table.ids[100:105]
    rows = table.search(queries[0], 10, None, WITHOUT, listed(np.setdiff1d(table.ids, keep)))
    assert sorted(id_ for id_, _ in rows) == keep.tolist()


@pytest.mark.parametrize(
    "where", ["exclude IN (SELECT 1 WHERE false)", "exclude IN (SELECT NULL)", "exclude IN (SELECT 'x')"]
)
def test_excluding_nothing_excludes_nothing(small, where):
    assert small.search("[0,0]", 5, None, where) == small.exact(np.zeros(2), 5)


@pytest.mark.parametrize("where", ["exclude = 5", "exclude IN (5)", "exclude IN (5, 5)", "exclude IN (SELECT 5)"])
def test_ways_to_exclude_one(small, where):
    assert small.search("[0,0]", 60, None, where) == small.exact(np.zeros(2), 60, small.ids != 5)


def test_among_and_without_together(forest, queries):
    table = forest()
    some, fewer = table.ids[::4], table.ids[::8]
    where = f"{AMONG} AND {WITHOUT}"
    mask = np.isin(table.ids, some) & ~np.isin(table.ids, fewer)
    for query in queries[:10]:
        assert table.search(query, 10, 1, where, listed(some), listed(fewer)) == table.exact(query, 10, mask)
        assert len(table.search(query, 10, None, where, listed(some), listed(fewer))) == 10
    assert table.search(queries[0], 10, None, where, listed(fewer), listed(some)) == []


def test_not_in_filters_after_k(small):
    nearest = [id_ for id_, _ in small.exact(np.zeros(2), 4)]
    assert small.search("[0,0]", 4, 1, f"id NOT IN ({nearest[0]}, {nearest[2]})") == [
        row for row in small.exact(np.zeros(2), 4) if row[0] not in (nearest[0], nearest[2])
    ]


@pytest.mark.parametrize(
    ("condition", "keep"),
    [
        ("id = {}", int.__eq__),
        ("rowid = {}", int.__eq__),
        ("id > {}", int.__gt__),
        ("id < {}", int.__lt__),
        ("id <> {}", int.__ne__),
        ("id BETWEEN {} AND 1000", int.__ge__),
    ],
)
def test_comparing_the_id_never_restricts_the_walk(small, condition, keep):
    nearest = small.exact(np.zeros(2), 10)
    border = nearest[4][0]
    found = small.search("[0,0]", 10, 1, condition.format(border))
    assert found == [row for row in nearest if keep(row[0], border)]


# --- arguments left out, and read back -----------------------------------------------------------


def test_null_arguments_take_their_defaults(forest, queries):
    table = forest()
    plain = table.search(queries[0])
    assert len(plain) == 10
    where = "search_k = NULL AND max_distance = NULL AND exclude = NULL"
    assert table.search(queries[0], None, None, where) == plain
    sql = "SELECT id, distance FROM ann_search('v', ?)"
    assert table.db.execute(sql, (queries[0].tobytes(),)).fetchall() == plain


def test_a_null_query_gives_no_rows(small):
    assert small.search(None) == []
    assert (
        small.db.execute("SELECT count(*) FROM ann_search('v', (SELECT embedding FROM v WHERE rowid = 999))").get == 0
    )


def test_arguments_read_back_as_the_values_in_force(small):
    columns = 'SELECT DISTINCT "table", query, k, recall, search_k, max_distance, exclude FROM '
    read = small.db.execute(columns + "ann_search('v', '[0,0]')").fetchall()
    assert read == [("v", "[0,0]", 10, 0.95, None, None, None)]
    given = small.db.execute(
        columns + "ann_search('main.v', '[0,0]', '3', 0.5) WHERE search_k = 40 AND max_distance = 9 AND exclude = 5"
    ).fetchall()
    assert given == [("main.v", "[0,0]", 3, 0.5, 40, 9.0, 5)]
    item = small.db.execute(
        "SELECT DISTINCT item, k, exclude_self FROM ann_search_item('v', 7, 2) WHERE exclude_self = 1"
    )
    assert item.fetchall() == [(7, 2, 1)]


def test_arguments_may_be_given_by_name(small):
    sql = "SELECT id, distance FROM ann_search WHERE \"table\" = 'v' AND query = '[0,0]' AND k = 4 AND recall = 1"
    assert small.db.execute(sql).fetchall() == small.exact(np.zeros(2), 4)


def test_named_and_positional_agree(small):
    sql = "SELECT id, distance FROM ann_search('v', '[0,0]') WHERE k = 4 AND recall = 1"
    assert small.db.execute(sql).fetchall() == small.exact(np.zeros(2), 4)


# --- once a row of another table -----------------------------------------------------------------


def test_k_rows_for_each_row_of_another_table(forest, queries):
    table = forest()
    table.db.execute("CREATE TABLE q(n INTEGER PRIMARY KEY, at)")
    table.db.executemany("INSERT INTO q(at) VALUES (?)", [(query.tobytes(),) for query in queries])
    sql = "SELECT n, near.id, near.distance FROM q{} ann_search('v', q.at, 5, 1) AS near ORDER BY n, rank"
    expected = [(n + 1, *row) for n, query in enumerate(queries) for row in table.exact(query, 5)]
    for join in (",", " JOIN", " CROSS JOIN", " LEFT JOIN"):
        assert table.db.execute(sql.format(join)).fetchall() == expected


def test_a_row_without_a_vector_is_kept_by_a_left_join(small):
    small.db.execute(
        "CREATE TABLE q(n INTEGER PRIMARY KEY, at); INSERT INTO q VALUES (1, '[0,0]'), (2, NULL), (3, '[1,1]')"
    )
    sql = "SELECT n, count(near.id) FROM q LEFT JOIN ann_search('v', q.at, 4) AS near GROUP BY n"
    assert small.db.execute(sql).fetchall() == [(1, 4), (2, 0), (3, 4)]
    assert small.db.execute(sql.replace("LEFT", "")).fetchall() == [(1, 4), (3, 4)]


def test_neighbours_of_neighbours(forest):
    table = forest()
    sql = (
        "SELECT a.id, b.id FROM ann_search_item('v', 1, 5, 1) AS a, ann_search_item('v', a.id, 3, 1) AS b"
        " WHERE b.exclude_self = 1 ORDER BY a.rank, b.rank"
    )
    expected = []
    for first, _ in table.exact(table.x[0], 5):
        at = (first - 1) // 3
        expected += [(first, second) for second, _ in table.exact(table.x[at], 3, table.ids != first)]
    assert table.db.execute(sql).fetchall() == expected


def test_a_scalar_subquery_finds_the_nearest(small):
    sql = "SELECT value, (SELECT id FROM ann_search('v', value, 1)) FROM json_each('[\"[0,0]\",\"[5,5]\"]')"
    assert small.db.execute(sql).fetchall() == [
        ("[0,0]", small.exact(np.zeros(2), 1)[0][0]),
        ("[5,5]", small.exact(np.full(2, 5), 1)[0][0]),
    ]


def test_the_ids_may_depend_on_an_outer_row(forest, queries):
    table = forest()
    table.db.execute("CREATE TABLE song AS SELECT rowid AS id, rowid % 5 AS year FROM v")
    sql = (
        "SELECT y.value, (SELECT group_concat(id) FROM (SELECT id FROM ann_search('v', ?, 3, 1)"
        " WHERE id IN (SELECT song.id FROM song WHERE year = y.value) ORDER BY rank)) FROM json_each('[0,1,2]') y"
    )
    for year, ids in table.db.execute(sql, (queries[0].tobytes(),)):
        expected = table.exact(queries[0], 3, table.ids % 5 == year)
        assert ids == ",".join(str(id_) for id_, _ in expected)
