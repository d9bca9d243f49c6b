"""abcjs, which draws staves: fetched once, by npm, into the folder of downloads, and no other file than the one known.

fetched(say)    its bytes, or why there are none
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..demo.corpus import cache_folder

PACKAGE = "abcjs@6.7.2"
MEMBER = "package/dist/abcjs-basic-min.js"
SHA256 = "3290ef44c918d5e882029d3a47ad3dd63c16c8819da5abe921f3d1e642b4f4f0"
SECONDS = 30  # to wait for the network


def fetched(say: Callable[[str], None]) -> tuple[bytes | None, str]:
    """The file, from the cache or else from npm; without it, the reason."""
    try:
        place = cache_folder() / f"{PACKAGE.replace('@', '-')}.js"
        if place.is_file() and is_known(found := place.read_bytes()):
            return found, ""
        npm = shutil.which("npm")
        if npm is None:
            return None, "npm is not installed"
        say(f"Fetching {PACKAGE}, which draws notes, into {place.parent}")
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            found = packed(npm, Path(folder))
            if not is_known(found):
                return None, f"npm gave another {PACKAGE} than the known one"
            unfinished = Path(folder) / place.name
            unfinished.write_bytes(found)
            unfinished.replace(place)
        return found, ""
    except ImportError as error:  # of what finds the folder
        return None, str(error)
    except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError) as error:
        return None, f"npm could not fetch {PACKAGE}: {last_words(error)}"


def packed(npm: str, folder: Path) -> bytes:
    """The one file, out of the package as npm packs it; nothing of it is run."""
    command = [npm, "pack", PACKAGE, "--pack-destination", str(folder), "--ignore-scripts", "--silent",
               "--fetch-retries=0", f"--fetch-timeout={1000 * SECONDS}"]  # fmt: skip
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=2 * SECONDS)
    with tarfile.open(next(folder.glob("*.tgz"), folder / "no package")) as package:
        member = package.extractfile(MEMBER)
        return member.read() if member else b""


def is_known(found: bytes) -> bool:
    return hashlib.sha256(found).hexdigest() == SHA256


def last_words(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):  # what it said until then comes as bytes
        return str(error)
    said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return said[-1] if said else "it said nothing"
