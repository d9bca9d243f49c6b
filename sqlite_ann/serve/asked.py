"""What stands in a request: each parameter once, known, and within its bounds.

Asked("text=haste&k=20", ("text", "k"))    .text("text")  .count("k", 10)  .ids("id")
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

MOST = 100  # rows of an answer, and ids of a question: as many as a page can show
LONGEST_TEXT = 1000


class Asked:
    """The parameters of one request; what is wrong with them is a ValueError, which the page shows."""

    def __init__(self, query: str, known: tuple[str, ...]) -> None:
        try:
            given = parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=20)
        except ValueError:
            raise ValueError("expected parameters in UTF-8, at most 20 of them") from None
        for name, values in given.items():
            if name not in known:
                raise ValueError(f"expected the parameters {', '.join(known) or '(none)'}, got {name[:40]!r}")
            if len(values) > 1:
                raise ValueError(f"{name}: expected it once, got it {len(values)} times")
        self.given = {name: values[0] for name, values in given.items()}

    def text(self, name: str) -> str:
        text = self.given.get(name, "")
        if "\0" in text or len(text) > LONGEST_TEXT:
            raise ValueError(f"{name}: expected at most {LONGEST_TEXT:,} characters, none of them zero")
        return text

    def count(self, name: str, usual: int) -> int:
        text = self.given.get(name, str(usual))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST:
            raise ValueError(f"{name}: expected a whole number from 1 to {MOST}, got {text[:40]!r}")
        return int(text)

    def ids(self, name: str) -> list[int]:
        """Each once, in the order that they are given in; none where the parameter is not there or is empty."""
        words = [word for word in self.given.get(name, "").split(",") if word]
        if len(words) > MOST:
            raise ValueError(f"{name}: expected at most {MOST} ids, got {len(words):,}")
        ids = [id_ for word in words if (id_ := as_id(word)) is not None]
        if len(ids) < len(words):
            other = next(word for word in words if as_id(word) is None)
            raise ValueError(f"{name}: expected ids of 64 bits with commas between them, got {other[:40]!r}")
        return list(dict.fromkeys(ids))


def as_id(word: str) -> int | None:
    """The id that a word is, None if it is none.

    >>> as_id("-7"), as_id("7.5"), as_id(str(2**63))
    (-7, None, None)
    """
    is_short = re.fullmatch("-?[0-9]{1,19}", word)
    return int(word) if is_short and -(2**63) <= int(word) < 2**63 else None
