"""Turns melodies into vectors, so that songs that go alike are near each other.

    load(folder)           songs, vectors and unreadable tunes: from the cache (1 second), else made (15 seconds)
    load_songs(folder)     the songs only
    load_vectors(folder)   the vectors only: float32 (n, 64), row i belongs to song i
    make_vectors(songs)    the same without cache

How a melody becomes a vector, with "c d e c", the last note twice as long, as the example:

1. Intervals in semitones, which do not change when a tune is sung higher: +2 +2 -4. Leaps beyond an octave
   count as an octave.
2. Every three intervals that follow each other (four notes) make two words: the bare one (+2 +2 -4), and one
   that says too whether the second and the third note are shorter, as long or longer than the note before.
   Of 156,250 possible words the 2,000 that occur in most songs are kept.
3. A song is its word counts: square root of the count, times log(songs / songs with this word), length 1.
4. The 64 directions that keep most of this matrix (truncated singular value decomposition) are its vector.

Measured on the 406 ordered pairs of songs that have one title in two books and not the same notes: the other one
is the nearest song for 35 of 100, among the ten nearest for 54 (with all 2,000 columns: 40 and 56). Many such
pairs are different tunes of one name. Without rhythm 35 and 52, with two intervals a word 32 and 50.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from .corpus import VERSION, Song, Unreadable, cache_folder, fetch_wheel, read_corpus

DIMENSIONS = 64
LEAP = 12  # semitones; a longer leap counts as this one
N_INTERVALS = 2 * LEAP + 1  # -12 .. +12
N_BARE_WORDS = N_INTERVALS**3
N_ALL_WORDS = N_BARE_WORDS * (1 + 3 * 3)  # the bare ones first, then with each of nine rhythms
SAME_LENGTH = 1.25  # a note up to a quarter longer is as long; the ratios that occur are 4/3, 3/2, 2, 3 ...
N_WORDS = 2_000
SEED = 0
EXTRA_DIRECTIONS = 16  # beyond 64 while iterating, as usual for randomised decomposition
ROUNDS = 5  # more rounds do not change the figures above

# Told to whoever shows progress: what is being done, how much of how much (0 of 0: unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Collection:
    """All that the demo needs."""

    songs: list[Song]
    vectors: np.ndarray  # float32 (len(songs), 64), each of length 1
    unreadable: list[Unreadable]


def load_songs(cache_dir: Path | None = None) -> list[Song]:
    """Give the songs, in an order that never changes. Errors as `load`."""
    return load(cache_dir).songs


def load_vectors(cache_dir: Path | None = None) -> np.ndarray:
    """Give the vectors, float32 (n, 64), row i for song i of `load_songs`. Errors as `load`."""
    return load(cache_dir).vectors


def load(cache_dir: Path | None = None, progress: Progress | None = None) -> Collection:
    """Give songs and vectors, from the cache if it was written by this very code, else from the corpus.

    The first time this downloads 20 MB through pip. Raises OSError if that fails.
    """
    folder = cache_dir or cache_folder()
    cached = read_cache(folder / "songs.npz")
    if cached is not None:
        return cached
    tell: Progress = progress or (lambda stage, done, total: None)
    tell("Downloading the songs", 0, 0)
    wheel = fetch_wheel(folder)
    songs, unreadable = read_corpus(wheel, lambda done, total: tell("Reading the songs", done, total))
    vectors = make_vectors(songs, lambda done, total: tell("Making vectors", done, total))
    collection = Collection(songs, vectors, unreadable)
    write_cache(folder / "songs.npz", collection)
    return collection


# --- From melodies to vectors


def make_vectors(songs: list[Song], progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Give one vector a song: float32 (n, 64), each of length 1; of a melody with no known word, all zero.

    The same songs give the same vectors; between machines they differ by rounding only.
    """
    counts, n_songs_with = count_words([words_of(song) for song in songs])
    weights = np.sqrt(counts) * np.log(len(songs) / n_songs_with).astype(np.float32)
    return unit_rows(reduce_dimensions(unit_rows(weights), DIMENSIONS, progress))


def words_of(song: Song) -> np.ndarray:
    """Give the words of a melody as numbers below 156,250, int64 (2 * (notes - 3),); none if it has under 4 notes."""
    steps = np.clip(np.diff(song.pitches), -LEAP, LEAP) + LEAP
    if len(steps) < 3:
        return np.zeros(0, dtype=np.int64)
    bare = (steps[:-2] * N_INTERVALS + steps[1:-1]) * N_INTERVALS + steps[2:]

    # Of each two notes: 0 the second is shorter, 1 it is as long, 2 it is longer.
    ratios = np.divide(song.durations[1:], song.durations[:-1])
    lengths = 1 + (ratios > SAME_LENGTH).astype(np.int64) - (ratios < 1 / SAME_LENGTH)
    rhythm = 3 * lengths[:-2] + lengths[1:-1]
    return np.concatenate([bare, (1 + rhythm) * N_BARE_WORDS + bare])


def count_words(words: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Count the commonest words: counts float32 (n, m) and, for each of m <= 2,000 words, how many songs have it.

    `words` has one array a song. Columns are in order of songs, most first, ties by the number of the word.
    """
    song = np.repeat(np.arange(len(words)), [len(w) for w in words])
    pairs, times = np.unique(song * N_ALL_WORDS + np.concatenate(words), return_counts=True)
    song, word = np.divmod(pairs, N_ALL_WORDS)

    n_songs_with = np.bincount(word, minlength=N_ALL_WORDS)
    kept = np.argsort(-n_songs_with, kind="stable")[:N_WORDS]
    kept = kept[n_songs_with[kept] > 0]
    column = np.full(N_ALL_WORDS, -1)
    column[kept] = np.arange(len(kept))

    counts = np.zeros((len(words), len(kept)), dtype=np.float32)
    known = column[word] >= 0
    counts[song[known], column[word[known]]] = times[known]
    return counts, n_songs_with[kept]


def reduce_dimensions(
    matrix: np.ndarray, n_directions: int, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Project (n, m) onto its first right singular vectors: float32 (n, n_directions), zeros if m is smaller.

    Randomised subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4) from a fixed seed. A singular
    vector is only known up to its sign: its largest component is made positive.
    """
    n_columns = matrix.shape[1]
    n_kept = min(n_directions + EXTRA_DIRECTIONS, *matrix.shape)
    basis = np.random.default_rng(SEED).standard_normal((n_columns, n_kept), dtype=np.float32)
    for n_done in range(1, ROUNDS + 1):
        basis, _ = np.linalg.qr(matrix.T @ (matrix @ basis))
        if progress:
            progress(n_done, ROUNDS)

    _, _, rows = np.linalg.svd(matrix @ basis, full_matrices=False)
    directions = (basis @ rows.T)[:, :n_directions]
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.sign(directions[largest, np.arange(directions.shape[1])])

    reduced = np.zeros((len(matrix), n_directions), dtype=np.float32)
    reduced[:, : directions.shape[1]] = matrix @ directions
    return reduced


def unit_rows(matrix: np.ndarray) -> np.ndarray:
    """Give every row length 1, float32; a row of zeros stays."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)


# --- The cache: one .npz with notes in arrays and text in JSON

TEXTS = ("title", "book", "origin", "kind", "key", "metre", "abc")


def code_digest() -> str:
    """Name the code that makes the cache, so that a cache made by other code is not taken."""
    sources = (Path(__file__).with_name(name).read_bytes() for name in ("abc_reader.py", "corpus.py", "songs.py"))
    return hashlib.sha256(VERSION.encode() + b"".join(sources)).hexdigest()


def write_cache(path: Path, collection: Collection) -> None:
    """Write all of it to `path`, which is either complete or as it was before."""
    songs = collection.songs
    text = {
        "digest": code_digest(),
        "songs": [[getattr(song, name) for name in TEXTS] for song in songs],
        "unreadable": [astuple(tune) for tune in collection.unreadable],
    }
    unfinished = path.with_name("unfinished-" + path.name)
    np.savez(
        unfinished,
        text=np.frombuffer(json.dumps(text).encode(), dtype=np.uint8),
        n_notes=np.array([len(song.pitches) for song in songs]),
        pitches=np.concatenate([np.array(song.pitches, dtype=np.int16) for song in songs]),
        durations=np.concatenate([np.array(song.durations) for song in songs]),
        vectors=collection.vectors,
    )
    unfinished.replace(path)


def read_cache(path: Path) -> Collection | None:
    """Give what `write_cache` wrote; None if there is nothing, or it is damaged, or other code wrote it."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            text = json.loads(stored["text"].tobytes())
            if text["digest"] != code_digest():
                return None
            ends = np.cumsum(stored["n_notes"])[:-1]
            pitches = np.split(stored["pitches"], ends)
            durations = np.split(stored["durations"], ends)
            vectors = stored["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    songs = [
        Song(**dict(zip(TEXTS, told, strict=True)), pitches=notes.tolist(), durations=times.tolist())
        for told, notes, times in zip(text["songs"], pitches, durations, strict=True)
    ]
    return Collection(songs, vectors, [Unreadable(*tune) for tune in text["unreadable"]])
