"""One peer in a process of its own: what `compare.py` starts, and talks to in lines of JSON.

    python bench/worker.py build '{"peer": …, "options": …, "space": …, "folder": …, "file": …}'
    python bench/worker.py serve '{…}'     # then a line for each round of queries, until its input ends

`folder` holds base.npy, queries.npy and truth.npy. A build answers how long it took; a server answers at once
how long the file took to open and the first query to be answered, then one line for each line it is given.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import data
import numpy as np
import peers
from peer import K, Peer, Space

WARM_UP = 20  # queries before each round, which other peers' rounds have pushed out of the caches


def memory_peak() -> float:
    """Megabytes this process has held at most: of its own memory, where it maps files theirs too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):  # not getrusage(), which on Linux begins with the parent's peak
            return int(line.split()[1]) / 1024
    return 0.0


def vectors(job: dict[str, Any], name: str) -> np.ndarray:
    """The array `name`, (n, …) vectors of the space, of length one where this peer wants it so."""
    rows: np.ndarray = np.load(Path(job["folder"]) / f"{name}.npy")
    if job["space"]["metric"] == "cosine" and peers.PEERS[job["peer"]].unit_length:
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(lengths > 0, lengths, 1)
    return rows


def ready(job: dict[str, Any]) -> Peer:
    """The peer, with what it needs imported."""
    peer = peers.PEERS[job["peer"]]()
    for module in peer.modules:
        importlib.import_module(module)
    return peer


def build(job: dict[str, Any]) -> dict[str, Any]:
    """Index everything and save it."""
    base, peer = vectors(job, "base"), ready(job)
    start = time.perf_counter()
    peer.build(base, Space(**job["space"]), Path(job["file"]), job["options"])
    return {"seconds": time.perf_counter() - start, "build_mb": memory_peak()}


class Server:
    """A peer with its file open."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.queries = vectors(job, "queries")
        self.asked = np.load(Path(job["folder"]) / "queries.npy")  # as they are, to tell what is near
        self.base = np.load(Path(job["folder"]) / "base.npy", mmap_mode="r")
        self.truth: np.ndarray = np.load(Path(job["folder"]) / "truth.npy")[:, :K]
        self.metric = job["space"]["metric"]
        self.peer = ready(job)
        self.n_timed: dict[str, int] = {}  # of each setting: so that its rounds ask the same queries
        start = time.perf_counter()
        self.peer.open(Path(job["file"]), Space(**job["space"]), job["options"])
        opened = time.perf_counter()
        self.peer.set(job["setting"])
        np.asarray(self.peer.search(self.queries[0]))
        self.opening = {"open_ms": 1e3 * (opened - start), "first_ms": 1e3 * (time.perf_counter() - opened)}

    def round(self, order: dict[str, Any]) -> dict[str, Any]:
        """Ask `order["setting"]` for as many queries as `order["seconds"]` allow, one query a call.

        The first round of a setting asks up to twice as long, to know the recall well.
        """
        setting, key = order["setting"], json.dumps(order["setting"])
        self.peer.set(setting)
        self.ask(self.queries[-WARM_UP:], order["seconds"] / 4)
        if key in self.n_timed:
            times, _ = self.ask(self.queries[: self.n_timed[key]])
            return {"queries_per_s": len(times) / times.sum(), "search_mb": memory_peak()}
        times, found = self.ask(self.queries, 2 * order["seconds"])
        hits = sum(self.hits(i, ids) for i, ids in enumerate(found))
        n = self.n_timed[key] = max(1, int(np.searchsorted(times.cumsum(), order["seconds"])))
        return {
            "recall": hits / (K * len(found)),
            "asked": len(found),
            "queries_per_s": n / times[:n].sum(),
            "search_mb": memory_peak(),
        }

    def hits(self, i: int, found: np.ndarray) -> int:
        """How many of the ids found for query i are as near as the K-th nearest: which of equals is no miss."""
        ids = np.unique(found[(found >= 0) & (found < len(self.base))].astype(np.int64))
        others = np.setdiff1d(ids, self.truth[i])
        if not len(others):
            return len(ids)
        query, last = self.asked[i], self.base[self.truth[i][-1:]]
        farthest = data.exact_distances(last, query, self.metric)[0]
        near = data.exact_distances(self.base[others], query, self.metric) <= farthest
        return min(K, len(ids) - len(others) + int(near.sum()))

    def ask(self, queries: np.ndarray, seconds: float = np.inf) -> tuple[np.ndarray, list[Any]]:
        """Seconds of each query (m,) and the ids found, until the time is over."""
        times, found = [], []
        start = before = time.perf_counter()
        for query in queries:
            found.append(self.peer.search(query))
            after = time.perf_counter()
            times.append(after - before)
            before = after
            if after - start > seconds:
                break
        return np.array(times), [np.asarray(ids) for ids in found]


def main() -> None:
    action, job = sys.argv[1], json.loads(sys.argv[2])
    # a library that prints does not disturb the answers
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if action == "build":
        print(json.dumps(build(job)), file=answers)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    server = Server(job)
    print(json.dumps(server.opening), file=answers)
    for line in sys.stdin:
        print(json.dumps(server.round(json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
