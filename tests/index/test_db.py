"""One table's handle, alone: statements of its shadow tables, and the sentence of the first failure."""

from __future__ import annotations

import pytest


def test_a_statement_is_prepared_once_and_reads_its_table(parts):
    lib, ffi, rc = parts.lib, parts.ffi, parts.ffi.new("int *")
    parts.db.execute("INSERT INTO v_pages VALUES (7, x'01')")
    assert lib.ann_db_prepared(parts.handle, lib.ANN_STMT_PAGE_NEXT) == ffi.NULL
    stmt = lib.ann_db_stmt(parts.handle, lib.ANN_STMT_PAGE_NEXT, rc)
    assert lib.ann_db_stmt(parts.handle, lib.ANN_STMT_PAGE_NEXT, rc) == stmt
    assert lib.ann_db_prepared(parts.handle, lib.ANN_STMT_PAGE_NEXT) == stmt
    row = ffi.new("int *")
    assert (lib.ann_db_step(parts.handle, stmt, row), row[0]) == (0, 0)  # unbound: no id is above NULL


def test_every_statement_compiles(parts):
    lib, rc = parts.lib, parts.ffi.new("int *")
    for which in range(lib.ANN_N_STMTS):
        assert lib.ann_db_stmt(parts.handle, which, rc) != parts.ffi.NULL, which


def test_the_first_sentence_is_kept_until_it_is_taken_back(parts):
    lib = parts.lib
    assert lib.ann_db_corrupt(parts.handle, b"page", 7) == lib.ANN_CORRUPT
    lib.ann_db_corrupt(parts.handle, b"page", 8)
    assert parts.ffi.string(lib.ann_db_cause(parts.handle)) == b"page 7 is damaged; rebuild it"
    assert parts.sentence == "ann table v: page 7 is damaged; rebuild it"
    assert (parts.sentence, lib.ann_db_cause(parts.handle)) == (None, parts.ffi.NULL)
    lib.ann_db_fail_in(parts.handle, 1, b"column", b"e", b"expected a vector")
    assert parts.ffi.string(lib.ann_db_cause(parts.handle)) == b"expected a vector"
    assert parts.sentence == "ann table v, column e: expected a vector"


def test_a_missing_table_is_told_in_sqlites_words(parts):
    rc = parts.ffi.new("int *")
    parts.db.execute("DROP TABLE v_pages")
    assert parts.lib.ann_db_stmt(parts.handle, parts.lib.ANN_STMT_PAGE_GET, rc) == parts.ffi.NULL
    assert (rc[0], parts.sentence) == (1, "ann table v: no such table: main.v_pages")


def test_statements_of_the_new_name_follow_a_rename(parts):
    lib, rc = parts.lib, parts.ffi.new("int *")
    lib.ann_db_stmt(parts.handle, lib.ANN_STMT_VECTOR_MAX, rc)
    parts.db.execute("ALTER TABLE v_vectors RENAME TO w_vectors")
    assert lib.ann_db_rename(parts.handle, b"w") == 0
    assert lib.ann_db_stmt(parts.handle, lib.ANN_STMT_VECTOR_MAX, rc) != parts.ffi.NULL
    assert lib.ann_db_corrupt(parts.handle, b"page", 1) == lib.ANN_CORRUPT
    assert parts.sentence == "ann table w: page 1 is damaged; rebuild it"


def test_an_interrupt_is_noticed(parts):
    assert parts.lib.ann_db_tick(parts.handle) == 0
    parts.db.set_progress_handler(lambda: True, 1)
    assert parts.lib.ann_db_tick(parts.handle) == parts.lib.ANN_INTERRUPT
    parts.db.set_progress_handler(None)
    assert parts.sentence == "ann table v: interrupted"


def test_changes_are_counted_and_can_be_taken_back(parts):
    lib = parts.lib
    lib.ann_db_changed(parts.handle)
    lib.ann_db_changed(parts.handle)
    assert lib.ann_db_changes(parts.handle) == 2
    lib.ann_db_unchanged(parts.handle, 1)
    assert lib.ann_db_changes(parts.handle) == 1


@pytest.mark.parametrize("n", [1, 2])
def test_without_memory_there_is_no_handle(parts, n):
    out = parts.ffi.new("AnnDb **")
    parts.library.fail_from(n)
    rc = parts.lib.ann_db_new(parts.lib.ann_test_handle(), b"main", b"v", out)
    parts.library.fail_from(0)
    if rc == 0:
        parts.lib.ann_db_free(out[0])
    assert rc == (7 if n == 1 else 0)  # the names are SQLite's memory
