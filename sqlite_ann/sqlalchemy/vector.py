"""A column of vectors, and sets of ids, as SQLite stores them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from ..elements import STORED, as_rows, buffer, dtype_of, finite, width
from ..vectors import FLOAT, as_array, as_count, as_ids


class Vector(TypeDecorator[Any]):
    """A vector of `dim` numbers, in a column of blobs, which an index reads with `content=`.

    What numpy makes a vector of is written; read is an array that cannot be written to. To change a vector, assign
    another: that of a loaded object is not watched. `type` is that of the components, as in the index. Without `dim`
    any length will do.

    >>> from sqlalchemy import create_engine, literal, select
    >>> with create_engine("sqlite://").connect() as db:
    ...     db.scalar(select(literal([1, 2.5], Vector(2))))
    array([1. , 2.5], dtype=float32)
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, dim: int | None = None, type: str = "float32") -> None:
        super().__init__()
        if type not in STORED:
            raise ValueError(f"type: expected one of {', '.join(STORED)}, got {type!r}")
        if dim is not None and (as_count("dim", dim) or 0) < 1:
            raise ValueError(f"dim: expected a whole number from 1, got {dim}")
        self.dim, self.type = dim, type

    def __repr__(self) -> str:  # as migrations write it
        return f"Vector({self.dim})" if self.type == "float32" else f"Vector({self.dim}, type={self.type!r})"

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, bytes):
            return self._checked(value)
        is_plain = self.type == "float32" and type(value) is np.ndarray and value.dtype == FLOAT
        if is_plain and value.shape == (self.dim or len(value),) and np.isfinite(value).all():
            return value.tobytes()  # the usual case, which is soon seen
        given = as_array("vector", value)
        if given.ndim != 1 or not len(given):
            raise ValueError(f"vector: expected one dimension, and a number in it, got shape {given.shape}")
        rows = buffer(self.type, as_rows(self.type, given, self.dim or len(given), "vector"))
        if not finite(self.type, rows).all():
            raise ValueError("vector: expected finite components, got infinity or NaN")
        return rows.tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else np.frombuffer(self._checked(value), dtype_of(self.type))

    def _checked(self, blob: bytes) -> bytes:
        if self.dim and len(blob) != (wanted := width(self.type, self.dim) * dtype_of(self.type).itemsize):
            raise ValueError(f"vector: expected a blob of {wanted} bytes ({self!r}), got {len(blob)} bytes")
        return blob

    def compare_values(self, x: Any, y: Any) -> bool:
        """Whether an assignment changes nothing; arrays have no one answer to ==."""
        return (x is None) == (y is None) and (x is None or np.array_equal(x, y))


class IdSet(TypeDecorator[Any]):
    """Ids as `only` and `exclude` take them: a list of them becomes a blob."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None or isinstance(value, bytes):
            return value
        return as_ids(value, in_order=False).tobytes()
