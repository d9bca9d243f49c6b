"""What Haystack's pipelines ask a document store by: vectors, and words."""

from __future__ import annotations

import asyncio
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from .filters import condition_of
from .store import SqliteAnnDocumentStore, as_document


class _Retriever:
    """What both have in common: a store, how many documents, and which."""

    def __init__(
        self, document_store: SqliteAnnDocumentStore, top_k: int = 10, filters: dict[str, Any] | None = None
    ) -> None:
        """`filters` holds for every run that is given none of its own."""
        if not isinstance(document_store, SqliteAnnDocumentStore):
            raise TypeError(f"document_store: expected a SqliteAnnDocumentStore, got {type(document_store).__name__}")
        self.document_store, self.top_k, self.filters = document_store, top_k, filters

    def to_dict(self) -> dict[str, Any]:
        store = self.document_store.to_dict()
        return default_to_dict(self, document_store=store, top_k=self.top_k, filters=self.filters)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Any:
        given = data["init_parameters"]
        given["document_store"] = SqliteAnnDocumentStore.from_dict(given["document_store"])
        return default_from_dict(cls, data)

    def _limits(self, filters: dict[str, Any] | None, top_k: int | None) -> dict[str, Any]:
        where = condition_of(self.filters if filters is None else filters)
        return {"k": self.top_k if top_k is None else top_k, "where": where}


@component
class SqliteAnnEmbeddingRetriever(_Retriever):
    """The documents nearest to a vector; their score is from 0 to 1."""

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        limits = self._limits(filters, top_k)
        found = self.document_store.collection.search(query_embedding, embeddings=True, **limits)
        return {"documents": [as_document(one) for one in found]}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return await asyncio.to_thread(self.run, query_embedding, filters, top_k)


@component
class SqliteAnnKeywordRetriever(_Retriever):
    """The documents in which most of the words are found; their score is FTS5's bm25."""

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        found = self.document_store.collection.search_text(query, embeddings=True, **self._limits(filters, top_k))
        return {"documents": [as_document(one) for one in found]}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return await asyncio.to_thread(self.run, query, filters, top_k)
