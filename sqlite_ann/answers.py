"""What the methods of an Index give: answers of searches, measured recall, the steps of a search.

    Found     ids and distances; a pair, that unpacks as one
    Recall    how many of the true neighbours were found
    Step      one row of `Index.explain`, which gives a list of them

All show themselves as tables in a notebook. The libraries that make data frames are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from html import escape
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHOWN_ROWS = 20  # of a table in a notebook


class Found(NamedTuple):
    """The ids and the distances that a search found, nearest first, as two arrays.

    Of one query they have shape (n,), n being at most k. Of m queries they have shape (m, k), filled up with id -1 and
    distance inf, which the lists and tables leave out.

    >>> found = Found(np.array([8, 7]), np.array([1.0, 4.25]))
    >>> ids, distances = found
    >>> found.to_list()
    [(8, 1.0), (7, 4.25)]
    """

    ids: NDArray[Any]  # int64; object, where keys are text
    distances: NDArray[np.float64]

    def to_list(self) -> list[Any]:
        """(id, distance) of each; of many queries, one such list for each.

        >>> Found(np.array([[8], [-1]]), np.array([[1.0], [np.inf]])).to_list()
        [[(8, 1.0)], []]
        """
        if self.ids.ndim == 1:
            return list(zip(self.ids.tolist(), self.distances.tolist(), strict=True))
        rows = zip(self.ids, self.distances, self._there(), strict=True)
        return [Found(ids[there], distances[there]).to_list() for ids, distances, there in rows]

    def to_pandas(self) -> Any:
        """A pandas DataFrame of the columns id and distance; of many queries, their number comes first, as query."""
        return library("pandas").DataFrame(self.columns())

    def to_polars(self) -> Any:
        """The same as a polars DataFrame."""
        return library("polars").DataFrame(self.columns())

    def to_arrow(self) -> Any:
        """The same as a pyarrow Table."""
        return library("pyarrow").table(self.columns())

    def columns(self) -> dict[str, NDArray[Any]]:
        """What those tables are made of.

        >>> Found(np.array([[8, 7], [7, -1]]), np.array([[1.0, 2.0], [3.0, np.inf]])).columns()
        {'query': array([0, 0, 1]), 'id': array([8, 7, 7]), 'distance': array([1., 2., 3.])}
        """
        if self.ids.ndim == 1:
            return {"id": self.ids, "distance": self.distances}
        there = self._there()
        return {"query": np.nonzero(there)[0], "id": self.ids[there], "distance": self.distances[there]}

    def _there(self) -> NDArray[np.bool_]:
        return np.isfinite(self.distances)

    def _repr_html_(self) -> str:
        columns = self.columns()
        return table(list(columns), list(zip(*(column.tolist() for column in columns.values()), strict=True)))


@dataclass(frozen=True)
class Recall:
    """What `Index.recall` measured; without neighbours to find, sample is 0 and the shares are None."""

    k: int
    sample: int  # rows searched for
    recall: float | None  # the share of their exact neighbours that was found
    low: float | None  # a 95 % interval of it
    high: float | None

    def _repr_html_(self) -> str:
        return table([field.name for field in fields(self)], [astuple(self)])


@dataclass(frozen=True)
class Step:
    """One row of `Index.explain`; docs/SQL.md lists the steps."""

    step: str
    count: int | None
    bytes: int | None
    microseconds: float | None


class Steps(list[Step]):
    """A list of steps that shows itself as a table in a notebook."""

    def _repr_html_(self) -> str:
        return table([field.name for field in fields(Step)], [astuple(step) for step in self], len(self))


def table(names: Iterable[str], rows: Sequence[Sequence[Any]], most: int = SHOWN_ROWS) -> str:
    """An HTML table of the first rows; it says how many more there are.

    >>> table(["id"], [[8], ["<b>"]])
    '<table><tr><th>id</th></tr><tr><td>8</td></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """

    def line(tag: str, cells: Iterable[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(shown(cell))}</{tag}>" for cell in cells) + "</tr>"

    rest = f"<caption>and {len(rows) - most} more</caption>" if len(rows) > most else ""
    return f"<table>{rest}{line('th', names)}{''.join(line('td', row) for row in rows[:most])}</table>"


def shown(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def library(name: str) -> Any:
    """A library that is no part of what we need, or the sentence that says how to get it.

    >>> library("no_such_frames")
    Traceback (most recent call last):
    ImportError: this needs the package no_such_frames: pip install no_such_frames
    """
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ImportError(f"this needs the package {name}: pip install {name}") from None
