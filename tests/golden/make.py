"""Makes the golden databases, and the example in docs/FORMAT.md §14 that is taken from one of them.

    python -m tests.golden.make

Run it when the format changes, and for a release, which leaves its own files here: README.md. Those of an earlier release
stay as they were written.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import sqlite_ann
from tests import arithmetic, oracle

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
RELEASE = ".".join(sqlite_ann.__version__.split(".")[:2])
FORMAT = 2  # of what it stores
MANUAL = HERE.parents[1] / "docs/FORMAT.md"
BEGIN, END = "<!-- made by tests/golden/make.py: -->\n", "<!-- end -->\n"

GRID = """CREATE VIRTUAL TABLE grid USING ann(point float32[2], metric = l2, trees = 1, leaf_capacity = 32);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
INSERT INTO grid(rowid, point) SELECT i, json_array(i % 40, i / 40) FROM n;
DELETE FROM grid WHERE rowid % 8 <> 0;"""
QUERY = (17.0, 10.0)  # of the example


def path_of(what: str) -> Path:
    """The golden database that this version writes: `grid` or `mixed`."""
    return HERE / f"{RELEASE}-format{FORMAT}-{what}.db"


def format_of(name: str) -> int:
    """What the name of a file says."""
    return int(name.split("-")[1].removeprefix("format"))


def some_vectors(n: int, d: int, seed: int) -> np.ndarray:
    """Equal in every version of numpy: from SplitMix64, sums of four uniform numbers."""
    stream = arithmetic.keyed(seed, n, d)
    numbers = np.array([next(stream) >> 40 for _ in range(4 * n * d)], np.float64) / 2**24 - 0.5
    return numbers.reshape(n, d, 4).sum(axis=2).astype(np.float32)


def stop_calibrating(db: Any, table: str) -> None:
    """Leave out a calibration under way, which is larger than all the rest."""
    db.execute(f"DELETE FROM \"{table}_config\" WHERE name IN ('sampling', 'sampled')")


def make_grid(path: Path) -> None:
    """A forest of two levels of directories, thinned out."""
    with closing(sqlite_ann.connect(path)) as db:
        db.execute("PRAGMA page_size = 1024")
        db.execute(GRID)
        stop_calibrating(db, "grid")
        db.execute("VACUUM")


def make_mixed(path: Path) -> None:
    """Two tables of other metrics and options, with waiting rows, ids of all kinds, a zero vector and a copy."""
    with closing(sqlite_ann.connect(path)) as db:
        db.execute("PRAGMA page_size = 1024")
        for seed, (name, d, options) in enumerate(
            [
                ("songs", 7, "metric = cosine, trees = 2, seed = 42"),
                ("Hits", 3, "metric = dot, trees = 1, leaf_capacity = 64"),
            ]
        ):
            db.execute(f'CREATE VIRTUAL TABLE "{name}" USING ann("the vector" float32[{d}], {options})')
            vectors = some_vectors(1100, d, seed)
            vectors[3], vectors[8] = 0, vectors[7]
            put = f'INSERT INTO "{name}"(rowid, "the vector") SELECT id, vector FROM ann_rows(?, ?, \'float32\', ?)'
            ids = np.arange(1000, dtype=np.int64) - 50
            db.execute(put, (vectors[:1000].tobytes(), d, ids.tobytes()))
            db.execute(f'DELETE FROM "{name}" WHERE rowid >= 0')
            for id_, vector in zip((2**63 - 1, -(2**63), 10**12), vectors[1000:], strict=False):
                db.execute(f'INSERT INTO "{name}"(rowid, "the vector") VALUES (?, ?)', (id_, vector.tobytes()))
            db.execute(f'INSERT INTO "{name}"("{name}") VALUES (\'absorb=0\')')
            ids = np.arange(5000, 5097, dtype=np.int64)
            db.execute(put, (vectors[1003:].tobytes(), d, ids.tobytes()))
            stop_calibrating(db, name)
        db.execute("VACUUM")


def answers(path: Path) -> dict[str, Any]:
    """For each table some queries, with the ids and distances of the five nearest, by the oracle."""
    out: dict[str, Any] = {}
    for table in oracle.tables(path):
        index = oracle.read(path, table)
        ids, vectors = index.array()
        out[table] = []
        for query in some_vectors(4, index.dimensions, 99) * np.float32(30 if table == "grid" else 1):
            found, distances = arithmetic.exact(index.metric, ids, vectors, query, 5)
            answer = {"query": query.tolist(), "ids": found.tolist(), "distances": [round(x, 5) for x in distances]}
            out[table].append(answer)
    return out


# --- the example -----------------------------------------------------------------------------------------


def example_page(path: Path) -> oracle.Page:
    """The leaf with the fewest entries, but some."""
    index = oracle.read(path)
    leaves = [leaf for tree in range(index.trees) for leaf in index.leaves(tree) if leaf.n >= 5]
    return min(leaves, key=lambda leaf: (leaf.n, leaf.number))


def dump(page: oracle.Page) -> str:
    """Lines of 16 bytes; `*` for lines like the one before, `…` within the components of the centre and the codes."""
    codes = 96 + page.length + 512
    left_out = [range(128, 96 + page.length), range(codes + 64, len(page.data))]
    lines: list[str] = []
    before = b""
    for at in range(0, len(page.data), 16):
        row = page.data[at : at + 16]
        line = f"{at:04x}  {row[:8].hex(' ')}  {row[8:].hex(' ')}"
        line = "…" if any(at in part for part in left_out) else "*" if row == before else line
        if not (lines and line in "*…" and lines[-1] == line):
            lines.append(line)
        before = row
    return "\n".join([*lines, f"{len(page.data):04x}"])


def example(path: Path) -> str:
    """§14 of FORMAT.md."""
    index, page = oracle.read(path), example_page(path)
    y = arithmetic.prepared(index.metric, index.rotation, np.array([QUERY], np.float32))[0]
    lookup, base = arithmetic.Lookup.of(y), page.centre.base(index.metric, y)
    estimates = lookup.estimate(page.codes, base)
    nibbles = page.codes.bits[0].reshape(-1, 4) @ [1, 2, 4, 8]
    total = int(lookup.table[np.arange(len(nibbles)), nibbles].astype(int).sum())
    s = np.float32(total) * lookup.unit + lookup.minimum
    right = [round(float(((index.vector(id_) - QUERY) ** 2).sum())) for id_ in page.ids]
    rows = [f"row {i} at ({index.vector(i)[0]:.0f}, {index.vector(i)[1]:.0f})" for i in page.ids]
    n, length, first_codes = page.n, page.length, 96 + page.length + 512
    ones = [t for t in range(4) if nibbles[0] >> t & 1]
    checksum = int.from_bytes(page.data[32:40], "little")

    def some(values: Any) -> str:
        return ", ".join(str(value) for value in list(values)[:4])

    def say(value: Any) -> str:
        return str(np.float32(value))

    table = [
        (0, f"`ANNP`, version 2, kind 1 (a leaf), tree {page.tree}, level 0; n = {n}, capacity {page.capacity}"),
        (16, f"L = {length}, parent {page.parent}; 1 bit a component, no second code"),
        (32, f"the checksum, {checksum:#018x}"),
        (64, f"scale {say(page.centre.scale)}, norm {say(page.centre.norm)}, spread {say(page.centre.spread)}"),
        (96, f"q, {length} of them: {some(page.centre.q)}, … So the centre is ({some(page.centre.point)}, …)"),
        (96 + length, f"ids: {', '.join(map(str, page.ids))}, and room for {32 - n}"),
        (96 + length + 256, f"shifts: {some(page.codes.shift)}, …"),
        (96 + length + 384, f"slopes: {some(page.codes.slope)}, …"),
        (
            first_codes,
            f"components 0..3: the bits {nibbles[0]:04b} of entry 0 say that component{'s' * (len(ones) != 1)} "
            f"{' and '.join(map(str, ones)) or 'none'} of these is not below the centre's; the high nibbles are of "
            "entries 16..31, which are not there",
        ),
        (first_codes + 16, f"components 4..7, and so on to {length - 4}..{length - 1}"),
    ]
    text = [f"```sql\n{GRID}\n```\n"]
    text.append(
        f"Page {page.number} is a leaf of that table, of {len(page.data):#06x} = {len(page.data)} bytes: 64 of header, "
        f"32 + {length} of centre, one block of 512 + {4 * length}.\n`*` stands for lines like the one before, `…` for "
        "lines that tell nothing new.\n"
    )
    text.append(f"```text\n{dump(page)}\n```\n")
    text.append("| at | |\n| --- | --- |\n" + "".join(f"| {at:04x} | {what} |\n" for at, what in table))
    text.append(
        f"For the query ({QUERY[0]:.0f}, {QUERY[1]:.0f}): `y` = ({some(y)}, …), `base` = {say(base)}, "
        f"`unit` = {say(lookup.unit)},\n`minimum` = {say(lookup.minimum)}. The bytes of entry 0, {rows[0]}, add up to "
        f"{total}, so `s` = {say(s)}, and its\nestimate is ({say(base)} + {say(page.codes.shift[0])}) + "
        f"{say(page.codes.slope[0])} * {say(s)} = {say(estimates[0])}, where {right[0]} is right.\nThe others come out "
        f"at {', '.join(map(say, estimates[1:]))}, where {', '.join(map(str, right[1:]))} are right.\n"
    )
    return "\n".join(text)


def main() -> None:
    """Write everything."""
    expected = json.loads(EXPECTED.read_text("utf-8"))
    for what, make in {"grid": make_grid, "mixed": make_mixed}.items():
        path = path_of(what)
        path.unlink(missing_ok=True)
        make(path)
        faults = [fault for table in oracle.tables(path) for fault in oracle.check(path, table)]
        assert not faults, faults
        assert path.stat().st_size < 100_000, path.stat()
        expected[path.stem] = answers(path)
        print(path.name, path.stat().st_size, "bytes")
    EXPECTED.write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
    before, rest = MANUAL.read_text("utf-8").split(BEGIN)
    MANUAL.write_text(before + BEGIN + "\n" + example(path_of("grid")) + "\n" + END + rest.split(END)[1], "utf-8")


if __name__ == "__main__":
    main()
