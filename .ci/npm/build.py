"""Packages for npm, from the wheels: sqlite-ann, which is the same everywhere, and one with the library for each platform.

    python .ci/npm/build.py WHEELS OUT [LIBRARY]

WHEELS is a folder; each wheel's file name says its platform. LIBRARY stands for the wheel of this machine where
there is none: a library that was built here and needs this machine's C library, good for trying. The packages are what `npm
pack` makes, and are written to OUT beside the folders that they are made of.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LICENSES = sorted(ROOT.glob("LICENSE-*"))


@dataclass(frozen=True)
class Platform:
    """A platform as npm calls it, and as the file names of wheels do."""

    os: str
    cpu: str
    libc: str | None
    wheel: str  # a pattern

    @property
    def package(self) -> str:
        return f"sqlite-ann-{self.os}-{self.cpu}{'-musl' if self.libc == 'musl' else ''}"

    @property
    def library(self) -> str:
        return {"darwin": "sqlite_ann.dylib", "win32": "sqlite_ann.dll"}.get(self.os, "sqlite_ann.so")

    @property
    def is_this(self) -> bool:
        cpu = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), "")
        return (self.os, self.cpu) == (sys.platform, cpu) and self.libc != "musl"


# The libc is said of glibc and musl alike: where only one of two packages says it, npm installs both, or neither.
PLATFORMS = [
    Platform("linux", "x64", "glibc", r"manylinux\w*_x86_64"),
    Platform("linux", "arm64", "glibc", r"manylinux\w*_aarch64"),
    Platform("linux", "arm", "glibc", r"(many)?linux\w*_armv7l"),
    Platform("linux", "riscv64", "glibc", r"(many)?linux\w*_riscv64"),
    Platform("linux", "x64", "musl", r"musllinux\w*_x86_64"),
    Platform("linux", "arm64", "musl", r"musllinux\w*_aarch64"),
    Platform("darwin", "x64", None, r"macosx\w*_x86_64"),
    Platform("darwin", "arm64", None, r"macosx\w*_arm64"),
    Platform("win32", "x64", None, r"win_amd64"),
    Platform("win32", "arm64", None, r"win_arm64"),
]


def library_in(wheels: Path, wanted: Platform) -> bytes | None:
    """What the wheel of this version for a platform has inside, None where there is no such wheel."""
    for wheel in sorted(wheels.glob(f"sqlite_ann-{PROJECT['version']}-*.whl")):
        tags = wheel.stem.split("-")[-1].split(".")
        if any(re.fullmatch(wanted.wheel, tag) for tag in tags):
            with ZipFile(wheel) as files:
                return files.read(f"sqlite_ann/{wanted.library}")
    return None


def manifest(name: str, description: str, **more: object) -> dict[str, object]:
    return {
        "name": name,
        "version": PROJECT["version"],
        "description": description,
        "license": PROJECT["license"],
        **more,
    }


def write_package(folder: Path, described: dict[str, object], files: dict[str, bytes]) -> str:
    """The folder, and the package that npm makes of it, whose name is returned."""
    folder.mkdir(parents=True)
    files |= {path.name: path.read_bytes() for path in LICENSES}
    described = described | {"files": sorted(files)}
    for name, data in (files | {"package.json": json.dumps(described, indent=2).encode() + b"\n"}).items():
        (folder / name).write_bytes(data)
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder.parent), str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main(wheels: Path, out: Path, native: Path | None) -> None:
    for old in out.glob("sqlite-ann*"):  # what was made before, and nothing else of the folder
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    made: list[str] = []
    missing: list[str] = []
    for each in PLATFORMS:
        data = library_in(wheels, each)
        if data is None and each.is_this and native:
            data = native.read_bytes()
            print(f"{each.package} holds the library that was built here: for this machine, not to be published")
        if data is None:
            missing.append(each.package)
            continue
        where = {"os": [each.os], "cpu": [each.cpu]} | ({"libc": [each.libc]} if each.libc else {})
        described = manifest(each.package, f"The library of sqlite-ann for {each.package[11:]}", **where)
        readme = f"# {each.package}\n\nThe library that the package sqlite-ann loads on this platform.\n"
        write_package(out / each.package, described, {each.library: data, "README.md": readme.encode()})
        made.append(each.package)
    if not made:
        sys.exit(f"expected wheels of sqlite_ann in {wheels}, got none: `make wheels` makes them")
    described = manifest(
        "sqlite-ann",
        PROJECT["description"],
        main="index.js",
        types="index.d.ts",
        engines={"node": ">=20"},
        optionalDependencies=dict.fromkeys(made, PROJECT["version"]),
    )
    files = {name: (HERE / name).read_bytes() for name in ("index.js", "index.d.ts", "README.md")}
    write_package(out / "sqlite-ann", described, files)
    for path in sorted(out.glob("*.tgz")):
        print(f"{path.name:40}{path.stat().st_size:>9,} bytes")
    if missing:
        print(f"not made, for want of a wheel: {', '.join(missing)}")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
