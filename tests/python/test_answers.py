"""What searches give: a pair with names, and tables of other libraries made of it."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from sqlite_ann import Found, Index


@pytest.fixture
def index(db):
    index = Index.create(db, "v", 1, metric="l2")
    index.add([1, 2, 3], [[10], [20], [40]])
    return index


def test_an_answer_is_a_pair_with_names(index):
    for query in ([19], np.array([19], np.float32), [[19], [39]]):
        found = index.search(query, k=2)
        ids, distances = found
        assert type(found) is Found
        assert found.ids is ids is found[0]
        assert found.distances is distances is found[1]


def test_an_answer_as_a_list_leaves_out_what_fills_up(index):
    assert index.search([19], k=2).to_list() == [(2, 1.0), (1, 9.0)]
    assert index.search([[19], [41]], k=4, max_distance=9).to_list() == [[(2, 1.0), (1, 9.0)], [(3, 1.0)]]
    assert index.search([], k=2).to_list() == []


ONE = {"id": [2, 1], "distance": [1.0, 9.0]}
MANY = {"query": [0, 0, 1], "id": [2, 1, 3], "distance": [1.0, 9.0, 1.0]}


def columns_of(found, library):
    if library == "pandas":
        return found.to_pandas().to_dict("list")
    if library == "polars":
        return found.to_polars().to_dict(as_series=False)
    return found.to_arrow().to_pydict()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_an_answer_as_a_table_of_another_library(index, library):
    pytest.importorskip(library)
    assert columns_of(index.search([19], k=2), library) == ONE
    assert columns_of(index.search([[19], [41]], k=4, max_distance=9), library) == MANY


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_library_that_is_missing_is_named_with_its_cure(index, library, monkeypatch):
    def without(name, *rest):
        if name == library:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return builtins.__import__(name, *rest)

    monkeypatch.setattr("sqlite_ann.answers.import_module", without)
    with pytest.raises(ImportError, match=rf"^this needs the package {library}: pip install {library}$"):
        columns_of(index.search([19]), library)


# --- in a notebook -------------------------------------------------------------------------------


def test_a_notebook_shows_tables(index):
    assert index.search([19], k=1)._repr_html_() == (
        "<table><tr><th>id</th><th>distance</th></tr><tr><td>2</td><td>1</td></tr></table>"
    )
    assert "<td>metric</td>" not in index._repr_html_()
    assert "<th>metric</th>" in index._repr_html_()
    assert "<td>l2</td>" in index._repr_html_()
    assert "<th>recall</th>" in index.recall(k=1, sample=3)._repr_html_()
    assert "<td>exact</td>" in index.explain([19])._repr_html_()


def test_a_long_table_says_how_much_is_left_out(db):
    index = Index.create(db, "v", 1, metric="l2")
    index.add(range(50), [[i] for i in range(50)])
    shown = index.search([0], k=50)._repr_html_()
    assert "and 30 more" in shown
    assert shown.count("<tr>") == 21


def test_an_index_whose_connection_is_closed_still_shows_its_name(index):
    index.db.close()
    assert "Index(&#x27;v&#x27;" in index._repr_html_()
