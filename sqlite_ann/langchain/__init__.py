"""LangChain's vector store and document index over a Collection: `pip install sqlite_ann[langchain]`.

store = SqliteAnnVectorStore(embeddings, "docs.db")         .as_retriever(), .add_documents(), .similarity_search(), …
SqliteAnnDocumentIndex(store=store)                         LangChain's indexing interface
"""

from .index import SqliteAnnDocumentIndex
from .store import SqliteAnnVectorStore

__all__ = ["SqliteAnnDocumentIndex", "SqliteAnnVectorStore"]
