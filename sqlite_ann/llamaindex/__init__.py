"""LlamaIndex's vector store over a Collection: `pip install sqlite_ann[llamaindex]`.

store = SqliteAnnVectorStore(path="docs.db")
VectorStoreIndex.from_documents(documents, StorageContext.from_defaults(vector_store=store))
"""

try:
    import llama_index.core  # noqa: F401
except ModuleNotFoundError:
    raise ImportError(
        "sqlite_ann.llamaindex needs the package llama-index-core: pip install 'sqlite_ann[llamaindex]'"
    ) from None

from .store import SqliteAnnVectorStore

__all__ = ["SqliteAnnVectorStore"]
