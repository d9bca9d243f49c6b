"""ann_explain: its numbers are those of the search, and its times add up."""

from __future__ import annotations

import time
from typing import NamedTuple

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann.answers import Recall

STEPS = ["plan", "rotate", "open", "route", "read_pages", "scan", "read_rows", "rank", "waiting", "exact"]
METRICS = ["cosine", "angular", "l2", "l1", "dot"]


class Step(NamedTuple):
    count: int | None
    bytes: int | None
    microseconds: float | None


def explain(db, query, k=None, recall=None, where="1"):
    query = query.astype("<f4").tobytes() if isinstance(query, np.ndarray) else query
    sql = f"SELECT step, count, bytes, microseconds FROM ann_explain('v', ?, ?, ?) WHERE {where}"
    rows = db.execute(sql, (query, k, recall)).fetchall()
    steps = {row[0]: Step(*row[1:]) for row in rows}
    assert len(steps) == len(rows)
    return steps


def pages(db, kind):
    return dict(db.execute("SELECT page, bytes FROM ann_pages('v') WHERE kind = ?", (kind,)))


# --- counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_steps_come_in_order_and_their_counts_are_those_of_the_search(forest, queries, metric):
    table = forest(metric)
    steps = explain(table.db, queries[0])
    assert list(steps) == [*STEPS, "total", "found"]
    assert steps["plan"][:2] == steps["total"][:2] == (None, None)
    assert steps["rotate"][:2] == (1, 64)
    assert steps["found"] == (10, None, None)
    assert steps["scan"].count == table.info("inspected") > 0
    assert steps["waiting"][:2] == steps["exact"][:2] == (0, 0)
    assert steps["rank"].count >= 10
    assert steps["rank"].bytes == 64 * steps["rank"].count
    # a centre is 32 bytes, and one for every component of a rotated vector
    assert steps["route"].bytes == steps["route"].count * (32 + 256)
    assert steps["open"].count >= 2
    before = table.info("inspected")
    table.search(queries[0])
    assert table.info("inspected") == before


def test_it_counts_as_one_search(forest, queries):
    table = forest()
    before = table.info("searches")
    explain(table.db, queries[0])
    assert table.info("searches") == before + 1


def test_without_a_cache_everything_is_read_and_with_one_nothing_twice(forest, queries):
    table = forest()
    table.db.execute("INSERT INTO v(v) VALUES ('cache_mb=0')")
    for _ in range(2):
        steps = explain(table.db, queries[1])
        leaves, directories = pages(table.db, "leaf"), pages(table.db, "directory")
        assert len(leaves) + len(directories) >= steps["read_pages"].count > 2
        assert steps["read_pages"].bytes == steps["open"].bytes + steps["scan"].bytes
        assert steps["open"].count <= len(directories)
        assert steps["open"].bytes <= sum(directories.values())
        assert steps["read_rows"].count == steps["rank"].count
        assert steps["read_rows"].bytes == steps["rank"].bytes
        assert steps["read_pages"].microseconds > 0 < steps["read_rows"].microseconds
    table.db.execute("INSERT INTO v(v) VALUES ('cache_mb=64')")
    counts = []
    for _ in range(2):
        steps = explain(table.db, queries[1])
        counts.append((steps["read_pages"].count, steps["read_rows"].count))
    assert counts[0][0] > 0 < counts[0][1]
    assert counts[1] == (0, 0)
    assert steps["read_pages"] == steps["read_rows"] == (0, 0, 0.0)


def test_part_of_the_rows_come_from_memory(forest, queries):
    db = forest().db
    explain(db, queries[2], 5)
    more = explain(db, queries[2], 40)
    assert 0 < more["read_rows"].count < more["rank"].count


def test_waiting_rows(forest, load, make_vectors, rng, queries):
    table = forest()
    table.db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    load(table.db, np.arange(10_000, 10_300), make_vectors(rng, 300))
    waiting = table.info("waiting")
    assert waiting > 200
    assert explain(table.db, queries[0])["waiting"][:2] == (waiting, 64 * waiting)


def test_an_exact_search_looks_at_every_row(forest, queries):
    steps = explain(forest().db, queries[0], 10, 1)
    assert steps["exact"][:2] == (1500, 1500 * 64)
    assert [steps[step].count for step in ("rotate", "open", "route", "scan", "rank")] == [0] * 5


def test_a_small_table_counts_its_rows_once_from_memory_too(small, queries):
    query = np.ones(small.x.shape[1], np.float32)
    first, second = (explain(small.db, query)["exact"][:2] for _ in range(2))
    assert first == second == (60, 60 * query.nbytes)


def test_more_recall_is_more_work(forest, queries):
    db = forest().db
    work = [sum(explain(db, query, 10, recall)["scan"].count for query in queries) for recall in (0.5, 0.9, 0.99)]
    assert work[0] < work[1]
    assert work[1] < work[2]


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("recall", [0.9, 1])
def test_times_add_up_to_the_total_and_the_total_is_within_the_call(forest, queries, recall):
    db = forest().db
    for query in queries[:10]:
        start = time.perf_counter()
        steps = explain(db, query, 10, recall)
        took = 1e6 * (time.perf_counter() - start)
        assert all(steps[step].microseconds >= 0 for step in STEPS)
        assert sum(steps[step].microseconds for step in STEPS) == pytest.approx(steps["total"].microseconds, abs=0.01)
        assert 0 < steps["total"].microseconds < took


def test_the_time_goes_where_the_work_is(forest, queries):
    """A search that reads all rows spends most of its time on that: of many, one at least says so."""
    db = forest().db
    shares = []
    for query in queries[:10]:
        steps = explain(db, query, 10, 1)
        shares.append(steps["exact"].microseconds / steps["total"].microseconds)
    assert max(shares) > 0.5


# --- fewer than k --------------------------------------------------------------------------------


def test_fewer_because_the_table_has_no_more(small):
    steps = explain(small.db, "[0,0]", 100)
    assert steps["found"].count == 60
    assert steps["fewer: the table has no more rows"] == (40, None, None)
    assert list(steps)[-1].startswith("fewer")


def test_fewer_because_search_k_was_reached(forest, queries):
    steps = explain(forest().db, queries[0], 100, where="search_k = 20")
    assert steps["scan"].count == 20
    missing = steps["fewer: search_k was reached"].count
    assert missing == 100 - steps["found"].count > 0


def test_rows_that_are_lost_are_damage_and_no_shorter_answer(forest, queries):
    db = forest().db
    db.execute("DELETE FROM v_vectors WHERE id % 10 <> 1")
    with pytest.raises(apsw.CorruptError, match=r"the forest has a row \d+ that v_vectors lacks; rebuild it"):
        explain(db, queries[0])
    with pytest.raises(apsw.CorruptError, match="the forest has a row"):
        db.execute("SELECT id FROM ann_search('v', ?, 10)", (queries[0].tobytes(),)).fetchall()
    db.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert explain(db, queries[0])["found"].count == 10


def test_not_fewer(forest, queries):
    assert not any(step.startswith("fewer") for step in explain(forest().db, queries[0], 50))


def test_an_empty_table(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    steps = explain(db, "[1,2]")
    assert steps["found"].count == 0
    assert steps["exact"].count == 0
    assert steps["fewer: the table has no more rows"].count == 10


def test_a_null_query_gives_no_rows(small):
    assert explain(small.db, None) == {}


# --- arguments -----------------------------------------------------------------------------------


def test_arguments_read_back(small):
    sql = "SELECT \"table\", query, k, recall, search_k FROM ann_explain('main.v', '[0,0]', 3, 0.5) WHERE search_k = 9"
    assert set(small.db.execute(sql)) == {("main.v", "[0,0]", 3, 0.5, 9)}


def test_one_step_or_some_can_be_asked_for(forest, queries):
    """In one search: SQLite picks the rows."""
    table = forest()
    before = table.info("searches")
    assert list(explain(table.db, queries[0], where="step IN ('scan', 'rank', 'nothing')")) == ["scan", "rank"]
    assert table.info("searches") == before + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("[0,0]", 0), "expected k to be a whole number from 1, got 0"),
        (("[0,0]", "x"), "expected k to be a whole number from 1, got x"),
        (("[0,0]", 5, 0), "expected recall to be above 0 and at most 1, got 0"),
        (("[0,0]", 5, 2), "expected recall to be above 0 and at most 1, got 2"),
        (("[0,0]", 5, 0.9, 0), "expected search_k to be a whole number from 1, got 0"),
    ],
)
def test_a_wrong_argument(small, refused, arguments, message):
    marks = ", ".join("?" * len(arguments))
    refused(small.db, f"SELECT * FROM ann_explain('v', {marks})", arguments, f"ann_explain: {message}")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"123", "expected a blob of 8 bytes (2 float32), got 3 bytes"),
        ("[1]", "expected 2 numbers, got 1"),
        (7, "expected a blob of 2 float32 or a JSON array, got an integer"),
    ],
)
def test_a_wrong_query(small, refused, query, message):
    sql = "SELECT * FROM ann_explain('v', ?)"
    refused(small.db, sql, (query,), f"ann_explain, table v, column embedding: {message}")


# --- where and when ------------------------------------------------------------------------------


def test_a_read_only_database(forest_file, other_connections, queries):
    db = other_connections(forest_file, flags=apsw.SQLITE_OPEN_READONLY)
    assert explain(db, queries[0])["found"].count == 10


def test_a_search_that_fails_leaves_no_stopwatch_running(forest, queries):
    table = forest()
    table.db.set_progress_handler(lambda: True, 1)
    with pytest.raises(apsw.InterruptError):
        explain(table.db, queries[0], 10, 1)
    table.db.set_progress_handler(None)
    assert len(table.search(queries[0])) == 10
    assert explain(table.db, queries[0])["found"].count == 10


def test_in_a_join_with_the_queries(forest, queries):
    db = forest().db
    db.execute("CREATE TABLE q(at)")
    db.executemany("INSERT INTO q VALUES (?)", [(query.tobytes(),) for query in queries[:3]])
    sql = "SELECT q.rowid, e.count FROM q JOIN ann_explain('v', q.at, 7) AS e WHERE e.step = 'found' ORDER BY 1"
    assert db.execute(sql).fetchall() == [(1, 7), (2, 7), (3, 7)]


def test_from_python(db):
    index = sqlite_ann.Index.create(db, "v", dim=2)
    index.add([1, 2], [[1, 2], [3, 4]])
    steps = index.explain([1, 2], k=1)
    assert [step.step for step in steps] == [*STEPS, "total", "found"]
    assert steps[-1].count == 1
    with pytest.raises(ValueError, match="query: expected one vector, got 2"):
        index.explain([[1, 2], [3, 4]])
    assert index.recall(1) == Recall(1, 2, 1.0, pytest.approx(0.342, abs=0.001), 1.0)
