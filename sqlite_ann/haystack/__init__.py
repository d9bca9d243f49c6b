"""Haystack's document store and retrievers over a Collection: `pip install sqlite_ann[haystack]`.

SqliteAnnDocumentStore("docs.db")
SqliteAnnEmbeddingRetriever(store)      SqliteAnnKeywordRetriever(store)
"""

try:
    import haystack  # noqa: F401
except ModuleNotFoundError:
    raise ImportError("sqlite_ann.haystack needs the package haystack-ai: pip install 'sqlite_ann[haystack]'") from None

from .retrievers import SqliteAnnEmbeddingRetriever, SqliteAnnKeywordRetriever
from .store import SqliteAnnDocumentStore

__all__ = ["SqliteAnnDocumentStore", "SqliteAnnEmbeddingRetriever", "SqliteAnnKeywordRetriever"]
