"""The queries of a calibration, alone: how many, and whose neighbours stand for which rank."""

from __future__ import annotations


def test_a_sample_alone_has_a_query_for_some_rows_within_its_bounds(parts):
    space = parts.space(dimensions=8)
    sizes = [parts.lib.ann_sample_size(space, rows, 10, 400) for rows in (0, 1500, 3000, 10**9)]
    assert sizes == [100, 150, 300, 400]
    assert parts.lib.ann_sample_size(parts.space(dimensions=65536), 10**9, 10, 400) == 256  # 64 MiB of vectors


def test_neighbours_stand_for_ranks_near_and_far(parts):
    """1 ... 10, 20, ... 100 of the near ones; tenths of the thinned for the first queries; the row itself last."""
    lib, ffi = parts.lib, parts.ffi
    space, sample = parts.space(), ffi.new("AnnSample *")
    assert lib.ann_sample_init(sample, space, 60) == 0
    sample.n, sample.n_rows = 60, 50
    assert lib.ann_sample_make_truths(sample) == 0
    assert sample.n_truths == 60 + 48 + 10
    assert [lib.ann_sample_query(sample, i) for i in (0, 59, 60, 107, 108, 117)] == [0, 59, 0, 47, 50, 59]
    for i, n in ((0, 100), (60, 50), (59, 3), (117, 50)):
        for j in range(n):
            lib.ann_topk_push(ffi.addressof(sample.truths[i], "exact"), j, j)
    lib.ann_sample_sort(sample)

    def ranks(query):
        found = [lib.ann_sample_neighbour(sample, query, rank) for rank in range(30)]
        return [neighbour.id if neighbour != ffi.NULL else None for neighbour in found]

    assert ranks(0) == [*range(10), *range(19, 100, 10), *range(4, 50, 5), None]
    assert ranks(59) == [0, 1, 2, *[None] * 16, *range(4, 50, 5), None]
    assert ranks(49) == [None] * 30  # has no truth for large k
    lib.ann_sample_clear(sample)
