"""A calibration under way, alone: what is known of it comes back as it was stored, or not at all."""

from __future__ import annotations

import pytest


@pytest.fixture
def owner(parts):
    parts.state.placed, parts.state.changes = 5000, 70
    lib = parts.lib
    return parts.made(
        "AnnProgresses", lib.ann_progresses_new, lib.ann_progresses_free, parts.handle, parts.state, parts.space()
    )


def begun(parts, owner, n=4):
    """With n queries that are rows, and truths of one neighbour each."""
    out = parts.ffi.new("AnnProgress **")
    assert parts.lib.ann_progresses_begin(owner, n, out) == 0
    sample = out[0].sample
    for i in range(n):
        sample.ids[i] = 10 + i
        parts.ffi.cast("float *", sample.queries)[3 * i] = i
    sample.n = sample.n_rows = n
    assert parts.lib.ann_sample_make_truths(parts.ffi.addressof(out[0], "sample")) == 0
    for i in range(sample.n_truths):
        assert parts.lib.ann_topk_push(parts.ffi.addressof(sample.truths[i], "exact"), 0.5, 100 + i) == 0
    return out[0]


def test_what_is_stored_comes_back(parts, owner):
    progress = begun(parts, owner)
    progress.stage = parts.lib.ANN_STAGE_MEASURE
    own = progress.sample.own
    own.n, own.inspected, own.second, own.better = 64, 900, 800, 7
    assert not parts.lib.ann_progresses_is_clean(owner)
    assert (parts.lib.ann_progresses_flush(owner), parts.lib.ann_progresses_is_clean(owner)) == (0, 1)
    parts.lib.ann_progresses_drop(owner)
    out = parts.ffi.new("AnnProgress **")
    assert parts.lib.ann_progresses_get(owner, out) == 0
    sample = out[0].sample
    assert (out[0].stage, out[0].rows, out[0].changes, sample.n) == (parts.lib.ANN_STAGE_MEASURE, 5000, 70, 4)
    assert [sample.ids[i] for i in range(4)] == [10, 11, 12, 13]
    assert (sample.own.n, sample.own.inspected, sample.own.second, sample.own.better) == (64, 900, 800, 7)
    assert [parts.ffi.cast("float *", sample.queries)[3 * i] for i in range(4)] == [0, 1, 2, 3]
    assert [sample.truths[i].exact.items[0].id for i in range(sample.n_truths)] == [100 + i for i in range(8)]


def test_it_is_given_up_in_memory_and_in_the_table(parts, owner):
    begun(parts, owner)
    parts.lib.ann_progresses_flush(owner)
    assert parts.rows("SELECT name FROM v_config ORDER BY id") == [("sampling",), ("sampled",)]
    assert parts.lib.ann_progresses_cancel(owner) == 0
    out = parts.ffi.new("AnnProgress **")
    assert (parts.lib.ann_progresses_get(owner, out), out[0]) == (0, parts.ffi.NULL)
    assert parts.rows("SELECT count(*) FROM v_config") == [(0,)]


@pytest.mark.parametrize("at", [0, 4, 8, 12, 16, 70, 120])
def test_bytes_that_make_no_sense_are_none(parts, owner, at):
    begun(parts, owner)
    parts.lib.ann_progresses_flush(owner)
    (blob,) = parts.db.execute("SELECT value FROM v_config WHERE name = 'sampling'").fetchone()
    parts.db.execute(
        "UPDATE v_config SET value = ? WHERE name = 'sampling'", (blob[:at] + b"\xff" + blob[at + 1 : -1],)
    )
    parts.lib.ann_progresses_drop(owner)
    out = parts.ffi.new("AnnProgress **")
    assert (parts.lib.ann_progresses_get(owner, out), out[0]) == (0, parts.ffi.NULL)
