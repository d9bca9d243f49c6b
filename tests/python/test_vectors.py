"""Arrays to blobs: what is taken, what is refused, and the bytes that come of it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from sqlite_ann import vectors


def test_examples(run_examples):
    run_examples(vectors)


# --- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i4", "u4", "<i8", ">i8", "u8"])
def test_ids_of_any_whole_number_type_become_int64(dtype):
    ids = vectors.as_ids(np.array([5, 0, 100], dtype))
    assert ids.dtype == np.dtype("<i8")
    assert ids.tolist() == [5, 0, 100]


def test_ids_reach_both_ends_of_64_bits():
    ends = [-(2**63), 2**63 - 1]
    assert vectors.as_ids(ends).tolist() == ends
    assert vectors.as_ids(np.array([2**63 - 1], np.uint64)).tolist() == [2**63 - 1]


def test_one_id_is_an_array_of_one():
    assert vectors.as_ids(7).tolist() == [7]


@pytest.mark.parametrize("nothing", [[], (), np.array([]), np.array([], np.float32)])
def test_no_ids_at_all(nothing):
    ids = vectors.as_ids(nothing)
    assert ids.shape == (0,)
    assert ids.dtype == np.int64


def test_ids_with_gaps_in_memory_are_packed():
    ids = vectors.as_ids(np.arange(10)[::3])
    assert ids.flags.c_contiguous
    assert ids.tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize("wrong", [[1.0, 2.0], ["1"], [True, False], [None], None, slice(1, 2), [2**64], 1.5])
def test_what_is_no_whole_number_is_no_id(wrong):
    with pytest.raises(TypeError, match="whole numbers"):
        vectors.as_ids(wrong)


def test_id_past_the_largest_is_refused_and_not_wrapped():
    with pytest.raises(ValueError, match="9223372036854775808"):
        vectors.as_ids(np.array([2**63], np.uint64))


def test_ids_in_two_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"^ids: expected a 1-D array, got shape \(1, 2\)$"):
        vectors.as_ids([(1, 2)])


def test_rows_of_one_column_are_ids(db):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, kind TEXT); INSERT INTO song VALUES (7, 'jig'), (8, 'reel')")
    sql = "SELECT id FROM song WHERE kind <> ? ORDER BY id"
    assert vectors.as_ids(db.execute(sql, ("air",)).fetchall()).tolist() == [7, 8]
    assert vectors.as_ids(db.execute(sql, ("air",))).tolist() == [7, 8]
    assert vectors.as_ids(set(db.execute(sql, ("jig",))), in_order=False).tolist() == [8]
    for none in (db.execute("SELECT id FROM song WHERE 0"), np.empty((0, 1), np.int64)):
        assert vectors.as_ids(none).tolist() == []
    for column, kind in (("NULL", "None"), ("kind", "text")):
        with pytest.raises(TypeError, match=f"expected 64-bit whole numbers, got {kind}"):
            vectors.as_ids(db.execute(f"SELECT {column} FROM song"))


# --- vectors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "i1", "<i8", "u2", "<f2", "<f4", ">f4", "<f8", ">f8"])
def test_vectors_of_any_number_type_become_little_endian_float32(dtype):
    given = vectors.as_vectors(np.array([[1, 0, 1]], dtype), 3)
    assert bytes(vectors.float_buffer(given).data) == struct.pack("<3f", 1, 0, 1)


def test_float64_is_rounded_once():
    assert vectors.float_buffer(np.array([0.1])) == np.float32(0.1)


def test_too_large_for_float32_becomes_infinite_without_a_warning():
    assert np.isinf(vectors.float_buffer(np.array([1e300]))).all()


def test_float32_as_it_should_be_is_not_copied():
    given = np.ones((4, 3), np.float32)
    assert vectors.float_buffer(vectors.as_vectors(given, 3)) is given


def test_columns_of_a_larger_array_are_packed():
    wide = np.arange(12, dtype=np.float32).reshape(3, 4)
    packed = vectors.float_buffer(vectors.as_vectors(wide[:, ::2], 2))
    assert packed.flags.c_contiguous
    assert packed.tolist() == [[0, 2], [4, 6], [8, 10]]


def test_lists_and_one_vector_alone():
    assert vectors.as_vectors([[1, 2], [3, 4]], 2).shape == (2, 2)
    assert vectors.as_vectors([1, 2], 2).shape == (1, 2)
    assert vectors.as_vectors([], 2).shape == (0, 2)


def test_whatever_knows_how_to_become_an_array():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.ones((2, 3))

    assert vectors.as_vectors(Tensor(), 3).shape == (2, 3)


@pytest.mark.parametrize("shape", [(2, 4), (4,), (1, 2, 3), ()])
def test_wrong_shape_names_what_was_expected_and_what_came(shape):
    with pytest.raises(ValueError, match="expected") as error:
        vectors.as_vectors(np.ones(shape), 3)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("wrong", [["a", "b"], [1j, 2j], [None, None], [b"ab", b"cd"]])
def test_what_is_no_number_is_no_component(wrong):
    with pytest.raises(TypeError, match="numbers"):
        vectors.as_vectors(wrong, 2)


def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match=r"vectors\[1\]: expected 2 components, got 1"):
        vectors.as_vectors([[1, 2], [3]], 2)


# --- batches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "rows"), [(0, 1), (1, 1), (7, 3), (9, 3), (10, 100)])
def test_batches_cover_everything_once_and_in_order(rng, n, rows):
    ids, matrix = np.arange(n), rng.standard_normal((n, 5))
    parts = list(vectors.batches(ids, matrix, n_bytes=rows * 5 * 4))
    assert all(len(some_ids) == len(some_rows) <= rows for some_ids, some_rows in parts)
    assert [i for some_ids, _ in parts for i in some_ids] == list(range(n))
    assert sum(len(some_rows) for _, some_rows in parts) == n
    for some_ids, some_rows in parts:
        np.testing.assert_array_equal(some_rows, matrix[some_ids])


def test_a_row_larger_than_a_batch_goes_alone():
    assert len(list(vectors.batches(np.arange(3), np.ones((3, 100)), n_bytes=4))) == 3
