"""The k-nearest join of two tables and the k-nearest graph of one: row by row what single searches give."""

from __future__ import annotations

import itertools

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests.sql import songs

SINGLY = """SELECT l.rowid, s.id, s.distance, s.rank FROM {left} AS l, ann_search('{right}', l.embedding, ?, ?) AS s
            ORDER BY l.rowid, s.rank"""
ITEMS = """SELECT l.rowid, s.id, s.distance, s.rank FROM {table} AS l, ann_search_item('{table}', l.rowid, ?, ?) AS s
           WHERE s.exclude_self = 1 ORDER BY l.rowid, s.rank"""


def singly(db, left, right, k=10, recall=None):
    """One search a row."""
    return db.execute(SINGLY.format(left=left, right=right), (k, recall)).fetchall()


def items(db, table, k=10, recall=None):
    return db.execute(ITEMS.format(table=table), (k, recall)).fetchall()


def join(db, left, right, k=10, recall=None):
    return db.execute("SELECT * FROM ann_join(?, ?, ?, ?)", (left, right, k, recall)).fetchall()


def graph(db, table="v", k=10, recall=None):
    return db.execute("SELECT * FROM ann_graph(?, ?, ?)", (table, k, recall)).fetchall()


def steps(table, query):
    """What a search does."""
    rows = table.db.execute("SELECT step, count FROM ann_explain('v', ?)", (query.astype("<f4").tobytes(),))
    return {step for step, count in rows if count}


def searches(db, table="v"):
    return db.execute("SELECT value FROM ann_info(?) WHERE key = 'searches'", (table,)).get


def make(db, name, x, ids=None, options=""):
    db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(embedding float32[{x.shape[1]}]{options})")
    sql = f"INSERT INTO {name}(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)"
    ids = np.arange(1, len(x) + 1) if ids is None else np.asarray(ids)
    db.execute(sql, (x.astype("<f4").tobytes(), x.shape[1], ids.astype("<i8").tobytes()))


@pytest.mark.parametrize(("k", "recall"), [(1, None), (10, 0.5), (10, None), (10, 1), (300, 0.9), (5000, None)])
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_a_join_gives_what_one_search_a_row_gives(forest, queries, metric, k, recall):
    table = forest(metric)
    assert "scan" in steps(table, queries[0])  # the forest is used
    make(table.db, "q", np.vstack([queries, np.zeros_like(queries[:1]), queries]), options=", metric=l2")
    found = join(table.db, "q", "v", k, recall)
    assert found == singly(table.db, "q", "v", k, recall)
    assert len({left for left, *_ in found}) == 81


@pytest.mark.parametrize("recall", [0.5, None, 1])
@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_a_graph_gives_the_neighbours_of_each_row_but_itself(forest, metric, recall):
    table = forest(metric)
    found = graph(table.db, "v", 10, recall)
    assert found == items(table.db, "v", 10, recall)
    assert len(found) == 10 * len(table.ids)
    assert not [row for row in found if row[0] == row[1]]


def test_an_exact_join_is_what_numpy_finds(forest, oracle, queries):
    table = forest("l2")
    make(table.db, "q", queries)
    wanted = [
        (at, id_, far, rank)
        for at, query in enumerate(queries, 1)
        for rank, (id_, far) in enumerate(oracle("l2", query, table.ids, table.x, 7), 1)
    ]
    assert join(table.db, "q", "v", 7, 1) == wanted


def test_the_recall_that_was_asked_for_is_given(forest, oracle):
    table = forest("l2")
    exact = {(left, id_) for left, id_, *_ in graph(table.db, recall=1)}
    found = {(left, id_) for left, id_, *_ in graph(table.db, recall=0.9)}
    assert 0.89 < len(exact & found) / len(exact) < 1


def test_rows_and_recall_are_the_same_with_any_number_of_threads_and_any_cache(forest):
    table = forest("l2")
    wanted = items(table.db, "v", 10)
    for threads, cache_mb in ((1, 256), (2, 256), (7, 256), (2, 0), (1, 0)):
        set_ = "SELECT ann_set('v', 'threads', ?), ann_set('v', 'cache_mb', ?)"
        table.db.execute(set_, (threads, cache_mb)).fetchall()
        assert graph(table.db) == wanted  # with cache_mb = 0 no worker has anything
        assert graph(table.db) == wanted


def test_a_join_follows_the_table_through_its_life(forest, load, queries, rng):
    """Rows that wait, that are gone, that were written in this transaction, or taken back."""
    table = forest("l2")
    db = table.db
    make(db, "q", queries)

    def same():
        assert join(db, "q", "v") == singly(db, "q", "v")
        assert graph(db) == items(db, "v")

    same()
    db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    load(db, np.arange(10_000, 10_200), queries.repeat(5, axis=0))  # each vector five times
    assert table.info("waiting") > 100
    same()
    db.execute("BEGIN")
    db.execute("DELETE FROM v WHERE rowid % 7 = 0")
    db.execute("INSERT INTO v(rowid, embedding) SELECT -rowid, embedding FROM q LIMIT 10")
    same()
    db.execute("SAVEPOINT a")
    db.execute("UPDATE v SET embedding = (SELECT embedding FROM q WHERE rowid = 3) WHERE rowid < 400")
    same()
    db.execute("ROLLBACK TO a")
    same()
    db.execute("COMMIT")
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    assert table.info("waiting") == 0
    same()


def test_a_row_is_left_out_of_its_own_neighbours_and_its_equals_are_not(db):
    make(db, "v", np.array([[1, 1], [1, 1], [5, 5], [1, 1]]), options=", metric=l2")
    assert graph(db, k=2) == [
        (1, 2, 0.0, 1), (1, 4, 0.0, 2), (2, 1, 0.0, 1), (2, 4, 0.0, 2),
        (3, 1, 32**0.5, 1), (3, 2, 32**0.5, 2), (4, 1, 0.0, 1), (4, 2, 0.0, 2),
    ]  # fmt: skip
    assert [row[:2] for row in join(db, "v", "v", 1)] == [(1, 1), (2, 1), (3, 3), (4, 1)]


def test_small_and_empty_tables(db, rng):
    x = rng.integers(-5, 6, (3, 2))
    make(db, "a", x)
    make(db, "none", x[:0])
    make(db, "one", x[:1])
    assert len(join(db, "a", "a", 10)) == 9  # k is more than there are
    assert len(graph(db, "a", 10)) == 6
    assert len(join(db, "a", "one", 2**62)) == 3
    assert join(db, "a", "none") == join(db, "none", "a") == graph(db, "none") == graph(db, "one") == []
    assert db.execute("SELECT count(*) FROM ann_graph('a')").get == 6  # ten by default


def test_every_id_can_be_a_row_of_either_table(db, rng):
    ids = [-(2**63), -5, 0, 7, 2**63 - 1]
    make(db, "a", rng.integers(-9, 9, (5, 3)), ids)
    assert [row[0] for row in graph(db, "a", 4)] == [id_ for id_ in ids for _ in range(4)]
    assert graph(db, "a", 4) == items(db, "a", 4)


def test_tables_of_other_schemas(forest, queries):
    table = forest("l2")
    table.db.execute("ATTACH ':memory:' AS aux")
    make(table.db, "aux.v", queries)
    assert join(table.db, "aux.v", "v") == join(table.db, "aux.v", "main.v") == singly(table.db, "aux.v", "v")
    assert join(table.db, "v", "aux.v", 3) == singly(table.db, "main.v", "aux.v", 3)


@pytest.mark.parametrize(("left", "right"), [("int8", "float32"), ("float32", "int8"), ("float16", "int8")])
def test_vectors_of_another_type_are_taken_as_what_they_are(db, rng, left, right):
    """Under the metric of the right table."""
    x = rng.integers(-20, 21, (300, 4))
    for name, type_, rows in (("a", left, x[:100]), ("b", right, x)):
        db.execute(
            f"CREATE VIRTUAL TABLE {name} USING ann(embedding {type_}[4], metric={'l2' if name == 'b' else 'dot'})"
        )
        db.executemany(f"INSERT INTO {name}(embedding) VALUES (?)", [(str(row.tolist()),) for row in rows])
    found = join(db, "a", "b", 4)
    sql = """SELECT a.rowid, s.id, s.distance, s.rank
               FROM a, ann_search('b', ann_json(a.embedding, ?), 4) AS s ORDER BY a.rowid, s.rank"""
    assert found == db.execute(sql, (left,)).fetchall()


def test_bits_are_joined_with_bits(db, rng):
    for name in "ab":
        db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(embedding bit[16])")
        rows = rng.integers(0, 256, (200, 2), np.uint8)
        db.executemany(f"INSERT INTO {name}(embedding) VALUES (?)", [(row.tobytes(),) for row in rows])
    assert join(db, "a", "b", 3) == singly(db, "a", "b", 3)


def test_one_row_of_a_join_costs_one_search(forest):
    table = forest("l2")
    wanted = [row for row in graph(table.db) if row[0] in (4, 301)]
    before = searches(table.db)
    found = table.db.execute("SELECT * FROM ann_graph('v') WHERE left_id IN (4, 301)").fetchall()
    assert found == wanted
    assert searches(table.db) == before + 2
    assert table.db.execute("SELECT * FROM ann_graph('v') WHERE left_id IN (5, 'x', NULL)").fetchall() == []


def test_whoever_reads_few_rows_pays_for_few(forest):
    table = forest("l2")
    before = searches(table.db)
    assert table.db.execute("SELECT * FROM ann_graph('v') LIMIT 20").fetchall() == graph(table.db)[:20]
    assert searches(table.db) == before + 256 + len(table.ids)


def test_rows_come_in_order_and_are_not_sorted_again(forest):
    table = forest("l2")
    for order, sorts in (
        ("left_id, rank", 0),
        ("left_id, distance, id", 0),
        ("left_id", 0),
        ("left_id, id", 1),
        ("left_id DESC", 1),
        ("distance", 1),
    ):
        sql = f"SELECT left_id, id, distance, rank FROM ann_graph('v', 3) ORDER BY {order}"
        plan = table.db.execute("EXPLAIN QUERY PLAN " + sql).fetchall()
        assert any("TEMP B-TREE" in row[3] for row in plan) == sorts, order
    ordered = table.db.execute("SELECT * FROM ann_graph('v', 3) ORDER BY left_id, rank").fetchall()
    assert ordered == sorted(ordered, key=lambda row: (row[0], row[3]))


def test_it_joins_with_other_tables_in_any_order(forest):
    table = forest("l2")
    table.db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title)")
    table.db.execute("INSERT INTO song SELECT rowid, 'song ' || rowid FROM v WHERE rowid < 700")
    wanted = [(f"song {a}", f"song {b}") for a, b, *_ in graph(table.db, k=2) if a < 700 and b < 700]
    sql = """SELECT a.title, b.title FROM {} JOIN song AS b ON b.id = g.id ORDER BY g.left_id, g.rank"""
    for tables in (
        "ann_graph('v', 2) AS g JOIN song AS a ON a.id = g.left_id",
        "song AS a CROSS JOIN ann_graph('v', 2) AS g ON g.left_id = a.id",
        "song AS a LEFT JOIN ann_graph('v', 2) AS g ON g.left_id = a.id",
    ):
        assert table.db.execute(sql.format(tables)).fetchall() == wanted, tables


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ann_join('a')", "ann_join: expected arguments (left, right [, k [, recall]])"),
        ("ann_graph", "ann_graph: expected arguments (table [, k [, recall]])"),
        ("ann_join('a', NULL)", "ann_join: expected the name of an ann table, got NULL"),
        ("ann_graph(NULL)", "ann_graph: expected the name of an ann table, got NULL"),
        ("ann_join('a', 'x')", "ann_join: expected the name of an ann table, but there is no table x"),
        ("ann_graph('plain')", "ann_graph: expected an ann table, but main.plain is another kind of table"),
        ("ann_join('a', 'b')", "ann_join: expected tables of the same dimensions, got a of 2 and b of 3"),
        (
            "ann_join('a', 'bits')",
            "ann_join: expected tables of numbers or two of bits, got a of float32 and bits of bit",
        ),
        (
            "ann_join('bits', 'a')",
            "ann_join: expected tables of numbers or two of bits, got bits of bit and a of float32",
        ),
        ("ann_join('a', 'a', 0)", "ann_join: expected k to be a whole number from 1, got 0"),
        ("ann_graph('a', 'few')", "ann_graph: expected k to be a whole number from 1, got"),
        ("ann_graph('a', 1.5)", "ann_graph: expected k to be a whole number from 1, got 1.5"),
        ("ann_graph('a', 3, 0)", "ann_graph: expected recall to be above 0 and at most 1, got 0"),
        ("ann_graph('a', 3) WHERE k = 4", "ann_graph: expected one value for k, got two"),
        ("ann_graph('a', 3, .9, 1)", "too many arguments on ann_graph() - max 3"),
    ],
)
def test_what_is_not_understood_is_refused(db, refused, sql, message):
    make(db, "a", np.ones((3, 2)))
    make(db, "b", np.ones((3, 3)))
    db.execute("CREATE VIRTUAL TABLE bits USING ann(embedding bit[2]); CREATE TABLE plain(x)")
    refused(db, f"SELECT * FROM {sql}", (), message)


def test_null_is_the_default_and_arguments_read_back(db):
    make(db, "a", np.arange(40).reshape(20, 2))
    assert join(db, "a", "a", None, None) == join(db, "a", "a", 10, 0.95)
    row = db.execute('SELECT "left", "right", k, recall FROM ann_join(?, ?, 2) LIMIT 1', ("a", "a")).fetchall()
    assert row == [("a", "a", 2, None)]


def test_a_join_that_is_interrupted_can_be_asked_again(forest):
    table = forest("l2")
    wanted = graph(table.db)
    for calls in (1, 2, 20):
        left = itertools.chain([False] * (calls - 1), [True], itertools.repeat(False))
        table.db.set_progress_handler(left.__next__, 1)
        with pytest.raises(apsw.InterruptError):
            graph(table.db)
        table.db.set_progress_handler(None)
        assert graph(table.db) == wanted


@pytest.mark.parametrize("threads", [1, 2])
def test_a_damaged_leaf_is_an_error_and_no_shorter_answer(forest, threads):
    table = forest("l2")
    table.db.execute("SELECT ann_set('v', 'threads', ?)", (threads,)).fetchall()
    leaf = table.db.execute("SELECT max(page) FROM ann_pages('v') WHERE kind = 'leaf'").get
    table.db.execute("UPDATE v_pages SET data = zeroblob(length(data)) WHERE id = ?", (leaf,))
    with pytest.raises(apsw.CorruptError, match=f"page {leaf} is damaged"):
        graph(table.db)
    assert len(graph(table.db, recall=1)) == 10 * len(table.ids)  # which asks no page


def test_a_row_that_the_table_lacks_is_an_error(forest):
    table = forest("l2")
    table.db.execute("DELETE FROM v_vectors WHERE id = 301")
    with pytest.raises(apsw.CorruptError):
        graph(table.db)


def test_a_statement_that_is_left_half_way_leaves_nothing_open(forest):
    table = forest("l2")
    rows = table.db.execute("SELECT * FROM ann_graph('v')")
    first = [next(rows) for _ in range(3)]
    rows.close()
    assert first == graph(table.db)[:3]
    table.db.execute("DROP TABLE v")


@pytest.mark.parametrize("schema", ["main", "aux"])
def test_what_others_commit_meanwhile_is_not_seen(forest_file, other_connections, schema):
    """A statement reads one state of every file, from the first row to the last."""
    other = other_connections(forest_file)
    db = other_connections(forest_file if schema == "main" else ":memory:")
    db.execute("ATTACH ? AS aux", (forest_file if schema == "aux" else ":memory:",))
    other.execute("PRAGMA journal_mode = WAL").fetchall()
    wanted = graph(db, f"{schema}.v")
    rows = db.execute("SELECT * FROM ann_graph(?)", (f"{schema}.v",))
    found = [next(rows)]
    other.execute("DELETE FROM v WHERE rowid > 2000")
    assert found + rows.fetchall() == wanted
    assert graph(db, f"{schema}.v") != wanted


def test_rows_written_by_a_join_can_go_into_the_tables_that_it_reads(forest, queries):
    table = forest("l2")
    make(table.db, "q", queries)
    wanted = join(table.db, "q", "v", 1)
    table.db.execute("CREATE TABLE near(a, b)")
    table.db.execute("INSERT INTO near SELECT left_id, id FROM ann_join('q', 'v', 1)")
    assert table.db.execute("SELECT * FROM near").fetchall() == [row[:2] for row in wanted]
    before = table.db.execute("SELECT count(*) FROM v").get
    table.db.execute(
        "INSERT INTO v(rowid, embedding) SELECT -left_id, embedding FROM ann_join('q', 'v', 1) JOIN q ON q.rowid = left_id"
    )
    assert table.db.execute("SELECT count(*) FROM v").get == before + len(queries)
    assert join(table.db, "q", "v", 1) == singly(table.db, "q", "v", 1)


def test_views_of_a_stranger_may_use_it(db):
    make(db, "a", np.arange(40).reshape(20, 2))
    db.execute("CREATE VIEW near AS SELECT * FROM ann_graph('a', 1); PRAGMA trusted_schema = OFF")
    assert len(db.execute("SELECT * FROM near").fetchall()) == 20


def test_python_gives_them_as_arrays(rng):
    db = sqlite_ann.connect(":memory:")
    index = sqlite_ann.Index.create(db, "v", dim=4, metric="l2")
    other = sqlite_ann.Index.create(db, "w", dim=4, metric="l2")
    index.add(np.arange(50), rng.standard_normal((50, 4)))
    other.add(np.arange(7), rng.standard_normal((7, 4)))
    left_ids, ids, distances = other.join(index, 3)
    assert list(zip(left_ids.tolist(), ids.tolist(), distances.tolist(), strict=True)) == [
        row[:3] for row in join(db, "w", "v", 3)
    ]
    assert [array.dtype for array in index.graph(5)] == [np.int64, np.int64, np.float64]
    assert len(index.graph(5, recall=1)[0]) == 250
    with pytest.raises(ValueError, match="other: expected an index of the same connection"):
        index.join(sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=4), 3)


def test_an_index_over_an_ordinary_table_is_joined_with_as_it_is_searched(db):
    """Rows that were written since, replaced, emptied and deleted, on either side."""
    rng = np.random.default_rng(3)
    db.execute(songs.SONG)
    songs.insert(db, range(1, 1501), songs.vectors(rng, 1500))
    db.execute(songs.INDEX)
    songs.insert(db, range(2000, 2030), songs.vectors(rng, 30))
    songs.insert(db, range(1, 11), songs.vectors(rng, 10), "REPLACE")
    db.execute("DELETE FROM song WHERE id BETWEEN 20 AND 40; UPDATE song SET embedding = NULL WHERE id = 50")
    make(db, "q", songs.vectors(rng, 70), options=", metric=l2")
    assert join(db, "q", "song_ann", 20) == singly(db, "q", "song_ann", 20)
    there = {id_ for (id_,) in db.execute("SELECT id FROM song WHERE embedding IS NOT NULL")}
    found = graph(db, "song_ann", 3, 1)
    assert {left for left, *_ in found} == there >= {right for _, right, *_ in found}
    assert found == items(db, "song_ann", 3, 1)


def test_rows_that_were_only_written_are_joined(db):
    db.execute(songs.SONG)
    db.execute(songs.INDEX)
    songs.insert(db, [1, 2], np.eye(2, songs.DIM))
    assert [row[:2] for row in graph(db, "song_ann", 1)] == [(1, 2), (2, 1)]
