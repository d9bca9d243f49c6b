"""Groups of ids as bytes, by docs/FORMAT.md alone: what core/groups.c reads and writes, written once more."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Mapping


def packed(keys: Mapping[int, Hashable]) -> bytes:
    """The groups of ids with these keys."""
    ids = sorted(keys)
    numbers: dict[Hashable, int] = {}
    of = [numbers.setdefault(keys[id_], len(numbers)) for id_ in ids]
    return b"ANNG" + struct.pack(f"<qq{len(ids)}q{len(ids)}I", len(ids), len(numbers), *ids, *of)


def unpacked(blob: bytes) -> dict[int, int]:
    """The group of each id; ValueError when it is none."""
    try:
        magic, n, _ = struct.unpack_from("<4sqq", blob)
        ids = struct.unpack_from(f"<{n}q", blob, 20)
        of = struct.unpack_from(f"<{n}I", blob, 20 + 8 * n)
    except (struct.error, OverflowError, MemoryError):
        raise ValueError("no groups") from None
    keys = dict(zip(ids, of, strict=True))
    if magic != b"ANNG" or packed(keys) != blob:
        raise ValueError("no groups")
    return keys
