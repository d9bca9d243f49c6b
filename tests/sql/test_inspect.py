"""ann_info, ann_trees, ann_pages, ann_check, and the scalar functions."""

from __future__ import annotations

import json
import locale
import subprocess
import sys

import apsw
import numpy as np
import pytest

import sqlite_ann


def info(db, table="v"):
    return dict(db.execute("SELECT * FROM ann_info(?)", (table,)))


# --- ann_info ------------------------------------------------------------------------------------

KEYS = [
    "format",
    "rows",
    "waiting",
    "dimensions",
    "type",
    "metric",
    "seed",
    "trees",
    "leaf_pages",
    "directory_pages",
    "index_bytes",
    "vector_bytes",
    "calibrated_rows",
    "backend",
    "cache_bytes",
    "cache_hits",
]


@pytest.mark.parametrize("key", KEYS)
def test_info_has_the_promised_keys(forest, key):
    assert key in info(forest().db)


def test_info_of_a_forest(forest):
    db = forest("dot").db
    told = info(db)
    assert told["rows"] == told["calibrated_rows"] == 1500
    assert told["waiting"] == 0
    assert (told["dimensions"], told["type"], told["metric"]) == (16, "float32", "dot")
    assert (told["seed"], told["trees"], told["format"]) == (0, 2, 2)
    pages = db.execute("SELECT sum(kind = 'leaf'), sum(kind = 'directory') FROM ann_pages('v')").get
    assert (told["leaf_pages"], told["directory_pages"]) == pages
    assert told["index_bytes"] >= db.execute("SELECT sum(bytes) FROM ann_pages('v')").get
    assert told["vector_bytes"] >= 1500 * 64


def test_info_of_an_empty_table(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[7], metric=euclidean, trees=5, seed=42, leaf_capacity=33)")
    told = info(db)
    assert (told["rows"], told["waiting"], told["leaf_pages"], told["directory_pages"]) == (0, 0, 0, 0)
    assert (told["column"], told["metric"], told["trees"], told["seed"], told["leaf_capacity"]) == (
        "e",
        "l2",
        5,
        42,
        64,
    )


def test_one_key_or_some_can_be_asked_for(forest):
    db = forest().db
    told = info(db)
    for key in ("rows", "index_bytes", "vector_bytes", "backend"):
        assert db.execute("SELECT value FROM ann_info('v') WHERE key = ?", (key,)).fetchall() == [(told[key],)]
    assert db.execute("SELECT key FROM ann_info('v') WHERE key IN ('rows', 'trees') ORDER BY 1").fetchall() == [
        ("rows",),
        ("trees",),
    ]
    assert db.execute("SELECT * FROM ann_info('v') WHERE key = 'nothing'").fetchall() == []
    assert db.execute("SELECT * FROM ann_info('v') WHERE key = NULL").fetchall() == []


def test_info_counts_waiting_rows_while_they_are_written(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2]); BEGIN")
    for rows in (1, 2, 3):
        db.execute("INSERT INTO v VALUES ('[1,2]')")
        assert (info(db)["rows"], info(db)["waiting"]) == (rows, rows)
    db.execute("ROLLBACK")
    assert info(db)["rows"] == 0


def test_inspecting_functions_give_back_the_table_they_were_asked_about(forest):
    db = forest().db
    for function in ("ann_info", "ann_trees", "ann_pages"):
        assert db.execute(f"SELECT DISTINCT \"table\" FROM {function}('main.v')").get == "main.v"
    names = "SELECT i.key FROM (SELECT 'v' AS name) AS n, ann_info(n.name) AS i WHERE i.key = 'rows'"
    assert db.execute(names).get == "rows"


# --- ann_trees, ann_pages ------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["cosine", "angular", "l2", "l1", "dot"])
def test_pages_form_trees_that_hold_every_row_as_often_as_there_are_trees(forest, metric):
    db = forest(metric).db
    trees = db.execute("SELECT tree, root, depth, directories, leaves, entries, fullest FROM ann_trees('v')").fetchall()
    pages = {
        row[0]: row[1:]
        for row in db.execute("SELECT page, tree, level, kind, entries, capacity, bytes, parent FROM ann_pages('v')")
    }
    assert [tree[0] for tree in trees] == [0, 1]
    assert sum(tree[5] for tree in trees) == 2 * 1500
    for tree, root, depth, directories, leaves, entries, fullest in trees:
        mine = {number: page for number, page in pages.items() if page[0] == tree}
        kinds = [page[2] for page in mine.values()]
        assert (kinds.count("directory"), kinds.count("leaf")) == (directories, leaves)
        assert sum(page[3] for page in mine.values() if page[2] == "leaf") == entries
        assert max(page[3] for page in mine.values() if page[2] == "leaf") == fullest <= 32
        assert mine[root][-1] is None
        assert mine[root][1] == depth
        for _, level, kind, count, capacity, size, parent in mine.values():
            assert (kind == "leaf") == (level == 0)
            assert 0 <= count <= capacity
            assert size > 64
            assert parent is None or mine[parent][1] == level + 1
        for number, page in mine.items():
            if page[2] == "directory":
                assert page[3] == sum(child[-1] == number for child in mine.values())
    silent(db)


def test_a_table_without_a_forest_has_no_trees_and_no_pages(small):
    assert small.db.execute("SELECT * FROM ann_trees('v')").fetchall() == []
    assert small.db.execute("SELECT * FROM ann_pages('v')").fetchall() == []


# --- ann_check -----------------------------------------------------------------------------------


def silent(db):
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    db.execute("INSERT INTO v(v) VALUES ('integrity-check')")
    assert db.execute("PRAGMA integrity_check").get == "ok"
    assert db.execute("PRAGMA quick_check").get == "ok"


@pytest.mark.slow
def test_check_is_silent_through_a_life(forest):
    db = forest("dot").db
    for change in (
        "SELECT 1",
        "DELETE FROM v WHERE rowid % 7 = 0",
        "INSERT INTO v(embedding) SELECT embedding FROM v WHERE rowid % 2 = 0",
        "UPDATE v SET embedding = (SELECT embedding FROM v WHERE rowid = 1) WHERE rowid % 5 = 0",
        "INSERT INTO v(v, k) VALUES ('optimize', 3)",
        "UPDATE v SET rowid = -rowid WHERE rowid % 3 = 0",
        "INSERT INTO v(v) VALUES ('optimize')",
        "DELETE FROM v WHERE rowid < 0",
        "INSERT INTO v(v) VALUES ('rebuild')",
        "DELETE FROM v",
        "INSERT INTO v VALUES (zeroblob(64))",
    ):
        db.execute(change)
        silent(db)


def test_check_is_silent_inside_a_transaction(forest):
    db = forest().db
    db.execute("BEGIN")
    for sql in (
        "INSERT INTO v VALUES (zeroblob(64))",
        "DELETE FROM v WHERE rowid = 4",
        "UPDATE v SET embedding = zeroblob(64) WHERE rowid = 7",
    ):
        db.execute(sql)
        assert db.execute("PRAGMA integrity_check").get == "ok"
        silent(db)
    db.execute("COMMIT")
    silent(db)


def test_check_names_page_and_id(forest):
    db = forest().db
    db.execute("DELETE FROM v_vectors WHERE id = 301")
    rows = db.execute("SELECT fault, page, id FROM ann_check('v') WHERE id IS NOT NULL").fetchall()
    assert {row[2] for row in rows} == {301}
    assert all(row[0] == "entry has no vector" for row in rows)
    leaves = {row[0] for row in db.execute("SELECT page FROM ann_pages('v') WHERE kind = 'leaf'")}
    assert len(rows) == 2
    assert {row[1] for row in rows} <= leaves


def test_pragma_integrity_check_speaks_of_the_table_by_name(forest):
    db = forest().db
    db.execute("DELETE FROM v_vectors WHERE id = 301; ALTER TABLE v RENAME TO songs")
    assert db.execute("PRAGMA integrity_check").get == "ann table songs: entry has no vector"
    assert db.execute("PRAGMA integrity_check(songs)").get == "ann table songs: entry has no vector"


# --- scalar functions ----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["cosine", "angular", "l2", "l1", "dot", "euclidean", "manhattan", None])
def test_distance_is_that_of_a_search(forest, queries, metric):
    table = forest({"euclidean": "l2", "manhattan": "l1", None: "cosine"}.get(metric, metric))
    query = queries[0].tobytes()
    sql = "SELECT n.distance, ann_distance(v.embedding, ?1, ?2) FROM ann_search('v', ?1, 20) n JOIN v ON v.rowid = n.id"
    for told, computed in table.db.execute(sql, (query, metric)):
        assert told == computed
    if metric is None:
        first = table.db.execute("SELECT ann_distance(embedding, ?) FROM v LIMIT 1", (query,)).get
        assert first == table.db.execute("SELECT ann_distance(embedding, ?, 'cosine') FROM v LIMIT 1", (query,)).get


def test_distance_is_symmetric_and_takes_text_and_blobs(db):
    sql = "SELECT ann_distance('[3, 0]', ?, 'l2'), ann_distance(?, '[3, 0]', 'L2')"
    blob = np.float32([0, 4]).tobytes()
    assert db.execute(sql, (blob, blob)).get == (5.0, 5.0)
    assert db.execute("SELECT ann_distance('[1,2]', '[3,4]', 'dot')").get == -11.0
    assert db.execute(
        "SELECT ann_distance('[1,2]', '[3,-4]', 'l1'), ann_distance('[1,2]', '[3,-4]', 'Manhattan')"
    ).get == (8, 8)


def test_null_in_null_out(db):
    calls = (
        "ann_distance(NULL, '[1]'), ann_distance('[1]', NULL), ann_vector(NULL), ann_json(NULL), ann_vector(NULL, NULL)"
    )
    assert db.execute(f"SELECT {calls}").get == (None,) * 5


def test_cosine_of_huge_and_tiny_vectors(db):
    for scale in ("e30", "e-30", "e-44", "e0"):
        told = db.execute("SELECT ann_distance(?, '[0,1,0]')", (f"[1{scale},1{scale},0]",)).get
        assert told == pytest.approx(1 - np.sqrt(0.5), abs=1e-6)
    assert db.execute("SELECT ann_distance('[3e38,3e38]', '[-3e38,3e38]', 'l2')").get == pytest.approx(6e38)
    assert db.execute("SELECT ann_distance('[3e38,3e38]', '[3e38,3e38]', 'dot')").get == pytest.approx(-1.8e77)


def random_floats(rng, n):
    """Finite float32 of every exponent, subnormal ones too."""
    x = rng.integers(0, 2**32, n, dtype=np.uint32).view(np.float32)
    return x[np.isfinite(x)]


def test_floats_make_the_round_trip_through_json(db, rng):
    x = np.concatenate([random_floats(rng, 20_000), np.float32([0, 1e-45, 3.4028235e38, 1.17549435e-38, 0.1, 1 / 3])])
    text = db.execute("SELECT ann_json(?)", (x.tobytes(),)).get
    assert db.execute("SELECT ann_vector(?)", (text,)).get == x.tobytes()
    assert np.array(json.loads(text), np.float32).tobytes() == x.tobytes()


def test_a_negative_zero_keeps_its_sign_in_json(db):
    assert db.execute("SELECT ann_vector(ann_json(ann_vector('[-0.0]')))").get == np.float32([-0.0]).tobytes()


def test_json_numbers_are_rounded_once(db):
    # Between two floats; by way of double the tie would go the other way.
    tie = "1.00000017881393432617187499"
    assert db.execute("SELECT ann_vector(?)", (f"[{tie}]",)).get == np.float32([1.0000001]).tobytes()
    assert (
        db.execute("SELECT ann_vector('[ 1 ,\n-2.5e+3\t, 0.5E-1 , -0 ]')").get
        == np.float32([1, -2500, 0.05, -0.0]).tobytes()
    )


def test_json_is_written_as_people_would(db):
    assert db.execute("SELECT ann_json('[1, 0.1, -2.50, 1e20, 0.000001]')").get == "[1,0.1,-2.5,1e+20,1e-06]"


def test_version(db):
    assert db.execute("SELECT ann_version()").get == sqlite_ann.__version__


COMMA = """
import locale, os, apsw, sqlite_ann
locale.setlocale(locale.LC_ALL, {name!r})
assert locale.localeconv()["decimal_point"] == ","
db = sqlite_ann.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[2], metric=l2); INSERT INTO v VALUES ('[1.5,-0.25]')")
print(db.execute("SELECT ann_json(e) FROM v").get, db.execute("SELECT distance FROM ann_search('v', '[1.5,0.25]')").get)
"""


def test_a_locale_with_a_decimal_comma_changes_nothing():
    names = ["de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "pl_PL.UTF-8", "German"]
    before = locale.setlocale(locale.LC_ALL)
    for name in names:
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        break
    else:
        pytest.skip(f"none of the locales {', '.join(names)} is installed")
    locale.setlocale(locale.LC_ALL, before)
    shown = subprocess.run([sys.executable, "-c", COMMA.format(name=name)], capture_output=True, text=True, timeout=60)
    assert shown.stdout == "[1.5,-0.25] 0.5\n", shown.stderr


# --- ann_rows ------------------------------------------------------------------------------------


def test_rows_of_a_blob(db):
    x = np.arange(6, dtype="<f4")
    rows = db.execute("SELECT n, vector, id FROM ann_rows(?, 2)", (x.tobytes(),)).fetchall()
    assert rows == [(i, x[2 * i : 2 * i + 2].tobytes(), i) for i in range(3)]
    ids = np.array([7, -(2**63), 2**63 - 1], "<i8").tobytes()
    rows = db.execute("SELECT id, rowid FROM ann_rows(?, 2, 'float32', ?)", (x.tobytes(), ids)).fetchall()
    assert rows == [(7, 0), (-(2**63), 1), (2**63 - 1, 2)]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, 2, 'float32', ?)",
        "INSERT INTO v(embedding) SELECT vector FROM ann_rows(?, 2, 'float32', ?)",
        "INSERT OR IGNORE INTO v(rowid, embedding) SELECT id + 1000, vector FROM ann_rows(?, 2, 'float32', ?)",
        "SELECT ann_json(vector) FROM ann_rows(?, 2, 'float32', ?)",
        "SELECT vector FROM ann_rows(?, 2, 'float32', ?)",
    ],
)
def test_a_bad_vector_among_many_is_named_by_its_place_and_id(db, refused, sql):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2])")
    x, ids = np.ones((50, 2), "<f4"), np.arange(100, 150, dtype="<i8")
    x[37, 1] = np.inf
    message = "ann_rows, n = 37 of 50, id 137: expected finite components, got infinity at component 1"
    refused(db, sql, (x.tobytes(), ids.tobytes()), message)
    assert db.execute("SELECT count(*) FROM v").get == 0
    message = "ann_rows, n = 37 of 50, id 37: "
    refused(db, sql, (x.tobytes(), None), message)
    # what does not ask for the vectors has no use for their components
    assert db.execute("SELECT max(n), max(id) FROM ann_rows(?, 2)", (x.tobytes(),)).get == (49, 49)


def test_rows_of_nothing(db):
    for arguments in ("NULL, 3", "x'', 3", "NULL, 3, NULL, NULL"):
        assert db.execute(f"SELECT * FROM ann_rows({arguments})").fetchall() == []


# --- who may call what ---------------------------------------------------------------------------


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("view", "kind"),
    [
        ("SELECT id FROM ann_search('v', '[0,0]', 3)", "innocuous"),
        ("SELECT id FROM ann_search_item('v', 1, 3)", "innocuous"),
        ("SELECT ann_distance('[1]', '[2]'), ann_json(ann_vector('[1]')), ann_version()", "innocuous"),
        ("SELECT n FROM ann_rows(x'00000000', 1)", "innocuous"),
        ("SELECT rowid FROM v WHERE embedding MATCH '[0,0]'", "normal"),
        ("SELECT value FROM ann_info('v')", "direct only"),
        ("SELECT fault FROM ann_check('v')", "direct only"),
        ("SELECT tree FROM ann_trees('v')", "direct only"),
        ("SELECT page FROM ann_pages('v')", "direct only"),
        ("SELECT recall FROM ann_recall('v')", "direct only"),
        ("SELECT step FROM ann_explain('v', '[0,0]')", "direct only"),
    ],
)
def test_use_in_a_view(small, view, kind, trusted):
    small.db.execute(f"CREATE VIEW seen AS {view}")
    small.db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, trusted)
    small.db.execute(view).fetchall()
    if kind == "innocuous" or (kind == "normal" and trusted):
        small.db.execute("SELECT * FROM seen").fetchall()
    else:
        with pytest.raises(apsw.SQLError, match="unsafe use of virtual table"):
            small.db.execute("SELECT * FROM seen").fetchall()


def test_deterministic_functions_may_be_indexed_and_generated(db):
    db.execute("CREATE TABLE t(a, n AS (ann_distance(a, '[0,0]', 'l2')) STORED); CREATE INDEX i ON t(ann_json(a))")
    db.execute("INSERT INTO t(a) VALUES (ann_vector('[3,4]'))")
    assert db.execute("SELECT n FROM t WHERE ann_json(a) = '[3,4]'").get == 5.0
