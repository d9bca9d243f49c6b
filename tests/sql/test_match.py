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


# --- LIMIT as k ----------------------------------------------------------------------------------


def words(table, rest, *more):
    sql = f"EXPLAIN QUERY PLAN SELECT rowid, distance FROM v WHERE embedding MATCH ? {rest}"
    return table.db.execute(sql, (b"", *more)).fetchall()[0][3]


@pytest.mark.parametrize(
    ("rest", "k", "skipped"),
    [
        ("LIMIT 10", 10, 0),
        ("ORDER BY distance LIMIT 10", 10, 0),
        ("ORDER BY distance, rowid LIMIT 10 OFFSET 20", 30, 20),
        ("AND rowid IN (SELECT value FROM generate_series(1, 3000)) ORDER BY rank LIMIT 10", 10, 0),
        ("AND exclude IN (1, 4, 7) ORDER BY distance LIMIT 10", 10, 0),
    ],
)
def test_limit_is_as_good_as_k(forest, queries, rest, k, skipped):
    table = forest()
    rest = rest.replace("generate_series(1, 3000)", f"json_each('{list(range(1, 3000, 3))}')")
    assert "k by LIMIT" in words(table, rest)
    for query in queries:
        by_limit, inspected = match(table, query, rest), table.info("inspected")
        by_k = match(table, query, rest.partition("ORDER")[0].partition("LIMIT")[0] + f"AND k = {k}")
        assert by_limit == by_k[skipped:]
        assert inspected == table.info("inspected")


def test_a_limit_may_be_a_parameter_an_expression_or_none(forest, queries):
    table = forest()
    for limit, offset, rows in [(7, 0, 7), (7, 5, 7), (0, 0, 0), (-1, 0, 1500), (5, -3, 5), (2**63 - 1, 9, 1491)]:
        assert len(match(table, queries[0], "ORDER BY distance LIMIT ? OFFSET ?", limit, offset)) == rows
    assert len(match(table, queries[0], "LIMIT (SELECT count(*) FROM v WHERE rowid < 31)")) == 10
    assert len(match(table, queries[0], "AND k = 4 LIMIT 9")) == 4
    assert len(match(table, queries[0], "AND k = 9 LIMIT 4")) == 4
    assert len(match(table, queries[0], "AND k = ? LIMIT 4", None)) == 4


@pytest.mark.parametrize(
    "rest",
    [
        "AND rowid > 2000 ORDER BY distance LIMIT 10",
        "AND rowid % 7 = 0 ORDER BY distance LIMIT 10",
        "AND distance > 60 ORDER BY distance LIMIT 10",
        "AND rowid IN (1, 4, 7) AND rowid IN (4, 7, 10) LIMIT 1",
        "ORDER BY rowid LIMIT 10",
        "ORDER BY distance DESC LIMIT 10",
        "",
    ],
)
def test_a_limit_that_counts_other_rows_is_not_k(forest, queries, rest):
    table = forest()
    assert "as many as are read" in words(table, rest)
    every = table.exact(queries[0])
    keep = {
        "AND rowid > 2000": lambda id_, far: id_ > 2000,
        "AND rowid % 7": lambda id_, far: id_ % 7 == 0,
        "AND distance > 60": lambda id_, far: far > 60,
        "AND rowid IN": lambda id_, far: id_ in (4, 7),
    }
    wanted = next((test for start, test in keep.items() if rest.startswith(start)), lambda id_, far: True)
    expected = [row for row in every if wanted(*row)]
    if "ORDER BY rowid" in rest:
        expected.sort()
    if "DESC" in rest:
        expected.sort(key=lambda row: -row[1])
        expected = [far for _, far in expected]
    limit = int(rest.rpartition("LIMIT ")[2]) if "LIMIT" in rest else None
    rows = match(
        table,
        queries[0],
        rest.replace("ORDER", "AND recall = 1 ORDER", 1) if "ORDER" in rest else f"AND recall = 1 {rest}",
    )
    assert ([far for _, far in rows] if "DESC" in rest else rows) == expected[:limit]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM v WHERE embedding MATCH ? LIMIT 10",
        "SELECT DISTINCT recall FROM v WHERE embedding MATCH ? LIMIT 1500",
        "SELECT max(rank) OVER () FROM v WHERE embedding MATCH ? LIMIT 1",
        "SELECT max(rank) FROM v WHERE embedding MATCH ? GROUP BY k LIMIT 1",
        "SELECT * FROM (SELECT max(rank) OVER () FROM v WHERE embedding MATCH ?) LIMIT 1",
    ],
)
def test_a_limit_of_groups_is_not_k(forest, queries, sql):
    assert forest().db.execute(sql, (queries[0].tobytes(),)).get == (0.95 if "DISTINCT" in sql else 1500)


# --- where no search can be made -----------------------------------------------------------------


HOW = "write MATCH beside AND, to the right of LEFT JOIN in ON, or use ann_search"


@pytest.fixture
def beside(small):
    """small beside image(id), ids 1 to 100."""
    small.db.execute("""
        CREATE TABLE image(id INTEGER PRIMARY KEY);
        WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO image SELECT i FROM n;
    """)
    return small


@pytest.mark.parametrize(
    ("join", "rows"),
    [
        ("image JOIN v ON v.rowid = image.id WHERE {}", 4),
        ("v JOIN image ON v.rowid = image.id WHERE {}", 4),
        ("v LEFT JOIN image ON v.rowid = image.id WHERE {}", 4),
        ("image CROSS JOIN v WHERE v.rowid = image.id AND {}", 4),
        ("image LEFT JOIN v ON v.rowid = image.id AND {}", 100),
        ("image LEFT JOIN (SELECT rowid AS id, * FROM v WHERE {}) USING (id)", 100),
        ("image RIGHT JOIN (SELECT rowid AS id, * FROM v WHERE {}) USING (id)", 4),
        ("image FULL JOIN (SELECT rowid AS id, * FROM v WHERE {}) USING (id)", 100),
    ],
)
def test_match_is_a_search_on_either_side_of_a_join(beside, join, rows):
    sql = f"SELECT * FROM {join.format('embedding MATCH ? AND k = 4')}"
    before = beside.info("searches")
    assert len(beside.db.execute(sql, ("[0,0]",)).fetchall()) == rows
    assert beside.info("searches") == before + 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT rowid FROM v WHERE embedding MATCH '[0,0]' OR rowid = 60",
        "SELECT rowid FROM v WHERE NOT embedding MATCH '[0,0]'",
        "SELECT embedding MATCH '[0,0]' FROM v",
        "SELECT rowid FROM v WHERE v MATCH '[0,0]'",
        "SELECT image.id FROM image LEFT JOIN v ON v.rowid = image.id WHERE embedding MATCH '[0,0]' AND k = 4",
        "SELECT image.id FROM image LEFT JOIN v ON v.rowid = image.id WHERE embedding MATCH '[0,0]' LIMIT 4",
        "SELECT image.id FROM v RIGHT JOIN image ON v.rowid = image.id WHERE embedding MATCH '[0,0]' AND k = 4",
        "SELECT image.id FROM v FULL JOIN image ON v.rowid = image.id WHERE embedding MATCH '[0,0]' AND k = 4",
    ],
)
def test_match_that_can_be_no_search_is_refused(beside, refused, sql):
    message = {
        False: f"MATCH: expected a search of the table, got a question to each row; {HOW}",
        True: f"ann table v: expected a search by MATCH beside k, got none; {HOW}",
    }["k = 4" in sql]
    refused(beside.db, sql, (), message)


@pytest.mark.parametrize("argument", ["k", "recall", "search_k", "max_distance", "exclude", "only"])
def test_an_argument_without_a_search_is_refused(beside, refused, argument):
    message = f"ann table v: expected a search by MATCH beside {argument}, got none; {HOW}"
    refused(beside.db, f"SELECT rowid FROM v WHERE {argument} = 1", (), message)
    refused(beside.db, f"SELECT {argument} FROM v", (), message)
    left = "SELECT * FROM image LEFT JOIN v ON v.rowid = image.id"
    refused(beside.db, f"{left} WHERE v.{argument} = 4 AND embedding MATCH '[0,0]'", (), message)
    refused(beside.db, f"{left} WHERE distance < 4 AND embedding MATCH '[0,0]' AND v.{argument} = 4", (), message)
    refused(beside.db, f"UPDATE v SET embedding = '[0,0]' WHERE {argument} = 4", (), message)


def test_rows_are_written_and_read_without_a_search(beside):
    beside.db.execute("UPDATE v SET embedding = '[50,50]' FROM image WHERE image.id = v.rowid AND image.id < 4")
    beside.db.execute("UPDATE v SET rowid = rowid + 1000 WHERE rowid < 4")
    beside.db.execute("DELETE FROM v WHERE rowid IN (SELECT id + 1000 FROM image WHERE id = 1)")
    sql = "SELECT rowid, distance, rank FROM v WHERE rowid > 60"
    assert beside.db.execute(sql).fetchall() == [(1002, None, None), (1003, None, None)]
