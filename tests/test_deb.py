"""The Debian package: what is in it, that lintian finds no fault, and that Debian's SQLite loads it by its name alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import sqlite_ann
from sqlite_ann.extension import SUFFIX
from tests.documents import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("dpkg-shlibdeps") is None, reason="needs dpkg-dev"),
    pytest.mark.slow,
]


def build(out: Path) -> Path:
    who_and_when = {"DEBFULLNAME": "A Builder", "DEBEMAIL": "builder@debian.org", "SOURCE_DATE_EPOCH": "1800000000"}
    command = [ROOT / ".ci/deb/build", sqlite_ann.loadable_path() + SUFFIX, out]
    subprocess.run(command, env={**os.environ, **who_and_when}, check=True, capture_output=True, timeout=120)
    (package,) = out.glob("*.deb")
    return package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb") / "out")


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", package, name], capture_output=True, text=True, check=True).stdout.strip()


def test_its_fields_say_what_it_is(package: Path):
    assert field(package, "Package") == "libsqlite3-mod-ann"
    assert field(package, "Version") == sqlite_ann.__version__
    assert field(package, "Maintainer") == "A Builder <builder@debian.org>"
    assert field(package, "Depends").startswith("libc6 (>= 2.")
    assert package.name == f"libsqlite3-mod-ann_{sqlite_ann.__version__}_{field(package, 'Architecture')}.deb"


def test_twice_is_the_same_to_the_byte(package: Path, tmp_path: Path):
    (tmp_path / "another.txt").write_text("which is kept")
    assert build(tmp_path).read_bytes() == build(tmp_path).read_bytes() == package.read_bytes()
    assert (tmp_path / "another.txt").exists()


def test_sqlite_loads_it_by_its_name(package: Path, tmp_path: Path, stock_shell: tuple[str, str]):
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    (library,) = tmp_path.glob("usr/lib/*/sqlite_ann.so")
    search = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}  # where Debian's loader looks by itself
    command = [stock_shell[0], ":memory:", "-cmd", ".load sqlite_ann", "SELECT ann_version()"]
    ran = subprocess.run(command, env=search, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == (f"{sqlite_ann.__version__}\n", "")


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
def test_lintian_finds_no_fault(package: Path):
    command = ["lintian", "--allow-root", "--fail-on", "error,warning", package]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert (ran.returncode, ran.stdout) == (0, "")
