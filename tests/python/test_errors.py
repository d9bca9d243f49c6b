"""What leaves the package as an exception, and what it says."""

from __future__ import annotations

import pickle

import apsw
import pytest

import sqlite_ann
from sqlite_ann import Index, errors


def test_examples(run_examples):
    run_examples(errors)


def test_an_error_keeps_the_code_and_the_cause():
    with pytest.raises(errors.Error) as caught, errors.translated():
        apsw.Connection(":memory:").execute("SELECT melody")
    assert caught.value.code == apsw.SQLITE_ERROR
    assert isinstance(caught.value.__cause__, apsw.SQLError)
    assert str(caught.value) == "no such column: melody"


def test_an_extended_code_is_kept():
    db = apsw.Connection(":memory:")
    db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    with pytest.raises(errors.Error) as caught, errors.translated():
        db.execute("INSERT INTO t VALUES (1)")
    assert caught.value.code == apsw.SQLITE_CONSTRAINT_PRIMARYKEY


def test_complaints_of_apsw_itself_are_errors_too():
    with pytest.raises(errors.Error, match="Incorrect number of bindings") as caught, errors.translated():
        apsw.Connection(":memory:").execute("SELECT ?", ())
    assert caught.value.code == apsw.SQLITE_ERROR


@pytest.mark.parametrize(
    ("code", "kind", "of_apsw"),
    [
        (apsw.SQLITE_BUSY, sqlite_ann.Busy, apsw.BusyError),
        (apsw.SQLITE_BUSY_SNAPSHOT, sqlite_ann.Busy, apsw.BusyError),
        (apsw.SQLITE_READONLY_DIRECTORY, sqlite_ann.ReadOnly, apsw.ReadOnlyError),
        (apsw.SQLITE_CONSTRAINT_ROWID, sqlite_ann.Duplicate, apsw.ConstraintError),
        (apsw.SQLITE_CORRUPT_VTAB, sqlite_ann.Damaged, apsw.CorruptError),
        (apsw.SQLITE_INTERRUPT, sqlite_ann.Interrupted, apsw.InterruptError),
        (apsw.SQLITE_CONSTRAINT_NOTNULL, sqlite_ann.Error, apsw.Error),
        (apsw.SQLITE_FULL, sqlite_ann.Error, apsw.Error),
    ],
)
def test_one_except_catches_what_sql_and_what_index_raised(code, kind, of_apsw):
    with pytest.raises(of_apsw) as caught, errors.translated():
        raise apsw.exception_for(code)
    assert type(caught.value) is kind
    assert isinstance(caught.value, sqlite_ann.Error)
    assert (caught.value.code, caught.value.result, caught.value.extendedresult) == (code, code & 0xFF, code)


def test_an_error_of_ours_passes_as_it_is():
    with pytest.raises(sqlite_ann.Busy) as caught, errors.translated():
        raise sqlite_ann.Busy("later", 261)
    assert (str(caught.value), caught.value.code) == ("later", 261)


def test_an_error_comes_whole_from_another_process():
    again = pickle.loads(pickle.dumps(sqlite_ann.Duplicate("there", apsw.SQLITE_CONSTRAINT_ROWID)))
    assert type(again) is sqlite_ann.Duplicate
    assert (str(again), again.code, again.result) == ("there", apsw.SQLITE_CONSTRAINT_ROWID, apsw.SQLITE_CONSTRAINT)


def test_other_exceptions_pass():
    with pytest.raises(KeyError), errors.translated():
        raise KeyError(7)


# --- by way of Index -----------------------------------------------------------------------------


@pytest.fixture
def index(db):
    index = sqlite_ann.Index.create(db, "v", dim=2)
    index.add([1, 2], [[1, 0], [0, 1]])
    return index


def test_duplicate_id_is_a_constraint_and_adds_nothing(index):
    with pytest.raises(errors.Error, match="2") as caught:
        index.add([3, 2], [[1, 1], [1, 1]])
    assert caught.value.code == apsw.SQLITE_CONSTRAINT_ROWID
    assert len(index) == 2
    assert 3 not in index


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e300])
def test_what_is_not_finite_is_refused_by_id_and_adds_nothing(index, bad):
    with pytest.raises(errors.Error, match=r"\(id 4\): expected finite components"):
        index.add([3, 4], [[1, 1], [1, bad]])
    assert len(index) == 2


def test_missing_id_is_a_key_error(index):
    with pytest.raises(KeyError, match="9"):
        index.get([1, 9])


def test_wrong_sizes_are_value_errors(index):
    with pytest.raises(ValueError, match="expected 2 components, got 3"):
        index.add([5], [[1, 2, 3]])
    with pytest.raises(ValueError, match="expected 2 components, got 3"):
        index.search([1, 2, 3])
    with pytest.raises(ValueError, match="2 ids and 1 vectors"):
        index.add([5, 6], [[1, 2]])


def test_no_such_table_is_an_error_that_names_it(db):
    with pytest.raises(errors.Error, match="nothing"):
        sqlite_ann.Index(db, "nothing")


@pytest.mark.parametrize("arguments", [{"k": 0}, {"k": -1}, {"recall": 0}, {"recall": 1.5}, {"search_k": 0}])
def test_bad_search_arguments_are_errors(index, arguments):
    with pytest.raises(errors.Error):
        index.search([1, 0], **arguments)


def test_unknown_metric_and_option_are_errors(db):
    with pytest.raises(errors.Error, match="nearness"):
        sqlite_ann.Index.create(db, "a", dim=2, metric="nearness")
    with pytest.raises(errors.Error, match="colour"):
        sqlite_ann.Index.create(db, "a", dim=2, colour="red")
    with pytest.raises(ValueError, match="two words"):
        sqlite_ann.Index.create(db, "a", dim=2, **{"two words": 1})
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


def test_a_connection_of_another_driver_is_a_type_error():
    with pytest.raises(TypeError, match="apsw"):
        sqlite_ann.Index(object(), "v")


def test_an_argument_that_is_not_known_is_refused_in_the_name_of_a_public_class(db):
    index, tunes = Index.create(db, "v", 2), sqlite_ann.Collection.open(db, "tunes")
    keyed = Index.create(db, "w", 2, key="uuid")
    for public, of, methods in (
        ("Index", index, ("search", "optimize", "recommend", "add", "get", "recall")),
        ("Index", keyed, ("search", "optimize", "recommend", "add", "get", "join")),
        ("Collection", tunes, ("search", "add", "get", "index_on", "hybrid")),
    ):
        for method in methods:
            with pytest.raises(
                TypeError, match=rf"^{public}\.{method}\(\) got an unexpected keyword argument 'nosuch'$"
            ):
                getattr(of, method)(nosuch=1)
    for public, given in (("Index", (db, "v")), ("Collection", (db, "tunes"))):
        with pytest.raises(TypeError, match=rf"^{public}\.__init__\(\) got an unexpected keyword argument 'nosuch'$"):
            getattr(sqlite_ann, public)(*given, nosuch=1)
    for function in (Index.search, Index.upsert, Index.optimize, sqlite_ann.Collection.get):
        assert pickle.loads(pickle.dumps(function)) is function
