"""Tables of every element type, as people live with them: filled, searched, changed, measured, opened again."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann

DIM, ROWS = 24, 3000
PAIRS = [
    *(
        (name, metric)
        for name in ("float16", "bfloat16", "int8")
        for metric in ("cosine", "angular", "l2", "l1", "dot")
    ),
    ("bit", "hamming"),
    ("bit", "jaccard"),
]


def stored(name: str, x: np.ndarray) -> np.ndarray:
    """Rows as they are written."""
    if name == "float16":
        return x.astype("<f2")
    if name == "bfloat16":
        return (x.astype("<f4").view("<u4") >> 16).astype("<u2")
    if name == "int8":
        return np.clip(np.rint(x * 20), -127, 127).astype(np.int8)
    return np.packbits(x > 0, axis=1, bitorder="little") if name == "bit" else x.astype("<f4")


def numbers(name: str, rows: np.ndarray, dim: int = DIM) -> np.ndarray:
    """What is written, in double."""
    if name == "bfloat16":
        return (rows.astype("<u4") << 16).view("<f4").astype(np.float64)
    if name == "bit":
        return np.unpackbits(rows, axis=1, bitorder="little")[:, :dim].astype(np.float64)
    return rows.astype(np.float64)


def distances(metric: str, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    if metric == "hamming":
        return (q != x).sum(axis=1).astype(float)
    if metric == "jaccard":
        both, either = (x * q).sum(axis=1), np.maximum(x, q).sum(axis=1)
        return np.where(either == 0, 0, 1 - both / np.maximum(either, 1))
    if metric == "l2":
        return np.sqrt(((x - q) ** 2).sum(axis=1))
    if metric == "l1":
        return np.abs(x - q).sum(axis=1)
    if metric == "dot":
        return -(x @ q)
    far = 1 - (x @ q) / np.maximum(np.linalg.norm(x, axis=1) * np.linalg.norm(q), 1e-300)
    return np.sqrt(2 * np.maximum(far, 0)) if metric == "angular" else far


class Life:
    """A table `v`, its rows as written, and some queries that are no rows, written as they are."""

    def __init__(self, name: str, metric: str, db: apsw.Connection) -> None:
        rng = np.random.default_rng(11)
        centres = rng.standard_normal((40, DIM)) * 2
        x = centres[rng.integers(0, 40, ROWS + 60)] + rng.standard_normal((ROWS + 60, DIM))
        everything = stored(name, x)
        self.name, self.metric, self.db = name, metric, db
        self.rows, self.queries = everything[:ROWS], everything[ROWS:]
        db.execute(f"CREATE VIRTUAL TABLE v USING ann(e {name}[{DIM}], metric={metric}, leaf_capacity=32)")
        self.insert(0, self.rows)

    def insert(self, first: int, rows: np.ndarray) -> None:
        ids = np.arange(first, first + len(rows), dtype="<i8").tobytes()
        self.db.execute(
            "INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, ?, ?, ?)", (rows.tobytes(), DIM, self.name, ids)
        )

    def exact(self, q: np.ndarray) -> np.ndarray:
        return distances(self.metric, numbers(self.name, q[None])[0], numbers(self.name, self.rows))

    def search(self, q: bytes, k: int = 10, recall: float = 0.95) -> list[tuple[int, float]]:
        return self.db.execute("SELECT id, distance FROM ann_search('v', ?, ?, ?)", (q, k, recall)).fetchall()

    def value(self, sql: str, *arguments: object):
        return self.db.execute(sql, arguments).get


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: "-".join(pair))
def life(request):
    return Life(*request.param, sqlite_ann.connect(":memory:"))


def test_it_says_what_it_is(life):
    info = dict(life.db.execute("SELECT key, value FROM ann_info('v')").fetchall())
    assert (info["type"], info["metric"], info["dimensions"]) == (life.name, life.metric, DIM)
    assert info["rows"] == ROWS
    assert info["leaf_pages"] > 10
    assert info["vector_bytes"] >= life.rows.nbytes


def test_an_exact_search_is_numpy_s_ties_by_id(life):
    for q in life.queries[:10]:
        far = life.exact(q)
        got = life.search(q.tobytes(), 15, 1)
        assert [d for _, d in got] == pytest.approx(np.sort(far)[:15], rel=1e-4, abs=2e-3)
        if life.name in ("bit", "int8") and life.metric in ("hamming", "l1", "dot"):  # exact to the last bit
            order = np.lexsort((np.arange(ROWS), far))[:15]
            assert got == [(int(i), far[i]) for i in order]


def test_the_recall_that_is_asked_for_is_given(life):
    explain = "SELECT count FROM ann_explain('v', ?, 10, 0.9) WHERE step = 'scan'"
    assert 0 < life.value(explain, life.queries[0].tobytes()) < ROWS  # by the forest
    for k in (1, 10):
        hits = 0
        for q in life.queries:
            worst = life.search(q.tobytes(), k, 1)[-1][1]
            hits += sum(far <= worst for _, far in life.search(q.tobytes(), k, 0.9))
        assert hits >= 0.87 * k * len(life.queries)
    assert life.value("SELECT recall FROM ann_recall('v', 10, 100)") >= 0.9


def test_a_row_finds_itself(life):
    if life.metric == "dot":
        return
    for i in range(0, ROWS, 500):
        (id_, far), *_ = life.search(life.rows[i].tobytes(), 1)
        assert far == 0
        assert (life.rows[id_] == life.rows[i]).all()  # itself, or its equal with the smaller id
        assert id_ <= i
        sql = "SELECT id, distance FROM ann_search_item('v', ?, 1)"
        assert life.db.execute(sql, (i,)).get == (i, 0.0)


def test_a_query_in_float32_is_compared_as_it_is(life):
    q = numbers(life.name, life.queries[:1])[0].astype("<f4")
    own, wide = life.search(life.queries[0].tobytes()), life.search(q.tobytes())
    assert own == wide
    text = "[" + ",".join(str(float(x)) for x in q) + "]"
    assert life.search(text) == own
    if life.name == "int8":  # a query as an embedding has it, without the rows' scale
        unit = (q / np.linalg.norm(q)).astype("<f4")
        got = life.search(unit.tobytes(), 10, 1)
        wanted = distances(life.metric, unit.astype(np.float64), numbers("int8", life.rows))
        assert [d for _, d in got] == pytest.approx(np.sort(wanted)[:10], rel=1e-4, abs=1e-3)


def test_what_is_stored_comes_back(life):
    for i in (0, 17, ROWS - 1):
        assert life.value("SELECT e FROM v WHERE rowid = ?", i) == life.rows[i].tobytes()
        text = life.value("SELECT ann_json(e, ?) FROM v WHERE rowid = ?", life.name, i)
        assert life.value("SELECT ann_vector(?, ?)", text, life.name) == life.rows[i].tobytes()
    far = life.value(
        "SELECT ann_distance(a.e, b.e, ?, ?) FROM v a, v b WHERE a.rowid = 3 AND b.rowid = 4", life.metric, life.name
    )
    found = dict(life.search(life.rows[3].tobytes(), ROWS, 1))
    assert found[4] == far


def test_it_is_changed_checked_and_learns(life):
    with life.db:
        life.db.execute("SAVEPOINT s")
        for i in range(0, 300, 2):
            life.db.execute("UPDATE v SET e = ? WHERE rowid = ?", (life.rows[i + 1].tobytes(), i))
        life.db.execute("DELETE FROM v WHERE rowid BETWEEN 500 AND 900")
        life.insert(10000, life.queries)
        learned = numbers(life.name, life.queries).astype("<f4")
        life.db.execute("INSERT INTO v(v, e) VALUES ('learn', ?)", (learned.tobytes(),))
        life.db.execute("INSERT INTO v(v, e) VALUES ('learn', ?)", (life.queries[0].tobytes(),))
        life.db.execute("INSERT INTO v(v) VALUES ('optimize')")
        assert life.value("SELECT value FROM ann_info('v') WHERE key = 'learned'") == len(life.queries) + 1
        assert life.db.execute("SELECT * FROM ann_check('v')").fetchall() == []
        assert life.value("SELECT recall FROM ann_recall('v', 5, 60, 0.9, 1)") >= 0.85
        (_, far), *_ = life.search(life.queries[3].tobytes(), 1)
        assert far == 0 or life.metric == "dot"
        life.db.execute("ROLLBACK TO s")
    assert life.value("SELECT count(*) FROM v") == ROWS


@pytest.mark.parametrize(("name", "metric"), PAIRS[::3])
def test_a_file_says_the_same_when_it_is_opened_again(tmp_path, name, metric):
    path = str(tmp_path / "types.db")
    life = Life(name, metric, sqlite_ann.connect(path))
    life.db.execute("INSERT INTO v(v, e) VALUES ('learn', ?)", (life.queries[1].tobytes(),))
    wanted = [life.search(q.tobytes()) for q in life.queries[:5]]
    life.db.close()
    again = sqlite_ann.connect(path)
    for q, rows in zip(life.queries[:5], wanted, strict=True):
        sql = "SELECT id, distance FROM ann_search('v', ?, 10, 0.95)"
        assert again.execute(sql, (q.tobytes(),)).fetchall() == rows
    assert again.execute("SELECT value FROM ann_info('v') WHERE key = 'learned'").get == 1
    again.execute("INSERT INTO v(v) VALUES ('rebuild')")
    assert again.execute("SELECT * FROM ann_check('v')").fetchall() == []


# --- what is refused ------------------------------------------------------------------------------------


@pytest.fixture
def db():
    db = sqlite_ann.connect(":memory:")
    for name in ("float16", "bfloat16", "int8", "bit"):
        db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(e {name}[12])")
    return db


def floats(*values: float) -> bytes:
    return np.array([*values, *[0.0] * (12 - len(values))], "<f4").tobytes()


@pytest.mark.parametrize(
    ("name", "vector", "message"),
    [
        ("float16", floats(1), "expected a blob of 24 bytes (12 float16), got 48 bytes, which float32 would have: "
         "pass ann_quantize(vector, 'float16')"),
        ("int8", floats(1), "expected a blob of 12 bytes (12 int8), got 48 bytes, which float32 would have: "
         "pass ann_quantize(vector, 'int8')"),
        ("bit", floats(1), "expected a blob of 2 bytes (12 bit), got 48 bytes, which float32 would have: "
         "pass ann_quantize(vector, 'bit')"),
        ("bit", b"\0\x10", "expected 0 in the bits after the first 12, got a last byte 0x10"),
        ("bit", "[0,1,2]", "expected 0 or 1, got 2 at component 2"),
        ("int8", "[0,1,128]", "expected whole numbers from -128 to 127, got 128 at component 2"),
        ("int8", "[0,1.5]", "expected whole numbers from -128 to 127, got 1.5 at component 1"),
        ("int8", bytes(11), "expected a blob of 12 bytes (12 int8), got 11 bytes"),
        ("float16", b"\0\x7c" * 12, "expected finite components, got infinity at component 0"),
        ("float16", "[1, -65520]", "expected finite components, got -infinity at component 1"),
        ("bfloat16", b"\x81\xff" * 12, "expected finite components, got NaN at component 0"),
        ("bfloat16", "[1, 3.4e38]", "expected finite components, got infinity at component 1"),
    ],
)  # fmt: skip
def test_a_row_that_the_type_does_not_allow_is_refused_in_one_sentence(db, name, vector, message):
    with pytest.raises(apsw.SQLError) as error:
        db.execute(f"INSERT INTO {name}(rowid, e) VALUES (7, ?)", (vector,))
    assert str(error.value) == f"ann table {name}, column e: {message} (rowid 7)"
    assert db.execute(f"SELECT count(*) FROM {name}").get == 0


def test_a_row_of_floats_is_taken_when_it_is_quantized(db):
    for name in ("float16", "bfloat16", "int8", "bit"):
        db.execute(f"INSERT INTO {name}(rowid, e) VALUES (1, ann_quantize(?, '{name}'))", (floats(1, -2, 3, 0.5),))
        (id_, far), *_ = db.execute(f"SELECT id, distance FROM ann_search('{name}', ?)", (floats(1, -2, 3, 0.5),))
        assert (id_, far) == (1, pytest.approx(0, abs=1e-4))


def test_a_query_that_the_type_does_not_allow_is_refused(db):
    for name, query, message in [
        ("int8", bytes(13), "expected a blob of 12 bytes (12 int8) or 48 bytes (float32), got 13 bytes"),
        ("bit", floats(np.nan), "expected finite components, got NaN at component 0"),
        ("bit", "[0,0.5]", "expected 0 or 1, got 0.5 at component 1"),
        ("bit", b"\0\x80", "expected 0 in the bits after the first 12, got a last byte 0x80"),
    ]:
        with pytest.raises(apsw.SQLError) as error:
            db.execute(f"SELECT * FROM ann_search('{name}', ?)", (query,)).fetchall()
        assert str(error.value) == f"ann_search, table {name}, column e: {message}"


def test_many_queries_to_learn_from_are_of_float32(db):
    four = np.ones((4, 12), "<f4").tobytes()
    learned = "SELECT value FROM ann_info('int8') WHERE key = 'learned'"
    db.execute("INSERT INTO int8(int8, e) VALUES ('learn', ?)", (four,))
    assert db.execute(learned).get == 4
    db.execute("INSERT INTO int8(int8, e) VALUES ('learn', ?)", (bytes(12),))
    assert db.execute(learned).get == 5
    with pytest.raises(apsw.SQLError, match="expected a blob of 12 bytes"):
        db.execute("INSERT INTO int8(int8, e) VALUES ('learn', ?)", (bytes(24),))


def test_only_metrics_that_go_with_the_type_are_taken(db):
    numbers_have = "cosine, angular, l2 (euclidean), l1 (manhattan) or dot"
    for column, metric, message in [
        ("e bit[8]", "cosine", 'expected hamming or jaccard for bit, got "cosine"'),
        ("e int8[8]", "hamming", f'expected {numbers_have} for int8, got "hamming"'),
        ("e float[8]", "jaccard", f'expected {numbers_have} for float32, got "jaccard"'),
    ]:
        with pytest.raises(apsw.SQLError) as error:
            db.execute(f"CREATE VIRTUAL TABLE t USING ann({column}, metric={metric})")
        assert str(error.value) == f"ann table t, option metric: {message}"
    assert db.execute("SELECT value FROM ann_info('bit') WHERE key = 'metric'").get == "hamming"


def test_two_empty_sets_are_equal_and_one_is_far_from_all_others():
    db = sqlite_ann.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE v USING ann(e bit[16], metric=jaccard)")
    db.executemany("INSERT INTO v(rowid, e) VALUES (?, ?)", [(1, b"\0\0"), (2, b"\1\0"), (3, b"\3\0"), (4, b"\0\0")])
    search = "SELECT id, distance FROM ann_search('v', ?)"
    assert db.execute(search, (b"\0\0",)).fetchall() == [(1, 0.0), (4, 0.0), (2, 1.0), (3, 1.0)]
    assert db.execute(search, (b"\1\0",)).fetchall() == [(2, 0.0), (3, 0.5), (1, 1.0), (4, 1.0)]
