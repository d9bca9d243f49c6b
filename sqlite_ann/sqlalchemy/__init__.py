"""Vectors and searches in SQLAlchemy: `pip install sqlite_ann[sqlalchemy]`.

listen(engine)                      every connection of the engine loads the extension
Vector(dim)                         a column of vectors: numpy arrays and lists go in, arrays come out
near(index, query, k)               the nearest rows, to join with: columns rank, id, distance
near_item(index, id, k)             the same of a stored row
include_name(connection)            for Alembic: leaves the indexes and their shadow tables alone
"""

try:
    import sqlalchemy  # noqa: F401
except ModuleNotFoundError:
    raise ImportError(
        "sqlite_ann.sqlalchemy needs the package sqlalchemy: pip install 'sqlite_ann[sqlalchemy]'"
    ) from None

from .engine import listen
from .migrations import include_name
from .search import near, near_item
from .vector import Vector

__all__ = ["Vector", "include_name", "listen", "near", "near_item"]
