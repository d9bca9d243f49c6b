"""Databases that an earlier build wrote, checked in: they go on being read, searched and written to.

tests/golden/README.md tells what is in them, and when `python -m tests.golden.make` writes more.
"""

from __future__ import annotations

import json
import re
import shutil

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import arithmetic, oracle
from tests.golden import make as golden

EXPECTED = json.loads(golden.EXPECTED.read_text("utf-8"))
ALL = [(name, table) for name, tables in EXPECTED.items() for table in tables]
TABLES = [(name, table) for name, table in ALL if golden.format_of(name) == golden.FORMAT]
OLDER = [(name, table) for name, table in ALL if golden.format_of(name) < golden.FORMAT]


@pytest.fixture(params=TABLES, ids="/".join)
def stored(request, tmp_path):
    """A copy of a golden database, and the name of a table in it."""
    name, table = request.param
    path = tmp_path / f"{name}.db"
    shutil.copyfile(golden.HERE / path.name, path)
    db = sqlite_ann.connect(path)
    yield db, table
    db.close()


def silent(db, table):
    assert db.execute("SELECT fault, page, id FROM ann_check(?)", (table,)).fetchall() == []
    assert oracle.check(db, table) == []


def answers(name, table):
    for answer in EXPECTED[name][table]:
        yield np.array(answer["query"], np.float32).tobytes(), answer["ids"], answer["distances"]


def search(db, *arguments, where=""):
    marks = ", ".join("?" * len(arguments))
    return db.execute(f"SELECT id, distance FROM ann_search({marks}) {where} ORDER BY rank", arguments).fetchall()


def test_there_are_few_and_they_are_small():
    files = sorted(path.name for path in golden.HERE.glob("*.db"))
    assert files == sorted(f"{name}.db" for name in EXPECTED)
    assert files == sorted(
        re.findall(r"^\| `(.*\.db)` \|", (golden.HERE / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    assert all((golden.HERE / name).stat().st_size < 100_000 for name in files)
    assert {golden.path_of("grid").name, golden.path_of("mixed").name} <= set(files)


@pytest.mark.parametrize(("name", "table"), ALL)
def test_its_name_tells_the_format(name, table):
    db = apsw.Connection(str(golden.HERE / f"{name}.db"), flags=apsw.SQLITE_OPEN_READONLY)
    stored = db.execute(f"SELECT value FROM \"{table}_config\" WHERE name = 'format'").get
    assert stored == golden.format_of(name)


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_plain_sqlite_reads_it(name, table):
    db = apsw.Connection(str(golden.HERE / f"{name}.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert oracle.check(db, table) == []
    index = oracle.read(db, table)
    assert index.places
    assert db.pragma("integrity_check") == "ok"


def test_it_is_sound_and_read_without_writing(stored):
    db, table = stored
    silent(db, table)
    assert db.execute("SELECT value FROM ann_info(?) WHERE key = 'format'", (table,)).get == golden.FORMAT


def test_exact_search_gives_the_expected_answers(stored):
    db, table = stored
    for query, ids, distances in answers(db.filename.split("/")[-1].removesuffix(".db"), table):
        rows = search(db, table, query, 5, 1)
        assert [id_ for id_, _ in rows] == ids
        np.testing.assert_allclose([distance for _, distance in rows], distances, atol=2e-5)


def test_walk_through_the_whole_forest_gives_the_expected_answers(stored):
    db, table = stored
    for query, ids, _ in answers(db.filename.split("/")[-1].removesuffix(".db"), table):
        rows = search(db, table, query, 5, where="WHERE search_k = 1000000")
        assert [id_ for id_, _ in rows] == ids


def test_codes_give_estimates_near_the_distances(stored):
    """The forest alone, read by the oracle: the best twenty estimates hold the nearest placed row."""
    db, table = stored
    index = oracle.read(db, table)
    name = db.filename.split("/")[-1].removesuffix(".db")
    for query, ids, _ in answers(name, table):
        y = arithmetic.prepared(index.metric, index.rotation, np.frombuffer(query, np.float32))[0]
        lookup, found = arithmetic.Lookup.of(y), []
        for leaf in (leaf for tree in range(index.trees) for leaf in index.leaves(tree)):
            found += zip(lookup.estimate(leaf.codes, leaf.centre.base(index.metric, y)), leaf.ids, strict=True)
        best = [id_ for _, id_ in sorted(found)[:20]]
        placed = [id_ for id_ in ids if id_ in index.places]
        assert not placed or placed[0] in best


def test_it_can_be_written_to(stored):
    db, table = stored
    index = oracle.read(db, table)
    column, d = index.options["column"], index.dimensions
    gone, *kept = list(index.places)
    db.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (gone,))
    vector = np.full(d, 0.25, np.float32).tobytes()
    db.execute(f'INSERT INTO "{table}"(rowid, "{column}") VALUES (77777, ?)', (vector,))
    silent(db, table)
    assert 77777 in [id_ for id_, _ in search(db, table, vector, 10)] or index.metric == "dot"
    for command in ("optimize", "integrity-check", "rebuild"):
        db.execute(f'INSERT INTO "{table}"("{table}") VALUES (?)', (command,))
        silent(db, table)
    assert set(oracle.read(db, table).vectors) == (set(index.vectors) - {gone}) | {77777}
    assert kept


@pytest.mark.parametrize(("name", "table"), OLDER)
def test_an_older_format_is_refused_by_a_sentence_and_renewed_by_rebuild(name, table, tmp_path):
    path = tmp_path / "old.db"
    shutil.copyfile(golden.HERE / f"{name}.db", path)
    db = sqlite_ann.connect(path)
    vectors = db.execute(f'SELECT * FROM "{table}_vectors"').fetchall()
    column = db.execute("SELECT name FROM pragma_table_xinfo(?) WHERE cid = 0", (table,)).get
    told = f"expected format {golden.FORMAT}, got {golden.format_of(name)}; an older sqlite_ann wrote it: rebuild it"
    vector = {"vector": vectors[0][1], "table": table}
    for statement in (
        "SELECT * FROM ann_search(:table, :vector)",
        f'INSERT INTO "{table}"("{column}") VALUES (:vector)',
        f'DELETE FROM "{table}"',
        f'INSERT INTO "{table}"("{table}") VALUES (\'optimize\')',
    ):
        with pytest.raises(apsw.SQLError, match=f"ann table {table}: {told}"):
            db.execute(statement, vector).fetchall()
    assert db.execute("SELECT fault FROM ann_check(?)", (table,)).get == told
    db.execute(f'INSERT INTO "{table}"("{table}") VALUES (\'rebuild\')')
    silent(db, table)
    assert db.execute(f'SELECT * FROM "{table}_vectors"').fetchall() == vectors
    for query, ids, _ in answers(name, table):
        assert [id_ for id_, _ in search(db, table, query, 5, 1)] == ids
    db.close()
