"""A bar for work that takes a while, where `rich` is installed; else on a terminal what the work is, and once about rich."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

Report = Callable[[int, int], None]  # (rows done, rows in all)


@contextmanager
def reporting(progress: bool | Report, title: str) -> Iterator[Report]:
    """What to call as work goes on: for True a bar on the error stream, for False nothing, else what was given.

    >>> with reporting(print, "counting") as report:
    ...     report(1, 2)
    1 2
    """
    if callable(progress):
        yield progress
    elif progress:
        yield from _bar(title)
    else:
        yield lambda _done, _total: None


def _bar(title: str) -> Iterator[Report]:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        if sys.stderr.isatty():
            tell_of_rich()
            print(f"{title} …", file=sys.stderr)
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@cache
def tell_of_rich() -> None:
    """Once in a process."""
    print("a progress bar needs rich: pip install 'sqlite_ann[cli]'", file=sys.stderr)
