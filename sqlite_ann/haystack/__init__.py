"""Haystack's document store and retrievers over a Collection: `pip install sqlite_ann[haystack]`.

SqliteAnnDocumentStore("docs.db")
SqliteAnnEmbeddingRetriever(store)      SqliteAnnKeywordRetriever(store)
"""

from .retrievers import SqliteAnnEmbeddingRetriever, SqliteAnnKeywordRetriever
from .store import SqliteAnnDocumentStore

__all__ = ["SqliteAnnDocumentStore", "SqliteAnnEmbeddingRetriever", "SqliteAnnKeywordRetriever"]
