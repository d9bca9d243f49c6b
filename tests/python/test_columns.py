"""Vectors that come as columns of tables, as iterators and as other things: taken, or refused by a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from sqlite_ann import Error, Index

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


class Column:
    """What a column of arrays is to numpy, in pandas as in polars and pyarrow: an array of objects."""

    def __init__(self, cells):
        self.cells = cells

    def __iter__(self):
        return iter(self.cells)

    def __array__(self, dtype=None, copy=None):
        array = np.empty(len(self.cells), object)
        array[:] = self.cells
        return array


class Table(Column):
    """A table that has one column of arrays."""

    def __array__(self, dtype=None, copy=None):
        return super().__array__().reshape(-1, 1)


def numpy_column():
    return np.asarray(Column([np.array(row) for row in ROWS]))


def pandas_column():
    return pytest.importorskip("pandas").Series([np.array(row) for row in ROWS])


def pandas_table():
    return pytest.importorskip("pandas").DataFrame({"embedding": ROWS})


def polars_list():
    return pytest.importorskip("polars").Series(ROWS)


def polars_array():
    polars = pytest.importorskip("polars")
    return polars.Series(ROWS, dtype=polars.Array(polars.Float32, 2))


def polars_table():
    return pytest.importorskip("polars").DataFrame({"embedding": ROWS})


def arrow_list():
    return pytest.importorskip("pyarrow").array(ROWS)


def arrow_fixed_size_list():
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.array(ROWS, pyarrow.list_(pyarrow.float32(), 2))


def arrow_chunks():
    return pytest.importorskip("pyarrow").chunked_array([ROWS[:1], ROWS[1:]])


def arrow_table():
    return pytest.importorskip("pyarrow").table({"embedding": ROWS})


TAKEN = [
    lambda: Column([np.array(row) for row in ROWS]),
    lambda: Column(ROWS),
    lambda: Table(ROWS),
    lambda: np.array(ROWS, object),
    lambda: (np.array(row) for row in ROWS),
    lambda: map(tuple, ROWS),
    lambda: dict(enumerate(ROWS)).values(),
    *(numpy_column, pandas_column, pandas_table, polars_list, polars_array, polars_table),
    *(arrow_list, arrow_fixed_size_list, arrow_chunks, arrow_table),
]


@pytest.fixture
def index(db):
    return Index.create(db, "v", 2, metric="l2")


@pytest.mark.parametrize("make", TAKEN)
def test_columns_and_iterators_of_vectors_are_taken(index, make):
    index.add([7, 8, 9], make())
    assert index.get([7, 8, 9]).tolist() == ROWS
    assert index.search(make(), k=1)[0].tolist() == [[7], [8], [9]]
    index.learn(make())
    assert index.info()["learned"] == 3


def test_one_vector_of_an_iterator_or_of_objects_is_one_query(index):
    index.add([7, 8, 9], ROWS)
    assert index.search(iter(ROWS[1]), k=1)[0].tolist() == [8]
    assert index.search(np.array(ROWS[1], object), k=1)[0].tolist() == [8]
    assert index.explain(iter(ROWS[1]), k=1)


def test_ids_come_from_iterators_and_columns_too(index):
    index.add(iter([7, 8]), ROWS[:2])
    index.add(dict.fromkeys([9]).keys(), ROWS[2:])
    assert index.get(iter([9, 7])).tolist() == [ROWS[2], ROWS[0]]
    assert index.get(iter([9])).shape == (1, 2)
    assert index.remove(Column([7, 8])) == 2


def test_a_set_of_ids_will_do_where_their_order_says_nothing(index):
    index.add([7, 8, 9], ROWS)
    assert index.search(ROWS[0], ids={8, 9})[0].tolist() == [8, 9]
    assert index.search(ROWS[0], exclude={7, 8})[0].tolist() == [9]
    assert index.remove({7, 9}) == 2


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ({1.0, 2.0}, "vectors: expected them in an order, got a set"),
        (frozenset({(1, 2), (3, 4)}), "vectors: expected them in an order, got a frozenset"),
        ({1: [1, 2], 2: [3, 4]}, "vectors: expected an array or a list, got a dict"),
        (
            [b"12345678"] * 2,
            "vectors: expected numbers, got bytes (np.frombuffer(blob, '<f4') reads a blob of float32)",
        ),
        (None, "rows[0]: expected an id and its vector, got int"),
        (Column(["[1, 2]", "[3, 4]"]), "vectors: expected numbers, got text"),
        ([[1, 2], [3, None]], "vectors[1] (id 8): expected numbers, got None at component 1"),
        ([[1, 2], None], "vectors[1] (id 8): expected 2 components, got None"),
        (Column([[1, 2], [1, 2, 3]]), "vectors[1] (id 8): expected 2 components, got 3"),
        ([[1, 2], [3]], "vectors[1] (id 8): expected 2 components, got 1"),
        (iter([[1, 2], [3]]), "vectors[1] (id 8): expected 2 components, got 1"),
        (np.ma.masked_equal([[1, 2], [1, 3]], 1), "vectors: expected no masked numbers, got 2 of them"),
    ],
)
def test_what_is_refused_is_called_by_its_name(index, vectors, said):
    with pytest.raises((ValueError, TypeError)) as caught:
        index.add([7, 8], vectors)
    assert str(caught.value) == said
    assert len(index) == 0


def test_a_set_of_ids_beside_vectors_is_refused(index):
    with pytest.raises(TypeError, match="ids: expected them in an order, got a set"):
        index.add({7, 8}, ROWS[:2])
    with pytest.raises(TypeError, match="ids: expected them in an order, got a set"):
        index.get({7, 8})


def test_a_bad_query_among_many_is_named_by_its_place(index):
    index.add([7, 8, 9], ROWS)
    with pytest.raises(Error, match=r"query\[1\]: expected finite components, got NaN at component 0$"):
        index.search([[1, 2], [np.nan, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"^query\[1\]: expected 2 components, got 1$"):
        index.search([[1, 2], [3]])
    with pytest.raises(ValueError, match=r"^queries\[1\]: expected 2 components, got 1$"):
        index.learn([[1, 2], [3]])


def test_what_is_wrong_with_k_is_not_blamed_on_a_query(index):
    with pytest.raises(Error, match=r"^ann_search_many: expected k to be a whole number from 1, got 0$"):
        index.search([[1, 2], [np.nan, 2]], k=0)
