"""The rows of an index on a plane, neighbours near each other: what `sqlite-ann map` draws.

    neighbours(index)            the 14 nearest of each row, and the row itself before them
    laid_out(found)              a place for each row, by umap-learn, which sees nothing but these neighbours
    stored(index)                the places that are kept, where they are of the rows that are there now
    keep(index, ids, places)     keep them, in place of others

Places are kept beside the index in an ordinary table, which everybody can read and join:

    CREATE TABLE song_ann_map(id INTEGER PRIMARY KEY, x REAL NOT NULL, y REAL NOT NULL)

It belongs to no virtual table: it is neither renamed nor dropped with the index.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .index import Index
from .names import quoted, resolved
from .progress import Report, reporting
from .transaction import savepoint

N_NEIGHBOURS = 15  # umap-learn's default, which counts the row itself
RECALL = 0.98  # a few neighbours that are missed change no picture, and exact search would take ten times as long
FEWEST = 20  # rows: of fewer, most are neighbours of most others
SEED = 42
BATCH = 4096 * (N_NEIGHBOURS - 1)  # pairs read at once

NEEDS_UMAP = "map needs the package umap-learn: pip install 'sqlite_ann[map]'"

PAIR = np.dtype([("left_id", np.int64), ("id", np.int64), ("rank", np.int64), ("distance", np.float64)])
GRAPH = "SELECT left_id, id, rank, distance FROM ann_graph(?, ?, ?) ORDER BY left_id, rank"

Ids = NDArray[np.int64]
Places = NDArray[np.float64]  # shape (n, 2)


@dataclass(frozen=True)
class Neighbours:
    ids: Ids  # of the rows, ascending
    rows: NDArray[np.int64]  # shape (n, 15): the row itself, then its neighbours, as places in ids
    distances: NDArray[np.float64]  # of the row itself 0; where fewer are found, the row itself again


# --- neighbours ----------------------------------------------------------------------------------


def ids_of(index: Index) -> Ids:
    """The ids of all rows, ascending."""
    return np.fromiter(
        (row[0] for row in index.db.execute(f"SELECT rowid FROM {index.table} ORDER BY rowid")), np.int64
    )


def neighbours(index: Index, progress: bool | Report = False) -> Neighbours:
    """Of one state of the table, whatever others write meanwhile.

    >>> import numpy as np, sqlite_ann
    >>> index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "v", dim=1, metric="l2")
    >>> index.add(np.arange(20), np.arange(20)[:, None])
    >>> neighbours(index).rows[0, :4].tolist()
    [0, 1, 2, 3]
    """
    with savepoint(index.db):
        ids = ids_of(index)
        if len(ids) < FEWEST:
            raise ValueError(f"{index.name}: expected {FEWEST} rows or more for a map, got {len(ids)}")
        rows = np.repeat(np.arange(len(ids))[:, None], N_NEIGHBOURS, axis=1)
        distances = np.zeros(rows.shape)
        found = index.db.execute(GRAPH, (index.name, N_NEIGHBOURS - 1, RECALL))
        with reporting(progress, f"neighbours of {index.name}") as report:
            while len(pairs := np.fromiter(islice(found, BATCH), PAIR)):
                at = np.searchsorted(ids, pairs["left_id"]), pairs["rank"]
                rows[at], distances[at] = np.searchsorted(ids, pairs["id"]), pairs["distance"]
                report(int(at[0][-1]) + 1, len(ids))
    return Neighbours(ids, rows, distances)


# --- places --------------------------------------------------------------------------------------


def laid_out(found: Neighbours, progress: bool | Report = False, title: str = "laying out") -> Places:
    """The same places for the same neighbours: the seed is fixed, for which umap-learn works in one thread."""
    with reporting(progress, title) as report, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that new rows cannot be placed later
        try:
            from umap import UMAP
        except ImportError:
            raise ImportError(NEEDS_UMAP) from None
        model = UMAP(
            n_neighbors=N_NEIGHBOURS,
            random_state=SEED,
            n_jobs=1,
            precomputed_knn=(found.rows.copy(), for_umap(found)),
            tqdm_kwds={"disable": False, "file": Epochs(report), "bar_format": "{n_fmt}/{total_fmt}"},
        )
        # It asks for vectors, too, and looks at them only to place parts of the graph that nothing joins.
        places = np.asarray(model.fit_transform(np.zeros((len(found.ids), 1), np.float32)), np.float64)
    is_placed = np.isfinite(places).all(axis=1)
    places[~is_placed] = places[is_placed].mean(axis=0) if is_placed.any() else 0
    return places


def for_umap(found: Neighbours) -> NDArray[np.float32]:
    """Distances as it takes them: none below 0, as products have, and none that becomes smaller along a row.

    What is subtracted from all of them changes nothing: each row's are compared with its nearest one's.
    """
    distances = found.distances.copy()
    distances[:, 1:] -= min(0.0, distances[:, 1:].min())
    return np.maximum.accumulate(distances, axis=1).astype(np.float32)


class Epochs:
    """What umap-learn's own bar writes to: it reports the numbers."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def write(self, text: str) -> None:
        if numbers := re.search(r"(\d+)/(\d+)", text):
            self.report(int(numbers[1]), int(numbers[2]))

    def flush(self) -> None:
        pass


# --- the table -----------------------------------------------------------------------------------


def table_of(index: Index) -> tuple[str | None, str]:
    """Schema and name of the table that keeps the places."""
    schema, table = resolved(index.db, index.name)
    return schema, f"{table}_map"


def check_table(index: Index) -> bool:
    """Is the table there?  Refused where another has its name."""
    schema, name = table_of(index)
    sql = "SELECT name FROM pragma_table_xinfo(?, ?)"
    columns = [column for (column,) in index.db.execute(sql, (name, schema or "main"))]
    if columns and columns != ["id", "x", "y"]:
        raise ValueError(f"{name}: expected a table of id, x and y, got one of {', '.join(columns)}")
    return bool(columns)


def stored(index: Index) -> tuple[Ids, Places] | None:
    """The places that are kept; None where rows have come or gone since, which their ids show."""
    if not check_table(index):
        return None
    schema, name = table_of(index)
    sql = f"SELECT id, x, y FROM {quoted(name, schema)} WHERE typeof(x) = 'real' AND typeof(y) = 'real' ORDER BY id"
    with savepoint(index.db):
        rows = np.fromiter(index.db.execute(sql), np.dtype([("id", np.int64), ("x", np.float64), ("y", np.float64)]))
        if not np.array_equal(rows["id"], ids_of(index)):
            return None
    return rows["id"].copy(), np.column_stack([rows["x"], rows["y"]])


def keep(index: Index, ids: Ids, places: Places) -> None:
    """All or none, so that whoever reads the table sees the places before or those after."""
    schema, name = table_of(index)
    table = quoted(name, schema)
    with savepoint(index.db):
        index.db.execute(f"DROP TABLE IF EXISTS {table}")
        index.db.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, x REAL NOT NULL, y REAL NOT NULL)")
        rows = zip(ids.tolist(), *places.T.tolist(), strict=True)
        index.db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
