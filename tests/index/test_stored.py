"""Every stored page in order of its number, whatever is in memory and whatever is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.index.conftest import Parts, Table

L = 256  # components of a rotated vector of eight
LAST_ID = 2**63 - 1


def stored(parts: Parts, length: int = L) -> Iterator[Any]:
    """Each is good until the next is asked for."""
    each, found = parts.ffi.new("AnnStoredPage *"), parts.ffi.new("int *")
    while True:
        assert parts.lib.ann_stored_next(parts.handle, length, each, found) == 0
        if not found[0]:
            return
        yield each


@pytest.fixture
def filled(parts: Parts, forest: Any) -> Table:
    """The pages of a forest of vectors of eight components, in the shadow tables of `parts`."""
    table: Table = forest()
    parts.db.executemany("INSERT INTO v_pages VALUES (?, ?)", table.db.execute("SELECT id, data FROM v_pages"))
    return table


def test_all_pages_come_once_in_order_and_as_the_oracle_reads_them(parts, filled):
    index = filled.index
    pages = [(number, index.page(number)) for number in sorted(index.pages)]
    found = [(each.number, each.is_valid, each.page.tree, each.page.n) for each in stored(parts)]
    assert found == [(number, 1, page.tree, page.n) for number, page in pages]
    assert len(found) > 20


def test_a_damaged_page_is_told_and_does_not_end_the_walk(parts, filled):
    n = len(filled.index.pages)
    parts.db.execute("UPDATE v_pages SET data = substr(data, 1, 100) WHERE id = 3")
    parts.db.execute("UPDATE v_pages SET data = NULL WHERE id = 5")
    found = {each.number: (each.is_valid, each.bytes) for each in stored(parts)}
    assert (len(found), found[3], found[5]) == (n, (0, 100), (0, 0))
    assert sum(is_valid for is_valid, _ in found.values()) == n - 2


def test_a_number_that_no_page_can_have_makes_it_invalid(parts, filled):
    for wrong in (-(2**63), 0, 2**32, LAST_ID):
        parts.db.execute("INSERT INTO v_pages SELECT ?, data FROM v_pages WHERE id = 1", (wrong,))
    found = [each.number for each in stored(parts) if not each.is_valid]
    assert found == [-(2**63), 0, 2**32, LAST_ID]


def test_pages_of_points_of_another_length_are_not_valid(parts, filled):
    assert not any(each.is_valid for each in stored(parts, 2 * L))


def test_a_walk_that_ends_before_the_end_owns_nothing_and_goes_nowhere(parts, filled):
    each, found = parts.ffi.new("AnnStoredPage *"), parts.ffi.new("int *")
    for _ in range(2):
        assert parts.lib.ann_stored_next(parts.handle, L, each, found) == 0
    assert found[0]
    parts.lib.ann_stored_end(each)
    assert parts.lib.ann_stored_next(parts.handle, L, each, found) == 0
    assert not found[0]


@pytest.mark.parametrize("n", range(1, 4))
def test_an_allocation_that_fails_ends_the_walk(parts, filled, n):
    each, found = parts.ffi.new("AnnStoredPage *"), parts.ffi.new("int *")
    parts.library.fail_once(n)
    for _ in range(n):
        rc = parts.lib.ann_stored_next(parts.handle, L, each, found)
    assert (rc, found[0]) == (7, 0)
    parts.library.fail_from(0)
    parts.lib.ann_stored_end(each)
