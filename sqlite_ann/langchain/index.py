"""LangChain's document index, which is a retriever too, over our vector store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.indexing.base import DeleteResponse, DocumentIndex, UpsertResponse


class SqliteAnnDocumentIndex(DocumentIndex):
    """LangChain's index of documents, which is a retriever too, over a store."""

    store: Any
    k: int = 4
    filter: Any = None

    def upsert(self, items: Sequence[Document], /, **_: Any) -> UpsertResponse:
        return {"succeeded": self.store.add_documents(list(items)), "failed": []}

    def delete(self, ids: list[str] | None = None, **_: Any) -> DeleteResponse:
        if ids is None:
            raise ValueError("ids: expected those of the documents that are to be deleted")
        there = [found.id for found in self.get(ids)]
        n = self.store.collection.delete(ids)
        return {"num_deleted": n, "num_failed": 0, "succeeded": there, "failed": []}

    def get(self, ids: Sequence[str], /, **_: Any) -> list[Document]:
        found: list[Document] = self.store.get_by_ids(ids)
        return found

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **_: Any
    ) -> list[Document]:
        found: list[Document] = self.store.similarity_search(query, self.k if k is None else k, filter=self.filter)
        return found
