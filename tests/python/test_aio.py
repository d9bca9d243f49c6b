"""Programs that await: connections, AsyncIndex, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import aclosing

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import AsyncIndex, Index, aio, connect_async

pytestmark = pytest.mark.skipif(not hasattr(apsw.Connection, "as_async"), reason="this apsw has no async connections")


def awaited(coroutine):
    """In a loop of its own, for a minute at most."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_examples(run_examples):
    run_examples(aio)


def test_the_extension_is_loaded_into_an_async_connection():
    async def run():
        async with aclosing(await apsw.Connection.as_async(":memory:")) as db:
            await sqlite_ann.load(db)
            return await (await db.execute("SELECT ann_version()")).get

    assert awaited(run()) == sqlite_ann.__version__


def test_all_that_an_async_index_can_do(tmp_path):
    async def run():
        db = await connect_async(tmp_path / "v.db")
        index = await AsyncIndex.create(db, "v", dim=2, metric="l2", exists_ok=True)
        await index.add([1, 2, 3], [[1, 0], [2, 0], [3, 0]])
        await index.upsert((i, (i, 0)) for i in (3, 4))
        await index.update(1, [1, 1])
        assert await index.add([8, 9], [[8, 0], [9, np.nan]], on_bad="skip") == {
            9: "expected finite components, got nan"
        }
        assert await index.remove([4, 5]) == 1
        again = await AsyncIndex.open(db, "v")
        assert (again.name, again.dim, again.metric, repr(again)) == (
            "v",
            2,
            "l2",
            "AsyncIndex('v', dim=2, metric='l2')",
        )
        assert (await again.get([1, 8])).tolist() == [[1, 1], [8, 0]]
        found = await asyncio.gather(*(again.search([n, 0], k=1, recall=1) for n in (2, 3, 8)))
        assert [list(ids) for ids, _ in found] == [[2], [3], [8]]
        assert (await again.search_item(2, k=1, exclude=[1])).to_list() == [(3, 1.0)]
        assert await again.optimize() is False
        await db.aclose()

    awaited(run())
    assert list(Index(tmp_path / "v.db", "v")) == [1, 2, 3, 8]


def test_every_public_name_of_an_index_is_here():
    theirs = {name for name in dir(Index) if not name.startswith("_")} - {"create"}
    assert theirs <= set(dir(AsyncIndex))
    assert all(asyncio.iscoroutinefunction(vars(AsyncIndex)[name]) for name in theirs)


def test_what_else_an_index_has_answers_as_it_does(rng):
    rows = rng.standard_normal((1500, 4)).astype(np.float32)
    plain = Index.create(sqlite_ann.connect(":memory:"), "v", dim=4, seed=7)
    other = Index.create(plain.db, "w", dim=4)
    plain.add(np.arange(1500), rows)
    other.add([1, 2], rows[:2])
    said = []

    async def run():
        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=4, seed=7)
            assert (index.type, await index.count(), await index.has(7)) == ("float32", 0, False)
            await index.add(np.arange(1500), rows)
            small = await AsyncIndex.create(db, "w", dim=4)
            await small.add([1, 2], rows[:2])
            assert (await index.count(), await index.has(7), await index.has("7")) == (1500, True, False)
            assert [id_ async for id_ in small] == [1, 2]
            found = await index.recommend([1, 2], k=3, heard=[5], dislike=[9])
            assert found.to_list() == plain.recommend([1, 2], k=3, heard=[5], dislike=[9]).to_list()
            for one, two in (
                (await small.join(index, k=2), other.join(plain, k=2)),
                (await small.graph(k=1), other.graph(k=1)),
            ):
                assert [part.tolist() for part in one] == [part.tolist() for part in two]
            with pytest.raises(ValueError, match="other: expected an index of the same connection, got"):
                await index.join(plain)
            assert await index.recall(k=5, sample=50) == plain.recall(k=5, sample=50)
            assert [step.step for step in await index.explain(rows[0])] == [
                step.step for step in plain.explain(rows[0])
            ]
            assert (await index.check(), (await index.info())["rows"], await index.follow()) == ([], 1500, False)
            await index.learn(rows[:20])
            assert (await index.info())["learned"] == 20
            await index.optimize(progress=lambda *done: said.append(done))
            await small.drop()
            with pytest.raises(sqlite_ann.Error, match="there is no table w"):
                await AsyncIndex.open(db, "w")

    awaited(run())
    assert said


def test_an_index_with_keys_is_awaited_by_its_keys():
    async def run():
        async with aclosing(await connect_async(":memory:")) as db:
            made = await AsyncIndex.create(db, "v", dim=2, key="uuid")
            await made.add(["a", "b"], [[1, 0], [0, 1]])
            for index in (await AsyncIndex.open(db, "v"), await AsyncIndex.open(db, "v", key="uuid")):
                assert (await index.search([1, 0], k=1, keys=["b"])).ids.tolist() == ["b"]
                assert (await index.has("a"), [key async for key in index]) == (True, ["a", "b"])

    awaited(run())


def test_errors_are_those_of_an_index(tmp_path):
    async def run():
        with pytest.raises(sqlite_ann.Error, match=r"unable to open .*no.v.db: there is no folder .*no"):
            await connect_async(tmp_path / "no/v.db")
        async with aclosing(await connect_async(":memory:")) as db:
            with pytest.raises(sqlite_ann.Error, match="there is no table w"):
                await AsyncIndex.open(db, "w")
            index = await AsyncIndex.create(db, "v", dim=2)
            await index.add(1, [1, 2])
            with pytest.raises(sqlite_ann.Duplicate):
                await index.add([2, 1], [[1, 2]] * 2)
            with pytest.raises(KeyError):
                await index.get(2)
            with pytest.raises(TypeError, match="expected a connection that is not async"):
                Index(db, "v")
        with pytest.raises(sqlite_ann.Error, match="closed"):
            await index.get(1)
        with pytest.raises(TypeError, match="expected an async connection"):
            await AsyncIndex.open(sqlite_ann.connect(":memory:"), "v")

    awaited(run())


UNCLOSED = """
import asyncio, sys, threading, time, sqlite_ann

async def main():
    global first, second
    first, second = [await sqlite_ann.connect_async(name) for name in ("first.db", "second.db")]
    index = await sqlite_ann.AsyncIndex.create(first, "v", dim=1)
    await asyncio.sleep(0.5)  # in which the main thread ends, where this is not it
    await index.add([1], [[1]])
    await second.aclose()
    print(await index.count())

if "thread" in sys.argv:
    threading.Thread(target=asyncio.run, args=(main(),)).start()
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("warnings", ["default", "error", "ignore"])
def test_a_connection_that_nobody_closed_lets_the_program_end(tmp_path, where, warnings):
    program = [sys.executable, "-W", f"{warnings}::ResourceWarning", "-c", UNCLOSED, where]
    ended = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.stdout == "1\n"
    told = [line for line in ended.stderr.splitlines() if "ResourceWarning: unclosed" in line]
    assert len(told) == (warnings != "ignore")
    assert all("first.db" in line and "await connection.aclose()" in line for line in told)
    assert len(Index(tmp_path / "first.db", "v")) == 1


async def cancelled_after(seconds, coroutine):
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 0.01, 0.1, 0.4])
def test_a_cancelled_write_is_undone_and_the_connection_goes_on(rng, seconds):
    rows = rng.standard_normal((100_000, 32)).astype(np.float32)

    async def run():
        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=32)
            await index.add(-1, rows[0])
            begun = time.monotonic()
            await cancelled_after(seconds, index.add(range(len(rows)), rows))
            assert (await index.search(rows[0], k=2)).ids.tolist() == [-1]
            assert time.monotonic() - begun < 30
            await index.add(-2, rows[1])
            assert await db.async_run(index._index.check) == []
            assert not await db.async_run(lambda: index._index.db.in_transaction)

    awaited(run())


@pytest.mark.slow
def test_a_cancelled_generator_is_stopped_where_it_is():
    async def run():
        begun = 0

        def rows():
            nonlocal begun
            for begun in range(10_000_000):
                yield begun, (begun, 1)

        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=2)
            await cancelled_after(1, index.add(rows()))
            assert (await index.search([1, 1])).ids.tolist() == []
            assert 0 < begun < 9_999_999

    awaited(run())


@pytest.mark.slow
def test_a_cancelled_search_ends_soon_and_stops_no_other(rng):
    rows = rng.standard_normal((20_000, 64)).astype(np.float32)

    async def run():
        async with aclosing(await connect_async(":memory:")) as db:
            index = await AsyncIndex.create(db, "v", dim=64)
            await index.add(range(len(rows)), rows)
            begun = time.monotonic()
            many = index.search(rows, recall=1)  # minutes, if it were let
            one = asyncio.create_task(index.search(rows[7], k=1))
            await cancelled_after(0.3, many)
            assert (await one).ids.tolist() == [7]
            assert time.monotonic() - begun < 20

    awaited(run())
