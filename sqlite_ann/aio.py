"""An index for programs that await: on apsw's async connections, each of which has a thread of its own.

    db = await connect_async("songs.db")
    index = await AsyncIndex.open(db, "song_ann")        await AsyncIndex.create(db, "song_ann", dim=64)
    ids, distances = await index.search(query, k=10)

Each method of Index is here (`count` is its len(), `has` its `in`), run as a whole in the connection's thread: calls are answered one after the other, and two
tasks never get between the statements of one. A task that is cancelled stops the search or the write it waits for; what
it has written is undone, and the connection goes on. (In a transaction that is open, SQLite may undo all of that.)

`async with db:` is a transaction and closes nothing, as on all connections of apsw's: `contextlib.aclosing(db)` does.
One that is never closed is told by a ResourceWarning when the program ends (sqlite_ann/unclosed.py).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from pickle import PicklingError
from threading import Lock
from typing import Any, TypeVar

import apsw

from . import vectors as arrays
from .answers import Found, Recall, Steps
from .connection import not_opened, place, prepare
from .elements import Rows
from .errors import Error, translated
from .index import Index
from .progress import Report
from .searches import Pairs
from .transaction import savepoint
from .unclosed import watch

T = TypeVar("T")


async def connect_async(path: str | os.PathLike[str], **options: Any) -> apsw.AsyncConnection:
    """`connect` for programs that await: asyncio, or what else apsw has a controller for.

    >>> import asyncio
    >>> from contextlib import aclosing
    >>> async def distance():
    ...     async with aclosing(await connect_async(":memory:")) as db:
    ...         return await (await db.execute("SELECT ann_distance('[0,3]', '[4,0]', 'l2')")).get
    >>> asyncio.run(distance())
    5.0
    """
    if not hasattr(apsw.Connection, "as_async"):
        raise Error("this apsw has no async connections: pip install --upgrade apsw")
    name, flags = place(path, options.pop("flags", None))
    try:
        connection = await apsw.Connection.as_async(name, flags=flags, **options)
        try:
            await connection.async_run(prepare, connection)
        except BaseException:
            await connection.aclose()
            raise
    except Error:  # of the extension, and not of the file
        raise
    except apsw.Error as error:
        raise not_opened(error, name, flags) from error
    watch(connection)
    return connection


class Stopped(BaseException):
    """Raised in the connection's thread, where nobody waits any more."""


class AsyncIndex:
    """One vector table; see Index for what the methods take and give.

    >>> import asyncio
    >>> from contextlib import aclosing
    >>> async def nearest():
    ...     async with aclosing(await connect_async(":memory:")) as db:
    ...         index = await AsyncIndex.create(db, "v", dim=1, metric="l2")
    ...         await index.add([1, 2, 3], [[10], [20], [30]])
    ...         return (await index.search([19], k=2)).to_list()
    >>> asyncio.run(nearest())
    [(2, 1.0), (1, 9.0)]
    """

    def __init__(self, index: Index) -> None:
        """Of an Index that was opened in the connection's thread; `open` and `create` do that."""
        self._index = index
        self.db: apsw.AsyncConnection = index.db  # type: ignore[assignment]
        self._lock = Lock()  # guards what is below, which two threads look at
        self._running: object = None  # the call that the connection's thread is at

    @classmethod
    async def open(cls, db: apsw.AsyncConnection, name: str, key: str | None = None) -> AsyncIndex:
        """A table that is there, as `Index(db, name)`."""
        with translated():
            return cls(await _checked(db).async_run(Index, db, name, key))

    @classmethod
    async def create(
        cls,
        db: apsw.AsyncConnection,
        name: str,
        dim: int,
        metric: str | None = None,
        type: str = "float32",
        **more: Any,
    ) -> AsyncIndex:
        """`Index.create`, with all that it takes."""
        with translated():
            return cls(await _checked(db).async_run(Index.create, db, name, dim, metric, type, **more))

    @property
    def name(self) -> str:
        return self._index.name

    @property
    def dim(self) -> int:
        return self._index.dim

    @property
    def metric(self) -> str:
        return self._index.metric

    @property
    def type(self) -> str:
        return self._index.type

    def __repr__(self) -> str:
        return f"Async{self._index!r}"

    def __reduce__(self) -> tuple[Any, ...]:
        raise PicklingError(
            f"expected an Index to be pickled, got {self!r}: another process awaits a connection of its own"
        )

    async def search(
        self, query: arrays.VectorsLike, k: int | None = 10, recall: float | None = None, **more: Any
    ) -> Found:
        """The k nearest to one vector or to each of many."""
        return await self._run(self._index.search, query, k, recall, **more)

    async def search_item(
        self, ids_of: arrays.IdsLike, k: int | None = 10, recall: float | None = None, **more: Any
    ) -> Found:
        """The k nearest to stored rows."""
        return await self._run(self._index.search_item, ids_of, k, recall, **more)

    async def recommend(self, like: Any, k: int = 10, **more: Any) -> Found:
        """The k rows nearest to those liked and away from those disliked."""
        return await self._run(self._index.recommend, like, k, **more)

    async def join(self, other: AsyncIndex, k: int = 10, recall: float | None = None) -> Pairs:
        """The k nearest rows of another index for each row of this one."""
        # one that is no AsyncIndex is refused there
        return await self._run(self._index.join, getattr(other, "_index", other), k, recall)

    async def graph(self, k: int = 10, recall: float | None = None) -> Pairs:
        """The k nearest other rows of each row."""
        return await self._run(self._index.graph, k, recall)

    async def get(self, ids: arrays.IdsLike) -> Rows:
        """The stored vectors."""
        return await self._run(self._index.get, ids)

    async def count(self) -> int:
        """How many rows there are, as `len(index)` of an Index says."""
        return await self._run(self._index.__len__)

    async def has(self, id_: object) -> bool:
        """Whether there is a row of that id, as `id_ in index` of an Index says."""
        return await self._run(self._index.__contains__, id_)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The ids, ascending, as they are when it begins."""
        for id_ in await self._run(self._index.__iter__):
            yield id_

    async def add(self, ids: Any, vectors: Any = None, **more: Any) -> dict[int, str] | None:
        """Insert ids with their vectors: all of them, or none."""
        added: dict[int, str] | None = await self._run(self._index.add, ids, vectors, **more)
        return added

    async def upsert(self, ids: Any, vectors: Any = None) -> None:
        """`add` that replaces."""
        await self._run(self._index.upsert, ids, vectors)

    async def update(self, ids: arrays.IdsLike, vectors: arrays.VectorsLike) -> None:
        """Replace the vectors of ids that are there."""
        await self._run(self._index.update, ids, vectors)

    async def remove(self, ids: arrays.IdsLike) -> int:
        """Delete ids and say how many were there."""
        return await self._run(self._index.remove, ids)

    async def learn(self, queries: arrays.VectorsLike) -> None:
        """Measure with these real queries from now on."""
        await self._run(self._index.learn, queries)

    async def optimize(self, progress: bool | Report = False) -> bool:
        """Take the waiting rows into the forest; a cancelled one leaves the slices that were done.

        A function for `progress` is called in the connection's thread.
        """
        return await self._run(self._index.optimize, progress, in_slices=True)

    async def follow(self, noted: int = 0) -> bool:
        """Of an index over an ordinary table: take what was written there into the forest, if it is more than so much."""
        return await self._run(self._index.follow, noted)

    async def check(self) -> list[tuple[str, int | None, int | None]]:
        """What is wrong with the index, as (fault, page, id)."""
        return await self._run(self._index.check)

    async def info(self) -> dict[str, Any]:
        """Everything the index tells about itself."""
        return await self._run(self._index.info)

    async def recall(self, k: int = 10, sample: int = 100, recall: float | None = None, **more: Any) -> Recall:
        """The recall that searches really give, measured."""
        return await self._run(self._index.recall, k, sample, recall, **more)

    async def explain(self, query: arrays.VectorsLike, k: int | None = 10, recall: float | None = None) -> Steps:
        """Where the time of one search goes, step by step."""
        return await self._run(self._index.explain, query, k, recall)

    async def drop(self) -> None:
        """Remove the table and all it kept."""
        await self._run(self._index.drop)

    async def _run(self, method: Callable[..., T], *arguments: Any, in_slices: bool = False, **named: Any) -> T:
        """A method in the connection's thread; who stops waiting for it stops it, and undoes what it wrote."""
        call, is_stopped, was_told = object(), False, False
        db = self._index.db

        def enter(now: object) -> None:
            nonlocal was_told
            with self._lock:
                self._running = now
                if is_stopped and not was_told:
                    was_told = True  # once: what undoes the call is let through
                    raise Stopped

        def look(*_statement: object) -> bool:
            """Before each statement, since an interrupt between two of them meets nothing."""
            if self._running is call:
                enter(call)
            return True

        def work() -> T:
            before, db.exec_trace = db.exec_trace, look
            try:
                # Opened out here, so that no interrupt meets what undoes the call.
                with nullcontext() if in_slices else savepoint(db):
                    try:
                        enter(call)
                        return method(*arguments, **named)
                    finally:
                        enter(None)  # from here on it is too late to stop it
            finally:
                db.exec_trace = before

        with translated():
            try:
                done: T = await self.db.async_run(work)
                return done
            except BaseException:
                with self._lock:  # so that it is this call that is interrupted, and none after it
                    is_stopped = True
                    if self._running is call:
                        db.interrupt()
                raise


def _checked(db: apsw.AsyncConnection) -> apsw.AsyncConnection:
    if not (isinstance(db, apsw.Connection) and getattr(db, "is_async", False)):
        raise TypeError(f"expected an async connection, as connect_async() gives, got {type(db).__name__}")
    return db
