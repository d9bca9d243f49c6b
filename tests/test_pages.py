"""The pages tell the truth: every example runs, and prints what is shown. tests/pages.py has the rules."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from sybil.example import SybilFailure

import sqlite_ann
from tests.documents import ROOT, headings, read_blocks
from tests.pages import ELSEWHERE, PAGES, STORIES, TWICE, name_of, parts, run_part

LONG = {
    "docs/SQL.md": "the reference of all names",
    "docs/FORMAT.md": "every byte",
    "docs/ERRORS.md": "a row for each error; one looks for a sentence in it, nobody reads it through",
    "docs/MEASUREMENTS.md": "a record of what was measured",
}
SPELT_OTHERWISE = {"bash", "shell", "console", "zsh", "py", "python3", "pycon", "sqlite", "sqlite3", "SQL", "txt"}

EXAMPLES = [pytest.param(path, part, id=f"{name_of(path)}-{part or 'all'}") for path in PAGES for part in parts(path)]


@pytest.mark.parametrize(("path", "part"), EXAMPLES)
def test_the_examples_print_what_is_shown(path: Path, part: str | None, tmp_path: Path, column_shell: str):
    for _ in range(2 if name_of(path) in TWICE else 1):
        assert run_part(path, part, tmp_path, column_shell)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_is_short(path: Path):
    n_lines = path.read_text(encoding="utf-8").count("\n")
    assert n_lines <= 400 or name_of(path) in LONG, f"{n_lines} lines"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_block_is_passed_over_for_how_its_language_is_spelt(path: Path):
    assert [block.line for block in read_blocks(path) if block.language in SPELT_OTHERWISE] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_line_that_loads_the_extension_does_so_in_a_clone(path: Path, stock_shell):
    loads = re.findall(r"^(?:sqlite> )?(\.load \./\S+/.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in set(loads):
        shown = subprocess.run(
            [stock_shell[0], "-batch", ":memory:", line, "SELECT ann_version();"],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert shown.stdout == f"{sqlite_ann.__version__}\n", shown.stderr


def test_the_tables_of_pages_name_pages():
    assert {*STORIES, *TWICE, *ELSEWHERE, *LONG} - {name_of(path) for path in PAGES} - {"docs/TUTORIAL.md"} == set()
    assert all((ROOT / test).exists() for test in ELSEWHERE.values())


# --- The tests of the tests


STORY = """# A page

```sql
CREATE TABLE song(title TEXT); INSERT INTO song VALUES ('Danny Boy'), ('née');
```

## From Python

```python
import sqlite_ann
songs = sqlite_ann.connect("songs.db")
print(songs.execute("SELECT count(*) FROM song").get, ann := 7)
```

```text
2 7
```

## From a shell

```sh
sqlite3 songs.db "DELETE FROM song WHERE title LIKE 'n%'"
sqlite-ann --help | head -1 | cut -c 1-17
python -c "import sqlite_ann; print('loaded')"
```

```text
usage: sqlite-ann
loaded
```

## Both again

```sql
SELECT title FROM song;
SELECT ann_distance('[1]', '[1, 2]', 'l2') AS distance;
SELECT no_such FROM song;
EXPLAIN QUERY PLAN SELECT * FROM song;
```

```text
title
---------
Danny Boy
Error: ann_distance: expected 1 numbers, got 2
Error: no such column: no_such
QUERY PLAN
`--SCAN song
```

```python
print(ann)
```

```text
7
```
"""


@pytest.fixture
def run_text(tmp_path, column_shell, monkeypatch):
    """run_text(text): runs a page of this text as a story; the number of its blocks."""

    def run(text: str) -> int:
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        (folder := tmp_path / "folder").mkdir(exist_ok=True)
        monkeypatch.setattr("tests.pages.STORIES", {"page.md"})
        return run_part(page, None, folder, column_shell)

    return run


def test_sql_python_and_sh_work_on_the_same_file(run_text):
    assert run_text(STORY) == 5


@pytest.mark.parametrize(
    ("language", "code", "answer"),
    [
        ("sql", "SELECT 2 AS a;", "a\n-\n1"),
        ("sql", "SELECT 1 AS a WHERE 0;", "a\n-\n1"),
        ("sql", "SELECT 1 AS a; SELECT 2 AS b;", "a\n-\n1"),
        ("sql", "SELECT no_such;", None),
        ("sql", "SELECT ann_vector('[x]');", None),
        ("python", "print(2)", "1"),
        ("python", "pass", "1"),
        ("sh", "echo 2", "1"),
    ],
)
def test_a_wrong_answer_and_a_failing_example_are_noticed(run_text, language, code, answer):
    text = f"# A page\n\n```{language}\n{code}\n```\n" + (f"\n```text\n{answer}\n```\n" if answer else "")
    with pytest.raises(SybilFailure, match=r"page\.md:3 prints\n"):
        run_text(text)


@pytest.mark.parametrize(
    ("language", "code", "message"),
    [
        ("python", "1 / 0", "division"),
        ("sh", "false\ntrue", "line 3: exit code 1"),
        ("sh", "sqlite-ann no-such 2>&1 | cat", "line 3: exit code 2"),
        ("sql", "SELECT 1", "without its semicolon"),
        ("sql", "SELECT 'x;", "without its semicolon"),
        ("sql", ".quit", "the shell has ended"),
    ],
)
def test_an_example_that_cannot_be_run_is_noticed(run_text, language, code, message):
    with pytest.raises((AssertionError, ZeroDivisionError), match=message):
        run_text(f"# A page\n\n```{language}\n{code}\n```\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```sql\nSELECT 1;\n", "page.md:1: a fence that is not closed"),
        ("```text\n1\n```\n", "page.md:1: an answer to no block"),
        ("```sh\necho 1\n```\n\n```text\n1\n```\n\n```text\n1\n```\n", "page.md:9: the second answer to one block"),
    ],
)
def test_a_page_whose_fences_make_no_sense_is_refused(run_text, text, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        run_text(text)


def test_each_section_of_a_collection_begins_with_the_set_up(tmp_path, column_shell):
    page = tmp_path / "page.md"
    part = "## {}\n\n```sql\nINSERT INTO t VALUES (1);\nSELECT count(*) AS n FROM t;\n```\n\n```text\nn\n-\n1\n```\n\n"
    page.write_text("# P\n\n```sql\nCREATE TABLE t(x);\n```\n\n" + part.format("One") + part.format("Two"))
    assert parts(page) == [None, "One", "Two"]
    for i, each in enumerate(parts(page)):
        (folder := tmp_path / str(i)).mkdir()
        assert run_part(page, each, folder, column_shell) == (2 if each else 1)


def test_a_heading_inside_of_a_block_is_none(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# P\n\n```sh\n## no\n```\n\n## yes\n")
    assert headings(page) == ["P", "yes"]
