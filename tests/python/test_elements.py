"""Index with every type of components: what arrays are taken, and what comes back."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from sqlite_ann import Index, elements
from sqlite_ann.errors import Error

TYPES = ["float32", "float16", "bfloat16", "int8", "bit"]
DIM = 12


def test_examples(run_examples):
    run_examples(elements)


@pytest.fixture
def matrix(rng):
    return rng.standard_normal((50, DIM)).astype(np.float32)


def given(name, matrix):
    """Rows as one has them for a table of this type."""
    if name == "int8":
        return np.rint(matrix * 30).astype(np.int8)
    return matrix > 0 if name == "bit" else matrix


def upper_halves(matrix):
    """The nearest bfloat16 of each, as bits, in exact arithmetic."""
    low = matrix.view(np.uint32) & 0xFFFF0000
    with np.errstate(over="ignore"):
        high = low + 0x10000
    near_low, near_high = (np.abs(x.view(np.float32).astype(float) - matrix) for x in (low, high))
    up = (near_high < near_low) | ((near_high == near_low) & (low >> 16 & 1 == 1))
    return (np.where(up, high, low) >> 16).astype(np.uint16)


def numbers(name, rows):
    """What `get` gives, as floats."""
    if name == "bit":
        return np.unpackbits(rows, axis=1, bitorder="little", count=DIM).astype(float)
    if name == "bfloat16" and rows.dtype == np.uint16:
        return (rows.astype(np.uint32) << 16).view(np.float32).astype(float)
    return rows.astype(float)


@pytest.mark.parametrize("name", TYPES)
def test_rows_come_back_in_the_type_of_the_table(db, matrix, name):
    index = Index.create(db, "v", DIM, type=name)
    rows = given(name, matrix)
    index.add(np.arange(50), rows)
    assert (index.type, index.info()["type"], Index(db, "v").type) == (name, name, name)
    assert index.metric == ("hamming" if name == "bit" else "cosine")
    got = index.get(np.arange(50))
    assert got.dtype == elements.dtype_of(name)
    if name == "bfloat16":
        assert (got.view(np.uint16) == upper_halves(matrix)).all()
    elif name == "bit":
        assert (got == np.packbits(rows, axis=1, bitorder="little")).all()
    else:
        assert (got == rows.astype(name)).all()
    index.add(np.arange(100, 150), got)  # what came back can be given again
    assert (index.get(np.arange(100, 150)) == got).all()
    assert index.get(3).shape == (elements.width(name, DIM),)
    assert index.get([]).shape == (0, elements.width(name, DIM))


@pytest.mark.parametrize("name", TYPES)
def test_a_search_takes_floats_or_the_type(db, matrix, name):
    index = Index.create(db, "v", DIM, type=name)
    index.add(np.arange(50), given(name, matrix))
    rows = index.get(np.arange(50))
    wide = numbers(name, rows).astype(np.float32)
    for i in (0, 7, 49):
        ids, distances = index.search(rows[i], k=5)
        assert (ids[0], distances[0]) == (i, 0)
        for same in (wide[i], wide[i].tolist(), wide[i].astype(np.float64)):
            other_ids, other = index.search(same, k=5)
            assert other_ids.tolist() == ids.tolist()
            assert other.tolist() == distances.tolist()
        assert index.explain(rows[i], k=5)[-1].step == "found"
    ids, distances = index.search(rows[:4], k=3)
    assert ids.shape == (4, 3)
    assert ids[:, 0].tolist() == [0, 1, 2, 3]
    if name == "bit":
        assert index.search(matrix[3] > 0, k=1)[0].tolist() == [3]
        assert index.search(matrix[3], k=1)[0].tolist() == [3]


@pytest.mark.parametrize("name", TYPES)
def test_learning_takes_what_a_search_takes(db, rng, name):
    index = Index.create(db, "v", DIM, type=name)
    rows = given(name, rng.standard_normal((1500, DIM)).astype(np.float32))
    index.add(np.arange(1500), rows)
    index.learn(index.get(np.arange(40)))
    index.learn(rng.standard_normal((10, DIM)))
    assert index.info()["learned"] == 50
    assert index.recall(5, 50, queries=True).sample == 50


def test_floats_are_rounded_once_and_to_even(db):
    index = Index.create(db, "v", 3, type="bfloat16")
    exact = np.array([0x3F80, 0x3F81, 0x3F82], "<u2")
    index.add([1], (exact.astype("<u4") << 16).view("<f4"))
    halfway = (exact.astype("<u4") << 16 | 0x8000).view("<f4")
    index.add([2], halfway)
    bits = index.get([1, 2]).view(np.uint16)
    assert bits.tolist() == [[0x3F80, 0x3F81, 0x3F82], [0x3F80, 0x3F82, 0x3F82]]
    index.add([3], exact)  # uint16: the bits themselves
    assert index.get(3).view(np.uint16).tolist() == exact.tolist()


@pytest.mark.skipif(importlib.util.find_spec("ml_dtypes") is None, reason="ml_dtypes is not installed")
def test_bfloat16_of_ml_dtypes_goes_in_and_comes_out(db, matrix):
    from ml_dtypes import bfloat16

    index = Index.create(db, "v", DIM, type="bfloat16")
    index.add(np.arange(50), matrix.astype(bfloat16))
    assert index.get(np.arange(50)).dtype == bfloat16
    assert (index.get(np.arange(50)) == matrix.astype(bfloat16)).all()
    assert index.search(matrix[4].astype(bfloat16), k=1)[0].tolist() == [4]


def test_bits_may_be_bools_numbers_or_bytes(db):
    index, bits = Index.create(db, "v", DIM, type="bit"), [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    index.add([1, 2], [bits, bits])
    index.add(3, np.array(bits, bool))
    index.add(4, np.packbits(bits, bitorder="little"))
    assert index.get([1, 2, 3, 4]).tolist() == [[13, 8]] * 4


@pytest.mark.parametrize(
    ("name", "rows", "error", "message"),
    [
        ("int8", np.ones((1, 3)), TypeError, "vectors: expected whole numbers, got float64; SQL's ann_quantize"),
        ("int8", [[1, 2, 200]], ValueError, "vectors[0]: expected numbers from -128 to 127, got 200 at component 2"),
        ("int8", np.array([[1, 2, -129]]), ValueError, "got -129 at component 2"),
        ("int8", [[1, 2]], ValueError, "expected 3 components, got 2"),
        ("bit", np.ones((1, 3)), TypeError, "vectors: expected whole numbers, got float64"),
        ("bit", [[0, 1, 2]], ValueError, "vectors[0]: expected numbers from 0 to 1, got 2 at component 2"),
        ("bit", np.array([[9]], np.uint8), Error, "expected 0 in the bits after the first 3, got a last byte 0x09"),
        ("float16", [[1, 2, 1e6]], Error, "expected finite components, got infinity at component 2"),
        ("bfloat16", [[1, 2, float("nan")]], Error, "expected finite components, got NaN at component 2"),
        ("bfloat16", [[1, 2, 3.4e38]], Error, "expected finite components, got infinity at component 2"),
    ],
)
def test_what_the_type_does_not_allow_is_refused(db, name, rows, error, message):
    index = Index.create(db, "v", 3, type=name)
    with pytest.raises(error) as caught:
        index.add([1], rows)
    assert message in str(caught.value)
    assert len(index) == 0


def test_a_type_that_is_none(db):
    for wrong in (np.int8, "int 8", "", 5):
        with pytest.raises(ValueError, match="type: expected the name of a type"):
            Index.create(db, "v", 3, type=wrong)
    with pytest.raises(Error, match="expected type float32, float16, bfloat16, int8 or bit"):
        Index.create(db, "v", 3, type="int4")
    with pytest.raises(Error, match="expected hamming or jaccard for bit"):
        Index.create(db, "v", 3, type="bit", metric="l2")


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "bit"])
def test_a_row_as_it_is_stored_is_searched_for_as_any_other_query(db, rng, kind):
    """One array in the table's type takes a shorter way through `search` than the same row among several."""
    dim = 20
    if kind == "bit":
        rows = np.packbits(rng.integers(0, 2, (200, dim)), axis=1, bitorder="little").astype(np.uint8)
    else:
        rows = rng.integers(-100, 100, (200, dim)).astype(elements.dtype_of(kind))
    index = Index.create(db, "v", dim, type=kind)
    index.add(np.arange(200), rows)
    for row in rows[:5]:
        ids, distances = index.search(row, 7)
        (many,), (far,) = index.search(np.stack([row, row])[:1], 7)
        assert (ids.tolist(), distances.tolist()) == (many.tolist(), far.tolist())
        assert index.search(np.repeat(row, 2)[::2], 7).ids.tolist() == ids.tolist()
    if kind == "float16":
        with pytest.raises(Error, match="NaN at component 3"):
            index.search(np.where(np.arange(dim) == 3, np.float16("nan"), rows[0]))
