"""Documents with keys, texts, metadata and vectors in one ordinary table: what a search box or an assistant stands on.

    Collection.open("docs.db", "docs", dim=384)
    search  diverse  search_text  hybrid
    add  upsert  update_meta  delete  get  count  index_on  len()  in      (documents.py)

Every method writes all or nothing. What others write to the table with plain SQL, without the extension, is found like
all else. How conditions are written is told in filters.py, the tables in tables.py.
"""

from __future__ import annotations

import json
import re
from typing import Any

import apsw
import numpy as np

from .. import elements
from .. import vectors as arrays
from ..errors import translated
from ..keys import KeysLike, as_keys
from ..opened import Path
from .document import Document, score_of
from .documents import Embed, StoredDocuments
from .filters import ALL, Sql, Where, compiled

FUSED = 4  # of each of two lists, so many times k documents are put together
MOST = 2**63 - 1  # of SQL's numbers
FIRST_RANKS = 60  # Cormack, Clarke and Büttcher, "Reciprocal rank fusion", SIGIR 2009

NEAR = """
SELECT {columns}, near.distance FROM ann_search(?, ?, ?, ?) AS near CROSS JOIN {table} AS d ON d.id = near.id
 WHERE {limits} ORDER BY near.rank"""

WORDS = """
SELECT {columns}, NULL, -w.rank FROM {words} AS w CROSS JOIN {table} AS d ON d.id = w.rowid
 WHERE w.{hidden} MATCH ? AND {condition} ORDER BY w.rank, d.id LIMIT ?"""

HYBRID = """
WITH heard AS (SELECT w.rowid AS id, row_number() OVER (ORDER BY w.rank, w.rowid) AS rank
                 FROM {words} AS w CROSS JOIN {table} AS d ON d.id = w.rowid
                WHERE w.{hidden} MATCH ? AND {condition} ORDER BY w.rank, w.rowid LIMIT ?),
     near AS (SELECT id, rank FROM ann_search(?, ?, ?, ?) AS near WHERE {only}),
     fused AS (SELECT id, sum(1.0 / ({first} + rank)) AS score
                 FROM (SELECT id, rank FROM heard UNION ALL SELECT id, rank FROM near) GROUP BY id)
SELECT {columns}, NULL, fused.score FROM fused CROSS JOIN {table} AS d USING (id)
 ORDER BY fused.score DESC, d.id LIMIT ?"""


class Collection(StoredDocuments):
    """One table of documents, and an index over their vectors.

    >>> import sqlite_ann
    >>> songs = sqlite_ann.Collection.open(":memory:", "songs", metric="l2")
    >>> titles, kinds = ["Irish Washerwoman", "Danny Boy", "Money Musk"], ["jig", "air", "reel"]
    >>> songs.upsert(["a", "b", "c"], titles, [{"kind": kind} for kind in kinds], [[9, 1], [2, 7], [8, 1]])
    3
    >>> [(song.key, song.distance) for song in songs.search([8, 2], k=2)]
    [('c', 1.0), ('a', 1.4142135623730951)]
    >>> [song.text for song in songs.search([8, 2], k=2, where={"kind": {"!=": "reel"}})]
    ['Irish Washerwoman', 'Danny Boy']
    """

    @classmethod
    def open(
        cls,
        db: apsw.Connection | Path,
        name: str,
        dim: int | None = None,
        metric: str | None = None,
        type: str | None = None,
        *,
        embed: Embed | None = None,
    ) -> Collection:
        """The collection of that name in a database, or file; it is made where there is none.

        `dim`: components of a vector; None, for as many as the first one has. `metric`, `type`: as of `Index.create`; where the
        collection is there with others, an Error names both. `embed`: a function from n texts to vectors, shape (n, dim);
        with it, `add` needs only texts, and `search` takes a text for a query.
        """
        return cls(db, name, dim, metric, type, embed=embed)

    @translated()
    def search(
        self,
        query: arrays.VectorsLike | str,
        k: int = 10,
        *,
        where: Where = None,
        recall: float | None = None,
        exclude: KeysLike | None = None,
        max_distance: float | None = None,
        embeddings: bool = False,
    ) -> list[Document]:
        """The k nearest documents to a vector, or to a text by `embed`, nearest first; k come back whenever k fit.

        `where`: conditions on the metadata. `exclude`: none of these keys. `recall`, `max_distance`: as of `Index.search`.
        `embeddings`: with their vectors.
        """
        more = {"near.max_distance = ?": arrays.as_number("max_distance", max_distance)}
        return self._near(query, k, recall, where, exclude, more, embeddings)

    @translated()
    def diverse(
        self,
        query: arrays.VectorsLike | str,
        k: int = 10,
        *,
        diversity: float = 0.5,
        where: Where = None,
        recall: float | None = None,
        exclude: KeysLike | None = None,
        embeddings: bool = False,
    ) -> list[Document]:
        """k near documents that are not all alike, by maximal marginal relevance; `diversity` from 0 to 1."""
        more = {"near.diversity = ?": arrays.as_number("diversity", diversity)}
        return self._near(query, k, recall, where, exclude, more, embeddings)

    @translated()
    def search_text(self, words: str, k: int = 10, *, where: Where = None, embeddings: bool = False) -> list[Document]:
        """The k documents in whose texts most is to be found of these words, by FTS5's bm25, which is their score."""
        condition, values = compiled(where)
        sql = WORDS.format(**self._names(embeddings), condition=condition)
        asked, n = fts_query(words), as_k(k)
        with self._lock:
            self._require_words()
            self._find_index()  # it says what a vector is
            rows = self._rows(sql, asked, *values, n) if asked else []
        return self._documents(rows)

    @translated()
    def hybrid(
        self,
        words: str,
        query: arrays.VectorsLike | None = None,
        k: int = 10,
        *,
        where: Where = None,
        recall: float | None = None,
        embeddings: bool = False,
    ) -> list[Document]:
        """The k best by words and by vectors together: a document's score is the sum of 1 / (60 + its rank) in both lists.

        `query`: a vector; None, for that of the words, by `embed`.
        """
        wanted, asked = words if query is None else query, fts_query(words)
        if not asked:
            return self.search(wanted, k, where=where, recall=recall, embeddings=embeddings)
        condition, values = compiled(where)
        only, of_only = self._only(where)
        sql = HYBRID.format(**self._names(embeddings), condition=condition, only=only, first=FIRST_RANKS)
        n = as_k(k)
        of_each = min(FUSED * n, MOST)
        with self._lock:
            self._require_words()
            vector = self._query(wanted)
            if vector is None:
                return self.search_text(words, k, where=where, embeddings=embeddings)
            near = self._tables.index_name, vector, of_each, arrays.as_number("recall", recall)
            rows = self._rows(sql, asked, *values, of_each, *near, *of_only, n)
        return self._documents(rows)

    # --- What is asked for

    def _near(
        self,
        query: arrays.VectorsLike | str,
        k: int,
        recall: float | None,
        where: Where,
        exclude: KeysLike | None,
        more: dict[str, float | None],
        embeddings: bool,
    ) -> list[Document]:
        limits: dict[str, list[Any]] = {clause: [value] for clause, value in more.items() if value is not None}
        only, of_only = self._only(where)
        limits[only] = of_only
        if exclude is not None:
            some = f"SELECT ann_id_set(id) FROM {self._tables.table} WHERE key IN (SELECT value FROM json_each(?))"
            limits[f"near.exclude = ({some})"] = [json.dumps(as_keys(exclude, "exclude"))]
        sql = NEAR.format(**self._names(embeddings), limits=" AND ".join(limits))
        asked = arrays.as_count("k", k), arrays.as_number("recall", recall)
        bound = [value for values in limits.values() for value in values]
        with self._lock:
            vector = self._query(query)
            if vector is None or self.index is None:
                return []
            rows = self._rows(sql, self._tables.index_name, vector, *asked, *bound)
            metric, dim = self.index.metric, self.index.dim
        return self._documents([(*row, score_of(metric, row[-1], dim)) for row in rows])

    def _only(self, where: Where) -> Sql:
        """The condition that a search gets: the ids that fit, which are not gathered where all do."""
        condition, values = compiled(where)
        if condition == ALL:
            return ALL, []
        return f"near.only = (SELECT ann_id_set(d.id) FROM {self._tables.table} AS d WHERE {condition})", values

    def _query(self, query: arrays.VectorsLike | str) -> Any:
        """A vector as SQL takes it; None where no document has one."""
        whence, given = ("embed", self.embedded([query])[0]) if isinstance(query, str) else ("query", query)
        index = self._find_index()
        if index is None:
            return None
        # The usual cases are soon seen: an array of float32, and the list of floats that frameworks have.
        if type(given) is np.ndarray and given.dtype == arrays.FLOAT and given.shape == (index.dim,):
            return np.ascontiguousarray(given)
        if type(given) is list and len(given) == index.dim and set(map(type, given)) == {float}:
            with np.errstate(over="ignore"):  # too large becomes infinite, which the table refuses by name
                return np.array(given, arrays.FLOAT)
        rows = elements.queries(index.type, given, index.dim, whence)
        if len(rows) != 1:
            raise ValueError(f"{whence}: expected one vector, got {len(rows)}")
        return rows[0]

    def _names(self, embeddings: bool) -> dict[str, str]:
        """What the statements above are filled in with."""
        tables = self._tables
        return {
            "columns": self._columns(embeddings),
            "table": tables.table,
            "words": tables.words,
            "hidden": tables.hidden_words,
        }

    def _require_words(self) -> None:
        if not self._tables.have_words(self.db):
            raise ValueError(
                f"{self.name}: expected the words of its texts in the table {self._tables.bare}_fts, which is not there; "
                "it is made with the table of documents, by a SQLite that has FTS5"
            )


def as_k(k: int) -> int:
    """How many are wanted, as `ann_search` takes it."""
    n = arrays.as_count("k", k)
    if n is None or n < 1:
        raise ValueError(f"k: expected a whole number from 1, got {k}")
    return n


def fts_query(words: str) -> str:
    """Any of these words, as FTS5 asks for them; nothing in them is an operator.

    >>> fts_query("Soldier's AND joy?")
    '"Soldier" OR "s" OR "AND" OR "joy"'
    """
    if not isinstance(words, str):
        raise TypeError(f"words: expected text, got {type(words).__name__}")
    return " OR ".join(f'"{word}"' for word in re.findall(r"\w+", words))
