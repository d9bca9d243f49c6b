"""The command line: `sqlite-ann`, or `python -m sqlite_ann`."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from . import __version__
from .connection import connect
from .errors import Error
from .index import Index
from .loading import arrays_of, load_arrays, load_table
from .names import resolved

EXAMPLES = """\
examples:
  sqlite-ann demo
  sqlite-ann load songs.db song_ann vectors.npy --ids ids.npy --metric cosine
  sqlite-ann load songs.db song_ann songs.npz --column vectors --ids songs.npz --id ids --replace
  sqlite-ann load songs.db song_ann --table song --column embedding --id id
  sqlite-ann load songs.ann songs.db --annoy angular
  sqlite-ann search songs.db song_ann --id 7 -k 5
  sqlite-ann search songs.db song_ann --query '[0.1, 0.7]'
  sqlite-ann optimize songs.db song_ann
"""
DONE = {"replace": "replaced", "skip": "left as they were"}


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
    p.add_argument("files", metavar="FILE", nargs="*", type=Path, help=".npy or .npz: arrays of shape (n, dimensions)")
    p.add_argument("--ids", metavar="FILE", type=Path, help="whole numbers, one a vector (default: 0, 1, 2, …)")
    p.add_argument("--table", help="instead of files: a table of the same database")
    p.add_argument("--column", help="its column of vectors (default: embedding), or their name in an .npz file")
    p.add_argument("--id", help="its column of ids (default: rowid), or their name in an .npz file")
    there = p.add_mutually_exclusive_group()
    there.set_defaults(existing="refuse")
    for name, about in (("replace", "put new vectors in the place of those"), ("skip", "leave those as they are")):
        help_ = f"where ids are there already, {about}"
        there.add_argument(f"--{name}", dest="existing", action="store_const", const=name, help=help_)
    p.add_argument("--metric", help="for a new index: cosine (default), angular, l2, l1, dot, …")
    metrics = ["angular", "euclidean", "manhattan", "hamming", "dot"]
    help_ = "the two names are an .ann file that Annoy wrote and a DB: put its vectors into the table annoy"
    p.add_argument("--annoy", metavar="METRIC", choices=metrics, help=f"{help_} ({', '.join(metrics)})")
    p.add_argument("--dim", type=whole_number, help="with --annoy: its dimensions, where they cannot be found")
    p.add_argument("--no-optimize", action="store_true", help="leave the forest for later")

    p = command("search", search_command, "Print id and distance of the nearest vectors.")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--id", type=whole_number, help="near this stored row, which is left out")
    what.add_argument("--query", metavar="JSON", help="near this vector, as in '[0.1, 0.7]'")
    p.add_argument("-k", type=whole_number, default=10, help="how many (default: %(default)s)")
    p.add_argument("--recall", type=number, help="share of the true neighbours wanted (default: 0.95; 1 is exact)")

    command("info", info_command, "Print what an index tells about itself.")
    command("check", check_command, "Print what is wrong with an index, one fault a line; exit code 1 if anything is.")
    command("optimize", optimize_command, "Take waiting rows into the forest, repair it and re-fit it.")
    return parser


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if math.isnan(found):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return found


def demo_command(options: argparse.Namespace) -> int:
    from .demo.run import run  # needs rich, which the others can do without

    run(options.database, quiet=options.quiet)
    return 0


def opened(options: argparse.Namespace, *, making: bool = False) -> apsw.Connection:
    """The database, which only `load` may make."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if making else 0)
    return connect(options.database, flags=flags)


# --- the commands --------------------------------------------------------------------------------


def load_command(options: argparse.Namespace) -> int:
    if options.annoy:
        return load_annoy(options)
    if options.dim is not None:
        raise ValueError("--dim is for --annoy")
    if bool(options.files) == bool(options.table):
        raise ValueError("load takes either .npy and .npz files or --table")
    given = arrays_of(options) if options.files else None
    db = opened(options, making=given is not None)
    start, n_before = time.perf_counter(), rows_before(db, options.index)
    try:
        index, n_read = load_arrays(db, options, *given) if given else load_table(db, options)
    except Error as error:
        if error.code != apsw.SQLITE_CONSTRAINT_ROWID:
            raise
        raise ValueError(
            f"{error}; --replace puts new vectors in the place of old ones, --skip leaves the old"
        ) from None
    if not options.no_optimize:
        index.optimize(progress=True)
    seconds, n_added = time.perf_counter() - start, len(index) - n_before
    rest = f", {n_read - n_added:,} {DONE[options.existing]}" if n_added < n_read else ""
    print(f"{options.index}: {n_added:,} vectors added{rest} in {seconds:.1f} s, {len(index):,} rows in all")
    return 0


def load_annoy(options: argparse.Namespace) -> int:
    """`load songs.ann songs.db --annoy angular`: the file comes first, and the table is always called annoy."""
    from .annoy import convert  # which nothing else needs

    others = ("files", "ids", "table", "column", "id", "metric", "no_optimize")
    if options.existing != "refuse" or any(getattr(options, name) for name in others):
        raise ValueError("load --annoy takes an .ann file, a database, and --dim if need be")
    start, source, target = time.perf_counter(), options.database, options.index
    n_items = convert(source, target, options.annoy, options.dim)
    print(f"{target}: {n_items:,} vectors of {source} in the table annoy, in {time.perf_counter() - start:.1f} s")
    return 0


def rows_before(db: apsw.Connection, name: str) -> int:
    schema, table = resolved(db, name)
    return len(Index(db, name)) if db.table_exists(schema, table) else 0


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
    try:
        vector: Any = json.loads(text)
    except json.JSONDecodeError:
        vector = None
    if not isinstance(vector, list) or not vector or any(isinstance(x, list) for x in vector):
        raise ValueError(f"--query: expected a JSON array of numbers, as in '[0.1, 0.7]', got {text!r}")
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
