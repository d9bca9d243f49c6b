"""The arguments of CREATE VIRTUAL TABLE."""

from __future__ import annotations

import apsw
import pytest


def test_defaults_are_those_of_the_manual(table):
    table.db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[3])")
    keys = ("metric", "trees", "seed", "leaf_capacity", "dimensions", "column")
    assert [table.info(key) for key in keys] == ["cosine", 2, 0, 256, 3, "e"]


@pytest.mark.parametrize(("given", "kept"), [(32, 32), (33, 64), (100, 128), (1024, 1024)])
def test_leaf_capacity_is_rounded_up_to_whole_blocks(table, given, kept):
    table.create(leaf_capacity=given)
    assert table.info("leaf_capacity") == kept
    assert table.index.options["leaf_capacity"] == str(kept)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("trees = 0", 'option trees: expected a whole number from 1 to 8, got "0"'),
        ("trees = 9", 'option trees: expected a whole number from 1 to 8, got "9"'),
        ("leaf_capacity = 31", 'option leaf_capacity: expected a whole number from 32 to 1024, got "31"'),
        ("leaf_capacity = 1025", 'option leaf_capacity: expected a whole number from 32 to 1024, got "1025"'),
        ("seed = -1", 'option seed: expected a whole number from 0 to 9223372036854775807, got "-1"'),
        ("seed = 9223372036854775808", "option seed: expected a whole number"),
        ("cache_mb = 1.5", "option cache_mb: expected a whole number"),
        ("threads = 65", 'option threads: expected a whole number from 0 to 64, got "65"'),
        ("metric = taxi", "option metric: expected cosine, angular, l2 (euclidean), l1 (manhattan) or dot"),
        ("fanout = 3", "expected one of the options metric, trees, seed, cache_mb, leaf_capacity, threads"),
        ("trees", 'expected an option such as "metric = cosine", got "trees"'),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_words(table, argument, message):
    with pytest.raises(apsw.SQLError) as caught:
        table.db.execute(f"CREATE VIRTUAL TABLE v USING ann(e float32[3], {argument})")
    assert message in str(caught.value)


@pytest.mark.parametrize("column", ['"a b"', "[a b]", "`a b`", "'a b'"])
def test_the_column_may_be_quoted_in_every_way_that_sqlite_knows(table, column):
    table.db.execute(f"CREATE VIRTUAL TABLE v USING ann( {column}  FLOAT32 [ 3 ] , METRIC='L2')")
    assert (table.info("column"), table.info("metric"), table.info("dimensions")) == ("a b", "l2", 3)


def test_options_are_stored_where_the_oracle_reads_them(table):
    table.create(d=5, metric="dot", trees=3, seed=77)
    options = table.index.options
    assert [options[key] for key in ("metric", "trees", "seed", "leaf_capacity")] == ["dot", "3", "77", "32"]
