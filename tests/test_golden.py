"""Databases that an earlier build wrote, checked in: they go on being read, searched and written to.

`python -m tests.golden.make` makes them anew; that is right only when the format's version changes.
"""

from __future__ import annotations

import json
import shutil

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import arithmetic, oracle
from tests.golden import make as golden

EXPECTED = json.loads((golden.HERE / "expected.json").read_text("utf-8"))
TABLES = [(name, table) for name, tables in EXPECTED.items() for table in tables]


@pytest.fixture(params=TABLES, ids=lambda it: it[1])
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
    assert files == sorted(["format1.db", *(f"{name}.db" for name in EXPECTED)])
    assert all((golden.HERE / name).stat().st_size < 100_000 for name in files)


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
    assert db.execute("SELECT value FROM ann_info(?) WHERE key = 'format'", (table,)).get == 2


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


def test_an_older_format_is_refused_by_a_sentence_and_renewed_by_rebuild(tmp_path):
    path = tmp_path / "old.db"
    shutil.copyfile(golden.HERE / "format1.db", path)
    db = sqlite_ann.connect(path)
    vectors = db.execute("SELECT * FROM grid_vectors").fetchall()
    sentence = "ann table grid: expected format 2, got 1; an older sqlite_ann wrote it: rebuild it"
    for statement in (
        "SELECT * FROM ann_search('grid', '[17, 10]')",
        "INSERT INTO grid(point) VALUES ('[1, 2]')",
        "DELETE FROM grid",
        "INSERT INTO grid(grid) VALUES ('optimize')",
    ):
        with pytest.raises(apsw.SQLError, match=sentence):
            db.execute(statement).fetchall()
    assert db.execute("SELECT fault FROM ann_check('grid')").get == sentence.removeprefix("ann table grid: ")
    db.execute("INSERT INTO grid(grid) VALUES ('rebuild')")
    silent(db, "grid")
    assert db.execute("SELECT * FROM grid_vectors").fetchall() == vectors
    for query, ids, _ in answers("grid", "grid"):
        assert [id_ for id_, _ in search(db, "grid", query, 5, 1)] == ids
    db.close()
