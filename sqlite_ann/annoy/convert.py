"""Between .ann files and tables of ours.

convert(source, target, metric)    an .ann file → the table `annoy` of a database
export(db, table, target)          a table → an .ann file
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np

from ..connection import connect
from ..errors import translated
from ..names import quoted, resolved
from ..transaction import savepoint
from .metric import METRICS, Metric
from .reading import AnnFile, find_f
from .table import NAME, Table, replacing
from .writing import write


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str], metric: str, f: int | None = None) -> int:
    """Put the vectors of an .ann file into a table `annoy` of a database, and plant a forest; the result is how many.

    The database may be there, and hold other tables: `AnnoyIndex(f, metric).load(target)` opens it all the same. `f` is
    found from the file, but with hamming. It is done as a whole or not at all.

    >>> from sqlite_ann.annoy import convert
    >>> convert("songs.ann", "songs.db", "angular")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'songs.ann'
    """
    source, target, known = os.fspath(source), os.fspath(target), named(metric)
    file = AnnFile(source, known, find_f(source, known) if f is None else f)
    file.check()
    is_new = not Path(target).exists()
    try:
        with closing(connect(target)) as db:
            return fill(db, file, target)
    except BaseException:
        if is_new:
            Path(target).unlink(missing_ok=True)
        raise


@translated()
def fill(db: apsw.Connection, file: AnnFile, target: str) -> int:
    if db.table_exists("main", NAME):
        raise ValueError(f"{target} has a table {NAME} already")
    with savepoint(db):
        return Table.made(db, file.metric, file.f, seed=0).fill(file.items(), file.n_trees)


def named(metric: str) -> Metric:
    if metric not in METRICS:
        raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}")
    return METRICS[metric]


@translated()
def export(db: apsw.Connection, table: str, target: str | os.PathLike[str], n_trees: int = 10, seed: int = 0) -> int:
    """Write a table of vectors as an .ann file, with trees of Annoy's shape; the result is how many there are.

    Ids must be from 0 to 2^31 - 2, and one that is missing takes as much room as one that is there. All vectors are in
    memory meanwhile.

    >>> import sqlite_ann
    >>> from sqlite_ann.annoy import export
    >>> db = sqlite_ann.connect(":memory:")
    >>> index = sqlite_ann.Index.create(db, "song_ann", dim=2, metric="l2")
    >>> index.add([-7], [[1, 2]])
    >>> export(db, "song_ann", "songs.ann")
    Traceback (most recent call last):
    ValueError: song_ann: expected ids from 0 to 2147483646 for an .ann file, got -7
    """
    if n_trees < 1:
        raise ValueError(f"n_trees: expected at least 1, got {n_trees}")
    about = dict(
        db.execute(
            "SELECT key, value FROM ann_info(?) WHERE key IN ('column', 'type', 'metric', 'dimensions', 'rows')",
            (table,),
        )
    )
    metric = metric_of(table, about["metric"], about["type"])
    schema, name = resolved(db, table)
    f, n_rows = about["dimensions"], about["rows"]
    ids = np.empty(n_rows, np.int64)
    rows = np.zeros((n_rows, metric.vector_bytes(f)), np.uint8)
    sql = f"SELECT rowid, {quoted(about['column'])} FROM {quoted(name, schema)} ORDER BY rowid"
    for i, (id_, blob) in enumerate(db.execute(sql)):
        ids[i] = id_
        rows[i, : len(blob)] = np.frombuffer(blob, np.uint8)
    odd = ids[(ids < 0) | (ids > 2**31 - 2)]
    if len(odd):
        raise ValueError(f"{table}: expected ids from 0 to {2**31 - 2} for an .ann file, got {odd[0]}")
    with replacing(os.fspath(target)) as part:
        write(part, metric, f, ids, rows.view("<u8" if metric.is_bits else "<f4"), n_trees, seed)
    return int(n_rows)


def metric_of(table: str, ours: str, element: str) -> Metric:
    for metric in METRICS.values():
        if ours in metric.ours and element == metric.element:
            return metric
    raise ValueError(f"{table}: Annoy has no metric for {ours} of {element}")
