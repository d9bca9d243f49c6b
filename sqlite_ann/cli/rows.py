"""Rows of text or of a Parquet file, one by one, and the arrays that they make.

csv_rows, jsonl_rows, parquet_rows     (place, id, vector) of each row, None for one that is told as bad already
gathered(name, rows, bad)              the arrays
Bad(skip)                              what is told of a row that cannot be loaded: refused, or left out
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answer import tell

Array = NDArray[Any]
Row = tuple[str, Any, Any]  # its place, for an error; its id, None where the file has none; its vector

MANY = 10  # bad rows that are told one by one


@dataclass
class Bad:
    """Rows that cannot be loaded: each is refused at once, or told and counted."""

    skip: bool
    n: int = 0

    def tell(self, place: str, reason: str) -> None:
        if not self.skip:
            raise ValueError(f"{place}: {reason}")
        self.n += 1
        if self.n <= MANY:
            tell(f"left out {place}: {reason}")
        elif self.n == MANY + 1:
            tell("left out more bad rows, which are only counted")


@dataclass
class Vectors:
    """The vectors of one file."""

    name: str
    rows: Array  # (n, dimensions)
    ids: Array  # (n,)
    n_read: int  # with those left out
    has_ids: bool  # else they are places in the file


# --- one by one ---------------------------------------------------------------------------------


def csv_rows(name: str, text: io.TextIOWrapper, options: argparse.Namespace, bad: Bad) -> Iterator[Row | None]:
    """The rows of a file with a header, or of one that has numbers from its first line on."""
    csv.field_size_limit(1 << 30)  # a vector of 65,536 dimensions in one field is more than the usual limit
    reader = csv.reader(text)
    head = next(reader, [])
    is_plain = all(map(is_number, head))
    lines = iter([head]) if is_plain and head else iter(())
    names = [str(i + 1) for i in range(len(head))] if is_plain else head
    id_, column = named_columns(name, names if not is_plain else [], options)
    if column is not None:
        tell_of_others(name, names, id_, column)
    components = [i for i in range(len(names)) if i != id_]
    for line in (row for rows in (lines, reader) for row in rows if row):
        place = f"{name}, line {reader.line_num}"
        if len(line) != len(names):
            bad.tell(place, f"expected {len(names)} fields, got {len(line)}")
            yield None
        elif column is not None:
            yield place, None if id_ is None else line[id_], line[column]
        elif wrong := [i for i in components if not is_number(line[i])]:
            bad.tell(place, f"expected a number in column {names[wrong[0]]}, got {line[wrong[0]]!r}")
            yield None
        else:
            yield place, None if id_ is None else line[id_], [float(line[i]) for i in components]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def named_columns(name: str, names: list[str], options: argparse.Namespace) -> tuple[int | None, int | None]:
    """The places of the column of ids and of that of vectors, None where there is none and none was asked for."""
    found: list[int | None] = []
    for asked, usual in ((options.id, "id"), (options.column, "embedding")):
        if asked and asked not in names:
            there = f"it has {', '.join(names)}" if names else "its first line has numbers and no names"
            raise ValueError(f"{name} has no column {asked}; {there}")
        wanted = asked or usual
        found.append(names.index(wanted) if wanted in names else None)
    return found[0], found[1]


def tell_of_others(name: str, names: list[str], *used: int | None) -> None:
    """What a file has beside ids and vectors, which an index does not hold."""
    others = [column for i, column in enumerate(names) if i not in used]
    if others:
        tell(
            f"left out the columns {', '.join(others)} of {name}: "
            "to have them beside the vectors, import it into a table and load that by --table"
        )


def jsonl_rows(name: str, text: io.TextIOWrapper, options: argparse.Namespace, bad: Bad) -> Iterator[Row | None]:
    id_, column = options.id or "id", options.column or "embedding"
    has_told = False  # of the first object, for which the others stand
    for number, line in enumerate(text, 1):
        place = f"{name}, line {number}"
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except json.JSONDecodeError:
            bad.tell(place, f"expected JSON, got {shortened(line.strip())}")
            yield None
            continue
        if isinstance(given, dict) and not has_told and column in given:
            has_told = True
            tell_of_others(name, [key for key in given if key not in (id_, column)])
        if isinstance(given, list):
            yield place, None, given
        elif not isinstance(given, dict) or column not in given or (options.id and id_ not in given):
            wanted = f"{id_} and {column}" if options.id else column
            bad.tell(place, f"expected an object with {wanted}, or an array, got {shortened(line.strip())}")
            yield None
        else:
            yield place, given.get(id_), given[column]


def parquet_rows(name: str, batches: Any, column: str, id_: str | None = None) -> Iterator[Row]:
    n_rows = 0
    for batch in batches:
        ids = batch.column(id_).to_pylist() if id_ else [None] * len(batch)
        for number, cell in zip(ids, batch.column(column), strict=True):
            # A list is given as an array of numpy, not as Python's numbers one by one.
            is_list = cell.is_valid and hasattr(cell, "values")
            yield (
                f"{name}, row {n_rows}",
                number,
                cell.values.to_numpy(zero_copy_only=False) if is_list else cell.as_py(),
            )
            n_rows += 1


# --- arrays --------------------------------------------------------------------------------------


def gathered(name: str, rows: Iterator[Row | None], bad: Bad) -> Vectors:
    """Rows as arrays; of vectors of several lengths, the commonest is right."""
    places, ids, vectors, n_read, n_with_id = [], [], [], 0, 0
    for row in rows:
        n_read += 1
        if row is None:
            continue
        place, id_, value = row
        try:
            vectors.append(vector_of(value))
            ids.append(n_read - 1 if id_ is None else id_of(id_))
        except ValueError as error:
            del vectors[len(ids) :]
            bad.tell(place, str(error))
            continue
        n_with_id += id_ is not None
        places.append(place)
    if not vectors:
        raise ValueError(f"{name}: expected vectors, got none")
    if n_with_id not in (0, len(ids)):
        raise ValueError(f"{name}: expected an id in every row or in none, got {n_with_id} in {len(ids)} rows")
    dim = Counter(map(len, vectors)).most_common(1)[0][0]
    is_good = [len(vector) == dim for vector in vectors]
    for i in np.flatnonzero(np.logical_not(is_good)).tolist():
        bad.tell(places[i], f"expected {dim} components as in most rows, got {len(vectors[i])}")
    kept = [vector for vector, good in zip(vectors, is_good, strict=True) if good]
    return Vectors(name, np.stack(kept), np.array(ids, np.int64)[is_good], n_read, n_with_id > 0)


def id_of(given: Any) -> int:
    try:
        id_ = int(given) if isinstance(given, str | int) and not isinstance(given, bool) else None
    except ValueError:
        id_ = None
    if id_ is None or not -(2**63) <= id_ < 2**63:
        raise ValueError(f"expected a whole number of 64 bits for its id, got {shortened(given)}")
    return id_


def vector_of(given: Any) -> Array:
    """A list of numbers, as JSON text too, or a blob of float32."""
    value = given
    if isinstance(value, bytes) and value and len(value) % 4 == 0:
        value = np.frombuffer(value, "<f4")
    elif isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = None
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 is told as one that is not finite
            vector = np.asarray(value)
            is_vector = vector.ndim == 1 and vector.size > 0 and vector.dtype.kind in "iuf"
            vector = vector.astype(np.float32) if is_vector else vector
    except ValueError:
        is_vector = False
    if not is_vector:
        raise ValueError(f"expected an array of numbers, got {shortened(given)}")
    if fault := fault_of(vector):
        raise ValueError(fault)
    return vector


def fault_of(vector: Array) -> str | None:
    """What is wrong with an array of numbers.

    >>> fault_of(np.array([1, np.inf]))
    'expected finite components, got inf at component 1'
    """
    is_finite = np.isfinite(vector)
    if is_finite.all():
        return None
    i = int(np.argmin(is_finite))
    return f"expected finite components, got {vector[i]} at component {i}"


def shortened(given: Any) -> str:
    """What was given, for a sentence.

    >>> shortened([0.5] * 100)
    '[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.…'
    """
    text = "nothing" if given is None else repr(given)
    return text if len(text) <= 40 else text[:38] + "…"
