"""The real server in a process of its own, and a browser that notes whatever is wrong on a page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

PICTURES = Path(__file__).parents[2] / "build" / "page"
FIGURES: dict[str, str] = {}  # what a test has measured, for the table at the end
ALL_DRAWN = "() => document.querySelectorAll('#near li .lines, #near li .sentence').length >= 10"


@contextmanager
def served(database: Path, *options: str, **environment: str) -> Iterator[str]:
    """Runs `sqlite-ann serve` on any free port; gives its address."""
    command = [sys.executable, "-m", "sqlite_ann", "serve", str(database), "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment
    )
    try:
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if address := re.search(r"http://[\d.]+:\d+/", line):
                yield address[0]
                break
        else:
            pytest.fail(f"the server ended: {''.join(said)}")
    finally:
        process.terminate()
        process.communicate(timeout=30)


class Watched:
    """Pages of a browser, none of which may write an error, open a dialog, or ask anything of another server."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.contexts: list[Any] = []
        self.wrong: list[str] = []
        self.n_requests = 0

    def open(
        self, url: str, *, watched: bool = True, instead: dict[str, dict[str, Any]] | None = None, **options: Any
    ) -> Any:
        """A page at this address, in a window of its own; `instead` has answers in the place of the server's."""
        context = self.browser.new_context(**{"viewport": {"width": 1320, "height": 1000}, **options})
        context.set_default_timeout(60_000)
        self.contexts.append(context)
        page = context.new_page()
        own = urlsplit(url).netloc

        def asked(request: Any) -> None:
            self.n_requests += 1
            if urlsplit(request.url).netloc != own:
                self.wrong.append(f"asked for {request.url}")

        def opened(dialog: Any) -> None:
            self.wrong.append(f"a dialog: {dialog.message}")
            dialog.dismiss()

        context.on("request", asked)
        page.on("dialog", opened)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        if watched:
            page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        for path, answer in (instead or {}).items():
            page.route(f"**{path}", lambda route, request, answer=answer: route.fulfill(**answer))
        page.goto(url)
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()


def start(playwright: Any) -> Any:
    """The system's Chromium, which must be there: without it nothing here is tested."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "chromium is not installed"
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=program, args=arguments)


def picture(page: Any, name: str, **options: Any) -> Path:
    """What the page looks like, for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path, **options)
    return path
