"""Columns that come by Arrow's C data interface, without any library of theirs being known here."""

from __future__ import annotations

import numpy as np
import pytest

from sqlite_ann import Index, arrow

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_who_only_speaks_arrow_is_understood(db):
    """No iteration, no __array__: what is left is the protocol."""
    pa = pytest.importorskip("pyarrow")

    class Only:
        def __init__(self, held):
            self.held = held

    class Arrays(Only):
        def __arrow_c_array__(self, requested_schema=None):
            return self.held.__arrow_c_array__()

    class Streams(Only):
        def __arrow_c_stream__(self, requested_schema=None):
            return self.held.__arrow_c_stream__()

    fixed = pa.list_(pa.float32(), 2)
    for n, given in enumerate(
        [
            Arrays(pa.array(ROWS, fixed)),
            Streams(pa.chunked_array([ROWS[:1], [], ROWS[1:]], fixed)),
            Streams(pa.table({"embedding": pa.array(ROWS, pa.large_list(pa.float16()))})),
            Arrays(pa.record_batch({"embedding": ROWS})),
        ]
    ):
        index = Index.create(db, f"v{n}", 2)
        index.add(Arrays(pa.array([7, 8, 9])), given)
        assert index.get(Streams(pa.chunked_array([[7, 8], [9]]))).tolist() == ROWS


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed", "table"])
@pytest.mark.parametrize("number", ["float16", "float32", "float64", "int8", "int64", "uint16"])
def test_slices_are_read_where_they_begin(kind, number):
    pa = pytest.importorskip("pyarrow")
    rows = np.arange(60).reshape(20, 3)
    element = getattr(pa, number)()
    of = {"fixed": pa.list_(element, 3), "large_list": pa.large_list(element)}.get(kind, pa.list_(element))
    column = pa.array(rows.tolist(), of)
    for start, n in [(0, 20), (5, 9), (13, 0), (19, 1)]:
        part = column.slice(start, n)
        given = pa.table({"v": column}).slice(start, n) if kind == "table" else part
        read = arrow.read(given)
        assert np.reshape(read, (n, 3)).tolist() == rows[start : start + n].tolist()
    assert arrow.read(pa.array(range(20), element).slice(3, 4)).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("start", [0, 3, 9])
def test_what_is_missing_stays_missing_in_a_slice(start):
    pa = pytest.importorskip("pyarrow")
    rows = [None if i % 5 == 3 else [i, i] for i in range(20)]
    read = arrow.read(pa.array(rows, pa.list_(pa.float64(), 2)).slice(start, 8))
    assert [row if row is None else list(row) for row in read] == rows[start : start + 8]


def test_a_struct_that_is_missing_is_no_row_of_zeros():
    pa = pytest.importorskip("pyarrow")
    structs = pa.array([{"e": [1, 2]}, None, {"e": [3, 4]}], pa.struct([("e", pa.list_(pa.float32(), 2))]))
    assert [row if row is None else list(row) for row in arrow.read(structs)] == [[1, 2], None, [3, 4]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, 2], None], r"vectors\[1\] \(id 8\): expected 2 components, got None"),
        ([[1, 2], [3, None]], r"vectors\[1\] \(id 8\): expected numbers, got None at component 1"),
        ([[1, 2], [3]], r"vectors\[1\] \(id 8\): expected 2 components, got 1"),
        ([[1, 2, 3], [1, 2, 3]], r"vectors: expected 2 components, got 3 \(shape \(2, 3\)\)"),
        ([[1, 2]], "expected as many ids as vectors, got 2 ids and 1 vectors"),
    ],
)
@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_nulls_and_other_lengths_are_named_by_their_row(db, rows, said, library):
    made = pytest.importorskip(library)
    column = made.array(rows) if library == "pyarrow" else made.Series(rows)
    index = Index.create(db, "v", 2)
    with pytest.raises((TypeError, ValueError), match=f"^{said}$"):
        index.add([7, 8], column)
    assert len(index) == 0


def test_null_ids_are_refused_and_null_vectors_left_out(db):
    pa = pytest.importorskip("pyarrow")
    index = Index.create(db, "v", 2)
    with pytest.raises(TypeError, match=r"^ids\[1\]: expected 64-bit whole numbers, got None$"):
        index.add(pa.array([7, None]), ROWS[:2])
    left_out = index.add(pa.array([7, 8, 9]), pa.array([[1.0, 2.0], None, [3.0]]), on_bad="skip")
    assert left_out == {8: "expected numbers, got None", 9: "expected 2 components, got 1"}
    assert list(index) == [7]


@pytest.mark.parametrize("column", [["a", "b"], [[["x"]]], [True, False], [[[1.0, 2.0]]]])
def test_other_columns_are_left_to_numpy(column):
    pa = pytest.importorskip("pyarrow")
    assert arrow.read(pa.array(column)) is None
    assert arrow.read(pa.table({"a": [1], "b": [2]})) is None


def test_tables_of_numbers_are_matrices_as_before(db):
    for library, make in (("pandas", "DataFrame"), ("polars", "DataFrame")):
        table = getattr(pytest.importorskip(library), make)({"x": [1.0, 3.0], "y": [2.0, 4.0]})
        index = Index.create(db, library, 2)
        index.add([7, 8], table)
        assert index.get([7, 8]).tolist() == ROWS[:2]


def test_a_query_of_duckdb_is_read(db):
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql("SELECT unnest([[1, 2], [3, 4], [5, 6]])::FLOAT[2] AS embedding")
    index = Index.create(db, "v", 2)
    index.add([7, 8, 9], relation)
    assert index.get([7, 8, 9]).tolist() == ROWS


def test_nothing_that_was_exported_stays_in_memory():
    pa = pytest.importorskip("pyarrow")
    before = pa.total_allocated_bytes()
    for _ in range(20):
        column = pa.chunked_array([pa.array(np.ones((1000, 8)).tolist())] * 3)
        assert arrow.read(column).shape == (3000, 8)
        assert arrow.read(column.chunk(0)).shape == (1000, 8)
        del column
    assert pa.total_allocated_bytes() == before
