"""Reads tunes written in ABC notation: header fields, and the melody as pitches and durations.

    split_tunes(text)         the tunes of a file, one text each                O(length)
    read_tune(text)           one tune: fields, key, metre, pitches, durations   O(length)
    read_key("E Minor")       the name of a key and what it does to each letter
    read_metre("C|")          "2/2"

A tune is its first voice, played once: repeats and endings are not unrolled. A chord gives its top note; tied
notes are one note; grace notes, ornaments, slurs, chord symbols, annotations and words are left out; triplets
and dotted pairs (``>``) change durations. Accidentals hold to the end of the bar, in every octave (ABC 2.1), and
over a bar line for a note that is tied.

Nothing is guessed: a character or a key that is not understood makes the tune unreadable, with a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile

# Where each letter lies above the C that begins its octave, in semitones.
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MIDDLE_C = 60

# Sharps (+) or flats (-) of the major key on each letter, and what each mode adds.
FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
SHARPS_IN_ORDER = "FCGDAEB"
MODES = {
    "maj": ("major", 0), "ion": ("ionian", 0), "lyd": ("lydian", 1), "mix": ("mixolydian", -1),
    "dor": ("dorian", -2), "min": ("minor", -3), "m": ("minor", -3), "aeo": ("aeolian", -3),
    "phr": ("phrygian", -4), "loc": ("locrian", -5),
}  # fmt: skip
KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)(.*)", re.DOTALL)
KEY_ACCIDENTAL = re.compile(r"(\^\^?|__?|=)([A-Ga-g])")
ALTER = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}

# (p: p notes in the time of q (ABC 2.1, section 4.13); 5, 7 and 9 depend on the metre.
TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}

FIELD_LINE = re.compile(r"([A-Za-z+]):(?![|:])(.*)")
NOTE = re.compile(r"(\^\^?|__?|=)?([A-Ga-g])([,']*)(\d*/*\d*)")
TOKEN = re.compile(
    r"""
      (?P<note>    (?P<accidental>\^\^?|__?|=)? (?P<letter>[A-Ga-g]) (?P<octave>[,']*) (?P<length>\d*/*\d*) )
    | (?P<ending>  (?:(?<=[|:])|\[) \d+ (?:[,.-]\d+)* )
    | (?P<field>   \[ (?P<name>[A-Za-z]) : (?P<value>[^\]]*) \] )
    | (?P<bar>     \[\| | \|\] | [|:\]] )
    | (?P<chord>   \[ (?P<inside>[^\[\]|:]+) \] (?P<chord_length>\d*/*\d*) )
    | (?P<tuplet>  \( (?P<p>\d+) (?: : (?P<q>\d*) (?: : (?P<r>\d*) )? )? )
    | (?P<skipped> (?: [\s`\\] | \((?!\d) | [).~yH-Wh-w] | "[^"]*" | !\w+! | \{[^}]*\} | [!*] )+ )
    | (?P<broken>  >+ | <+ )
    | (?P<tie>     - )
    | (?P<rest>    [zxZX] \d* /* \d* )
    | (?P<strange> . )
    """,
    re.VERBOSE | re.DOTALL,
)
# What mail programs of the 1990s left at the ends of lines: "=20" for a space, "=" for a line cut in two.
MAIL_LINE_END = re.compile(r"\s*=(?:20)?$")


class UnreadableTune(ValueError):
    """This tune cannot be read; the message is the reason, the same for all tunes that share it."""


@dataclass
class Tune:
    """One tune as ABC has it: its fields as written, and the melody."""

    fields: dict[str, list[str]]  # letter -> values in order, the header only
    key: str  # "G major", "E minor", "none"
    metre: str  # "6/8", "none"
    pitches: list[int] = field(default_factory=list)  # MIDI numbers, middle C = 60
    durations: list[float] = field(default_factory=list)  # in quarter notes, as many as pitches

    def first(self, letter: str, default: str = "") -> str:
        """The first value of a field that is not empty, else `default`."""
        return next((value for value in self.fields.get(letter, ()) if value), default)


def split_tunes(text: str) -> list[str]:
    """Cut a file into tunes; each begins at its X: line, and what comes before the first is left out.

    >>> split_tunes("% a book\\n\\nX:1\\nK:C\\nCDE\\n\\nX: 2\\nK:C\\nEDC\\n")
    ['X:1\\nK:C\\nCDE\\n\\n', 'X: 2\\nK:C\\nEDC\\n']
    """
    return re.split(r"^(?=X:)", text, flags=re.MULTILINE)[1:]


def read_key(text: str) -> tuple[str, dict[str, int]]:
    """Name a key, and give what it adds, in semitones, to the letters that it alters.

    Raises UnreadableTune if it is none.

    >>> read_key("EMin")
    ('E minor', {'F': 1})
    >>> read_key("D mix =c")
    ('D mixolydian', {'F': 1, 'C': 0})
    """
    if text[:2].upper() == "HP":  # Highland pipes: F and C sharp, whatever is printed
        return "A mixolydian", {"F": 1, "C": 1}
    if text.lower() in ("", "none"):
        return "none", {}
    match = KEY.fullmatch(text)
    mode = match[3].lower() if match else ""
    if match is None or (mode and mode[:3] not in MODES):
        raise UnreadableTune(f"unknown key {text!r}")
    letter, accidental, _, rest = match.groups()
    mode_name, more_fifths = MODES[mode[:3] or "maj"]
    fifths = FIFTHS[letter] + 7 * ((accidental == "#") - (accidental == "b")) + more_fifths

    # Three sharps are F, C and G; three flats B, E and A: the same order from the other end.
    order, step = (SHARPS_IN_ORDER, 1) if fifths > 0 else (SHARPS_IN_ORDER[::-1], -1)
    alter: dict[str, int] = {}
    for i in range(abs(fifths)):
        alter[order[i % 7]] = alter.get(order[i % 7], 0) + step
    for sign, altered in KEY_ACCIDENTAL.findall(rest):
        alter[altered.upper()] = ALTER[sign]
    return f"{letter}{accidental} {mode_name}", alter


def read_metre(text: str) -> str:
    """Give a metre as a fraction, or "none" where there is none.

    >>> read_metre("C"), read_metre("C|"), read_metre("6/8"), read_metre("none")
    ('4/4', '2/2', '6/8', 'none')
    """
    common = {"C": "4/4", "C|": "2/2"}.get(text)
    fraction = re.search(r"[1-9]\d*/[1-9]\d*", text)
    return common or (fraction[0] if fraction else "none")


@cache
def read_length(text: str) -> float:
    """Turn the length after a note into a factor: "" 1, "3" 3, "3/2" 1.5, "/" 0.5, "//" 0.25.

    Raises UnreadableTune if it has a zero.
    """
    digits, _, divisor = text.partition("/")
    above = int(digits or 1)
    below = int(divisor) if divisor.isdigit() else 2 ** text.count("/")
    if above == 0 or below == 0:
        raise UnreadableTune("a length of zero")
    return above / below


def read_tune(text: str) -> Tune:
    """Read one tune, as `split_tunes` gives it.

    Raises UnreadableTune, whose message is the reason: no key, an unknown key, a character that is no music,
    a length without a note, no notes.
    """
    lines = iter(text.split("\n"))
    fields: dict[str, list[str]] = {}
    for line in lines:
        match = FIELD_LINE.match(tidy_line(line))
        if match:
            fields.setdefault(match[1], []).append(match[2].strip())
        if "K" in fields:
            break
    else:
        raise UnreadableTune("no key (K:)")

    metre = read_metre(fields.get("M", ["none"])[-1])
    player = _Player(metre, fields.get("L", [""])[-1])
    key = player.change_key(fields["K"][0])
    for line in map(tidy_line, takewhile(str.strip, lines)):  # a blank line ends a tune
        match = FIELD_LINE.match(line)
        if match:
            player.change_field(match[1], match[2].strip())
        else:
            player.play(line)
    if not player.pitches:
        raise UnreadableTune("no notes")
    return Tune(fields, key, metre, player.pitches, player.durations)


def tidy_line(line: str) -> str:
    """Without its comment, and what mail programs left."""
    return MAIL_LINE_END.sub("", line.split("%", 1)[0].rstrip())


class _Player:
    """Walks through the music of one tune and keeps what the next note depends on."""

    def __init__(self, metre: str, unit: str) -> None:
        self.pitches: list[int] = []
        self.durations: list[float] = []
        self.signature: dict[str, int] = {}  # what the key adds to a letter
        self.in_bar: dict[str, int] = {}  # accidentals of this bar, by letter
        self.voice: str | None = None  # the first voice named in the music: the only one heard
        self.heard = True
        self.tied = False  # the last note goes on into the next of the same pitch
        self.last_name = ("", "")  # letter and octave of the last note, as written
        self.last = 0.0  # duration of the last written note or rest, which `>` may change
        self.last_sounds = False  # it was a note, the end of durations[-1]
        self.next_factor = 1.0  # from `>` and `<`
        self.tuplet_factor = 1.0
        self.tuplet_left = 0  # notes of the tuplet still to come
        self.change_metre(metre)
        self.change_unit(unit)

    def change_metre(self, metre: str) -> None:
        """A compound metre makes (5, (7 and (9 three in the time; without L: it gives the unit too."""
        above, _, below = metre.partition("/")
        self.compound = above in ("6", "9", "12")
        self.unit = 0.25 if below and int(above) / int(below) < 0.75 else 0.5

    def change_unit(self, unit: str) -> None:
        """L:1/8 makes a letter without a length half a quarter note."""
        match = re.fullmatch(r"(\d+)/(\d+)", unit.replace(" ", ""))
        if match and int(match[2]):
            self.unit = 4 * int(match[1]) / int(match[2])

    def change_key(self, text: str) -> str:
        """Take the signature of a key, and give its name. Raises UnreadableTune if it is none."""
        name, self.signature = read_key(text)
        return name

    def change_field(self, letter: str, value: str) -> None:
        """A field inside the music, on a line of its own or in brackets; words and notes pass by."""
        if letter == "V":
            voice = value.split()[0] if value else ""
            self.voice = self.voice or ("1" if self.pitches else voice)  # notes before any V: are voice 1
            self.heard = voice == self.voice
        elif not self.heard:
            return
        elif letter == "K":
            self.change_key(value)
        elif letter == "L":
            self.change_unit(value)
        elif letter == "M":
            unit = self.unit
            self.change_metre(read_metre(value))
            self.unit = unit  # only the header's metre gives the unit

    def play(self, line: str) -> None:
        """Play one line of music. Raises UnreadableTune at the first thing that is no music."""
        for match in TOKEN.finditer(line):
            kind = match.lastgroup
            if kind == "skipped":
                continue
            if kind == "note" and self.heard:
                accidental, letter, octave, length = match.group("accidental", "letter", "octave", "length")
                self.sound(self.pitch(accidental, letter, octave), read_length(length))
                self.last_name = letter, octave
            elif kind == "field":
                self.change_field(match["name"], match["value"].strip())
            elif kind == "strange":
                lost = match[0] in "0123456789/"
                raise UnreadableTune("a length without a note" if lost else f"a sign that is no music {match[0]!r}")
            elif not self.heard:
                continue
            elif kind == "bar":
                self.in_bar = {}
            elif kind == "rest":
                self.rest(match[0])
            elif kind == "tie":
                self.tied = self.last_sounds
            elif kind == "broken":
                self.break_rhythm(match[0])
            elif kind == "tuplet":
                self.begin_tuplet(match)
            elif kind == "chord":
                self.chord(match["inside"], match["chord_length"])

    def pitch(self, accidental: str | None, letter: str, octave: str) -> int:
        """The MIDI number of a written note; an accidental is kept for the rest of the bar, and by a tie beyond it."""
        name = letter.upper()
        if self.tied and not accidental and (letter, octave) == self.last_name:
            return self.pitches[-1]
        if accidental:
            self.in_bar[name] = ALTER[accidental]
        alter = self.in_bar.get(name, self.signature.get(name, 0))
        octaves = (letter != name) + octave.count("'") - octave.count(",")
        return MIDDLE_C + SEMITONES[name] + alter + 12 * octaves

    def duration(self, factor: float) -> float:
        """How long a note or rest of this factor lasts, in quarter notes, here and now."""
        duration = self.unit * factor * self.next_factor
        self.next_factor = 1.0
        if self.tuplet_left:
            self.tuplet_left -= 1
            duration *= self.tuplet_factor
        return duration

    def sound(self, pitch: int, factor: float) -> None:
        """Add one note, or make the last one longer where a tie leads to the same pitch."""
        self.last = self.duration(factor)
        if self.tied and self.pitches[-1] == pitch:
            self.durations[-1] += self.last
        else:
            self.pitches.append(pitch)
            self.durations.append(self.last)
        self.tied = False
        self.last_sounds = True

    def chord(self, inside: str, length: str) -> None:
        """Sound the top note of [CEG]; its time is that of the first note written."""
        notes = NOTE.findall(re.sub(r'"[^"]*"|![^!]*!', "", inside))
        if not notes:
            raise UnreadableTune("brackets without notes")
        top, self.last_name = max((self.pitch(*note[:3]), note[1:3]) for note in notes)
        self.sound(top, read_length(notes[0][3]) * read_length(length))

    def rest(self, text: str) -> None:
        """A rest takes its place in tuplets and dotted pairs and ends a tie; it is not kept."""
        self.last = self.duration(read_length(text[1:]))
        self.last_sounds = self.tied = False

    def break_rhythm(self, arrows: str) -> None:
        """a>b: a is dotted, b halved; a<b the other way; each further arrow dots again."""
        short = 0.5 ** len(arrows)
        here, self.next_factor = (2 - short, short) if arrows[0] == ">" else (short, 2 - short)
        if self.last_sounds:
            self.durations[-1] += self.last * (here - 1)

    def begin_tuplet(self, match: re.Match[str]) -> None:
        """(p:q:r - the next r notes are p in the time of q."""
        p = int(match["p"])
        q = int(match["q"] or TUPLET_TIME.get(p, 3 if self.compound else 2))
        self.tuplet_left = int(match["r"] or p)
        self.tuplet_factor = q / p if p else 1.0
