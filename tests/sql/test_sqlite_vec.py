"""docs/FROM_SQLITE_VEC.md tells the truth: what it says is the same as in sqlite-vec is.

What needs sqlite-vec itself, an extension that nothing else here needs, is left out where it is not installed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import apsw
import pytest

import sqlite_ann
from tests.documents import ROOT, text_under

FROM_SQLITE_VEC_MD = ROOT / "docs" / "FROM_SQLITE_VEC.md"


def equivalents() -> list[tuple[str, str, str]]:
    """Rows of the table of functions: there, here, what differs."""
    rows = re.findall(
        r"^\| `(.+?)` \| `(.+?)` \| (.*?) ?\|$", text_under(FROM_SQLITE_VEC_MD, "Functions"), re.MULTILINE
    )
    assert len(rows) > 20
    return rows


@pytest.mark.parametrize(("theirs", "ours", "differs"), equivalents())
def test_every_equivalent_function_is_there(db: apsw.Connection, theirs, ours, differs):
    assert db.execute(f"SELECT {ours}").get is not None


# --- declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("e float[4] distance_metric=l2", ("float32", "l2")),
        ("e FLOAT[4]  Distance_Metric = L2", ("float32", "l2")),
        ("e float[4] distance_metric='cosine', trees=1", ("float32", "cosine")),
        ("e float[4] distance_metric=L1", ("float32", "l1")),
        ("e int8[4] distance_metric=cosine", ("int8", "cosine")),
        ("e bit[16] distance_metric=hamming", ("bit", "hamming")),
        ("e float[4]", ("float32", "cosine")),
        ("e bit[16]", ("bit", "hamming")),
    ],
)
def test_a_column_is_declared_as_in_sqlite_vec(tmp_path, column, expected):
    path = str(tmp_path / "v.db")
    for _ in range(2):
        db = sqlite_ann.connect(path)
        db.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS v USING ann({column})")
        keys = "SELECT value FROM ann_info('v') WHERE key IN ('type', 'metric') ORDER BY key DESC"
        assert tuple(value for (value,) in db.execute(keys)) == expected
        db.close()


BESIDE = "; a row has a rowid and one vector, other columns are for a table with the same ids"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("id integer primary key, e float[4]", 'such as "embedding float32[64]", got "id integer primary key"' + BESIDE),
        ("e float[4], id text primary key", 'such as "metric = cosine", got "id text primary key"' + BESIDE),
        ("owner int partition key, e float[4]", 'got "owner int partition key"' + BESIDE),
        ("e float[4], genre text", 'got "genre text"' + BESIDE),
        ("e float[4], +contents text", 'got "+contents text"' + BESIDE),
        ("e float[4], f float[4]", 'got "f float[4]"' + BESIDE),
        ("e float[4], chunk_size=8", 'expected one of the options metric, trees'),
        ("e float[4] distance_metric=hamming", 'expected cosine, angular, l2 (euclidean), l1 (manhattan) or dot for float32, got "hamming"'),
        ("e float[4] distance_metric", 'expected nothing after the dimensions but "distance_metric = l2", got "distance_metric"'),
        ("e float[4] distance_metric=l2 x", 'but "distance_metric = l2", got "distance_metric=l2 x"'),
        ("e float[4] metric=l2", 'but "distance_metric = l2", got "metric=l2"'),
        ("e float[4] indexed by flat()", 'but "distance_metric = l2", got "indexed by flat()"'),
    ],
)  # fmt: skip
def test_what_an_ann_table_does_not_have_is_refused_in_words(db, refused, columns, message):
    refused(db, f"CREATE VIRTUAL TABLE v USING ann({columns})", (), message)


# --- beside sqlite-vec ---------------------------------------------------------------------------


@pytest.fixture
def both() -> Callable[[str], tuple[Any, Any]]:
    """both(sql): the rows by a vec0 table, whose numbers equal others to six digits, and by an ann table; or the error."""
    sqlite_vec = pytest.importorskip("sqlite_vec", reason="sqlite-vec is not installed")
    connections = []
    for _ in range(2):
        db = sqlite_ann.connect(":memory:")
        db.enable_load_extension(True)
        db.load_extension(sqlite_vec.loadable_path())
        connections.append(db)

    def run(sql: str) -> tuple[Any, Any]:
        answers: list[Any] = []
        for db, module in zip(connections, ("vec0", "ann"), strict=True):
            try:
                rows: Any = db.execute(sql.replace("MODULE", module)).fetchall()
            except apsw.Error as error:
                rows = str(error)
            answers.append(rows)
        theirs, ours = answers
        if isinstance(theirs, list):
            theirs = [tuple(pytest.approx(x, 1e-6, 1e-6) if isinstance(x, float) else x for x in row) for row in theirs]
        return theirs, ours

    return run


COLUMNS = {
    "float": ("float[8] distance_metric=l2", "'[{}]'"),
    "cosine": ("float[8] distance_metric=cosine", "'[{}]'"),
    "l1": ("float[8] distance_metric=l1", "'[{}]'"),
    "int8": ("int8[8] distance_metric=l2", "vec_int8('[{}]')"),
    "bit": ("bit[8]", "vec_quantize_binary('[{}]')"),
}
SEARCHES = [
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 7",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} ORDER BY distance LIMIT 7",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} LIMIT 7",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 3 AND rowid IN (2, 3, 5, 7, 11)",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 3 AND rowid IN (SELECT id FROM d WHERE name > 'm')",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 3 AND rowid IN (SELECT id FROM d WHERE 0)",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 9 AND distance < 4",
    "SELECT count(*), min(distance) FROM v WHERE e MATCH {q} AND k = 12",
]
OTHERS = [
    "SELECT d.name, distance FROM v JOIN d ON d.id = v.rowid WHERE e MATCH {q} AND k = 9 ORDER BY distance",
    "SELECT d.name, distance FROM d JOIN v ON d.id = v.rowid WHERE e MATCH {q} AND k = 9 ORDER BY distance",
    "SELECT d.name, distance FROM v LEFT JOIN d ON d.id = v.rowid WHERE e MATCH {q} AND k = 9 ORDER BY distance",
    "SELECT d.name, distance FROM d LEFT JOIN v ON d.id = v.rowid AND e MATCH {q} AND k = 9 ORDER BY d.id",
    "SELECT name FROM d WHERE id IN (SELECT rowid FROM v WHERE e MATCH {q} AND k = 9) ORDER BY id",
    "SELECT name FROM d WHERE id IN (SELECT rowid FROM v WHERE e MATCH {q} ORDER BY distance LIMIT 9) ORDER BY id",
    "WITH n AS (SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 9)"
    " SELECT name, distance FROM n JOIN d ON d.id = n.rowid ORDER BY distance",
    "SELECT d.name, n.distance FROM d JOIN (SELECT rowid, distance FROM v WHERE e MATCH {q} ORDER BY distance LIMIT 9) n"
    " ON n.rowid = d.id ORDER BY distance",
    "SELECT a.rowid, b.rowid, b.distance FROM v a, v b WHERE b.e MATCH a.e AND b.k = 3 AND a.rowid < 9",
    "SELECT rowid, e FROM v WHERE rowid = 17",
    "SELECT rowid, e FROM v WHERE rowid IN (3, 1, 99)",
    "SELECT rowid FROM v WHERE rowid > 35",
    "UPDATE v SET e = {q} WHERE rowid = 17",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 1",
    "DELETE FROM v WHERE rowid = 17",
    "SELECT rowid, distance FROM v WHERE e MATCH {q} AND k = 1",
    "SELECT count(*) FROM v",
    "DROP TABLE v",
]


def numbers(seed: int) -> str:
    return ", ".join(str(random.Random(8 * seed + i).randint(-50, 50)) for i in range(8))


@pytest.mark.parametrize("column", COLUMNS)
def test_what_sqlite_vec_answers_is_answered_so_here(both, column):
    declared, form = COLUMNS[column]
    both(f"CREATE VIRTUAL TABLE v USING MODULE(e {declared})")
    both("CREATE TABLE d(id INTEGER PRIMARY KEY, name TEXT)")
    both("INSERT INTO d SELECT value, char(97 + value / 2) FROM json_each('[2,4,6,8,10,12,14,16,18,20,22,24,26,99]')")
    for i in range(1, 41):
        both(f"INSERT INTO v(rowid, e) VALUES ({i}, {form.format(numbers(i))})")
    for sql in [*SEARCHES, *([] if column in ("int8", "bit") else OTHERS)]:
        theirs, ours = both(sql.replace("{q}", form.format(numbers(100))))
        assert isinstance(theirs, list), (sql, theirs)
        if column == "bit":  # of rows as far, which are many, sqlite-vec takes any
            theirs, ours = [row[-1] for row in theirs], [row[-1] for row in ours]
        assert ours == theirs, sql


@pytest.mark.parametrize(("theirs", "ours", "differs"), equivalents())
def test_an_equivalent_function_gives_the_same(both, theirs, ours, differs):
    (there, _), (_, here) = both(f"SELECT {theirs}"), both(f"SELECT {ours}")
    assert isinstance(there, list), there
    assert (here == there) == (
        differs in ("", "the last bit may", "there is none: a vector has the type that its column has")
    )


DIFFERENT = {
    "k or LIMIT": "SELECT rowid FROM v WHERE e MATCH '[1,1]' AND k = 3 LIMIT 2",
    "none": "SELECT rowid FROM v WHERE e MATCH '[1,1]'",
    "a large k": "SELECT rowid FROM v WHERE e MATCH '[1,1]' AND k = 5000",
    "k of 0": "SELECT rowid FROM v WHERE e MATCH '[1,1]' AND k = 0",
    "k of NULL": "SELECT rowid FROM v WHERE e MATCH '[1,1]' AND k = NULL",
    "beyond": "SELECT rowid FROM v WHERE e MATCH '[1,1]' AND k = 2 AND distance > 2",
    "another order": "SELECT rowid FROM v WHERE e MATCH '[1,1]' AND k = 2 ORDER BY rowid",
    "NULL": "SELECT rowid FROM v WHERE e MATCH NULL AND k = 2",
    "every column": "SELECT * FROM v",
    "replace": "INSERT OR REPLACE INTO v(rowid, e) VALUES (1, '[1,1]')",
    "JSON5": "SELECT rowid FROM v WHERE e MATCH '[.5,1.]' AND k = 2",
    "chunks": "CREATE VIRTUAL TABLE w USING MODULE(e float[2], chunk_size=8)",
    "large": "CREATE VIRTUAL TABLE w USING MODULE(e float[9000])",
}  # fmt: skip


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_differs_differs(both, what):
    both("CREATE VIRTUAL TABLE v USING MODULE(e float[2] distance_metric=l2)")
    both("INSERT INTO v(rowid, e) VALUES (1, '[2,2]'), (2, '[5,5]'), (3, '[7,7]')")
    theirs, ours = both(DIFFERENT[what])
    assert theirs != ours


def test_rows_are_taken_over(both):
    both("CREATE VIRTUAL TABLE old_vec USING vec0(e float[4])")
    both("INSERT INTO old_vec(rowid, e) VALUES (7, '[1,2,3,4]'), (3, '[4,3,2,1]')")
    both("CREATE VIRTUAL TABLE film_vec USING ann(e float[4] distance_metric=l2)")
    both("INSERT INTO film_vec(rowid, e) SELECT rowid, e FROM old_vec")
    (_, old), (_, new) = both("SELECT rowid, e FROM old_vec ORDER BY rowid"), both("SELECT rowid, e FROM film_vec")
    assert old == new
    assert len(new) == 2
