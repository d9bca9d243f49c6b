"""The sources keep to the map, c_ext/README.md, and to those house rules that a machine can check.

Each test gathers everything that breaks its rule, and shows all of it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import lizard
import pytest
from lizard_languages import CLikeReader

import sqlite_ann
from sqlite_ann.extension import SUFFIX

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "c_ext"
FILES = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.glob("*/*.[ch]"))
C_FILES = [name for name in FILES if name.endswith(".c")]

# An entry `x.c` stands for its header too, unless that has an entry of its own further up.
ENTRIES = re.findall(r"^\| `(\w+/\w+\.[ch])`( \*)? \|", (SOURCES / "README.md").read_text("utf-8"), re.MULTILINE)
LISTED = [name for name, _ in ENTRIES]
WITH_SQL = {name for name, star in ENTRIES if star}

LONGEST_FILE, LONGEST_TEST, LONGEST_LINE = 400, 600, 100
LONG_FUNCTION, LONGEST_FUNCTION = 60, 100
SQL = re.compile(
    r"^(CREATE|DROP|ALTER)\s+(VIRTUAL\s+)?TABLE"  # elsewhere these are words of a sentence
    r"|\b(SELECT\s|INSERT\s+INTO|REPLACE\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM"
    r"|ORDER\s+BY|PRAGMA\s+\w|SAVEPOINT\s|ROLLBACK\s+TO)"
)


def place_of(name: str) -> int:
    """Where the map has a file."""
    entry = name if name in LISTED else re.sub(r"\.h$", ".c", name)
    return LISTED.index(entry) if entry in LISTED else -1


@cache
def text_of(name: str) -> str:
    return (SOURCES / name).read_text("utf-8")


@cache
def tokens_of(name: str) -> list[str]:
    """Words, signs, literals, comments and what is between them; all together are the file."""
    return list(tokens(text_of(name)))


def tokens(text: str) -> Iterator[str]:
    for token in CLikeReader.generate_tokens(text):
        if token.startswith("#"):  # a directive is one token, with its literals and comments
            yield "#"
            yield from tokens(token[1:])
        else:
            yield token


@cache
def code_of(name: str) -> str:
    """The source with each comment made blank, lines kept."""
    return "".join(re.sub(r"[^\n]", " ", token) if is_comment(token) else token for token in tokens_of(name))


def is_comment(token: str) -> bool:
    return token.startswith(("/*", "//"))


def included_by(name: str) -> list[str]:
    return re.findall(r'^#\s*include\s+["<]([^">]+)[">]', code_of(name), re.MULTILINE)


def literals_of(name: str) -> list[str]:
    """String literals, neighbours put together as the compiler does; names of included files are not among them."""
    code = [token for token in tokens_of(name) if not token.isspace() and not is_comment(token)]
    found: list[str] = []
    for before, token in pairwise(["", *code]):
        if token.startswith('"') and before != "include":
            found.append((found.pop() if before.startswith('"') else "") + token[1:-1])
    return found


@dataclass(frozen=True)
class Function:
    name: str
    head: str  # what stands before the name
    first: int
    last: int  # line

    @property
    def lines(self) -> int:
        return self.last - self.first + 1


@cache
def functions_of(name: str) -> list[Function]:
    lines = text_of(name).splitlines()
    return [
        Function(found.name, lines[found.start_line - 1].partition(found.name)[0], found.start_line, found.end_line)
        for found in lizard.analyze_file.analyze_source_code(name, text_of(name)).function_list
    ]


def without(name: str, left_out: str) -> str:
    """The code but for functions whose names begin so."""
    inside = {n for f in functions_of(name) if f.name.startswith(left_out) for n in range(f.first, f.last + 1)}
    return "".join(line for n, line in enumerate(code_of(name).splitlines(keepends=True), 1) if n not in inside)


def test_a_file_includes_only_what_stands_above_it():
    wrong = [
        f"{name} includes {other}"
        for name in FILES
        for other in included_by(name)
        if "/" in other and not (other in FILES and other.endswith(".h") and place_of(other) <= place_of(name))
    ]
    assert wrong == []


OBJECTS = ROOT / "build/dev/CMakeFiles/sqlite_ann.dir/c_ext"
LENT = {"ann_alloc", "ann_realloc", "ann_free", "sqlite3_api"}  # what core and index are given by whoever links them


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm reads what the compiler made")
def test_a_file_calls_only_what_stands_above_it():
    """By the objects: a header that stands high and a source that stands low would hide it from the includes."""
    defined: dict[str, str] = {}
    wanted: dict[str, set[str]] = {}
    for name in C_FILES:
        lines = subprocess.run(["nm", OBJECTS / f"{name}.o"], capture_output=True, text=True, check=True).stdout
        for *_, kind, symbol in (line.split() for line in lines.splitlines()):
            if kind in "TDRBC":
                defined[symbol] = name
            elif kind == "U":
                wanted.setdefault(name, set()).add(symbol)
    assert defined["ann_store_begin"] == "index/store.c"
    assert "ann_page_append" in wanted["index/update.c"]
    wrong = [
        f"{name} calls {symbol} of {defined[symbol]}"
        for name, symbols in wanted.items()
        for symbol in sorted(symbols - LENT)
        if symbol in defined and place_of(defined[symbol]) > place_of(name)
    ]
    assert wrong == []


def test_parts_of_a_table_stand_above_it_and_do_not_know_it():
    parts = [name for name in FILES if place_of(name) < place_of("index/store.c")]
    assert [name for name in parts if re.search(r"\bAnnStore\b", code_of(name))] == []


def test_where_a_table_stands_is_known_to_its_state_machine_alone():
    inside = re.compile(r"(->|\.)life\b")
    assert [name for name in FILES if inside.search(code_of(name))] == ["index/store.c"]


def test_no_source_is_included():
    assert [(name, other) for name in FILES for other in included_by(name) if not other.endswith(".h")] == []


def test_core_knows_nothing_of_sqlite():
    core = [name for name in FILES if name.startswith("core/")]
    assert [name for name in core if "sqlite3" in code_of(name)] == []
    assert [(n, i) for n in core for i in included_by(n) if "sqlite" in i or i.startswith(("index/", "sql/"))] == []


def test_index_knows_nothing_of_sql():
    index = [name for name in FILES if name.startswith("index/")]
    assert [(n, i) for n in index for i in included_by(n) if i.startswith("sql/")] == []


def test_only_core_knows_one_metric_or_element_type_from_another():
    """Others ask core/space.h; what they may tell apart is the geometry of points, which the forest is made for."""
    named = r"\bANN_(?:COSINE|ANGULAR|L1|L2|DOT|HAMMING|JACCARD|B?FLOAT\d*|INT\d*|BIT)\b"
    told_apart = r"\b(?:metric|element|type_named)\s*[!=]=\s*\w+|\bnamed\.types\b|switch\s*\([^)]*\bmetric\b"
    words = {
        "cosine",
        "angular",
        "l1",
        "l2",
        "dot",
        "hamming",
        "jaccard",
        "float32",
        "float16",
        "bfloat16",
        "int8",
        "bit",
    }
    outside = [name for name in FILES if not name.startswith("core/")]
    found = [(name, match) for name in outside for match in re.findall(f"{named}|{told_apart}", code_of(name))]
    assert [(name, match) for name, match in found if not re.search(r"[!=]=\s*NULL$", match)] == []
    assert [(name, literal) for name in outside for literal in literals_of(name) if literal.lower() in words] == []


def test_the_map_lists_every_file_and_no_other():
    assert [name for name in LISTED if name not in FILES] == []
    assert [name for name in FILES if place_of(name) < 0] == []
    assert len(set(LISTED)) == len(LISTED)


def test_a_source_stands_below_its_own_header_and_above_no_other_layer():
    layers = [name.split("/")[0] for name in LISTED]
    assert layers == sorted(layers, key=["core", "index", "sql"].index)


def test_a_source_has_a_header_of_its_name():
    without = [name for name in C_FILES if name.replace(".c", ".h") not in FILES]
    assert without == ["index/alloc.c", "sql/init.c"]  # core/base.h declares the one, nobody calls the other


def test_only_files_with_a_star_hold_sql():
    """But for the declaration of a virtual table's columns, which SQLite takes as SQL."""
    wrong = [
        f"{name}: {literal}"
        for name in FILES
        if name not in WITH_SQL
        for literal in literals_of(name)
        if SQL.search(literal) and not literal.startswith("CREATE TABLE x(")
    ]
    assert wrong == []


def test_files_are_not_longer_than_400_lines_but_the_kernels():
    lines = {name: text_of(name).count("\n") for name in FILES if not name.startswith("core/kernel")}
    assert {name: n for name, n in lines.items() if n > LONGEST_FILE} == {}


def test_tests_and_their_helpers_are_not_longer_than_600_lines():
    lines = {path.name: path.read_text("utf-8").count("\n") for path in (ROOT / "tests").rglob("*.py")}
    assert {name: n for name, n in lines.items() if n > LONGEST_TEST} == {}


def test_lines_are_not_longer_than_100_columns():
    """clang-format sees to code, but leaves comments; and tables that are laid out by hand."""
    by_hand = re.compile(r"/\* clang-format off \*/.*?/\* clang-format on \*/", re.DOTALL)
    lines = [(name, line) for name in FILES for line in by_hand.sub("", text_of(name)).splitlines()]
    assert [(name, line) for name, line in lines if len(line) > LONGEST_LINE] == []


def test_functions_are_not_longer_than_100_lines():
    """Those of more than a screen are allowed, and told: `pytest -s` shows them."""
    long = [(f.lines, name, f.name) for name in FILES for f in functions_of(name) if f.lines > LONG_FUNCTION]
    print("".join(f"\n{name}: {called} has {lines} lines" for lines, name, called in sorted(long, reverse=True)))
    assert [item for item in long if item[0] > LONGEST_FUNCTION] == []


def test_the_measure_of_functions_sees_them_all():
    page = {f.name: f for f in functions_of("core/page.c")}
    assert {"ann_page_init", "blank", "copy_entry", "ann_page_centre", "ann_page_set"} <= set(page)
    assert page["ann_page_size"].lines == 1
    assert (page["block_size"].head, page["block_size"].lines) == ("static uint64_t ", 5)
    declared = re.findall(r"^[\w *]+?\b(ann_page_\w+)\(", code_of("core/page.h"), re.MULTILINE)
    assert set(declared) <= set(page)


def test_code_is_told_from_comments_and_literals_whatever_its_layout(tmp_path: Path):
    planted = tmp_path / "planted.c"
    planted.write_text(
        '#include "core/page.h" /* malloc( */\n#define ASK "SELECT " /* a\n comment */ "1"\n'
        "static int quote(char c) { return c == '\"' || c == '/'; } // free(\n"
        'AVX2 int loud(\n    void)\n{\n  return printf("/* free( */"\n    "x");\n}\n'
    )
    name = str(planted)
    assert included_by(name) == ["core/page.h"]
    assert literals_of(name) == ["SELECT 1", "/* free( */x"]
    assert [(f.name, f.lines) for f in functions_of(name)] == [("quote", 1), ("loud", 6)]
    assert ["static" in f.head.split() for f in functions_of(name)] == [True, False]
    assert re.findall(r"malloc|comment|printf", code_of(name)) == ["printf"]
    assert code_of(name).count("\n") == text_of(name).count("\n")
    assert "quote" not in without(name, "quo")


def test_functions_are_static_or_carry_the_prefix_of_their_file():
    wrong = [
        f"{name}: {f.name}"
        for name in FILES
        for f in functions_of(name)
        if "static" not in f.head.split() and not f.name.startswith("ann_") and name != "sql/init.c"
    ]
    assert wrong == []


def test_a_source_of_core_or_index_has_a_test_file():
    elsewhere = re.compile(r"index/alloc\.c|core/(kernel|sums)_\w+\.c")  # tested with their portable ones
    wanted = [n for n in C_FILES if n.startswith(("core/", "index/")) and not elsewhere.fullmatch(n)]
    assert [n for n in wanted if not (ROOT / "tests" / re.sub(r"(\w+)\.c", r"test_\1.py", n)).is_file()] == []


def test_memory_comes_from_one_place_and_nothing_is_printed_or_ended():
    """But where builds with assertions end, which others have nothing of."""
    banned = r"(?<![\w.>])(malloc|calloc|realloc|free|printf|fprintf|puts|strdup|exit|abort|s?rand)\s*\("
    found = [(name, called) for name in FILES for called in re.findall(banned, code_of(name))]
    assert found == [("index/order.c", "fprintf"), ("index/order.c", "abort")]
    assert re.search(r"^#ifndef NDEBUG\n.*^#endif\n\Z", code_of("index/order.c"), re.MULTILINE | re.DOTALL)


def test_arithmetic_is_equal_everywhere():
    """No fused or approximate functions; no clock but index/trace.c, and no randomness but core/rng.h.

    Products that only rule pairs out may be fused: nothing is stored or compared that they change.
    """
    banned = r"\b(fmaf?|expf?|logf?|powf?|sinf?|cosf?|\w*rsqrt\w*|\w*_rcp\w*|\w*fmadd\w*|random)\s*\("
    clocks = r"\b(time|clock|clock_gettime|gettimeofday|timespec_get)\s*\("
    assert [(n, found) for n in FILES for found in re.findall(banned, without(n, "products_of_"))] == []
    assert {name for name in FILES if re.search(clocks, code_of(name))} == {"index/trace.c"}


def test_flags_keep_results_equal_on_every_machine():
    text = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text("utf-8"))
    assert "-ffp-contract=off" in text
    for flag in ("-ffast-math", "-march", "-mtune", "-Ofast", "-funsafe-math", "-fassociative-math", "-mfma"):
        assert flag not in text


@pytest.mark.skipif(SUFFIX != ".so" or shutil.which("nm") is None, reason="nm -D is for ELF")
def test_the_extension_exports_its_entry_point_only():
    command = ["nm", "-D", "--defined-only", sqlite_ann.loadable_path() + SUFFIX]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1].partition("@")[0] for line in out.splitlines()]
    assert [name for name in names if not name.startswith("_")] == ["sqlite3_sqliteann_init"]  # linker's names have _
