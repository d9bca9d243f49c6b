"""A part of c_ext as a Python object: a library that `make build` makes of it, every symbol visible.

Its declarations are the headers' own: what stands between `/* cffi:on */` and `/* cffi:off */`, and every
`#define NAME number`. `library.lib.ann_page_size(page)` calls, `library.ffi.new("AnnPage *")` makes C values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cffi import FFI
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]

DECLARATIONS = re.compile(r"/\* cffi:on \*/(.*?)/\* cffi:off \*/", re.DOTALL)
DEFINE = re.compile(r"^#define +(\w+) +(0[xX][0-9a-fA-F]+|-?\d+)u?[ \t]*(?:/\*.*)?$", re.MULTILINE)
INCLUDE = re.compile(r'^#include "(\w+/\w+\.h)"', re.MULTILINE)


@dataclass(frozen=True)
class Library:
    """The library, the maker of C values, and numpy's memory as pointers."""

    lib: Any
    ffi: FFI

    def pointer(self, array: NDArray[Any], ctype: str = "float *") -> Any:
        """The array's own memory, for as long as the result lives."""
        assert array.flags.c_contiguous
        return self.ffi.from_buffer(ctype.replace("*", "[]"), array)

    def fail_from(self, n: int) -> None:
        """The n-th allocation from now (1 is the next) and all after it fail; 0: none."""
        self.lib.ann_test_fail_from(n)

    def fail_once(self, n: int) -> None:
        """The n-th allocation from now fails, and no other."""
        self.lib.ann_test_fail_once(n)

    @property
    def failed(self) -> int:
        """Allocations that failed since the failing was set: 0 when the work needed fewer than n."""
        return int(self.lib.ann_test_failed())

    @contextmanager
    def counted(self) -> Iterator[Library]:
        """Every allocation succeeds unless a test says otherwise, and all must be freed at the end."""
        self.fail_from(0)
        before = self.lib.ann_test_live()
        yield self
        self.fail_from(0)
        left = self.lib.ann_test_live() - before
        assert left == 0, f"{left} allocations were not freed"


def headers_in_order(folders: tuple[str, ...]) -> list[Path]:
    """All headers of folders of c_ext, each after those it includes."""
    found: list[Path] = []

    def visit(path: Path) -> None:
        for included in INCLUDE.findall(path.read_text("utf-8")):
            visit(ROOT / "c_ext" / included)
        if path not in found:
            found.append(path)

    for folder in folders:
        for path in sorted((ROOT / "c_ext" / folder).glob("*.h")):
            visit(path)
    return found


def declarations(folders: tuple[str, ...], *more: Path) -> str:
    """What cffi reads."""
    texts = [path.read_text("utf-8") for path in [*headers_in_order(folders), *more]]
    defines = {name: value for text in texts for name, value in DEFINE.findall(text)}
    blocks = [block for text in texts for block in DECLARATIONS.findall(text)]
    plain = [re.sub(r"^#.*$", "", block, flags=re.MULTILINE) for block in blocks]
    return "\n".join([f"#define {name} {value}" for name, value in defines.items()] + plain)


def opened(library: Path, types: str, folders: tuple[str, ...], *more: Path) -> Library:
    """The library; `types`: what its headers take from others'."""
    assert library.is_file(), f"{library} is not there: run `make build`"
    ffi = FFI()
    ffi.cdef(types + "\n" + declarations(folders, *more))
    return Library(ffi.dlopen(str(library)), ffi)
