"""Builds songs.db from real songs and shows what can be asked of it.

    run("songs.db")      gets the songs, fills the database, runs every example           (30 seconds, later 3)
    build(db, …)         the ordinary table and the index over its vectors
    example_files()      the SQL examples, in the source tree or in the installed package

Each example is one statement under comments: a question, and the Python that gives the same rows, its lines after
`>>>`; `show` prints all of it.
"""

from __future__ import annotations

import shutil
import sys
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

from ..cli.answer import Answer, show_plain
from . import songs
from .corpus import Song

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
    embedding BLOB NOT NULL,     -- 64 float32, little-endian
    abc TEXT NOT NULL,           -- the tune as the book has it, header and all
    melody TEXT NOT NULL         -- its notes as JSON: [[pitch, duration], ...], MIDI numbers and quarter notes
);
CREATE VIRTUAL TABLE song_text USING fts5(title, content='song', content_rowid='id');
"""
INSERT_SONG = "INSERT INTO song VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# The first is built of the rows that are there, and follows the table from then on.
INDEX = """
CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[64], metric=cosine, content='song', content_rowid='id');
INSERT INTO song_text(song_text) VALUES ('rebuild');
"""
TO_TRY = "Money Musk"


def run(path: str = "songs.db", *, quiet: bool = False) -> None:
    """Build the database at `path`, run all examples and print what they answer; with `quiet`, print nothing.

    A database that an earlier run made is replaced, once the new one is complete. Raises FileExistsError if `path`
    holds anything else, OSError if the songs cannot be downloaded, and what SQLite raises.
    """
    target = Path(path)
    unfinished = target.with_name(target.name + ".unfinished")
    refuse_others(target)
    remove(unfinished)
    with Stages(quiet) as stages:
        collection = songs.load(progress=stages.tell)
        began = time.perf_counter()
        with closing(sqlite_ann.connect(unfinished)) as db:
            build(db, collection, stages)
        seconds = time.perf_counter() - began
    remove(target)
    unfinished.replace(target)

    if quiet:
        return
    told = f"{len(collection.songs):,} folk tunes of four old books ({len(collection.unreadable)} could not be read)"
    size = f"{target.stat().st_size / 1e6:.1f} MB, made in {seconds:.1f} s"
    print(f"{told}, each as 64 numbers, in {target}: {size}")
    with closing(sqlite_ann.connect(target)) as db:
        print(f'>>> import sqlite_ann; db = sqlite_ann.connect("{target}"); index = sqlite_ann.Index(db, "song_ann")')
        for file in example_files():
            show(db, Example.read(file))
        tell_how_to_go_on(db, target)


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
    return [
        (i, s.title, s.book, s.origin, s.kind, s.key, s.metre, len(s.pitches), vector.tobytes(), s.abc, melody_of(s))
        for i, (s, vector) in enumerate(zip(collection.songs, collection.vectors.astype("<f4"), strict=True), start=1)
    ]


def melody_of(song: Song) -> str:
    """The notes as JSON; durations to six digits, of which thirds have no end.

    >>> melody_of(Song("", "", "", "", "", "", [60, 62], [1.0, 2 / 3], ""))
    '[[60,1],[62,0.666667]]'
    """
    notes = zip(song.pitches, song.durations, strict=True)
    return f"[{','.join(f'[{pitch},{duration:g}]' for pitch, duration in notes)}]"


class Stages:
    """Says on a terminal's last line what is being done, whichever part of the demo tells about it."""

    def __init__(self, quiet: bool) -> None:
        self.hidden = quiet or not sys.stderr.isatty()

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self.write("")

    def tell(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done in stage `name`; 0 of 0: not known."""
        self.write(f"{name}: {done:,} of {total:,}" if total else f"{name} …")

    def each(self, name: str, rows: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
        """Pass the rows on, and tell from time to time how many went through."""
        for i, row in enumerate(rows):
            if i % 1000 == 0:
                self.tell(name, i, len(rows))
            yield row

    def write(self, text: str) -> None:
        if not self.hidden:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Example:
    """A file of SQL: a question on its first line, Python on the comment lines after it, and the statement."""

    question: str
    python: str
    sql: str

    @staticmethod
    def read(file: Traversable) -> Example:
        """Take apart the comment lines at the head of the file and what follows them."""
        lines = file.read_text(encoding="utf-8").splitlines()
        n_head = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
        head = [line.removeprefix("--").strip() for line in lines[:n_head]]
        python = [line.removeprefix(">>> ") for line in head[1:]]
        return Example("".join(head[:1]), "\n".join(python), "\n".join(lines[n_head:]).strip())


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


def show(db: apsw.Connection, example: Example) -> None:
    """Run an example and print its question, its SQL and Python, and its answer."""
    rows = db.execute(example.sql).fetchall()
    names = [name for name, *_ in apsw.ext.query_info(db, example.sql).description]
    bold, end = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    python = "\n".join(f">>> {line}" for line in example.python.splitlines())
    print(f"\n{bold}{example.question}{end}\n{example.sql}\n{python}")
    show_plain(Answer(names, rows))


def tell_how_to_go_on(db: apsw.Connection, path: Path) -> None:
    """Say how to go on: on a page, from the command line, and from the shell that every Debian has."""
    tune = db.execute("SELECT id FROM song WHERE title = ?", [TO_TRY]).get
    started = sys.argv[0] if Path(sys.argv[0]).name == "sqlite-ann" else f"{sys.executable} -m sqlite_ann"
    program = "sqlite-ann" if shutil.which("sqlite-ann") else started
    print(f"\nYour turn: on a page that draws and plays the songs; with {TO_TRY}; or in SQLite's shell:")
    print(f"$ {program} serve {path}")
    print(f"$ {program} search {path} song_ann --id {tune} -k 5 --show title book --table song")
    print(f"$ sqlite3 {path} -cmd \".load '{sqlite_ann.loadable_path()}'\" -cmd '.mode column'")
