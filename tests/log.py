"""What SQLite's log is told while a script runs: a process of its own, for a listener has to be there before SQLite starts."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.documents import ROOT

LISTEN = """
import json, sys
import apsw
apsw.config(apsw.SQLITE_CONFIG_LOG, lambda code, text: print(json.dumps((code, text)), file=sys.stderr))
import numpy as np
import sqlite_ann
rng = np.random.default_rng(7)
"""


def log_of(script: str) -> list[tuple[int, str]]:
    """(code, line) of everything, SQLite's own lines too."""
    done = subprocess.run(
        [sys.executable, "-c", LISTEN + script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stderr.splitlines()]


def ours(log: list[tuple[int, str]]) -> list[str]:
    """The lines of sqlite_ann, without its name."""
    return [text.removeprefix("sqlite_ann: ") for _, text in log if text.startswith("sqlite_ann: ")]
