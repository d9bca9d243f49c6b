"""The wheels in build/wheels, taken apart; and a table at the end: what each is, who chose it, and where it was run.

`make test` has not what these tests need, and leaves them out; `make test-wheels` makes it.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.wheels.machines import MACHINES, ROOT

collect_ignore_glob = [] if find_spec("lief") else ["test_*.py"]

WHEELS = ROOT / "build/wheels"
COLUMNS = ["size", "binary", "exported", "glibc", "chosen by pip", "loaded", "dbhash"]
TABLE = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = defaultdict(dict)


@pytest.fixture(params=MACHINES)
def tag(request: pytest.FixtureRequest) -> str:
    """The beginning of the tag of each wheel that there is to be."""
    return request.param


@pytest.fixture
def wheel(tag: str) -> Path:
    (path,) = WHEELS.glob(f"*-py3-none-{tag}*.whl")
    return path


@pytest.fixture
def library(wheel: Path, tmp_path: Path) -> Path:
    """The compiled file in a wheel, alone in a folder."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith((".so", ".dylib", ".dll"))]
        path = tmp_path / Path(name).name
        path.write_bytes(archive.read(name))
    return path


@pytest.fixture
def note(request: pytest.FixtureRequest, tag: str) -> Callable[[str, object], None]:
    """Write into the table at the end: a column, and what stands there for this wheel."""

    def write(column: str, text: object) -> None:
        request.config.stash[TABLE][tag][column] = str(text)

    return write


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if not table:
        return
    rows = [
        ["wheel", *COLUMNS],
        *([tag, *(table[tag].get(c, "–") for c in COLUMNS)] for tag in MACHINES if tag in table),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    terminalreporter.write_sep("-", "wheels")
    for row in rows:
        terminalreporter.write_line(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
