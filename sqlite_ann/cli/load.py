"""`sqlite-ann load`: vectors of files, or of another table of the same database, into an index.

Everything is added in one transaction, or nothing; a database that was made for it goes when it fails. The forest is
optimized afterwards, in transactions of its own.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from .. import connect
from ..errors import Error, translated, translation
from ..index import INSERT, Index
from ..keys import KeyedIndex
from ..names import quoted, resolved
from ..progress import Report, reporting
from ..transaction import savepoint
from .answer import Answer, record
from .files import read
from .rows import Array, Bad, Vectors
from .tables import check_columns

DONE = {"replace": "replaced", "skip": "left as they were"}
# Of vectors of several lengths, the commonest is right.
DIMENSIONS = (
    "SELECT iif(typeof(v) = 'blob', length(v) / 4, iif(json_valid(v), json_array_length(v), 0)) AS dim"
    " FROM (SELECT {0} AS v {1}) WHERE dim > 0 GROUP BY dim ORDER BY count(*) DESC, dim LIMIT 1"
)
ROW_COMES, REPORT_EACH = "sqlite_ann_row_comes", 256


def load(options: argparse.Namespace) -> Answer:
    if options.annoy:
        return load_annoy(options)
    check_options(options)
    bad = Bad(options.existing == "skip")
    files = read(options, bad) if options.files else []
    with database(options.database, may_make=bool(files)) as db:
        start, n_before = time.perf_counter(), rows_before(db, options.index)
        try:
            index, n_read = load_files(db, options, files) if files else load_table(db, options, bad)
        except Error as error:
            if error.code != apsw.SQLITE_CONSTRAINT_ROWID:
                raise
            raise ValueError(
                f"{error}; --replace puts new vectors in the place of old ones, --skip leaves the old"
            ) from None
        if not options.no_optimize:
            index.optimize(progress=True)
        seconds, n_rows = time.perf_counter() - start, len(index)
    return told(options, n_read, n_rows - n_before, bad.n, n_rows, seconds)


def check_options(options: argparse.Namespace) -> None:
    if options.dim is not None:
        raise ValueError("--dim is for --annoy")
    if bool(options.files) == bool(options.table):
        got = "both" if options.files else "neither"
        raise ValueError(f"load: expected either FILE or --table after DB and INDEX, got {got}")
    if options.table and (options.ids or options.format):
        raise ValueError(f"--{'ids' if options.ids else 'format'} is for files, not for --table")


def told(options: argparse.Namespace, n_read: int, n_added: int, n_bad: int, n_rows: int, seconds: float) -> Answer:
    there = n_read - n_added
    rest = f", {there:,} {DONE[options.existing]}" if there else ""
    rest += f", {n_bad:,} bad left out" if n_bad else ""
    sentence = f"{options.index}: {n_added:,} vectors added{rest} in {seconds:.1f} s, {n_rows:,} rows in all"
    counts = {"added": n_added, "there": there, "bad": n_bad, "rows": n_rows}
    return record({"index": options.index, **counts, "seconds": seconds}, sentence)


def load_annoy(options: argparse.Namespace) -> Answer:
    """`load songs.ann songs.db --annoy angular`: the file comes first, and the table is always called annoy."""
    from ..annoy import convert  # which nothing else needs

    others = ("files", "format", "ids", "table", "column", "id", "metric", "no_optimize")
    if options.existing != "refuse" or any(getattr(options, name) for name in others):
        raise ValueError("load --annoy takes an .ann file, a database, and --dim if need be")
    start, source, target = time.perf_counter(), options.database, options.index
    n_items = convert(source, target, options.annoy, options.dim)
    seconds = time.perf_counter() - start
    sentence = f"{target}: {n_items:,} vectors of {source} in the table annoy, in {seconds:.1f} s"
    return record({"index": "annoy", "added": n_items, "seconds": seconds}, sentence)


# --- the database --------------------------------------------------------------------------------


@contextmanager
def database(path: str, *, may_make: bool) -> Iterator[apsw.Connection]:
    """Open it, or make it; what was made is removed again when the load fails before anything was put in."""
    made = False
    try:
        db = connect(path, flags=apsw.SQLITE_OPEN_READWRITE)
    except Error as error:
        if not may_make or error.code & 0xFF != apsw.SQLITE_CANTOPEN:
            raise
        db, made = connect(path), True
    file = Path(db.filename)
    try:
        yield db
    except BaseException:
        db.close()
        if made and file.stat().st_size == 0:
            file.unlink()
        raise
    db.close()


def rows_before(db: apsw.Connection, name: str) -> int:
    schema, table = resolved(db, name)
    return len(Index(db, name)) if db.table_exists(schema, table) else 0


def opened_or_made(db: apsw.Connection, options: argparse.Namespace, dim: int) -> Index:
    schema, table = resolved(db, options.index)
    if db.table_exists(schema, table):
        if options.metric:
            raise ValueError(f"{options.index} is there already: --metric is for a new index")
        index = Index(db, options.index)
        if isinstance(index, KeyedIndex):
            raise ValueError(
                f"{options.index}: expected an index of numbered rows, got one with keys ({index.key_name}): add by Python"
            )
        return index
    # Most likely a file or another database was meant, and such a table is easily made by SQL.
    if not table or any(sign in table for sign in "./\\"):
        raise ValueError(f"INDEX: expected the name of a table, without dot or slash, got {options.index!r}")
    return Index.create(db, options.index, dim, metric=options.metric or "cosine")


# --- files ---------------------------------------------------------------------------------------


def load_files(db: apsw.Connection, options: argparse.Namespace, files: list[Vectors]) -> tuple[Index, int]:
    first, total = 0, sum(len(file.ids) for file in files)
    with savepoint(db), reporting(True, f"adding to {options.index}") as report:
        index = opened_or_made(db, options, files[0].rows.shape[1])
        for file in files:
            try:
                rows = as_type(index.type, file.rows)
                index.add(file.ids, rows, existing=options.existing, progress=shifted(report, first, total))
            except (ValueError, TypeError, Error) as error:
                if isinstance(error, Error) and error.code != apsw.SQLITE_ERROR:
                    raise  # no row's fault
                raise ValueError(f"{file.name}: {error}") from None
            first += len(file.ids)
    return index, total


def as_type(kind: str, rows: Array) -> Array:
    """Numbers of a text file are floats here, also those of a type that must be whole."""
    is_whole = kind in ("int8", "bit") and rows.dtype.kind == "f" and (rows == rows.round()).all()
    return rows.astype("int64") if is_whole else rows


def shifted(report: Report, first: int, total: int) -> Report:
    """A report for one part of the work: `first` rows of the total are done before it."""
    return lambda done, _: report(first + done, total)


# --- a table -------------------------------------------------------------------------------------


@translated()
def load_table(db: apsw.Connection, options: argparse.Namespace, bad: Bad) -> tuple[Index, int]:
    schema, table = resolved(db, options.table)
    names = options.id or "rowid", options.column or "embedding"
    check_columns(db, schema or "main", table, *names)
    id_, column = map(quoted, names)
    source = f"FROM {quoted(table, schema)} WHERE {column} IS NOT NULL"
    check_ids(db, f"{options.table}.{names[0]}", id_, source)
    total = db.execute(f"SELECT count(*) {source}").get
    dim = db.execute(DIMENSIONS.format(column, source)).get
    if dim is None:
        raise ValueError(f"{options.table}.{names[1]}: expected vectors, got none")
    rows, verb = f"SELECT {id_}, {column} {source}", INSERT[options.existing]
    with savepoint(db):
        index = opened_or_made(db, options, dim)
        insert = f"{verb} INTO {index.table}(rowid, {index.column})"
        with reporting(True, f"adding to {options.index}") as report:
            try:
                with counted(db, report, total):
                    db.execute(f"{insert} {rows} AND {ROW_COMES}()")
            except apsw.SQLError:
                if not bad.skip:
                    raise
                one_by_one(db, f"{insert} VALUES (?, ?)", rows, options.table, bad, report, total)
    return index, total - bad.n


@contextmanager
def counted(db: apsw.Connection, report: Report, total: int) -> Iterator[None]:
    """ROW_COMES() in SQL, which is true: one statement that reads a table and fills another does not say how far it is."""
    done = itertools.count(1)

    def row_comes(*_: object) -> bool:
        report_some(report, next(done), total)
        return True

    db.create_scalar_function(ROW_COMES, row_comes, 0)
    try:
        yield
    finally:
        db.create_scalar_function(ROW_COMES, None, 0)


def report_some(report: Report, done: int, total: int) -> None:
    if done % REPORT_EACH == 0 or done == total:
        report(done, total)


def one_by_one(db: apsw.Connection, insert: str, rows: str, table: str, bad: Bad, report: Report, total: int) -> None:
    """The index says what is wrong with a row, and SQLite undoes that statement only."""
    for done, (id_, value) in enumerate(db.execute(rows), 1):
        report_some(report, done, total)
        try:
            db.execute(insert, (id_, value))
        except apsw.SQLError as error:
            bad.tell(f"{table}, id {id_}", str(translation(error)))


def check_ids(db: apsw.Connection, name: str, id_: str, source: str) -> None:
    """Refuse ids that are no whole numbers; for NULL, the index would choose an id itself."""
    odd = db.execute(
        f"SELECT quote({id_}) {source} AND ({id_} IS NULL OR {id_} IS NOT CAST({id_} AS INTEGER)) LIMIT 1"
    ).get
    if odd is not None:
        raise ValueError(f"{name}: expected whole numbers for ids, got {odd}")
