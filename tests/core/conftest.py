"""c_ext/core as a Python object: the library that `make build` makes of it, every symbol visible.

Its declarations are the headers' own: what stands between `/* cffi:on */` and `/* cffi:off */`, and every
`#define NAME number`. A test that takes `core` calls `core.lib.ann_page_size(page)`, makes C values by
`core.ffi.new("AnnPage *")`, and fails if memory that it allocated was not freed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cffi import FFI
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(os.environ.get("SQLITE_ANN_CORE_TEST", ROOT / "build/dev/ann_core_test.so"))

# Every implementation of core/kernel.h, the best on each kind of CPU last.
BACKENDS = ["portable", "avx2", "avx512", "avx512vnni", "neon"]

DECLARATIONS = re.compile(r"/\* cffi:on \*/(.*?)/\* cffi:off \*/", re.DOTALL)
DEFINE = re.compile(r"^#define +(\w+) +(0[xX][0-9a-fA-F]+|-?\d+)u?[ \t]*(?:/\*.*)?$", re.MULTILINE)
INCLUDE = re.compile(r'^#include "(core/\w+\.h)"', re.MULTILINE)


@dataclass(frozen=True)
class Core:
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


def headers_in_order() -> list[Path]:
    """All headers, each after those it includes; then the test allocator."""
    found: list[Path] = []

    def visit(path: Path) -> None:
        for included in INCLUDE.findall(path.read_text("utf-8")):
            visit(ROOT / "c_ext" / included)
        if path not in found:
            found.append(path)

    for path in sorted((ROOT / "c_ext/core").glob("*.h")):
        visit(path)
    return [*found, Path(__file__).with_name("alloc.c")]


def declarations() -> str:
    """What cffi reads."""
    texts = [path.read_text("utf-8") for path in headers_in_order()]
    defines = {name: value for text in texts for name, value in DEFINE.findall(text)}
    blocks = [block for text in texts for block in DECLARATIONS.findall(text)]
    plain = [re.sub(r"^#.*$", "", block, flags=re.MULTILINE) for block in blocks]
    return "\n".join([f"#define {name} {value}" for name, value in defines.items()] + plain)


@pytest.fixture(scope="session")
def core_library() -> Core:
    assert LIBRARY.is_file(), f"{LIBRARY} is not there: run `make build`"
    ffi = FFI()
    ffi.cdef(declarations())
    return Core(ffi.dlopen(str(LIBRARY)), ffi)


@pytest.fixture
def core(core_library: Core) -> Iterator[Core]:
    """The core; every allocation succeeds unless the test says otherwise, and all must be freed at the end."""
    core_library.fail_from(0)
    before = core_library.lib.ann_test_live()
    yield core_library
    core_library.fail_from(0)
    left = core_library.lib.ann_test_live() - before
    assert left == 0, f"{left} allocations were not freed"


@pytest.fixture(params=BACKENDS)
def backend(core: Core, request: pytest.FixtureRequest) -> str:
    """The name of an implementation of core/kernel.h that runs here."""
    if core.lib.ann_kernels_named(request.param.encode()) == core.ffi.NULL:
        pytest.skip(f"{request.param} is not for this machine")
    return str(request.param)


@pytest.fixture
def floats() -> Any:
    """Makes a contiguous float32 array of what it is given."""
    return lambda values: np.ascontiguousarray(values, np.float32)
