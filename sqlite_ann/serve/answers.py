"""The answers to what the page asks, as JSON has them.

    Answers(db, chart_db, shown)    .about  .find  .near  .recommend  .row  .chart

Two connections, which read; each answers one question after the other, whichever thread asks it. The map has one of its
own, since that of a million rows takes seconds.
"""

from __future__ import annotations

import json
from math import isfinite
from threading import Lock
from typing import Any

import apsw

from ..errors import translated
from ..recommendation import as_items
from .chart import chart_of
from .melody import LONGEST, melody_of
from .shown import Shown
from .statements import Ran, Statements, run

LONGEST_SHOWN, LONGEST_TEXT = 200, 2000  # characters of a value in a list, and of a row that is looked at
LARGEST = 2**53 - 1  # JavaScript's largest safe integer: what is beyond goes as text


class Answers:
    def __init__(
        self,
        db: apsw.Connection,
        chart_db: apsw.Connection,
        shown: Shown,
        abcjs: bool = False,
        why_no_abcjs: str = "",
    ) -> None:
        self.db, self.chart_db, self.shown, self.statements = db, chart_db, shown, Statements(shown)
        self.abcjs, self.why_no_abcjs = abcjs, why_no_abcjs
        self.lock, self.chart_lock = Lock(), Lock()
        # The last map, and the version of the file that it is of.
        self.chart_at: tuple[int, dict[str, Any]] | None = None

    @translated()
    def about(self) -> dict[str, Any]:
        shown = self.shown
        with self.lock:
            told = dict(
                self.db.execute("SELECT key, value FROM ann_info(?) WHERE key IN ('rows', 'metric')", (shown.index,))
            )
        return {
            "database": shown.file,
            "index": shown.index,
            "table": None if shown.table == shown.index else shown.table,
            "show": list(shown.show),
            **told,
            "melodies": bool(shown.notes),
            "abcjs": self.abcjs,
            "why_no_abcjs": self.why_no_abcjs or None,
        }

    @translated()
    def find(self, text: str, k: int) -> dict[str, Any]:
        with self.lock:
            ran = run(self.db, *self.statements.find(text, k))
        return listed(ran, [{"id": plain(id_), "show": briefly(show)} for id_, *show in ran.rows])

    @translated()
    def near(self, id_: int, k: int) -> dict[str, Any]:
        with self.lock, self.db:
            self.refuse_lacking([id_])
            ran = run(self.db, *self.statements.near(id_, k))
        return listed(ran, found(ran))

    @translated()
    def recommend(self, like: list[int], dislike: list[int], k: int) -> dict[str, Any]:
        items = as_items(like, dislike)
        with self.lock, self.db:
            self.refuse_lacking([*like, *dislike])
            ran = run(self.db, *self.statements.recommend(items, k))
        return listed(ran, found(ran))

    def refuse_lacking(self, ids: list[int]) -> None:
        lacking = self.db.execute(self.statements.lacking(), {"ids": json.dumps(ids)}).get
        if lacking is not None:
            raise LookupError(f"{self.shown.index} has no row {lacking}")

    @translated()
    def row(self, ids: list[int]) -> dict[str, Any]:
        """All that there is to read of some rows, in the order that they are asked for."""
        sql = self.statements.row(
            dict.fromkeys(self.shown.columns, LONGEST_TEXT + 1) | dict.fromkeys(self.shown.notes, LONGEST + 1)
        )
        rows = []
        with self.lock, self.db:
            for id_ in ids:
                found = self.db.execute(sql, {"id": id_}).get
                rows.append(self.whole(*found) if found else self.unknown(id_))
        return {"rows": rows}

    def whole(self, id_: int, *values: Any) -> dict[str, Any]:
        show, values = values[: len(self.shown.show)], values[len(self.shown.show) :]
        kept = dict(zip((*self.shown.columns, *self.shown.notes), values, strict=True))
        abc = kept.get("abc") if self.shown.notes else None
        try:
            melody, fault = melody_of(kept.get("melody")) if self.shown.notes else None, None
        except ValueError as error:
            melody, fault = None, f"{self.shown.table}, row {id_}: {error}"
        return {
            "id": plain(id_),
            "show": briefly(show),
            "text": {name: plain(kept[name]) for name in self.shown.columns},
            "abc": abc if isinstance(abc, str) and 0 < len(abc) <= LONGEST else None,
            "melody": melody,
            "fault": fault,
        }

    def unknown(self, id_: int) -> dict[str, Any]:
        """A row that the index has and the table not, as another program may leave it; the rows near it are shown all the same."""
        show, fault = [None] * len(self.shown.show), f"{self.shown.table} has no row {id_}"
        return {"id": plain(id_), "show": show, "text": {}, "abc": None, "melody": None, "fault": fault}

    @translated()
    def chart(self) -> dict[str, Any]:
        """The map, which is made anew only after somebody has written."""
        with self.chart_lock:
            version = int(self.chart_db.execute("PRAGMA data_version").get)
            if self.chart_at is None or self.chart_at[0] != version:
                made = chart_of(self.chart_db, self.shown)
                self.chart_at = version, {**made, "ids": list(map(plain, made["ids"]))}
            chart = self.chart_at[1]
        return chart

    def close(self) -> None:
        with self.lock, self.chart_lock:
            self.db.close()
            self.chart_db.close()


def listed(ran: Ran, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rows": rows, "sql": ran.sql, "ms": ran.ms}


def found(ran: Ran) -> list[dict[str, Any]]:
    return [{"id": plain(id_), "show": briefly(show), "distance": plain(distance)} for id_, *show, distance in ran.rows]


def briefly(values: Any) -> list[Any]:
    return [plain(value, LONGEST_SHOWN) for value in values]


def plain(value: Any, longest: int = LONGEST_TEXT) -> Any:
    """A value as JSON and JavaScript can hold it; long text is cut.

    >>> plain(2**53), plain(b"123"), plain("abcdef", 3), plain(1e400)
    ('9007199254740992', '3 bytes', 'abc…', None)
    """
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + "…"
    if isinstance(value, float):
        return value if isfinite(value) else None
    return str(value) if isinstance(value, int) and abs(value) > LARGEST else value
