"""What each command does, but for load: COMMANDS gives the function by its name."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import apsw

from .. import connect
from ..catalog import indexes, key_column
from ..errors import Error
from ..extension import loadable_path
from ..index import Index
from ..keys import KeyedIndex
from ..names import quoted
from ..transaction import savepoint
from .answer import Answer, record, tell
from .load import load
from .measure import check_rows, curve
from .output import check_folder
from .tables import beside, index_table

LISTED = ("rows", "waiting", "dimensions", "type", "metric")


def opened(options: argparse.Namespace) -> apsw.Connection:
    """The database, which only `load` may make."""
    return connect(options.database, flags=apsw.SQLITE_OPEN_READWRITE)


def index_of(options: argparse.Namespace) -> Index:
    return Index(opened(options), options.index)


def demo(options: argparse.Namespace) -> Answer:
    from ..demo.run import run  # needs packages that the others can do without

    run(options.database, quiet=options.quiet)
    return Answer((), ())


def path(options: argparse.Namespace) -> Answer:
    place = loadable_path()
    return record({"path": place}, place)


# --- searching -----------------------------------------------------------------------------------


def search(options: argparse.Namespace) -> Answer:
    if bool(options.show) != bool(options.table):
        raise ValueError("--show and --table go together: columns, and the table that has them")
    index = index_of(options)
    columns = beside(index.db, options.table, options.show) if options.show else None
    query = query_of(index, options)
    left_out = None if options.id is None else [id_of(index, options)]
    ids, distances = index.search(query, options.k, options.recall, exclude=left_out)
    shown = columns(numbers_of(index, ids)) if columns else [()] * len(ids)
    names = [name if name not in ("id", "distance") else f"{options.table}.{name}" for name in options.show or ()]
    rows = [(*found, *more) for *found, more in zip(ids.tolist(), distances.tolist(), shown, strict=True)]
    return Answer((index.key_name if isinstance(index, KeyedIndex) else "id", "distance", *names), rows)


def explain(options: argparse.Namespace) -> Answer:
    index = index_of(options)
    steps = index.explain(query_of(index, options), options.k, options.recall)
    rows = [(step.step, step.count, step.bytes, step.microseconds) for step in steps]
    return Answer(("step", "count", "bytes", "microseconds"), rows)


def query_of(index: Index, options: argparse.Namespace) -> Any:
    if options.id is None:
        return vector_from_json(options.query)
    try:
        return index.get(id_of(index, options))
    except KeyError:
        raise ValueError(f"id {options.id} is not in {options.index}") from None


def id_of(index: Index, options: argparse.Namespace) -> Any:
    """What --id names: a number, or where the index has keys one of these."""
    if isinstance(index, KeyedIndex):
        return options.id
    try:
        return int(options.id)
    except ValueError:
        raise ValueError(f"--id: expected a whole number, got {options.id!r}") from None


def numbers_of(index: Index, found: Any) -> Any:
    """The ids of rows that were found, by which other tables know them; -1, which none has, for a row without a key."""
    if not isinstance(index, KeyedIndex):
        return found
    return [-1 if number is None else number for number in index._numbers(found.tolist())]


def vector_from_json(text: str) -> list[float]:
    try:
        vector: Any = json.loads(text)
    except json.JSONDecodeError:
        vector = None
    if not isinstance(vector, list) or not vector or any(isinstance(x, list) for x in vector):
        raise ValueError(f"--query: expected a JSON array of numbers, as in '[0.1, 0.7]', got {text!r}")
    return vector


# --- looking -------------------------------------------------------------------------------------


def list_(options: argparse.Namespace) -> Answer:
    db, rows, code = opened(options), [], 0
    for name in indexes(db):
        try:
            index = Index(db, name)
            rows.append((name, *(value_of(index, key) for key in LISTED)))
        except Error as error:  # one that cannot be read hides none of the others
            tell(str(error))
            rows.append((name, *[None] * len(LISTED)))
            code = 1
    return Answer(("index", *LISTED), rows, "" if rows else f"{options.database} has no index", code=code)


def value_of(index: Index, key: str) -> Any:
    """One of the things that `info` tells; to ask for all of them makes SQLite read the whole table for its size."""
    return index.db.execute("SELECT value FROM ann_info(?) WHERE key = ?", (index.name, key)).get


def info(options: argparse.Namespace) -> Answer:
    return record(index_of(options).info())


def check(options: argparse.Namespace) -> Answer:
    faults = index_of(options).check()
    sound = "" if faults else f"{options.index} is sound"
    return Answer(("fault", "page", "id"), faults, sound, code=1 if faults else 0)


# --- measuring -----------------------------------------------------------------------------------


def recall(options: argparse.Namespace) -> Answer:
    index = index_of(options)
    check_rows(index, options.sample)
    measured = [(share, index.recall(options.k, options.sample, share)) for share in options.shares]
    rows = [(share, m.recall, m.low, m.high, m.k, m.sample) for share, m in measured]
    return Answer(("asked", "recall", "low", "high", "k", "sample"), rows)


def bench(options: argparse.Namespace) -> Answer:
    points = curve(index_of(options), options.k, options.sample, options.shares)
    return measurements(points)


def measurements(points: Any, sentence: str = "") -> Answer:
    rows = [(p.asked, p.recall, p.low, p.high, p.microseconds, 1e6 / p.microseconds) for p in points]
    return Answer(("asked", "recall", "low", "high", "microseconds", "searches_per_second"), rows, sentence)


def plot(options: argparse.Namespace) -> Answer:
    from .picture import draw  # needs matplotlib

    index = index_of(options)
    check_rows(index, options.sample)
    n_rows = len(index)
    if not value_of(index, "leaf_pages"):
        raise ValueError(
            f"{options.index}: {n_rows:,} rows are too few for a forest and are all compared, "
            "so that there is no curve to draw"
        )
    check_folder(options.output)
    if min(options.shares) >= 1:
        raise ValueError("--recall: expected one below 1 at least, since exact search alone makes no curve")
    points = curve(index, options.k, options.sample, options.shares)
    about = f"{options.index}: {n_rows:,} × {index.dim} {index.type}, {index.metric}, the {options.k} nearest"
    draw(points, about, options.output)
    return measurements(points, f"{options.output}: the curve of {options.index}, {n_rows:,} rows")


def map_(options: argparse.Namespace) -> Answer:
    from .map import make_map  # which stands on this file

    return make_map(options)


# --- upkeep --------------------------------------------------------------------------------------


def optimize(options: argparse.Namespace) -> Answer:
    index = index_of(options)
    done = index.optimize(progress=True)
    waiting, n_rows = value_of(index, "waiting"), len(index)
    if waiting:
        sentence = f"nothing to do, {n_rows:,} rows are too few for a forest and are all compared"
    else:
        sentence = f"{'' if done else 'nothing to do, '}{n_rows:,} rows in the forest"
    values = {"index": options.index, "done": done, "rows": n_rows, "waiting": waiting}
    return record(values, f"{options.index}: {sentence}")


def rebuild(options: argparse.Namespace) -> Answer:
    """By its name alone: a table of an older format can be rebuilt, but not yet opened."""
    db = opened(options)
    schema, table = index_table(db, options.index)
    start = time.perf_counter()
    db.execute(f"INSERT INTO {quoted(table, schema)}({quoted(table)}) VALUES ('rebuild')")
    seconds, n_rows = time.perf_counter() - start, len(Index(db, options.index))
    sentence = f"{options.index}: {n_rows:,} rows, their forest made anew in {seconds:.1f} s"
    return record({"index": options.index, "rows": n_rows, "seconds": seconds}, sentence)


def drop(options: argparse.Namespace) -> Answer:
    """By its name alone: a damaged table can still be dropped."""
    db = opened(options)
    schema, table = index_table(db, options.index)
    with savepoint(db):
        keys = quoted(f"{table}_key", schema) if key_column(db, options.index) else None
        db.execute(f"DROP TABLE {quoted(table, schema)}" + (f"; DROP TABLE {keys}" if keys else ""))
    return record({"index": options.index}, f"{options.index} is gone; VACUUM makes the file smaller")


def mcp(options: argparse.Namespace) -> Answer:
    from ..mcp import make_server  # needs mcp

    with closing(connect(options.database, flags=apsw.SQLITE_OPEN_READONLY)) as db:
        make_server(db).run()
    return Answer((), ())


def serve(options: argparse.Namespace) -> Answer:
    from ..serve import serve as run

    run(
        options.database,
        index=options.index,
        table=options.table,
        show=options.show,
        port=options.port,
        browse=options.open,
    )
    return Answer((), ())


COMMANDS: dict[str, Callable[[argparse.Namespace], Answer]] = {
    "demo": demo,
    "path": path,
    "list": list_,
    "load": load,
    "search": search,
    "info": info,
    "recall": recall,
    "explain": explain,
    "bench": bench,
    "plot": plot,
    "map": map_,
    "check": check,
    "optimize": optimize,
    "rebuild": rebuild,
    "drop": drop,
    "mcp": mcp,
    "serve": serve,
}
