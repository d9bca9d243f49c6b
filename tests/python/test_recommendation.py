"""Index.recommend: liked, disliked and heard ids, groups and diversity, against exact search in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from sqlite_ann import Index, recommendation

DIM = 8


def test_examples(run_examples):
    run_examples(recommendation)


@pytest.fixture
def x(rng):
    return rng.standard_normal((200, DIM)).astype(np.float32)


@pytest.fixture
def songs(db, x):
    """Ids 1 to 200, searched exactly."""
    songs = Index.create(db, "song_ann", DIM, metric="cosine")
    songs.add(np.arange(1, 201), x)
    return songs


def in_order(x, like, dislike, without):
    """All other ids, by the mean of the liked unit vectors less half of the mean of the disliked."""
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    query = units[np.array(like) - 1].mean(axis=0)
    if dislike:
        query = query - units[np.array(dislike) - 1].mean(axis=0) / 2
    ids = np.argsort(1 - units @ query, kind="stable") + 1
    return [int(id_) for id_ in ids if id_ not in {*like, *dislike, *without}]


def test_neither_what_was_named_nor_what_was_heard_comes_back(songs, x):
    ids, distances = songs.recommend([3, 5], 20, dislike={9}, heard=range(100, 150))
    assert ids.tolist() == in_order(x, [3, 5], [9], range(100, 150))[:20]
    assert distances.tolist() == sorted(distances.tolist())
    assert songs.recommend(3)[0].tolist() == in_order(x, [3], [], [])[:10]


def test_weights_are_parts_of_their_sum(songs):
    plain = songs.recommend([3, 5], dislike=[9, 11])[0].tolist()
    weighed = songs.recommend({3: 10, 5: 10}, dislike={9: 0.25, 11: np.float32(0.25)})[0].tolist()
    assert weighed == plain
    assert songs.recommend({3: 100, 5: 0.001})[0].tolist() != plain


def test_weights_may_be_as_large_and_as_small_as_numbers_are(songs):
    plain = songs.recommend([3, 5], dislike=[9, 11])[0].tolist()
    for weight in (1e308, 5e-324):
        assert songs.recommend({3: weight, 5: weight}, dislike={9: weight, 11: weight})[0].tolist() == plain
    assert songs.recommend({3: 1e308, 5: 5e-324})[0].tolist() == songs.recommend({3: 1, 5: 1e-300})[0].tolist()


def test_no_more_than_so_many_of_a_group(songs, x):
    expected = in_order(x, [3], [], [])
    book = {id_: f"book {id_ % 7}" for id_ in range(1, 201)}
    first = {}
    for id_ in expected:
        first.setdefault(book[id_], id_)
    found = songs.recommend(3, 50, per=(book, 1))[0].tolist()
    assert found == [id_ for id_ in expected if id_ in first.values()]
    blob = songs.db.execute("SELECT ann_groups(rowid, rowid % 7) FROM song_ann").get
    assert songs.recommend(3, 50, per=(blob, 1))[0].tolist() == found
    assert songs.recommend(3, 50, per=({np.int64(i): i % 7 for i in range(1, 201)}, 1))[0].tolist() == found


def test_diverse_rows_are_others(songs):
    near, diverse = songs.recommend(3, 10)[0], songs.recommend(3, 10, diversity=0.8)[0]
    assert near[0] == diverse[0]
    assert set(near.tolist()) != set(diverse.tolist())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"like": []}, ValueError, "like: expected at least one id, got none"),
        ({"like": ["a"]}, TypeError, "like: expected 64-bit whole numbers, got text"),
        ({"like": {3: 0}}, ValueError, "like: expected weights above 0, got 0.0 for 3"),
        ({"like": {3: -1}}, ValueError, "like: expected weights above 0, got -1.0 for 3"),
        ({"like": {3: float("inf")}}, ValueError, "like: expected weights above 0, got inf for 3"),
        ({"like": {3: float("nan")}}, ValueError, "like: expected a number, got nan"),
        ({"like": {3: 10**5000}}, ValueError, "like: expected a number of at most 1.7e308, got a larger one"),
        ({"like": {3: None}}, ValueError, "like: expected weights above 0, got None for 3"),
        ({"like": 3, "dislike": [3]}, ValueError, "dislike: expected other ids than those of like, got 3"),
        ({"like": 3, "per": {}}, TypeError, "per: expected a pair, (groups, rows of each), got {}"),
        ({"like": 3, "per": 5}, TypeError, "per: expected a pair, (groups, rows of each), got 5"),
        ({"like": 3, "per": ({1: "a"},)}, TypeError, "per: expected a pair, (groups, rows of each), got ({1: 'a'},)"),
        ({"like": 3, "per": ({1: "a"}, None)}, ValueError, "per: expected at least 1 row of each group, got None"),
        ({"like": 3, "per": ({1: "a"}, 0)}, ValueError, "per: expected at least 1 row of each group, got 0"),
        (
            {"like": 3, "per": ({1: float("inf")}, 2)},
            TypeError,
            "per: expected strings or numbers as keys, got inf for 1",
        ),
        ({"like": 3, "per": ([1], 2)}, TypeError, "per: expected a mapping from ids to keys"),
        ({"like": 3, "per": ({1: [2]}, 2)}, TypeError, "per: expected strings or numbers as keys, got [2] for 1"),
        ({"like": 3, "per": ({1: 2}, 1.5)}, ValueError, "per: expected a whole number, got 1.5"),
        ({"like": 3, "diversity": "x"}, TypeError, "diversity: expected a number, got 'x'"),
    ],
)
def test_what_is_refused(songs, arguments, error, message):
    with pytest.raises(error) as caught:
        songs.recommend(**arguments)
    assert message in str(caught.value)
