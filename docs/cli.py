"""Writes docs/CLI.md from what `--help` shows; a test compares the two.

python docs/cli.py
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from sqlite_ann.cli.parser import make_parser

HEAD = """\
# The command line

`sqlite-ann`, or `python -m sqlite_ann`. This page is its `--help`, but for what is the same everywhere: `-h`, `--json`, `--csv`, DB
(the database file) and INDEX (the vector table in it). `python docs/cli.py` writes it.

* An answer is a table for people, by rich on a terminal that has it (`pip install 'sqlite_ann[cli]'`), else aligned text.
  `--json` gives an array of objects, or one object where there is one answer, `--csv` a header and lines, with every digit.
* The exit code is 0, or 1 for what was refused or is wrong, told in one sentence on the error stream, or 2 for misuse.
* `load` adds all vectors or none, and optimizes. Ids that are there are refused, but with `--replace` or `--skip`.
* `plot` needs matplotlib (`pip install 'sqlite_ann[plot]'`), Parquet pyarrow (`'sqlite_ann[arrow]'`), `mcp` its `'sqlite_ann[mcp]'`.
* `map` needs umap-learn (`'sqlite_ann[map]'`, 700 MB), which sees our neighbours, not the vectors, so that every type and metric has a map. The same rows
  give the same places, for which it works in one thread: one core is busy for 10 s with 12,741 songs
  (neighbours 4 s), for 2 minutes with 100,000 texts (24 s), and for 15 s each time before it begins.
  Places are kept in the table `INDEX_map(id, x, y)` and used again until rows come or go; after other changes, `--again`.
  `embedding-atlas FILE --x x --y y --neighbors neighbors` shows what `--export` writes, where neighbours are numbers of rows of the file, from 0.
* `serve` is for this machine alone, and writes nothing. Staves of songs it draws by abcjs, which npm fetches once; else bars.

"""
WIDTH = "100"
SAME = re.compile(
    r" +(-h, --help|--json|--csv|DB|INDEX) +(show this|answer in|the database file$|the vector table in it$)"
)


def text() -> str:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH  # which argparse takes for the width of the terminal
    try:
        parser = make_parser()
        helps = {"sqlite-ann": parser.format_help()}
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                helps |= {command.prog: command.format_help() for command in action.choices.values()}
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return HEAD + "\n".join(f"## {name}\n\n```\n{shortened(shown)}\n```\n" for name, shown in helps.items())


def shortened(shown: str) -> str:
    """Without the lines that are the same everywhere, and headings that then have nothing below them."""
    kept = "\n".join(line for line in shown.splitlines() if not SAME.match(line))
    return re.sub(r"\n(positional arguments|options):\n(?=\n)", "", kept)


if __name__ == "__main__":
    (Path(__file__).parent / "CLI.md").write_text(text(), encoding="utf-8")
