"""Groups of ids as values: ann_groups makes them, `groups` takes them; at most max_per rows of each are given."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests import groups

K_OF = [1, 7, 60, 600, 1500, 5000]


def at_most(rows: list[tuple], key, most: int, k: int | None = None) -> list[tuple]:
    """The first k of the rows that are left when no more than `most` have the same key; None is a key of its own."""
    kept, counts = [], {}
    for row in rows:
        counts[key(row[0])] = counts.get(key(row[0]), 0) + 1
        if key(row[0]) is None or counts[key(row[0])] <= most:
            kept.append(row)
    return kept[:k]


# --- ann_groups ----------------------------------------------------------------------------------


def test_ann_groups_makes_what_the_document_says(db):
    db.execute("CREATE TABLE song(id, book)")
    rows = [(5, "a"), (1, "b"), (9, "a"), (7, None), (None, "z"), (-3, 1), (4, 1.0), (2, "1"), (6, b"1"), (8, 1.5)]
    db.executemany("INSERT INTO song VALUES (?, ?)", rows)
    blob = db.execute("SELECT ann_groups(id, book) FROM song").get
    keys = {5: "a", 1: "b", 9: "a", -3: 1, 4: 1, 2: "1", 6: b"1", 8: 1.5}
    assert blob == groups.packed(keys)
    assert db.execute("SELECT ann_groups(id, book) FROM (SELECT * FROM song ORDER BY id DESC)").get == blob


def test_ann_groups_of_no_rows_groups_nothing(db):
    assert db.execute("SELECT ann_groups(1, 2) WHERE false").get == groups.packed({})
    assert db.execute("SELECT ann_groups(NULL, 2)").get == groups.packed({})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("('x', 1)", "ann_groups: expected the id of a row, got text"),
        ("(1.5, 1)", "ann_groups: expected the id of a row, got a real number"),
        ("(7, 'a'), (8, 'a'), (7, 'b')", "ann_groups: expected one key for each id, got two for 7"),
    ],
)
def test_what_ann_groups_refuses(db, refused, rows, message):
    refused(db, f"SELECT ann_groups(column1, column2) FROM (VALUES {rows})", (), message)


# --- max_per -------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_k_rows_come_and_no_more_than_max_per_of_a_group(forest, queries, metric, most):
    table = forest(metric)
    book = {int(id_): int(id_) % 97 for id_ in table.ids if id_ % 10}  # a tenth of the rows is in no group
    blob = groups.packed(book)
    for query in queries[:5]:
        expected = at_most(table.exact(query), book.get, most)
        for k in K_OF:
            where, more = "groups = ? AND max_per = ?", (blob, most)
            assert table.search(query, k, 1, where, *more) == expected[:k]
            rows = table.search(query, k, None, where, *more)
            assert len(rows) == min(k, len(expected))
            assert rows == sorted(rows, key=lambda row: (row[1], row[0]))
            assert at_most(rows, book.get, most) == rows


def test_ways_to_give_groups(small):
    book = {i: "ab"[i % 2] for i in range(1, 50)}
    expected = at_most(small.exact(np.zeros(2)), book.get, 3, 20)
    small.db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, book)")
    small.db.executemany("INSERT INTO song VALUES (?, ?)", list(book.items()))
    for value in ("ann_groups(id, book)", "json_group_object(id, book)", "json_group_object(id, id % 2)"):
        assert small.search("[0,0]", 20, None, f"groups = (SELECT {value} FROM song) AND max_per = 3") == expected


def test_groups_that_name_no_row_change_nothing(small):
    plain = small.search("[0,0]", 20)
    for value in ("{}", '{"999": "a", "-5": "a"}', groups.packed({}), groups.packed({999: 1})):
        assert small.search("[0,0]", 20, None, "groups = ? AND max_per = 1", value) == plain


def test_null_in_an_object_is_no_group(small):
    value = json.dumps(dict.fromkeys(map(str, range(1, 61))))
    assert small.search("[0,0]", 20, None, "groups = ? AND max_per = 1", value) == small.exact(np.zeros(2), 20)


def test_groups_go_with_everything_that_leaves_rows_out(forest, queries):
    table = forest()
    book = {int(id_): int(id_) % 31 for id_ in table.ids}
    blob, only, exclude = groups.packed(book), table.ids[::2], table.ids[::6]
    mask = np.isin(table.ids, only) & ~np.isin(table.ids, exclude)
    far = table.exact(queries[0], 400)[-1][1]
    where = "groups = ? AND max_per = 2 AND only = ? AND exclude = ? AND max_distance = ?"
    more = (blob, only.astype("<i8").tobytes(), exclude.astype("<i8").tobytes(), far)
    expected = [row for row in table.exact(queries[0], None, mask) if row[1] <= far]
    assert table.search(queries[0], 50, 1, where, *more) == at_most(expected, book.get, 2, 50)
    among = "groups = ? AND max_per = 2 AND id IN (SELECT value FROM json_each(?))"
    rows = table.search(queries[0], 50, None, among, blob, json.dumps(only.tolist()))
    assert len(rows) == 50
    assert {id_ for id_, _ in rows} <= set(only.tolist())


def test_the_row_that_is_searched_for_counts_in_its_group(forest):
    table = forest()
    book = {int(id_): int(id_) % 4 for id_ in table.ids}
    blob = groups.packed(book)
    at = int(table.ids[20])
    sql = "SELECT id, distance FROM ann_search_item('v', ?, 6, 1) WHERE groups = ? AND max_per = 2 AND exclude_self = ?"
    expected = table.exact(table.x[20])
    assert table.db.execute(sql, (at, blob, 0)).fetchall() == at_most(expected, book.get, 2, 6)
    assert table.db.execute(sql, (at, blob, 1)).fetchall() == at_most(expected[1:], book.get, 2, 6)


def test_match_takes_groups_with_and_without_k(forest, queries):
    table = forest()
    book = {int(id_): int(id_) % 97 for id_ in table.ids}
    expected = [id_ for id_, _ in at_most(table.exact(queries[0]), book.get, 1)]
    sql = "SELECT rowid FROM v WHERE embedding MATCH ? AND recall = 1 AND groups = ? AND max_per = 1"
    values = (queries[0].tobytes(), groups.packed(book))
    assert [i for (i,) in table.db.execute(sql + " ORDER BY distance LIMIT 20", values)] == expected[:20]
    assert [i for (i,) in table.db.execute(sql + " AND k = 30 ORDER BY distance", values)] == expected[:30]
    assert [i for (i,) in table.db.execute(sql, values)] == expected


def test_the_same_statement_with_other_groups_is_another_question(small):
    """What is remembered of the search before must not be given."""
    book = {"a": {i: i % 2 for i in range(1, 61)}, "b": {i: i % 3 for i in range(1, 61)}}
    sql = (
        "SELECT g.column1, near.id FROM (VALUES (?1), (?1), (?2), (?1)) AS g,"
        " ann_search('v', '[0,0]', 40, 1) AS near WHERE near.groups = g.column1 AND near.max_per = 2"
    )
    a, b = groups.packed(book["a"]), groups.packed(book["b"])
    of = {
        blob: [id_ for id_, _ in at_most(small.exact(np.zeros(2)), keys.get, 2, 40)]
        for blob, keys in ((a, book["a"]), (b, book["b"]))
    }
    for first, second in ((a, b), (b, a)):
        found = small.db.execute(sql, (first, second)).fetchall()
        assert found == [(blob, id_) for blob in (first, first, second, first) for id_ in of[blob]]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("max_per = 2", "ann_search: expected groups with max_per, got none"),
        ("max_per = 2 AND groups = NULL", "ann_search: expected groups with max_per, got none"),
        ("groups = '{}'", "ann_search: expected max_per with groups, got none"),
        ("max_per = 0 AND groups = '{}'", "ann_search: expected max_per to be a whole number from 1, got 0"),
        ("max_per = 1.5 AND groups = '{}'", "ann_search: expected max_per to be a whole number from 1, got 1.5"),
        ("max_per = 1 AND groups = '[1]'", "ann_search, groups: expected a JSON object, got other text"),
        (
            "max_per = 1 AND groups = 7",
            "ann_search, groups: expected groups as ann_groups makes them, or a JSON object, got an integer",
        ),
        (
            "max_per = 1 AND groups = ann_vector('[1, 2]')",
            "ann_search, groups: expected groups as ann_groups makes them, or a JSON object, got a blob of 8 bytes",
        ),
        (
            "max_per = 1 AND groups = (SELECT ann_id_set(1))",
            "ann_search, groups: expected groups as ann_groups makes them, or a JSON object, got a blob of 44 bytes",
        ),
        (
            """max_per = 1 AND groups = '{"x": 1}'""",
            'ann_search, groups: expected ids as names of the JSON object, got "x"',
        ),
        (
            """max_per = 1 AND groups = '{" 1": 1}'""",
            'ann_search, groups: expected ids as names of the JSON object, got " 1"',
        ),
        (
            """max_per = 1 AND groups = '{"9223372036854775808": 1}'""",
            'ann_search, groups: expected ids as names of the JSON object, got "9223372036854775808"',
        ),
        (
            """max_per = 1 AND groups = '{"7": 1, "7": 2}'""",
            "ann_search, groups: expected one key for each id, got two for 7",
        ),
        (
            """max_per = 1 AND groups = '{"7": [1]}'""",
            "ann_search, groups: expected a number, a string or null at character 7 of the JSON text",
        ),
    ],
)
def test_groups_that_are_refused(small, refused, where, message):
    refused(small.db, f"SELECT * FROM ann_search('v', '[0,0]') WHERE {where}", (), message)
