"""Change an ann table by hand, as damage or another program would: for tests of what is noticed.

    page(db, table, number, edit)   the bytes of a stored page, sealed again
    state(db, table, rows=3)        counters
    sums(db, table, pages)          what says that the table's content is another

The database is an open connection; the shadow tables are written like any other table.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import apsw

from tests import oracle
from tests.arithmetic import MASK


def page(
    db: apsw.Connection, table: str, number: int, edit: Callable[[bytearray], object], *, seal: bool = True
) -> None:
    """Edit the stored bytes of a page; the checksum is made right again unless told otherwise."""
    data = bytearray(db.execute(f'SELECT data FROM "{table}_pages" WHERE id = ?', (number,)).get)
    before = bytes(data)
    edit(data)
    stored = oracle.sealed(bytes(data)) if seal else bytes(data)
    db.execute(f'UPDATE "{table}_pages" SET data = ? WHERE id = ?', (stored, number))
    terms = [
        oracle.page_term(number, struct.unpack_from("<Q", it, 32)[0]) if len(it) >= 40 else 0 for it in (before, stored)
    ]
    sums(db, table, terms[1] - terms[0], 0)


def state(db: apsw.Connection, table: str, **values: int) -> None:
    """Give counters other values; root0 … root7 are the roots."""
    blob = bytearray(db.execute(f'SELECT value FROM "{table}_config" WHERE id = 2').get)
    for key, value in values.items():
        if key.startswith("root"):
            struct.pack_into("<I", blob, 64 + 4 * int(key.removeprefix("root")), value)
        else:
            struct.pack_into("<q", blob, 8 * oracle.STATE.index(key), value)
    db.execute(f'UPDATE "{table}_config" SET value = ? WHERE id = 2', (bytes(blob),))


def sums(db: apsw.Connection, table: str, pages: int, history: int = 1) -> None:
    """Say that the content of pages, or anything else, is another: connections then forget what they have read."""
    blob = bytearray(db.execute(f'SELECT value FROM "{table}_config" WHERE id = 2').get)
    for at, more in ((96, pages), (104, history)):
        struct.pack_into("<Q", blob, at, (struct.unpack_from("<Q", blob, at)[0] + more) & MASK)
    db.execute(f'UPDATE "{table}_config" SET value = ? WHERE id = 2', (bytes(blob),))
