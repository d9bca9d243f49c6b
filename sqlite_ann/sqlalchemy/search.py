"""Searches as table-valued expressions, to select from and to join with.

A search has the columns rank, id and distance, and those by which it is told more: `near.c.only == [1, 2]`,
`near.c.exclude`, `near.c.max_distance`, `near.c.search_k`, `near.c.exclude_self`, … as docs/SQL.md has them. Rows come
in no order that SQL would promise: say `.order_by(near.c.rank)`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, LargeBinary, TableValuedAlias, bindparam, column, func
from sqlalchemy.orm import QueryableAttribute

from .vector import IdSet, Vector

VISIBLE = [column("rank", Integer), column("id", Integer), column("distance", Float)]
HIDDEN = [
    column("search_k", Integer),
    column("max_distance", Float),
    column("exclude", IdSet),
    column("only", IdSet),
    column("max_per", Integer),
    column("groups", LargeBinary),
    column("diversity", Float),
    column("after_distance", Float),
    column("after_id", Integer),
]


def near(index: str, query: Any, k: Any = 10, recall: float | None = None, *, name: str = "near") -> TableValuedAlias:
    """The k rows of the index that are nearest to a vector: an array, a list, or a column of another table.

    >>> from sqlalchemy import select
    >>> found = near("song_ann", [1, 2], k=3)
    >>> print(select(found.c.id).where(found.c.only == [4, 5]))
    SELECT near.id
    FROM ann_search(:ann_search_1, :param_1, :ann_search_2, NULL) AS near
    WHERE near."only" = :only_1
    """
    if not isinstance(query, ColumnElement | QueryableAttribute):
        query = bindparam(None, query, type_=Vector(), unique=True)
    return func.ann_search(index, query, k, recall).table_valued(*VISIBLE, *HIDDEN, name=name)


def near_item(index: str, id: Any, k: Any = 10, recall: float | None = None, *, name: str = "near") -> TableValuedAlias:
    """The rows nearest to one that is stored, which comes first unless `near.c.exclude_self == 1`."""
    search = func.ann_search_item(index, id, k, recall)
    return search.table_valued(*VISIBLE, *HIDDEN, column("exclude_self", Integer), name=name)
