"""A Collection as Haystack's document store.

Each method has one that is awaited, called …_async, which runs it in a thread.
"""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from ..collection import Collection
from ..collection import Document as Found
from ..collection.awaited import awaited
from ..errors import Duplicate
from .filters import condition_of, field_of

EXISTING = {"none": "refuse", "fail": "refuse", "skip": "skip", "overwrite": "replace"}


class SqliteAnnDocumentStore:
    """Documents in the table `name` of the file `path`.

    Of a document are kept its id, content, meta and embedding (as float32); one with a blob or a sparse embedding is refused.
    """

    def __init__(
        self, path: str = ":memory:", name: str = "documents", dim: int | None = None, metric: str | None = None
    ) -> None:
        self._made_of = {"path": path, "name": name, "dim": dim, "metric": metric}
        self.collection = Collection.open(path, name, dim, metric)

    def to_dict(self) -> dict[str, Any]:
        return default_to_dict(self, **self._made_of)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SqliteAnnDocumentStore:
        return default_from_dict(cls, data)

    def count_documents(self) -> int:
        return len(self.collection)

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        return [as_document(found) for found in self.collection.get(where=condition_of(filters), embeddings=True)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """All of them or none; without a policy, ids that are there are refused."""
        if not isinstance(documents, list) or not all(isinstance(d, Document) for d in documents):
            raise ValueError(f"documents: expected a list of Documents, got {brief(documents)}")
        for d in documents:
            if d.blob is not None or d.sparse_embedding is not None:
                raise ValueError(f"documents, {d.id!r}: expected none with a blob or a sparse embedding")
        columns = zip(*((d.id, d.content, d.meta, d.embedding) for d in documents), strict=True)
        keys, texts, metas, embeddings = map(list, columns) if documents else ([], [], [], [])
        try:
            return self.collection.add(keys, texts, metas, embeddings, existing=EXISTING[DuplicatePolicy(policy).value])
        except Duplicate as error:
            raise DuplicateDocumentError(str(error)) from error

    def delete_documents(self, document_ids: list[str]) -> None:
        self.collection.delete(document_ids)

    def delete_all_documents(self) -> None:
        self.collection.delete(where={})

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        return self.collection.delete(where=condition_of(filters))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        return self.collection.update_meta(meta, where=condition_of(filters))

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        return self.collection.count(condition_of(filters))

    def count_unique_metadata_by_filter(self, filters: dict[str, Any], metadata_fields: list[str]) -> dict[str, int]:
        where = condition_of(filters)
        return {name: len(self.collection.values(field_of(name), where)) for name in metadata_fields}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        return {name: {"type": types[0]} for name, types in self.collection.fields().items()}

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        values = self.collection.values(field_of(metadata_field)) or [None]
        return {"min": values[0], "max": values[-1]}

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        values = self.collection.values(field_of(metadata_field), condition_of(filters))
        if search_term is not None:
            values = [value for value in values if search_term.lower() in str(value).lower()]
        return values[from_ : from_ + size], len(values)


def as_document(found: Found) -> Document:
    embedding = None if found.embedding is None else found.embedding.tolist()
    return Document(id=found.key, content=found.text, meta=found.meta, embedding=embedding, score=found.score)


for _name, _method in list(vars(SqliteAnnDocumentStore).items()):
    if "documents" in _name or "metadata" in _name or "by_filter" in _name:
        setattr(SqliteAnnDocumentStore, f"{_name}_async", awaited(_method))
