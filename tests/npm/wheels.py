"""Stand-ins for the wheels of all platforms, with a few bytes in the place of the library: wheels.py FOLDER."""

import sys
from pathlib import Path
from zipfile import ZipFile

TAGS = {
    "manylinux_2_17_x86_64.manylinux2014_x86_64": "so",
    "manylinux_2_17_aarch64.manylinux2014_aarch64": "so",
    "manylinux_2_17_armv7l.manylinux2014_armv7l": "so",
    "manylinux_2_31_riscv64": "so",
    "musllinux_1_2_x86_64": "so",
    "musllinux_1_2_aarch64": "so",
    "macosx_10_13_x86_64": "dylib",
    "macosx_11_0_arm64": "dylib",
    "win_amd64": "dll",
    "win_arm64": "dll",
}

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for tag, suffix in TAGS.items():
    with ZipFile(folder / f"sqlite_ann-0.0.0-py3-none-{tag}.whl", "w") as wheel:
        wheel.writestr(f"sqlite_ann/sqlite_ann.{suffix}", tag)
