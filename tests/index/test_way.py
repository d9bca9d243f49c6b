"""Which way a search among some rows goes: through the forest, or by the rows themselves; and that both are right."""

from __future__ import annotations

import numpy as np
import pytest

import sqlite_ann
from tests import arithmetic

D, ROWS, GROUPS = 16, 20_000, 100
RNG = np.random.default_rng(5)
CENTRES = 3 * RNG.standard_normal((GROUPS, D))
GROUP = RNG.integers(0, GROUPS, ROWS)
VECTORS = (CENTRES[GROUP] + RNG.standard_normal((ROWS, D))).astype("<f4")
IDS = np.arange(ROWS)
QUERIES = (CENTRES[:40] + RNG.standard_normal((40, D))).astype("<f4")


@pytest.fixture(scope="module", params=["l2", "dot"])
def stored(request) -> tuple[str, bytes]:
    db = sqlite_ann.connect(":memory:")
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(e float32[{D}], metric={request.param})")
    db.execute(f"INSERT INTO v(rowid, e) SELECT n, vector FROM ann_rows(?, {D})", (VECTORS.tobytes(),))
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    return request.param, bytes(db.serialize("main"))


@pytest.fixture
def table(stored):
    db = sqlite_ann.connect(":memory:")
    db.deserialize("main", stored[1])
    yield stored[0], db
    db.close()


def search(db, query, k, wanted, where="only = ?"):
    blob = db.execute("SELECT ann_id_set(?)", (IDS[wanted].astype("<i8").tobytes(),)).get
    sql = f"SELECT id FROM ann_search('v', ?, ?) WHERE {where} ORDER BY rank"
    return [id_ for (id_,) in db.execute(sql, (query.tobytes(), k, blob))]


def inspected(db):
    return db.execute("SELECT value FROM ann_info('v') WHERE key = 'inspected'").get


def nearest_groups(query, n, far=False):
    order = np.argsort(((CENTRES - query) ** 2).sum(axis=1))
    return np.isin(GROUP, order[-n:] if far else order[:n])


def some(query, share):
    return np.random.default_rng(int(share * 1e6)).random(ROWS) < share


def near(query, share):
    return nearest_groups(query, max(1, int(GROUPS * share)))


def far(query, share):
    return nearest_groups(query, max(1, int(GROUPS * share)), far=True)


@pytest.mark.parametrize("k", [1, 10, 100])
@pytest.mark.parametrize("choose", [some, near, far])
@pytest.mark.parametrize("share", [1, 0.5, 0.1, 0.01, 0.001, 0])
def test_the_recall_is_given_wherever_the_wanted_rows_are(table, choose, share, k):
    metric, db = table
    found = there = 0
    for query in QUERIES:
        wanted = choose(query, share) if share else np.zeros(ROWS, bool)
        rows = search(db, query, k, wanted)
        exact = arithmetic.exact(metric, IDS[wanted], VECTORS[wanted], query, min(k, wanted.sum()))[0].tolist()
        assert len(rows) == len(exact)
        found += len(set(rows) & set(exact))
        there += len(exact)
    assert found >= 0.94 * there


def test_few_rows_are_scored_and_many_are_walked_to(table):
    _, db = table
    query = QUERIES[0]
    for share, by_rows in ((0.001, True), (0.9, False)):
        wanted = some(query, share)
        search(db, query, 10, wanted)
        assert (inspected(db) == wanted.sum()) == by_rows


def test_rows_far_from_the_query_are_scored_and_near_ones_walked_to(table):
    _, db = table
    query = QUERIES[0]
    search(db, query, 10, far(query, 0.1))
    assert inspected(db) == far(query, 0.1).sum()
    search(db, query, 10, near(query, 0.1))
    assert inspected(db) < near(query, 0.1).sum() / 2


def test_the_same_search_goes_the_same_way_with_nothing_in_memory(table):
    _, db = table
    for share in (0.5, 0.05, 0.01):
        wanted = some(QUERIES[1], share)
        warm = search(db, QUERIES[1], 10, wanted), inspected(db)
        db.execute("SELECT ann_set('v', 'cache_mb', 0)").fetchall()
        assert (search(db, QUERIES[1], 10, wanted), inspected(db)) == warm
        db.execute("SELECT ann_set('v', 'cache_mb', 256)").fetchall()


def test_search_k_is_what_a_filtered_search_keeps_to(table):
    _, db = table
    wanted = far(QUERIES[2], 0.1)
    search(db, QUERIES[2], 10, wanted, "only = ? AND search_k = 300")
    assert inspected(db) == 300
