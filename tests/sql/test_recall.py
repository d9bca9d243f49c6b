"""ann_recall: what it measures, against numpy, and the interval against Python's own arithmetic."""

from __future__ import annotations

import math
import statistics
import threading
import time

import apsw
import numpy as np
import pytest

from tests import alter

METRICS = ["cosine", "angular", "l2", "l1", "dot"]


def recall(db, *arguments, where="1"):
    marks = "".join(", ?" for _ in arguments)
    return db.execute(f"SELECT k, sample, recall, low, high FROM ann_recall('v'{marks}) WHERE {where}", arguments)


def measured(table, *arguments):
    return recall(table.db, *arguments).get


def sampled(ids, sample):
    """The rows in the middle of as many equal parts of the table, in order of id."""
    ids = np.sort(ids)
    return [int(ids[(2 * i + 1) * len(ids) // (2 * sample)]) for i in range(sample)]


def shares(table, k, sample, wanted):
    """Of every sampled row: the share of its neighbours that ann_search_item finds, ties counted as found."""
    sql = "SELECT distance FROM ann_search_item('v', ?, ?, ?) WHERE exclude_self = 1"
    found = []
    for id_ in sampled(table.ids, min(sample, len(table.ids))):
        others = table.ids != id_
        kth = table.exact(table.x[~others][0], k, others)[-1][1]
        distances = [far for (far,) in table.db.execute(sql, (id_, k, wanted))]
        found.append(sum(far <= kth * (1 + 1e-9 * np.sign(kth)) + 1e-12 for far in distances) / k)
    return found


def wilson(p, n):
    """The ends of the interval are the shares that a test at 5 % would just not reject: |p - x| = z se(x)."""
    z = statistics.NormalDist().inv_cdf(0.975)

    def solved(inside, outside):
        for _ in range(200):
            x = (inside + outside) / 2
            inside, outside = (x, outside) if abs(p - x) <= z * math.sqrt(x * (1 - x) / n) else (inside, x)
        return inside

    return solved(p, 0), solved(p, 1)


def interval(found, k):
    """For as many trials as the neighbours are worth, from the scatter of the queries."""
    p, trials = statistics.fmean(found), len(found) * k
    effect = k if len(found) == 1 else 1.0
    if len(found) > 1 and 0 < p < 1:
        effect = min(max(k * statistics.variance(found) / (p * (1 - p)), 1), k)
    return wilson(p, trials / effect)


# --- what is measured ----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("k", "sample", "wanted"), [(10, 100, 0.95), (1, 60, 0.5), (25, 37, 0.7)])
def test_recall_and_interval_are_those_of_numpy(forest, metric, k, sample, wanted):
    table = forest(metric)
    found = shares(table, k, sample, wanted)
    low, high = interval(found, k)
    assert measured(table, k, sample, wanted) == (
        k,
        sample,
        pytest.approx(statistics.fmean(found), abs=1e-12),
        pytest.approx(low, abs=1e-9),
        pytest.approx(high, abs=1e-9),
    )


def exchange_vectors(db, ids):
    """Each gets the stored vector of another of them, of which the forest knows nothing."""
    sql = "SELECT vector FROM v_vectors WHERE id = ?"
    stored = [db.execute(sql, (int(id_),)).get for id_ in ids]
    order = np.random.default_rng(5).permutation(len(ids))
    for id_, other in zip(ids, order, strict=True):
        db.execute("UPDATE v_vectors SET vector = ? WHERE id = ?", (stored[other], int(id_)))


def test_queries_that_miss_all_together_widen_the_interval(forest):
    """What lies on one side can't be found: some queries miss all of their neighbours, others none."""
    table = forest()
    side = table.ids[table.x[:, 0] > np.median(table.x[:, 0])]
    exchange_vectors(table.db, side)
    k, sample, share, low, high = measured(table, 50, 300, 0.95)
    assert (k, sample) == (50, 300)
    assert 0.2 < share < 0.8
    assert low < share < high
    plain = wilson(share, k * sample)
    assert high - low > 3 * (plain[1] - plain[0])
    assert high - low < math.sqrt(k) * 1.1 * (plain[1] - plain[0])


def test_spoiled_pages_are_found_out(forest):
    """Rows that the forest has elsewhere than where their vectors are cannot be found, and are missed."""
    table = forest()
    before = measured(table, 10, 200)[2]
    exchange_vectors(table.db, table.ids[table.ids % 2 == 0])
    alter.sums(table.db, "v", 0)
    assert measured(table, 10, 200)[2] < before - 0.2


def test_defaults_and_names(forest):
    db = forest().db
    default = recall(db).get
    assert default[:2] == (10, 100)
    assert recall(db, 10, 100, 0.95).get == default
    assert recall(db, None, None, None).get == default
    assert recall(db, where="k = 10 AND sample = 100 AND wanted_recall = 0.95").get == default
    assert recall(db, where="wanted_k = 10 AND wanted_sample = 100").get == default
    assert [row[0] for row in recall(db, where="k IN (1, 5, 10) ORDER BY k")] == [1, 5, 10]
    hidden = "SELECT \"table\", wanted_k, wanted_sample, wanted_recall FROM ann_recall('v', 5) WHERE sample = 7"
    assert db.execute(hidden).get == ("v", 5, 7, None)


def test_recall_one_is_one_and_the_same_call_gives_the_same_row(forest):
    table = forest("cosine")
    assert measured(table, 10, 50, 1)[2:] == (1.0, pytest.approx(wilson(1, 500)[0]), 1.0)
    assert measured(table, 10, 50, 0.6) == measured(table, 10, 50, 0.6)


def test_waiting_rows_take_part(forest, make_vectors, load, rng):
    table = forest()
    table.db.execute("INSERT INTO v(v) VALUES ('absorb=0')")
    ids, x = np.arange(10_000, 10_400), make_vectors(rng, 400)
    load(table.db, ids, x)
    assert table.info("waiting") > 300
    table.ids, table.x = np.concatenate([table.ids, ids]), np.concatenate([table.x, x])
    found = shares(table, 10, 90, 0.8)
    assert measured(table, 10, 90, 0.8)[2] == pytest.approx(statistics.fmean(found), abs=1e-12)


def test_a_sample_too_large_for_memory_is_measured_in_parts(forest):
    """1,500 times 1,499 neighbours are more than is held at once."""
    assert recall(forest().db, 1499, 2000).get[:3] == (1499, 1500, 1.0)


# --- small and empty tables ----------------------------------------------------------------------


def test_a_small_table_full_of_ties_has_recall_one(small):
    k, sample, share, low, high = recall(small.db, 7, 1000).get
    assert (k, sample, share, high) == (7, 60, 1.0, 1.0)
    assert low == pytest.approx(wilson(1, 7 * 60)[0])


def test_k_beyond_the_number_of_rows_means_all_others(small):
    assert recall(small.db, 10**9, 60).get == (10**9, 60, 1.0, pytest.approx(wilson(1, 59 * 60)[0]), 1.0)


@pytest.mark.parametrize("rows", [0, 1])
def test_without_neighbours_there_is_nothing_to_measure(db, rows):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2])")
    for id_ in range(rows):
        db.execute("INSERT INTO v VALUES (?)", (f"[{id_},1]",))
    assert recall(db).fetchall() == [(10, 0, None, None, None)]


def test_two_rows_and_one_query(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2]); INSERT INTO v VALUES ('[1,1]'), ('[0,0]')")
    assert recall(db, 5, 1).get == (5, 1, 1.0, pytest.approx(wilson(1, 1)[0]), 1.0)


# --- wrong arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "expected k to be a whole number from 1, got 0"),
        (("x",), "expected k to be a whole number from 1, got x"),
        ((1.5,), "expected k to be a whole number from 1, got 1.5"),
        ((10, 0), "expected sample to be a whole number from 1, got 0"),
        ((10, -3), "expected sample to be a whole number from 1, got -3"),
        ((10, "many"), "expected sample to be a whole number from 1, got many"),
        ((10, 10, 0), "expected wanted_recall to be above 0 and at most 1, got 0"),
        ((10, 10, 1.5), "expected wanted_recall to be above 0 and at most 1, got 1.5"),
        ((10, 10, "x"), "expected wanted_recall to be above 0 and at most 1, got x"),
    ],
)
def test_a_wrong_argument(small, refused, arguments, message):
    marks = ", ".join("?" * len(arguments))
    refused(small.db, f"SELECT * FROM ann_recall('v', {marks})", arguments, f"ann_recall: {message}")


def test_an_argument_given_twice(small, refused):
    for where, name in (("k = 5", "k"), ("wanted_k = 5", "k")):
        sql = f"SELECT * FROM ann_recall('v', 5) WHERE {where}"
        refused(small.db, sql, (), f"ann_recall: expected one value for {name}, got two")
    refused(small.db, "SELECT * FROM ann_recall('v', 5, 6, 1, 0, 2)", (), "too many arguments on ann_recall()")


# --- where and when ------------------------------------------------------------------------------


def test_a_read_only_database(forest_file, other_connections):
    expected = recall(other_connections(forest_file)).get
    assert recall(other_connections(forest_file, flags=apsw.SQLITE_OPEN_READONLY)).get == expected


def test_inside_a_transaction_with_changes(forest, queries):
    db = forest().db
    with db:
        db.execute("INSERT INTO v VALUES (?)", (queries[0].tobytes(),))
        db.execute("DELETE FROM v WHERE rowid < 100")
        assert recall(db).get[2] > 0.9
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_a_damaged_page_is_an_error(forest):
    db = forest().db
    db.execute("UPDATE v_pages SET data = zeroblob(length(data))")
    with pytest.raises(apsw.CorruptError, match="is damaged; rebuild it"):
        recall(db).fetchall()


@pytest.mark.parametrize("sample", [100, 4000])
def test_interrupt_stops_it_soon(db, load, make_vectors, rng, sample):
    db.execute(
        "CREATE VIRTUAL TABLE v USING ann(embedding float32[256], metric=l2); INSERT INTO v(v) VALUES ('absorb=0')"
    )
    x = make_vectors(rng, 20_000, 256)
    load(db, np.arange(20_000), x)
    asked = []

    def interrupt():
        asked.append(time.monotonic())
        db.interrupt()

    timer = threading.Timer(0.1, interrupt)
    timer.start()
    with pytest.raises(apsw.InterruptError):
        recall(db, 10, sample).fetchall()
    late = time.monotonic() - asked[0]
    timer.join()
    assert late < 0.5  # 0.05 of computing; the machine may be busy
    assert recall(db, 10, 5).get[:3] == (10, 5, 1.0)


def test_every_look_at_the_interrupt_is_heeded(forest):
    """A progress handler that is called n times before it says stop, for every n."""
    db = forest().db
    whole, calls, stopped_at = recall(db, 5, 20).get, 0, 0

    def stop():
        nonlocal calls
        calls += 1
        return calls == stopped_at

    for nth in (1, 2, 5, 10, 20, 40):
        calls, stopped_at = 0, nth
        db.set_progress_handler(stop, 5)
        with pytest.raises(apsw.InterruptError):
            recall(db, 5, 20).fetchall()
        db.set_progress_handler(None)
        assert recall(db, 5, 20).get == whole
