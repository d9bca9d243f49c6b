"""The database of one AnnoyIndex: a vector table called `annoy`, and beside it a row that says it is built.

    Table.made(path, …)     a new one, in memory or in a file
    Table.opened(path, …)   one in a file, to read; a thousand of them are soon opened
    put  fill               write: items; items and the forest
    plant  unplant          the forest, and the row
    count  vector  distance of items
    search  inspect         the nearest, by recall or by vectors inspected
    copy                    all of it into another file

A file that was opened is read in one transaction, which ends when it is closed: it is as it was opened, and no call pays
for a lock. The extension is loaded by the first call that computes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from ..connection import why_not_opened
from ..errors import Error, translated, translation
from ..extension import load
from ..transaction import savepoint
from ..vectors import Ids
from .metric import Metric

NAME = "annoy"
MADE = """
CREATE VIRTUAL TABLE annoy USING ann(embedding {element}[{f}], metric = {metric}, seed = {seed});
CREATE TABLE IF NOT EXISTS annoy_built(id INTEGER PRIMARY KEY CHECK (id = 1), n_trees INTEGER);
"""
LOOK = """
SELECT config.value, annoy_built.n_trees, (SELECT max(id) FROM annoy_vectors)
  FROM annoy_config AS config LEFT JOIN annoy_built WHERE config.name = 'options'
"""
PUT = "INSERT OR REPLACE INTO annoy(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, ?, ?)"
SEARCH = "SELECT all_ids, all_distances FROM ann_search('annoy', ?, ?, ?) LIMIT 1"
INSPECT = "SELECT all_ids, all_distances FROM ann_search('annoy', ?, ?) WHERE search_k = ? LIMIT 1"
VECTOR = "SELECT vector FROM annoy_vectors WHERE id = ?"
RESEED = """
ALTER TABLE annoy RENAME TO annoy_before;
{made}
INSERT INTO annoy(rowid, embedding) SELECT rowid, embedding FROM annoy_before;
DROP TABLE annoy_before;
"""

Found = tuple[list[int], list[float]]


class Table:
    """One open database. Its caller sees to it that only one thread at a time is in it."""

    def __init__(self, db: apsw.Connection, metric: Metric, f: int, ours: str, *, is_loaded: bool) -> None:
        self.db = db
        self.metric = metric
        self.f = f
        self.ours = ours  # what the table calls the metric
        self.is_loaded = is_loaded  # has the connection the extension?
        self.n_trees = 0
        self.n_items = 0
        self.n_rows = 0  # items that are there; 0 while that is not known
        self.seed = 0  # of a table that is made here
        self.row_bytes = (f + 7) // 8 if metric.is_bits else 4 * f

    # --- making and opening ----------------------------------------------------------------------

    @classmethod
    @translated()
    def made(cls, db: apsw.Connection, metric: Metric, f: int, seed: int) -> Table:
        """A new table, in a database that has the extension."""
        table = cls(db, metric, f, metric.ours[0], is_loaded=True)
        table.seed = seed
        with savepoint(db):
            db.execute(table._made())
        db.execute("SELECT ann_set('annoy', 'absorb', 0)")  # what is put waits for the forest until that is planted
        return table

    @classmethod
    def opened(cls, path: str, metric: Metric, f: int) -> Table:
        """The table in a file, as `AnnoyIndex.save` or `convert` left it. What is no database is an apsw.NotADBError."""
        try:
            db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.Error as error:
            raise OSError(f"{path}: {why_not_opened(path, apsw.SQLITE_OPEN_READONLY) or error}") from error
        try:
            db.set_busy_timeout(5000)
            db.execute("BEGIN")
            options, n_trees, last = db.execute(LOOK).get or (None, None, None)
            if options is None:
                raise OSError(f"{path}: the table {NAME} is damaged: it has no options")
            told = dict(pair.partition("=")[::2] for pair in str(options).split(" ")[-7:])
            ours = differs(path, told, metric, f)
        except apsw.NotADBError:
            db.close()
            raise
        except apsw.Error as error:
            db.close()
            reason = (
                f"there is no table {NAME} that AnnoyIndex.save or convert made" if "no such" in str(error) else error
            )
            raise OSError(f"{path}: {reason}") from error
        except BaseException:
            db.close()
            raise
        if not isinstance(n_trees, int):
            db.close()
            raise OSError(f"{path}: the table {NAME} has not been built")
        table = cls(db, metric, f, ours, is_loaded=False)
        table.n_trees, table.n_items = n_trees, 0 if last is None else max(0, last + 1)
        return table

    def _made(self) -> str:
        return MADE.format(element=self.metric.element, f=self.f, metric=self.ours, seed=self.seed)

    def close(self) -> None:
        self.db.close()

    # --- writing ---------------------------------------------------------------------------------

    @translated()
    def put(self, ids: Ids, vectors: object) -> None:
        """Items, in the place of those with the same ids; `vectors` is a buffer of rows."""
        self.n_rows = 0
        self.db.execute(PUT, (vectors, self.f, self.metric.element, ids))

    def put_items(self, items: Mapping[int, bytes]) -> None:
        self.put(np.fromiter(items, "<i8", len(items)), b"".join(items.values()))

    def fill(self, items: Iterable[tuple[Ids, NDArray[np.generic]]], n_trees: int) -> int:
        """Put items, some at a time, and plant the forest: all of it or nothing. The result is how many they are."""
        with savepoint(self.db):
            for ids, vectors in items:
                self.put(ids, vectors)
            self.plant(n_trees, self.seed, -1)
        return self.count()

    @translated()
    def plant(self, n_trees: int, seed: int, n_jobs: int) -> int:
        """Make the forest anew from the rows and the seed, and say how many trees it is now said to have."""
        with savepoint(self.db):
            if seed != self.seed:
                self.seed = seed
                self.db.execute(RESEED.format(made=self._made()))
            threads = self.db.execute("SELECT ann_set('annoy', 'threads')").get
            if n_jobs != -1:
                self.db.execute("SELECT ann_set('annoy', 'threads', ?)", (min(n_jobs, 64),))
            self.db.execute("INSERT INTO annoy(annoy) VALUES ('rebuild')")
            self.db.execute("SELECT ann_set('annoy', 'threads', ?)", (threads,))
            if n_trees == -1:
                n_trees = self.db.execute("SELECT value FROM ann_info('annoy') WHERE key = 'trees'").get
            self.db.execute("INSERT OR REPLACE INTO annoy_built VALUES (1, ?)", (n_trees,))
        self.n_trees = n_trees
        return n_trees

    @translated()
    def unplant(self) -> None:
        """Say that it is not built; the pages stay, and are made anew by the next `plant`."""
        self.db.execute("DELETE FROM annoy_built")
        self.n_trees = 0

    # --- reading ---------------------------------------------------------------------------------

    @translated()
    def count(self) -> int:
        """How many items are there, of which `n_rows` then reminds."""
        self._load()
        self.n_rows = int(self.db.execute("SELECT value FROM ann_info('annoy') WHERE key = 'rows'").get)
        return self.n_rows

    def vector(self, i: int) -> bytes | None:
        found = self.db.execute(VECTOR, (i,)).get
        if found is not None and len(found) != self.row_bytes:
            raise Error(f"{NAME}, id {i}: expected {self.row_bytes} bytes, got {len(found)}", apsw.SQLITE_CORRUPT_VTAB)
        return found  # type: ignore[no-any-return]

    def distance(self, a: bytes, b: bytes) -> float:
        if not self.is_loaded:
            self._load()
        try:
            found = self.db.execute("SELECT ann_distance(?, ?, ?)", (a, b, self.ours)).get
        except apsw.Error as error:
            raise translation(error) from error
        return self.metric.distance(found, self.ours)

    def search(self, query: bytes, k: int, recall: float) -> Found:
        return self._found(SEARCH, query, k, recall)

    def inspect(self, query: bytes, k: int, search_k: int) -> Found:
        return self._found(INSPECT, query, k, search_k)

    def _found(self, sql: str, query: bytes, k: int, effort: float) -> Found:
        if not self.is_loaded:
            self._load()
        try:
            found = self.db.execute(sql, (query, k, effort)).get
        except apsw.Error as error:
            raise translation(error) from error
        if found is None:
            return [], []
        distances = self.metric.distances(np.frombuffer(found[1], "<f8"), self.ours)
        return np.frombuffer(found[0], "<i8").tolist(), distances

    @translated()
    def warm(self) -> None:
        """Read all into memory, as far as there is room for it."""
        self._load()
        self.db.execute("SELECT ann_set('annoy', 'warm', 1)").fetchall()

    def _load(self) -> None:
        if not self.is_loaded:
            load(self.db)
            self.is_loaded = True

    # --- copying ---------------------------------------------------------------------------------

    def copy(self, path: str) -> None:
        """Into a file, in the place of one that may be there; those who have that open keep what they have."""
        with (
            replacing(path) as part,
            closing(apsw.Connection(part)) as target,
            target.backup("main", self.db, "main") as backup,
        ):
            backup.step()


def differs(path: str, told: Mapping[str, str], metric: Metric, f: int) -> str:
    """The metric of a table, or an OSError with what is not as the index was told."""
    ours, element = told.get("metric", ""), told.get("type")
    if told.get("dimensions") != str(f):
        raise OSError(f"{path}: expected vectors of {f} dimensions, got {told.get('dimensions')}")
    if element != metric.element or ours not in metric.ours:
        raise OSError(f"{path}: expected the metric {metric.name}, got {ours} of {element}")
    return ours


def started(path: str) -> str:
    """An empty file, in the place of one that may be there; those who have that open keep it."""
    check_name(path)
    Path(path).unlink(missing_ok=True)
    remove_rest(path)
    Path(path).touch()
    return path


def check_name(path: str) -> None:
    if not path:  # which Path takes for this folder
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def remove_rest(path: str) -> None:
    """What belonged to the database that was here before, and would be taken for the new one's."""
    for rest in ("-journal", "-wal", "-shm"):
        Path(path + rest).unlink(missing_ok=True)


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """A name beside `path` to write to: at the end it becomes `path`, and is gone if that fails. All is an OSError."""
    part = Path(f"{path}.{os.getpid()}.part")
    try:
        check_name(path)
        part.unlink(missing_ok=True)
        part.touch()
        yield str(part)
        remove_rest(path)
        part.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, path) from error
    except apsw.Error as error:
        raise OSError(f"{path}: {translation(error)}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
