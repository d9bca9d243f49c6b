"""pip, without a network, chooses the right wheel for each machine, and none for those that have none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.tags import mac_platforms

from tests.wheels.conftest import WHEELS


def linux(processor: str, newest: int, oldest: int = 5) -> list[str]:
    """What a machine with glibc 2.newest can run, newest first, as PEP 600 has it."""
    tags = [f"manylinux_2_{minor}_{processor}" for minor in range(newest, oldest - 1, -1)]
    return [*tags, f"manylinux2014_{processor}", f"linux_{processor}"] if newest >= 17 else tags


HOSTS = {
    "manylinux2014_x86_64": {
        "Debian 12, x86-64": linux("x86_64", 36),
        "CentOS 7, x86-64": linux("x86_64", 17),
    },
    "manylinux2014_aarch64": {"Debian 12, 64-bit ARM": linux("aarch64", 36, 17)},
    "manylinux2014_armv7l": {"Raspberry Pi OS, 32 bits": linux("armv7l", 36, 17)},
    "manylinux_2_31_riscv64": {"Debian 13, RISC-V": linux("riscv64", 41, 17)},
    "musllinux_1_2_x86_64": {
        "Alpine 3.20, x86-64": ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64", "musllinux_1_0_x86_64", "linux_x86_64"]
    },
    "musllinux_1_2_aarch64": {
        "Alpine 3.20, 64-bit ARM": ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64", "musllinux_1_0_aarch64"]
    },
    "macosx_10_13_x86_64": {
        "macOS 10.13, x86-64": list(mac_platforms((10, 13), "x86_64")),
        "macOS 15, x86-64": list(mac_platforms((15, 0), "x86_64")),
    },
    "macosx_11_0_arm64": {
        "macOS 11, Apple's": list(mac_platforms((11, 0), "arm64")),
        "macOS 15, Apple's": list(mac_platforms((15, 0), "arm64")),
    },
    "win_amd64": {"Windows, x86-64": ["win_amd64"]},
    "win_arm64": {"Windows, ARM": ["win_arm64"]},
}
WITHOUT = {
    "glibc 2.12": linux("x86_64", 12),
    "32-bit x86": linux("i686", 36),
    "Alpine, 32-bit ARM": ["musllinux_1_2_armv7l"],
    "macOS 10.12": list(mac_platforms((10, 12), "x86_64")),
    "32-bit Windows": ["win32"],
}


def choose(platforms: list[str], folder: Path) -> tuple[list[str], str]:
    """What pip takes for a machine that can run these, and what it says."""
    options = ["--no-index", "--find-links", str(WHEELS), "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    options += [f"--platform={platform}" for platform in platforms]
    command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "download", *options]
    done = subprocess.run([*command, "sqlite_ann"], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1)
    return [path.name for path in folder.iterdir()] if folder.is_dir() else [], done.stderr


def test_pip_chooses_the_wheel_of_the_platform(tag, wheel, note, tmp_path):
    for host, platforms in HOSTS[tag].items():
        chosen, said = choose(platforms, tmp_path / host)
        assert chosen == [wheel.name], f"{host}: {said}"
    note("chosen by pip", "; ".join(HOSTS[tag]))


@pytest.mark.parametrize("host", WITHOUT)
def test_a_machine_without_a_wheel_gets_none_of_another(host, tmp_path):
    chosen, said = choose(WITHOUT[host], tmp_path / "chosen")
    assert chosen == []
    assert "No matching distribution found for sqlite_ann" in said


def test_what_pip_installs_here_is_found_and_loaded_by_the_package(tmp_path):
    """A user's first minute, on the machine that the wheels were made on."""
    options = ["--no-index", "--find-links", str(WHEELS), "--no-deps", "--target", str(tmp_path / "installed")]
    subprocess.run([sys.executable, "-m", "pip", "--isolated", "install", "-q", *options, "sqlite_ann"], check=True)
    code = "import sqlite_ann; print(sqlite_ann.__file__, sqlite_ann.connect(':memory:').execute('SELECT ann_version()').get)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQLITE_ANN")}
    environment["PYTHONPATH"] = str(tmp_path / "installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    version = next(WHEELS.glob("*.tar.gz")).name.removeprefix("sqlite_ann-").removesuffix(".tar.gz")
    assert done.stdout.split() == [str(tmp_path / "installed/sqlite_ann/__init__.py"), version], done.stderr
