"""Documents with keys, texts, metadata and vectors in one table: collection.py."""

from .collection import Collection
from .document import Document, score_of
from .filters import KEY, TEXT, Compare, Condition, Every, Not, Some, Where

__all__ = ["KEY", "TEXT", "Collection", "Compare", "Condition", "Document", "Every", "Not", "Some", "Where", "score_of"]
