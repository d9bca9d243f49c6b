"""`embedding MATCH query` on the table itself, for those who come from sqlite-vec."""

from __future__ import annotations

import numpy as np
import pytest

METRICS = ["cosine", "angular", "l2", "l1", "dot"]


def match(table, query, rest, *more):
    sql = f"SELECT rowid, distance FROM v WHERE embedding MATCH ? {rest}"
    return table.db.execute(sql, (query.astype("<f4").tobytes(), *more)).fetchall()


@pytest.mark.parametrize("metric", METRICS)
def test_match_with_k(forest, queries, metric):
    table = forest(metric)
    for query in queries[:10]:
        assert match(table, query, "AND k = 10") == table.search(query, 10)
        assert match(table, query, "AND k = 7 AND recall = 1") == table.exact(query, 7)


@pytest.mark.parametrize("metric", METRICS)
def test_match_with_order_and_limit(forest, queries, metric):
    table = forest(metric)
    for query in queries[:10]:
        assert match(table, query, "AND recall = 1 ORDER BY distance LIMIT 10") == table.exact(query, 10)
        assert match(table, query, "AND recall = 1 ORDER BY distance LIMIT 5 OFFSET 5") == table.exact(query, 10)[5:]
        assert match(table, query, "AND recall = 1 ORDER BY distance, rowid LIMIT ?", 3) == table.exact(query, 3)
        assert match(table, query, "AND recall = 1 ORDER BY rank LIMIT 3") == table.exact(query, 3)


def test_match_alone_goes_on_to_the_end(small):
    assert match(small, np.zeros(2), "") == small.exact(np.zeros(2))


def test_order_by_distance_descending_is_sorted(small):
    assert (
        match(small, np.zeros(2), "AND k = 10 ORDER BY distance DESC, rowid DESC") == small.exact(np.zeros(2), 10)[::-1]
    )


@pytest.mark.parametrize(
    "clause", ["rowid > 2000", "rowid % 7 = 0", "rowid NOT IN (1, 4)", "distance > 60", "length(embedding) = 64"]
)
def test_a_limit_counts_rows_that_pass_the_other_conditions(forest, queries, clause):
    table = forest()
    keep = {
        "rowid > 2000": table.ids > 2000,
        "rowid % 7 = 0": table.ids % 7 == 0,
        "rowid NOT IN (1, 4)": ~np.isin(table.ids, [1, 4]),
        "length(embedding) = 64": table.ids == table.ids,
    }
    for query in queries[:5]:
        if clause == "distance > 60":
            expected = [row for row in table.exact(query) if row[1] > 60][:10]
        else:
            expected = table.exact(query, 10, keep[clause])
        assert match(table, query, f"AND recall = 1 AND {clause} ORDER BY distance LIMIT 10") == expected


def test_match_in_a_join_with_a_limit(forest, queries):
    table = forest()
    table.db.execute(
        "CREATE TABLE song(id INTEGER PRIMARY KEY, year); INSERT INTO song SELECT rowid, rowid % 50 FROM v"
    )
    sql = (
        "SELECT song.id, v.distance FROM v JOIN song ON song.id = v.rowid"
        " WHERE v.embedding MATCH ? AND v.recall = 1 AND song.year = 7 ORDER BY v.distance LIMIT 10"
    )
    for query in queries[:5]:
        assert table.db.execute(sql, (query.tobytes(),)).fetchall() == table.exact(query, 10, table.ids % 50 == 7)


def test_match_among_ids_and_without_ids(forest, queries):
    table = forest()
    some = "(SELECT value FROM json_each(?))"
    ids = table.ids[::10]
    text = str(ids.tolist())
    mask = np.isin(table.ids, ids)
    for query in queries[:5]:
        assert match(table, query, f"AND k = 9 AND recall = 1 AND rowid IN {some}", text) == table.exact(query, 9, mask)
        assert match(table, query, f"AND k = 9 AND recall = 1 AND exclude IN {some}", text) == table.exact(
            query, 9, ~mask
        )


def test_match_with_max_distance(forest, queries):
    table = forest()
    border = table.exact(queries[0], 30)[-1][1]
    within = [row for row in table.exact(queries[0]) if row[1] <= border]
    assert match(table, queries[0], "AND recall = 1 AND max_distance = ?", border) == within
    assert match(table, queries[0], "AND recall = 1 AND max_distance = ? AND k = 4", border) == within[:4]
    assert match(table, queries[0], "AND recall = 1 AND max_distance = ? LIMIT 4", border) == within[:4]


def test_match_null_gives_no_rows(small):
    assert small.db.execute("SELECT rowid FROM v WHERE embedding MATCH NULL AND k = 3").fetchall() == []


def test_the_vector_comes_with_the_row(small):
    sql = "SELECT embedding, rank, k, recall FROM v WHERE embedding MATCH '[0,0]' AND k = 4"
    rows = small.db.execute(sql).fetchall()
    assert [row[0] for row in rows] == [small.x[id_ - 1].tobytes() for id_, _ in small.exact(np.zeros(2), 4)]
    assert [row[1:] for row in rows] == [(rank, 4, 0.95) for rank in (1, 2, 3, 4)]


def test_match_once_a_row_of_another_table(small):
    sql = (
        'SELECT q.value, count(*) FROM json_each(\'["[0,0]", "[4,4]", null, "[-3,1]"]\') q, v'
        " WHERE v.embedding MATCH q.value AND v.k = 6 GROUP BY q.key"
    )
    assert small.db.execute(sql).fetchall() == [("[0,0]", 6), ("[4,4]", 6), ("[-3,1]", 6)]


def test_rows_found_by_match_can_be_updated_and_deleted(small):
    nearest = [id_ for id_, _ in small.exact(np.zeros(2), 3)]
    small.db.execute("UPDATE v SET embedding = '[100,100]' WHERE embedding MATCH '[0,0]' AND k = 3")
    assert small.db.changes() == 3
    assert {id_ for id_, _ in small.search("[100,100]", 3)} == set(nearest)
    small.db.execute("DELETE FROM v WHERE embedding MATCH '[100,100]' AND max_distance = 1")
    assert small.db.changes() == 3
    assert small.db.execute("SELECT count(*) FROM v").get == 57
    assert small.db.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_match_beside_or_is_refused_as_fts5_does(small, refused):
    sql = "SELECT rowid FROM v WHERE embedding MATCH '[0,0]' OR rowid = 60"
    refused(small.db, sql, (), "unable to use function MATCH in the requested context")
