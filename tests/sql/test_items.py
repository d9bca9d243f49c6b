"""ann_search_items: the neighbours of several rows, liked and disliked; diversity: neighbours that are not all alike."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.sql.conftest import distances

SQL = "SELECT id, distance FROM ann_search_items('v', ?, ?, ?) WHERE {}"


def items(table, of, k=10, recall=1, where="true", *more):
    of = json.dumps(of) if isinstance(of, dict | list) else of
    return table.db.execute(SQL.format(where), (of, k, recall, *more)).fetchall()


def summed(table, of):
    """The ids by the weighted sum of what each metric is about: squares of lengths, distances of directions, products."""
    total = np.zeros(len(table.ids))
    for id_, weight in of.items():
        far = distances(table.metric, table.x[table.ids == id_][0], table.x)
        total += weight * (far**2 if table.metric in ("l2", "angular") else far)
    return total


# --- items ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["l2", "cosine", "angular", "dot"])
def test_rows_come_by_the_weighted_sum_of_their_distances(forest, metric):
    table = forest(metric)
    of = {int(table.ids[i]): weight for i, weight in ((3, 1), (40, 2), (700, 1.5), (1200, -0.75))}
    total = summed(table, of)
    found = [id_ for id_, _ in items(table, of, 100)]
    assert len(found) == 100
    sums = total[np.searchsorted(table.ids, found)]
    assert np.all(np.diff(sums) > -1e-4 * np.abs(sums[1:]) - 1e-4)
    np.testing.assert_allclose(sums, np.sort(total)[:100], rtol=1e-4, atol=1e-4)


def test_one_item_is_the_row_that_ann_search_item_takes(forest):
    table = forest()
    at = int(table.ids[9])
    for where in ("exclude_self = 0", "exclude_self = 1"):
        one = f"SELECT id, distance FROM ann_search_item('v', ?, 10, 1) WHERE {where}"
        assert items(table, at, 10, 1, where) == table.db.execute(one, (at,)).fetchall()


def test_ways_to_give_items(small):
    mean = small.x[[2, 4, 6]].astype(np.float64).mean(axis=0)
    small.db.execute("CREATE TABLE liked AS SELECT value AS id, 1 AS weight FROM json_each('[3, 5, 7]')")
    query = small.db.execute("SELECT ann_mean(embedding) FROM v WHERE rowid IN (3, 5, 7)").get
    expected = small.search(query, 10, 1)
    assert [id_ for id_, _ in expected] == [id_ for id_, _ in small.exact(mean, 10)]
    for value in (
        [3, 5, 7],
        [7, 5, 3, 3],
        {"3": 1, "7": 1, "5": 1.0},
        {"3": 0.5, "7": 0.5, "5": 0.5},
        np.array([3, 7, 5], "<i8").tobytes(),
        small.db.execute("SELECT ann_id_set(id) FROM liked").get,
        small.db.execute("SELECT json_group_object(id, weight) FROM liked").get,
        small.db.execute("SELECT json_group_array(id) FROM liked").get,
    ):
        assert items(small, value) == expected


def test_items_are_left_out_with_those_that_are_excluded(small):
    of, heard = {"3": 1, "5": 1, "7": -0.5, "9": 0}, "[11, 12, 13, 3]"
    everything = [id_ for id_, _ in items(small, of, 60)]
    found = [id_ for id_, _ in items(small, of, 60, 1, "exclude_self = 1 AND exclude = ?", heard)]
    assert found == [id_ for id_ in everything if id_ not in {3, 5, 7, 9, 11, 12, 13}]
    assert len(found) == 53


def test_ids_that_are_no_rows_are_passed_over(small):
    assert items(small, [3, 5, 999]) == items(small, [3, 5])
    assert items(small, {"3": 1, "5": 1, "-9": 100}) == items(small, [3, 5])
    for nothing in ([], {}, [999], {"999": 1}, None, b""):
        assert items(small, nothing) == []


def test_all_that_is_disliked_gives_the_opposite_where_lengths_do_not_count(forest):
    table = forest("cosine")
    of = {str(table.ids[3]): -1}
    nearest = items(table, of, 5)
    opposite = table.exact(-table.x[3], 5)
    assert [id_ for id_, _ in nearest] == [id_ for id_, _ in opposite]


def test_rows_of_bits_and_of_whole_numbers_have_neighbours_too(db):
    db.execute("CREATE VIRTUAL TABLE h USING ann(e bit[8])")
    db.execute("INSERT INTO h(rowid, e) VALUES (1, x'07'), (2, x'03'), (3, x'13'), (4, x'F0'), (5, x'02')")
    assert db.execute("SELECT id, distance FROM ann_search_items('h', '[1,2,3]', 2)").fetchall() == [(2, 0), (1, 1)]
    db.execute("CREATE VIRTUAL TABLE w USING ann(e int8[2], metric=l2)")
    db.execute("INSERT INTO w(rowid, e) VALUES (1, '[0,0]'), (2, '[1,1]'), (3, '[9,9]')")
    found = db.execute("SELECT id, distance * distance FROM ann_search_items('w', '[1,2]', 3)").fetchall()
    assert found[:2] == [(1, pytest.approx(0.5)), (2, pytest.approx(0.5))]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("x", "ann_search_items, items: expected a JSON array of numbers, got other text"),
        (1.5, "ann_search_items, items: expected ids, got a real number"),
        (b"1234567", "ann_search_items, items: expected a set of ids as ann_id_set makes it, or a multiple of 8"),
        ("[1.5]", "ann_search_items, items: expected whole numbers of 64 bits in the JSON array, got 1.5"),
        ('{"1": 1', "ann_search_items, items: expected } at the end of the JSON text"),
        ('{"a": 1}', 'ann_search_items, items: expected ids as names of the JSON object, got "a"'),
        ('{"1": "a"}', 'ann_search_items, items: expected a finite number as the weight of 1, got "a"'),
        ('{"1": null}', "ann_search_items, items: expected a finite number as the weight of 1, got null"),
        ('{"1": 1e999}', "ann_search_items, items: expected a finite number as the weight of 1, got 1e999"),
        ('{"1": NaN}', "ann_search_items, items: expected a number, a string or null at character 7"),
        ('{"1": 1, "1": 2}', "ann_search_items, items: expected one weight for each id, got two for 1"),
        ('{"1": 1, "2": -1}', "ann_search_items, items: expected weights whose sum is above 0, got a sum of 0"),
        ('{"1": -1}', "ann_search_items, items: expected weights whose sum is above 0, got a sum of -1"),
        ('{"1": 0}', "ann_search_items, items: expected a weight other than 0, got a sum of 0"),
    ],
)
def test_items_that_are_refused(small, refused, of, message):
    refused(small.db, "SELECT * FROM ann_search_items('v', ?)", (of,), message)


def test_a_call_without_items(small, refused):
    message = "ann_search_items: expected arguments (table, items [, k [, recall]])"
    refused(small.db, "SELECT * FROM ann_search_items('v')", (), message)


@pytest.mark.parametrize("value", ["yes", 2, -1, 0.5, b"1"])
def test_a_flag_is_0_or_1(small, refused, value):
    sql = "SELECT * FROM ann_search_item('v', 3) WHERE exclude_self = ?"
    refused(small.db, sql, (value,), "ann_search_item: expected exclude_self to be a whole number from 0 to 1, got ")
    for good in (1, 1.0, "1"):
        assert 3 not in [row[0] for row in small.db.execute(sql, (good,))]


# --- diversity -----------------------------------------------------------------------------------


def diverse(rows, between, k, diversity):
    """Maximal marginal relevance, of distances, over five times as many."""
    pool, taken = rows[: 5 * k], []
    while pool and len(taken) < k:
        values = [
            (1 - diversity) * far - (diversity * min(between(id_, other) for other, _ in taken) if taken else 0)
            for id_, far in pool
        ]
        taken.append(pool.pop(values.index(min(values)) if taken else 0))
    return taken


@pytest.mark.parametrize("metric", ["l2", "l1"])
@pytest.mark.parametrize("diversity", [0, 0.25, 0.5, 1])
def test_diversity_is_mmr_over_five_times_as_many_rows(forest, queries, metric, diversity):
    table = forest(metric)
    x = dict(zip(table.ids.tolist(), table.x, strict=True))

    def between(a, b):
        return float(distances(metric, x[a], x[b][None])[0])

    for query, k in zip(queries[:3], (1, 10, 20), strict=True):
        expected = diverse(table.exact(query), between, k, diversity)
        assert table.search(query, k, 1, "diversity = ?", diversity) == expected


def test_diverse_rows_stand_in_order_of_rank_and_sort_by_distance_when_asked(forest, queries):
    table = forest()
    sql = "SELECT id, distance, rank FROM ann_search('v', ?, 10, 1) WHERE diversity = 0.75 {}"
    rows = table.db.execute(sql.format(""), (queries[0].tobytes(),)).fetchall()
    assert [rank for *_, rank in rows] == list(range(1, 11))
    assert table.db.execute(sql.format("ORDER BY rank"), (queries[0].tobytes(),)).fetchall() == rows
    by_distance = table.db.execute(sql.format("ORDER BY distance"), (queries[0].tobytes(),)).fetchall()
    assert by_distance == sorted(rows, key=lambda row: row[1]) != rows


def test_diversity_without_k_is_of_ten_and_keeps_to_the_distance(small):
    far = small.exact(np.zeros(2), 20)[-1][1]
    rows = small.search("[0,0]", None, None, "diversity = 0.5 AND max_distance = ?", far)
    assert len(rows) == 10
    assert max(distance for _, distance in rows) <= far
    assert len(small.search("[0,0]", 100, None, "diversity = 0.5")) == 60


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("diversity = 1.5", "ann_search: expected diversity to be from 0 to 1, got 1.5"),
        ("diversity = -0.1", "ann_search: expected diversity to be from 0 to 1, got -0.1"),
        ("diversity = 'x'", "ann_search: expected diversity to be from 0 to 1, got x"),
        ("diversity = x'00'", "ann_search: expected diversity to be from 0 to 1, got a blob of 1 bytes"),
        ("diversity = 0.5 AND k = 1001", "ann_search: expected k to be at most 1000 with diversity, got 1001"),
    ],
)
def test_diversity_that_is_refused(small, refused, where, message):
    refused(small.db, f"SELECT * FROM ann_search('v', '[0,0]') WHERE {where}", (), message)


# --- all together --------------------------------------------------------------------------------


def test_like_these_not_those_not_heard_two_a_book_and_not_all_alike(forest):
    table = forest("cosine")
    table.db.execute("CREATE TABLE song AS SELECT rowid AS id, 'book ' || (rowid % 97) AS book FROM v")
    table.db.execute("CREATE TABLE heard AS SELECT id FROM song WHERE id % 5 = 0")
    of = {str(table.ids[3]): 1, str(table.ids[4]): 1, str(table.ids[900]): -0.5}
    sql = """SELECT near.id, song.book FROM ann_search_items('v', ?, 30) AS near JOIN song ON song.id = near.id
              WHERE near.exclude_self = 1 AND near.exclude = (SELECT ann_id_set(id) FROM heard)
                AND near.groups = (SELECT ann_groups(id, book) FROM song) AND near.max_per = 2
                AND near.diversity = ?
              ORDER BY near.rank"""
    for diversity in (None, 0.3):
        rows = table.db.execute(sql, (json.dumps(of), diversity)).fetchall()
        assert len(rows) == 30
        assert not {id_ for id_, _ in rows if id_ % 5 == 0 or str(id_) in of}
        books = [book for _, book in rows]
        assert max(map(books.count, books)) == 2


def test_all_rows_come_when_all_are_read_at_once(db, load, rng, make_vectors):
    """As many as are asked for, also of a table that is too large to be read at once without being asked."""
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[8], metric=l2)")
    load(db, np.arange(20000), make_vectors(rng, 20000, 8))
    sql = "SELECT all_ids FROM ann_search('v', ?, ?) LIMIT 1"
    query = make_vectors(rng, 1, 8).tobytes()
    for k in (20000, 50000):
        assert sorted(np.frombuffer(db.execute(sql, (query, k)).get, "<i8")) == list(range(20000))
