"""A second opinion: a reader of what docs/FORMAT.md says is stored, with no line of ours from C in it.

    read(database, table)     the whole index as Python values      -> Index
    check(database, table)    what does not fit, one sentence each  -> list[str]

A database is a path, which is opened by plain SQLite without the extension, or an open connection, whose
shadow tables are read like any other table. What is computed, and not stored, is in arithmetic.py. Section numbers (§)
are those of FORMAT.md.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from tests import components, ordinary
from tests.arithmetic import (
    CENTRE,
    GOLDEN,
    MASK,
    Centre,
    Codes,
    F,
    Floats,
    Rotation,
    checksum,
    encode,
    prepared,
    rotated_length,
)

Database = str | Path | apsw.Connection

HEADER, BLOCK, LEAF, DIRECTORY = 64, 32, 1, 2  # bytes of a header, entries of a block, kinds
NO_INTEGER = "is not a whole number"

SHADOWS = {
    "config": "id INTEGER PRIMARY KEY, name TEXT, value",
    "vectors": "id INTEGER PRIMARY KEY, vector BLOB",
    "pages": "id INTEGER PRIMARY KEY, data BLOB",
    "places": "id INTEGER PRIMARY KEY, pages BLOB",
    "waiting": "id INTEGER PRIMARY KEY, last INTEGER",
}
CONFIG = ("format", "state", "calibration", "options", "sampling", "sampled", "least", "learned", "made")
STATE = ("rows", "placed", "last_page", "leaf_pages", "directory_pages", "changes", "calibrated_rows", "planted_rows")
SUMS = ("pages_sum", "history")
EFFORT_KS = (1, 10, 100, 1000)
EFFORT_RECALLS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


class Damaged(Exception):
    """Bytes that FORMAT.md does not allow."""


# --- §6 pages --------------------------------------------------------------------------------------


@dataclass
class Page:
    """One page, taken apart."""

    number: int
    data: bytes
    kind: int
    tree: int
    level: int
    n: int
    capacity: int
    length: int
    parent: int
    centre: Centre
    ids: list[int]
    codes: Codes
    children: list[Centre] = field(default_factory=list)

    @property
    def is_leaf(self) -> bool:
        return self.kind == LEAF


def block_size(length: int, kind: int) -> int:
    return 512 + 4 * length + (BLOCK * (CENTRE + length) if kind == DIRECTORY else 0)


def page_size(length: int, kind: int, n: int) -> int:
    return HEADER + CENTRE + length + -(-n // BLOCK) * block_size(length, kind)


def sealed(data: bytes) -> bytes:
    """The page with its checksum made right."""
    return data[:32] + struct.pack("<Q", checksum(data)) + data[40:]


@lru_cache(maxsize=2048)
def parse_page(number: int, data: Any, length: int) -> Page:
    """All rules of §6 that can be told from the page alone. Whoever gets a page does not change it."""

    def need(condition: bool, what: str) -> None:
        if not condition:
            raise Damaged(f"page {number}: {what}")

    need(isinstance(data, bytes), "is not a blob")
    need(len(data) >= HEADER, f"has {len(data)} bytes, fewer than a header")
    magic, version, kind, tree, level, n, capacity, stored_length, parent, bits, fine = struct.unpack_from(
        "<4sBBBBIIIIBB", data
    )
    need(magic == b"ANNP", f"magic is {magic!r}")
    need(version == 2, f"version is {version}")
    need(kind in (LEAF, DIRECTORY), f"kind is {kind}")
    need(tree < 8, f"tree is {tree}")
    need((kind == LEAF) == (level == 0), f"kind is {kind} at level {level}")
    need(stored_length == length, f"L is {stored_length}, not {length}")
    need(capacity % BLOCK == 0 and BLOCK <= capacity <= 4096, f"capacity is {capacity}")
    need(n <= capacity, f"n is {n}, more than the capacity")
    need((bits, fine) == (1, 0), f"code bits are {bits} and {fine}")
    need(data[26:32] == bytes(6) and data[40:64] == bytes(24), "reserved bytes of the header are not zero")
    need(len(data) == page_size(length, kind, n), f"has {len(data)} bytes, not {page_size(length, kind, n)}")
    need(struct.unpack_from("<Q", data, 32)[0] == checksum(data), "checksum is wrong")

    centre = Centre(data[HEADER : HEADER + CENTRE + length])
    ids: list[int] = []
    children: list[Centre] = []
    bit_rows, shifts, slopes = [np.zeros((0, length), np.uint8)], [np.zeros(0, F)], [np.zeros(0, F)]
    for start in range(HEADER + CENTRE + length, len(data), block_size(length, kind)):
        block = data[start : start + block_size(length, kind)]
        used = min(BLOCK, n - len(ids))
        bits_here, records = _block_bits(block, length), block[512 + 4 * length :]
        ids += struct.unpack_from(f"<{used}q", block)
        shifts.append(np.frombuffer(block, "<f4", used, 256))
        slopes.append(np.frombuffer(block, "<f4", used, 384))
        bit_rows.append(bits_here[:used])
        if kind == DIRECTORY:
            size = CENTRE + length
            children += [Centre(records[i * size : (i + 1) * size]) for i in range(used)]
            need(not any(records[used * size :]), "centres of unused entries are not zero")
        unused = block[8 * used : 256] + block[256 + 4 * used : 384] + block[384 + 4 * used : 512]
        need(not any(unused) and not bits_here[used:].any(), "unused entries are not zero")
    need(all(c.record[12:32] == bytes(20) for c in [centre, *children]), "reserved bytes of a centre are not zero")
    need(all((c.q >= -127).all() for c in [centre, *children]), "a centre has a component of -128")
    for c in [centre, *children]:
        total = float((c.q.astype(np.int64) ** 2).sum()) * (float(c.scale) * float(c.scale))
        need(bool(np.isfinite(c.scale) and np.isfinite(c.spread) and c.spread >= 0), "scale or spread of a centre")
        with np.errstate(over="ignore"):
            need(F(total) == c.norm, f"norm of a centre is {c.norm}, not {F(total)}")
    codes = Codes(np.concatenate(bit_rows), np.concatenate(shifts), np.concatenate(slopes))
    need(bool(np.isfinite(codes.shift).all() and np.isfinite(codes.slope).all()), "shift or slope is not finite")
    need(bool((codes.slope <= 0).all()), "slope is above zero")
    return Page(number, data, kind, tree, level, n, capacity, length, parent, centre, ids, codes, children)


def _block_bits(block: bytes, length: int) -> NDArray[np.uint8]:
    """(32, L) of 0 and 1."""
    codes = np.frombuffer(block, np.uint8, 4 * length, 512).reshape(length // 4, 16)
    nibbles = np.concatenate([codes & 15, codes >> 4], axis=1).T
    return np.stack([nibbles >> t & 1 for t in range(4)], axis=2).reshape(BLOCK, length)


# --- §3-§5 the tables --------------------------------------------------------------------------------


@dataclass
class Index:
    """Everything that is stored for one ann table."""

    name: str
    options: dict[str, str]
    state: dict[str, int]
    roots: list[int]
    calibration: list[list[tuple[float, int, int]]] | None
    sampling: Sampling | None
    least: tuple[int, int]  # entries to estimate, estimates to rank
    learned: Learned | None
    made: bytes | None
    vectors: dict[int, Any]
    pages: dict[int, Any]
    places: dict[int, Any]
    waiting: list[tuple[int, Any]]
    noted: set[int]  # rows that an ordinary table has had written since the forest took them in

    @property
    def is_content(self) -> bool:
        """The vectors are a column of an ordinary table."""
        return "content" in self.options

    @property
    def kind(self) -> str:
        """The type of a component."""
        return self.options["type"]

    @property
    def metric(self) -> str:
        return self.options["metric"]

    @property
    def dimensions(self) -> int:
        return int(self.options["dimensions"])

    @property
    def trees(self) -> int:
        return int(self.options["trees"])

    @property
    def length(self) -> int:
        return int(self.options["length"])

    @property
    def rotation(self) -> Rotation:
        return Rotation(self.dimensions, int(self.options["seed"]))

    def page(self, number: int) -> Page:
        if number not in self.pages:
            raise Damaged(f"page {number} is missing")
        return parse_page(number, self.pages[number], self.length)

    def walk(self, tree: int) -> Iterator[Page]:
        """The pages of a tree, parents first."""
        waiting = [self.roots[tree]] if self.roots[tree] else []
        while waiting:
            page = self.page(waiting.pop())
            yield page
            if not page.is_leaf:
                waiting += reversed(page.ids)

    def leaves(self, tree: int) -> list[Page]:
        return [page for page in self.walk(tree) if page.is_leaf]

    def waits(self, id_: int) -> bool:
        return any(first <= id_ <= last for first, last in self.waiting)

    def vector(self, id_: int) -> Floats:
        return components.decode(self.kind, self.vectors[id_], self.dimensions)

    def array(self) -> tuple[NDArray[np.int64], Floats]:
        """All ids and their vectors."""
        ids = np.array(sorted(self.vectors), np.int64)
        rows = [self.vector(id_) for id_ in ids.tolist()]
        return ids, np.array(rows, F).reshape(-1, self.dimensions)


def opened(database: Database) -> apsw.Connection:
    if isinstance(database, apsw.Connection):
        return database
    return apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)


def tables(database: Database) -> list[str]:
    """Names of the ann tables."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%USING ann(%'"
    return [name for (name,) in opened(database).execute(sql)]


def parse_options(text: Any) -> dict[str, str]:
    """The column's name may hold any character, so the fields are read from the end."""
    if not isinstance(text, str):
        raise Damaged("config row options is not text")
    names = ["column", "type", "dimensions", "metric", "trees", "seed", "leaf_capacity", "length"]
    out: dict[str, str] = {}
    for name in ("content_rowid", "content"):
        if found := re.fullmatch(rf'(.*) {name}="((?:[^"]|"")+)"', text, re.DOTALL):
            text, out[name] = found[1], found[2].replace('""', '"')
    for name in reversed(names[1:]):
        text, found, value = text.rpartition(f" {name}=")
        if not found:
            raise Damaged(f"config row options has no {name}")
        out[name] = value
    if not text.startswith("column="):
        raise Damaged("config row options has no column")
    return {"column": text.removeprefix("column="), **dict(reversed(out.items()))}


def page_term(number: int, checksum_: int) -> int:
    """What a page adds to the state's pages_sum."""
    x = ((checksum_ ^ (number * GOLDEN & MASK)) * GOLDEN) & MASK
    return x ^ (x >> 32)


def pages_sum(pages: Mapping[int, bytes]) -> int:
    """Of stored pages by number; what is too short to have a checksum adds nothing."""
    long = {number: data for number, data in pages.items() if len(data) >= 40}
    return sum(page_term(number, struct.unpack_from("<Q", data, 32)[0]) for number, data in long.items()) & MASK


def parse_state(blob: Any) -> tuple[dict[str, int], list[int]]:
    if not isinstance(blob, bytes) or len(blob) != 128:
        raise Damaged("config row state is not a blob of 128 bytes")
    if any(blob[112:]):
        raise Damaged("config row state has reserved bytes that are not 0")
    counts = struct.unpack_from("<8q", blob) + struct.unpack_from("<2Q", blob, 96)
    return dict(zip(STATE + SUMS, counts, strict=True)), list(struct.unpack_from("<8I", blob, 64))


def parse_calibration(blob: Any) -> list[list[tuple[float, int, int]]]:
    """[k][recall] of (reach, inspect, keep)."""
    if not isinstance(blob, bytes) or len(blob) != 384:
        raise Damaged("config row calibration is not a blob of 384 bytes")
    cells = list(struct.iter_unpack("<fII", blob))
    return [cells[8 * i : 8 * i + 8] for i in range(4)]  # type: ignore[misc]


def parse_least(blob: Any) -> tuple[int, int]:
    """Row 7."""
    if not isinstance(blob, bytes) or len(blob) != 8:
        raise Damaged("config row least is not a blob of 8 bytes")
    return struct.unpack("<II", blob)  # type: ignore[return-value]


@dataclass
class Learned:
    """Row 8: queries that were given."""

    seen: int
    measured: bool
    vectors: Floats  # (n, d)


def parse_learned(blob: Any, dimensions: int, kind: str = "float32") -> Learned:
    """kind: the type that the queries are stored in."""
    if not isinstance(blob, bytes) or len(blob) < 32:
        raise Damaged("config row learned is not a blob of 32 bytes or more")
    seen, n, measured = struct.unpack_from("<qII", blob)
    size = components.size(kind, dimensions)
    if len(blob) != 32 + size * n or n > min(400, (64 << 20) // size) or seen < n:
        raise Damaged(f"config row learned has {len(blob)} bytes for {n} queries of {seen}")
    if any(blob[16:32]):
        raise Damaged("config row learned has reserved bytes that are not zero")
    vectors = _queries(kind, blob[32:], n, dimensions)
    if vectors is None:
        raise Damaged("config row learned has a query that is not allowed")
    return Learned(seen, measured == 1, vectors)


def _queries(kind: str, blob: bytes, n: int, dimensions: int) -> Floats | None:
    """n queries, one after the other; None where one of them is not allowed."""
    size = components.size(kind, dimensions)
    parts = [blob[i * size : (i + 1) * size] for i in range(n)]
    if len(blob) != n * size or not all(components.allowed(kind, part, dimensions) for part in parts):
        return None
    return np.array([components.decode(kind, part, dimensions) for part in parts], F).reshape(n, dimensions)


Neighbours = list[tuple[float, int]]  # distance and id, ascending
COST = np.dtype([("reach", "<f4", 3), ("inspected", "<u4"), ("as_good", "<u4")])


@dataclass
class Sampling:
    """Rows 5 and 6: a calibration in progress."""

    stage: int
    from_rows: int
    measured: int
    compared: int
    placed: int
    changes: int
    own: list[int]  # rows tried, most and second most inspected, most better estimates
    ids: list[int]  # of the queries
    vectors: Floats  # of the queries, (n, d)
    nearest: dict[int, Neighbours]  # by query
    far: dict[int, Neighbours]
    costs: NDArray[Any]  # (measured, 30) of COST


def parse_sampling(
    blob: Any, sampled: Any, dimensions: int, changes_now: int, kind: str = "float32"
) -> Sampling | None:
    """None also where the bytes are no calibration in progress, which is no damage."""
    if not isinstance(blob, bytes) or not isinstance(sampled, bytes) or len(blob) < 64:
        return None
    version, stage, n, rows, measured, compared, placed, changes, *own = struct.unpack_from("<5I4xqqq4I", blob)
    if version != 1 or stage not in (1, 2) or not 1 <= n <= 800 or rows > n or measured > n:
        return None
    if not 0 <= placed <= 1 << 48 or not 0 <= changes <= changes_now:
        return None
    try:
        ids, at = list(struct.unpack_from(f"<{n}q", blob, 64)), 64 + 8 * n
        nearest, at = _neighbours(blob, at, range(measured, n), 100)
        with_far = [*range(min(48, rows)), *range(rows, min(rows + 48, n))]
        far, at = _neighbours(blob, at, [query for query in with_far if query >= measured], 125)
        costs = np.frombuffer(blob, COST, 30 * measured, at).reshape(measured, 30)
    except (struct.error, ValueError):
        return None
    vectors = _queries(kind, sampled, n, dimensions)
    if len(blob) != at + costs.nbytes or not (costs["reach"] >= 0).all() or vectors is None:
        return None
    return Sampling(stage, rows, measured, compared, placed, changes, own, ids, vectors, nearest, far, costs)


def _neighbours(blob: bytes, at: int, queries: Iterable[int], most: int) -> tuple[dict[int, Neighbours], int]:
    """A list for each of the queries, and where they end."""
    out: dict[int, Neighbours] = {}
    for query in queries:
        (n,) = struct.unpack_from("<I", blob, at)
        if n > most:
            raise ValueError(f"{n} neighbours, more than {most}")
        found = struct.unpack_from("<" + n * "dq", blob, at + 4)
        out[query] = list(zip(found[::2], found[1::2], strict=True))
        at += 4 + 16 * n
    return out, at


def read(database: Database, table: str | None = None) -> Index:
    """Decode all tables; pages stay bytes until asked for. Raises Damaged where nothing can be said."""
    db = opened(database)
    name = table or tables(db)[0]

    def rows(suffix: str) -> list[Any]:
        try:
            return db.execute(f'SELECT * FROM "{name}_{suffix}" ORDER BY id').fetchall()
        except UnicodeDecodeError:
            raise Damaged(f"{name}_{suffix} has text that is no UTF-8") from None

    config = {id_: (key, value) for id_, key, value in rows("config")}
    for id_, key in enumerate(CONFIG, 1):
        if config.get(id_, (None,))[0] != key and (id_ in config or id_ in (1, 2, 4)):
            raise Damaged(f"config row {id_}, {key}, is missing")
    value = {key: config[id_][1] for id_, key in enumerate(CONFIG, 1) if id_ in config}
    if value["format"] != 2 or not isinstance(value["format"], int):
        raise Damaged(f"format is {value['format']!r}")
    (state, roots), options = parse_state(value["state"]), parse_options(value["options"])
    vectors, noted = ordinary.rows(db, name) if "content" in options else (dict(rows("vectors")), set())
    dimensions, queries = int(options["dimensions"]), components.of_queries(options["type"])
    return Index(
        name,
        options,
        state,
        roots,
        parse_calibration(value["calibration"]) if "calibration" in value else None,
        parse_sampling(value.get("sampling"), value.get("sampled"), dimensions, state["changes"], queries),
        parse_least(value["least"]) if "least" in value else (0, 0),
        parse_learned(value["learned"], dimensions, queries) if "learned" in value else None,
        value.get("made"),
        vectors,
        dict(rows("pages")),
        dict(rows("places")),
        rows("waiting"),
        noted,
    )


# --- §13 what must hold ------------------------------------------------------------------------------


def check(database: Database, table: str | None = None) -> list[str]:
    """Everything that does not fit, or nothing."""
    db = opened(database)
    try:
        index = read(db, table)
    except Damaged as damage:
        return [str(damage)]
    faults = [*_check_schema(db, index), *_check_config(index), *_check_vectors(index)]
    pages: dict[int, Page] = {}
    for number, data in index.pages.items():
        try:
            pages[number] = parse_page(number, data, index.length)
        except Damaged as damage:
            faults.append(str(damage))
    if len(pages) < len(index.pages) or faults:
        return faults  # the rest would only repeat it
    return [*_check_trees(index, pages), *_check_rows(index, pages), *_check_codes(index, pages)]


def _check_schema(db: apsw.Connection, index: Index) -> Iterator[str]:
    name = index.name
    for suffix, columns in (ordinary.SHADOWS if index.is_content else SHADOWS).items():
        sql = "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ?"
        found = db.execute(sql, (f"{name}_{suffix}",)).fetchall()
        if [kind for kind, _ in found] != ["table"] or not found[0][1].endswith(f"({columns})"):
            yield f"table {name}_{suffix} is {found}"


def _check_config(index: Index) -> Iterator[str]:
    options, state, roots = index.options, index.state, index.roots
    if options["metric"] not in components.METRICS.get(options["type"], ()):
        yield f"options: {options}"
    if int(options["length"]) != rotated_length(index.dimensions):
        yield f"options: length is {options['length']} for {index.dimensions} dimensions"
    if state["pages_sum"] != pages_sum(index.pages):
        yield f"state: pages_sum is not that of the pages, {pages_sum(index.pages)}"
    if any(value < 0 for value in state.values()):
        yield f"state: a count is negative in {state}"
    if state["rows"] != len(index.vectors) and not index.is_content:
        yield f"state: {state['rows']} rows, but {len(index.vectors)} vectors"
    if state["placed"] != len(index.places):
        yield f"state: {state['placed']} rows placed, but {len(index.places)} places"
    planted = roots[0] != 0
    if [root != 0 for root in roots] != [planted and tree < index.trees for tree in range(8)]:
        yield f"state: roots are {roots} with {index.trees} trees"
    if state["placed"] and not planted:
        yield "state: rows are placed, but there is no forest"
    if state["last_page"] > 0xFFFFFFFF or any(not 1 <= number <= state["last_page"] for number in index.pages):
        yield f"state: pages beyond the last, {state['last_page']}"


def _check_vectors(index: Index) -> Iterator[str]:
    for id_, blob in index.vectors.items():
        size = components.size(index.kind, index.dimensions)
        if not isinstance(blob, bytes) or len(blob) != size:
            yield f"vector {id_} is not a blob of {size} bytes"
        elif not components.allowed(index.kind, blob, index.dimensions):
            yield f"vector {id_} is not allowed"


def _check_trees(index: Index, pages: dict[int, Page]) -> Iterator[str]:
    reached: set[int] = set()
    for tree in range(index.trees if index.roots[0] else 0):
        todo = [(index.roots[tree], 0, None)]
        while todo:
            number, parent, level = todo.pop()
            page = pages.get(number)
            if page is None or number in reached:
                yield f"page {number}, named by page {parent}, is missing or named twice"
                continue
            reached.add(number)
            if (page.tree, page.parent) != (tree, parent):
                yield f"page {number} says tree {page.tree}, parent {page.parent}, not {tree} and {parent}"
            if (level is not None and page.level != level) or (level is None and page.is_leaf):
                yield f"page {number} is of level {page.level} under page {parent}"
            if page.is_leaf:
                continue
            if page.n == 0:
                yield f"directory {number} is empty"
            for child, record in zip(page.ids, page.children, strict=True):
                todo.append((child, number, page.level - 1))
                if child in pages and pages[child].centre != record:
                    yield f"page {child} has another centre than its entry in page {number}"
    if reached != set(pages):
        yield f"pages that no root leads to: {sorted(set(pages) - reached)}"
    leaves = sum(page.is_leaf for page in pages.values())
    if (leaves, len(pages) - leaves) != (index.state["leaf_pages"], index.state["directory_pages"]):
        yield f"state: {index.state} with {leaves} leaves and {len(pages) - leaves} directories"


def _check_rows(index: Index, pages: dict[int, Page]) -> Iterator[str]:
    places: dict[int, tuple[int, ...]] = {}
    for id_, blob in index.places.items():
        if not isinstance(blob, bytes) or len(blob) != 4 * index.trees:
            yield f"place of {id_} is not a blob of {4 * index.trees} bytes"
            return
        places[id_] = struct.unpack(f"<{index.trees}I", blob)
    entries = sorted((id_, page.number) for page in pages.values() if page.is_leaf for id_ in page.ids)
    wanted = sorted((id_, number) for id_, numbers in places.items() for number in numbers)
    if len(set(entries)) < len(entries) or len(set(wanted)) < len(wanted):
        yield "an id is twice in one leaf"
    elif entries != wanted:
        yield f"entries and places differ at (id, page) {sorted(set(entries) ^ set(wanted))[:5]}"
    end = None
    for first, last in index.waiting:
        if not isinstance(last, int) or last < first:
            yield f"waiting run {first} to {last!r} {NO_INTEGER if not isinstance(last, int) else 'is empty'}"
            return
        if end is not None and first <= end:
            yield f"waiting run {first} to {last} overlaps the one before"
        end = max(last, end if end is not None else last)
    for id_ in index.vectors.keys() - index.noted:
        if (id_ in places) == index.waits(id_):
            yield f"row {id_} is {'in the forest and waits' if id_ in places else 'neither in the forest nor waiting'}"
    for id_ in set() if index.is_content else places.keys() - index.vectors.keys():
        yield f"row {id_} is in the forest, but has no vector"


def _check_codes(index: Index, pages: dict[int, Page]) -> Iterator[str]:
    directories = [page for page in pages.values() if page.children]
    yield from _compare_codes(index, [(it, np.array([child.point for child in it.children])) for it in directories])
    if not index.places or index.noted or not index.places.keys() <= index.vectors.keys():
        return
    ids, vectors = index.array()
    x = prepared(index.metric, index.rotation, vectors)
    of_rows = []
    for page in pages.values():
        if page.is_leaf and page.n:
            rows = np.searchsorted(ids, page.ids)
            if (ids[rows % len(ids)] == page.ids).all():
                of_rows.append((page, x[rows]))
            else:
                yield f"page {page.number} has entries without vectors"
    yield from _compare_codes(index, of_rows)


def _compare_codes(index: Index, pages: list[tuple[Page, Floats]]) -> Iterator[str]:
    """Entries whose code is not the one that the point at its side gives; many pages at a time."""
    for start in range(0, len(pages), 64):
        some = pages[start : start + 64]
        points = np.concatenate([x for _, x in some])
        centres = np.concatenate([np.broadcast_to(page.centre.point, x.shape) for page, x in some])
        codes, at = encode(index.metric, points, centres), 0
        for page, _ in some:
            here = slice(at, at := at + page.n)
            wrong = ~Codes(codes.bits[here], codes.shift[here], codes.slope[here]).same(page.codes)
            if wrong.any():
                odd = [page.ids[i] for i in np.flatnonzero(wrong)[:5]]
                yield f"page {page.number}: the codes of {wrong.sum()} entries are not theirs, such as {odd}"
