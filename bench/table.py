"""The figures of a run as tables: what `make bench-report` writes.

    python bench/table.py     # from build/bench/ to docs/FIGURES.md, and in short to README.md

The results are kept, all in one, in docs/bench.json, and those of other types and metrics in docs/bench-types.json;
the tables are written from these. A table stands between two comments that name this file and the table, and
everything between them is replaced.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import front

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "bench.json"
KEPT_TYPES = ROOT / "docs" / "bench-types.json"
MEASURED = ROOT / "build" / "bench"
ORDER = ("fashion", "text", "words", "sift")
TYPES = ("text-float16", "text-int8", "text-bit", "sift-l1")
OURS = "sqlite_ann"
CURVES, FEW_CURVES = "bench.svg", "bench-text.svg"  # in docs/; bench/plot.py draws them
README = ROOT / "README.md"
FIGURES = ROOT / "docs" / "FIGURES.md"
FEW = "text"  # whose figures are the short table
FEW_PEERS = (OURS, "hnswlib", "faiss-hnsw", "annoy", "sqlite-vec")
NOTHING = "–"


def load(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The results in these files, each of one data set or a list of them; in the order of ORDER."""
    results: list[dict[str, Any]] = []
    for path in paths:
        found = json.loads(path.read_text())
        results += found if isinstance(found, list) else [found]
    known = (*ORDER, *TYPES)
    return sorted(results, key=lambda result: (*known, result["data"]).index(result["data"]))


def lines(results: Sequence[dict[str, Any]]) -> list[str]:
    """The Markdown table of all data sets, and below it what was measured on what."""
    speeds = [f"queries/s at .{round(100 * recall)}" for recall in front.RECALLS]
    heads = ["data", "library", *speeds, "build, s", "on disk, MB", "memory, MB", "first query, ms"]
    out = [row(heads), row(["---", "---", *["---:"] * (len(heads) - 2)])]
    for result in results:
        out += peer_rows(result)
    return [*out, "", *notes(results)]


def peer_rows(result: dict[str, Any]) -> list[str]:
    """The rows of one data set, ours first."""
    by_peer = front.by_peer(result)
    ours = figures(by_peer[OURS]) if OURS in by_peer else None
    out: list[str] = []
    for name, builds in by_peer.items():
        label = "" if out else f"**{result['data']}**, {result['rows']:,} × {result['dimensions']}"
        by = ours if ours and name != OURS else [None] * 7
        cells = [cell(value, other) for value, other in zip(figures(builds), by, strict=True)]
        out.append(row([label, f"**{name}**" if name == OURS else name, *cells]))
    return out


def figures(builds: Sequence[dict[str, Any]]) -> list[float | None]:
    """What a row says of a peer; None where it never got there."""
    speeds = [front.speed_at(front.points(builds), recall) for recall in front.RECALLS]
    built = front.chosen(builds)
    first = statistics.median(map(sum, zip(built["open_ms"], built["first_ms"], strict=True)))
    return [*speeds, built["build_s"], built["bytes"] / 1e6, built["search_mb"], first]


def short(value: float) -> str:
    """With as many digits as mean something.

    >>> [short(value) for value in (12345.6, 12.34, 1.234, 0.012)]
    ['12,346', '12', '1.2', '0.01']
    """
    digits = 0 if value >= 10 else 1 if value >= 1 else 2 if value >= 0.01 else 3
    return f"{value:,.{digits}f}"


def cell(value: float | None, ours: float | None) -> str:
    """A figure, and how many times ours it is.

    >>> cell(500.0, 1000.0), cell(None, 1000.0), cell(500.0, None)
    ('500 (0.50×)', '–', '500')
    """
    if value is None:
        return NOTHING
    return short(value) + (f" ({short(value / ours)}×)" if ours else "")


def notes(results: Sequence[dict[str, Any]]) -> list[str]:
    """What one has to know to read the table."""
    if not results:
        return []
    machine = results[0]["machine"]
    versions: dict[str, str] = {}
    for result in results:
        versions |= {name: number for name, number in result["versions"].items() if name != OURS}
    dates = sorted({result["date"][:10] for result in results})
    left_out = [
        f"On {result['data']}, {gone['peer']} is left out: {gone['why']}."
        for result in results
        for gone in result["left_out"]
    ]
    return [
        f"Measured by `make {'bench-types' if results[0]['data'] in TYPES else 'bench'}`: recall@10, one thread, one query a call, from Python, ten neighbours of vectors that are not in the table; in"
        " brackets how many times ours. *Build* may use two threads and ends with the file saved; *memory* is the peak"
        " of a process that searches, mapped files included; *first query* is that of a fresh process, with opening the"
        " file, which the system has in its cache.",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}, SQLite"
        f" {machine['sqlite']}; {', '.join(f'{name} {number}' for name, number in sorted(versions.items()))};"
        f" {' and '.join(dict.fromkeys((dates[0], dates[-1])))}, commit"
        f" {', '.join(sorted({result['commit'] for result in results}))}.",
        *left_out,
    ]


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def few(results: Sequence[dict[str, Any]]) -> list[str]:
    """The short table: four figures of five libraries on one data set."""
    result = next(result for result in results if result["data"] == FEW)
    by_peer = front.by_peer(result)
    heads = ["", "queries a second at recall .95", "build, s", "memory, MB", "first query, ms"]
    out = [row(heads), row(["---", *["---:"] * 4])]
    for name in FEW_PEERS:
        _, speed, _, build, _, memory, first = figures(by_peer[name])
        out.append(
            row([f"**{name}**" if name == OURS else name, *map(cell, (speed, build, memory, first), [None] * 4)])
        )
    return out


def marks(name: str) -> list[str]:
    """The comments before and behind a table."""
    return [f"<!-- written by bench/table.py, {name}: {at} -->" for at in ("begin", "end")]


def replaced(text: str, name: str, new: Sequence[str]) -> str:
    """The text with `new` lines between the two comments of this table, which must be there once each.

    >>> before = "\\n".join(["a", *marks("sizes"), "b"])
    >>> print(replaced(before, "sizes", ["new"]).replace("written by bench/table.py, sizes: ", ""))
    a
    <!-- begin -->
    new
    <!-- end -->
    b
    """
    begin, end = marks(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected the lines {begin!r} and {end!r}, once each and in this order")
    before, rest = text.split(begin)
    return "\n".join([before + begin, *new, end + rest.split(end)[1]])


def compact(results: Sequence[dict[str, Any]]) -> str:
    """JSON with a line for each variant of a peer: small, and a change is seen."""
    shown = []
    for result in results:
        head = {key: value for key, value in result.items() if key != "builds"}
        builds = ",\n  ".join(json.dumps(built) for built in result["builds"])
        shown.append(json.dumps(head)[:-1] + f', "builds": [\n  {builds}]}}')
    return "[" + ",\n".join(shown) + "]\n"


def keep(names: Sequence[str], kept: Path) -> None:
    """Keep the results of these data sets, if any was measured."""
    paths = [path for path in (MEASURED / f"{name}.json" for name in names) if path.exists()]
    if paths:
        results = load(paths)
        kept.write_text(compact(results))
        print(f"{kept.relative_to(ROOT)} tells of {', '.join(result['data'] for result in results)}")


def tables() -> list[tuple[Path, str, list[str]]]:
    """Every table that is made of what is kept: its page, its name, its lines."""
    libraries, types = load([KEPT]), load([KEPT_TYPES])
    curves = f"![Recall against speed, a panel for each data set]({CURVES})"
    return [
        (README, "few", few(libraries)),
        (FIGURES, "libraries", [curves, "", *lines(libraries)]),
        (FIGURES, "types", lines(types)),
    ]


def main() -> None:
    keep(ORDER, KEPT)
    keep(TYPES, KEPT_TYPES)
    for page, name, new in tables():
        page.write_text(replaced(page.read_text("utf-8"), name, new), "utf-8")


if __name__ == "__main__":
    main()
