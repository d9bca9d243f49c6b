"""sql/arithmetic.c, sql/each_vtab.c: vectors made of vectors, in SQL."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann


@pytest.fixture
def db():
    return sqlite_ann.connect(":memory:")


def value(db, expression, *arguments):
    return db.execute(f"SELECT {expression}", arguments).get


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("ann_json(ann_normalize('[3,4]'))", "[0.6,0.8]"),
        ("ann_json(ann_normalize('[0,0]'))", "[0,0]"),
        ("ann_json(ann_normalize('[3e38,4e37]'))", None),
        ("ann_json(ann_normalize('[3,4]', 'float16'), 'float16')", "[0.6,0.8]"),
        ("ann_json(ann_add('[1,2]', '[0.5,-2]'))", "[1.5,0]"),
        ("ann_json(ann_sub('[1,2]', '[0.5,-2]'))", "[0.5,4]"),
        ("ann_json(ann_scale('[1,-2]', 2.5))", "[2.5,-5]"),
        ("ann_json(ann_slice('[1,2,3,4]', 1, 3))", "[2,3]"),
        ("ann_json(ann_slice(x'01020304', 0, 2, 'int8'), 'int8')", "[1,2]"),
        ("ann_json(ann_slice(x'f0', 3, 6, 'bit'), 'bit')", "[0,1,1,0,0,0,0,0]"),
        ("ann_json(ann_quantize('[0.5,-1,0.25]', 'int8'), 'int8')", "[64,-127,32]"),
        ("ann_json(ann_quantize('[0.5,-1,0.25]', 'int8', 10), 'int8')", "[5,-10,2]"),
        ("hex(ann_quantize('[0.5,-1,0.25]', 'bit'))", "05"),
        ("ann_length('[1,2,3]')", 3),
        ("ann_length(x'0102', 'bit')", 16),
        ("ann_length(x'0102', 'bfloat16')", 1),
    ],
)
def test_of_vectors_a_vector_is_made(db, expression, wanted):
    got = value(db, expression)
    assert got == wanted if wanted is not None else got.startswith("[0.99")


@pytest.mark.parametrize(
    "call",
    [
        "ann_normalize(NULL)",
        "ann_add(NULL, '[1]')",
        "ann_add('[1]', NULL)",
        "ann_sub(NULL, NULL)",
        "ann_scale(NULL, 1)",
        "ann_slice(NULL, 0, 1)",
        "ann_quantize(NULL, 'bit')",
        "ann_length(NULL)",
    ],
)
def test_null_gives_null(db, call):
    assert value(db, call) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("ann_normalize('[1]', 'int8')", "ann_normalize: expected a type that has fractions, got int8"),
        ("ann_normalize(5)", "ann_normalize: expected a blob of float32 or a JSON array, got an integer"),
        (
            "ann_normalize('[1]', 'f32')",
            'ann_normalize: expected type float32, float16, bfloat16, int8 or bit, got "f32"',
        ),
        ("ann_add('[1,2]', '[1]')", "ann_add: expected 2 numbers, got 1"),
        ("ann_sub('[1]', x'00')", "ann_sub: expected a blob of 4 bytes (1 float32), got 1 bytes"),
        ("ann_add('[3e38]', '[3e38]')", "ann_add: expected finite components, got infinity at component 0"),
        ("ann_scale('[1]', 'x')", "ann_scale: expected factor to be a finite number"),
        ("ann_scale('[1]', NULL)", "ann_scale: expected factor to be a finite number"),
        ("ann_scale('[1]', 9e999)", "ann_scale: expected factor to be a finite number"),
        ("ann_slice('[1,2]', 1, 3)", "ann_slice: expected 0 <= start < end <= 2, got start 1 and end 3"),
        ("ann_slice('[1,2]', 1, 1)", "ann_slice: expected 0 <= start < end <= 2, got start 1 and end 1"),
        ("ann_slice('[1,2]', -1, 1)", "ann_slice: expected 0 <= start < end <= 2, got start -1 and end 1"),
        ("ann_slice('[1,2]', NULL, 1)", "ann_slice: expected 0 <= start < end <= 2, got start NULL and end 1"),
        ("ann_quantize('[1e6]', 'float16')", "ann_quantize: expected finite components, got infinity at component 0"),
        ("ann_quantize('[1]', 'int8', 0)", "ann_quantize: expected scale to be a number above 0"),
        ("ann_quantize('[1]', 'bit', 2)", "ann_quantize: expected no scale for bit"),
        ("ann_length('{}')", "ann_length: expected a JSON array of numbers, got other text"),
        ("ann_length('[]')", "ann_length: expected at least one component, got none"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(db, call, message):
    with pytest.raises(apsw.SQLError) as error:
        value(db, call)
    assert str(error.value) == message


def blobs(db, x, weights=None):
    db.execute("CREATE TABLE t(v, w)")
    weights = [None] * len(x) if weights is None else weights
    db.executemany(
        "INSERT INTO t VALUES (?, ?)", [(row.tobytes(), w) for row, w in zip(x.astype("<f4"), weights, strict=True)]
    )


def test_a_mean_is_summed_in_double_in_the_order_of_the_rows(db, rng):
    x = rng.standard_normal((500, 7)).astype(np.float32)
    blobs(db, x)
    db.execute("INSERT INTO t VALUES (NULL, 1)")  # counts for nothing
    total = np.zeros(7)
    for row in x:
        total = total + row
    assert value(db, "(SELECT ann_mean(v) FROM t)") == (total / 500).astype("<f4").tobytes()
    assert value(db, "(SELECT ann_sum(v) FROM t)") == total.astype("<f4").tobytes()


def test_a_weight_says_how_often_a_vector_counts(db, rng):
    x, weights = rng.standard_normal((50, 3)), rng.uniform(0.1, 5, 50)
    blobs(db, x, weights.tolist())
    got = np.frombuffer(value(db, "(SELECT ann_mean(v, w) FROM t)"), "<f4")
    assert got == pytest.approx(np.average(x, axis=0, weights=weights), rel=1e-5, abs=1e-6)
    got = np.frombuffer(value(db, "(SELECT ann_sum(v, w) FROM t)"), "<f4")
    assert got == pytest.approx(weights @ x, rel=1e-4, abs=1e-5)


def test_each_group_has_a_mean_of_its_own_and_an_empty_one_has_none(db):
    rows = "(VALUES ('a', '[1,2]'), ('b', '[5]'), ('a', '[3,6]'), ('c', NULL))"
    sql = f"SELECT column1, ann_json(ann_mean(column2)) FROM {rows} GROUP BY column1 ORDER BY column1"
    assert db.execute(sql).fetchall() == [("a", "[2,4]"), ("b", "[5]"), ("c", None)]
    assert value(db, "(SELECT ann_mean(v) FROM (SELECT 1 AS v WHERE 0))") is None


@pytest.mark.parametrize("function", ["ann_mean", "ann_sum"])
def test_what_cannot_be_added_up_is_said_in_one_sentence(db, function):
    weight = f"{function}: expected weight to be a number above 0"
    for rows, message in [
        ("('[1]', 1), ('[1]', 0)", weight),
        ("('[1]', -1)", weight),
        ("('[1]', NULL)", weight),
        ("('[1]', 'x')", weight),
        ("('[1]', 9e999)", weight),
        ("('[1]', 1), ('[1,2]', 1)", f"{function}: expected 1 numbers, got 2"),
        ("(7, 1)", f"{function}: expected a blob of float32 or a JSON array, got an integer"),
    ]:
        with pytest.raises(apsw.SQLError) as error:
            db.execute(f"SELECT {function}(column1, column2) FROM (VALUES {rows})").fetchall()
        assert str(error.value) == message


def test_a_vector_taken_apart_is_its_components(db):
    each = "SELECT n, value FROM ann_each"
    assert db.execute(f"{each}('[1.5, -2]')").fetchall() == [(0, 1.5), (1, -2.0)]
    assert db.execute(f"{each}(x'05', 'bit') WHERE value = 1").fetchall() == [(0, 1.0), (2, 1.0)]
    assert db.execute(f"{each}(x'ff7f', 'int8')").fetchall() == [(0, -1.0), (1, 127.0)]
    assert db.execute(f"{each}(NULL)").fetchall() == []
    for arguments, message in [
        ("'[1', NULL", "ann_each: expected ] at the end of the JSON text"),
        ("x'00', 'double'", 'ann_each: expected type float32, float16, bfloat16, int8 or bit, got "double"'),
    ]:
        with pytest.raises(apsw.SQLError) as error:
            db.execute(f"{each}({arguments})").fetchall()
        assert str(error.value) == message


def test_the_song_between_two_is_near_to_both(db, rng):
    """As a recommender uses them: the mean of what was played, searched for."""
    x = rng.standard_normal((200, 8)).astype("<f4")
    db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[8])")
    db.executemany("INSERT INTO v(rowid, e) VALUES (?, ?)", [(i, row.tobytes()) for i, row in enumerate(x)])
    wanted = ((x[3].astype(np.float64) + x[7]) / 2).astype("<f4").tobytes()
    sql = "SELECT id, distance FROM ann_search('v', {}, 5)"
    asked = "(SELECT ann_mean(e) FROM v WHERE rowid IN (3, 7))"
    assert db.execute(sql.format(asked)).fetchall() == db.execute(sql.format("?"), (wanted,)).fetchall()
