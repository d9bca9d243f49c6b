"""Every message: what it says, with which code, and that nothing was written."""

from __future__ import annotations

import re

import apsw
import numpy as np
import pytest


@pytest.fixture
def v(db):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2], metric=l2)")
    db.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1,0]'), (2, '[2,0]')")
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title); CREATE VIEW seen AS SELECT * FROM song")
    return db


def stored(db):
    """All that is stored."""
    names = [r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'v\\_%' ESCAPE '\\' ORDER BY 1")]
    return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def floats(*values):
    return np.array(values, "<f4").tobytes()


# --- vectors -------------------------------------------------------------------------------------

BAD_VECTORS = [
    (floats(1, 2, 3), "expected a blob of 8 bytes (2 float32), got 12 bytes"),
    (b"", "expected a blob of 8 bytes (2 float32), got 0 bytes"),
    (b"1234567", "expected a blob of 8 bytes (2 float32), got 7 bytes"),
    (floats(0, np.nan), "expected finite components, got NaN at component 1"),
    (floats(np.inf, 0), "expected finite components, got infinity at component 0"),
    (floats(0, -np.inf), "expected finite components, got -infinity at component 1"),
    (None, "expected a blob of 2 float32 or a JSON array, got NULL"),
    (7, "expected a blob of 2 float32 or a JSON array, got an integer"),
    (0.5, "expected a blob of 2 float32 or a JSON array, got a real number"),
    ("", "expected a JSON array of numbers, got other text"),
    ("1,2", "expected a JSON array of numbers, got other text"),
    ('{"a": 1}', "expected a JSON array of numbers, got other text"),
    ("[1]", "expected 2 numbers, got 1"),
    ("[]", "expected 2 numbers, got 0"),
    ("[1,2,3]", "expected 2 numbers, got 3"),
    ("[1,2", "expected ] at the end of the JSON text"),
    ("[1,2]]", "expected nothing after ] at character 5 of the JSON text"),
    ("[1 2]", "expected a comma or ] at character 4 of the JSON text"),
    ("[1,]", "expected a number at character 4 of the JSON text"),
    ("[,1]", "expected a number at character 2 of the JSON text"),
    ("[1,nan]", "expected a number at character 4 of the JSON text"),
    ("[1,null]", "expected a number at character 4 of the JSON text"),
    ('["1","2"]', "expected a number at character 2 of the JSON text"),
    ("[01,2]", "expected a number at character 2 of the JSON text"),
    ("[1.,2]", "expected a number at character 2 of the JSON text"),
    ("[.5,2]", "expected a number at character 2 of the JSON text"),
    ("[+1,2]", "expected a number at character 2 of the JSON text"),
    ("[1e,2]", "expected a number at character 2 of the JSON text"),
    ("[0x10,2]", "expected a comma or ] at character 3 of the JSON text"),
    ("[1e999,2]", "expected finite components, got infinity at component 0"),
    ("[1,-1e39]", "expected finite components, got -infinity at component 1"),
    ("[" + "1" * 200 + ",2]", "expected a number at character 2 of the JSON text"),
]
vectors = pytest.mark.parametrize(("value", "message"), BAD_VECTORS, ids=range(len(BAD_VECTORS)))


@vectors
def test_a_bad_vector_is_not_written(v, refused, value, message):
    before = stored(v)
    for sql in (
        "INSERT INTO v(rowid, embedding) VALUES (9, '[0,0]'), (10, ?)",
        "INSERT OR REPLACE INTO v(rowid, embedding) VALUES (1, ?)",
        "UPDATE v SET embedding = ? WHERE rowid = 2",
    ):
        error = refused(v, sql, (value,), f"ann table v, column embedding: {message}")
        assert error.extendedresult == apsw.SQLITE_ERROR
    assert stored(v) == before


@vectors
def test_a_bad_query_is_refused(v, refused, value, message):
    if value is not None:
        refused(v, "SELECT * FROM ann_search('v', ?)", (value,), f"ann_search, table v, column embedding: {message}")
        refused(v, "SELECT * FROM v WHERE embedding MATCH ?", (value,), f"MATCH, table v, column embedding: {message}")


@pytest.mark.parametrize("conflict", ["IGNORE", "FAIL"])
def test_a_bad_vector_is_no_conflict(v, refused, conflict):
    refused(v, f"INSERT OR {conflict} INTO v(embedding) VALUES ('[1,1]'), ('[1]')", (), "expected 2 numbers, got 1")


@pytest.mark.parametrize(
    ("rowid", "kind"), [("x", "text"), (1.5, "a real number"), (b"1", "a blob"), (1e300, "a real number")]
)
def test_a_bad_rowid(v, refused, rowid, kind):
    before = stored(v)
    insert = refused(v, "INSERT INTO v(rowid, embedding) VALUES (?, '[1,1]')", (rowid,), "datatype mismatch")
    message = f"ann table v: expected rowid to be an integer, got {kind}"
    update = refused(v, "UPDATE v SET rowid = ? WHERE rowid = 1", (rowid,), message)
    assert insert.extendedresult == update.extendedresult == apsw.SQLITE_MISMATCH
    assert stored(v) == before


def test_a_rowid_cannot_be_updated_to_null(v, refused):
    refused(v, "UPDATE v SET rowid = NULL WHERE rowid = 1", (), "expected rowid to be an integer, got NULL")


@pytest.mark.parametrize("column", ["distance", "rank", "k", "recall", "search_k", "max_distance", "exclude"])
def test_hidden_columns_cannot_be_written(v, refused, column):
    before = stored(v)
    message = f"ann table v: expected no value for the hidden column {column}, got an integer"
    refused(v, f"INSERT INTO v(embedding, {column}) VALUES ('[1,1]', 5)", (), message)
    refused(v, f"UPDATE v SET {column} = 5", (), message)
    assert stored(v) == before


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["", "OPTIMIZE", "vacuum", "optimize ", "cache_mb", "absorb", "threads=1", "warm=1", "warmer", 5]
)
def test_an_unknown_command(v, refused, command):
    refused(
        v,
        "INSERT INTO v(v) VALUES (?)",
        (command,),
        f'ann table v: expected a command optimize, rebuild, integrity-check, warm, learn, cache_mb=N, absorb=N or backend=NAME, got "{command}"',
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("absorb=101", 'expected a whole number from 0 to 100, got "absorb=101"'),
        ("absorb=", 'expected a whole number from 0 to 100, got "absorb="'),
        ("cache_mb=-1", 'expected a whole number from 0 to 1048576, got "cache_mb=-1"'),
        ("cache_mb=4x", 'expected a whole number from 0 to 1048576, got "cache_mb=4x"'),
    ],
)
def test_a_setting_out_of_bounds(v, refused, command, message):
    refused(v, "INSERT INTO v(v) VALUES (?)", (command,), f"ann table v: {message}")


@pytest.mark.parametrize("k", [0, -1, 1.5, "x"])
def test_a_slice_of_no_page(v, refused, k):
    message = f"ann table v: expected k to be a number of pages from 1, got {k}"
    refused(v, "INSERT INTO v(v, k) VALUES ('optimize', ?)", (k,), message)


# --- create --------------------------------------------------------------------------------------

BAD_TABLES = [
    ("", 'ann table t: expected a column such as "embedding float32[64]", got no argument'),
    ("embedding", 'ann table t: expected a column such as "embedding float32[64]", got "embedding"'),
    ("float32[64]", 'ann table t: expected a column such as "embedding float32[64]", got "float32[64]"'),
    ("e float32", 'ann table t: expected a column such as "embedding float32[64]", got "e float32"'),
    ("e double[3]", 'ann table t, column e: expected type float32, float16, bfloat16, int8 or bit, got "double"'),
    ("e float32[]", 'ann table t, column e: expected dimensions such as [64], got "[]"'),
    ("e float32[x]", 'ann table t, column e: expected dimensions such as [64], got "[x]"'),
    (
        "e float32[3] NOT NULL",
        'ann table t, column e: expected nothing after the dimensions but "distance_metric = l2", got "NOT NULL"',
    ),
    ("e float32[0]", "ann table t, column e: expected 1 to 65536 dimensions, got 0"),
    ("e float32[-3]", "ann table t, column e: expected 1 to 65536 dimensions, got -3"),
    ("e float32[65537]", "ann table t, column e: expected 1 to 65536 dimensions, got 65537"),
    ("e float32[99999999999999999999]", "ann table t, column e: expected 1 to 65536 dimensions"),
    ("e float32[3], metric", 'ann table t: expected an option such as "metric = cosine", got "metric"'),
    ("e float32[3], =5", 'ann table t: expected an option such as "metric = cosine", got "=5"'),
    ("e float32[3], f float32[3]", 'ann table t: expected an option such as "metric = cosine", got "f float32[3]"'),
    (
        "e float32[3], color=red",
        "ann table t: expected one of the options metric, trees, seed, cache_mb, leaf_capacity",
    ),
    (
        "e float32[3], metric=",
        'ann table t, option metric: expected cosine, angular, l2 (euclidean), l1 (manhattan) or dot for float32, got ""',
    ),
    ("e float32[3], metric=hamming", "ann table t, option metric: expected"),
    ("e float32[3], trees=0", 'ann table t, option trees: expected a whole number from 1 to 8, got "0"'),
    ("e float32[3], trees=9", 'ann table t, option trees: expected a whole number from 1 to 8, got "9"'),
    ("e float32[3], trees=two", 'ann table t, option trees: expected a whole number from 1 to 8, got "two"'),
    ("e float32[3], seed=-1", "ann table t, option seed: expected a whole number from 0 to 9223372036854775807"),
    ("e float32[3], seed=9223372036854775808", "ann table t, option seed: expected a whole number from 0 to"),
    ("e float32[3], cache_mb=x", 'ann table t, option cache_mb: expected a whole number from 0 to 1048576, got "x"'),
    ("e float32[3], leaf_capacity=31", "ann table t, option leaf_capacity: expected a whole number from 32 to 1024"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_TABLES)
def test_a_table_that_cannot_be_made_leaves_nothing(db, refused, arguments, message):
    refused(db, f"CREATE VIRTUAL TABLE t USING ann({arguments})", (), message)
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


@pytest.mark.parametrize("name", ["distance", "Rank", "k", "recall", "search_k", "max_distance", "exclude", "t", '"T"'])
def test_reserved_column_names(db, refused, name):
    message = f'ann table t: expected another column name than "{name.strip(chr(34))}", which names a hidden column'
    refused(db, f"CREATE VIRTUAL TABLE t USING ann({name} float32[3])", (), message)
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


@pytest.mark.parametrize("name", ["distance", "Rank", "k"])
def test_reserved_table_names(db, refused, name):
    message = f'ann table {name}: expected another table name than "{name}", which names a hidden column'
    refused(db, f"CREATE VIRTUAL TABLE {name} USING ann(e float32[3])", (), message)
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


def test_the_largest_and_the_smallest_vectors_work(db):
    db.execute(
        "CREATE VIRTUAL TABLE wide USING ann(e float32[65536]); CREATE VIRTUAL TABLE thin USING ann(e float32[1])"
    )
    db.execute("INSERT INTO wide VALUES (zeroblob(262144)); INSERT INTO thin VALUES ('[5]')")
    assert db.execute("SELECT id, distance FROM ann_search('wide', zeroblob(262144))").fetchall() == [(1, 1.0)]
    assert db.execute("SELECT id, distance FROM ann_search('thin', '[7]')").fetchall() == [(1, 0.0)]


# --- searches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("nothing", "expected the name of an ann table, but there is no table nothing"),
        ("main.nothing", "expected the name of an ann table, but there is no table main.nothing"),
        ("nowhere.v", "expected the name of an ann table, but there is no table nowhere.v"),
        ("", "expected the name of an ann table, but there is no table "),
        ("seen", "expected the name of an ann table, but there is no table seen"),
        ("song", "expected an ann table, but main.song is another kind of table"),
        ("v_vectors", "expected an ann table, but main.v_vectors is another kind of table"),
        ("sqlite_schema", "expected"),
        (None, "expected the name of an ann table, got NULL"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        "ann_search",
        "ann_search_item",
        "ann_search_items",
        "ann_info",
        "ann_check",
        "ann_trees",
        "ann_pages",
        "ann_recall",
        "ann_explain",
    ],
)
def test_a_table_that_is_not_ours(v, refused, function, table, message):
    arguments = "(?, 1)" if re.search("search|explain", function) else "(?)"
    refused(v, f"SELECT * FROM {function}{arguments}", (table,), f"{function}: {message}")


@pytest.mark.parametrize("k", [0, -1, 1.5, "abc", "", b"7", 1e19])
def test_a_bad_k(v, refused, k):
    for sql, who in (
        ("ann_search('v', '[0,0]', ?)", "ann_search"),
        ("v WHERE embedding MATCH '[0,0]' AND k = ?", "MATCH"),
    ):
        refused(v, f"SELECT * FROM {sql}", (k,), f"{who}: expected k to be a whole number from 1, got ")


@pytest.mark.parametrize("recall", [0, 1.5, -0.5, "x", b"1", 1.0000001])
def test_a_bad_recall(v, refused, recall):
    message = "expected recall to be above 0 and at most 1, got "
    refused(v, "SELECT * FROM ann_search('v', '[0,0]', 5, ?)", (recall,), f"ann_search: {message}")
    refused(v, "SELECT * FROM ann_search_item('v', 1, 5, ?)", (recall,), f"ann_search_item: {message}")


@pytest.mark.parametrize("k", [10**9, "2", 2.0, 2**63 - 1])
def test_a_good_k(v, k):
    assert len(v.execute("SELECT * FROM ann_search('v', '[0,0]', ?)", (k,)).fetchall()) == 2


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("search_k = 0", "expected search_k to be a whole number from 1, got 0"),
        ("search_k = 'x'", "expected search_k to be a whole number from 1, got x"),
        ("max_distance = 'x'", "expected max_distance to be a number, got text"),
        ("max_distance = x'00'", "expected max_distance to be a number, got a blob"),
        ("max_distance < 5", "expected max_distance = a value, got another comparison"),
        ("max_distance IN (1, 2)", "expected max_distance = a value, got another comparison"),
        ("recall >= 0.5", "expected recall = a value, got another comparison"),
        ("k BETWEEN 1 AND 5", "expected k = a value, got another comparison"),
        ("k <> 5", "expected k = a value, got another comparison"),
        ("exclude > 5", "expected exclude = ids or IN (...), got another comparison"),
        ("search_k = 5 AND search_k = 6", "expected one value for search_k, got two"),
        ("k = 5 AND k = 5", "expected one value for k, got two"),
        ("query = '[1,1]'", "expected one value for query, got two"),
    ],
)
def test_a_bad_argument(v, refused, where, message):
    refused(v, f"SELECT * FROM ann_search('v', '[0,0]') WHERE {where}", (), f"ann_search: {message}")


def test_an_argument_given_by_place_and_by_name(v, refused):
    refused(
        v, "SELECT * FROM ann_search('v', '[0,0]', 5) WHERE k = 6", (), "ann_search: expected one value for k, got two"
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM ann_search", "ann_search: expected arguments (table, query [, k [, recall]])"),
        ("SELECT * FROM ann_search('v')", "ann_search: expected arguments (table, query [, k [, recall]])"),
        ("SELECT * FROM ann_search WHERE query = '[0,0]'", "ann_search: expected arguments (table, query"),
        ("SELECT * FROM ann_search_item('v')", "ann_search_item: expected arguments (table, id [, k [, recall]])"),
        (f"SELECT * FROM ann_search('v', '[0,0]'{', 1' * 12})", "too many arguments on ann_search()"),
        (
            "SELECT * FROM ann_search_item('v', 1) WHERE item = 2",
            "ann_search_item: expected one value for item, got two",
        ),
        (
            "SELECT * FROM ann_search_item('v', 1) WHERE item > 2",
            "ann_search_item: expected item = a value, got another",
        ),
        ("SELECT * FROM ann_search_item('v', 'x')", "ann_search_item: expected the id of a row, got text"),
        ("SELECT * FROM ann_search_item('v', 1.5)", "ann_search_item: expected the id of a row, got a real number"),
        ("SELECT * FROM ann_info", "ann_info: expected one argument, the name of an ann table"),
        (
            "SELECT * FROM ann_recall",
            "ann_recall: expected arguments (table [, k [, sample [, wanted_recall [, queries]]]])",
        ),
        ("SELECT * FROM ann_explain('v')", "ann_explain: expected arguments (table, query [, k [, recall]])"),
        ("SELECT * FROM ann_explain WHERE query = '[0,0]'", "ann_explain: expected arguments (table, query"),
        ("SELECT * FROM ann_rows(x'')", "ann_rows: expected arguments (vectors, dimensions [, type [, ids]])"),
        ("SELECT * FROM ann_rows('x', 2)", "ann_rows: expected vectors to be a blob, got text"),
        ("SELECT * FROM ann_rows(x'', 0)", "ann_rows: expected dimensions from 1 to 65536, got 0"),
        ("SELECT * FROM ann_rows(x'', 65537)", "ann_rows: expected dimensions from 1 to 65536, got 65537"),
        (
            "SELECT * FROM ann_rows(x'', 2, 'int9')",
            'ann_rows: expected type float32, float16, bfloat16, int8 or bit, got "int9"',
        ),
        ("SELECT * FROM ann_rows(x'0011', 2)", "ann_rows: expected a multiple of 8 bytes (2 float32), got 2 bytes"),
        (
            "SELECT * FROM ann_rows(zeroblob(16), 2, 'float32', zeroblob(9))",
            "ann_rows: expected ids to be a blob of 2 int64 (16 bytes), got a blob of 9 bytes",
        ),
        ("INSERT INTO ann_search VALUES (1)", "may not be modified"),
        ("CREATE VIRTUAL TABLE t USING ann_search", "ann_search"),
    ],
)
def test_a_wrong_call(v, refused, sql, message):
    refused(v, sql, (), message)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("ann_vector(x'000000')", "ann_vector: expected a vector of at most 65536 float32, got 3 bytes"),
        ("ann_vector(zeroblob(262148))", "ann_vector: expected a vector of at most 65536 float32, got 262148 bytes"),
        ("ann_vector('[]')", "ann_vector: expected at least one component, got none"),
        ("ann_vector(x'')", "ann_vector: expected at least one component, got none"),
        ("ann_vector('[1,2')", "ann_vector: expected ] at the end of the JSON text"),
        (
            "ann_vector('[1]', 'double')",
            'ann_vector: expected type float32, float16, bfloat16, int8 or bit, got "double"',
        ),
        ("ann_vector(5)", "ann_vector: expected a blob of float32 or a JSON array, got an integer"),
        ("ann_json('x')", "ann_json: expected a JSON array of numbers, got other text"),
        ("ann_json('[1]', 'double')", 'ann_json: expected type float32, float16, bfloat16, int8 or bit, got "double"'),
        ("ann_distance('[1]', '[1,2]')", "ann_distance: expected 1 numbers, got 2"),
        ("ann_distance(x'00000000', '[1,2]')", "ann_distance: expected 1 numbers, got 2"),
        (
            "ann_distance('[1]', '[1]', 'taxi')",
            "ann_distance: expected metric cosine, angular, l2 (euclidean), l1 (manhattan), dot, hamming or jaccard, got",
        ),
    ],
)
def test_a_wrong_call_of_a_scalar_function(db, refused, call, message):
    refused(db, f"SELECT {call}", (), message)
