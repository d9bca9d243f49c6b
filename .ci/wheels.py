"""Makes the source distribution, and from it the wheels of every platform, on any one of them.

    python .ci/wheels.py                            all, into build/wheels
    python .ci/wheels.py macosx_11_0_arm64          the source distribution and this one
    python .ci/wheels.py --out elsewhere win_amd64

Run by `make wheels` in an environment with what wheels.txt lists.  The same commit, the same wheels.txt and the same
SQLite headers give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import ziglang

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"

# The tag of a wheel, and what Zig calls the platform. Of Linux the number in both is the oldest glibc: for 64-bit RISC-V
# it is the one of Debian 11, with which others' wheels begin. Of macOS it is the oldest release.
PLATFORMS = {
    "manylinux2014_x86_64.manylinux_2_17_x86_64": "x86_64-linux-gnu.2.17",
    "manylinux2014_aarch64.manylinux_2_17_aarch64": "aarch64-linux-gnu.2.17",
    "manylinux2014_armv7l.manylinux_2_17_armv7l": "arm-linux-gnueabihf.2.17",
    "manylinux_2_31_riscv64": "riscv64-linux-gnu.2.31",
    "musllinux_1_2_x86_64": "x86_64-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-linux-musl",
    "macosx_10_13_x86_64": "x86_64-macos.10.13",
    "macosx_11_0_arm64": "aarch64-macos.11.0",
    "win_amd64": "x86_64-windows-gnu",
    "win_arm64": "aarch64-windows-gnu",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help="tags, or their beginnings: all by default")
    parser.add_argument("--out", type=Path, default=BUILD / "wheels", metavar="FOLDER")
    args = parser.parse_args()
    wanted = [tag for tag in PLATFORMS if not args.platforms or tag.startswith(tuple(args.platforms))]
    if not wanted:
        parser.error(f"expected some of {', '.join(PLATFORMS)}")
    out = args.out.resolve()
    work = out.with_name(out.name + "-work")
    shutil.rmtree(work, ignore_errors=True)
    set_environment()
    for old in [*out.glob("sqlite_ann-*.tar.gz"), *([] if args.platforms else out.glob("sqlite_ann-*.whl"))]:
        old.unlink()
    build("--sdist", "--outdir", str(out), str(ROOT))
    source = unpack(next(out.glob("sqlite_ann-*.tar.gz")), work)
    headers = copy_headers(work / "sqlite")
    for tag in wanted:
        started = time.monotonic()
        wheel = make_wheel(tag, source, headers, out)
        print(f"{wheel.name}  {wheel.stat().st_size:,} bytes  {time.monotonic() - started:.0f} s", flush=True)
    shutil.rmtree(work)


def set_environment() -> None:
    """For all that is run: Zig on PATH, its cache beside us, the date of the commit as the date of every file."""
    os.environ["PATH"] = os.pathsep.join([str(Path(ziglang.__file__).parent), os.environ["PATH"]])
    os.environ["ZIG_GLOBAL_CACHE_DIR"] = os.environ["ZIG_LOCAL_CACHE_DIR"] = str(BUILD / "zig-cache")
    if "SOURCE_DATE_EPOCH" not in os.environ:
        committed = subprocess.check_output(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], text=True)
        os.environ["SOURCE_DATE_EPOCH"] = committed.strip()


def build(*arguments: str) -> None:
    """Run the builder, and show what it says only when it fails."""
    command = [sys.executable, "-m", "build", "--no-isolation", *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        sys.exit(f"{run.stdout}\n{' '.join(command)} failed")


def unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return next(folder.iterdir())


def copy_headers(folder: Path) -> Path:
    """SQLite's two headers in a folder of their own: beside them in /usr/include are those of this machine's C library."""
    installed = Path(os.environ.get("SQLITE3_INCLUDE_DIR", "/usr/include"))
    folder.mkdir()
    for name in ("sqlite3.h", "sqlite3ext.h"):
        shutil.copy(installed / name, folder)
    return folder


def make_wheel(tag: str, source: Path, headers: Path, out: Path) -> Path:
    defines = {
        "CMAKE_TOOLCHAIN_FILE": ROOT / ".ci/zig.cmake",
        "ZIG_TARGET": PLATFORMS[tag],
        "SQLITE3_INCLUDE_DIR": headers,
        "ANN_WERROR": "ON",
    }
    settings = {
        "wheel.tags": ";".join(f"py3-none-{one}" for one in tag.split(".")),
        "build-dir": f"build/{tag}",
        "install.strip": "false",  # the linker did; `strip` of this machine knows no other's files
        **{f"cmake.define.{name}": value for name, value in defines.items()},
    }
    options = [f"--config-setting={name}={value}" for name, value in settings.items()]
    build("--wheel", "--outdir", str(out), *options, str(source))
    return next(out.glob(f"*-py3-none-{tag}.whl"))


if __name__ == "__main__":
    main()
