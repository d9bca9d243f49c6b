"""The platforms that have a wheel, and on which of them this machine can run one: itself, under an emulator, under Wine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ROOT / "build/shells"


@dataclass(frozen=True)
class Machine:
    """Where a wheel is run: what stands before the program, and what has to be there for it."""

    name: str  # as the table at the end shows it
    target: str  # the folder of its shell below build/shells
    runner: list[str] = field(default_factory=list)
    folder: str = "/"  # the C library of that platform
    package: str = ""  # Debian's, that brings runner and folder

    def missing(self) -> str | None:
        """Why nothing can be run, as a reason for a test that is skipped."""
        if self.runner and not shutil.which(self.runner[0]):
            return f"there is no {self.runner[0]} (Debian: {self.package})"
        if not Path(self.folder).exists():
            return f"there is no {self.folder} (Debian: {self.package})"
        return None

    def run(self, script: str, folder: Path) -> str:
        """What the shell prints of a script, run in a folder that has the library, on its new file songs.db."""
        program = SHELLS / self.target / ("sqlite3.exe" if "windows" in self.target else "sqlite3")
        command = [*self.runner, str(program), "-cmd", ".load ./sqlite_ann", "songs.db"]
        environment = {**os.environ, "WINEPREFIX": str(ROOT / "build/wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
        done = subprocess.run(
            command, input=script.encode(), cwd=folder, env=environment, capture_output=True, timeout=1200
        )
        said = done.stdout.decode().replace("\r\n", "\n")
        assert done.returncode == 0, f"{said}\n{done.stderr.decode()}"  # Wine says things there when all is well
        return said


def emulated(target: str, processor: str, folder: str, package: str) -> Machine:
    runner = [f"qemu-{processor}-static", "-L", folder]
    return Machine(f"qemu-{processor}", target, runner, folder, f"qemu-user-static {package}")


MUSL_ARM64 = str(SHELLS / "aarch64-linux-musl")
WINE = "/usr/lib/wine/wine64"  # Debian's wine64 puts nothing on PATH
HERE = Machine("here", "x86_64-linux-gnu.2.17")

# By the beginning of a wheel's tag. None: compiled, and run by nobody here.
MACHINES = {
    "manylinux2014_x86_64": HERE,
    "manylinux2014_aarch64": emulated(
        "aarch64-linux-gnu.2.17", "aarch64", "/usr/aarch64-linux-gnu", "libc6-arm64-cross"
    ),
    "manylinux2014_armv7l": emulated(
        "arm-linux-gnueabihf.2.17", "arm", "/usr/arm-linux-gnueabihf", "libc6-armhf-cross"
    ),
    "manylinux_2_31_riscv64": emulated(
        "riscv64-linux-gnu.2.31", "riscv64", "/usr/riscv64-linux-gnu", "libc6-riscv64-cross"
    ),
    "musllinux_1_2_x86_64": Machine("here, musl", "x86_64-linux-musl", [], "/lib/ld-musl-x86_64.so.1", "musl"),
    "musllinux_1_2_aarch64": emulated("aarch64-linux-musl", "aarch64", MUSL_ARM64, "musl:arm64"),
    "macosx_10_13_x86_64": None,
    "macosx_11_0_arm64": None,
    "win_amd64": Machine("wine64", "x86_64-windows-gnu", [WINE], package="wine64"),
    "win_arm64": None,
}
