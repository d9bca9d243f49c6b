"""What docs/FORMAT.md says is computed, in numpy, with no line of ours from C in it.

    Rotation(d, seed)             d components to L
    prepared(metric, rotation, vectors)     vectors as the forest sees them
    encode(metric, x, centre)     one bit a component, and what corrects it   -> Codes
    Lookup.of(query)              estimates of distances, from codes
    exact(metric, ids, vectors, query, k)   the true neighbours               -> ids, distances

Every number is rounded where and as the document says, so that results equal the extension's bit by bit; exact
search alone is in double. Section numbers (§) are those of FORMAT.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

F = np.float32
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
CENTRE = 32  # bytes of a centre before its q


# --- §2 sums -------------------------------------------------------------------------------


def lanes(terms: Floats) -> Floats:
    """Sixteen running sums over the last axis: term i is added to lane i mod 16, in order."""
    n = terms.shape[-1]
    padded = np.zeros((*terms.shape[:-1], -(-n // 16) * 16), F)
    padded[..., :n] = terms
    rows = padded.reshape(*terms.shape[:-1], -1, 16)
    out = np.zeros((*terms.shape[:-1], 16), F)
    with np.errstate(all="ignore"):
        for i in range(rows.shape[-2]):
            out = out + rows[..., i, :]
    return out


def folded(lane: Floats) -> Floats:
    """The lanes in halves: 8, 4, 2, 1."""
    with np.errstate(all="ignore"):
        for width in (8, 4, 2, 1):
            lane = lane[..., :width] + lane[..., width : 2 * width]
    return lane[..., 0]


def in_a_row(lane: Floats) -> Floats:
    """The lanes one after the other, from 0 to 15."""
    total = np.zeros(lane.shape[:-1], F)
    with np.errstate(all="ignore"):
        for j in range(16):
            total = total + lane[..., j]
    return total


def dot(a: Floats, b: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return folded(lanes(a * b))


def squares(a: Floats, b: Floats) -> Floats:
    with np.errstate(all="ignore"):
        difference = a - b
        return folded(lanes(difference * difference))


def magnitudes(a: Floats, b: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return folded(lanes(np.abs(a - b)))


# --- §7 the checksum -----------------------------------------------------------------------------


def checksum(data: bytes, skip: int = 32) -> int:
    """Of a page, or of anything whose length is a multiple of 32; `skip` is where it stands itself."""
    words = list(struct.unpack(f"<{len(data) // 8}Q", data))
    words[skip // 8] = 0
    lane = [1, 2, 3, 4]
    for i, word in enumerate(words):
        x = ((lane[i % 4] ^ word) * GOLDEN) & MASK
        lane[i % 4] = x ^ (x >> 29)
    total = len(data)
    for x in lane:
        total = ((total ^ x) * GOLDEN) & MASK
        total ^= total >> 32
    return total


# --- §8 the rotation -----------------------------------------------------------------------------


def splitmix(state: int) -> Iterator[int]:
    """SplitMix64 from a state."""
    while True:
        state = (state + GOLDEN) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def keyed(seed: int, tree: int, path: int) -> Iterator[int]:
    """The generator for one place: each key is mixed in by a round, one more is thrown away."""
    state = next(splitmix(seed)) ^ tree
    state = next(splitmix(state)) ^ path
    stream = splitmix(state)
    next(stream)
    return stream


def rotated_length(d: int) -> int:
    return max(-(-d // 32) * 32, 256)


class Rotation:
    """d components to L, by rows of an (n, d) array."""

    def __init__(self, d: int, seed: int) -> None:
        self.d, self.length = d, rotated_length(d)
        self.block = 1 << (self.length.bit_length() - 1)
        stream = keyed(seed, 0x726F74, 0)
        drawn = [1.0 if next(stream) >> 63 else -1.0 for _ in range(4 * self.length)]
        self.signs = np.array(drawn, F).reshape(4, self.length)

    def __call__(self, vectors: Floats) -> Floats:
        x = np.zeros((len(vectors), self.length), F)
        x[:, : self.d] = vectors
        scale, turn = F(1) / np.sqrt(F(self.block)), np.sqrt(F(0.5))
        with np.errstate(all="ignore"):
            for turn_number in range(4):
                x = x * self.signs[turn_number]
                start = self.length - self.block if turn_number % 2 else 0
                x[:, start : start + self.block] = self._hadamard(x[:, start : start + self.block]) * scale
                if self.block < self.length:
                    low, high = np.split(x, 2, axis=1)
                    x = np.concatenate([(low + high) * turn, (low - high) * turn], axis=1)
        return x

    @staticmethod
    def _hadamard(x: Floats) -> Floats:
        n = x.shape[1]
        width = n // 2
        while width:
            pairs = x.reshape(len(x), n // (2 * width), 2, width)
            x = np.empty_like(pairs)
            x[:, :, 0] = pairs[:, :, 0] + pairs[:, :, 1]
            x[:, :, 1] = pairs[:, :, 0] - pairs[:, :, 1]
            x = x.reshape(-1, n)
            width //= 2
        return x


def prepared(metric: str, rotation: Rotation, vectors: Floats) -> Floats:
    """§9: vectors as the forest sees them."""
    vectors = np.ascontiguousarray(vectors, F).reshape(-1, rotation.d)
    if metric == "hamming":
        return rotation(F(2) * vectors - F(1))
    if metric not in ("cosine", "angular", "jaccard"):
        return rotation(vectors)
    with np.errstate(all="ignore"):
        squared = dot(vectors, vectors)
        norms = np.sqrt(squared)
        for i in np.flatnonzero(~((squared > F(1e-30)) & (squared < F(1e30)))):
            terms = vectors[i].astype(np.float64) ** 2
            norms[i] = F(np.sqrt(np.add.accumulate(terms)[-1]))  # accumulate adds in order; sum does not
        x = rotation(vectors / norms[:, None])
    axis = np.zeros(rotation.length, F)
    axis[0] = 1
    x[norms == 0] = axis
    return x


# --- §10 centres, §11 codes, §12 estimates ---------------------------------------------------------


@dataclass(frozen=True)
class Centre:
    """A record of 32 + L bytes."""

    record: bytes

    @property
    def scale(self) -> np.float32:
        return np.frombuffer(self.record, "<f4", 1, 0)[0]

    @property
    def norm(self) -> np.float32:
        return np.frombuffer(self.record, "<f4", 1, 4)[0]

    @property
    def spread(self) -> np.float32:
        return np.frombuffer(self.record, "<f4", 1, 8)[0]

    @property
    def q(self) -> NDArray[np.int8]:
        return np.frombuffer(self.record, np.int8, offset=CENTRE)

    @property
    def point(self) -> Floats:
        return self.scale * self.q.astype(F)

    def base(self, metric: str, query: Floats) -> np.float32:
        """Squared distance of the query to the centre, or the negative product."""
        with np.errstate(all="ignore"):
            product = self.scale * dot(query, self.q.astype(F))
            if metric == "dot":
                return -product
            return (dot(query, query) + self.norm) - F(2) * product


def encode_centre(point: Floats, spread: float) -> Centre:
    """What the extension writes for a mean; a reader does not need it."""
    largest = F(np.max(np.abs(point)))
    scale = largest / F(127)
    steps = F(127) / largest if scale > 0 else F(0)
    if not np.isfinite(steps):
        scale = steps = F(0)
    value = point * steps
    q = np.trunc(np.where(value >= 0, value + F(0.5), value - F(0.5))).astype(np.int8)
    total = float((q.astype(np.int64) ** 2).sum())
    norm = F(total * (float(scale) * float(scale)))
    return Centre(struct.pack("<fff20x", scale, norm, spread) + q.tobytes())


@dataclass(frozen=True)
class Codes:
    """Codes of n entries: bits (n, L) of 0 and 1, shift (n,), slope (n,)."""

    bits: NDArray[np.uint8]
    shift: Floats
    slope: Floats

    def same(self, other: Codes) -> NDArray[np.bool_]:
        """Which entries are equal, bit by bit."""
        return (
            (self.bits == other.bits).all(axis=1)
            & (self.shift.view(np.uint32) == other.shift.view(np.uint32))
            & (self.slope.view(np.uint32) == other.slope.view(np.uint32))
        )


def encode(metric: str, x: Floats, centre: Floats) -> Codes:
    """Codes of the rows of x against one centre."""
    with np.errstate(all="ignore"):
        r = x - centre
        positive = r >= 0
        norm = squares(x, np.broadcast_to(centre, x.shape))
        taxi = in_a_row(lanes(np.where(positive, r, -r)))
        along = in_a_row(lanes(np.where(positive, centre, -centre).astype(F)))
        inner = in_a_row(lanes(r * centre))
        k = np.where(taxi > 0, norm / taxi, F(0)).astype(F)
        beyond = ~np.isfinite(k)
        k[beyond] = norm[beyond] = 0
        if metric == "dot":
            shift, slope = k * along - inner, -k
        else:
            shift, slope = norm + F(2) * k * along, F(-2) * k
        lost = ~np.isfinite(shift)
        shift[lost] = slope[lost] = 0
    return Codes(positive.astype(np.uint8), shift, slope)


@dataclass(frozen=True)
class Lookup:
    """One query: 16 bytes for every 4 components, and what they stand for."""

    table: NDArray[np.uint8]
    unit: np.float32
    minimum: np.float32

    @classmethod
    def of(cls, query: Floats) -> Lookup:
        fours = query.reshape(-1, 4)
        size = np.abs(fours)
        size = ((size[:, 0] + size[:, 1]) + size[:, 2]) + size[:, 3]
        largest = F(2) * size.max()
        minimum = F(0)
        for s in size:
            minimum = minimum - s
        sums = np.empty((len(fours), 16), F)
        sums[:, 0] = -(((fours[:, 0] + fours[:, 1]) + fours[:, 2]) + fours[:, 3])
        for t in range(4):
            sums[:, 1 << t : 2 << t] = sums[:, : 1 << t] + F(2) * fours[:, t : t + 1]
        steps = F(255) / largest if largest > 0 else F(0)
        value = (sums + size[:, None]) * steps + F(0.5)
        return cls(value.astype(np.uint8), largest / F(255), minimum)

    def estimate(self, codes: Codes, base: np.float32) -> Floats:
        nibbles = codes.bits.reshape(len(codes.bits), -1, 4) @ np.array([1, 2, 4, 8], np.uint8)
        sums = self.table[np.arange(len(self.table)), nibbles].astype(np.uint32).sum(axis=1)
        with np.errstate(all="ignore"):
            s = sums.astype(F) * self.unit + self.minimum
            return (base + codes.shift) + codes.slope * s


# --- exact search ------------------------------------------------------------------------------------


def distances(metric: str, vectors: NDArray[Any], query: NDArray[Any]) -> NDArray[np.float64]:
    """From every row to the query, in double."""
    v, q = np.asarray(vectors, np.float64), np.asarray(query, np.float64)
    if metric == "l2":
        return np.sqrt(((v - q) ** 2).sum(axis=1))
    if metric == "l1":
        return np.abs(v - q).sum(axis=1)
    if metric == "dot":
        return -(v @ q)
    if metric == "hamming":
        return (v != q).sum(axis=1).astype(np.float64)
    if metric == "jaccard":
        both, either = np.minimum(v, q).sum(axis=1), np.maximum(v, q).sum(axis=1)
        return 1 - np.divide(both, either, out=np.ones(len(v)), where=either > 0)
    norms = np.sqrt((v**2).sum(axis=1)) * np.sqrt((q**2).sum())
    cosines = np.divide(v @ q, norms, out=np.zeros(len(v)), where=norms > 0)
    far = 1 - np.clip(cosines, -1, 1)
    return np.sqrt(2 * far) if metric == "angular" else far


def exact(
    metric: str, ids: NDArray[np.int64], vectors: NDArray[Any], query: NDArray[Any], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest, ties by smaller id."""
    found = distances(metric, vectors, query)
    order = np.lexsort((ids, found))[:k]
    return ids[order], found[order]
