"""c_ext/core as a Python object: tests/clibrary.py.

A test that takes `core` fails if memory that it allocated was not freed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clibrary import ROOT, Library, opened

Core = Library
LIBRARY = Path(os.environ.get("SQLITE_ANN_CORE_TEST", ROOT / "build/dev/ann_core_test.so"))

# Every implementation of core/kernel.h, the best on each kind of CPU last.
BACKENDS = ["portable", "avx2", "avx512", "avx512vnni", "neon"]


@pytest.fixture(scope="session")
def core_library() -> Core:
    return opened(LIBRARY, "", ("core",), Path(__file__).with_name("alloc.c"))


@pytest.fixture
def core(core_library: Core) -> Iterator[Core]:
    """The core; every allocation succeeds unless the test says otherwise, and all must be freed at the end."""
    with core_library.counted():
        yield core_library


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
