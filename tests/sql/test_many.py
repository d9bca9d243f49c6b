"""ann_search_many: for each of many vectors what one search finds, to the last bit, whatever is searched and how."""

from __future__ import annotations

import itertools
import json

import apsw
import numpy as np
import pytest

from tests.sql import songs

ALONE = "SELECT all_ids, all_distances FROM ann_search(?, ?, ?, ?) LIMIT 1"
WHOLE = "SELECT all_ids, all_distances FROM ann_search_many(?, ?, ?, ?) WHERE type = ? AND threads = ? LIMIT 1"
ROWS = "SELECT * FROM ann_search_many(?, ?, ?, ?) WHERE type = ? AND threads = ?"


def alone(db, queries, k=10, recall=None, table="v"):
    """(number, id, distance, rank), by one search a query."""
    rows = []
    for at, query in enumerate(queries):
        found = db.execute(ALONE, (table, query.tobytes(), k, recall)).get or (b"", b"")
        ids, far = np.frombuffer(found[0], "<i8"), np.frombuffer(found[1], "<f8")
        rows += [(at, *row) for row in zip(ids.tolist(), far.tolist(), range(1, len(ids) + 1), strict=True)]
    return rows


def together(db, queries, k=10, recall=None, table="v", type_=None, threads=None):
    """The same by one call; read row by row, and all at once."""
    given = table, queries.tobytes(), k, recall, type_, threads
    rows = db.execute(ROWS, given).fetchall()
    whole = db.execute(WHOLE, given).get or (b"", b"")
    ids, far = np.frombuffer(whole[0], "<i8"), np.frombuffer(whole[1], "<f8")
    width = len(ids) // len(queries) or 1
    packed = [
        (at, id_, distance, rank)
        for at in range(len(queries))
        for rank, (id_, distance) in enumerate(
            zip(ids[at * width :][:width].tolist(), far[at * width :][:width].tolist(), strict=True), 1
        )
        if distance < np.inf
    ]
    assert packed == rows
    return rows


def ask(db, sql, *values):
    return db.execute("SELECT query, id, distance FROM " + sql, values).fetchall()


def searches(db, table="v"):
    return db.execute("SELECT value FROM ann_info(?) WHERE key = 'searches'", (table,)).get


@pytest.fixture
def many(queries):
    """Three hundred, some of them equal, far off, or without a direction."""
    return np.vstack([queries, np.zeros_like(queries[:2]), -queries, 40 * queries, queries, queries, queries, queries])


@pytest.mark.parametrize("n", [1, 2, 7, 8, 15, 16, 63, 64, 250])
@pytest.mark.parametrize(("k", "recall"), [(1, None), (10, 0.5), (10, 1), (200, 0.9), (5000, None)])
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_each_gets_what_one_search_gives(forest, many, metric, k, recall, n):
    table = forest(metric)
    assert together(table.db, many[:n], k, recall) == alone(table.db, many[:n], k, recall)


@pytest.mark.parametrize("cache_mb", [256, 0])
@pytest.mark.parametrize("threads", [None, 0, 1, 2, 7])
def test_rows_are_the_same_with_any_number_of_threads_and_any_cache(forest, many, threads, cache_mb):
    table = forest("l2")
    wanted = {recall: alone(table.db, many, 10, recall) for recall in (0.95, 1)}
    table.db.execute("SELECT ann_set('v', 'cache_mb', ?)", (cache_mb,)).fetchall()
    for recall, rows in wanted.items():
        assert together(table.db, many, 10, recall, threads=threads) == rows
        assert together(table.db, many, 10, recall, threads=threads) == rows


def test_it_follows_the_table_through_its_life(forest, load, many):
    """Rows that wait, that are gone, that were written in this transaction, or taken back."""
    table = forest("l2")
    db = table.db

    def same():
        for recall in (None, 1):
            assert together(db, many, 12, recall) == alone(db, many, 12, recall)

    same()
    db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    load(db, np.arange(10_000, 10_200), many[:200])
    assert table.info("waiting") > 100
    same()
    db.execute("BEGIN")
    db.execute("DELETE FROM v WHERE rowid % 7 = 0")
    db.execute("INSERT INTO v(rowid, embedding) SELECT -rowid, embedding FROM v WHERE rowid > 10000 AND rowid % 20 = 0")
    same()
    db.execute("SAVEPOINT a")
    db.execute("UPDATE v SET embedding = (SELECT embedding FROM v WHERE rowid = 10004) WHERE rowid < 400")
    same()
    db.execute("ROLLBACK TO a")
    same()
    db.execute("COMMIT")
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    same()
    db.execute("DELETE FROM v")
    assert together(db, many, 12) == []


@pytest.mark.parametrize("seed", range(12))
def test_random_tables_and_queries(db, seed):
    """Of every type and metric, with ties, at any moment of a table's life."""
    rng = np.random.default_rng(seed)
    type_ = ["float32", "float16", "bfloat16", "int8", "bit"][seed % 5]
    dim, n = int(rng.integers(2, 40)), int(rng.integers(1, 3000))
    metrics = ["hamming", "jaccard"] if type_ == "bit" else ["l2", "cosine", "dot", "l1", "angular"]
    metric = metrics[int(rng.integers(len(metrics)))]
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(e {type_}[{dim}], metric={metric}, leaf_capacity=32)")
    sql = "INSERT INTO v(rowid, e) SELECT n, ann_quantize(vector, ?) FROM ann_rows(?, ?)"
    x = rng.integers(-6, 7, (n, dim)).astype("<f4")
    db.execute(sql, (type_, x.tobytes(), dim))
    for change in ("", "INSERT INTO v(v) VALUES ('optimize')", "DELETE FROM v WHERE rowid % 5 = 1"):
        if change:
            db.execute(change)
        queries = rng.integers(-6, 7, (int(rng.integers(1, 400)), dim)).astype("<f4")
        queries[rng.random(len(queries)) < 0.1] = 0
        for k, recall in ((10, None), (int(rng.integers(1, 40)), 0.6), (7, 1)):
            assert together(db, queries, k, recall) == alone(db, queries, k, recall), (type_, metric, k, recall)


@pytest.mark.parametrize("of", ["float16", "bfloat16", "int8", "bit"])
def test_a_blob_may_be_of_another_type_where_that_is_told(db, rng, of):
    """The table's own, or any of numbers; two vectors of float16 are as long as one of float32."""
    x = rng.integers(-9, 10, (200, 8)).astype("<f4")
    scale = 1 if of == "int8" else None
    quantized = "SELECT ann_quantize(?, ?, ?)"
    typed = [db.execute(quantized, (row.tobytes(), of, scale)).get for row in x]
    for rows, values in ((of, typed), ("bit", typed) if of == "bit" else ("float32", [row.tobytes() for row in x])):
        db.execute(f"CREATE VIRTUAL TABLE v USING ann(e {rows}[8])")
        db.executemany("INSERT INTO v(e) VALUES (?)", [(value,) for value in values])
        assert db.execute(ROWS, ("v", b"".join(typed), 3, None, of, None)).fetchall() == together(db, x, 3)
        db.execute("DROP TABLE v")


def test_vectors_as_json(forest, many):
    table = forest("l2")
    text = json.dumps(many[:90].tolist())
    assert ask(table.db, "ann_search_many('v', ?, 3)", text) == ask(
        table.db, "ann_search_many('v', ?, 3)", many[:90].tobytes()
    )
    assert ask(table.db, "ann_search_many('v', '[]')") == []
    found = ask(table.db, "ann_search_many('v', ?, 1) WHERE query = 5", text)
    assert found == ask(table.db, "ann_search_many('v', ?, 1)", json.dumps([many[5].tolist()]))[:0] + [
        (5, *row) for row in table.search(many[5], 1)
    ]


def test_no_vectors_have_no_rows(forest):
    table = forest("l2")
    for queries in (None, b"", "[]", " [ ] "):
        assert ask(table.db, "ann_search_many('v', ?)", queries) == []
        assert table.db.execute(WHOLE, ("v", queries, 3, None, None, None)).fetchall() == []


def test_small_and_empty_tables(db, queries):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[16], metric=l2)")
    assert together(db, queries) == []
    db.execute("INSERT INTO v(rowid, embedding) VALUES (?, zeroblob(64)), (?, zeroblob(64))", (-(2**63), 2**63 - 1))
    for k in (1, 10, 2**62):
        assert together(db, queries, k) == alone(db, queries, k)


def test_where_some_find_fewer_the_rest_is_filled_up(db):
    """Of an ordinary table, whose rows may become none behind the index's back."""
    db.execute(songs.SONG)
    db.execute(songs.INDEX)
    songs.insert(db, [5], np.ones((1, songs.DIM)))
    far = np.ones((9, songs.DIM), "<f4")
    ids, distances = db.execute(WHOLE, ("song_ann", far.tobytes(), 3, None, None, None)).get
    assert np.frombuffer(ids, "<i8").tolist() == [5] * 9
    assert np.frombuffer(distances, "<f8").tolist() == [0] * 9


@pytest.mark.parametrize("rows", [300, 2500])
def test_an_index_over_an_ordinary_table(db, rows):
    """Rows that were written since, replaced, emptied and deleted."""
    rng = np.random.default_rng(3)
    db.execute(songs.SONG)
    songs.insert(db, range(1, rows + 1), songs.vectors(rng, rows))
    db.execute(songs.INDEX)
    queries = songs.vectors(rng, 100)

    def same():
        for k, recall in ((10, None), (25, 1), (7, 0.5), (5000, None)):
            arguments = db, queries, k, recall, "song_ann"
            assert together(*arguments) == alone(*arguments), (k, recall)

    same()
    songs.insert(db, range(9000, 9030), songs.vectors(rng, 30))
    songs.insert(db, range(1, 11), songs.vectors(rng, 10), "REPLACE")
    db.execute("DELETE FROM song WHERE id BETWEEN 20 AND 40; UPDATE song SET embedding = NULL WHERE id = 50")
    same()
    db.execute("INSERT INTO song_ann(song_ann) VALUES ('optimize')")
    same()


def test_one_query_of_many_costs_one_search(forest, many):
    table = forest("l2")
    wanted = [row for row in ask(table.db, "ann_search_many('v', ?)", many.tobytes()) if row[0] in (4, 201)]
    before = searches(table.db)
    assert ask(table.db, "ann_search_many('v', ?) WHERE query IN (4, 201)", many.tobytes()) == wanted
    assert searches(table.db) == before + 2
    sql = "ann_search_many('v', ?) WHERE query IN (-1, 100000, 1 << 62, 'x', 1.5, NULL)"
    assert ask(table.db, sql, many.tobytes()) == []
    assert searches(table.db) == before + 2


def test_rows_come_in_order_and_are_not_sorted_again(forest, many):
    table = forest("l2")
    for order, sorts in (("query, rank", 0), ("query, distance, id", 0), ("query DESC", 1), ("distance", 1)):
        sql = f"SELECT * FROM ann_search_many('v', ?, 3) ORDER BY {order}"
        plan = table.db.execute("EXPLAIN QUERY PLAN " + sql, (many.tobytes(),)).fetchall()
        assert any("TEMP B-TREE" in row[3] for row in plan) == sorts, order


def test_it_joins_with_the_rows_that_the_vectors_came_from(forest, many):
    table = forest("l2")
    sql = """SELECT q.n, s.id FROM ann_rows(?1, 16) AS q JOIN ann_search_many('v', ?1, 2) AS s ON s.query = q.n
             ORDER BY q.n, s.rank"""
    assert table.db.execute(sql, (many[:40].tobytes(),)).fetchall() == [
        row[:2] for row in ask(table.db, "ann_search_many('v', ?, 2)", many[:40].tobytes())
    ]


def test_arguments_read_back_and_null_is_the_default(forest, many):
    db = forest("l2").db
    sql = 'SELECT "table", length(queries), k, recall, type, threads FROM ann_search_many(?, ?, 2) WHERE threads = 1 LIMIT 1'
    assert db.execute(sql, ("v", many.tobytes())).get == ("v", 4 * many.size, 2, None, None, 1)
    assert together(db, many[:30], None, None) == together(db, many[:30], 10, 0.95)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ann_search_many", "ann_search_many: expected arguments (table, queries [, k [, recall]])"),
        ("ann_search_many('v')", "ann_search_many: expected arguments (table, queries [, k [, recall]])"),
        ("ann_search_many(NULL, '[]')", "ann_search_many: expected the name of an ann table, got NULL"),
        ("ann_search_many('x', '[]')", "ann_search_many: expected the name of an ann table, but there is no table x"),
        (
            "ann_search_many('v', 1)",
            "ann_search_many: expected queries to be a blob or a JSON array of arrays, got an integer",
        ),
        (
            "ann_search_many('v', x'00112233')",
            "ann_search_many: expected queries to be a multiple of 8 bytes (2 float32 each), got 4 bytes",
        ),
        ("ann_search_many('v', '1')", "ann_search_many, queries: expected a JSON array of arrays, got other text"),
        (
            "ann_search_many('v', '[1, 2]')",
            "ann_search_many, queries: expected an array at character 2 of the JSON text",
        ),
        (
            "ann_search_many('v', '[[1, 2], [1]]')",
            "ann_search_many, table v, column e, query[1]: expected 2 numbers, got 1",
        ),
        (
            "ann_search_many('v', '[[1, 2], [1, \"a\"]]')",
            "ann_search_many, table v, column e, query[1]: expected a number at character 5 of the JSON text",
        ),
        (
            "ann_search_many('v', '[[1, 2], [1, 1e99]]')",
            "ann_search_many, table v, column e, query[1]: expected",
        ),
        ("ann_search_many('v', '[]', 0)", "ann_search_many: expected k to be a whole number from 1, got 0"),
        ("ann_search_many('v', '[]', 3, 2)", "ann_search_many: expected recall to be above 0 and at most 1, got 2"),
        (
            "ann_search_many('v', '[]', 3, 1, 'text')",
            'ann_search_many: expected type float32, float16, bfloat16, int8 or bit, got "text"',
        ),
        (
            "ann_search_many('v', '[]', 3, 1, 'bit')",
            "ann_search_many: expected queries of a type that can be compared with float32, got bit",
        ),
        (
            "ann_search_many('v', '[]') WHERE threads = 65",
            "ann_search_many: expected threads to be a whole number from 0 to 64, got 65",
        ),
        ("ann_search_many('v', '[]', 3) WHERE k = 4", "ann_search_many: expected one value for k, got two"),
        ("ann_search_many('v', '[]', 3, 1, 'bit', 1, 1)", "too many arguments on ann_search_many()"),
        ("ann_search_many('v', '[]') WHERE all_ids = 1", "too many arguments on ann_search_many()"),
    ],
)
def test_what_is_not_understood_is_refused(db, refused, sql, message):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    db.execute("INSERT INTO v(e) VALUES ('[1, 2]')")
    refused(db, f"SELECT * FROM {sql}", (), message)


@pytest.mark.parametrize("at", [0, 17, 249])
def test_a_wrong_vector_is_named_by_its_number(forest, refused, many, at):
    table = forest("l2")
    many[at, 3] = np.nan
    message = (
        f"ann_search_many, table v, column embedding, query[{at}]: expected finite components, got NaN at component 3"
    )
    for columns in ("*", "all_ids"):
        refused(table.db, f"SELECT {columns} FROM ann_search_many('v', ?)", (many[:250].tobytes(),), message)


def test_one_that_is_interrupted_can_be_asked_again(forest, many):
    table = forest("l2")
    for recall in (None, 1):
        wanted = together(table.db, many, 10, recall)
        for calls in (1, 2, 20):
            left = itertools.chain([False] * (calls - 1), [True], itertools.repeat(False))
            table.db.set_progress_handler(left.__next__, 1)
            with pytest.raises(apsw.InterruptError):
                together(table.db, many, 10, recall)
            table.db.set_progress_handler(None)
            assert together(table.db, many, 10, recall) == wanted


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [5, 200])
def test_a_damaged_leaf_is_an_error_and_no_shorter_answer(forest, many, threads, n):
    table = forest("l2")
    table.db.execute("SELECT ann_set('v', 'cache_mb', 0)").fetchall()
    for (leaf,) in table.db.execute("SELECT page FROM ann_pages('v') WHERE kind = 'leaf'").fetchall():
        table.db.execute("UPDATE v_pages SET data = zeroblob(length(data)) WHERE id = ?", (leaf,))
    with pytest.raises(apsw.CorruptError, match="is damaged"):
        together(table.db, many[:n], threads=threads)
    assert len(together(table.db, many[:n], recall=1, threads=threads)) == 10 * n  # which asks no page


def test_a_row_that_the_table_lacks_is_an_error(forest, many):
    table = forest("l2")
    table.db.execute("SELECT ann_set('v', 'cache_mb', 0)").fetchall()
    near = table.search(many[0], 1)[0][0]
    table.db.execute("DELETE FROM v_vectors WHERE id = ?", (near,))
    with pytest.raises(apsw.CorruptError):
        together(table.db, many)


def test_what_others_commit_meanwhile_is_not_seen(forest_file, other_connections, many):
    other, db = other_connections(forest_file), other_connections(forest_file)
    other.execute("PRAGMA journal_mode = WAL").fetchall()
    queries = many.repeat(3, axis=0)  # more than one part
    wanted = together(db, queries)
    rows = db.execute("SELECT * FROM ann_search_many('v', ?)", (queries.tobytes(),))
    found = [next(rows)]
    other.execute("DELETE FROM v WHERE rowid > 1000")
    assert found + rows.fetchall() == wanted
    assert together(db, queries) != wanted


def test_one_that_is_left_half_way_leaves_nothing_open(forest, many):
    table = forest("l2")
    rows = table.db.execute("SELECT * FROM ann_search_many('v', ?)", (many.tobytes(),))
    first = [next(rows) for _ in range(3)]
    rows.close()
    assert first == together(table.db, many)[:3]
    table.db.execute("DROP TABLE v")


def test_views_of_a_stranger_may_use_it(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    db.execute("INSERT INTO v(e) VALUES ('[1, 2]')")
    db.execute("CREATE VIEW near AS SELECT id FROM ann_search_many('v', '[[1, 2], [3, 4]]')")
    db.execute("PRAGMA trusted_schema = OFF")
    assert db.execute("SELECT * FROM near").fetchall() == [(1,), (1,)]
