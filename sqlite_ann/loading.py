"""What `sqlite-ann load` takes: arrays in files, or another table of the same database.

    arrays_of(options)         the arrays of .npy and .npz files, and their ids     before any database is opened
    load_arrays(db, …)         puts them into the index
    load_table(db, …)          puts a table's column of blobs or JSON text into it, by one statement

Both add everything in one transaction, or nothing, and give the index with the number of vectors that were read.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from .errors import translated
from .index import INSERT, Index
from .names import quoted, resolved
from .progress import Report, reporting
from .transaction import savepoint

ROWID = ("rowid", "oid", "_rowid_")
Array = NDArray[Any]

# --- files ---------------------------------------------------------------------------------------


def arrays_of(options: argparse.Namespace) -> tuple[list[Array], Array]:
    """The arrays, those of .npy files read as they are needed, and one id for each of their rows."""
    arrays = [array_of(path, options.column, "--column") for path in options.files]
    for path, array in zip(options.files, arrays, strict=True):
        if array.ndim != 2:
            raise ValueError(f"{path}: expected shape (n, dimensions), got {array.shape}")
    total = sum(map(len, arrays))
    ids = array_of(options.ids, options.id, "--id") if options.ids else np.arange(total)
    if ids.shape != (total,):
        raise ValueError(f"{options.ids}: expected {total} ids, one a vector, got shape {ids.shape}")
    return arrays, ids


def array_of(path: Path, name: str | None, option: str) -> Array:
    """The array in a file; of an .npz, which may hold several, the one that the option names."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            with reading(path):
                return np.lib.format.open_memmap(path, mode="r")
        file.seek(0)
        with np.load(file) as read:
            name = chosen(path, read.files, name, option)
            with reading(path):
                return np.asarray(read[name])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What numpy says of a file that it cannot read is about pickles and mappings."""
    try:
        yield
    except (ValueError, EOFError, zipfile.BadZipFile):
        wanted = "an array of numbers as numpy.save or numpy.savez writes it"
        raise ValueError(f"{path}: expected {wanted}, got something else") from None


def chosen(path: Path, names: list[str], name: str | None, option: str) -> str:
    if name is None and len(names) == 1:
        return names[0]
    there = f"{path} holds the arrays {', '.join(names)}" if names else f"{path} holds no array"
    if name is None:
        raise ValueError(f"{there}: {option} says which is meant")
    if name not in names:
        raise ValueError(f"{there}, and none that is called {name}")
    return name


def load_arrays(db: apsw.Connection, options: argparse.Namespace, arrays: list[Array], ids: Array) -> tuple[Index, int]:
    first, total = 0, len(ids)
    with savepoint(db), reporting(True, f"adding to {options.index}") as report:
        index = opened_or_made(db, options, arrays[0].shape[1])
        for array in arrays:
            some = ids[first : first + len(array)]
            index.add(some, array, existing=options.existing, progress=shifted(report, first, total))
            first += len(array)
    return index, total


def shifted(report: Report, first: int, total: int) -> Report:
    """A report for one part of the work: `first` rows of the total are done before it."""
    return lambda done, _: report(first + done, total)


# --- a table -------------------------------------------------------------------------------------


@translated()
def load_table(db: apsw.Connection, options: argparse.Namespace) -> tuple[Index, int]:
    schema, table = resolved(db, options.table)
    names = options.id or "rowid", options.column or "embedding"
    check_columns(db, schema or "main", table, *names)
    id_, column = map(quoted, names)
    source = f"FROM {quoted(table, schema)} WHERE {column} IS NOT NULL"
    check_ids(db, f"{options.table}.{names[0]}", id_, source)
    total, dim = db.execute(
        "SELECT count(*), (SELECT iif(typeof(v) = 'blob', length(v) / 4, json_array_length(v))"
        f" FROM (SELECT {column} AS v {source} LIMIT 1)) {source}"
    ).get
    if total == 0:
        raise ValueError(f"{options.table}.{names[1]} has no vectors")
    with savepoint(db):
        index = opened_or_made(db, options, dim)
        verb = INSERT[options.existing]
        db.execute(f"{verb} INTO {index.table}(rowid, {index.column}) SELECT {id_}, {column} {source}")
    return index, total


def check_columns(db: apsw.Connection, schema: str, table: str, id_: str, column: str) -> None:
    """Refuse columns that are not there, which SQLite may take for text, and rowids that do not last."""
    there = [name for (name,) in db.execute("SELECT name FROM pragma_table_xinfo(?, ?)", (table, schema))]
    if not there:
        raise ValueError(f"there is no table {table}")
    known = [name.lower() for name in there]
    is_rowid = id_.lower() in ROWID and id_.lower() not in known
    for name in (column,) if is_rowid else (column, id_):
        if name.lower() not in known:
            raise ValueError(f"{table} has no column {name}; it has {', '.join(there)}")
    if is_rowid:
        check_rowid(db, schema, table)


def check_rowid(db: apsw.Connection, schema: str, table: str) -> None:
    """Refuse the rowid of a table where it is no column of its own: VACUUM may number such rows anew."""
    kind, without_rowid = db.execute("SELECT type, wr FROM pragma_table_list(?) WHERE schema = ?", (table, schema)).get
    if kind == "view" or without_rowid:
        raise ValueError(f"{table} has no rowid: --id says which of its columns holds the ids")
    # Of a key that is the rowid there is no index; INTEGER PRIMARY KEY DESC, for one, is another column with one.
    lasting = db.execute(
        "SELECT count(*) = 1 AND max(type) = 'INTEGER' COLLATE NOCASE"
        " AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, ?2) WHERE origin = 'pk')"
        " FROM pragma_table_info(?1, ?2) WHERE pk",
        (table, schema),
    ).get
    if kind != "virtual" and not lasting:
        raise ValueError(
            f"{table} has no INTEGER PRIMARY KEY, so VACUUM may give its rows other ids than the index has:"
            " declare one, or name another column of lasting ids with --id"
        )


def check_ids(db: apsw.Connection, name: str, id_: str, source: str) -> None:
    """Refuse ids that are no whole numbers; for NULL, the index would choose an id itself."""
    odd = db.execute(
        f"SELECT quote({id_}) {source} AND ({id_} IS NULL OR {id_} IS NOT CAST({id_} AS INTEGER)) LIMIT 1"
    ).get
    if odd is not None:
        raise ValueError(f"{name}: expected whole numbers for ids, got {odd}")


# --- both ----------------------------------------------------------------------------------------


def opened_or_made(db: apsw.Connection, options: argparse.Namespace, dim: int) -> Index:
    schema, table = resolved(db, options.index)
    if not db.table_exists(schema, table):
        return Index.create(db, options.index, dim, metric=options.metric or "cosine")
    if options.metric:
        raise ValueError(f"{options.index} is there already: --metric is for a new index")
    return Index(db, options.index)
