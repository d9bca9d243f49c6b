"""All or nothing, inside a transaction that is open or in one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


@contextmanager
def savepoint(db: apsw.Connection) -> Iterator[None]:
    """What is written inside is kept at the end, or undone by an exception.

    apsw's own `with db:` hides the exception where SQLite has already rolled everything back, as it does
    when a write is interrupted or the disk is full.

    >>> db = apsw.Connection(":memory:")
    >>> with savepoint(db):
    ...     _ = db.execute("CREATE TABLE song(title)")
    >>> db.in_transaction
    False
    """
    is_ours = not db.in_transaction
    db.execute("SAVEPOINT sqlite_ann")
    try:
        yield
        db.execute("RELEASE sqlite_ann")
    except BaseException:
        if is_ours and db.in_transaction:
            db.execute("ROLLBACK")  # to release it is to commit, which another connection may refuse
        elif db.in_transaction:
            db.execute("ROLLBACK TO sqlite_ann; RELEASE sqlite_ann")
        raise
