"""The command line: `sqlite-ann`, or `python -m sqlite_ann`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from . import __version__
from .errors import Error, translated
from .extension import connect
from .index import Index
from .names import quoted, resolved
from .progress import Report, reporting
from .transaction import savepoint

EXAMPLES = """\
examples:
  sqlite-ann demo
  sqlite-ann load songs.db song_ann vectors.npy --ids ids.npy --metric cosine
  sqlite-ann load songs.db song_ann --table song --column embedding --id id
  sqlite-ann search songs.db song_ann --id 7 -k 5
  sqlite-ann search songs.db song_ann --query '[0.1, 0.7]'
  sqlite-ann optimize songs.db song_ann
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code: 0, 1 for what was refused or is wrong, 2 for misuse."""
    options = make_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (Error, ValueError, TypeError, OSError, ImportError) as error:
        print(f"sqlite-ann: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("sqlite-ann: stopped; what was begun is undone", file=sys.stderr)
    return 1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sqlite-ann",
        description="Approximate nearest neighbours inside SQLite.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        made.add_argument("database", metavar="DB", help="the database file")
        made.add_argument("index", metavar="INDEX", help="the vector table, as in song_ann or aux.song_ann")
        return made

    p = commands.add_parser("demo", help="neighbours of real songs", description="Neighbours of real songs.")
    p.set_defaults(run=demo_command)
    p.add_argument("database", metavar="DB", nargs="?", default="songs.db", help="what to make (default: %(default)s)")
    p.add_argument("--quiet", action="store_true", help="make it and run the examples, print nothing")

    p = command("load", load_command, "Put vectors into an index, made if it is not there, and optimize it.")
    p.add_argument("files", metavar="FILE.npy", nargs="*", type=Path, help="arrays of shape (n, dimensions)")
    p.add_argument("--ids", metavar="FILE.npy", type=Path, help="whole numbers, one a vector (default: 0, 1, 2, …)")
    p.add_argument("--table", help="instead of files: a table of the same database")
    p.add_argument("--column", default="embedding", help="its column of vectors (default: %(default)s)")
    p.add_argument("--id", default="rowid", help="its column of ids (default: %(default)s)")
    p.add_argument("--metric", help="for a new index: cosine (default), l2, dot, …")
    p.add_argument("--no-optimize", action="store_true", help="leave the forest for later")

    p = command("search", search_command, "Print id and distance of the nearest vectors.")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--id", type=int, help="near this stored row, which is left out")
    what.add_argument("--query", metavar="JSON", help="near this vector, as in '[0.1, 0.7]'")
    p.add_argument("-k", type=int, default=10, help="how many (default: %(default)s)")
    p.add_argument("--recall", type=float, help="share of the true neighbours wanted (default: 0.95; 1 is exact)")

    command("info", info_command, "Print what an index tells about itself.")
    command("check", check_command, "Print what is wrong with an index, one fault a line; exit code 1 if anything is.")
    command("optimize", optimize_command, "Take waiting rows into the forest, repair it and re-fit it.")
    return parser


def demo_command(options: argparse.Namespace) -> int:
    from .demo.run import run  # needs rich, which the others can do without

    run(options.database, quiet=options.quiet)
    return 0


def opened(options: argparse.Namespace, *, writing: bool = False) -> apsw.Connection:
    """The database, which only `load` may make."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writing else 0)
    return connect(options.database, flags=flags)


# --- load ----------------------------------------------------------------------------------------


def load_command(options: argparse.Namespace) -> int:
    if bool(options.files) == bool(options.table):
        raise ValueError("load takes either .npy files or --table")
    db = opened(options, writing=True)
    start = time.perf_counter()
    index, n_added = load_files(db, options) if options.files else load_table(db, options)
    if not options.no_optimize:
        index.optimize(progress=True)
    seconds = time.perf_counter() - start
    print(f"{options.index}: {n_added:,} vectors added in {seconds:.1f} s, {len(index):,} rows in all")
    return 0


def load_files(db: apsw.Connection, options: argparse.Namespace) -> tuple[Index, int]:
    """Arrays read as they are needed, all in one transaction."""
    files = [np.load(path, mmap_mode="r") for path in options.files]
    for path, array in zip(options.files, files, strict=True):
        if array.ndim != 2:
            raise ValueError(f"{path}: expected shape (n, dimensions), got {array.shape}")
    total = sum(map(len, files))
    ids = np.load(options.ids) if options.ids else np.arange(total)
    if ids.shape != (total,):
        raise ValueError(f"{options.ids}: expected {total} ids, one a vector, got shape {ids.shape}")
    first = 0
    with savepoint(db), reporting(True, f"adding to {options.index}") as report:
        index = opened_or_made(db, options, files[0].shape[1])
        for array in files:
            index.add(ids[first : first + len(array)], array, progress=shifted(report, first, total))
            first += len(array)
    return index, total


def shifted(report: Report, first: int, total: int) -> Report:
    """A report for one part of the work: `first` rows of the total are done before it."""
    return lambda done, _: report(first + done, total)


@translated()
def load_table(db: apsw.Connection, options: argparse.Namespace) -> tuple[Index, int]:
    """Another table's vectors, blobs or JSON text, by one statement."""
    schema, table = resolved(db, options.table)
    id_, column, table = quoted(options.id), quoted(options.column), quoted(table, schema)
    source = f"FROM {table} WHERE {column} IS NOT NULL"
    dim = db.execute(
        f"SELECT iif(typeof({column}) = 'blob', length({column}) / 4, json_array_length({column})) {source} LIMIT 1"
    ).get
    if dim is None:
        raise ValueError(f"{options.table}.{options.column} has no vectors")
    with savepoint(db):
        index = opened_or_made(db, options, dim)
        db.execute(f"INSERT INTO {index.table}(rowid, {index.column}) SELECT {id_}, {column} {source}")
        n_added = db.changes()
    return index, n_added


def opened_or_made(db: apsw.Connection, options: argparse.Namespace, dim: int) -> Index:
    schema, table = resolved(db, options.index)
    if not db.table_exists(schema, table):
        return Index.create(db, options.index, dim, metric=options.metric or "cosine")
    if options.metric:
        raise ValueError(f"{options.index} is there already: --metric is for a new index")
    return Index(db, options.index)


# --- the others ----------------------------------------------------------------------------------


def search_command(options: argparse.Namespace) -> int:
    index = Index(opened(options), options.index)
    if options.id is None:
        ids, distances = index.search(vector_from_json(options.query), options.k, options.recall)
    elif options.id in index:
        ids, distances = index.search(index.get(options.id), options.k, options.recall, exclude=[options.id])
    else:
        raise ValueError(f"id {options.id} is not in {options.index}")
    for id_, distance in zip(ids.tolist(), distances.tolist(), strict=True):
        print(f"{id_}\t{distance:.6g}")
    return 0


def vector_from_json(text: str) -> list[float]:
    vector: Any = json.loads(text)
    if not isinstance(vector, list):
        raise ValueError(f"--query: expected a JSON array of numbers, got {text!r}")
    return vector


def info_command(options: argparse.Namespace) -> int:
    about = Index(opened(options), options.index).info()
    width = max(map(len, about))
    for key, value in about.items():
        print(f"{key:{width}}  {value}")
    return 0


def check_command(options: argparse.Namespace) -> int:
    faults = Index(opened(options), options.index).check()
    for fault, page, id_ in faults:
        where = "".join(f", {what} {n}" for what, n in (("page", page), ("id", id_)) if n is not None)
        print(f"{fault}{where}")
    if not faults:
        print(f"{options.index} is sound")
    return 1 if faults else 0


def optimize_command(options: argparse.Namespace) -> int:
    index = Index(opened(options), options.index)
    done = index.optimize(progress=True)
    waiting = index.db.execute("SELECT value FROM ann_info(?) WHERE key = 'waiting'", (options.index,)).get
    n_rows = len(index)
    if waiting:
        print(f"{options.index}: nothing to do, {n_rows:,} rows are too few for a forest and are all compared")
    else:
        print(f"{options.index}: {'' if done else 'nothing to do, '}{n_rows:,} rows in the forest")
    return 0


if __name__ == "__main__":
    sys.exit(main())
