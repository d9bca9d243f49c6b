"""Numbers of every kind that numpy has, for every argument that is one."""

from __future__ import annotations

import numpy as np
import pytest

from sqlite_ann import Index

WHOLE = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
FLOATS = [np.float16, np.float32, np.float64]
ALONE = [np.array]  # of no dimensions


@pytest.fixture
def index(db):
    index = Index.create(db, "v", 2, metric="l2")
    index.add([1, 2, 3], [[1, 0], [2, 0], [3, 0]])
    return index


@pytest.mark.parametrize("kind", WHOLE + FLOATS + ALONE)
def test_counts(index, kind):
    assert index.search([0, 0], k=kind(2))[0].tolist() == [1, 2]
    assert index.search([0, 0], search_k=kind(3))[0].tolist() == [1, 2, 3]
    assert index.recall(k=kind(2), sample=kind(3)).k == 2
    assert index.explain([0, 0], k=kind(2))
    about = Index.create(index.db, "w", dim=kind(4), trees=kind(3), seed=kind(7), cache_mb=kind(5)).info()
    assert (about["dimensions"], about["trees"], about["seed"]) == (4, 3, 7)


@pytest.mark.parametrize("kind", WHOLE + FLOATS + ALONE)
def test_shares_and_distances(index, kind):
    assert index.search([0, 0], recall=kind(1), max_distance=kind(2))[0].tolist() == [1, 2]
    assert index.recall(2, 3, recall=kind(1)).recall == 1
    assert index.explain([0, 0], recall=kind(1))


@pytest.mark.parametrize("kind", [float, *FLOATS, np.array])
def test_a_count_that_is_whole_may_be_a_float(index, kind):
    assert index.search([0, 0], k=kind(2.0))[0].tolist() == [1, 2]
    assert Index.create(index.db, "w", dim=kind(4.0), trees=kind(3.0)).info()["trees"] == 3
    with pytest.raises(ValueError, match=r"^k: expected a whole number, got 2.5$"):
        index.search([0, 0], k=kind(2.5))
    with pytest.raises(ValueError, match=r"^dim: expected a whole number, got 2.5$"):
        Index.create(index.db, "x", dim=kind(2.5))


@pytest.mark.parametrize("kind", WHOLE + ALONE)
def test_ids(index, kind):
    index.add(kind(9), np.ones(2, np.float16))
    assert kind(9) in index
    assert index.get(kind(9)).tolist() == [1, 1]
    assert index.search([1, 1], ids=kind(9))[0].tolist() == [9]
    assert 9 not in index.search([1, 1], exclude=kind(9))[0]
    assert index.remove(kind(9)) == 1


@pytest.mark.parametrize("kind", [*WHOLE, *FLOATS, np.bool_])
def test_components(index, kind):
    index.add([8, 9], np.ones((2, 2), kind))
    index.add(10, [kind(1), kind(1)])
    assert index.search(np.ones(2, kind), k=3)[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("flag", [np.True_, np.array(True)])
def test_flags(index, flag, capfd):
    assert index.recall(queries=flag).sample == 0  # none were learned
    index.add(np.arange(10, 1200), np.ones((1190, 2)), progress=flag)
    index.optimize(progress=flag)
    assert "optimizing v" in capfd.readouterr().err
    assert len(index) == 1193


def test_names_may_be_text_of_numpy(index):
    made = Index.create(index.db, np.str_("w"), 2, metric=np.str_("dot"))
    assert (made.metric, len(Index(index.db, np.str_("v")))) == ("dot", 3)


@pytest.mark.parametrize("argument", ["k", "search_k", "recall", "max_distance"])
@pytest.mark.parametrize("value", ["3", b"3", np.str_("3"), [3], np.array([3]), 1j])
def test_what_is_no_number_is_a_type_error_that_names_the_argument(index, argument, value):
    with pytest.raises(TypeError, match=rf"^{argument}: expected a (whole )?number, got "):
        index.search([0, 0], **{argument: value})


@pytest.mark.parametrize("value", [2**63, np.uint64(2**64 - 1), -(2**70), 1e300])
def test_a_count_of_more_than_64_bits_is_refused(index, value):
    with pytest.raises(ValueError, match=r"^k: expected a whole number of 64 bits, got -?\d+$"):
        index.search([0, 0], k=value)


@pytest.mark.parametrize("make", [Index, lambda db, name: Index.create(db, name, 2)])
def test_connection_and_name_are_what_they_are_called(make, db):
    with pytest.raises(TypeError, match=r"expected a connection of apsw.* or a path, got int"):
        make(7, "v")
    with pytest.raises(TypeError, match="expected the name of a table, got NoneType"):
        make(db, None)
