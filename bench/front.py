"""Points of recall and speed: which of them count, and what lies between.

A point is (recall, queries a second). Nothing here is measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

Point = tuple[float, float]


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both, by rising recall and so by falling speed.

    >>> pareto([(0.9, 100), (0.8, 90), (0.99, 20), (0.9, 120)])
    [(0.9, 120), (0.99, 20)]
    """
    front: list[Point] = []
    for point in sorted(set(points), reverse=True):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front[::-1]


def speed_at(points: Sequence[Point], recall: float) -> float | None:
    """Queries a second at this recall: along the Pareto front, the logarithm of the speed linear in recall.

    Below the front it is that of its least careful point, which is faster still than needed; above, None.

    >>> speed_at([(0.8, 1000), (0.9, 10)], 0.85)
    100.0
    """
    front = pareto(points)
    if not front or recall > front[-1][0]:
        return None
    if recall <= front[0][0]:
        return front[0][1]
    at = next(i for i, (reached, _) in enumerate(front) if reached >= recall)
    (low, fast), (high, slow) = front[at - 1], front[at]
    share = (recall - low) / (high - low)
    return round(math.exp(math.log(fast) * (1 - share) + math.log(slow) * share), 6)


# ---- Of the results of `compare.py` ---------------------------------------------------------------

RECALLS = (0.9, 0.95, 0.99)  # that speeds are compared at


def by_peer(result: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The variants of each peer that were searched, in the order of the run."""
    peers: dict[str, list[dict[str, Any]]] = {}
    for built in result["builds"]:
        if any("recall" in point for point in built["points"]):
            peers.setdefault(built["peer"], []).append(built)
    return peers


def points(builds: Sequence[dict[str, Any]]) -> list[Point]:
    """Recall and the median round of every setting of these variants."""
    return [
        (point["recall"], statistics.median(point["rounds"]))
        for built in builds
        for point in built["points"]
        if "recall" in point
    ]


def chosen(builds: Sequence[dict[str, Any]], recall: float = 0.95) -> dict[str, Any]:
    """The variant to tell the size and the build time of: the fastest at this recall, else the most careful."""

    def merit(built: dict[str, Any]) -> tuple[float, float]:
        found = points([built])
        return (speed_at(found, recall) or 0.0, max(found)[0])

    return max(builds, key=merit)
