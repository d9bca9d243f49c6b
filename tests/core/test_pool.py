"""core/pool.c: every item once, whoever does it; stops when it is told to."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

NOMEM, INTERRUPT = 7, 9


@contextmanager
def pool_of(core, threads):
    out = core.ffi.new("AnnPool **")
    assert core.lib.ann_pool_new(threads, out) == 0
    yield out[0]
    core.lib.ann_pool_free(out[0])


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize(("n", "chunk"), [(0, 1), (1, 1), (7, 3), (100, 1), (1000, 16), (5, 100)])
def test_every_item_is_done_once_in_chunks(core, threads, n, chunk):
    taken, workers = [], set()

    @core.ffi.callback("AnnPoolWork")
    def work(_, first, last, worker):
        taken.append((first, last))
        workers.add(worker)

    with pool_of(core, threads) as pool:
        assert core.lib.ann_pool_workers(pool) == threads
        for _ in range(3):
            taken.clear()
            assert core.lib.ann_pool_run(pool, n, chunk, work, core.ffi.NULL, core.ffi.NULL) == 0
            assert sorted(taken) == [(i, min(i + chunk, n)) for i in range(0, n, chunk)]
    assert workers <= set(range(threads))


def test_threads_work_at_the_same_time(core):
    both = threading.Barrier(2, timeout=20)

    @core.ffi.callback("AnnPoolWork")
    def work(_, first, last, worker):
        both.wait()

    with pool_of(core, 2) as pool:
        assert core.lib.ann_pool_run(pool, 2, 1, work, core.ffi.NULL, core.ffi.NULL) == 0
    assert not both.broken


def test_without_a_pool_the_caller_does_it(core):
    callers = []

    @core.ffi.callback("AnnPoolWork")
    def work(_, first, last, worker):
        callers.append((first, last, worker, threading.get_ident()))

    assert core.lib.ann_pool_workers(core.ffi.NULL) == 1
    assert core.lib.ann_pool_run(core.ffi.NULL, 5, 2, work, core.ffi.NULL, core.ffi.NULL) == 0
    me = threading.get_ident()
    assert callers == [(0, 2, 0, me), (2, 4, 0, me), (4, 5, 0, me)]


@pytest.mark.parametrize("threads", [1, 3])
def test_only_the_caller_polls_and_may_stop_the_rest(core, threads):
    polled, done = [], []

    @core.ffi.callback("int(void *)")
    def check(_):
        polled.append(threading.get_ident())
        return INTERRUPT

    @core.ffi.callback("AnnPoolWork")
    def work(_, first, last, worker):
        done.append(first)

    poll = core.ffi.new("AnnPoll *", {"check": check})
    with pool_of(core, threads) as pool:
        # A thread may have done all before the caller takes one, but not a hundred thousand.
        assert core.lib.ann_pool_run(pool, 100_000, 1, work, core.ffi.NULL, poll) == INTERRUPT
        assert len(done) < 100_000
        assert polled == [threading.get_ident()]
        # The pool is as good as new.
        done.clear()
        assert core.lib.ann_pool_run(pool, 10, 1, work, core.ffi.NULL, core.ffi.NULL) == 0
        assert sorted(done) == list(range(10))


def test_lost_memory_and_numbers_out_of_range(core):
    out = core.ffi.new("AnnPool **")
    core.fail_from(1)
    assert core.lib.ann_pool_new(2, out) == NOMEM
    assert out[0] == core.ffi.NULL
    core.fail_from(0)
    core.lib.ann_pool_free(core.ffi.NULL)
    for asked, made in ((0, 1), (-3, 1), (1000, core.lib.ANN_MAX_THREADS)):
        with pool_of(core, asked) as pool:
            assert core.lib.ann_pool_workers(pool) == made
    assert 1 <= core.lib.ann_pool_cores() <= core.lib.ANN_MAX_THREADS


def test_as_many_threads_as_are_wanted_or_as_there_are_cores_up_to_sixteen(core):
    cores = core.lib.ann_pool_cores()
    assert [core.lib.ann_pool_threads(wanted) for wanted in (0, 1, 3, 64)] == [min(cores, 16), 1, 3, 64]
