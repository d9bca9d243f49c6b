"""Files that a command writes: whole, or not at all.

check_folder(path)      before anything else is done
whole(path)             where to write what becomes the file
undated(suffix)         what keeps the time out of a picture
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def undated(suffix: str) -> dict[str, Any]:
    """Settings by which the file does not say when it was made."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
