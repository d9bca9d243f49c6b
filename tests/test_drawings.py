"""The drawings of docs/HOW_IT_WORKS.md are what docs/drawings.py makes of real tables."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from docs import drawings


@pytest.mark.slow
def test_the_drawings_are_what_their_script_makes() -> None:
    made = drawings.drawings()
    assert sorted(made) == sorted(path.name for path in drawings.FOLDER.glob("*"))
    for name, text in made.items():
        stored = (drawings.FOLDER / name).read_text("utf-8")
        assert stored == text, f"{name}: `python -m docs.drawings` writes it anew"


def test_every_drawing_is_small_has_a_white_ground_and_is_on_the_page() -> None:
    page = (drawings.FOLDER.parent / "HOW_IT_WORKS.md").read_text("utf-8")
    for path in drawings.FOLDER.glob("*.svg"):
        root = ElementTree.fromstring(path.read_text("utf-8"))
        ground = root.find("{http://www.w3.org/2000/svg}rect")
        assert ground is not None
        assert (ground.get("width"), ground.get("height"), ground.get("fill")) == (
            root.get("width"),
            root.get("height"),
            "#ffffff",
        ), path
        assert path.stat().st_size < 100_000, path
        assert f"](drawings/{path.name})" in page, path
