"""What docs/FORMAT.md §5 says of components, in numpy: the bytes of a vector of each type.

size(kind, d)             bytes of a vector
decode(kind, blob, d)     its components as floats
allowed(kind, blob, d)    whether it can be one
encode(kind, x)           the bytes of floats, or of bits
of_queries(kind)          the type that queries of such a table are stored in
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "bit": 1}
METRICS = dict.fromkeys(BITS, ("cosine", "angular", "l2", "l1", "dot")) | {"bit": ("hamming", "jaccard")}


def size(kind: str, d: int) -> int:
    return -(-BITS[kind] * d // 8)


def decode(kind: str, blob: bytes, d: int) -> NDArray[np.float32]:
    if kind == "bit":
        return np.unpackbits(np.frombuffer(blob, np.uint8), bitorder="little")[:d].astype(np.float32)
    if kind == "bfloat16":
        return (np.frombuffer(blob, "<u2").astype(np.uint32) << 16).view(np.float32)
    dtype = {"float32": "<f4", "float16": "<f2", "int8": "i1"}[kind]
    return np.frombuffer(blob, dtype).astype(np.float32)


def allowed(kind: str, blob: bytes, d: int) -> bool:
    if len(blob) != size(kind, d):
        return False
    if kind == "bit":
        return not np.unpackbits(np.frombuffer(blob, np.uint8), bitorder="little")[d:].any()
    return bool(np.isfinite(decode(kind, blob, d)).all())


def of_queries(kind: str) -> str:
    return "bit" if kind == "bit" else "float32"


def encode(kind: str, x: NDArray[np.float32]) -> bytes:
    return np.packbits(x > 0, bitorder="little").tobytes() if kind == "bit" else x.astype("<f4").tobytes()
