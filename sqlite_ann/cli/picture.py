"""What `sqlite-ann plot` draws: recall asked for and given, and the time it takes.

draw(points, title, path)     an .svg, .png or .pdf file, whole or not at all
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measure import Point
from .output import undated, whole

try:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
except ImportError:
    raise ImportError("plot needs the package matplotlib: pip install 'sqlite_ann[plot]'") from None

INK, QUIET, LINE, EXACT = "#222222", "#e4e4e4", "#d55e00", "#0072b2"  # colours that stay apart for all kinds of eyes


def draw(points: Sequence[Point], title: str, path: Path) -> None:
    """The forest's points as a line, exact search, where it is among them, as another."""
    forest = sorted((point for point in points if point.asked < 1), key=lambda point: point.asked)
    exact = next((point for point in points if point.asked == 1), None)
    # Text as text, and the same bytes for the same points.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sqlite_ann", "font.size": 10}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", color=INK)
        left, right = figure.subplots(1, 2)
        draw_recall(left, forest)
        draw_time(right, forest, exact)
        with whole(path) as unfinished:
            figure.savefig(unfinished, format=path.suffix[1:], dpi=150, metadata=undated(path.suffix))


def draw_recall(axes: Any, points: Sequence[Point]) -> None:
    asked, given = [point.asked for point in points], [point.recall for point in points]
    below = [point.recall - point.low for point in points]
    above = [point.high - point.recall for point in points]
    least = min([*asked, *(point.low for point in points)])
    margin = 0.05 * (1 - least)
    axes.plot([least, 1], [least, 1], color=INK, linestyle="--", linewidth=1, label="as asked")
    axes.errorbar(
        asked, given, yerr=[below, above], color=LINE, marker="o", linewidth=2, capsize=3, label="given, 95 % interval"
    )
    axes.set(xlabel="recall asked for", ylabel="recall given", xlim=(least - margin, 1 + margin))
    axes.set_ylim(least - margin, 1 + margin)
    axes.legend(frameon=False, loc="lower right")
    plain(axes)


def draw_time(axes: Any, points: Sequence[Point], exact: Point | None) -> None:
    by_recall = sorted(points, key=lambda point: (point.recall, point.microseconds))
    recalls, times = [point.recall for point in by_recall], [point.microseconds for point in by_recall]
    axes.plot(recalls, times, color=LINE, marker="o", linewidth=2, label="through the forest")
    if exact:
        label = f"exact: {exact.microseconds:,.0f} µs"
        axes.axhline(exact.microseconds, color=EXACT, linestyle="--", linewidth=1.5, label=label)
    least = min([*recalls, 0.99])
    margin = 0.05 * (1 - least)
    axes.set(xlabel="recall given", ylabel="µs a search", xlim=(least - margin, 1 + margin))
    axes.set_yscale("log")
    all_times = [*times, exact.microseconds] if exact else times
    axes.set_ylim(min(all_times) / 1.5, max(all_times) * 2)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.minorticks_off()
    axes.legend(frameon=False, loc="best")
    plain(axes)


def plain(axes: Any) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(color=QUIET)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
