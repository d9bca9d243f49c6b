"""LangChain's vector store and document index over a Collection: `pip install sqlite_ann[langchain]`.

store = SqliteAnnVectorStore(embeddings, "docs.db")         .as_retriever(), .add_documents(), .similarity_search(), …
SqliteAnnDocumentIndex(store=store)                         LangChain's indexing interface
"""

try:
    import langchain_core  # noqa: F401
except ModuleNotFoundError:
    raise ImportError(
        "sqlite_ann.langchain needs the package langchain-core: pip install 'sqlite_ann[langchain]'"
    ) from None

from .index import SqliteAnnDocumentIndex
from .store import SqliteAnnVectorStore

__all__ = ["SqliteAnnDocumentIndex", "SqliteAnnVectorStore"]
