"""Which state of a table was read: the same while the file is the same, or the table is."""

from __future__ import annotations

import apsw
import pytest

from tests.index.conftest import Parts


def now(parts: Parts):
    return parts.lib.ann_snapshot_now(parts.handle, parts.state)


def is_same(parts: Parts, then, now_) -> bool:
    return bool(parts.lib.ann_snapshot_is_same(parts.ffi.addressof(then), parts.ffi.addressof(now_)))


def test_of_no_state_nothing_is_the_same(parts):
    assert not is_same(parts, parts.ffi.new("AnnSnapshot *")[0], now(parts))


@pytest.mark.parametrize("touched", ["pages_sum", "history", None])
def test_another_file_is_the_same_table_if_both_of_its_numbers_are(parts, tmp_path, touched):
    """Another connection commits: the number of the file is another."""
    path = str(tmp_path / "a.db")
    parts.db.execute("ATTACH ? AS other", (path,))  # an AnnDb of the file that two write to
    parts.db.execute("CREATE TABLE other.t(x)")
    db = parts.made("AnnDb", parts.lib.ann_db_new, parts.lib.ann_db_free, parts.lib.ann_test_handle(), b"other", b"v")

    def look():
        parts.rows("SELECT * FROM other.t")
        return parts.lib.ann_snapshot_now(db, parts.state)

    before = look()
    assert before.knows_file
    assert is_same(parts, before, look())
    apsw.Connection(path).execute("INSERT INTO t VALUES (1)")
    if touched:
        setattr(parts.state, touched, 5)
    after = look()
    assert after.file != before.file
    assert is_same(parts, before, after) == (touched is None)


def test_counters_are_not_asked_when_the_file_is_the_same(parts):
    """The table's numbers may have changed in memory, without a commit."""
    before = now(parts)
    parts.state.pages_sum = 5
    assert is_same(parts, before, now(parts))


def test_what_was_read_in_a_write_transaction_is_another_state_outside(parts):
    """Its rollback leaves the number of the file as it was."""
    with pytest.raises(ZeroDivisionError), parts.db:
        parts.db.execute("INSERT INTO v_pages VALUES (1, NULL)")
        inside = now(parts)
        assert inside.in_write
        assert is_same(parts, inside, now(parts))
        raise ZeroDivisionError
    outside = now(parts)
    assert (outside.file, outside.in_write) == (inside.file, 0)
    assert not is_same(parts, inside, outside)
    assert is_same(parts, outside, now(parts))
