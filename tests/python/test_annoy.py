"""AnnoyIndex, call by call: what each takes, gives, and raises."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import pickle
import subprocess
import sys
import threading
from array import array

import apsw
import numpy as np
import pytest

from sqlite_ann.annoy import AnnoyIndex
from tests.annoy_indexes import DIM, METRICS, N, filled, made_up, measured

MODULES = ["", ".codec", ".convert", ".index", ".metric"]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module, run_examples):
    run_examples(sys.modules[f"sqlite_ann.annoy{module}"])  # one of them is hidden by the function of its name


def test_the_package_does_not_import_it():
    asked = "import sys, sqlite_ann; print('sqlite_ann.annoy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "False"


# --- Constructor -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
def test_all_metrics_are_known_by_name_and_keyword(name):
    assert AnnoyIndex(7, name).f == AnnoyIndex(f=7, metric=name).f == 7


def test_no_metric_is_angular_with_a_warning():
    with pytest.warns(FutureWarning, match="angular"):
        made = AnnoyIndex(2)
    made.add_item(0, [1, 0])
    made.add_item(1, [0, 1])
    assert made.get_distance(0, 1) == pytest.approx(2**0.5)


def test_a_wrong_metric_or_dimension_is_refused():
    with pytest.raises(ValueError, match=r"No such metric: expected one of angular, .*, got 'banana'"):
        AnnoyIndex(7, "banana")
    for f in (0, -1, 70000):
        with pytest.raises(ValueError, match=f"expected 1 to 65536 dimensions, got {f}"):
            AnnoyIndex(f, "dot")
    with pytest.raises(TypeError):
        AnnoyIndex(2.0, "dot")


def test_it_can_be_derived_from_but_not_pickled_or_copied():
    class Songs(AnnoyIndex):
        pass

    songs = Songs(2, "dot")
    assert songs.get_n_items() == 0
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot pickle"):
            refused(songs)


# --- Items -----------------------------------------------------------------------------------------


class Counted:
    """A length and components by number: all that is asked of a vector."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, place):
        return self.values[place]


@pytest.mark.parametrize(
    "given",
    [
        [1, 0.5, -2],
        (1, 0.5, -2),
        array("d", [1, 0.5, -2]),
        Counted(1, 0.5, -2),
        {0: 1, 1: 0.5, 2: -2},
        np.array([1, 0.5, -2]),
        np.array([1, 0.5, -2], np.float16),
        np.array([1, 0.5, -2], ">f4"),
        np.array([9, 1, 9, 0.5, 9, -2], np.float32)[1::2],
        np.array([1, 0.5, -2], object),
        [np.float64(1), np.array(0.5), np.int8(-2)],
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_sequence_of_numbers_is_a_vector(given):
    made = AnnoyIndex(3, "euclidean")
    made.add_item(0, given)
    made.build(1)
    assert made.get_item_vector(0) == [1, 0.5, -2]
    assert made.get_nns_by_vector(given, 1, include_distances=True) == ([0], [0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.bool_, np.uint64])
def test_whole_numbers_are_vectors(dtype):
    made = AnnoyIndex(3, "euclidean")
    made.add_item(0, np.array([1, 0, 1], dtype))
    assert made.get_item_vector(0) == [1, 0, 1]


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ([1, 2], IndexError, r"Vector has wrong length \(expected 3, got 2\)"),
        ([], IndexError, r"expected 3, got 0"),
        (np.zeros(1000), IndexError, r"expected 3, got 1000"),
        (7, TypeError, "has no len"),
        ((x for x in (1, 2, 3)), TypeError, "has no len"),
        ({1, 2, 3}, TypeError, "not subscriptable"),
        ([1, "2", 3], TypeError, "must be real number, not str"),
        (["a", "b", "c"], TypeError, "must be real number, not str"),
        ([1, None, 3], TypeError, "must be real number, not None"),
        ([1, float("nan"), 3], ValueError, "expected 3 finite numbers, got nan at component 1"),
        ([1, 2, float("-inf")], ValueError, "got -inf at component 2"),
        ([1e300, 2, 3], ValueError, "got inf at component 0"),
        (np.array([1e300, 2, 3]), ValueError, "got inf at component 0"),
    ],
    ids=map(str, range(13)),
)
def test_what_is_no_vector_is_refused(given, kind, says):
    made = AnnoyIndex(3, "euclidean")
    for refused in (lambda: made.add_item(0, given), lambda: made.get_nns_by_vector(given, 1)):
        with pytest.raises(kind, match=says):
            refused()
    assert made.get_n_items() == 0


def test_an_error_inside_a_vector_comes_through():
    class Short(Counted):
        def __getitem__(self, place):
            raise IndexError("nothing there")

    with pytest.raises(IndexError, match="nothing there"):
        AnnoyIndex(3, "dot").add_item(0, Short(1, 2, 3))


def test_items_are_rounded_to_float32_and_replaced_by_the_same_number():
    made = AnnoyIndex(1, "euclidean")
    made.add_item(3, [0.1])
    assert made.get_item_vector(3) == [float(np.float32(0.1))]
    made.add_item(i=3, vector=[0.25])
    assert (made.get_item_vector(3), made.get_n_items()) == ([0.25], 4)


def test_items_that_were_never_added_are_zeros_and_are_not_found(each_metric):
    made = AnnoyIndex(2, each_metric)
    made.add_item(5, [1, 1])
    made.add_item(9, [1, 0])
    made.build(3)
    assert made.get_n_items() == 10
    assert made.get_item_vector(7) == [0, 0]
    assert sorted(made.get_nns_by_item(5, 100)) == sorted(made.get_nns_by_item(7, 100)) == [5, 9]
    assert made.get_distance(7, 5) == pytest.approx(float(measured(each_metric, [0, 0], [[1, 1]])[0]))


@pytest.mark.parametrize("is_built", [False, True])
def test_numbers_of_no_item_are_refused(is_built, rng):
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    if is_built:
        made.build(2)
    calls = (made.get_item_vector, lambda i: made.get_distance(0, i), lambda i: made.get_nns_by_item(i, 1))
    for call in calls:
        for i in (-1, -1000):
            with pytest.raises(IndexError, match="Item index can not be negative"):
                call(i)
        for i in (10, 2**31 - 1):
            with pytest.raises(IndexError, match="Item index larger than the largest item index"):
                call(i)
        with pytest.raises(TypeError):
            call(1.5)
    with pytest.raises(IndexError, match="Item index can not be negative"):
        made.add_item(-1, [0] * DIM)


def test_distances_are_annoys(each_metric, rng):
    vectors = made_up(rng, each_metric, 20)
    vectors[3] = 0
    made = filled(each_metric, vectors)
    for is_built in (False, True):
        if is_built:
            made.build(4)
        for i in range(20):
            got = [made.get_distance(i, j) for j in range(20)]
            assert got == pytest.approx(measured(each_metric, vectors[i], vectors), abs=1e-5)
            assert got == [float(np.float32(x)) for x in got]


# --- The forest ------------------------------------------------------------------------------------


def test_nothing_is_found_before_build(rng):
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    assert made.get_nns_by_item(0, 5) == []
    assert made.get_nns_by_vector([0] * DIM, 5, search_k=100, include_distances=True) == ([], [])
    assert made.get_n_trees() == 0


def test_build_keeps_the_number_of_trees(tmp_path, rng):
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    assert made.build(n_trees=31, n_jobs=2) is True
    assert made.get_n_trees() == 31
    made.save(str(tmp_path / "a.db"))
    assert made.get_n_trees() == 31
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    made.build(-1)
    assert made.get_n_trees() > 0
    for refused in ((-2,), (10, 0), (10, -2)):
        with pytest.raises(ValueError, match="expected -1 or at least"):
            filled("dot", made_up(rng, "dot", 3)).build(*refused)


def test_build_happens_once_until_unbuild(rng):
    vectors = made_up(rng, "euclidean", 50)
    made = filled("euclidean", vectors)
    made.build(10)
    with pytest.raises(Exception, match="You can't build a built index"):
        made.build(10)
    assert made.unbuild() is True
    assert (made.get_n_trees(), made.get_nns_by_item(0, 5), made.get_n_items()) == (0, [], 50)
    made.add_item(50, vectors[7])
    made.build(5)
    assert made.get_nns_by_item(7, 2) == [7, 50]
    assert made.get_n_trees() == 5


def test_build_and_unbuild_many_times(rng):
    made = filled("euclidean", made_up(rng, "euclidean"))
    made.build(10)
    found = made.get_nns_by_item(3, 20)
    for _ in range(20):
        made.unbuild()
        made.build(10)
        assert made.get_nns_by_item(3, 20) == found


def test_an_item_added_after_build_is_found(rng):
    vectors = made_up(rng, "euclidean")
    made = filled("euclidean", vectors)
    made.build(2)
    made.add_item(N + 5, vectors[3])
    assert made.get_nns_by_item(3, 2, include_distances=True) == ([3, N + 5], [0, 0])
    assert made.get_n_items() == N + 6


def test_a_build_of_nothing_and_of_one(tmp_path):
    none = AnnoyIndex(3, "dot")
    none.build(10)
    none.save(str(tmp_path / "none.db"))
    none.load(str(tmp_path / "none.db"))
    assert (none.get_n_items(), none.get_n_trees(), none.get_nns_by_vector([1, 2, 3], 5)) == (0, 10, [])
    one = AnnoyIndex(3, "dot")
    one.add_item(1775, [1, 2, 3])
    one.build(10)
    one.save(str(tmp_path / "one.db"))
    assert (one.get_n_items(), one.get_n_trees(), one.get_nns_by_item(1775, 50)) == (1776, 10, [1775])


def test_the_seed_decides_and_jobs_and_the_order_of_items_do_not(rng):
    vectors = made_up(rng, "euclidean", 3000, 20)
    order = rng.permutation(len(vectors))

    def answers(seed, ids=range(3000), n_jobs=-1, late=False):
        made = AnnoyIndex(20, "euclidean")
        if not late:
            made.set_seed(seed)
        for i in ids:
            made.add_item(int(i), vectors[i])
        if late:
            made.get_distance(0, 1)  # the items are in a table by now
            made.set_seed(seed)
        made.build(10, n_jobs)
        return [made.get_nns_by_vector(-v, 10, 20) for v in vectors[:50]]

    expected = answers(42)
    assert answers(42) == answers(42, order) == answers(42, n_jobs=1) == answers(42, late=True) == expected
    assert answers(43) != expected
    assert AnnoyIndex(2, "dot").set_seed(-1) is None


def test_it_says_what_it_does_when_told_to(capfd, rng):
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    assert made.verbose(True) is True
    made.build(3)
    assert "built, 3 trees" in capfd.readouterr().err
    made.verbose(False)
    made.unbuild()
    made.build(3)
    assert capfd.readouterr().err == ""


# --- Queries ---------------------------------------------------------------------------------------


def test_neighbours_are_the_nearest_in_order(each_metric, rng):
    vectors = made_up(rng, each_metric, dim=8)
    made = filled(each_metric, vectors)
    made.build(10)
    n_right = 0
    for i in range(100):
        truth = measured(each_metric, vectors[i], vectors)
        key = -truth if each_metric == "dot" else truth
        ids, distances = made.get_nns_by_item(i, 10, include_distances=True)
        assert made.get_nns_by_vector(vector=vectors[i], n=10, include_distances=True) == (ids, distances)
        assert made.get_nns_by_item(i, 10) == ids
        assert distances == pytest.approx(truth[ids], abs=1e-5)
        assert distances == [made.get_distance(i, j) for j in ids]
        n_right += np.sum(key[ids] <= np.sort(key)[9] + 1e-6)
    assert n_right >= 980


def test_the_item_itself_is_found_and_ties_go_by_number():
    made = AnnoyIndex(2, "euclidean")
    for i in range(10):
        made.add_item(i, [i // 3, 0])
    made.build(1)
    assert made.get_nns_by_item(5, 3) == [3, 4, 5]
    assert made.get_nns_by_vector([5, 0], 4) == [9, 6, 7, 8]


def test_more_than_there_are_gives_all(rng):
    made = filled("euclidean", made_up(rng, "euclidean"), first=100_000)
    made.build(3)
    for n in (N, N + 1, 999_999_999, -1):
        assert sorted(made.get_nns_by_item(100_000, n)) == list(range(100_000, 100_000 + N))


def test_search_k_is_a_choice_between_time_and_recall(rng):
    vectors = made_up(rng, "euclidean", 6000, 30)
    made = filled("euclidean", vectors)
    made.build(10)

    def recall(search_k):
        found = 0
        for query in -vectors[:50]:
            truth = np.argsort(measured("euclidean", query, vectors), kind="stable")[:10]
            found += len(set(made.get_nns_by_vector(query, 10, search_k)) & set(truth.tolist()))
        return found / 500

    assert recall(10) < recall(300) < recall(1500) <= recall(6000) == recall(-2) == 1
    assert recall(-1) > 0.97
    assert made.get_nns_by_item(0, 10, 0) == made.get_nns_by_item(0, 0) == []
    assert made.get_nns_by_item(i=0, n=3, search_k=10, include_distances=1)[0][0] == 0


def test_many_equal_items_end(rng):
    made = AnnoyIndex(3, "euclidean")
    for i in range(3000):
        made.add_item(i, [1, 2, 3])
    made.build(10)
    assert made.get_nns_by_item(2999, 5, include_distances=True)[1] == [0] * 5


def test_a_negative_zero_is_no_distance():
    made = AnnoyIndex(2, "dot")
    made.add_item(0, [1, 0])
    made.add_item(1, [0, 1])
    made.build(1)
    found = [made.get_distance(0, 1), made.get_nns_by_item(0, 2, include_distances=True)[1][1]]
    assert [str(x) for x in found] == ["0.0", "0.0"]


# --- Threads, processes, memory --------------------------------------------------------------------


def test_threads_search_the_same_index(rng):
    made = filled("euclidean", made_up(rng, "euclidean"))
    made.build(10)
    expected = [made.get_nns_by_item(i, 30, include_distances=True) for i in range(100)]
    wrong = []

    def work():
        for i in range(100):
            found = made.get_nns_by_item(i, 30, include_distances=True)
            if found != expected[i] or made.get_distance(i, found[0][1]) != found[1][1]:
                wrong.append(i)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_searches_what_its_parent_loaded(tmp_path, rng):
    made = filled("euclidean", made_up(rng, "euclidean"))
    made.build(10)
    made.save(str(tmp_path / "a.db"))
    expected = made.get_nns_by_item(3, 10)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=lambda: answers.put(made.get_nns_by_item(3, 10)))
    child.start()
    assert answers.get(timeout=60) == expected
    child.join(60)
    assert made.get_nns_by_item(3, 10) == expected


def test_an_index_that_is_gone_leaves_nothing_open(tmp_path, rng):
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    made.build(1)
    path = str(tmp_path / "a.db")
    made.save(path)
    del made
    gc.collect()
    assert not [c for c in apsw.connections() if c.filename.endswith("a.db")]
