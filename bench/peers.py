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
from pathlib import Path
from typing import Any, ClassVar

import apsw
import numpy as np
from faiss_peers import FaissBinary, FaissBits, FaissGraph, FaissQuantized
from peer import CARE, THREADS, K, Options, Peer, Space, as_rows, divisor, doubling, spaces, within

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
        return [{"ef": ef} for ef in CARE]

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
        return [{"ef": ef} for ef in CARE]

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
        return [{"expansion": expansion} for expansion in CARE]

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
