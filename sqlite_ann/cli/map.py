"""`sqlite-ann map`: places for all rows, a picture of them, and a Parquet file for other programs.

What can be refused is refused before rows are laid out, which takes a while.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import layout
from ..index import Index
from ..transaction import savepoint
from .answer import Answer, record
from .commands import index_of
from .output import check_folder, whole
from .tables import columns_beside

OURS = ("id", "x", "y", "neighbors")  # columns of the Parquet file
Column = Sequence[Any]


def make_map(options: argparse.Namespace) -> Answer:
    check_packages(options)
    index = index_of(options)
    names = list(dict.fromkeys([*filter(None, (options.color, options.label)), *options.columns]))
    look_up = columns_beside(index, options.table, names) if names else None
    with savepoint(index.db):  # one state of the database
        kept = None if options.again else layout.stored(index)
        if kept is None:
            check_places(index, options)
        found = layout.neighbours(index, progress=True) if kept is None or options.export else None
        ids = kept[0] if kept else found.ids  # type: ignore[union-attr]
        columns = dict(zip(names, zip(*look_up(ids), strict=True), strict=True)) if look_up else {}
    for option, name in (("--color", options.color), ("--label", options.label)):
        check_shown(option, name, columns.get(name, ()))

    places = kept[1] if kept else layout.laid_out(found, True, f"laying out {index.name}")  # type: ignore[arg-type]
    if not kept and not options.no_keep:
        layout.keep(index, ids, places)
    if options.output:
        from .scatter import draw

        title = f"{options.index}: {len(ids):,} rows, each near its neighbours ({index.metric})"
        color = (options.color, columns[options.color]) if options.color else None
        draw(places, title, options.output, color, columns.get(options.label))
    if options.export:
        shown = {f"{options.table}.{name}" if name in OURS else name: column for name, column in columns.items()}
        export(options.export, found, places, shown)  # type: ignore[arg-type]
    return told(options, index, len(ids), is_new=kept is None)


def told(options: argparse.Namespace, index: Index, n_rows: int, *, is_new: bool) -> Answer:
    table = None if is_new and options.no_keep else layout.table_of(index)[1]
    picture, exported = (str(path) if path else None for path in (options.output, options.export))
    parts = [f"{options.index}: a map of {n_rows:,} rows"]
    parts += [f"{'kept in' if is_new else 'from'} the table {table}"] if table else []
    parts += [f"written to {' and '.join(filter(None, (picture, exported)))}"] if picture or exported else []
    values = {"index": options.index, "rows": n_rows, "table": table, "new": is_new}
    return record({**values, "picture": picture, "export": exported}, ", ".join(parts))


# --- what is refused -----------------------------------------------------------------------------


def check_packages(options: argparse.Namespace) -> None:
    """Files that cannot be written, and packages that are not there."""
    if options.no_keep and not options.output and not options.export:
        raise ValueError("expected -o or --export with --no-keep, or nothing would be left of the map")
    for path in filter(None, (options.output, options.export)):
        check_folder(path)
    if options.output:
        from . import scatter  # noqa: F401  needs matplotlib
    if options.export:
        parquet()


def check_places(index: Index, options: argparse.Namespace) -> None:
    """Before places are made anew."""
    if not find_spec("umap"):
        raise ImportError(layout.NEEDS_UMAP)
    if not options.no_keep:
        layout.check_table(index)
        if index.db.readonly("main"):
            raise ValueError(f"{options.database} cannot be written to: --no-keep makes a map without keeping it there")


def check_shown(option: str, name: str, column: Column) -> None:
    if any(isinstance(value, bytes) for value in column):
        raise ValueError(f"{option}: expected a column of text or numbers, got {name}, which has blobs")


# --- for other programs --------------------------------------------------------------------------


def parquet() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError("writing Parquet needs the package pyarrow: pip install 'sqlite_ann[arrow]'") from None
    return pyarrow


def export(path: Path, found: layout.Neighbours, places: layout.Places, columns: dict[str, Column]) -> None:
    """One row a row; neighbours are numbers of rows of the file, from 0, as Embedding Atlas reads them."""
    pa = parquet()
    # Where fewer were found, the row itself stands again in the place of those that are missing.
    is_found = found.rows != found.rows[:, :1]
    is_found[:, 0] = True
    offsets = pa.array([0, *is_found.sum(axis=1).cumsum().tolist()], pa.int32())
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(found.rows[is_found])),
        pa.ListArray.from_arrays(offsets, pa.array(found.distances[is_found])),
    ]
    table = {
        "id": pa.array(found.ids),
        "x": pa.array(places[:, 0]),
        "y": pa.array(places[:, 1]),
        **{name: arrow_column(pa, column) for name, column in columns.items()},
        "neighbors": pa.StructArray.from_arrays(lists, ["ids", "distances"]),
    }
    with whole(path) as unfinished:
        pa.parquet.write_table(pa.table(table), unfinished)


def arrow_column(pa: Any, column: Column) -> Any:
    """Values of several types in one column, which SQLite allows, become text."""
    try:
        return pa.array(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in column])
