"""The figures of docs/COMPARED.md are those that were measured."""

from __future__ import annotations

import re

from tests.documents import ROOT, text_under

PAGE = ROOT / "docs" / "COMPARED.md"
MEASURED = [ROOT / "docs/FIGURES.md", ROOT / "docs/MEASUREMENTS.md"]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables, without what is in brackets."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[re.sub(r" \(.*?\)", "", cell.strip()) for cell in line.strip("|").split("|")] for line in lines]


def test_every_line_of_figures_is_one_of_the_measurements() -> None:
    measured = [row for path in MEASURED for row in rows(path.read_text("utf-8"))]
    for heading, n in (("How fast are they?", 8), ("How big can it get?", 9)):
        said = rows(text_under(PAGE, heading))
        assert len(said) > 3
        for row in said[1:]:
            assert len(row) == n
            assert [other for other in measured if row in (other[:n], other[1:])], row
