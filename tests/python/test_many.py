"""Index.search for many queries together: what each gets alone, whatever the queries are and however many."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import AsyncIndex, Index, connect_async, errors, vectors

DIM, ROWS = 12, 3000


def test_examples(run_examples):
    run_examples(errors)


def clustered(rng, n):
    centres = 4 * np.random.default_rng(1).standard_normal((40, DIM))
    return (centres[rng.integers(0, 40, n)] + rng.standard_normal((n, DIM))).astype(np.float32)


@pytest.fixture
def index(db, rng):
    index = Index.create(db, "v", DIM, metric="l2")
    index.add(np.arange(ROWS), clustered(rng, ROWS))
    index.optimize()
    return index


@pytest.fixture
def queries(rng):
    return clustered(rng, 300)


def alone(index, queries, *arguments, **more):
    """One search a query."""
    found = [index.search(query, *arguments, **more) for query in queries]
    return [ids.tolist() for ids, _ in found], [distances.tolist() for _, distances in found]


def together(index, queries, *arguments, **more):
    ids, distances = index.search(queries, *arguments, **more)
    assert (ids.dtype, distances.dtype) == (np.int64, np.float64)
    assert ids.flags.writeable
    assert distances.flags.writeable
    return ids.tolist(), distances.tolist()


@pytest.mark.parametrize("n", [1, 2, 10, 300])
@pytest.mark.parametrize("asked", [{}, {"k": 1}, {"k": 300}, {"recall": 0.5}, {"recall": 1}, {"k": None}])
def test_each_query_gets_what_it_gets_alone(index, queries, asked, n):
    wanted = alone(index, queries[:n], **asked)
    for threads in (None, 0, 1, 2, np.int64(2)):
        assert together(index, queries[:n], **asked, threads=threads) == wanted
    for same in (queries[:n].astype(np.float64), queries[:n].tolist(), np.asfortranarray(queries[:n])):
        assert together(index, same, **asked) == wanted


def test_the_table_s_setting_of_threads_holds_where_none_are_asked_for(index, queries):
    wanted = alone(index, queries)
    for threads in (1, 2, 5):
        index.db.execute("SELECT ann_set('v', 'threads', ?)", (threads,)).fetchall()
        assert together(index, queries) == wanted
        assert index.db.execute("SELECT ann_set('v', 'threads')").get == threads


@pytest.mark.parametrize("type_", ["float32", "float16", "bfloat16", "int8", "bit"])
def test_queries_of_the_table_s_own_type_and_of_floats(db, rng, type_):
    x = rng.integers(-9, 10, (400, 16))
    rows = {"bfloat16": (x.astype("<f4").view("<u4") >> 16).astype(np.uint16), "bit": x > 0}.get(type_, x)
    index = Index.create(db, "v", 16, type=type_)
    index.add(np.arange(400), rows)
    packed = np.packbits(x > 0, axis=1, bitorder="little") if type_ == "bit" else rows
    for queries in (x.astype(np.float32), packed, rows):
        for n in (1, 5, 60):
            assert together(index, queries[:n], 5) == alone(index, queries[:n], 5)


def test_more_than_make_one_blob_are_searched_for_in_parts(index, queries, monkeypatch):
    wanted = alone(index, queries)
    for n_bytes in (1, 100, 48 * 100, 48 * 150):
        monkeypatch.setattr(vectors, "BATCH_BYTES", n_bytes)
        assert together(index, queries) == wanted
        assert together(index, queries, None) == wanted
        assert together(index, queries[:0], 4) == ([], [])
        assert [len(row) for row in together(index, queries[:3], ROWS + 5)[0]] == [ROWS + 5] * 3


def test_all_parts_see_one_state_of_the_table(tmp_path, queries, monkeypatch, rng):
    path = tmp_path / "v.db"
    db, other = sqlite_ann.connect(path), sqlite_ann.connect(path)
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    index = Index.create(db, "v", DIM, metric="l2")
    index.add(np.arange(200), clustered(rng, 200))
    wanted, asked = alone(index, queries, 3), 0

    def write(cursor, sql, bindings):
        nonlocal asked
        asked += "ann_search_many" in sql
        if asked == 2:
            other.execute("DELETE FROM v WHERE rowid < 150")
        return True

    monkeypatch.setattr(vectors, "BATCH_BYTES", 48 * 100)
    db.exec_trace = write
    found = together(index, queries, 3)
    db.exec_trace = None
    assert (asked, found) == (3, wanted)
    assert together(index, queries, 3) != wanted


@pytest.mark.parametrize("n_bytes", [vectors.BATCH_BYTES, 48 * 100])
@pytest.mark.parametrize("at", [0, 17, 250])
def test_a_wrong_query_is_named_by_its_number(index, queries, monkeypatch, at, n_bytes):
    monkeypatch.setattr(vectors, "BATCH_BYTES", n_bytes)
    queries[at, 3] = np.nan
    message = rf"query\[{at}\]: expected finite components, got NaN at component 3"
    for asked in ({}, {"exclude": [1]}):
        with pytest.raises(sqlite_ann.Error, match=r"query\[" + str(at) + r"\]: .*got NaN at component 3"):
            index.search(queries, **asked)
    with pytest.raises(sqlite_ann.Error, match=message):
        index.search(queries)
    assert not index.db.in_transaction


@pytest.mark.parametrize(
    "asked",
    [
        {"exclude": [3, 4, 5]},
        {"ids": range(0, ROWS, 3)},
        {"max_distance": 4.0},
        {"search_k": 200},
        {"k": None, "max_distance": 3},
    ],
)
def test_with_conditions_each_gets_what_it_gets_alone(index, queries, asked):
    ids, distances = index.search(queries[:40], **asked, threads=2)
    wanted = alone(index, queries[:40], **asked)
    for row, (near, far) in enumerate(zip(*wanted, strict=True)):
        there = ids[row] >= 0
        assert (ids[row][there].tolist(), distances[row][there].tolist()) == (near, far)


@pytest.mark.parametrize(
    ("threads", "message"),
    [
        (65, "threads to be a whole number from 0 to 64, got 65"),
        (-1, "from 0 to 64, got -1"),
        (1.5, "threads: expected a whole"),
    ],
)
def test_threads_that_cannot_be_are_refused(index, queries, threads, message):
    with pytest.raises((ValueError, sqlite_ann.Error), match=re.escape(message)):
        index.search(queries, threads=threads)


def test_an_ordinary_table_s_rows(db, rng, queries):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB)")
    rows = [(i, row.tobytes()) for i, row in enumerate(clustered(rng, 2000))]
    db.executemany("INSERT INTO song VALUES (?, ?)", rows[:1900])
    index = Index.create(db, "v", DIM, metric="l2", content="song")
    db.executemany("INSERT INTO song VALUES (?, ?)", rows[1900:])
    db.execute("DELETE FROM song WHERE id % 10 = 0")
    for recall in (None, 1):
        assert together(index, queries, recall=recall) == alone(index, queries, recall=recall)


def test_own_writes_are_seen_before_they_are_committed(index, queries):
    with index.db:
        index.add(np.arange(10_000, 10_000 + 100), queries[:100])
        index.remove(np.arange(500))
        assert together(index, queries) == alone(index, queries)
        assert together(index, queries[:100], 1)[0] == [[i] for i in range(10_000, 10_100)]


def test_keys_that_are_text(db, rng, queries):
    index = Index.create(db, "v", DIM, metric="l2", key="uuid")
    index.add([f"song {i}" for i in range(400)], clustered(rng, 400))
    for n in (2, 300):
        keys = index.search(queries[:n], 3, threads=2).ids
        assert keys.tolist() == [index.search(query, 3)[0].tolist() for query in queries[:n]]
    assert index.search(queries[:2], 401).ids[0, -1] is None


def test_programs_that_await(rng, queries):
    if not hasattr(apsw.Connection, "as_async"):
        pytest.skip("this apsw has no async connections")

    async def run():
        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=DIM)
            await index.add(np.arange(500), clustered(rng, 500))
            ids, _ = await index.search(queries, 3, threads=2)
            assert ids[7].tolist() == (await index.search(queries[7], 3)).ids.tolist()

    asyncio.run(run())


def test_one_that_is_interrupted_says_so_and_can_be_asked_again(index, queries):
    wanted = together(index, queries)
    index.db.set_progress_handler(lambda: True, 1)
    with pytest.raises(sqlite_ann.Interrupted):
        index.search(queries)
    index.db.set_progress_handler(None)
    assert together(index, queries) == wanted


@pytest.mark.parametrize("more", [{}, {"ids": [1]}])
@pytest.mark.parametrize("query", [[1, 2], np.float32([1, 2]), [[1, 2], [3, 4]], np.float32([[1, 2], [3, 4]])])
def test_threads_that_there_cannot_be_are_refused_whatever_is_asked(db, query, more):
    index = Index.create(db, "v", 2)
    index.add([1, 2], [[1, 2], [3, 4]])
    for threads in (-1, 65):
        with pytest.raises(
            sqlite_ann.Error, match=f"expected threads to be a whole number from 0 to 64, got {threads}"
        ):
            index.search(query, threads=threads, **more)
    assert index.search(query, threads=2, **more).ids.flat[0] == 1
