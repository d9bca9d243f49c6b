"""The notes that a row keeps, as JSON: [[pitch, duration], …], MIDI numbers and quarter notes."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

LONGEST = 200_000  # characters of JSON; the longest tune of the demo has 6,337
LONGEST_NOTE = 64  # quarter notes; the demo's have 16 at most


def melody_of(text: Any) -> dict[str, Any] | None:
    """The melody for the page, None where there is none. Another program may have written it: a ValueError says so.

    >>> melody_of("[[60,1],[62,0.5]]")
    {'pitches': [60, 62], 'durations': [1, 0.5], 'unit': 'quarters'}
    """
    if text is None or text == "":
        return None
    try:
        notes = json.loads(text) if isinstance(text, str) and len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, list) or not all(map(is_note, notes)):
        raise ValueError(f"melody: expected JSON of notes, [[pitch, duration], …], got {str(text)[:40]!r}")
    return {"pitches": [pitch for pitch, _ in notes], "durations": [time for _, time in notes], "unit": "quarters"}


def is_note(note: Any) -> bool:
    if not isinstance(note, list) or len(note) != 2:
        return False
    pitch, duration = note
    is_pitch = type(pitch) is int and 0 <= pitch <= 127
    return is_pitch and type(duration) in (int, float) and isfinite(duration) and 0 < duration <= LONGEST_NOTE
