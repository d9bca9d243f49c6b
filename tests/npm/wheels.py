"""Stand-ins for the wheels of all platforms, with a few bytes in the place of the library: wheels.py FOLDER.

Beside each is one of an older version, which is to be left alone.
"""

import sys
import tomllib
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

VERSION = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["version"]

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for tag, suffix in TAGS.items():
    for version, inside in (("0.0.0", "an older one"), (VERSION, tag)):
        with ZipFile(folder / f"sqlite_ann-{version}-py3-none-{tag}.whl", "w") as wheel:
            wheel.writestr(f"sqlite_ann/sqlite_ann.{suffix}", inside)
