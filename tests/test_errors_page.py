"""docs/ERRORS.md has a row for every sentence with which C or Python refuses something, and no row for any other.

A row's sentence is a pattern: `…` stands for whatever comes there. Sentences are gathered from the sources, where a hole
of a format is a `…` as well. What stands before a sentence, and says where it happened, is left out of the rows.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import sqlite_ann
from sqlite_ann.errors import KINDS, kind_of
from tests.documents import ROOT, text_under

GUESTS = ROOT / "docs/GUESTS.md"  # what adapters say is told there
PAGE = ROOT / "docs" / "ERRORS.md"
OF_SQLITE = "What SQLite itself says"  # the section of sentences that are in no source of ours

# --- what can be said, in C ----------------------------------------------------------------------

TOKEN = re.compile(
    r"""/\*.*?\*/ | \#(?:\\\n|[^\n])* | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\]|\\.)+' | \w+ | [^\s\w]""",
    re.DOTALL | re.VERBOSE,
)
HOLE = re.compile(r"%[-+ 0#.*\d]*(?:ll|l|z)?[a-zA-Z]")
FAILING = {  # functions: what is given to them is said, what stands in them too
    "ann_db_fail",
    "ann_db_fail_in",
    "ann_operand_fail",
    "ann_value_refuse",
    "sqlite3_result_error",
    "fault",
    "refuse_call",
}
FRAMES = {  # `refuse` of these files puts words around what it is given
    "core/blend.c": "expected {}, got a sum of …",
    "sql/arguments.c": "expected {}",
}
NOT_SAID_IN_C = {
    "…: expected …": "a frame: what stands in it is gathered",
    "expected …, got a sum of …": "another",
    "expected no … now, as the table …": "order.c: builds with assertions alone",
    "expected … of a savepoint below …, got that of …": "order.c, as well",
}


def said_in_c() -> Iterator[tuple[str, str]]:
    """Where a sentence is written, and the sentence."""
    for path in sorted((ROOT / "c_ext").rglob("*.[ch]")):
        place = path.relative_to(ROOT / "c_ext").as_posix()
        for text, around in literals(path.read_text(encoding="utf-8")):
            sentence = HOLE.sub("…", text)
            is_whole = re.match(r"(.*: )?expected ", sentence)
            if around & {"refuse", "check_diverse"} and place in FRAMES and not is_whole:
                yield place, FRAMES[place].format(sentence)
            elif re.match(r"one argument, |arguments \(", sentence):  # of table functions
                yield place, f"expected {sentence}"
            elif is_whole or around & FAILING:
                yield place, sentence


def literals(code: str) -> Iterator[tuple[str, set[str]]]:
    """Literals, joined where they stand side by side, and the names of the calls and of the function around each."""
    function, before, calls, parts = "", "", [], []
    for token in TOKEN.findall(code):
        if token.startswith(("/*", "#")):
            continue
        if token[0] == '"':
            parts.append(token[1:-1].replace('\\"', '"'))
        elif parts and token.isupper():
            parts.append("…")  # a macro that is a literal
        else:
            if parts:
                yield "".join(parts), {function, *calls}
                parts = []
            if token in "([{":
                calls.append(before if token == "(" else "")
                function = before if calls == [before] else function
            elif token in ")]}":
                calls.pop()
        before = token


# --- what can be said, in Python -----------------------------------------------------------------

TELLING = {"tell", "_wrong", "ArgumentTypeError"}  # calls that say what they are given
REASON_OF = {"why_not_opened", "loadable_path", "fault_of"}  # functions whose words are put into a sentence
NOT_SAID_IN_PYTHON = {
    "demo/abc_reader.py": "tunes that cannot be read are left out of the demo and only counted",
    "__init__.py": "Python's own words for a name that a module lacks",
}


def said_in_python() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "sqlite_ann").rglob("*.py")):
        place = path.relative_to(ROOT / "sqlite_ann").as_posix()
        if place not in NOT_SAID_IN_PYTHON:
            for sentence in sorted(set(texts(ast.parse(path.read_text(encoding="utf-8")), is_said=False))):
                yield place, sentence


def texts(node: ast.AST, is_said: bool) -> Iterator[str]:
    """Whatever is raised or told, and every text that begins as a sentence of ours does."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        sentence = written(node)
        if (is_said and " " in sentence) or re.match(r"(.*: )?expected ", sentence):
            yield re.sub(r"\{\w*\}", "…", sentence)
        children = [part for part in ast.walk(node) if isinstance(part, ast.FormattedValue)]
        for child in children:
            yield from (text for text in texts(child.value, is_said=False))
        return
    if isinstance(node, ast.Compare | ast.Subscript):
        is_said = False  # what is looked for, not said
    for child in ast.iter_child_nodes(node):
        is_telling = isinstance(node, ast.Call) and name_of(node.func) in TELLING
        is_reason = isinstance(node, ast.FunctionDef) and node.name in REASON_OF
        yield from texts(child, is_said or is_telling or is_reason or isinstance(node, ast.Raise))


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def written(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    return str(node.value)  # type: ignore[attr-defined]


# --- what is no sentence of its own ---------------------------------------------------------------

PARTS = {  # of another sentence, or around one
    " (the first of several faults)",
    "a newer sqlite_ann wrote it",
    "an older sqlite_ann wrote it: rebuild it",
    "a table WITHOUT ROWID",
    "an INTEGER PRIMARY KEY, for VACUUM may change any other rowid",
    "… (rowid …)",
    "…, items: …",
    "…, table …, column …: …",
    "…, row …",
    "…, id …",
    "…, table …, column …, query[…]: …",
}
PROGRESS = {"Building the index", "Downloading the songs", "Making vectors", "Reading the songs"}


def is_sentence(text: str) -> bool:
    is_several_words = bool(re.search(r"[a-z] |[a-z]…? [a-z]", text))
    return is_several_words and text not in PARTS | PROGRESS | NOT_SAID_IN_C.keys()


def said() -> list[str]:
    return sorted({text for _, text in [*said_in_c(), *said_in_python()] if is_sentence(text)})


# --- the page ---------------------------------------------------------------------------------------

MOST = 8  # sentences that one row may stand for: more, and it says nothing


def rows(text: str) -> list[str]:
    """The patterns of a text: what stands in backticks in the first cells of its tables."""
    cells = re.findall(r"^\| (`.+?`) \| ", text, re.MULTILINE)
    return [m[1] or m[2] for cell in cells for m in re.finditer(r"``(.+?)``|`([^`]+)`", cell)]


def regex(pattern: str) -> re.Pattern[str]:
    """With any place before it, and for each hole something."""
    return re.compile(r"(?:.*: ?)?" + re.escape(pattern).replace("…", ".+"))


def sections() -> dict[str, str]:
    return {part.partition("\n")[0]: part for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]}


def of_ours() -> list[str]:
    codes = "Which code and which exception is it?"
    page = [row for name, text in sections().items() if name not in (codes, OF_SQLITE) for row in rows(text)]
    return page + rows(text_under(GUESTS, "What the errors mean"))


def test_every_sentence_has_a_row_and_every_row_its_sentences():
    """Of several rows the longest is the one that tells of a sentence."""
    patterns = {row: regex(row) for row in sorted(of_ours(), key=len, reverse=True)}
    found = {text: next((row for row, p in patterns.items() if p.fullmatch(text)), None) for text in said()}
    assert [text for text, row in found.items() if row is None] == []
    n_sentences = Counter(found.values())
    assert [row for row in patterns if n_sentences[row] == 0] == []
    assert {row: n for row, n in n_sentences.items() if n > MOST} == {}


def test_no_row_stands_twice():
    assert [row for row, n in Counter(of_ours()).items() if n > 1] == []


def test_what_is_left_out_is_said_somewhere():
    everything = {text for _, text in [*said_in_c(), *said_in_python()]}
    assert everything >= PARTS | PROGRESS | NOT_SAID_IN_C.keys()
    assert all((ROOT / "sqlite_ann" / name).is_file() for name in NOT_SAID_IN_PYTHON)


def test_the_codes_and_their_exceptions_are_as_the_page_says():
    told = re.findall(r"^\| `(SQLITE_\w+)` \| (\d+) \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(told) > 10
    for name, number, kind in told:
        assert getattr(apsw, name) == int(number)
        assert kind_of(int(number)).__name__ == kind
    assert {kind for _, _, kind in told} == {kind.__name__ for kind in KINDS.values()} | {"Error"}


# --- SQLite's own -----------------------------------------------------------------------------------


def of_sqlite(tmp_path: Path) -> Iterator[str]:
    """Its sentences, as they come."""
    path = str(tmp_path / "songs.db")
    plain, db = apsw.Connection(":memory:"), sqlite_ann.connect(path)
    sqlite_ann.Index.create(db, "v", dim=2)
    busy = sqlite_ann.connect(path)
    busy.set_busy_timeout(0)
    guarded = sqlite_ann.connect(":memory:")
    guarded.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    sqlite_ann.Index.create(guarded, "v", dim=2)
    small = sqlite_ann.connect(":memory:")
    small.execute("PRAGMA max_page_count = 5")
    stopped = sqlite_ann.connect(":memory:")
    stopped.set_progress_handler(lambda: True, 1)
    closed = sqlite_ann.connect(":memory:")
    closed.close()
    (tmp_path / "text.db").write_text("This is no database.\n" * 100)
    vector = "'[1, 2]'"
    for connection, sql in (
        (plain, "CREATE VIRTUAL TABLE v USING ann(embedding float32[2])"),
        (plain, f"SELECT * FROM ann_search('v', {vector})"),
        (plain, "SELECT ann_version()"),
        (plain, "SELECT load_extension('sqlite_ann')"),
        (guarded, "DELETE FROM v_pages"),
        (db, "CREATE VIEW about AS SELECT * FROM ann_info('v'); SELECT * FROM about"),
        (db, "CREATE VIRTUAL TABLE v USING ann(embedding float32[2])"),
        (db, f"SELECT * FROM ann_search('v', {vector}{', 1' * 20})"),
        (busy, f"INSERT INTO v(rowid, embedding) VALUES (1, {vector})"),
        (sqlite_ann.connect(f"file:{path}?mode=ro"), f"INSERT INTO v(rowid, embedding) VALUES (1, {vector})"),
        (small, "CREATE VIRTUAL TABLE v USING ann(embedding float32[2])"),
        (stopped, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"),
        (closed, "SELECT 1"),
        (apsw.Connection(str(tmp_path / "text.db")), "SELECT * FROM sqlite_schema"),
    ):
        if connection is busy:
            db.execute("BEGIN IMMEDIATE")
        with pytest.raises(apsw.Error) as error:
            connection.execute(sql).fetchall()
        yield str(error.value).removeprefix(f"{type(error.value).__name__}: ")


def test_what_sqlite_says_is_what_the_page_says(tmp_path):
    told, come = rows(sections()[OF_SQLITE]), list(of_sqlite(tmp_path))
    assert [sentence for sentence in come if not any(regex(row).fullmatch(sentence) for row in told)] == []
    assert [row for row in told if not any(regex(row).fullmatch(sentence) for sentence in come)] == []
