"""The kinds of faiss that `make bench` measures: inverted lists of codes, graphs, and both on bits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from peer import CARE, THREADS, K, Options, Peer, Space, doubling, spaces


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
        return [{"ef": ef} for ef in CARE]

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
            return [{"ef": ef} for ef in CARE]
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
