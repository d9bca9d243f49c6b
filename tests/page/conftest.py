"""The demo's songs, small databases, their servers and the browser; at the end of a run a table of what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sqlite_ann
from tests.page import browser as browsers

SCRIPT = "<script>document.title = 'run'; alert(1)</script><img src=x onerror=alert(2)>"
SCALE = "X:1\nT:{title}\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n"
TEXTS = ["A boat is mended by the harbour.", "The bread rises while the oven warms.", "Snow falls on the quiet road."]


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """songs.db of the demo; the corpus is fetched the first time."""
    from sqlite_ann.demo import run

    path = tmp_path_factory.mktemp("songs") / "songs.db"
    run.run(str(path), quiet=True)
    return path


@pytest.fixture(scope="session")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tunes: the second's title is HTML, the third has notes but no ABC that can be drawn, the fourth is broken."""
    path = tmp_path_factory.mktemp("strange") / "strange.db"
    melody = json.dumps([[60 + i, 0.5] for i in (0, 2, 4, 5, 7, 9, 11, 12)])
    rows = []
    for i in range(1, 13):
        title = {2: SCRIPT, 3: "No staves", 4: "Broken"}.get(i, f"Scale {i}")
        abc = "X:1\nT:no music" if i in (3, 4) else SCALE.format(title=title)
        rows.append((i, title, "A book", abc, "not JSON" if i == 4 else melody, np.array([i, 1, 0], "<f4").tobytes()))
    with sqlite_ann.connect(path) as db:
        db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, book TEXT, abc TEXT, melody TEXT, v BLOB)")
        db.executemany("INSERT INTO song VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.execute("CREATE VIRTUAL TABLE song_ann USING ann(v float32[3], metric=l2, content=song)")
    db.close()
    return path


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty documents and no notes."""
    path = tmp_path_factory.mktemp("texts") / "texts.db"
    rng = np.random.default_rng(5)
    rows = [
        (i, f"Page {i}", ("Ada", "Bo", "Cy")[i % 3], 1990 + i % 30, " ".join(TEXTS[(i + j) % 3] for j in range(5)))
        for i in range(1, 61)
    ]
    with sqlite_ann.connect(path) as db:
        db.execute("CREATE TABLE doc(id INTEGER PRIMARY KEY, title TEXT, author TEXT, year INTEGER, body TEXT, v BLOB)")
        vectors = rng.standard_normal((len(rows), 8)).astype("<f4")
        db.executemany(
            "INSERT INTO doc VALUES (?, ?, ?, ?, ?, ?)",
            [(*row, v.tobytes()) for row, v in zip(rows, vectors, strict=True)],
        )
        db.execute("CREATE VIRTUAL TABLE doc_ann USING ann(v float32[8], metric=l2, content=doc)")
    db.close()
    return path


@pytest.fixture(scope="session")
def url(songs: Path) -> Iterator[str]:
    """Where the songs are served, with abcjs."""
    with browsers.served(songs) as address:
        yield address


@pytest.fixture(scope="session")
def roll_url(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where they are served without abcjs: nothing in the cache, and no npm."""
    with browsers.served(songs, PATH="", SQLITE_ANN_DATA=str(tmp_path_factory.mktemp("empty"))) as address:
        yield address


@pytest.fixture(scope="session")
def strange_url(strange: Path) -> Iterator[str]:
    with browsers.served(strange) as address:
        yield address


@pytest.fixture(scope="session")
def texts_url(texts: Path) -> Iterator[str]:
    with browsers.served(texts) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = browsers.start(playwright)
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[browsers.Watched]:
    """Opens pages; whatever went wrong on one of them fails the test."""
    watched = browsers.Watched(chromium)
    yield watched
    watched.close()
    n_before = int(browsers.FIGURES.get("requests, all to the server's own port", "0").replace(",", ""))
    browsers.FIGURES["requests, all to the server's own port"] = f"{n_before + watched.n_requests:,}"
    assert watched.wrong == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not browsers.FIGURES:
        return
    terminalreporter.write_sep("-", "page")
    width = max(map(len, browsers.FIGURES))
    for what, figure in browsers.FIGURES.items():
        terminalreporter.write_line(f"{what:{width}}  {figure}")
