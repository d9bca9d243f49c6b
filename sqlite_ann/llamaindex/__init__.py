"""LlamaIndex's vector store over a Collection: `pip install sqlite_ann[llamaindex]`.

store = SqliteAnnVectorStore(path="docs.db")
VectorStoreIndex.from_documents(documents, StorageContext.from_defaults(vector_store=store))
"""

from .store import SqliteAnnVectorStore

__all__ = ["SqliteAnnVectorStore"]
