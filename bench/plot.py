"""Recall against speed, drawn: what `make bench-report` puts into docs/.

    python bench/plot.py     # from docs/bench.json: docs/bench.svg, and of one data set docs/bench-text.svg

A panel for each data set, a line for each peer through its Pareto front. Up and to the right is better.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import front
import matplotlib
import numpy as np
import table

matplotlib.use("svg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parent.parent / "docs"
TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
ALMOST_ONE = 0.9985  # where a recall of one is drawn, on an axis that never reaches it
INK, QUIET = "#222222", "#e4e4e4"
# Of colours that stay apart for all kinds of eyes (Okabe and Ito). Solid: inside SQLite. Dashed: in memory.
STYLES: dict[str, dict[str, Any]] = {
    "sqlite_ann": {"color": "#d55e00", "linewidth": 3.2, "marker": "o", "markersize": 6, "zorder": 5},
    "vec1": {"color": "#0072b2", "marker": "s"},
    "sqlite-vec": {"color": "#0072b2", "marker": "*", "markersize": 11, "linestyle": "none"},
    "vectorlite": {"color": "#56b4e9", "marker": "v"},
    "annoy": {"color": "#009e73", "marker": "D", "linestyle": "--"},
    "hnswlib": {"color": "#000000", "marker": "^", "linestyle": "--"},
    "usearch": {"color": "#7f7f7f", "marker": "P", "linestyle": "--"},
    "faiss-hnsw": {"color": "#882255", "marker": "<", "linestyle": "--"},
    "faiss-pq": {"color": "#cc79a7", "marker": "X", "linestyle": "--"},
    "faiss-rabitq": {"color": "#e69f00", "marker": "p", "linestyle": "--"},
    "numpy": {"color": "#000000", "marker": "*", "markersize": 11, "linestyle": "none"},
}
FALLBACK = {"color": "#999999", "linestyle": ":"}


def stretched(recall: np.ndarray) -> np.ndarray:
    """Recall on an axis that gives each halving of the error the same room: -log2(1 - recall)."""
    return np.asarray(-np.log2(1 - np.minimum(recall, ALMOST_ONE)))


def unstretched(place: np.ndarray) -> np.ndarray:
    return np.asarray(1 - np.exp2(-place))


def panel(axes: Any, result: dict[str, Any]) -> None:
    """One data set."""
    for name, builds in front.by_peer(result).items():
        found = [(min(recall, ALMOST_ONE), speed) for recall, speed in front.points(builds)]
        fitting = [point for point in front.pareto(found) if point[0] >= TICKS[0]]
        recalls, speeds = zip(*fitting, strict=True) if fitting else ((), ())
        style = {"linewidth": 1.5, "markersize": 5, "alpha": 0.95, **STYLES.get(name, FALLBACK)}
        axes.plot(recalls, speeds, label=name, **style)
    axes.set_title(
        f"{result['data']}   {result['rows']:,} × {result['dimensions']}, {result['metric']}",
        loc="left", fontsize=11, color=INK,
    )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xscale("function", functions=(stretched, unstretched))
    axes.set_xlim(TICKS[0], 0.9988)
    axes.set_xticks([min(tick, ALMOST_ONE) for tick in TICKS], [f"{tick:g}" for tick in TICKS])
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(which="major", color=QUIET)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.minorticks_off()


def draw(results: list[dict[str, Any]]) -> Any:
    """The figure: panels two a row, one legend for all below; of one data set, beside it."""
    columns, rows = min(2, len(results)), -(-len(results) // 2)
    size = (11, 4.2 * rows + 0.9) if columns == 2 else (9, 3.6)
    figure, panels = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axes, result in zip(panels.flat, results, strict=False):
        panel(axes, result)
    for axes in panels.flat[len(results) :]:
        axes.set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("recall@10", color=INK)
    for axes in panels[:, 0]:
        axes.set_ylabel("queries a second, one thread", color=INK)
    labels = {
        label: line for axes in panels.flat for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    where = {"loc": "outside lower center", "ncols": 6} if columns == 2 else {"loc": "outside center right"}
    figure.legend(labels.values(), labels.keys(), frameon=False, **where)
    return figure


def save(results: list[dict[str, Any]], name: str) -> None:
    # no date and no chance inside, so that the same figures give the same file
    with matplotlib.rc_context({"svg.hashsalt": name}):
        draw(results).savefig(DOCS / name, metadata={"Date": None})


def main() -> None:
    results = table.load([table.KEPT])
    save(results, table.CURVES)
    save([result for result in results if result["data"] == table.FEW], table.FEW_CURVES)


if __name__ == "__main__":
    main()
