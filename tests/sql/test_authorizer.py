"""What a host's authorizer denies is not answered from memory either."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

SEARCH = "SELECT id FROM ann_search('v', ?, 10)"
QUERY = np.arange(16, dtype="<f4").tobytes()


def denies(table: str, answer: int = apsw.SQLITE_DENY):
    """An authorizer to which reading one column's table is not allowed."""

    def authorize(action, first, second, *_):
        return answer if action == apsw.SQLITE_READ and first == table else apsw.SQLITE_OK

    return authorize


@pytest.mark.parametrize("table", ["v_vectors", "v_pages", "v_config", "v_waiting"])
@pytest.mark.parametrize("transaction", ["", "BEGIN", "BEGIN; DELETE FROM v WHERE rowid = 7"])
def test_a_denial_holds_when_the_answer_is_in_memory(forest, table, transaction):
    db = forest().db
    db.execute("INSERT INTO v(v) VALUES ('warm')")
    db.execute(transaction)
    answer = db.execute(SEARCH, (QUERY,)).fetchall()
    db.authorizer = denies(table)
    for _ in range(2):
        with pytest.raises(apsw.AuthError):
            db.execute(SEARCH, (QUERY,)).fetchall()
    db.authorizer = None
    assert db.execute(SEARCH, (QUERY,)).fetchall() == answer


def test_what_is_to_be_read_as_null_is_not_answered_from_memory(forest):
    db = forest().db
    db.execute(SEARCH, (QUERY,)).fetchall()
    db.authorizer = denies("v_vectors", apsw.SQLITE_IGNORE)
    with pytest.raises(apsw.CorruptError, match=r"row .* that v_vectors lacks|vector .* is damaged"):
        db.execute(SEARCH, (QUERY,)).fetchall()
    db.authorizer = None
    assert len(db.execute(SEARCH, (QUERY,)).fetchall()) == 10


def test_an_authorizer_that_allows_costs_no_memory(forest):
    db = forest().db
    db.execute("INSERT INTO v(v) VALUES ('warm')")
    cached = "SELECT value FROM ann_info('v') WHERE key = 'cache_bytes'"
    kept = db.execute(cached).get
    assert kept > 0
    db.authorizer = lambda *_: apsw.SQLITE_OK
    db.execute("CREATE TEMP TABLE other(x)")
    db.execute(SEARCH, (QUERY,)).fetchall()
    assert db.execute(cached).get == kept
