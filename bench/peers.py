"""The libraries that `make bench` measures, ours among them, each behind the same four calls.

    peer = PEERS["hnswlib"]()
    space = Space(384, "cosine")
    peer.build(base, space, path, {"M": 16})        # -> the file is there; this is what is timed
    peer.open(path, space, {"M": 16})               # in another process
    peer.set({"ef": 80})                            # how carefully to search
    peer.search(query)                              # -> the ids of the ten nearest

`builds` and `settings` are the grid that a peer is tuned over, after its own documentation; what counts is
the Pareto front over all of it. A peer that knows no cosine gets vectors of length one, made before the clock
starts. All peers inside SQLite get the same journal, and otherwise SQLite's defaults, as ours does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import apsw
import numpy as np

K = 10
THREADS = 2  # of a build, where the peer has them; a search has one

Options = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """What the vectors are, and what near means.

    A row of them is float32 (dim,), float16 (dim,), int8 (dim,), or of bits uint8 (dim / 8,), as
    np.packbits(…, bitorder="little") gives them.
    """

    dim: int
    metric: str
    element: str = "float32"


def spaces(**metrics: str) -> frozenset[tuple[str, str]]:
    """What a library can: pairs of an element type and a metric.

    >>> sorted(spaces(int8="l2 dot"))
    [('int8', 'dot'), ('int8', 'l2')]
    """
    return frozenset((element, metric) for element, some in metrics.items() for metric in some.split())


class Peer:
    """One library. A subclass fills in the grid and the four calls."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]  # distributions, for the versions
    modules: ClassVar[tuple[str, ...]]  # to be imported before the clock starts
    in_sqlite: ClassVar[bool] = False
    unit_length: ClassVar[bool] = False  # wants the vectors of a cosine normalized
    takes: ClassVar[frozenset[tuple[str, str]]] = spaces(float32="cosine l2")

    def builds(self, n: int, dim: int) -> list[Options]:
        """Ways to build for n rows of `dim` components, the most usual first."""
        return [{}]

    def settings(self, options: Options, n: int) -> list[Options]:
        """Ways to search what `options` built, from fast to careful."""
        return [{}]

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        """Index (n, …) vectors of the space, row i having the id i, and save it."""
        raise NotImplementedError

    def open(self, path: Path, space: Space, options: Options) -> None:
        """Make what `build` saved ready for searching, with one thread."""
        raise NotImplementedError

    def set(self, setting: Options) -> None:
        """Search like this from now on."""

    def search(self, query: np.ndarray) -> Iterable[int]:
        """The ids of the K rows nearest to a vector of the space, as this library gives them."""
        raise NotImplementedError


# ---- Inside SQLite --------------------------------------------------------------------------------


class InSqlite(Peer):
    """What all extensions have in common: a database file and a connection to it."""

    in_sqlite = True
    db: apsw.Connection

    def connect(self, path: Path) -> apsw.Connection:
        """A connection with the extension loaded."""
        db = apsw.Connection(str(path))
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1)
        self.load(db)
        db.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=normal")
        return db

    def load(self, db: apsw.Connection) -> None:
        raise NotImplementedError

    def open(self, path: Path, space: Space, options: Options) -> None:
        self.db = self.connect(path)


class Ours(InSqlite):
    """sqlite_ann with default options, asked for a recall."""

    name = "sqlite_ann"
    packages = ("sqlite_ann",)
    modules = ("sqlite_ann",)
    takes = spaces(
        float32="cosine angular l2 l1 dot",
        float16="cosine angular l2 l1 dot",
        int8="cosine angular l2 l1 dot",
        bit="hamming jaccard",
    )

    def settings(self, options: Options, n: int) -> list[Options]:
        return [{"recall": recall} for recall in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)]

    def load(self, db: apsw.Connection) -> None:
        import sqlite_ann

        sqlite_ann.load(db)

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        import sqlite_ann

        db = self.connect(path)
        index = sqlite_ann.Index.create(db, "v", dim=space.dim, metric=space.metric, type=space.element, **options)
        index.add(np.arange(len(base)), base)
        index.optimize()
        db.close()

    def open(self, path: Path, space: Space, options: Options) -> None:
        import sqlite_ann

        super().open(path, space, options)
        self.index = sqlite_ann.Index(self.db, "v")
        self.recall = 0.95

    def set(self, setting: Options) -> None:
        self.recall = setting["recall"]

    def search(self, query: np.ndarray) -> Iterable[int]:
        return self.index.search(query, k=K, recall=self.recall)[0]


class Vec1(InSqlite):
    """SQLite's own extension, an extra of apsw: an inverted file with product quantization.

    Its manual takes the square root of the rows for the buckets, an eighth of the components for the bytes of
    a code, and calls ranking the best by their vectors essential. More of either can be better, so both.
    """

    name = "vec1"
    packages = ("apsw",)
    modules = ("apsw.sqlite_extra",)
    metrics: ClassVar[dict[str, str]] = {"cosine": "cos", "l2": "l2"}
    trained_on = 50_000  # rows at most: half of the manual's example, in half of the time

    def builds(self, n: int, dim: int) -> list[Options]:
        return [
            {"nbucket": within(math.sqrt(n), 32, 4096), "codesize": divisor(dim, dim / 4)},
            {"nbucket": within(4 * math.sqrt(n), 32, 4096), "codesize": divisor(dim, dim / 8)},
        ]

    def settings(self, options: Options, n: int) -> list[Options]:
        return [
            {"nprobe": probes, "k": k}
            for probes in doubling(2, options["nbucket"])
            for k in ((40, 100) if probes <= 16 else (100, 250))
        ]

    def load(self, db: apsw.Connection) -> None:
        import apsw.sqlite_extra

        apsw.sqlite_extra.load(db, "vec1")

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        db = self.connect(path)
        db.execute("SELECT vec1_config('nthread', ?)", (THREADS,))
        wanted = json.dumps({"distance": self.metrics[space.metric], **options})
        with db:
            db.execute("CREATE VIRTUAL TABLE v USING vec1(vector)")
            db.executemany("INSERT INTO v(rowid, vector) VALUES(?, ?)", as_rows(base))
        # every so many rows: neighbouring rows may be alike, and the first ones are no sample
        step = -(-len(base) // self.trained_on)
        with db:
            db.execute(
                "INSERT INTO v(cmd, arg) SELECT 'rebuild', vec1_train(vector, ?) FROM v WHERE rowid % ? = 0",
                (wanted, step),
            )
        db.close()

    def open(self, path: Path, space: Space, options: Options) -> None:
        super().open(path, space, options)
        self.sql = (
            f"SELECT rowid FROM v(?1, ?2) ORDER BY vec1_{self.metrics[space.metric]}_distance(?1, vector) LIMIT {K}"
        )

    def set(self, setting: Options) -> None:
        self.json = '{{"nprobe": {nprobe}, "k": {k}}}'.format(**setting)

    def search(self, query: np.ndarray) -> Iterable[int]:
        return [id for (id,) in self.db.execute(self.sql, (query.tobytes(), self.json))]


class SqliteVec(InSqlite):
    """sqlite-vec, exact: what its stable version has."""

    name = "sqlite-vec"
    packages = ("sqlite-vec",)
    modules = ("sqlite_vec",)
    takes = spaces(float32="cosine l2 l1", int8="cosine l2 l1", bit="hamming")
    columns: ClassVar[dict[str, str]] = {"float32": "float", "int8": "int8", "bit": "bit"}

    def load(self, db: apsw.Connection) -> None:
        import sqlite_vec

        db.load_extension(sqlite_vec.loadable_path())

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        db = self.connect(path)
        with db:
            near = "" if space.element == "bit" else f"distance_metric={space.metric}"
            column = f"e {self.columns[space.element]}[{space.dim}] {near}"
            db.execute(f"CREATE VIRTUAL TABLE v USING vec0({column})")
            db.executemany(f"INSERT INTO v(rowid, e) VALUES(?, {self.vector(space)})", as_rows(base))
        db.close()

    def open(self, path: Path, space: Space, options: Options) -> None:
        super().open(path, space, options)
        self.sql = f"SELECT rowid, distance FROM v WHERE e MATCH {self.vector(space)} AND k = {K}"

    def vector(self, space: Space) -> str:
        """A bound blob as a vector of that type."""
        return "?" if space.element == "float32" else f"vec_{space.element}(?)"

    def search(self, query: np.ndarray) -> Iterable[int]:
        return [id for id, _ in self.db.execute(self.sql, (query.tobytes(),))]


class Vectorlite(InSqlite):
    """vectorlite: hnswlib in memory behind a virtual table, saved to a file beside the database on closing."""

    name = "vectorlite"
    packages = ("vectorlite-py",)
    modules = ("vectorlite_py",)

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"max_elements": n, "M": 16, "ef_construction": 200}]

    def settings(self, options: Options, n: int) -> list[Options]:
        return [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320, 640)]

    def load(self, db: apsw.Connection) -> None:
        import vectorlite_py

        db.load_extension(vectorlite_py.vectorlite_path())

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        db = self.connect(path)
        hnsw = ", ".join(f"{key}={value}" for key, value in options.items())
        db.execute(
            f"CREATE VIRTUAL TABLE v USING vectorlite(e float32[{space.dim}] {space.metric}, hnsw({hnsw}), '{path}.hnsw')"
        )
        with db:
            db.executemany("INSERT INTO v(rowid, e) VALUES(?, ?)", as_rows(base))
        db.close()

    def set(self, setting: Options) -> None:
        self.ef = setting["ef"]

    def search(self, query: np.ndarray) -> Iterable[int]:
        sql = f"SELECT rowid, distance FROM v WHERE knn_search(e, knn_param(?, {K}, ?))"
        return [id for id, _ in self.db.execute(sql, (query.tobytes(), self.ef))]


# ---- In memory ------------------------------------------------------------------------------------


class Annoy(Peer):
    name = "annoy"
    packages = ("annoy",)
    modules = ("annoy",)
    takes = spaces(float32="cosine l2 l1 dot", bit="hamming")
    metrics: ClassVar[dict[str, str]] = {
        "cosine": "angular", "l2": "euclidean", "l1": "manhattan", "dot": "dot", "hamming": "hamming",
    }  # fmt: skip

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"n_trees": n_trees} for n_trees in (25, 100)]

    def settings(self, options: Options, n: int) -> list[Options]:
        wanted = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
        return [{"search_k": k} for k in wanted if options["n_trees"] * K <= k <= 4 * n]

    def index(self, space: Space) -> Any:
        from annoy import AnnoyIndex

        self.is_bits = space.element == "bit"
        return AnnoyIndex(space.dim, self.metrics[space.metric])

    def given(self, vector: np.ndarray) -> np.ndarray:
        """As Annoy takes it: bits are numbers of their own."""
        return np.unpackbits(vector, bitorder="little") if self.is_bits else vector

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        index = self.index(space)
        index.set_seed(0)
        for i, vector in enumerate(base):
            index.add_item(i, self.given(vector))
        index.build(options["n_trees"], n_jobs=THREADS)
        index.save(str(path))

    def open(self, path: Path, space: Space, options: Options) -> None:
        self.annoy = self.index(space)
        self.annoy.load(str(path))

    def set(self, setting: Options) -> None:
        self.search_k = setting["search_k"]

    def search(self, query: np.ndarray) -> Iterable[int]:
        ids: list[int] = self.annoy.get_nns_by_vector(self.given(query), K, self.search_k)
        return ids


class Hnswlib(Peer):
    name = "hnswlib"
    packages = ("hnswlib",)
    modules = ("hnswlib",)
    takes = spaces(float32="cosine l2 dot")

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"M": M, "ef_construction": 200} for M in (16, 32)]

    def settings(self, options: Options, n: int) -> list[Options]:
        return [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320, 640)]

    def index(self, space: Space) -> Any:
        import hnswlib

        return hnswlib.Index(space={"dot": "ip"}.get(space.metric, space.metric), dim=space.dim)

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        index = self.index(space)
        index.init_index(max_elements=len(base), random_seed=0, **options)
        index.add_items(base, np.arange(len(base)), num_threads=THREADS)
        index.save_index(str(path))

    def open(self, path: Path, space: Space, options: Options) -> None:
        self.hnsw = self.index(space)
        self.hnsw.load_index(str(path))
        self.hnsw.set_num_threads(1)

    def set(self, setting: Options) -> None:
        self.hnsw.set_ef(setting["ef"])

    def search(self, query: np.ndarray) -> Iterable[int]:
        ids: Sequence[int] = self.hnsw.knn_query(query, K)[0][0]
        return ids


class Usearch(Peer):
    name = "usearch"
    packages = ("usearch",)
    modules = ("usearch.index",)
    takes = spaces(float32="cosine l2 dot", float16="cosine l2 dot", int8="cosine l2 dot", bit="hamming jaccard")
    metrics: ClassVar[dict[str, str]] = {
        "cosine": "cos", "l2": "l2sq", "dot": "ip", "hamming": "hamming", "jaccard": "tanimoto",
    }  # fmt: skip
    dtypes: ClassVar[dict[str, str]] = {"float32": "f32", "float16": "f16", "int8": "i8", "bit": "b1"}

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"connectivity": 16, "expansion_add": 128}]

    def settings(self, options: Options, n: int) -> list[Options]:
        return [{"expansion": expansion} for expansion in (10, 20, 40, 80, 160, 320, 640)]

    def index(self, space: Space, options: Options) -> Any:
        from usearch.index import Index

        return Index(ndim=space.dim, metric=self.metrics[space.metric], dtype=self.dtypes[space.element], **options)

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        index = self.index(space, options)
        index.add(np.arange(len(base)), base, threads=THREADS)
        index.save(str(path))

    def open(self, path: Path, space: Space, options: Options) -> None:
        self.usearch = self.index(space, options)
        self.usearch.load(str(path))

    def set(self, setting: Options) -> None:
        self.usearch.expansion_search = setting["expansion"]

    def search(self, query: np.ndarray) -> Iterable[int]:
        ids: Sequence[int] = self.usearch.search(query, K, threads=1).keys
        return ids


class Faiss(Peer):
    """What the kinds of faiss share: they are made by a string of its factory, and take float32."""

    packages = ("faiss-cpu",)
    modules = ("faiss",)
    unit_length = True

    def factory(self, space: Space, options: Options) -> str:
        raise NotImplementedError

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        import faiss

        faiss.omp_set_num_threads(THREADS)
        near = {"l1": faiss.METRIC_L1, "dot": faiss.METRIC_INNER_PRODUCT}.get(space.metric, faiss.METRIC_L2)
        index = faiss.index_factory(space.dim, self.factory(space, options), near)
        if "nlist" in options:
            # the default is 256 and would take most of the run; below 39 faiss warns
            faiss.extract_index_ivf(index.base_index).cp.max_points_per_centroid = 40
        rows = base.astype(np.float32, copy=False)
        index.train(rows)
        index.add(rows)
        faiss.write_index(index, str(path))

    def open(self, path: Path, space: Space, options: Options) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.faiss = faiss.read_index(str(path))

    def search(self, query: np.ndarray) -> Iterable[int]:
        ids: Sequence[int] = self.faiss.search(query[None].astype(np.float32, copy=False), K)[1][0]
        return ids


class FaissInverted(Faiss):
    """Inverted lists of short codes, the best of which are ranked by their vectors."""

    def settings(self, options: Options, n: int) -> list[Options]:
        return [
            {"nprobe": probes, "k_factor": k}
            for probes in doubling(2, options["nlist"])
            for k in ((3, 8) if probes <= 16 else (8, 20))
        ]

    def open(self, path: Path, space: Space, options: Options) -> None:
        import faiss

        super().open(path, space, options)
        self.lists = faiss.extract_index_ivf(self.faiss.base_index)

    def set(self, setting: Options) -> None:
        self.lists.nprobe, self.faiss.k_factor = setting["nprobe"], setting["k_factor"]


class FaissQuantized(FaissInverted):
    name = "faiss-pq"

    def builds(self, n: int, dim: int) -> list[Options]:
        near = [int(times * math.sqrt(n)) for times in (4, 8)]
        return [{"nlist": near[0], "m": dim // 2}, {"nlist": near[1], "m": dim // 4}]

    def factory(self, space: Space, options: Options) -> str:
        return "IVF{nlist},PQ{m}x4fsr,RFlat".format(**options)


class FaissBits(FaissInverted):
    name = "faiss-rabitq"

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"nlist": int(4 * math.sqrt(n))}]

    def factory(self, space: Space, options: Options) -> str:
        return f"RR{space.dim},IVF{options['nlist']},RaBitQfs,RFlat"


class FaissGraph(Faiss):
    name = "faiss-hnsw"
    takes = spaces(float32="cosine l2 l1 dot", float16="cosine l2 dot", int8="l2 dot")
    stored: ClassVar[dict[str, str]] = {"float32": "", "float16": "_SQfp16", "int8": "_SQ8_direct_signed"}

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"M": 32}]

    def settings(self, options: Options, n: int) -> list[Options]:
        return [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320, 640)]

    def factory(self, space: Space, options: Options) -> str:
        return f"HNSW{options['M']}{self.stored[space.element]}"

    def set(self, setting: Options) -> None:
        self.faiss.hnsw.efSearch = setting["ef"]


class FaissBinary(Peer):
    """faiss on bits: its graph, and its inverted lists."""

    name = "faiss-binary"
    packages = ("faiss-cpu",)
    modules = ("faiss",)
    takes = spaces(bit="hamming")

    def builds(self, n: int, dim: int) -> list[Options]:
        return [{"M": 32}, {"nlist": int(4 * math.sqrt(n))}]

    def settings(self, options: Options, n: int) -> list[Options]:
        if "M" in options:
            return [{"ef": ef} for ef in (10, 20, 40, 80, 160, 320, 640)]
        return [{"nprobe": probes} for probes in doubling(2, options["nlist"])]

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        import faiss

        faiss.omp_set_num_threads(THREADS)
        kind = "BHNSW{M}" if "M" in options else "BIVF{nlist}"
        index = faiss.index_binary_factory(space.dim, kind.format(**options))
        index.train(base)
        index.add(base)
        faiss.write_index_binary(index, str(path))

    def open(self, path: Path, space: Space, options: Options) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.faiss = faiss.read_index_binary(str(path))

    def set(self, setting: Options) -> None:
        if "ef" in setting:
            self.faiss.hnsw.efSearch = setting["ef"]
        else:
            self.faiss.nprobe = setting["nprobe"]

    def search(self, query: np.ndarray) -> Iterable[int]:
        ids: Sequence[int] = self.faiss.search(query[None], K)[1][0]
        return ids


class Numpy(Peer):
    """All products, and the ten largest: the reference."""

    name = "numpy"
    packages = ("numpy",)
    modules = ("numpy",)
    unit_length = True

    def build(self, base: np.ndarray, space: Space, path: Path, options: Options) -> None:
        with path.open("wb") as file:
            np.save(file, base)

    def open(self, path: Path, space: Space, options: Options) -> None:
        self.rows: np.ndarray = np.load(path)
        # |x - q|² / 2 = |x|² / 2 - x·q, up to what does not depend on x
        self.halves = np.einsum("ij,ij->i", self.rows, self.rows) / 2

    def search(self, query: np.ndarray) -> Iterable[int]:
        scores = self.halves - self.rows @ query
        nearest = np.argpartition(scores, K)[:K]
        ids: np.ndarray = nearest[np.argsort(scores[nearest])]
        return ids


# ---- Small things they need -----------------------------------------------------------------------


def as_rows(base: np.ndarray) -> Iterable[tuple[int, bytes]]:
    """(id, blob) of each row of float32 (n, d), made when asked for."""
    return ((i, row.tobytes()) for i, row in enumerate(base))


def doubling(first: int, last: int) -> Iterable[int]:
    """Twice as many each time."""
    return (first << i for i in range(10) if first << i <= last)


def within(value: float, least: int, most: int) -> int:
    return max(least, min(most, round(value)))


def divisor(number: int, near: float) -> int:
    """The divisor of `number` closest to `near`, from 8 to 256: into so many parts a vector can be cut."""
    return min((i for i in range(8, 257) if number % i == 0), key=lambda i: abs(i - near))


PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        Ours,
        Annoy,
        Hnswlib,
        FaissQuantized,
        FaissBits,
        FaissGraph,
        FaissBinary,
        Usearch,
        Vec1,
        SqliteVec,
        Vectorlite,
        Numpy,
    )
}
