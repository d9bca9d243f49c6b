"""AnnoyIndex as programs written for Annoy use it, and recall as they count on it: seeds differ, floors do not.

The precisions are those that Annoy's users know from its own tests: items on shells around the query, the n-th at
distance n, of which the first n should be found, in order.
"""

from __future__ import annotations

import multiprocessing.pool
import random

import numpy as np
import pytest

from sqlite_ann.annoy import AnnoyIndex

N_POINTS = 10_000


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def shells(name: str, seed: int, f: int = 10) -> tuple[np.ndarray, list[float]]:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((N_POINTS, f))
    query = [0.0] * f
    if name == "angular":
        points[:, 0] = 0
        query[0] = 1000
    size = np.abs(points).sum(1) if name == "manhattan" else np.linalg.norm(points, axis=1)
    points *= (np.arange(N_POINTS) / size)[:, None]
    return points + (query if name == "angular" else 0), query


@pytest.mark.slow
@pytest.mark.parametrize("name", ["angular", "euclidean", "manhattan"])
def test_nearest_shells_are_found_in_order(name):
    found = dict.fromkeys((1, 10, 100, 1000), 0.0)
    for seed in range(10):
        points, query = shells(name, seed)
        index = AnnoyIndex(10, name)
        for i, point in enumerate(points):
            index.add_item(i, point)
        index.build(10)
        for n in found:
            nearest = index.get_nns_by_vector(query, n)
            assert nearest == sorted(nearest)
            found[n] += sum(i < n for i in nearest) / n / 10
    assert min(found.values()) >= 0.98, found


@pytest.mark.parametrize(
    ("n", "n_trees", "floor"), [(10, 10, 0.65), (100, 10, 0.95), (1000, 10, 0.99), (1000, 1, 0.99)]
)
def test_largest_products_are_found(n, n_trees, floor, rng):
    data = rng.standard_normal((1000, 10)).astype(np.float32)
    index = AnnoyIndex(10, "dot")
    for i, vector in enumerate(data):
        index.add_item(i, vector)
    index.build(n_trees)
    truth = np.argsort(-(data @ data.T), axis=1)[:, :n]
    shares = [len(set(index.get_nns_by_vector(data[i], n)) & set(truth[i].tolist())) / n for i in range(1000)]
    assert np.mean(shares) >= floor


@pytest.mark.slow
def test_the_default_finds_more_than_annoy_does(rng):
    annoy = pytest.importorskip("annoy")
    centres = rng.standard_normal((200, 40)) * 2
    data = (centres[rng.integers(0, 200, 8000)] + rng.standard_normal((8000, 40))).astype(np.float32)
    queries = (centres[rng.integers(0, 200, 100)] + rng.standard_normal((100, 40))).astype(np.float32)
    recalls = {}
    for kind in (annoy.AnnoyIndex, AnnoyIndex):
        index = kind(40, "euclidean")
        index.set_seed(3)
        for i, vector in enumerate(data):
            index.add_item(i, vector)
        index.build(10)
        for search_k in (-1, 20, 100, 500, 3000):
            hits = 0
            for query in queries:
                truth = np.argsort(((data - query) ** 2).sum(1))[:10]
                hits += len(set(index.get_nns_by_vector(query, 10, search_k)) & set(truth.tolist()))
            recalls[kind, search_k] = hits / 1000
    for search_k in (-1, 20, 100, 500, 3000):
        assert recalls[AnnoyIndex, search_k] >= recalls[annoy.AnnoyIndex, search_k], (search_k, recalls)
    assert recalls[AnnoyIndex, -1] >= 0.98


def test_a_small_index_answers_as_annoys_readers_expect():
    index = AnnoyIndex(3, "angular")
    for i, vector in enumerate(([0, 0, 1], [0, 1, 0], [1, 0, 0])):
        index.add_item(i, vector)
    index.build(10)
    assert index.get_nns_by_vector([3, 2, 1], 3) == [2, 1, 0]
    assert index.get_nns_by_vector([1, 2, 3], 3, search_k=10) == [0, 1, 2]
    assert index.get_nns_by_item(0, 3, search_k=10) == [0, 1, 2]
    assert index.get_nns_by_item(2, 3) == [2, 0, 1]
    found, distances = index.get_nns_by_item(0, 3, include_distances=True)
    assert (found, distances) == ([0, 1, 2], pytest.approx([0, 2**0.5, 2**0.5]))


@pytest.mark.parametrize("n_jobs", [1, 2, 4, 8])
def test_a_build_of_many_jobs(n_jobs, rng):
    index = AnnoyIndex(10, "euclidean")
    for i, vector in enumerate(rng.standard_normal((3000, 10))):
        index.add_item(i, vector)
    assert index.build(31, n_jobs=n_jobs)
    assert index.get_n_trees() == 31


def test_a_pool_of_threads_asks(rng):
    index = AnnoyIndex(10, "euclidean")
    for i, vector in enumerate(rng.standard_normal((2000, 10))):
        index.add_item(i, vector)
    index.build(10)
    with multiprocessing.pool.ThreadPool(4) as pool:
        answers = pool.map(lambda j: index.get_nns_by_item(j, 100), range(500))
    assert [answer[0] for answer in answers] == list(range(500))


def test_bits_are_counted(rng):
    data = rng.integers(0, 2, (2000, 100))
    index = AnnoyIndex(100, "hamming")
    for i, vector in enumerate(data):
        index.add_item(i, vector)
    index.build(10)
    assert index.get_item_vector(0) == data[0].tolist()
    ids, distances = index.get_nns_by_vector([0] * 100, 2000, include_distances=True)
    assert distances == sorted(data.sum(1).tolist())
    assert distances == [float(data[i].sum()) for i in ids]
    assert [index.get_distance(0, i) for i in range(50)] == (data[:50] != data[0]).sum(1).tolist()


@pytest.mark.slow
def test_far_apart_numbers_take_no_room():
    """Annoy makes two gigabytes of this."""
    first = 2**31 // 24
    index = AnnoyIndex(3, "angular")
    for i in range(100):
        index.add_item(first + i, [random.gauss(0, 1) for _ in range(3)])
    index.build(10)
    index.save("big.ann")
    assert (index.get_n_items(), index.get_n_trees()) == (first + 100, 10)
    assert sorted(index.get_nns_by_item(first, 1000)) == list(range(first, first + 100))
