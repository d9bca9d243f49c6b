"""Builds songs.db from real songs and shows what can be asked of it.

    run("songs.db")      gets the songs, fills the database, runs every example           (30 seconds, later 3)
    build(db, …)         the ordinary table and the index over its vectors
    example_files()      the SQL examples, in the source tree or in the installed package

Each example is one statement under a comment whose first line is a question; `show` prints all three.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import apsw
import apsw.ext

import sqlite_ann

from . import corpus, songs

try:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.syntax import Syntax
    from rich.table import Table
except ImportError as error:
    raise ImportError("the demo needs the package rich: pip install 'sqlite_ann[demo]'") from error

TABLES = """
CREATE TABLE song(
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    book TEXT NOT NULL,
    origin TEXT NOT NULL,        -- "Ireland"; in the Essen books "Europa, Mitteleuropa, Deutschland"
    kind TEXT NOT NULL,          -- "jig", "reel", ...; '' where the book does not say
    key TEXT NOT NULL,           -- "G major"
    metre TEXT NOT NULL,         -- "6/8"
    notes INTEGER NOT NULL,
    embedding BLOB NOT NULL      -- 64 float32, little-endian
);
CREATE VIRTUAL TABLE song_text USING fts5(title, content='song', content_rowid='id');
"""
INSERT_SONG = "INSERT INTO song VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# The first is built of the rows that are there, and follows the table from then on.
INDEX = """
CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[64], metric=cosine, content='song', content_rowid='id');
INSERT INTO song_text(song_text) VALUES ('rebuild');
"""
TO_TRY = """SELECT song.title, song.book, near.distance
  FROM ann_search('song_ann', (SELECT embedding FROM song WHERE title = 'Money Musk'), 5) AS near
  JOIN song ON song.id = near.id
 ORDER BY near.distance;"""


def run(path: str = "songs.db", *, quiet: bool = False) -> None:
    """Build the database at `path`, run all examples and print what they answer; with `quiet`, print nothing.

    A database that an earlier run made is replaced, once the new one is complete. Raises FileExistsError if `path`
    holds anything else, OSError if the songs cannot be downloaded, and what SQLite raises.
    """
    console = Console(quiet=quiet)
    target = Path(path)
    unfinished = target.with_name(target.name + ".unfinished")
    refuse_others(target)
    remove(unfinished)
    with Stages(console) as stages:
        collection = songs.load(progress=stages.tell)
        with closing(sqlite_ann.connect(unfinished)) as db:
            build(db, collection, stages)
    remove(target)
    unfinished.replace(target)

    for line in corpus.describe(collection.songs, collection.unreadable):
        console.print(line, highlight=False)
    with closing(sqlite_ann.connect(target)) as db:
        for file in example_files():
            show(console, db, Example.read(file))
    tell_how_to_go_on(console, target)


def refuse_others(path: Path) -> None:
    """Raise FileExistsError if there is a file that is no database of an earlier run; do nothing else."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except apsw.NotADBError:
        tables = set()
    if not {"song", "song_ann"} <= tables:
        raise FileExistsError(f"{path} is not a database of this demo and stays as it is: give another path")


def remove(database: Path) -> None:
    """Delete a database and the files that SQLite keeps beside it, where they are there."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def build(db: apsw.Connection, collection: songs.Collection, stages: Stages) -> None:
    """Write the songs, and the index over their vectors, in one transaction."""
    with db:
        db.execute(TABLES)
        db.executemany(INSERT_SONG, stages.each("Writing the songs", rows_of(collection)))
        stages.tell("Building the index", 0, 0)
        db.execute(INDEX)


def rows_of(collection: songs.Collection) -> list[tuple[object, ...]]:
    """Give the rows of table song, one tuple a song, ids from 1."""
    blobs = (vector.astype("<f4").tobytes() for vector in collection.vectors)
    return [
        (i, song.title, song.book, song.origin, song.kind, song.key, song.metre, len(song.pitches), blob)
        for i, (song, blob) in enumerate(zip(collection.songs, blobs, strict=True), start=1)
    ]


class Stages:
    """Shows one bar for each stage of the work, whichever part of the demo tells about it."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description:24}"), BarColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=console, disable=console.quiet)
        self.name = ""
        self.task: TaskID | None = None

    def __enter__(self) -> Stages:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self.progress.stop()

    def tell(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done in stage `name`, which ends the stage before; 0 of 0: not known."""
        if name != self.name or self.task is None:
            self.finish()
            self.name, self.task = name, self.progress.add_task(name, total=total or None)
        self.progress.update(self.task, completed=done)

    def each(self, name: str, rows: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
        """Pass the rows on, and tell from time to time how many went through."""
        for i, row in enumerate(rows):
            if i % 1000 == 0:
                self.tell(name, i, len(rows))
            yield row

    def finish(self) -> None:
        """Fill the bar of the stage that is shown, if there is one."""
        if self.task is not None:
            self.progress.update(self.task, total=1, completed=1)
            self.task = None


@dataclass(frozen=True)
class Example:
    """A file of SQL: a question on its first line, a comment on the lines after it, and the statement."""

    name: str
    question: str
    comment: str
    sql: str

    @staticmethod
    def read(file: Traversable) -> Example:
        """Take apart the comment lines at the head of the file and what follows them."""
        lines = file.read_text(encoding="utf-8").splitlines()
        n_head = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
        head = [line.removeprefix("--").strip() for line in lines[:n_head]]
        return Example(file.name, "".join(head[:1]), " ".join(head[1:]), "\n".join(lines[n_head:]).strip())


def example_files() -> list[Traversable]:
    """List the examples in order of name: of the installed package, else of the source tree.

    Raises FileNotFoundError if there are none in either place.
    """
    packaged = resources.files(__package__) / "examples"
    in_source_tree = Path(__file__).parents[2] / "sql" / "examples"
    for folder in (packaged, in_source_tree):
        if folder.is_dir():
            return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    raise FileNotFoundError(f"no SQL examples: neither {packaged} nor {in_source_tree} is there")


def show(console: Console, db: apsw.Connection, example: Example) -> None:
    """Run an example and print its comment, its SQL and its answer."""
    began = time.perf_counter()
    rows = db.execute(example.sql).fetchall()
    milliseconds = 1000 * (time.perf_counter() - began)

    console.print()
    console.rule(f"[bold]{example.name}", align="left")
    console.print(example.question, highlight=False, markup=False, style="bold")
    if example.comment:
        console.print(example.comment, highlight=False, markup=False)
    console.print()
    console.print(Syntax(example.sql, "sql", background_color="default", word_wrap=True))
    names = [name for name, *_ in apsw.ext.query_info(db, example.sql).description]
    table = Table(*names, caption=f"{len(rows)} rows in {milliseconds:.1f} ms", caption_justify="left")
    for column, value in zip(table.columns, rows[0] if rows else (), strict=False):
        column.justify = "right" if isinstance(value, int | float) else "left"
    for row in rows:
        table.add_row(*map(cell, row))
    console.print(table)


def cell(value: object) -> str:
    """Write a value of SQL for people."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, float):
        return f"{value:z.4f}"
    return "NULL" if value is None else str(value).replace("[", "\\[")


def tell_how_to_go_on(console: Console, path: Path) -> None:
    """Say how to ask more, from the shell that every Debian has."""
    megabytes = path.stat().st_size / 1e6
    console.print()
    console.rule("[bold]Your turn", align="left")
    console.print(f"{path} has {megabytes:.1f} MB. Ask more of it in SQLite's own shell (apt install sqlite3):\n")
    text = f"$ sqlite3 {path}\n.load {sqlite_ann.loadable_path()}\n.mode box\n{TO_TRY}\n"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
