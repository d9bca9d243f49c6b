"""What is liked and disliked, and in which group rows are, as `ann_search_items` takes it.

as_items(like, dislike)   JSON text       the mean of the one, less half of the mean of the other
as_per(per)               a pair          (groups, rows of each)
as_groups(groups)         JSON or a blob   keys by id, or what `ann_groups` made
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import inf
from typing import Any

from . import vectors as arrays

DISLIKED = 0.5  # of what is liked in all: so much counts all that is disliked


def as_items(like: Any, dislike: Any = None) -> str:
    """Ids alone count alike; weights, as a mapping gives them, are taken as parts of their sum.

    >>> as_items([7, 8], {9: 3.0})
    '{"7": 0.5, "8": 0.5, "9": -0.5}'
    """
    liked, disliked = _parts("like", like), _parts("dislike", [] if dislike is None else dislike)
    if not liked:
        raise ValueError("like: expected at least one id, got none")
    both = sorted(liked.keys() & disliked.keys())
    if both:
        raise ValueError(f"dislike: expected other ids than those of like, got {both[0]}")
    return json.dumps({**liked, **{id_: -DISLIKED * part for id_, part in disliked.items()}})


def _parts(name: str, given: Any) -> dict[int, float]:
    """The part that each id has in the sum of the weights."""
    if isinstance(given, Mapping):
        ids = arrays.as_ids(list(given), name).tolist()
        weights = [arrays.as_number(name, weight) for weight in given.values()]
    else:
        ids = list(dict.fromkeys(arrays.as_ids(given, name, in_order=False).tolist()))
        weights = [1.0] * len(ids)
    for id_, weight in zip(ids, weights, strict=True):
        if weight is None or not 0 < weight < inf:
            raise ValueError(f"{name}: expected weights above 0, got {weight} for {id_}")
    largest = max(weights, default=1.0)  # type: ignore[type-var]
    parts = [weight / largest for weight in weights]  # type: ignore[operator]  # whose sum is within range
    total = sum(parts)
    return {id_: part / total for id_, part in zip(ids, parts, strict=True)}


def as_per(per: Any) -> tuple[Any, int]:
    """The groups, and how many rows of each.

    >>> as_per(({7: "Aird"}, 2))
    ({7: 'Aird'}, 2)
    """
    if not isinstance(per, tuple | list) or len(per) != 2:
        raise TypeError(f"per: expected a pair, (groups, rows of each), got {per!r:.60}")
    groups, most = per
    most = arrays.as_count("per", most)
    if most is None or most < 1:
        raise ValueError(f"per: expected at least 1 row of each group, got {most}")
    return groups, most


def as_groups(groups: Any) -> str | bytes:
    """A mapping from ids to keys, strings or numbers; or a blob, or JSON text, as SQL takes it.

    >>> as_groups({7: "Aird", 8: 1903, 9: None})
    '{"7": "Aird", "8": 1903, "9": null}'
    """
    if isinstance(groups, str | bytes):
        return groups
    if not isinstance(groups, Mapping):
        raise TypeError(f"per: expected a mapping from ids to keys, or groups of SQL, got a {type(groups).__name__}")
    ids = arrays.as_ids(list(groups), "per").tolist()
    keys = [arrays.plain(key) for key in groups.values()]
    for id_, key in zip(ids, keys, strict=True):
        if key is not None and (not isinstance(key, str | int | float) or key in (inf, -inf) or key != key):
            raise TypeError(f"per: expected strings or numbers as keys, got {key!r} for {id_}")
    return json.dumps(dict(zip(ids, keys, strict=True)), allow_nan=False)
