"""Changing a table: generators, rows that are left out, upsert, update, and what Python's own containers can do."""

from __future__ import annotations

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann import rows as rows_given


@pytest.fixture
def index(db):
    index = Index.create(db, "v", 2, metric="l2")
    index.add([1, 2, 3], [[1, 0], [2, 0], [3, 0]])
    return index


def content(index):
    return {id_: index[id_].tolist() for id_ in index}


# --- generators ----------------------------------------------------------------------------------


def test_a_generator_of_pairs_and_of_batches(index):
    index.add((i, (i, 1)) for i in range(10, 13))
    index.add([(20, [20, 1]), ([21, 22], [[21, 1], [22, 1]]), (np.int64(23), np.array([23, 1]))])
    assert {i: v for i, v in content(index).items() if i > 3} == {i: [i, 1] for i in (10, 11, 12, 20, 21, 22, 23)}
    index.add(iter([]))
    index.add({30: [30, 1]}.items())
    assert 30 in index


def test_a_long_generator_is_read_piece_by_piece_and_ends_in_the_forest(db):
    index, read, written = Index.create(db, "v", 2), 0, []

    def rows():
        nonlocal read
        for i in range(20_000):
            read = i + 1
            yield i, (np.cos(i), np.sin(i))

    index.add(rows(), progress=lambda done, total: written.append((read, done, total)))
    assert written[0] == (2 * rows_given.PART_ROWS, rows_given.PART_ROWS, rows_given.PART_ROWS)
    assert written[-1] == (20_000, 20_000, 20_000)
    assert len(written) == 3
    about = index.info()
    assert (about["rows"], about["waiting"]) == (20_000, 0)


def test_a_generator_that_raises_half_way_leaves_nothing(index):
    def rows():
        yield from ((i, (i, 1)) for i in range(10, 30_000))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        index.add(rows())
    assert len(index) == 3
    assert not index.db.in_transaction


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(10, [1, 2]), 11], r"rows\[1\]: expected an id and its vector, got int"),
        ({10: [1, 2]}, r"rows\[0\]: expected an id and its vector, got int"),
        ([(10, [1, 2], "x")], r"rows\[0\]: expected an id and its vector, got tuple"),
        ([(10, [1, 2]), (11, [1])], r"vectors\[1\] \(id 11\): expected 2 components, got 1"),
        ([(10, [1, 2]), ([11, 12], [[1, 2]])], "expected as many ids as vectors, got 2 ids and 1 vectors"),
    ],
)
def test_a_bad_pair_is_called_by_its_place_and_leaves_nothing(index, rows, said):
    with pytest.raises((TypeError, ValueError), match=said):
        index.add(rows)
    assert len(index) == 3


# --- rows that are left out ----------------------------------------------------------------------

NAN, INFINITE = float("nan"), float("inf")


def test_bad_rows_are_left_out_and_told_with_the_reason(index):
    rows = [[1, 2], [NAN, 1], [3], None, [1, INFINITE], ["a", "b"], [5, 6]]
    assert index.add(range(10, 17), rows, on_bad="skip") == {
        11: "expected finite components, got nan",
        12: "expected 2 components, got 1",
        13: "expected numbers, got None",
        14: "expected finite components, got inf",
        15: "expected numbers, got text",
    }
    assert [id_ for id_ in index if id_ >= 10] == [10, 16]
    assert index.add([20, 21], np.array([[1, NAN], [2, 2]]), on_bad="skip") == {
        20: "expected finite components, got nan"
    }
    assert index.add([30], [[1, 2]], on_bad="skip") == {}
    assert index.add(((i, (i, 1 / i if i != 42 else NAN)) for i in range(40, 44)), on_bad="skip") == {
        42: "expected finite components, got nan"
    }
    assert index.add([50, 51], [[NAN, NAN], [NAN, 1]], on_bad="skip").keys() == {50, 51}
    assert index.check() == []


@pytest.mark.parametrize(
    ("kind", "rows", "left_out"),
    [
        ("float16", [[1, 2], [70_000, 1]], {8: "expected finite components, got inf"}),
        ("bfloat16", [[1, 2], [NAN, 1]], {8: "expected finite components, got infinity"}),
        ("int8", [[1, 2], [200, 1]], {8: "expected numbers from -128 to 127, got 200 at component 0"}),
        ("bit", [[1, 0], [1, 2]], {8: "expected numbers from 0 to 1, got 2 at component 1"}),
    ],
)
def test_what_is_bad_depends_on_the_type(db, kind, rows, left_out):
    index = Index.create(db, "v", 2, type=kind)
    assert index.add([7, 8], rows, on_bad="skip") == left_out
    assert list(index) == [7]


def test_ids_of_another_number_are_an_error_with_or_without_bad_rows(index):
    for rows in ([[1, 2]], [[1, 2], [3], [4, 5]]):
        with pytest.raises(ValueError, match="expected as many ids as vectors, got 2 ids"):
            index.add([10, 11], rows, on_bad="skip")
    with pytest.raises(ValueError, match="on_bad: expected one of refuse, skip, got 'drop'"):
        index.add([10], [[1, 2]], on_bad="drop")
    assert len(index) == 3


def test_an_id_that_is_given_twice_is_named(index):
    with pytest.raises(sqlite_ann.Duplicate, match=r"^ids: 7 is given twice, or is there already$"):
        index.add([6, 7, 7], [[1, 2]] * 3)
    assert len(index) == 3


# --- upsert, update, delete ----------------------------------------------------------------------


def test_upsert_replaces_and_adds(index):
    index.upsert([2, 9, 9], [[20, 0], [8, 0], [9, 0]])
    index.upsert((i, (i, 5)) for i in (3, 4))
    assert content(index) == {1: [1, 0], 2: [20, 0], 3: [3, 5], 4: [4, 5], 9: [9, 0]}
    assert index.check() == []


def test_update_changes_all_or_nothing(index):
    index.update([2, 1], [[20, 0], [10, 0]])
    index.update(3, [30, 0])
    assert content(index) == {1: [10, 0], 2: [20, 0], 3: [30, 0]}
    with pytest.raises(KeyError) as caught:
        index.update([1, 7], [[0, 0], [0, 0]])
    assert caught.value.args == (7,)
    assert content(index) == {1: [10, 0], 2: [20, 0], 3: [30, 0]}


def test_an_index_is_a_container_of_vectors(index):
    assert index[2].tolist() == [2, 0]
    assert index[[3, 1]].tolist() == [[3, 0], [1, 0]]
    with pytest.raises(KeyError):
        index[7]
    del index[2]
    assert list(index) == [1, 3]
    with pytest.raises(KeyError):
        del index[[1, 2]]
    assert list(index) == [1, 3]


def test_a_loop_over_the_ids_may_change_the_table(index):
    for id_ in index:
        del index[id_]
    assert len(index) == 0
    index.drop()


# --- neighbours of a row -------------------------------------------------------------------------


def test_neighbours_of_rows_without_and_with_themselves(index):
    assert index.search_item(1, k=2).to_list() == [(2, 1.0), (3, 2.0)]
    assert index.search_item(1, k=2, exclude_self=False).to_list() == [(1, 0.0), (2, 1.0)]
    assert index.search_item([3, 1], k=1).ids.tolist() == [[2], [2]]
    assert index.search_item([3], k=1).ids.shape == (1, 1)
    assert index.search_item([]).ids.shape == (0, 10)
    assert index.search_item(1, exclude=[2]).ids.tolist() == [3]
    assert index.search_item(1, ids={2}, recall=1, max_distance=1).ids.tolist() == [2]


def test_neighbours_of_a_row_that_is_not_there_are_a_key_error(index):
    for ids in (7, [1, 7]):
        with pytest.raises(KeyError) as caught:
            index.search_item(ids)
        assert caught.value.args == (7,)
    with pytest.raises(TypeError, match="ids_of: expected 64-bit whole numbers"):
        index.search_item(1.5)


def test_more_than_memory_holds_is_refused_before_it_is_asked_for(index):
    with pytest.raises(
        ValueError, match=r"^k: expected at most 3, as many as there are rows, for 2 queries; got 2147483648$"
    ):
        index.search([[1, 2], [3, 4]], k=2**31)
    assert len(index.search([1, 2], k=2**31).ids) == 3
