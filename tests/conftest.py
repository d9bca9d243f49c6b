"""What every test may ask for: a database with the extension, and numbers that are the same on every run."""

from __future__ import annotations

import doctest
import shutil
import subprocess
from collections.abc import Callable, Iterator
from types import ModuleType

import apsw
import numpy as np
import pytest

import sqlite_ann


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    """An empty database in memory, with the extension."""
    connection = sqlite_ann.connect(":memory:")
    yield connection
    connection.close()


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers from a fixed seed."""
    return np.random.default_rng(20_26)


@pytest.fixture
def run_examples() -> Callable[[ModuleType], None]:
    """Runs the examples in a module's docstrings; the output of those that fail is the message."""

    def run(module: ModuleType) -> None:
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        for example in doctest.DocTestFinder().find(module):
            runner.run(example, out=said.append)
        assert runner.summarize(verbose=False).attempted > 0, f"{module.__name__} has no examples"
        assert not said, "".join(said)

    return run


@pytest.fixture(scope="session")
def stock_shell() -> tuple[str, str]:
    """SQLite's own shell where it is installed and not older than we are for: its program and its version."""
    program = shutil.which("sqlite3")
    if not program:
        pytest.skip("the shell sqlite3 is not installed")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60).stdout.split()[0]
    if tuple(map(int, version.split("."))) < (3, 39):
        pytest.skip(f"the shell is SQLite {version}, older than 3.39")
    return program, version


@pytest.fixture(scope="session")
def column_shell(stock_shell: tuple[str, str]) -> str:
    """The program of that shell, where it prints `.mode column` as the documents show it."""
    program, version = stock_shell
    if tuple(map(int, version.split("."))) >= (3, 52):
        pytest.skip(f"the shell is SQLite {version}: from 3.52, columns are aligned otherwise")
    return program
