"""The documents for those who carry on: what they name is there, and they name all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sqlite_ann
from tests.documents import (
    EVERY,
    README,
    ROOT,
    SQL_MD,
    anchor_of,
    blocks_of,
    first_cells,
    headings,
    links,
    make_targets,
    text_under,
)

ARCHITECTURE = ROOT / "docs/ARCHITECTURE.md"
FIGURES, MEASUREMENTS = ROOT / "docs/FIGURES.md", ROOT / "docs/MEASUREMENTS.md"
CHANGELOG, SECURITY = ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"
TESTS = ROOT / "tests"
OF_USERS = [README, SQL_MD, CHANGELOG, ROOT / "docs/HOSTS.md"]  # they name files that a reader makes
FOLDERS = [ROOT, ROOT / "c_ext", TESTS, ROOT / "sqlite_ann"]  # which names of files may leave out

every_document = pytest.mark.parametrize("path", EVERY, ids=lambda path: path.relative_to(ROOT).as_posix())


@every_document
def test_links_lead_somewhere(path: Path):
    """Relative links are files that are there; #anchors are headings."""
    for target in links(path):
        file, _, anchor = target.partition("#")
        linked = (path.parent / file) if file else path
        assert linked.exists(), target
        if anchor:
            assert anchor in {anchor_of(heading) for heading in headings(linked)}, target


@every_document
def test_every_make_command_is_in_the_makefile(path: Path):
    lines = re.findall(r"`(make [^`]+)`", path.read_text(encoding="utf-8"))
    lines += [line for block in blocks_of(path, "sh") for line in block.code.splitlines() if line.startswith("make ")]
    named = {word for line in lines for word in line.split()[1:] if "=" not in word}
    assert named - make_targets() == set()


@pytest.mark.parametrize("path", [path for path in EVERY if path not in OF_USERS], ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(path: Path):
    """`x` stands for a file of the reader's own: `x.c`, `test_x.py`."""
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", path.read_text(encoding="utf-8")))
    files = {name for name in named if name.endswith("/") or re.search(r"\w\.(c|h|py|md|sql|db|json|toml)$", name)}
    files = {name for name in files if not re.search(r"(^|[/_])x\.\w+$", name)}
    assert [name for name in sorted(files) if not any((at / name).exists() for at in [path.parent, *FOLDERS])] == []


def test_the_readme_leads_to_every_document():
    met, ahead = {README}, [README]
    while ahead:
        path = ahead.pop()
        linked = {(path.parent / link.partition("#")[0]).resolve() for link in links(path)} & set(EVERY) - met
        met |= linked
        ahead += linked
    assert [path for path in EVERY if path not in met] == []


def test_the_architecture_is_read_in_ten_minutes():
    assert ARCHITECTURE.read_text(encoding="utf-8").count("\n") <= 150


@pytest.mark.parametrize("path", [FIGURES, MEASUREMENTS], ids=lambda path: path.name)
def test_every_measurement_has_its_finding_at_the_head(path: Path):
    head = path.read_text(encoding="utf-8").split("\n## ")[0]
    rows = re.findall(r"^\| \[(.+)\]\(#.+\) \| (.+) \|$", head, flags=re.MULTILINE)
    assert [title for title, _ in rows] == headings(path)[1:]
    assert all(finding.count(". ") == 0 for _, finding in rows), "one sentence each"


def test_sections_that_sources_point_to_are_there():
    pointers = [
        (source.name, document, quoted)
        for source in (ROOT / "c_ext").glob("*/*.[ch]")
        for document, quoted in re.findall(
            r'docs/(\w+\.md),\s+(?:\*\*\s+)?"([^"]+)"', source.read_text(encoding="utf-8")
        )
    ]
    assert {"update.c", "walk.h"} <= {name for name, _, _ in pointers}
    for name, document, quoted in pointers:
        titles = [heading.lower() for heading in headings(ROOT / "docs" / document)]
        assert any(quoted in title for title in titles), f"{name} points to {document}, {quoted!r}"


def test_the_changelog_begins_with_this_version_and_knows_every_function(db):
    versions = [heading for heading in headings(CHANGELOG) if re.match(r"\d", heading) and "." in heading]
    assert versions[0].startswith(sqlite_ann.__version__)
    text = CHANGELOG.read_text(encoding="utf-8")
    functions = {
        row[0] for row in db.execute("SELECT name FROM pragma_function_list WHERE name LIKE 'ann\\_%' ESCAPE '\\'")
    }
    functions |= {
        row[0] for row in db.execute("SELECT name FROM pragma_module_list WHERE name LIKE 'ann\\_%' ESCAPE '\\'")
    }
    assert "ann_search" in functions
    assert [name for name in sorted(functions) if not re.search(rf"`{name}\b", text)] == []


def test_every_fuzzer_is_named_by_what_it_holds():
    drivers = {path.name for path in (ROOT / "fuzz").glob("*.c")} - {"alloc.c"}
    assert drivers
    assert [name for name in drivers if f"`fuzz/{name}`" not in SECURITY.read_text(encoding="utf-8")] == []


def test_the_map_of_the_tests_lists_every_family_and_helper():
    there = {f"{path.name}/" for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    there |= {path.name for path in TESTS.glob("*.py")}
    there |= {path.relative_to(TESTS).as_posix() for path in TESTS.glob("*/conftest.py")}
    listed = first_cells(text_under(TESTS / "README.md", "The tests"))
    assert there - set(listed) == set()
    assert [cell for cell in listed if not (TESTS / cell).exists()] == []
