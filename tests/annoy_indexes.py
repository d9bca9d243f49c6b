"""Indexes to test AnnoyIndex with, and what their distances should be."""

from __future__ import annotations

import numpy as np

from sqlite_ann.annoy import AnnoyIndex

METRICS = ["angular", "euclidean", "manhattan", "hamming", "dot"]
DIM = 6
N = 1500  # more than the 1000 from which there is a forest


def filled(name: str, vectors, first: int = 0) -> AnnoyIndex:
    made = AnnoyIndex(vectors.shape[1], name)
    for i, vector in enumerate(vectors):
        made.add_item(first + i, vector)
    return made


def made_up(rng, name: str, n: int = N, dim: int = DIM):
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    return (vectors > 0).astype(np.float32) if name == "hamming" else vectors


def measured(name: str, query, vectors):
    """Distances as Annoy reports them, in numpy."""
    q, v = np.float64(query), np.float64(vectors)
    if name == "angular":
        lengths = np.linalg.norm(v, axis=1) * np.linalg.norm(q)
        cosines = np.divide(v @ q, lengths, out=np.zeros(len(v)), where=lengths > 0)
        return np.sqrt(np.maximum(2 - 2 * cosines, 0))
    if name == "dot":
        return v @ q
    if name == "euclidean":
        return np.linalg.norm(v - q, axis=1)
    return np.abs(v - q).sum(axis=1)  # of bits, too
