"""An index in other processes and in other threads."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from tests.python import workers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "songs.db"


@pytest.fixture
def index(path):
    index = Index.create(path, "song_ann", 2, metric="l2")
    index.add([1, 2, 3], [[1, 0], [2, 0], [3, 0]])
    return index


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_is_given_an_index_and_opens_it_itself(index, method, monkeypatch):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())  # noqa: PTH109
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        queries = [np.array([n, 0], np.float32) for n in (1, 3)]
        found = list(pool.map(workers.searched, [index, index], queries))
        assert found == [([1, 2], [0, 1], 3), ([3, 2], [0, 1], 3)]
        assert pool.submit(workers.added, index, 9).result() == "Index"
        with pytest.raises(sqlite_ann.Duplicate, match="1 is there already"):
            pool.submit(workers.refused, index).result()
        bound = pool.submit(index.search_item, 3, k=1).result()
    assert bound.to_list() == [(2, 1.0)]
    assert list(index) == [1, 2, 3, 9]
    assert index.check() == []


@pytest.mark.slow
def test_joblib_takes_an_index(index, monkeypatch):
    joblib = pytest.importorskip("joblib")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())  # noqa: PTH109
    calls = [joblib.delayed(workers.searched)(index, [n, 0]) for n in (1, 3)]
    assert joblib.Parallel(2)(calls) == [([1, 2], [0, 1], 3), ([3, 2], [0, 1], 3)]


def test_what_arrives_is_the_same_table_by_a_connection_of_its_own(index):
    again = pickle.loads(pickle.dumps(index))
    assert again.db is not index.db
    assert (again.dim, again.metric, again.name) == (2, "l2", "song_ann")
    again.add(9, [9, 0])
    assert 9 in index
    assert copy.copy(index).search([9, 0], k=1).to_list() == [(9, 0.0)]


def test_a_reader_arrives_as_a_reader_and_an_attached_table_as_one_of_its_file(index, path):
    reader = pickle.loads(pickle.dumps(Index(sqlite_ann.connect(f"file:{path}?mode=ro"), "song_ann")))
    with pytest.raises(sqlite_ann.ReadOnly):
        reader.add(9, [9, 0])
    db = sqlite_ann.connect(":memory:")
    db.execute("ATTACH ? AS aux", (str(path),))
    assert list(pickle.loads(pickle.dumps(Index(db, "aux.song_ann")))) == [1, 2, 3]


def test_what_another_process_could_not_see_is_not_sent(index, db):
    with pytest.raises(pickle.PicklingError, match=r"Index\('v', .*\) is in memory: only an index of a file"):
        pickle.dumps(Index.create(db, "v", 2))
    with pytest.raises(pickle.PicklingError, match="is in memory"):
        pickle.dumps(Index.create(index.db, "temp.v", 2))
    index.db.execute("BEGIN")
    with pytest.raises(pickle.PicklingError, match="a transaction is open"):
        pickle.dumps(index)
    index.db.execute("ROLLBACK")
    sent = pickle.dumps(index)
    index.db.close()
    with pytest.raises(sqlite_ann.Error, match="closed"):
        pickle.dumps(index)
    assert len(pickle.loads(sent)) == 3


def test_a_file_that_is_gone_is_named_where_it_is_missed(index, path):
    sent = pickle.dumps(index)
    index.db.close()
    path.unlink()
    with pytest.raises(sqlite_ann.Error, match=r"unable to open .*songs.db: there is no such file"):
        pickle.loads(sent)
    assert not path.exists()


# --- threads -------------------------------------------------------------------------------------


def test_threads_with_a_connection_each_search_while_one_writes(index, path):
    index.db.execute("PRAGMA journal_mode = wal")

    def search(_):
        own = Index(path, "song_ann")
        found = {own.search([1, 0], k=1).to_list()[0] for _ in range(50)}
        own.db.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(search, range(4))
        for n in range(10, 40):
            index.upsert(n, [n, 0])
        assert list(answers) == [{(1, 0.0)}] * 4
    assert index.check() == []


def test_threads_may_share_an_index_to_search(index):
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: index.search([n % 3 + 1, 0], k=1).to_list(), range(200))
        assert list(found) == [[(n % 3 + 1, 0.0)] for n in range(200)]


def test_a_locked_and_a_read_only_file_have_errors_of_their_own(index, path):
    index.db.set_busy_timeout(0)
    other = sqlite_ann.connect(path)
    other.execute("BEGIN IMMEDIATE")
    for refuse in (sqlite_ann.Busy, apsw.BusyError, apsw.Error):
        with pytest.raises(refuse, match="locked"):
            index.upsert([1, 2], [[5, 5], [6, 6]])
    with pytest.raises(apsw.BusyError):
        index.db.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    reader = Index(sqlite_ann.connect(f"file:{path}?mode=ro"), "song_ann")
    for write in (lambda: reader.upsert(1, [0, 0]), lambda: reader.remove(1), lambda: reader.update(1, [0, 0])):
        with pytest.raises(sqlite_ann.ReadOnly):
            write()
    assert Index.create(reader.db, "song_ann", 2, exists_ok=True).get([1, 2]).tolist() == [[1, 0], [2, 0]]
