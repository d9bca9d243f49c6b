"""Writes docs/drawings/*.svg, the drawings of HOW_IT_WORKS.md, from real tables: nothing in them is made up.

python -m docs.drawings

Tables are made, filled and searched here; their pages are taken apart by the reader that the tests have of FORMAT.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import sqlite_ann
from docs.svg import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT_BLUE,
    LIGHT_ORANGE,
    ORANGE,
    PALE,
    RED,
    Plot,
    Sheet,
)
from tests import oracle
from tests.arithmetic import Floats, Lookup, exact, prepared

FOLDER = Path(__file__).parent / "drawings"
K, RECALL = 10, 0.95


class Plane:
    """A table of 2,000 rows of two components, and its forest; what is drawn of leaves is drawn of it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        middles = rng.uniform(-1, 1, (24, 2))
        self.rows = (middles[rng.integers(0, 24, 2000)] + 0.16 * rng.standard_normal((2000, 2))).astype(np.float32)
        self.index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "plane", dim=2, metric="l2")
        self.index.add(range(2000), self.rows)
        self.index.optimize()
        self.stored = oracle.read(self.index.db, "plane")
        self.leaves = [leaf for tree in range(2) for leaf in self.stored.leaves(tree)]
        # a centre has 256 components, of which the rows span a plane: where it is above that, and how far off, squared
        points = np.array([leaf.centre.point for leaf in self.leaves])
        self.centres = points @ self.stored.rotation(np.eye(2, dtype=np.float32)).T
        self.off = (points**2).sum(axis=1) - (self.centres**2).sum(axis=1)

    def nearest_leaves(self, row: Floats) -> list[int]:
        """By their centres, as an insert looks at them."""
        return [int(i) for i in np.argsort(((self.centres - row) ** 2).sum(axis=1) + self.off)]

    def region(self, i: int) -> list[tuple[float, float]]:
        """The places from which leaf i's centre is the nearest: a polygon, cut by a line for each other leaf."""
        polygon = [(-2.0, -2.0), (2.0, -2.0), (2.0, 2.0), (-2.0, 2.0)]
        for j in range(len(self.leaves)):
            if j != i:
                normal = 2 * (self.centres[j] - self.centres[i])
                most = (self.centres[j] ** 2).sum() + self.off[j] - (self.centres[i] ** 2).sum() - self.off[i]
                polygon = cut(polygon, normal, float(most))
        return polygon


def cut(polygon: list[tuple[float, float]], normal: Floats, most: float) -> list[tuple[float, float]]:
    """What of a polygon has no more than `most` along `normal`."""
    kept = []
    for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        beyond_a, beyond_b = float(normal @ a) - most, float(normal @ b) - most
        if beyond_a <= 0:
            kept.append(a)
        if beyond_a * beyond_b < 0:
            part = beyond_a / (beyond_a - beyond_b)
            kept.append((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])))
    return kept


def by_score(stored: oracle.Index, query: Floats) -> list[oracle.Page]:
    """All leaves, in the order in which a search wants them (core/code.h)."""
    rotated = prepared(stored.metric, stored.rotation, query[None])[0]

    def score(leaf: oracle.Page) -> float:
        base = float(leaf.centre.base(stored.metric, rotated))
        return base + 0.25 * min(float(leaf.centre.spread), base)

    return sorted((leaf for tree in range(stored.trees) for leaf in stored.leaves(tree)), key=score)


def regions(plane: Plane, plot: Plot, fills: dict[int, str] | None = None) -> None:
    """All leaves as coloured ground: by their tree, or as they are told."""
    for i, leaf in enumerate(plane.leaves):
        usual = (LIGHT_BLUE, LIGHT_ORANGE)[leaf.tree]
        within = plane.region(i)
        for axis, (low, high) in enumerate((plot.x, plot.y)):
            normal = np.eye(2)[axis]
            within = cut(cut(within, normal, high), -normal, -low)
        if within:
            plot.polygon(within, fills.get(i, "#f4f4f4") if fills is not None else usual)


# --- the six drawings ------------------------------------------------------------------------------


def forest(plane: Plane) -> Sheet:
    """Leaves as regions of the plane; the pages of the same forest, as two trees."""
    sheet = Sheet(960, 470, "A forest of two trees over 2,000 rows")
    plot = sheet.plot(
        (20, 40, 410, 410), (-1.35, 1.35), (-1.35, 1.35), "2,000 rows, and the leaf nearest to each place"
    )
    regions(plane, plot)
    inside = [row for row in plane.rows if max(abs(row)) < 1.34]
    plot.dots(inside, "#666666", 1.8)
    for leaf, (x, y) in zip(plane.leaves, plane.centres, strict=True):
        plot.ring(x, y, 4, "#ffffff", 1.5, (BLUE, ORANGE)[leaf.tree])
    plot.frame()
    for tree, colour in enumerate((BLUE, ORANGE)):
        leaves = [leaf for leaf in plane.leaves if leaf.tree == tree]
        top, left, step = 70 + 205 * tree, 470, 470 / max(len(leaves), 20)
        middle = left + step * len(leaves) / 2
        sheet.box(middle - 130, top - 30, 260, 26, "#ffffff", colour)
        sheet.text(middle, top - 12, f"root of tree {tree}: a directory of {len(leaves)} leaves", anchor="middle")
        for i, leaf in enumerate(leaves):
            x = left + step * i
            sheet.line([(middle, top - 4), (x + step / 2, top + 24)], PALE)
            sheet.box(x + 2, top + 24, step - 4, 90, "#ffffff", PALE)
            full = 90 * leaf.n / leaf.capacity
            sheet.box(x + 2, top + 114 - full, step - 4, full, colour)
            sheet.text(x + step / 2, top + 128, str(leaf.n), size=10, anchor="middle", colour=GREY)
    total = sum(leaf.n for leaf in plane.leaves)
    sheet.text(470, 440, f"Each bar is a page: a leaf, and its rows, of {plane.leaves[0].capacity} that it has room for.\n{total:,} entries in all: every row is in two leaves.", colour=GREY)  # fmt: skip
    return sheet


def search(plane: Plane) -> Sheet:
    """One search: leaves in the order of their visit, and what is left of their rows step by step."""
    query = np.array([0.2, 0.1], np.float32)
    found = plane.index.search(query, k=K, recall=RECALL)
    steps = {step.step: step.count for step in plane.index.explain(query, k=K, recall=RECALL)}
    leaves = by_score(plane.stored, query)
    read = next(leaves[:n] for n in range(len(leaves)) if sum(leaf.n for leaf in leaves[:n]) >= steps["scan"])
    assert sum(leaf.n for leaf in read) == steps["scan"], "leaves are read in another order than is drawn"
    places = [next(i for i, other in enumerate(plane.leaves) if other.number == leaf.number) for leaf in read]

    sheet = Sheet(960, 470, "One search")
    plot = sheet.plot(
        (20, 40, 410, 410), (-0.25, 0.65), (-0.35, 0.55), f"a search for the {K} rows nearest to the cross"
    )
    greens = ("#bfe3cd", "#cfeada", "#dff2e6", "#edf8f1")
    regions(plane, plot, {i: greens[min(n, 3)] for n, i in enumerate(places)})
    inside = ((plane.rows > [plot.x[0], plot.y[0]]) & (plane.rows < [plot.x[1], plot.y[1]])).all(axis=1)
    plot.dots(plane.rows[inside], PALE, 3)
    estimated = sorted({id_ for leaf in read for id_ in leaf.ids if inside[id_]})
    plot.dots(plane.rows[estimated], "#666666", 3)
    plot.dots(plane.rows[found.ids], RED, 6)
    x, y = query.tolist()
    plot.line([(x - 0.025, y), (x + 0.025, y)], INK, 2.5)
    plot.line([(x, y - 0.025), (x, y + 0.025)], INK, 2.5)
    for n, i in enumerate(places):
        plot.label(*plane.centres[i], str(n + 1), GREEN)
    plot.frame()
    bars = (
        ("rows of the table", 2000, PALE),
        (f"entries estimated, in {len(read)} of {len(plane.leaves)} leaves", steps["scan"], "#666666"),
        ("candidates: measured exactly", steps["rank"], ORANGE),
        ("given", len(found.ids), RED),
    )
    for n, (name, count, colour) in enumerate(bars):
        top = 70 + 80 * n
        sheet.text(470, top - 8, f"{name}: {count:,}")
        sheet.box(470, top, 460 * count / 2000, 26, colour)
    sheet.text(470, 400, f"Leaf {len(read) + 1} would be next. It is too far for what has been found,\nand enough was looked at, by what the calibration\nmeasured for recall {RECALL}: the search ends.", colour=GREY)  # fmt: skip
    return sheet


class Cloud:
    """A table of 10,000 rows of 64 components, some of which vary more than others, and vectors that are not in it."""

    def __init__(self) -> None:
        every = np.random.default_rng(1).standard_normal((11_000, 64)) / np.sqrt(np.arange(1, 65))
        self.rows, self.others = every[:10_000].astype(np.float32), every[10_000:].astype(np.float32)
        self.index = sqlite_ann.Index.create(sqlite_ann.connect(":memory:"), "cloud", dim=64)
        self.index.add(range(10_000), self.rows)
        self.index.optimize()
        products = self.others @ (self.rows / np.linalg.norm(self.rows, axis=1, keepdims=True)).T
        self.nearest = [set(row) for row in np.argsort(-products, axis=1)[:, :K].tolist()]  # by numpy, not by ourselves

    def right(self, recall: float) -> list[int]:
        """For each of the other vectors, how many of its ten nearest rows a search finds."""
        found = self.index.search(self.others, k=K, recall=recall).ids
        return [len(nearest.intersection(ids)) for nearest, ids in zip(self.nearest, found, strict=True)]


def codes(cloud: Cloud) -> Sheet:
    """What a code is; and estimates beside true distances."""
    stored = oracle.read(cloud.index.db, "cloud")
    rotation, query = stored.rotation, cloud.others[0]
    leaves = by_score(stored, query)[:24]
    kept = next(step.count for step in cloud.index.explain(query, k=K, recall=RECALL) if step.step == "rank")
    rotated = prepared("cosine", rotation, query[None])[0]
    lookup, best = Lookup.of(rotated), {}
    for leaf in leaves:
        for id_, estimate in zip(
            leaf.ids, lookup.estimate(leaf.codes, leaf.centre.base("cosine", rotated)), strict=True
        ):
            best[id_] = min(
                best.get(id_, np.inf), abs(float(estimate)) / 2
            )  # half a squared distance is a cosine distance
    ids = sorted(best)
    true = dict(
        zip(
            *(values.tolist() for values in exact("cosine", np.array(ids), cloud.rows[ids], query, len(ids))),
            strict=True,
        )
    )
    nearest = list(true)[:K]
    worst = sorted(best.values())[kept - 1]

    sheet = Sheet(960, 470, "One-bit codes")
    leaf = leaves[0]
    residual = prepared("cosine", rotation, cloud.rows[leaf.ids[:1]])[0] - leaf.centre.point
    n, scale = 32, 70 / float(np.abs(residual[:32]).max())
    sheet.text(20, 26, "what an entry keeps of a row", size=14, bold=True)
    for i in range(n):
        x, height = 20 + 12 * i, float(residual[i]) * scale
        sheet.box(x, 130 - max(height, 0), 9, abs(height), BLUE if height >= 0 else ORANGE)
        sheet.box(
            x, 235, 9, 18, BLUE if leaf.codes.bits[0, i] else "#ffffff", BLUE if leaf.codes.bits[0, i] else ORANGE
        )
        sheet.text(x + 4.5, 270, str(leaf.codes.bits[0, i]), size=11, anchor="middle")
        assert (height >= 0) == bool(leaf.codes.bits[0, i])
    sheet.text(
        20, 225, f"{n} of {stored.length} rotated components of (row - centre of its leaf)", size=12, colour=GREY
    )
    sheet.text(20, 300, f"Only their signs are stored, {stored.length // 8} bytes, and two numbers\nthat correct what signs get wrong. The row itself, {64 * 4} bytes,\nstays where it is, and is read for candidates alone.", colour=GREY)  # fmt: skip
    plot = sheet.plot((520, 40, 400, 370), (0, 0.9), (0, 0.9), "distance of rows from a query: true, and estimated")
    plot.line([(0, 0), (0.9, 0.9)], PALE)
    plot.dots([(true[i], best[i]) for i in ids if i not in nearest and best[i] < 0.9 and true[i] < 0.9], BLUE, 2.6)
    plot.line([(0, worst), (0.9, worst)], ORANGE, 1.5, "5 4")
    plot.dots([(true[i], best[i]) for i in nearest], RED, 6)
    plot.frame()
    ticks = [(t / 10, f".{t}") for t in (2, 4, 6, 8)]
    plot.ticks_x(ticks, "true distance")
    plot.ticks_y(ticks)
    sheet.text(528, 58, "estimate", size=12, colour=GREY)
    sheet.text(
        912,
        plot.at(0, worst)[1] + 18,
        f"below the line: the {kept} candidates",
        size=12,
        colour=ORANGE,
        anchor="end",
    )
    sheet.text(
        20,
        385,
        f"Red: the {K} rows that are nearest. Blue: the other rows\nof the {len(leaves)} leaves that are nearest to the query.",
        colour=GREY,
    )
    return sheet


def recall(cloud: Cloud) -> Sheet:
    """Recall asked for and given; and that it is a mean."""
    sheet = Sheet(960, 400, "Recall, asked for and given")
    plot = sheet.plot(
        (70, 50, 380, 290),
        (0.48, 1.01),
        (0.48, 1.01),
        f"recall given to {len(cloud.others):,} vectors not in the table",
    )
    plot.line([(0.48, 0.48), (1.01, 1.01)], PALE)
    asked = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1)
    means = {recall: sum(cloud.right(recall)) / (K * len(cloud.others)) for recall in asked}
    plot.line(means.items(), BLUE, 1.5)
    plot.dots(means.items(), BLUE, 7)
    plot.frame()
    ticks = [(t, f"{t:g}") for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1)]
    plot.ticks_x(ticks, "recall asked for")
    plot.ticks_y(ticks)
    right = cloud.right(RECALL)
    counts = {n: right.count(n) for n in range(min(right), K + 1)}
    bars = sheet.plot(
        (560, 50, 360, 290),
        (-0.6, K + 0.6),
        (0, 1.08 * max(counts.values())),
        f"asked for {RECALL}: searches by what they found",
    )
    for n, count in counts.items():
        (x, y), (right_x, bottom) = bars.at(n - 0.4, count), bars.at(n + 0.4, 0)
        bars.sheet.box(x, y, right_x - x, bottom - y, GREEN if n == K else ORANGE)
        sheet.text((x + right_x) / 2, y - 5, str(count), size=11, anchor="middle")
    bars.frame()
    bars.ticks_x([(n, str(n)) for n in range(K + 1)], f"of the {K} nearest rows")
    return sheet


def insert(plane: Plane) -> Sheet:
    """Where a new row's two entries go; a full leaf becomes two; what is written, by rows a transaction."""
    sheet = Sheet(960, 400, "One insert")
    row = np.array([0.3, -0.2], np.float32)
    db, index = plane.index.db, plane.index
    db.execute("SAVEPOINT before")
    index.add(9999, row)
    chosen = oracle.read(db, "plane").places[9999]
    db.execute("ROLLBACK TO before; RELEASE before")
    numbers = np.frombuffer(chosen, "<u4").tolist()
    near = plane.nearest_leaves(row)[:12]
    assert plane.leaves[near[0]].number in numbers
    plot = sheet.plot((20, 50, 290, 290), (-0.3, 0.9), (-0.8, 0.4), "1. the twelve nearest leaves")
    regions(plane, plot, {i: (LIGHT_BLUE, LIGHT_ORANGE)[plane.leaves[i].tree] for i in near})
    for i in near:
        if plane.leaves[i].number in numbers:
            plot.line([row, plane.centres[i]], RED, 2)
    for n, i in enumerate(near):
        plot.label(*plane.centres[i], str(n + 1), RED if plane.leaves[i].number in numbers else GREY)
    plot.ring(*row, 5, INK, 1, RED)
    plot.frame()
    places = sorted(n + 1 for n, i in enumerate(near) if plane.leaves[i].number in numbers)
    sheet.text(20, 362, f"The new row (red) is written into leaf {places[0]}, the\nnearest, and leaf {places[1]}, which makes up for it best.", size=12, colour=GREY)  # fmt: skip
    divided(sheet)
    written(sheet)
    return sheet


def entries_of_leaves(plane: Plane) -> dict[int, int]:
    """How many entries each leaf has, by its number."""
    return dict(plane.index.db.execute("SELECT page, entries FROM ann_pages('plane') WHERE kind = 'leaf'").fetchall())


def divided(sheet: Sheet) -> None:
    """Rows are put into one place until its leaf is full."""
    plane = Plane()
    rng = np.random.default_rng(2)
    middle = plane.centres[max(range(len(plane.leaves)), key=lambda i: plane.leaves[i].n)]
    before = entries_of_leaves(plane)
    while len(after := entries_of_leaves(plane)) == len(plane.leaves):
        before = after
        plane.rows = np.vstack([plane.rows, (middle + 0.12 * rng.standard_normal(2)).astype(np.float32)])
        plane.index.db.execute(
            "INSERT INTO plane(rowid, embedding) VALUES(?, ?)", (len(plane.rows) - 1, plane.rows[-1])
        )
    stored = oracle.read(plane.index.db, "plane")
    new = stored.page(next(iter(after.keys() - before.keys())))
    old = stored.page(min(before, key=lambda number: after[number] - before[number]))
    points = plane.rows[sorted({*old.ids, *new.ids})]
    low, high = points.min(axis=0) - 0.05, points.max(axis=0) + 0.05
    plot = sheet.plot((345, 50, 280, 290), (low[0], high[0]), (low[1], high[1]), "2. a full leaf becomes two")
    plot.dots(plane.rows[old.ids], BLUE, 4)
    plot.dots(plane.rows[new.ids], ORANGE, 4)
    plot.frame()
    sheet.text(
        345,
        362,
        f"{old.n + new.n} rows: {old.n} in the page that was there,\n{new.n} in a new one.",
        size=12,
        colour=GREY,
    )


def written(sheet: Sheet) -> None:
    """Index pages written for a row, by how many rows a transaction has."""
    sizes, pages = (1, 10, 100, 1000), []
    rng = np.random.default_rng(3)
    for size in sizes:
        plane = Plane()
        db = plane.index.db
        count = [0]

        def traced(event: dict[str, object], count: list[int] = count) -> None:
            count[0] += '_pages"(id, data)' in str(event["sql"])

        db.trace_v2(1, traced)
        for start in range(0, 1000, size):
            with db:
                for i in range(start, start + size):
                    values = (10_000 + i, rng.uniform(-1, 1, 2).astype(np.float32))
                    db.execute("INSERT INTO plane(rowid, embedding) VALUES(?, ?)", values)
        db.trace_v2(0, None)
        pages.append(count[0] / 1000)
    plot = sheet.plot((680, 50, 260, 290), (-0.6, 3.6), (0, 1.1 * max(pages)), "3. index pages written for a row")
    for n, value in enumerate(pages):
        (x, y), (right, bottom) = plot.at(n - 0.35, value), plot.at(n + 0.35, 0)
        sheet.box(x, y, right - x, bottom - y, BLUE)
        sheet.text((x + right) / 2, y - 6, f"{value:.2f}", size=12, anchor="middle")
    plot.frame()
    plot.ticks_x([(n, f"{size:,}") for n, size in enumerate(sizes)], "single inserts in one transaction")


def file() -> Sheet:
    """Every page of a small database file, by what is in it."""
    db = sqlite_ann.connect(":memory:")
    db.execute("PRAGMA page_size = 4096; CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT)")
    index = sqlite_ann.Index.create(db, "song_ann", dim=64)
    rng = np.random.default_rng(4)
    with db:
        db.executemany("INSERT INTO song VALUES(?, ?)", [(i, f"the title of song number {i}") for i in range(3000)])
        index.add(range(3000), rng.standard_normal((3000, 64)).astype(np.float32))
    index.optimize()
    db.execute("VACUUM")
    kinds = {
        "song": ("song: a table of yours", PALE),
        "song_ann_vectors": ("song_ann_vectors: the vectors, as they were written", BLUE),
        "song_ann_pages": ("song_ann_pages: the forest, a leaf or directory a row", ORANGE),
        "song_ann_places": ("song_ann_places: in which leaves each row is", GREEN),
        "song_ann_waiting": ("song_ann_waiting: which rows are not in the forest: none", RED),
        "song_ann_config": ("song_ann_config: options, counters, the calibration", "#7b4fa3"),
        "sqlite_schema": ("sqlite_schema: the names of them all", INK),
    }
    owner = dict(db.execute("SELECT pageno, name FROM dbstat ORDER BY pageno").fetchall())
    sheet = Sheet(960, 350, "A database file, page by page")
    sheet.text(
        20,
        26,
        f"one file of {len(owner)} pages of 4 KB: 3,000 songs, their vectors of 64 components, the index",
        size=14,
        bold=True,
    )
    for n, page in enumerate(sorted(owner)):
        sheet.box(20 + n % 24 * 19, 45 + n // 24 * 19, 16, 16, kinds[owner[page]][1])
    for n, (name, (text, colour)) in enumerate(kinds.items()):
        count = sum(other == name for other in owner.values())
        sheet.box(510, 60 + 40 * n, 18, 18, colour)
        sheet.text(540, 74 + 40 * n, text)
        sheet.text(945, 74 + 40 * n, str(count), anchor="end", colour=GREY)
    return sheet


def drawings() -> dict[str, str]:
    """All of them, by the name of their file."""
    plane, cloud = Plane(), Cloud()
    sheets = {
        "forest": forest(plane),
        "search": search(plane),
        "codes": codes(cloud),
        "recall": recall(cloud),
        "insert": insert(plane),
        "file": file(),
    }
    return {f"{name}.svg": sheet.svg() for name, sheet in sheets.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in drawings().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
