"""What was written to an ordinary table, byte by byte after the forest has taken it in."""

from __future__ import annotations

import numpy as np
import pytest

from tests import oracle
from tests.sql import songs


@pytest.fixture
def filled(db):
    return songs.made(db, 1200)


def placed(db):
    return [i for (i,) in db.execute("SELECT id FROM song_ann_places ORDER BY id")]


def ids(db):
    return [i for (i,) in db.execute("SELECT id FROM song WHERE embedding IS NOT NULL ORDER BY id")]


def test_after_optimize_the_forest_has_the_rows_of_the_table_and_no_note_is_left(filled, rng):
    songs.insert(filled, range(10_000, 10_300), songs.vectors(rng, 300))
    filled.execute("DELETE FROM song WHERE id < 300; UPDATE song SET embedding = NULL WHERE id BETWEEN 300 AND 400")
    filled.execute("UPDATE song SET embedding = ? WHERE id BETWEEN 400 AND 500", (songs.blob(np.ones(8)),))
    assert placed(filled) == list(range(1, 3600, 3))
    songs.run(filled, "optimize")
    assert placed(filled) == ids(filled)
    assert filled.execute("SELECT count(*) FROM song_ann_changes").get == 0
    assert oracle.check(filled, "song_ann") == []


def test_a_row_that_went_without_a_note_goes_when_the_numbers_differ(filled):
    filled.execute("REPLACE INTO song SELECT id + 1, title, embedding FROM song WHERE id < 600")
    assert songs.info(filled, "changes_waiting") == 200
    songs.run(filled, "warm")
    assert placed(filled) != ids(filled)
    songs.run(filled, "optimize")
    assert placed(filled) == ids(filled)
    assert oracle.check(filled, "song_ann") == []


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_few_changes_are_taken_in_one_by_one_and_many_by_a_new_forest(filled, rng, share):
    n = int(share * 1200)
    x = songs.vectors(rng, n)
    filled.executemany(
        "UPDATE song SET embedding = ? WHERE id = ?", [(songs.blob(v), 3 * i + 1) for i, v in enumerate(x)]
    )
    filled.execute("DELETE FROM song WHERE id = 3598")
    songs.run(filled, "optimize")
    assert songs.info(filled, "planted_rows") == (1200 if share < 1 else 1199)
    assert placed(filled) == ids(filled)
    assert oracle.check(filled, "song_ann") == []


def test_when_only_rows_without_vectors_are_left_there_is_no_forest(filled):
    filled.execute("UPDATE song SET embedding = x'00'")
    songs.run(filled, "optimize")
    assert placed(filled) == []
    assert songs.info(filled, "leaf_pages") == 0
    assert songs.info(filled, "rows") == 0  # all have something that is no vector: ann_check tells of each


def test_leaves_divide_and_dissolve_around_rows_that_are_gone(filled, rng):
    """Rows go without a note, and then others come to their leaves, or leave them."""
    filled.execute("REPLACE INTO song SELECT id + 1, title, NULL FROM song WHERE id % 2 = 0")
    x = songs.stored(filled)[1] + rng.integers(-1, 2, (400, 8))
    songs.insert(filled, range(20_000, 20_400), x)
    songs.run(filled, "warm")
    assert len(placed(filled)) > len(ids(filled))
    filled.execute("DELETE FROM song WHERE id % 6 = 1")
    songs.run(filled, "warm")
    songs.agrees(filled, songs.vectors(rng, 10))
    songs.run(filled, "optimize")
    assert placed(filled) == ids(filled)
    assert oracle.check(filled, "song_ann") == []
