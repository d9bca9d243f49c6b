"""FORMAT.md, format.h, the oracle and real databases say the same."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import alter, arithmetic, components, oracle
from tests.golden import make as make_golden

ROOT = Path(__file__).resolve().parents[1]
MANUAL = (ROOT / "docs/FORMAT.md").read_text("utf-8")
HEADER = (ROOT / "c_ext/core/format.h").read_text("utf-8")
CONFIG = (ROOT / "c_ext/index/config.h").read_text("utf-8")
STATE = (ROOT / "c_ext/index/state.h").read_text("utf-8")

# --- the document and the headers ----------------------------------------------------------------


def manual_table(heading: str) -> list[tuple[str, str, str]]:
    """Rows (offset, size, meaning) of the table under a heading of FORMAT.md."""
    section = re.split(rf"^#+ {heading}$", MANUAL, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    table = section.split("| offset | size | meaning |\n| ---: | ---: | --- |\n")[1].split("\n\n")[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in table.splitlines()]
    assert all(len(row) == 3 for row in rows)
    return rows  # type: ignore[return-value]


def header_table(name: str) -> list[tuple[str, str, str]]:
    """The same of format.h, whose tables stand in a comment."""
    table = re.split(rf"^\*\* {name} +offset  size  meaning$", HEADER, flags=re.MULTILINE)[1].split("\n**\n")[0]
    rows = re.findall(r"^\*\*(?: +directory only:)? +(\d[\w+*]*) +([\dL][\w+*()]*)  (\S.*)$", table, re.MULTILINE)
    return [(offset, size.replace("32*(32+L)", "32*(32+L)"), meaning) for offset, size, meaning in rows]


def defines(text: str) -> dict[str, int]:
    found = re.findall(r"^#define (ANN_\w+) (0x[0-9A-Fa-f]+|\d+)", text, re.MULTILINE)
    return {name: int(value, 0) for name, value in found}


@pytest.mark.parametrize(
    ("heading", "name"), [("Page header", "PAGE HEADER"), ("Centre", "CENTRE"), ("Block", "BLOCK")]
)
def test_tables_of_format_h_are_those_of_the_manual(heading, name):
    manual, header = manual_table(heading), header_table(name)
    assert [row[:2] for row in manual] == [row[:2] for row in header]
    for (_, _, ours), (_, _, theirs) in zip(manual, header, strict=True):
        assert re.findall(r"\w+", ours)[0] in (re.findall(r"\w+", theirs)[0], "directory")


def test_tables_have_no_gap():
    for heading, end in {"Page header": 64, "State": 128, "Calibration": 12, "Sampling": 64, "Learned": 32}.items():
        at = 0
        for offset, size, _ in manual_table(heading):
            assert int(offset) == at
            at += int(size)
        assert at == end


@pytest.mark.parametrize(
    ("heading", "prefix", "names"),
    [
        (
            "Page header",
            "ANN_HEADER_",
            "MAGIC VERSION KIND TREE LEVEL N CAPACITY LENGTH PARENT CODE_BITS FINE_BITS - CHECKSUM -",
        ),
        ("Centre", "ANN_CENTRE_", "SCALE NORM SPREAD - SIZE"),
        ("Block", "ANN_BLOCK_", "IDS SHIFT SLOPE CODES -"),
    ],
)
def test_constants_of_format_h_are_the_offsets_of_the_manual(heading, prefix, names):
    constants = {name: value for name, value in defines(HEADER).items() if name.startswith(prefix)}
    wanted = {
        prefix + name: int(offset)
        for name, (offset, _, _) in zip(names.split(), manual_table(heading), strict=True)
        if name != "-"
    }
    if heading == "Page header":
        wanted["ANN_HEADER_SIZE"] = 64
    assert constants == wanted


def test_other_constants_are_those_of_the_manual():
    constants = defines(HEADER)
    assert struct.pack("<I", constants["ANN_PAGE_MAGIC"]) == b"ANNP"
    assert constants["ANN_FORMAT_VERSION"] == 2
    assert (constants["ANN_KIND_LEAF"], constants["ANN_KIND_DIRECTORY"]) == (oracle.LEAF, oracle.DIRECTORY)
    assert MANUAL.startswith("# The bytes of an index, format 2\n")


def test_config_rows_and_state_are_those_of_the_headers():
    rows = dict(re.findall(r"^\| (\d) \| `(\w+)` \|", MANUAL, re.MULTILINE))
    numbers = {str(value): name.removeprefix("ANN_CONFIG_").lower() for name, value in defines(CONFIG).items()}
    assert rows == {key: numbers[key] for key in rows}
    assert defines(STATE)["ANN_STATE_SIZE"] == 128
    fields = re.findall(
        r"^  (?:u?int64_t|uint32_t) (\w+)[;\[]", STATE.split("typedef struct AnnState {")[1].split("}")[0], re.M
    )
    assert [*(re.findall(r"\w+", meaning)[0] for _, _, meaning in manual_table("State"))] == [*fields, "reserved"]
    assert [*oracle.STATE, "roots", *oracle.SUMS] == fields


def test_numbers_quoted_in_the_manual_are_right():
    assert f"{arithmetic.checksum(bytes(64)):#x}" in MANUAL
    assert f"{arithmetic.checksum(bytes(range(64))):#x}" in MANUAL
    stream = arithmetic.keyed(1, 2, 3)
    assert re.findall(r"0x[0-9a-f]{16}", MANUAL.split("For the keys (1, 2, 3)")[1])[:3] == [
        f"{next(stream):#018x}" for _ in range(3)
    ]
    first = arithmetic.Rotation(2, 0)(np.array([[1, 0]], np.float32))[0]
    quoted = re.search(r"\(1, 0\) becomes \(([^…]+), …\)", MANUAL)
    assert quoted is not None
    np.testing.assert_allclose([float(x) for x in quoted[1].split(",")], first[:4], atol=1e-8)
    for d, length in re.findall(r"(\d+) gives\s(\d+)", MANUAL.split("## 2. ")[0]):
        assert arithmetic.rotated_length(int(d)) == int(length)


# --- the page shown in the manual ------------------------------------------------------------------


def test_example_of_the_manual_is_a_page_of_a_golden_database():
    assert make_golden.example(make_golden.path_of("grid")) in MANUAL


def test_bytes_shown_in_the_manual_are_the_page(db):
    page = make_golden.example_page(make_golden.path_of("grid"))
    shown = re.findall(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} +){15}[0-9a-f]{2})$", MANUAL, re.MULTILINE)
    assert len(shown) > 20
    for offset, row in shown:
        assert page.data[int(offset, 16) :][:16] == bytes.fromhex(row)


# --- databases ------------------------------------------------------------------------------------


def make(db: apsw.Connection, d: int, metric: str = "l2", capacity: int = 64, **options: int) -> None:
    more = "".join(f", {key} = {value}" for key, value in options.items())
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(e float32[{d}], metric = {metric}, leaf_capacity = {capacity}{more})")


def load(db: apsw.Connection, vectors: np.ndarray, first: int = 0) -> None:
    """All at once."""
    ids = np.arange(first, first + len(vectors), dtype=np.int64)
    db.execute(
        "INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
        (np.ascontiguousarray(vectors, np.float32).tobytes(), vectors.shape[1], ids.tobytes()),
    )


def insert(db: apsw.Connection, id_: int | None, vector: np.ndarray, verb: str = "INSERT") -> None:
    db.execute(f"{verb} INTO v(rowid, e) VALUES (?, ?)", (id_, np.ascontiguousarray(vector, np.float32).tobytes()))


def silent(db: apsw.Connection, table: str = "v") -> oracle.Index:
    """Both checks find nothing."""
    assert db.execute("SELECT fault, page, id FROM ann_check(?)", (table,)).fetchall() == []
    assert oracle.check(db, table) == []
    return oracle.read(db, table)


def test_schema_sql_is_what_the_extension_makes(db):
    db.execute("CREATE VIRTUAL TABLE name USING ann(embedding float32[4])")
    made = [
        sql
        for (sql,) in db.execute("SELECT sql FROM sqlite_schema WHERE name LIKE 'name!_%' ESCAPE '!' ORDER BY rowid")
    ]
    text = (ROOT / "sql/schema.sql").read_text("utf-8")
    statements = [s.strip() for s in re.sub(r"^--.*$", "", text, flags=re.MULTILINE).split(";") if s.strip()]
    assert made == statements
    in_the_manual = MANUAL.split("## 3. ")[1].split("```sql\n")[1].split("```")[0]
    assert in_the_manual.replace(";", "").splitlines() == statements
    for columns, sql in zip(oracle.SHADOWS.values(), statements, strict=True):
        assert sql.endswith(f"({columns})")


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["cosine", "angular", "l2", "l1", "dot"])
@pytest.mark.parametrize("d", [1, 3, 31, 32, 64, 100, 300, 784])
def test_oracle_reads_what_was_built_inserted_and_deleted(db, rng, d, metric):
    make(db, d, metric, seed=d)
    vectors = rng.standard_normal((1060, d)).astype(np.float32)
    load(db, vectors[:1000])
    index = silent(db)
    assert (index.state["rows"], index.state["placed"], index.metric) == (1000, 1000, metric)
    for i, vector in enumerate(vectors[1000:]):
        insert(db, 5000 + i, vector)
    db.execute("DELETE FROM v WHERE rowid % 5 = 1")
    index = silent(db)
    ids, stored = index.array()
    assert len(ids) == index.state["rows"] == 1060 - 200 - 12
    np.testing.assert_array_equal(stored[ids < 1000], vectors[ids[ids < 1000]])
    # what search gives is what the oracle finds
    query = rng.standard_normal(d).astype(np.float32)
    rows = db.execute("SELECT id, distance FROM ann_search('v', ?, 5, 1)", (query.tobytes(),)).fetchall()
    _, nearest = arithmetic.exact(metric, ids, stored, query, 5)
    error = 1e-3 if metric == "angular" else 1e-6  # the root of what a sum of floats errs by
    np.testing.assert_allclose([distance for _, distance in rows], nearest, rtol=1e-5, atol=error)
    found = np.array([index.vector(id_) for id_, _ in rows])
    np.testing.assert_allclose(arithmetic.distances(metric, found, query), nearest, rtol=1e-5, atol=error)


@pytest.mark.parametrize("d", [5, 64, 100])
@pytest.mark.parametrize(
    ("kind", "metric"),
    [(kind, metric) for kind, metrics in components.METRICS.items() if kind != "float32" for metric in metrics],
)
def test_oracle_reads_tables_of_every_type(db, rng, kind, metric, d):
    """Rows, codes and given queries, as they lie in the file."""
    db.execute(f"CREATE VIRTUAL TABLE v USING ann(e {kind}[{d}], metric={metric}, leaf_capacity=32)")
    size = components.size(kind, d)
    blobs = [row.tobytes() for row in rng.integers(0, 256, (1300, size), np.uint8)]
    if kind == "bit":
        blobs = [blob[:-1] + bytes([blob[-1] & (1 << (d - 1) % 8 + 1) - 1]) for blob in blobs]
    blobs = [blob for blob in blobs if components.allowed(kind, blob, d)]
    if len(blobs) < 1200:  # of halves, whose random bits are seldom all finite
        ones = 0x3C00 if kind == "float16" else 0x3F80
        blobs = [(ones + rng.integers(0, 256, d)).astype("<u2").tobytes() for _ in range(1300)]
    blobs[7] = bytes(size)
    load = "INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, ?, ?)"
    db.execute(load, (b"".join(blobs[:1100]), d, kind))
    for i, blob in enumerate(blobs[1100:]):
        db.execute("INSERT INTO v(rowid, e) VALUES (?, ?)", (5000 + i, blob))
    db.execute("INSERT INTO v(v, e) VALUES ('learn', ?)", (blobs[3],))
    index = silent(db)
    assert (index.kind, index.metric, index.state["placed"]) == (kind, metric, len(blobs))
    np.testing.assert_array_equal(index.vector(3), components.decode(kind, blobs[3], d))
    np.testing.assert_array_equal(index.learned.vectors, index.vector(3)[None])
    ids, stored = index.array()
    for query in stored[:3]:
        sql = "SELECT distance FROM ann_search('v', ?, 5, 1)"
        given = components.encode(components.of_queries(kind), query)
        found = [far for (far,) in db.execute(sql, (given,)).fetchall()]
        _, nearest = arithmetic.exact(index.metric, ids, stored, query, 5)
        np.testing.assert_allclose(found, nearest, rtol=1e-5, atol=1e-3)


@pytest.mark.slow
def test_entries_of_directories_are_encoded_from_their_stored_centres(db, rng):
    make(db, 20, capacity=32)
    load(db, rng.standard_normal((3000, 20)))
    index = silent(db)
    # and the oracle would say so if they were not
    slope = oracle.HEADER + oracle.CENTRE + index.length + 384
    alter.page(db, "v", index.roots[0], lambda data: data.__setitem__(slope, data[slope] ^ 1))
    (fault,) = oracle.check(db, "v")
    assert "the codes of 1 entries are not theirs" in fault


def insert_one_by_one(db, rng):
    for id_ in range(2000, 2200):
        insert(db, id_, rng.standard_normal(8))


def load_many_times_more(db, rng):
    load(db, rng.standard_normal((2500, 8)), 50_000)


def delete_one(db, rng):
    db.execute("DELETE FROM v WHERE rowid = 17")


def delete_all(db, rng):
    db.execute("DELETE FROM v")


def optimize(db, rng):
    load(db, rng.standard_normal((100, 8)), 50_000)
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    assert oracle.read(db).waiting == []


def rebuild(db, rng):
    delete_all_but_a_few(db, rng)
    load(db, rng.standard_normal((1500, 8)), 50_000)
    db.execute("INSERT INTO v(v) VALUES ('rebuild')")


def vacuum(db, rng):
    delete_one(db, rng)
    db.execute("VACUUM")


def delete_all_but_a_few(db, rng):
    db.execute("DELETE FROM v WHERE rowid > 20")


def undo_a_savepoint(db, rng):
    with db:
        insert(db, 3000, rng.standard_normal(8))
        db.execute("SAVEPOINT inner_one")
        db.execute("DELETE FROM v WHERE rowid < 500")
        db.execute("ROLLBACK TO inner_one")
        insert(db, 3001, rng.standard_normal(8))


def fail_half_way(db, rng):
    good = rng.standard_normal(8).astype(np.float32).tobytes()
    with pytest.raises(apsw.SQLError):
        db.execute(
            "INSERT INTO v(rowid, e) SELECT 4000 + key, value FROM (SELECT 1 AS key, ? AS value UNION ALL SELECT 2, x'00')",
            (good,),
        )


def roll_back(db, rng):
    db.execute("BEGIN")
    insert_one_by_one(db, rng)
    db.execute("DELETE FROM v WHERE rowid < 300")
    db.execute("ROLLBACK")


def optimize_in_slices(db, rng):
    load(db, rng.standard_normal((200, 8)), 10_000)
    slices = 0
    while oracle.read(db).waiting:
        db.execute("INSERT INTO v(v, k) VALUES ('optimize', 20)")
        slices += 1
        if slices % 4 == 1:
            silent(db)
    assert slices > 4


def replace_rows(db, rng):
    for id_ in (5, 6, 7, 99_999):
        insert(db, id_, rng.standard_normal(8), "INSERT OR REPLACE")


def move_rows(db, rng):
    db.execute("UPDATE v SET rowid = rowid + 100000 WHERE rowid < 100")


def swap_vectors(db, rng):
    db.execute(
        "UPDATE v SET e = ? WHERE rowid BETWEEN 10 AND 200", (rng.standard_normal(8).astype(np.float32).tobytes(),)
    )


def use_extreme_ids(db, rng):
    for id_ in (-(2**63), 2**63 - 1, -1, 0):
        insert(db, id_, rng.standard_normal(8), "REPLACE")
    load(db, rng.standard_normal((300, 8)), -(2**62))


def use_zero_vectors(db, rng):
    for id_ in range(5000, 5100):
        insert(db, id_, np.zeros(8))


def use_equal_vectors(db, rng):
    load(db, np.ones((900, 8)), 5000)


def rename(db, rng):
    db.execute("ALTER TABLE v RENAME TO w")
    db.execute("ALTER TABLE w RENAME TO v")
    insert_one_by_one(db, rng)


WRITES: list[Callable[[apsw.Connection, np.random.Generator], object]] = [
    insert_one_by_one,
    load_many_times_more,
    delete_one,
    delete_all_but_a_few,
    delete_all,
    replace_rows,
    move_rows,
    swap_vectors,
    undo_a_savepoint,
    fail_half_way,
    roll_back,
    optimize,
    optimize_in_slices,
    rebuild,
    rename,
    vacuum,
    use_extreme_ids,
    use_zero_vectors,
    use_equal_vectors,
]


@cache
def thousand_rows(metric: str) -> bytes:
    """A database with a forest of many small leaves."""
    db = sqlite_ann.connect(":memory:")
    make(db, 8, metric, capacity=32)
    load(db, np.random.default_rng(1).standard_normal((1000, 8)))
    silent(db)
    return db.serialize("main")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "write"), [*enumerate(WRITES)], ids=lambda it: getattr(it, "__name__", ""))
def test_both_checks_are_silent_after_every_kind_of_write(db, rng, number, write):
    db.deserialize("main", thousand_rows(["cosine", "angular", "l2", "l1", "dot"][number % 5]))
    write(db, rng)
    silent(db)
    # what a program without the extension reads from the file is the same
    plain = apsw.Connection(":memory:")
    plain.deserialize("main", db.serialize("main"))
    assert oracle.check(plain, "v") == []


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["cosine", "angular", "l2", "l1", "dot"])
@pytest.mark.parametrize("size", [1e38, 3e19, 1e-20, 1e-38, 1e-45])
def test_both_checks_are_silent_for_numbers_at_the_ends_of_a_float(db, rng, metric, size):
    make(db, 24, metric, capacity=32)
    vectors = rng.uniform(-1, 1, (1000, 24))
    vectors[::3] *= size
    load(db, vectors.astype(np.float32))
    for id_ in range(2000, 2040):
        insert(db, id_, rng.uniform(-1, 1, 24) * size)
    silent(db)


def test_small_table_has_no_forest(db, rng):
    make(db, 8)
    silent(db)
    load(db, rng.standard_normal((300, 8)), 7)
    index = silent(db)
    assert (index.pages, index.places, index.roots, index.waiting) == ({}, {}, [0] * 8, [(7, 306)])


@pytest.mark.slow
@pytest.mark.parametrize("trees", [1, 8])
def test_every_row_is_in_as_many_leaves_as_there_are_trees(db, rng, trees):
    make(db, 8, trees=trees)
    load(db, rng.standard_normal((1000, 8)))
    index = silent(db)
    ids = [id_ for tree in range(trees) for leaf in index.leaves(tree) for id_ in set(leaf.ids)]
    assert sorted(ids) == [id_ for id_ in range(1000) for _ in range(trees)]


def test_options_can_be_read_from_the_end_whatever_the_column_is_called(db):
    db.execute('CREATE VIRTUAL TABLE v USING ann("a type=x [1]" float32[3], metric = dot)')
    assert oracle.read(db).options["column"] == "a type=x [1]"
    silent(db)


# --- config rows that are there for a while --------------------------------------------------------


def clusters(rng: np.random.Generator, rows: int) -> np.ndarray:
    centres = 4 * rng.standard_normal((30, 8))
    return (centres[rng.integers(0, 30, rows)] + rng.standard_normal((rows, 8))).astype(np.float32)


def grow_past_twice(db: apsw.Connection, rng: np.random.Generator, metric: str, given: int) -> Iterator[oracle.Index]:
    """A table of 1,200 rows that knows queries grows row by row: the index after each while it is measured anew."""
    make(db, 8, metric, capacity=32)
    vectors = clusters(rng, 2600)
    load(db, vectors[:1200])
    for query in vectors[:given] / 2:
        db.execute("INSERT INTO v(v, e) VALUES ('learn', ?)", (query.tobytes(),))
    for id_ in range(1200, 2600):
        insert(db, id_, vectors[id_])
        if db.execute("SELECT count(*) FROM v_config WHERE id = 5").get:
            yield oracle.read(db)
    assert oracle.read(db).state["calibrated_rows"] > 2000


def check_neighbours(index: oracle.Index) -> None:
    """What a calibration in progress knows is what numpy finds among the rows compared so far."""
    it = index.sampling
    assert it is not None
    ids, vectors = index.array()
    for query in [*it.nearest][::7]:
        known = (ids < it.compared) & ((ids != it.ids[query]) | (query >= it.from_rows))
        _, wanted = arithmetic.exact(index.metric, ids[known], vectors[known], it.vectors[query], 100)
        np.testing.assert_allclose([far for far, _ in it.nearest[query]], wanted, rtol=1e-4, atol=1e-6)
    # one row in eight, of which each query has the nearest
    eighth = np.array(sorted({id_ for near in it.far.values() for _, id_ in near}), np.int64)
    assert len(eighth) < len(ids) / 6
    assert (eighth < it.compared).all()
    for query in [*it.far][::7]:
        known = (eighth != it.ids[query]) | (query >= it.from_rows)
        among = vectors[np.searchsorted(ids, eighth[known])]
        _, wanted = arithmetic.exact(index.metric, eighth[known], among, it.vectors[query], 125)
        np.testing.assert_allclose([far for far, _ in it.far[query]], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "given"), [("l2", 0), ("cosine", 60), ("dot", 60)])
def test_oracle_reads_a_calibration_in_progress(db, rng, metric, given):
    moments = {}
    for index in grow_past_twice(db, rng, metric, given):
        it = index.sampling
        assert it is not None
        assert (it.from_rows, len(it.ids), len(it.vectors)) == (100, 100 + given, 100 + given)
        assert (it.placed, len(it.nearest), len(it.costs)) == (2400, 100 + given - it.measured, it.measured)
        moments[it.stage, it.measured > 0] = index  # the last of each
    assert [*moments] == [(1, False), (2, False), (2, True)]
    for index in moments.values():
        check_neighbours(index)
        it = index.sampling
        for id_, vector in zip(it.ids[:100], it.vectors[:100], strict=True):
            np.testing.assert_array_equal(index.vector(id_), vector)
        assert it.ids[100:] == [0] * given
        if given:
            np.testing.assert_array_equal(it.vectors[100:], index.learned.vectors)
        # of every query the nearest are known, of some the far ones, of those from rows their own row
        for query, costs in enumerate(it.costs):
            has = np.repeat([True, query < 48 or 0 <= query - 100 < 48, query < 100], (19, 10, 1))
            np.testing.assert_array_equal(costs["as_good"] > 0, has)
            np.testing.assert_array_equal(costs["inspected"] > 0, has)
    index = silent(db)
    assert index.sampling is None
    assert db.execute("SELECT count(*) FROM v_config WHERE id IN (5, 6)").get == 0


@pytest.mark.slow
def test_bytes_that_are_no_calibration_in_progress_are_none(db, rng):
    next(index for index in grow_past_twice(db, rng, "l2", 5) if index.sampling.measured)
    blob, sampled = (db.execute("SELECT value FROM v_config WHERE id = ?", (id_,)).get for id_ in (5, 6))

    def parse(blob: object, sampled: object = sampled) -> object:
        return oracle.parse_sampling(blob, sampled, 8, 10_000)

    assert parse(blob) is not None
    nan = struct.pack("<f", np.nan)
    for damaged in (b"", blob[:63], blob[:-1], blob + b"0", "text", None, blob[:-20] + nan + blob[-16:]):
        assert parse(damaged) is None
    too_much = {0: 2, 4: 3, 8: 801, 12: 200, 16: 200, 36: 1 << 31, 44: 1 << 31}  # value by offset
    for at, value in too_much.items():
        assert parse(blob[:at] + struct.pack("<I", value) + blob[at + 4 :]) is None, at
    for damaged in (b"", sampled[:-4], sampled[:-4] + nan, None):
        assert parse(blob, damaged) is None


@pytest.mark.slow
def test_oracle_reads_the_queries_that_were_given(db, rng):
    make(db, 8)
    vectors = rng.standard_normal((1000, 8)).astype(np.float32)
    load(db, vectors)
    assert silent(db).learned is None
    for query in vectors[:30] / 2:
        db.execute("INSERT INTO v(v, e) VALUES ('learn', ?)", (query.tobytes(),))
    learned = silent(db).learned
    assert (learned.seen, learned.measured) == (30, False)
    np.testing.assert_array_equal(learned.vectors, vectors[:30] / 2)
    db.execute("INSERT INTO v(v) VALUES ('optimize')")
    assert silent(db).learned.measured
    db.execute("UPDATE v_config SET value = substr(value, 1, length(value) - 1) WHERE id = 8")
    assert oracle.check(db) == ["config row learned has 991 bytes for 30 queries of 30"]


@pytest.mark.slow
def test_oracle_reads_the_least_work_of_a_calibrated_forest(db, rng):
    make(db, 8)
    assert silent(db).least == (0, 0)
    load(db, clusters(rng, 1200))
    estimates, ranked = silent(db).least
    assert 0 < ranked <= estimates <= 2 * 1200
    db.execute("UPDATE v_config SET value = x'00' WHERE id = 7")
    assert oracle.check(db) == ["config row least is not a blob of 8 bytes"]


def test_oracle_sees_whether_the_open_transaction_made_the_table(db):
    db.execute("BEGIN")
    make(db, 8)
    index = silent(db)
    assert isinstance(index.made, bytes)
    assert len(index.made) == 8
    insert(db, 1, np.ones(8))
    assert silent(db).made == index.made
    db.execute("COMMIT")
    assert silent(db).made is None
