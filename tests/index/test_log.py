"""Lines for SQLite's log, alone: whose they are, and which are not said again."""

from __future__ import annotations

import apsw

from tests.log import log_of

PARTS = """
from tests.index.conftest import LIBRARY, SHADOW_TABLES, Parts, open_library
db = apsw.Connection(":memory:")
db.enable_load_extension(True)
db.load_extension(str(LIBRARY.with_suffix("")), "sqlite3_annindextest_init")
parts = Parts(open_library(), db)
lib, ffi, handle = parts.lib, parts.ffi, parts.handle
"""


def test_a_failure_is_told_again_only_after_another_or_after_news():
    log = log_of(
        PARTS
        + """
lib.ann_log_failure(handle, 267)
for page in (7, 7, 8, 7):
    lib.ann_db_corrupt(handle, b"page", page)
    lib.ann_log_failure(handle, 267)
    lib.ann_db_unsay(handle)
lib.ann_log_news(handle, b"%s took %d rows", ffi.new("char[]", b"optimize"), ffi.cast("int", 12))
lib.ann_db_corrupt(handle, b"page", 7)
lib.ann_log_failure(handle, 267)
"""
    )
    damaged = [(apsw.SQLITE_CORRUPT_VTAB, f"sqlite_ann: main.v: page {n} is damaged; rebuild it") for n in (7, 8, 7)]
    assert log == [*damaged, (apsw.SQLITE_NOTICE, "sqlite_ann: main.v: optimize took 12 rows"), damaged[0]]


def test_a_line_that_is_too_long_is_cut():
    log = log_of(PARTS + 'lib.ann_log_news(handle, b"%s", ffi.new("char[]", b"x" * 1000))')
    ((code, text),) = log
    assert (code, text[:25]) == (apsw.SQLITE_NOTICE, "sqlite_ann: main.v: xxxxx")
    assert len(text) <= 20 + 209
