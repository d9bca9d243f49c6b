"""Queries that are unlike the rows: before and after the table knows them, and what is refused."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

from tests import alter

from .conftest import Table, clustered

D, ROWS = 16, 6000
LEARN = "INSERT INTO v(v, e) VALUES ('learn', ?)"


def blob(vectors: np.ndarray) -> bytes:
    return vectors.astype("<f4").tobytes()


def means(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Each the mean of ten random rows."""
    rng = np.random.default_rng(seed)
    return np.stack([rows[rng.choice(len(rows), 10, replace=False)].mean(axis=0) for _ in range(n)])


def kept(table: Table) -> bytes | None:
    return table.db.execute("SELECT value FROM v_config WHERE id = 8").get


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_searches_like_the_given_queries_get_their_recall(table, metric):
    rows = clustered(ROWS, 7, D)
    table.create(d=D, metric=metric).load(rows)
    queries = means(rows, 200, 1)
    before = table.recall(queries, 10, 0.9)
    with table.db:
        for query in means(rows, 300, 2):
            table.db.execute(LEARN, (blob(query),))
    assert table.info("learned") == 300
    table.command("optimize")
    assert before < 0.87 or metric == "cosine"  # there the mean is not far from all
    for recall in (0.9, 0.95):
        assert table.recall(queries, 10, recall) > recall - 0.02
        assert table.recall(rows[:200] + np.float32(0.01), 10, recall) > recall - 0.02
    measured = "SELECT sample, recall FROM ann_recall('v', 10, 1000, 0.9, 1)"
    sample, recall = table.db.execute(measured).get
    assert sample == 300
    assert recall > 0.88
    table.sound()


@pytest.mark.slow
def test_what_was_given_is_measured_as_the_table_grows(table):
    rows = clustered(ROWS, 7, D)
    table.create(d=D, metric="l2").load(rows[:1500])
    table.db.execute(LEARN, (blob(means(rows, 300, 2)),))
    with table.db:
        for i in range(1500, ROWS):
            table.insert(i, rows[i])
    assert table.info("calibrated_rows") > 1500
    assert table.recall(means(rows, 200, 1), 10, 0.9) > 0.88


def test_however_many_are_given_a_bounded_sample_is_kept(table, rng):
    table.create(d=2)
    given = rng.standard_normal((100_000, 2))
    for part in np.split(given, 4):
        table.db.execute(LEARN, (blob(part),))
    assert table.info("learned") == 400
    stored = np.frombuffer(kept(table)[32:], "<f4").reshape(-1, 2)
    at = {blob(query): i for i, query in enumerate(given)}
    places = np.array([at[blob(query)] for query in stored])
    assert len(set(places)) == 400
    assert 35_000 < places.mean() < 65_000  # each as likely as any other


def test_one_by_one_or_at_once_leaves_the_same(table, rng):
    given = rng.standard_normal((1000, 3))
    stored = []
    for each in (1, 7, 1000):
        table.db.execute("DROP TABLE IF EXISTS v")
        table.create(d=3)
        with table.db:
            for at in range(0, 1000, each):
                table.db.execute(LEARN, (blob(given[at : at + each]),))
        stored.append(kept(table))
    assert stored[0] == stored[1] == stored[2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "expected a blob of 3 float32 or a JSON array, got NULL"),
        (7, "expected a blob of 3 float32 or a JSON array, got an integer"),
        (b"", "expected a blob of 12 bytes (3 float32), got 0 bytes"),
        (bytes(13), "expected a blob of 12 bytes (3 float32), got 13 bytes"),
        (bytes(16), "expected a blob of 12 bytes (3 float32), got 16 bytes"),
        ("[1, 2]", "expected 3 numbers, got 2"),
        (np.array([1, np.nan, 3], "<f4").tobytes(), "expected finite components, got NaN at component 1"),
        (
            np.array([1] * 7 + [np.inf] + [1], "<f4").tobytes(),
            "learn, query 3 of 3: expected finite components, got infinity at component 1",
        ),
    ],
)
def test_what_is_no_query_is_refused_whole(table, given, said):
    table.create(d=3)
    with pytest.raises(apsw.SQLError) as caught:
        table.db.execute(LEARN, (given,))
    assert "ann table v, learn" in str(caught.value)
    assert said in str(caught.value)
    assert kept(table) is None
    assert table.info("learned") == 0


def test_a_rollback_unlearns(table):
    table.create(d=3)
    table.db.execute(LEARN, ("[1, 2, 3]",))
    before = kept(table)
    table.db.execute("BEGIN")
    table.db.execute(LEARN, ("[4, 5, 6]",))
    table.db.execute("SAVEPOINT s")
    table.db.execute(LEARN, ("[7, 8, 9]",))
    assert table.info("learned") == 3
    table.db.execute("ROLLBACK TO s")
    assert table.info("learned") == 2
    table.db.execute("ROLLBACK")
    assert table.info("learned") == 1
    assert kept(table) == before


def test_a_read_only_database_learns_nothing(table):
    table.create(d=3)
    table.db.execute("PRAGMA query_only = 1")
    with pytest.raises(apsw.ReadOnlyError):
        table.db.execute(LEARN, ("[1, 2, 3]",))
    table.db.execute("PRAGMA query_only = 0")
    assert table.info("learned") == 0


@pytest.mark.parametrize(
    "damage",
    ["x''", "zeroblob(31)", "value || x'00'", "'text'", "substr(value, 1, 12) || x'ffffffff' || substr(value, 17)"],
)
def test_damage_is_said(table, damage):
    table.create(d=3).load(clustered(1200, 1, 3))
    table.db.execute(LEARN, ("[1, 2, 3]",))
    table.db.execute(f"UPDATE v_config SET value = {damage} WHERE id = 8")
    alter.sums(table.db, "v", 0)
    if damage.startswith("substr"):
        table.command("optimize")  # a mark is all that has changed
        return
    with pytest.raises(apsw.CorruptError, match="config row 8 is damaged"):
        table.command("optimize")


def test_recall_of_queries_needs_some(table):
    table.create(d=3).load(clustered(1200, 1, 3))
    assert table.db.execute("SELECT sample, recall FROM ann_recall('v', 10, 5, 0.9, 1)").get == (0, None)
    with pytest.raises(apsw.SQLError, match="expected queries to be 0, for rows, or 1"):
        table.db.execute("SELECT * FROM ann_recall('v', 10, 5, 0.9, 2)").fetchall()


def test_queries_alone_are_a_sample_of_bounded_size(parts):
    lib, ffi = parts.lib, parts.ffi
    learned = parts.made(
        "AnnLearned", lib.ann_learned_new, lib.ann_learned_free, parts.handle, parts.state, parts.space(), 7
    )
    queries = ffi.new("AnnLearnedQueries *")
    assert (lib.ann_learned_get(learned, queries), queries.n, queries.measured) == (0, 0, 1)
    for i in range(1000):
        assert lib.ann_learned_add(learned, ffi.new("float[]", [i, 0, 0])) == 0
    assert (lib.ann_learned_get(learned, queries), queries.n, queries.measured) == (0, lib.ANN_LEARNED_MOST, 0)
    vectors = ffi.cast("float *", queries.queries)
    kept = [vectors[3 * i] for i in range(queries.n)]
    assert len(set(kept)) == len(kept)
    assert 400 < sum(kept) / len(kept) < 600
    assert not lib.ann_learned_is_clean(learned)
    assert (lib.ann_learned_flush(learned), lib.ann_learned_is_clean(learned)) == (0, 1)
    lib.ann_learned_drop(learned)
    assert lib.ann_learned_get(learned, queries) == 0
    vectors = ffi.cast("float *", queries.queries)
    assert [vectors[3 * i] for i in range(queries.n)] == kept
