"""Sets of ids as bytes, by docs/FORMAT.md alone: what core/bitmap.c reads and writes, written once more."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import groupby

import numpy as np

HEADER, CHUNK, LISTED, BITS = 20, 16, 512, 8192


def packed(ids: Iterable[int]) -> bytes:
    """The set of these ids."""
    every = sorted(set(ids))
    chunks = [(key, [id_ & 0xFFFF for id_ in part]) for key, part in groupby(every, lambda id_: (id_ + 2**63) >> 16)]
    bodies = [body(lows) for _, lows in chunks]
    at, head = HEADER + CHUNK * len(chunks), b""
    for (key, lows), part in zip(chunks, bodies, strict=True):
        head += struct.pack("<qII", key, at, len(lows))
        at += len(part)
    return b"ANNS" + struct.pack("<qq", len(every), len(chunks)) + head + b"".join(bodies)


def body(lows: list[int]) -> bytes:
    if len(lows) > LISTED:
        bits = np.zeros(8 * BITS, np.uint8)
        bits[lows] = 1
        return np.packbits(bits, bitorder="little").tobytes()
    return struct.pack(f"<{len(lows)}H", *lows) + bytes(-2 * len(lows) % 8)


def unpacked(blob: bytes) -> list[int]:
    """The ids of a set, ascending; ValueError when it is none."""
    try:
        magic, n, m = struct.unpack_from("<4sqq", blob)
        ids: list[int] = []
        for i in range(m):
            key, at, count = struct.unpack_from("<qII", blob, HEADER + CHUNK * i)
            if count > LISTED:
                bits = np.unpackbits(np.frombuffer(blob[at : at + BITS], np.uint8), bitorder="little")
                lows = np.flatnonzero(bits).tolist()
            else:
                lows = list(struct.unpack_from(f"<{count}H", blob, at))
            ids += [(key << 16 | low) - 2**63 for low in lows]
    except (struct.error, OverflowError, MemoryError):
        raise ValueError("no set of ids") from None
    if magic != b"ANNS" or n != len(ids) or any(not -(2**63) <= i < 2**63 for i in ids) or packed(ids) != blob:
        raise ValueError("no set of ids")
    return ids
