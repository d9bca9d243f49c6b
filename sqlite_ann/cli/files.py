"""Vectors and their ids, read from files before any database is opened.

    read(options, bad)     the vectors of all files that are named, with an id for each

| file     | vectors                                                           | ids                          |
| -------- | ----------------------------------------------------------------- | ---------------------------- |
| .npy     | an array of shape (n, dimensions)                                 | counted from 0               |
| .npz     | the array of that shape, named by --column if there are several   | the array that --id names    |
| .csv     | --column holds JSON arrays; without it, numbers in all columns    | column --id, or id; or counted |
| .jsonl   | --column of an object; or the line is an array                    | key --id, or id; or counted  |
| .parquet | --column holds lists, JSON arrays or blobs of float32             | column --id, or id; or counted |

Counted ids go on from file to file. A bad row that is left out keeps its number, so that they tell the places of rows.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from .rows import (
    Array,
    Bad,
    Vectors,
    csv_rows,
    fault_of,
    gathered,
    jsonl_rows,
    named_columns,
    parquet_rows,
    tell_of_others,
)


class Source:
    """A file, or what was standard input."""

    def __init__(self, path: Path, format: str | None = None) -> None:
        self.path: Path | None = None if path == Path("-") else path
        self.name = str(path) if self.path else "standard input"
        self.kind = format or path.suffix.lower().removeprefix(".")
        if not self.path and not format:
            raise ValueError("standard input: --format says what it holds")
        self.bytes = b"" if self.path else sys.stdin.buffer.read()

    def open(self) -> IO[bytes]:
        return self.path.open("rb") if self.path else io.BytesIO(self.bytes)


def read(options: argparse.Namespace, bad: Bad) -> list[Vectors]:
    found = [read_one(Source(path, options.format), options, bad) for path in options.files]
    if options.ids:
        give_ids(found, array_of(Source(options.ids), options.id, "--id"), str(options.ids))
    with_ids = [file.name for file in found if file.has_ids]
    n_before = 0
    for file in found:
        if with_ids and not file.has_ids:
            raise ValueError(f"{file.name} has no ids, and {with_ids[0]} has")
        if not with_ids:
            file.ids = file.ids + n_before
        n_before += file.n_read
    return found


def read_one(source: Source, options: argparse.Namespace, bad: Bad) -> Vectors:
    if source.kind == "parquet":
        return parquet_vectors(source, options, bad)
    if source.kind in ("csv", "jsonl"):
        rows = csv_rows if source.kind == "csv" else jsonl_rows
        with source.open() as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            try:
                return gathered(source.name, rows(source.name, text, options, bad), bad)
            except UnicodeDecodeError as error:
                odd = error.object[error.start]
                raise ValueError(f"{source.name}: expected text in UTF-8, got a byte 0x{odd:02x}") from None
            except csv.Error as error:
                raise ValueError(f"{source.name}: expected CSV, got something else ({error})") from None
    array = array_of(source, options.column, "--column")
    if array.ndim != 2:
        raise ValueError(f"{source.name}: expected shape (n, dimensions), got {array.shape}")
    vectors = finite_ones(Vectors(source.name, array, np.arange(len(array)), len(array), False), bad)
    if options.id and not options.ids:
        give_ids([vectors], array_of(source, options.id, "--id"), source.name)
    return vectors


def give_ids(files: list[Vectors], ids: Array, name: str) -> None:
    """Put ids in the place of places."""
    for file in files:
        if file.has_ids:
            raise ValueError(f"{file.name} has ids of its own: --ids is for .npy and .npz files")
    total, first = sum(file.n_read for file in files), 0
    if ids.shape != (total,):
        raise ValueError(f"{name}: expected {total} ids, one a vector, got shape {ids.shape}")
    for file in files:
        file.ids, file.has_ids = ids[first : first + file.n_read][file.ids], True
        first += file.n_read


# --- arrays --------------------------------------------------------------------------------------


def array_of(source: Source, name: str | None, option: str) -> Array:
    """The array in a file; of an .npz, which may hold several, the one that the option names."""
    with source.open() as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            with reading(source.name):
                return np.lib.format.open_memmap(source.path, mode="r") if source.path else np.load(file)
        file.seek(0)
        with np.load(file) as read:
            name = chosen(source.name, read.files, name, option)
            with reading(source.name):
                return np.asarray(read[name])


@contextmanager
def reading(name: str) -> Iterator[None]:
    """What numpy says of a file that it cannot read is about pickles and mappings."""
    try:
        yield
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(
            f"{name}: expected an array of numbers as numpy.save or numpy.savez writes it, got something else"
        ) from None


def chosen(path: str, names: list[str], name: str | None, option: str) -> str:
    if name is None and len(names) == 1:
        return names[0]
    there = f"{path} holds the arrays {', '.join(names)}" if names else f"{path} holds no array"
    if name is None:
        raise ValueError(f"{there}: {option} says which is meant")
    if name not in names:
        raise ValueError(f"{there}, and none that is called {name}")
    return name


def finite_ones(file: Vectors, bad: Bad) -> Vectors:
    """With --skip, the file without its bad rows; else the index refuses them."""
    if not bad.skip or file.rows.dtype.kind != "f":
        return file
    is_good = np.isfinite(file.rows).all(axis=1)
    for i in np.flatnonzero(~is_good).tolist():
        bad.tell(f"{file.name}, row {file.ids[i]}", str(fault_of(file.rows[i])))
    return (
        file if is_good.all() else Vectors(file.name, file.rows[is_good], file.ids[is_good], file.n_read, file.has_ids)
    )


# --- Parquet -------------------------------------------------------------------------------------


def parquet_vectors(source: Source, options: argparse.Namespace, bad: Bad) -> Vectors:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError("reading Parquet needs the package pyarrow: pip install 'sqlite_ann[arrow]'") from None
    with source.open() as file:
        try:
            parquet = pyarrow.parquet.ParquetFile(file)
        except pyarrow.ArrowInvalid:
            raise ValueError(f"{source.name}: expected a Parquet file, got something else") from None
        names = parquet.schema_arrow.names
        id_, column = named_columns(source.name, names, options)
        if column is None:
            raise ValueError(f"{source.name} has no column embedding; it has {', '.join(names)}")
        tell_of_others(source.name, names, id_, column)
        wanted = [names[place] for place in (column, id_) if place is not None]
        batches = parquet.iter_batches(columns=wanted)
        return gathered(source.name, parquet_rows(source.name, batches, *wanted), bad)
