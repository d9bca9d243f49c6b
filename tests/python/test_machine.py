"""A library of another platform is refused by one sentence that says so, whatever the linker says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pysqlite3
import pytest

import sqlite_ann
from sqlite_ann import machine
from sqlite_ann.extension import SUFFIX
from sqlite_ann.machine import foreign, made_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the library is changed as an ELF file")
ARM, RISCV = 183, 243

CONNECT = "import sqlite_ann\ntry: sqlite_ann.connect(':memory:')\nexcept sqlite_ann.Error as error: print(error)"


def test_examples(run_examples):
    run_examples(machine)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of our library, where the package looks for it; returns its path."""
    path = tmp_path / f"sqlite_ann{SUFFIX}"
    path.write_bytes(Path(sqlite_ann.loadable_path() + SUFFIX).read_bytes())
    monkeypatch.setenv("SQLITE_ANN_EXTENSION", str(path))
    return path


@pytest.fixture
def other(library):
    """The same, made into one of another processor."""
    data = bytearray(library.read_bytes())
    data[18:20] = (RISCV if data[18] == ARM else ARM).to_bytes(2, "little")
    library.write_bytes(data)
    return library


def test_connect_says_what_the_library_is_for_and_what_runs(other):
    with pytest.raises(sqlite_ann.Error) as caught:
        sqlite_ann.connect(":memory:")
    ours = made_for(sys.executable)
    assert ours
    assert re.fullmatch(
        f"expected a compiled extension for {ours}, got one for 64-bit (ARM|RISC-V) on Linux with (glibc|musl) in "
        f"{re.escape(str(other))}: install the wheel of this platform, or compile it from the sources",
        str(caught.value),
    )


def test_another_driver_is_told_the_same_and_stays_as_it_was(other):
    connection = pysqlite3.connect(":memory:")
    with pytest.raises(sqlite_ann.Error, match="expected a compiled extension for"):
        sqlite_ann.load(connection)
    with pytest.raises(pysqlite3.OperationalError, match="not authorized"):
        connection.execute("SELECT load_extension('x')")


def test_a_file_that_is_no_library_is_left_to_the_linker(tmp_path, monkeypatch):
    path = tmp_path / f"sqlite_ann{SUFFIX}"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    monkeypatch.setenv("SQLITE_ANN_EXTENSION", str(path))
    with pytest.raises(sqlite_ann.Error, match=r"invalid ELF header|file too short"):
        sqlite_ann.connect(":memory:")


HEADERS = {
    "x86-64 on macOS": b"\xcf\xfa\xed\xfe\x07\0\0\x01",
    "64-bit ARM on macOS": b"\xcf\xfa\xed\xfe\x0c\0\0\x01",
    "x86-64 on Windows": b"MZ".ljust(60, b"\0") + b"\x40\0\0\0PE\0\0\x64\x86",
    "64-bit ARM on Windows": b"MZ".ljust(60, b"\0") + b"\x40\0\0\0PE\0\0\x64\xaa",
    "32-bit ARM on Linux with glibc": b"\x7fELF\x01".ljust(18, b"\0") + b"\x28\0" + b"\0libc.so.6\0",
    "64-bit RISC-V on Linux with musl": b"\x7fELF\x02".ljust(18, b"\0") + b"\xf3\0" + b"\0libc.so\0",
}


@pytest.mark.parametrize("platform", HEADERS)
def test_every_platform_with_a_wheel_is_told_by_its_header(tmp_path, platform):
    path = tmp_path / "library"
    path.write_bytes(HEADERS[platform])
    assert made_for(str(path)) == platform
    assert f"got one for {platform} in {path}" in str(foreign(str(path)))


@pytest.mark.parametrize(
    "data", [b"", b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe\0\0\0\x02", b"\x7fELF\x02".ljust(20, b"\0")]
)
def test_of_anything_else_nothing_is_claimed(tmp_path, data):
    path = tmp_path / "library"
    path.write_bytes(data)
    assert made_for(str(path)) is None
    assert foreign(str(path)) is None


def test_our_own_library_is_not_foreign():
    assert made_for(sqlite_ann.loadable_path() + SUFFIX) == made_for(sys.executable)


@pytest.mark.parametrize("size", [0, 40, 64, 4000, 100_000])
def test_a_library_that_was_copied_in_part_is_refused_and_does_not_end_the_process(library, size):
    library.write_bytes(library.read_bytes()[:size])
    done = subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = done.stdout.strip()
    assert f"got the first {size:,} bytes of one in {library}" in told if size else "file too short" in told, told
    assert not told.startswith("unable to open")
