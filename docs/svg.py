"""A sheet of white paper, and what is drawn on it, as SVG text: the same calls give the same bytes.

sheet = Sheet(960, 400)
left = sheet.plot((60, 40, 400, 300), x=(0, 10), y=(0, 1), title="recall")
left.dots([(1, 0.5), (2, 0.7)], BLUE)
sheet.write(path)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

Point = tuple[float, float]

INK, GREY, PALE = "#222222", "#777777", "#c9c9c9"
BLUE, ORANGE, GREEN, RED = "#1f6fb2", "#d9822b", "#2e8b57", "#c0392b"
LIGHT_BLUE, LIGHT_ORANGE, LIGHT_GREEN, LIGHT_RED = "#d6e6f5", "#fbe6cf", "#d5ecdf", "#f7d9d5"
FONT = "font-family='Helvetica, Arial, sans-serif'"


def number(value: float) -> str:
    """With one digit behind the point at most, and no minus before a 0."""
    text = f"{value:.1f}"
    return text.removesuffix(".0").replace("-0", "0") if float(text) == 0 else text.removesuffix(".0")


class Sheet:
    """The whole picture; places are in pixels from its upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.lines = [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' {FONT}>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
        ]

    def path(self, d: str, *, fill: str = "none", stroke: str = "none", width: float = 1, more: str = "") -> None:
        self.lines.append(f"<path d='{d}' fill='{fill}' stroke='{stroke}' stroke-width='{width}' {more}/>")

    def line(
        self, points: Sequence[Point], stroke: str = INK, width: float = 1, dashes: str = "", *, arrow: bool = False
    ) -> None:
        self.path("M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), stroke=stroke, width=width,
                  more=f"stroke-dasharray='{dashes}'" if dashes else "")  # fmt: skip
        if arrow:
            (ax, ay), (bx, by) = points[-2:]
            size = 7 / max(((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5, 1)
            dx, dy = (bx - ax) * size, (by - ay) * size
            self.polygon([(bx, by), (bx - dx - dy / 2, by - dy + dx / 2), (bx - dx + dy / 2, by - dy - dx / 2)], stroke)

    def polygon(self, points: Iterable[Point], fill: str, stroke: str = "none", width: float = 1) -> None:
        self.path(
            "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + "Z", fill=fill, stroke=stroke, width=width
        )

    def box(self, x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> None:
        self.lines.append(
            f"<rect x='{number(x)}' y='{number(y)}' width='{number(width)}' height='{number(height)}' fill='{fill}' stroke='{stroke}'/>"
        )

    def dots(self, points: Iterable[Point], colour: str, size: float = 3) -> None:
        """Many of one colour: a line of no length each, with round ends."""
        d = "".join(f"M{number(x)} {number(y)}h0" for x, y in points)
        if d:
            self.path(d, stroke=colour, width=size, more="stroke-linecap='round'")

    def ring(self, x: float, y: float, radius: float, stroke: str, width: float = 1.2, fill: str = "none") -> None:
        self.lines.append(
            f"<circle cx='{number(x)}' cy='{number(y)}' r='{radius}' fill='{fill}' stroke='{stroke}' stroke-width='{width}'/>"
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 13,
        colour: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        weight = " font-weight='bold'" if bold else ""
        for i, row in enumerate(text.split("\n")):
            self.lines.append(
                f"<text x='{number(x)}' y='{number(y + i * size * 1.3)}' font-size='{size}' fill='{colour}' text-anchor='{anchor}'{weight}>{escape(row)}</text>"
            )

    def label(self, x: float, y: float, text: str, colour: str = INK) -> None:
        """A number in a white disc, its middle at (x, y)."""
        self.ring(x, y, 9, colour, 1.2, "#ffffff")
        self.text(x, y + 4, text, size=11, colour=colour, anchor="middle", bold=True)

    def plot(self, box: tuple[float, float, float, float], x: Point, y: Point, title: str = "") -> Plot:
        return Plot(self, box, x, y, title)

    def svg(self) -> str:
        return "\n".join([*self.lines, "</svg>", ""])

    def write(self, path: Path) -> None:
        path.write_text(self.svg(), encoding="utf-8")


class Plot:
    """A part of a sheet with axes of its own: x to the right, y upwards."""

    def __init__(self, sheet: Sheet, box: tuple[float, float, float, float], x: Point, y: Point, title: str) -> None:
        self.sheet, self.x, self.y = sheet, x, y
        self.left, self.top, self.width, self.height = box
        if title:
            sheet.text(self.left, self.top - 14, title, size=14, bold=True)

    def at(self, x: float, y: float) -> Point:
        """Where a point of the data is on the sheet."""
        return (
            self.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * self.width,
            self.top + self.height - (y - self.y[0]) / (self.y[1] - self.y[0]) * self.height,
        )

    def all(self, points: Iterable[Sequence[float]]) -> list[Point]:
        return [self.at(float(x), float(y)) for x, y in points]

    def frame(self) -> None:
        self.sheet.box(self.left, self.top, self.width, self.height, "none", GREY)

    def ticks_x(self, ticks: Sequence[tuple[float, str]], name: str = "") -> None:
        for value, text in ticks:
            x, _ = self.at(value, self.y[0])
            bottom = self.top + self.height
            self.sheet.line([(x, bottom), (x, bottom + 4)], GREY)
            self.sheet.text(x, bottom + 17, text, size=12, anchor="middle")
        self.sheet.text(
            self.left + self.width / 2, self.top + self.height + 36, name, size=12, anchor="middle", colour=GREY
        )

    def ticks_y(self, ticks: Sequence[tuple[float, str]], name: str = "") -> None:
        for value, text in ticks:
            _, y = self.at(self.x[0], value)
            self.sheet.line([(self.left - 4, y), (self.left, y)], GREY)
            self.sheet.text(self.left - 8, y + 4, text, size=12, anchor="end")
        self.sheet.text(self.left - 8, self.top - 14, name, size=12, anchor="end", colour=GREY)

    def dots(self, points: Iterable[Sequence[float]], colour: str, size: float = 3) -> None:
        self.sheet.dots(self.all(points), colour, size)

    def line(
        self,
        points: Iterable[Sequence[float]],
        colour: str,
        width: float = 1.5,
        dashes: str = "",
        *,
        arrow: bool = False,
    ) -> None:
        self.sheet.line(self.all(points), colour, width, dashes, arrow=arrow)

    def polygon(self, points: Iterable[Sequence[float]], fill: str, stroke: str = "#ffffff", width: float = 1) -> None:
        self.sheet.polygon(self.all(points), fill, stroke, width)

    def ring(self, x: float, y: float, radius: float, colour: str, width: float = 1.2, fill: str = "none") -> None:
        self.sheet.ring(*self.at(x, y), radius, colour, width, fill)

    def label(self, x: float, y: float, text: str, colour: str = INK) -> None:
        self.sheet.label(*self.at(x, y), text, colour)
