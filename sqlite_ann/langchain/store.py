"""A Collection as LangChain's vector store; `filter=` takes the conditions of a Collection (collection/filters.py)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from .. import collection as documents
from ..collection import Where
from ..opened import Path
from ..vectors import kind_of
from .arguments import refuse_unknown


class SqliteAnnVectorStore(VectorStore):
    """Documents in the table `name` of a database; what is written is there for every program that opens it."""

    def __init__(
        self, embedding: Embeddings, db: Path | Any = ":memory:", name: str = "documents", **options: Any
    ) -> None:
        """`db`: a path, or a connection; `options`: as of Collection.open, `metric="l2"` for one."""
        if not hasattr(embedding, "embed_documents"):
            raise TypeError(f"embedding: expected one of LangChain's Embeddings, got {kind_of(embedding)}")
        self._embedding = embedding
        self.collection = documents.Collection.open(db, name, embed=embedding.embed_documents, **options)

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **options: Any,
    ) -> SqliteAnnVectorStore:
        store = cls(embedding, **options)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **_: Any,
    ) -> list[str]:
        """Write texts, in the place of those with the same ids; all of them or none."""
        given = list(texts)
        keys = [key or str(uuid.uuid4()) for key in ids or [None] * len(given)]
        self.collection.upsert(keys, given, metadatas)
        return keys

    def delete(self, ids: list[str] | None = None, *, filter: Where = None, **_: Any) -> bool:
        """Delete by id, or by a condition."""
        self.collection.delete(ids, where=filter)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [as_document(found) for found in self.collection.get(ids)]

    def similarity_search(self, query: str, k: int = 4, **more: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **more)]

    def similarity_search_with_score(self, query: str, k: int = 4, **more: Any) -> list[tuple[Document, float]]:
        """Documents with their distances, by the metric of the index: smaller is nearer."""
        return self._near(self._embedding.embed_query(query), k, **more)

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **more: Any) -> list[Document]:
        return [document for document, _ in self._near(embedding, k, **more)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **more: Any
    ) -> list[Document]:
        return self.max_marginal_relevance_search_by_vector(
            self._embedding.embed_query(query), k, fetch_k, lambda_mult, **more
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Where = None,
        recall: float | None = None,
        **more: Any,
    ) -> list[Document]:
        """k of the nearest 5 k that are not all alike; `fetch_k` is not asked."""
        refuse_unknown(more)
        found = self.collection.diverse(embedding, k, diversity=1 - lambda_mult, where=filter, recall=recall)
        return [as_document(one) for one in found]

    def _near(
        self, vector: list[float], k: int, *, filter: Where = None, recall: float | None = None, **more: Any
    ) -> list[tuple[Document, float]]:
        refuse_unknown(more)
        found = self.collection.search(vector, k, where=filter, recall=recall)
        return [(as_document(one), one.distance or 0.0) for one in found]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        index = self.collection.index
        return lambda distance: 0.0 if index is None else documents.score_of(index.metric, distance, index.dim)


def as_document(found: documents.Document) -> Document:
    return Document(page_content=found.text or "", metadata=found.meta, id=found.key)
