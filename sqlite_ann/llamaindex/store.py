"""A Collection as LlamaIndex's vector store, with the query modes default, text_search, hybrid and mmr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from ..collection import Collection, Document
from ..collection.awaited import awaited
from .filters import condition_of, wanted


class SqliteAnnVectorStore(BasePydanticVectorStore):
    """Nodes in the table `name` of the file `path`; whatever is written is on disk at once."""

    stores_text: bool = True
    path: str = ":memory:"
    name: str = "nodes"
    dim: int | None = None
    metric: str | None = None
    _collection: Collection = PrivateAttr()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._collection = Collection.open(self.path, self.name, self.dim, self.metric)

    @classmethod
    def class_name(cls) -> str:
        return "SqliteAnnVectorStore"

    @property
    def client(self) -> Collection:
        return self._collection

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Write nodes in the place of those with the same ids; all of them or none."""
        metas = [node_to_metadata_dict(node, remove_text=True) for node in nodes]
        texts = [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]
        ids = [node.node_id for node in nodes]
        self._collection.upsert(ids, texts, metas, [node.get_embedding() for node in nodes])
        return ids

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        return [as_node(found) for found in self._collection.get(node_ids, where=condition_of(filters))]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """All nodes of a document."""
        self._collection.delete(where={"ref_doc_id": ref_doc_id})

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        if node_ids is None and filters is None:
            raise ValueError("delete_nodes: expected node_ids or filters; clear() deletes all nodes")
        self._collection.delete(node_ids, where=condition_of(filters))

    def clear(self) -> None:
        self._collection.delete(where={})

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        mode, vector, words = getattr(query.mode, "value", query.mode), query.query_embedding, query.query_str
        search = {
            "default": lambda **limits: self._collection.search(vector, **limits),
            "text_search": lambda **limits: self._collection.search_text(words, **limits),
            "hybrid": lambda **limits: self._collection.hybrid(words, vector, **limits),
            "mmr": lambda **limits: self._collection.diverse(vector, **limits),
        }.get(mode)
        if search is None:
            raise ValueError(f"mode: expected default, text_search, hybrid or mmr, got {mode}")
        limits: dict[str, Any] = {"k": query.similarity_top_k, "where": wanted(query)}
        if mode == "hybrid" and query.hybrid_top_k is not None:
            limits["k"] = query.hybrid_top_k
        if mode == "mmr":
            limits["diversity"] = 1 - (0.5 if query.mmr_threshold is None else query.mmr_threshold)
        found = search(**limits)
        scores = [document.score or 0.0 for document in found]
        return VectorStoreQueryResult([as_node(one) for one in found], scores, [one.key for one in found])


for _name in ("add", "get_nodes", "delete", "delete_nodes", "clear", "query"):
    _awaited = "async_add" if _name == "add" else f"a{_name}"
    setattr(SqliteAnnVectorStore, _awaited, awaited(getattr(SqliteAnnVectorStore, _name)))


def as_node(found: Document) -> BaseNode:
    return metadata_dict_to_node(found.meta, found.text)
