"""Messages of SQLite's own are given back to it, also where nobody shows them."""

from __future__ import annotations

import apsw
import pytest


def test_a_drop_that_fails_again_and_again_keeps_no_memory(forest):
    db = forest().db
    reading = iter(db.execute("SELECT id FROM v_vectors"))
    next(reading)

    def fail(times: int) -> int:
        for _ in range(times):
            with pytest.raises(apsw.LockedError):
                db.execute("DROP TABLE v")
        return apsw.memory_used()

    before = fail(20)
    assert fail(200) - before < 200 * 16
    del reading
    db.execute("DROP TABLE v")
