"""Which queries a calibration is made of: drawn anew when the table has changed, the same for the same table."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import clustered


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_a_small_group_of_hard_rows_counts_as_much_as_it_is_large(table, metric):
    """One row in ten is noise among clusters: at recall .9 of all queries, not all of it may be lost."""
    rng = np.random.default_rng(3)
    rows, queries = np.split(clustered(4300, 5, 16), [4000])
    noise = rng.choice(4000, 400, replace=False)
    rows[noise] = 6 * rng.standard_normal((400, 16))
    table.create(d=16, metric=metric).load(rows)
    table.command("rebuild")
    queries[::10] = 6 * rng.standard_normal((30, 16))
    assert table.recall(queries, 10, 0.9) > 0.88
    assert table.recall(queries, 10, 0.99) > 0.975


def test_another_seed_measures_other_rows(table):
    grids = []
    for seed in (0, 0, 1):
        table.db.execute("DROP TABLE IF EXISTS v")
        table.create(seed=seed).load(clustered(1500, 3))
        grids.append(table.index.calibration)
    assert grids[0] == grids[1] != grids[2]
