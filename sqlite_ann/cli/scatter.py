"""What `sqlite-ann map` draws: a dot for each row, coloured by a column, and the names of some.

draw(places, title, path, color, label)     an .svg, .png or .pdf file, whole or not at all
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answer import written
from .output import undated, whole

try:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke
except ImportError:
    raise ImportError("map needs the package matplotlib: pip install 'sqlite_ann[map]'") from None

# For names, the commonest first; neighbours in the list stay apart for all kinds of eyes.
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#332288", "#999933", "#882255", "#44aa99",
    "#8c564b", "#f0c808",
)  # fmt: skip
INK, QUIET = "#222222", "#c4c4c4"
CELLS = 5  # the picture is cut into so many columns and rows; each with enough of the dots has one that is named
LONGEST = 30  # letters of a name

Values = Sequence[Any]
Places = NDArray[np.float64]


def draw(places: Places, title: str, path: Path, color: tuple[str, Values] | None, label: Values | None) -> None:
    places = within(places)
    # The same bytes for the same places; warnings are of letters that the font lacks, which become boxes.
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "sqlite_ann", "font.size": 10}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(11, 8.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.set_title(title, loc="left", color=INK, parse_math=False)
        # Directions and distances from afar mean nothing, so that there is nothing to read from an axis.
        axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        axes.spines[:].set_visible(False)
        if color:
            draw_colored(figure, axes, places, *color)
        else:
            dots(axes, places, COLORS[0], len(places))
        if label:
            draw_labels(figure, axes, places, label)
        with whole(path) as unfinished:
            figure.savefig(unfinished, format=path.suffix[1:], dpi=150, metadata=undated(path.suffix))


def within(places: Places) -> Places:
    """With the few that are far from all others, for which these would be small, at the edge instead."""
    low, high = np.percentile(places, (0.2, 99.8), axis=0)
    margin = 0.05 * (high - low).max()
    return np.clip(places, low - margin, high + margin)


# --- dots ----------------------------------------------------------------------------------------


def dots(axes: Any, places: Places, colors: Any, n_all: int, **more: Any) -> Any:
    """In an order of chance, so that no colour hides another because it comes last."""
    order = np.random.default_rng(0).permutation(len(places))
    size = min(40.0, max(1.2, 70_000 / n_all))
    if not isinstance(colors, str):
        colors = np.asarray(colors)[order]
    return axes.scatter(*places[order].T, c=colors, s=size, linewidths=0, alpha=0.8, rasterized=True, **more)


def draw_colored(figure: Any, axes: Any, places: Places, name: str, values: Values) -> None:
    numbers = as_numbers(values)
    if numbers is None:
        draw_names(axes, places, name, values)
        return
    is_known = np.isfinite(numbers)
    dots(axes, places[~is_known], QUIET, len(places))
    low, high = np.percentile(numbers[is_known], (1, 99))  # so that a few far numbers do not take all colours
    shown = dots(axes, places[is_known], numbers[is_known], len(places), cmap="viridis", vmin=low, vmax=high)
    beyond = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}
    known = numbers[is_known]
    extend = beyond[int(known.min() < low), int(known.max() > high)]
    bar = figure.colorbar(shown, ax=axes, shrink=0.5, extend=extend)
    bar.set_label(written(name), parse_math=False)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)


def as_numbers(values: Values) -> NDArray[np.float64] | None:
    """Numbers for a bar, NaN where there is none; None for names, as whole numbers are where they are few."""
    known = {value for value in values if value is not None}
    is_numbers = bool(known) and all(isinstance(value, int | float) for value in known)
    if not is_numbers or (len(known) <= len(COLORS) and all(isinstance(value, int) for value in known)):
        return None
    return np.array([math.nan if value is None else value for value in values], np.float64)


def draw_names(axes: Any, places: Places, name: str, values: Values) -> None:
    counts = Counter(value for value in values if value is not None)
    n_named = len(COLORS) if len(counts) <= len(COLORS) else len(COLORS) - 1
    named = sorted(counts, key=lambda value: (-counts[value], str(value)))[:n_named]
    color_of = dict(zip(named, COLORS, strict=False))
    dots(axes, places, [color_of.get(value, QUIET) for value in values], len(places))
    lines = [(cut(value, n_last=LONGEST // 2), counts[value], color_of[value]) for value in named]
    n_others, n_without = sum(counts.values()) - sum(n for _, n, _ in lines), len(values) - sum(counts.values())
    lines += [(f"{len(counts) - len(named):,} others", n_others, QUIET)] if n_others else []
    lines += [(f"no {written(name)}", n_without, QUIET)] if n_without else []
    handles = [axes.scatter([], [], c=shade, s=40, linewidths=0, label=f"{text} ({n:,})") for text, n, shade in lines]
    legend = axes.legend(
        handles=handles, title=written(name), loc="upper left", bbox_to_anchor=(1, 1), frameon=False, alignment="left"
    )
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)


# --- names of some -------------------------------------------------------------------------------


def draw_labels(figure: Any, axes: Any, places: Places, label: Values) -> None:
    """Of those that would stand on each other, the first is shown."""
    figure.draw_without_rendering()  # gives everything its place
    renderer, boxes = figure.canvas.get_renderer(), [text.get_window_extent() for text in axes.texts]
    frame = axes.get_window_extent()
    middle = axes.get_xlim()[0] / 2 + axes.get_xlim()[1] / 2
    named: list[int] = []
    for i in spread(places, np.array([value is not None and value != "" for value in label])):
        is_left = places[i, 0] > middle  # written towards the middle, where there is room
        text = axes.annotate(
            cut(label[i]), places[i], xytext=(-5 if is_left else 5, 0), textcoords="offset points", fontsize=9,
            ha="right" if is_left else "left", va="center", color=INK, parse_math=False,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        box = text.get_window_extent(renderer)
        if any(box.overlaps(other) for other in boxes) or not frame.contains(box.x0, box.y0):
            text.remove()
            continue
        boxes.append(box)
        named.append(i)
    # Only now, since a dot more would move the others until they are drawn again.
    axes.scatter(*places[named].T, s=16, c=INK, edgecolors="white", linewidths=0.8, zorder=3)


def spread(places: Places, is_named: NDArray[np.bool_]) -> Iterator[int]:
    """In each part of the picture that has enough of the dots, that in their midst; the fullest part first."""
    low, high = places.min(axis=0), places.max(axis=0)
    cells = np.minimum((CELLS * (places - low) / np.maximum(high - low, 1e-9)).astype(int), CELLS - 1)
    cell = cells[:, 0] * CELLS + cells[:, 1]
    counts = np.bincount(cell, minlength=CELLS**2)
    for n in np.argsort(-counts, kind="stable"):
        inside = np.flatnonzero((cell == n) & is_named)
        if counts[n] >= len(places) / 1000 and len(inside):
            away = np.abs(places[inside] - np.median(places[inside], axis=0)).sum(axis=1)
            yield int(inside[np.argmin(away)])


def cut(value: Any, n_last: int = 0) -> str:
    """A text that is not too long; its last letters are kept where what sets names apart may be there.

    >>> cut("The Soldier's Joy -- A Hornpipe of Old"), cut("Europa, Mitteleuropa, Deutschland, Pommern", 15)
    ("The Soldier's Joy -- A Hornpi…", 'Europa, Mittel…chland, Pommern')
    """
    text = written(value)
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 1 - n_last].rstrip() + "…" + text[len(text) - n_last :]
