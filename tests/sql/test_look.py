"""Looking inside: ann_page_decode, and ann_state."""

from __future__ import annotations

import json
import struct
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlite_ann
from tests import oracle

GOLDEN = Path(__file__).parents[1] / "golden"


def decode(db, blob):
    return json.loads(db.execute("SELECT ann_page_decode(?)", (blob,)).get)


@pytest.fixture(scope="module")
def leaf():
    """Page 8 of the golden table: five entries of a capacity of 32."""
    with closing(sqlite_ann.connect(f"file:{GOLDEN / '0.1-format2-grid.db'}?mode=ro")) as db:
        return bytes(db.execute("SELECT data FROM grid_pages WHERE id = 8").get)


# --- ann_page_decode -----------------------------------------------------------------------------


def centre(read):
    return {name: float(getattr(read, name)) for name in ("scale", "norm", "spread")}


def float32(told):
    """A decoded page with its decimals as the float32 that they stand for."""
    if isinstance(told, dict):
        return {key: float32(value) for key, value in told.items()}
    if isinstance(told, list):
        return [float32(value) for value in told]
    return float(np.float32(told)) if isinstance(told, float) else told


def as_the_oracle_reads_it(page):
    entries = [
        {"id" if page.is_leaf else "page": id_, "shift": float(shift), "slope": float(slope)}
        for id_, shift, slope in zip(page.ids, page.codes.shift, page.codes.slope, strict=True)
    ]
    for entry, child in zip(entries, page.children, strict=False):
        entry["centre"] = centre(child)
    return {
        "bytes": len(page.data),
        "fault": None,
        "format": 2,
        "kind": "leaf" if page.is_leaf else "directory",
        "tree": page.tree,
        "level": page.level,
        "entries": page.n,
        "capacity": page.capacity,
        "length": page.length,
        "parent": page.parent or None,
        "checksum": f"{struct.unpack_from('<Q', page.data, 32)[0]:016x}",
        "centre": centre(page.centre),
        "vectors" if page.is_leaf else "children": entries,
    }


def compare_all_pages(db, table):
    index = oracle.read(db, table)
    pages = db.execute(f'SELECT id, data, ann_page_decode(data) FROM "{table}_pages"').fetchall()
    kinds = set()
    for number, data, text in pages:
        told = float32(json.loads(text))
        assert told == as_the_oracle_reads_it(oracle.parse_page(number, data, index.length)), number
        kinds.add(told["kind"])
    return kinds


@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
def test_pages_are_told_as_the_independent_reader_reads_them(forest, metric):
    assert compare_all_pages(forest(metric).db, "v") == {"leaf", "directory"}


@pytest.mark.parametrize("file", ["0.1-format2-grid.db", "0.1-format2-mixed.db"])
def test_pages_of_older_files_are_told_too(file):
    with closing(sqlite_ann.connect(f"file:{GOLDEN / file}?mode=ro")) as db:
        assert [compare_all_pages(db, table) for table in oracle.tables(db)]


def test_decode_agrees_with_ann_pages(forest):
    db = forest().db
    rows = db.execute("""
        SELECT p.page, p.tree, p.level, p.kind, p.entries, p.capacity, p.bytes, p.parent, ann_page_decode(data)
          FROM ann_pages('v') AS p JOIN v_pages ON id = p.page""").fetchall()
    assert len(rows) > 50
    names = ("tree", "level", "kind", "entries", "capacity", "bytes", "parent")
    for number, *columns, text in rows:
        told = json.loads(text)
        assert [told[name] for name in names] == columns, number


def test_null_gives_null_and_what_is_no_blob_is_refused(db, refused):
    assert db.execute("SELECT ann_page_decode(NULL)").get is None
    for value, got in (("'ANNP'", "text"), ("1", "an integer"), ("1.5", "a real number")):
        refused(
            db, f"SELECT ann_page_decode({value})", (), f"ann_page_decode: expected a page, which is a blob, got {got}"
        )


def test_an_empty_leaf_has_no_vectors(db, leaf):
    told = decode(db, oracle.sealed(leaf[:8] + bytes(4) + leaf[12 : 64 + 32 + 256]))
    assert (told["fault"], told["entries"], told["vectors"]) == (None, 0, [])


# --- damage --------------------------------------------------------------------------------------

# (offset, bytes to put there, what is said); the checksum is right.
WRONG = {
    "magic": (0, b"PNNA", "expected the magic ANNP"),
    "version": (4, b"\3", "expected format version 2"),
    "kind": (5, b"\7", "expected kind 1, a leaf, or 2, a directory"),
    "tree": (6, b"\x08", "expected a tree from 0 to 7"),
    "level": (7, b"\1", "expected level 0 of a leaf, a higher one of a directory"),
    "entries": (8, struct.pack("<I", 33), "expected no more entries than the capacity"),
    "entries below zero": (8, b"\xff" * 4, "expected no more entries than the capacity"),
    "capacity": (12, struct.pack("<I", 33), "expected a capacity from 32 to 4096, a multiple of 32"),
    "capacity too large": (12, b"\xe0\xff\xff\xff", "expected a capacity from 32 to 4096, a multiple of 32"),
    "length": (16, struct.pack("<I", 255), "expected a length that is a multiple of 32"),
    "length too large": (16, b"\xe0\xff\xff\xff", "expected another size for so many entries"),
    "no length": (16, bytes(4), "expected a length that is a multiple of 32"),
    "code bits": (24, b"\2", "expected codes of one bit, and no finer ones"),
    "fine bits": (25, b"\4", "expected codes of one bit, and no finer ones"),
    "reserved": (26, b"\1", "expected zeros in the reserved bytes of the header"),
    "reserved at the end": (63, b"\1", "expected zeros in the reserved bytes of the header"),
    "reserved of the centre": (64 + 31, b"\1", "expected zeros in reserved and unused bytes"),
    "unused entry": (64 + 32 + 256 + 8 * 31, b"\1", "expected zeros in reserved and unused bytes"),
}


@pytest.mark.parametrize("what", WRONG)
def test_damage_is_named_and_what_can_be_read_is_told(db, leaf, what):
    at, value, fault = WRONG[what]
    told = decode(db, oracle.sealed(leaf[:at] + value + leaf[at + len(value) :]))
    assert told["fault"] == fault
    with pytest.raises(oracle.Damaged):
        oracle.parse_page(8, oracle.sealed(leaf[:at] + value + leaf[at + len(value) :]), 256)
    if what == "magic":
        assert set(told) == {"bytes", "fault"}
    elif "unused" in fault:
        assert len(told["vectors"]) == 5
    else:
        assert "vectors" not in told
        assert told["parent"] == 2
    if what == "kind":
        assert told["kind"] == 7


def test_entries_are_told_of_a_page_whose_checksum_is_wrong(db, leaf):
    sound = decode(db, leaf)
    damaged = bytearray(leaf)
    damaged[0x260] ^= 1  # the shift of entry 0
    told = decode(db, bytes(damaged))
    assert told["fault"] == "expected another checksum of these bytes"
    assert told["vectors"][1:] == sound["vectors"][1:]
    assert told["vectors"][0]["shift"] != sound["vectors"][0]["shift"]
    assert told["vectors"][0]["id"] == 336


def test_numbers_that_json_lacks_are_told_as_text(db, leaf):
    odd = struct.pack("<4f", float("nan"), float("inf"), float("-inf"), -0.0)
    told = decode(db, oracle.sealed(leaf[:0x260] + odd + leaf[0x270:]))
    assert [entry["shift"] for entry in told["vectors"]][:4] == ["NaN", "Infinity", "-Infinity", 0]
    assert told["fault"] is None  # of the page's form; ann_check compares codes with vectors


def test_every_blob_of_a_table_is_answered(forest):
    db = forest().db
    db.execute(
        "UPDATE v_pages SET data = zeroblob(length(data)) WHERE id = 5; UPDATE v_pages SET data = x'' WHERE id = 6"
    )
    faults = dict(db.execute("SELECT id, ann_page_decode(data) ->> 'fault' FROM v_pages"))
    assert {number: fault for number, fault in faults.items() if fault} == {
        5: "expected the magic ANNP",
        6: "expected at least 64 bytes, the header",
    }


@pytest.mark.slow
@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_hostile_bytes_give_json_or_nothing_worse(leaf, data):
    """Some bytes altered, the checksum right or not, cut or grown."""
    with closing(sqlite_ann.connect(":memory:")) as db:
        page = bytearray(leaf)
        for at, value in data.draw(st.lists(st.tuples(st.integers(0, 95), st.integers(0, 255)), max_size=6)):
            page[at] = value
        blob = bytes(page[: data.draw(st.integers(0, len(page)))]) if data.draw(st.booleans()) else bytes(page)
        if len(blob) >= 64 and len(blob) % 32 == 0 and data.draw(st.booleans()):
            blob = oracle.sealed(blob)
        told = decode(db, blob)
        assert told["bytes"] == len(blob)
        try:
            oracle.parse_page(8, blob, 256)
        except oracle.Damaged:
            return
        assert told["fault"] is None


# --- ann_state -----------------------------------------------------------------------------------

QUERY = np.arange(16, dtype="<f4").tobytes()
CHANGED = ["pages", "places", "counters", "waiting", "learned", "calibrating"]


def state(db):
    return dict(db.execute("SELECT key, value FROM ann_state('v')"))


def search(db):
    return db.execute("SELECT id FROM ann_search('v', ?)", (QUERY,)).fetchall()


def insert(db, id_=50_000):
    db.execute("INSERT INTO v(rowid, embedding) VALUES (?, ?)", (id_, QUERY))


def changed(told):
    return {name for name in CHANGED if told[f"changed_{name}"]}


def reads(db):
    """Pages and rows that the search has to read from SQLite."""
    sql = "SELECT sum(count) FROM ann_explain('v', ?) WHERE step LIKE 'read_%'"
    return db.execute(sql, (QUERY,)).get


@pytest.fixture
def two(forest_file, other_connections):
    """Two connections to one file."""
    return other_connections(forest_file), other_connections(forest_file)


def test_nothing_is_in_memory_before_the_first_search(two):
    told = state(two[0])
    assert (told["kept"], told["data_version"], told["pages_sum"], told["history"]) == (0, None, None, None)
    assert (told["pages"], told["page_bytes"], told["rows"], told["row_bytes"], told["statements"]) == (0,) * 5
    assert (told["learned"], told["calibrating"], told["calibration_known"], told["none_wait"]) == (None, None, 0, 0)
    assert (told["writing"], told["poisoned"], told["late_savepoint"], changed(told)) == (0, 0, None, set())


def test_after_a_search_what_it_read_is_in_memory(two, forest_file):
    db = two[0]
    search(db)
    told = state(db)
    stored = oracle.read(forest_file).state
    assert (told["pages_sum"], told["history"]) == (f"{stored['pages_sum']:016x}", f"{stored['history']:016x}")
    assert told["kept"] == told["none_wait"] == told["calibration_known"] == 1
    assert 0 < told["pages"] <= db.execute("SELECT count(*) FROM v_pages").get
    assert told["page_bytes"] > told["pages"] * 1000
    assert told["rows"] >= 10
    assert told["row_bytes"] >= told["rows"] * 64
    assert db.execute("SELECT value FROM ann_info('v') WHERE key = 'cache_bytes'").get == (
        told["page_bytes"] + told["row_bytes"]
    )
    assert told["limit_bytes"] == 256 << 20
    assert told["statements"] > 0
    assert told["counters_known"] == 0


def test_asking_changes_nothing(two):
    db = two[0]
    search(db)
    hits = db.execute("SELECT value FROM ann_info('v') WHERE key = 'cache_hits'").get
    told = state(db)
    assert state(db) == told
    assert db.execute("SELECT value FROM ann_info('v') WHERE key = 'cache_hits'").get == hits
    assert reads(db) == 0


def test_what_a_transaction_changed_is_told_and_not_written(two, shadow_hash):
    db = two[0]
    search(db)
    before, stored = state(db), shadow_hash(db)
    db.execute("BEGIN")
    insert(db)
    told = state(db)
    assert (told["writing"], told["counters_known"], told["changed_places"]) == (1, 1, 1)
    assert told["changed_pages"] >= 2  # a copy in each of two leaves
    assert (told["pages_sum"], told["history"]) == (before["pages_sum"], before["history"])
    # The row itself is written at once; all else waits, whoever looks at it.
    db.execute("DELETE FROM v_vectors WHERE id = 50000")
    assert shadow_hash(db) == stored
    db.execute("PRAGMA query_only = 1")
    assert state(db) == told
    db.execute("PRAGMA query_only = 0; ROLLBACK")


def test_a_savepoint_writes_what_was_changed(two):
    db = two[0]
    db.execute("BEGIN")
    insert(db)
    assert changed(state(db)) >= {"pages", "places", "counters"}
    db.execute("SAVEPOINT here")
    told = state(db)
    assert changed(told) == set()
    assert (told["writing"], told["kept"]) == (1, 1)
    db.execute("COMMIT")


def test_memory_goes_on_as_that_of_the_new_state_after_a_commit(two, forest_file):
    db = two[0]
    search(db)
    before = state(db)
    insert(db)
    told = state(db)
    stored = oracle.read(forest_file).state
    assert (told["kept"], told["writing"], told["counters_known"], changed(told)) == (1, 0, 0, set())
    assert told["pages_sum"] == f"{stored['pages_sum']:016x}" != before["pages_sum"]
    assert told["history"] == f"{stored['history']:016x}" != before["history"]
    assert told["data_version"] != before["data_version"]
    assert told["pages"] >= before["pages"]


def test_a_rollback_forgets(two):
    db = two[0]
    search(db)
    db.execute("BEGIN")
    insert(db)
    db.execute("ROLLBACK")
    told = state(db)
    assert (told["kept"], told["pages"], told["rows"], told["writing"], changed(told)) == (0, 0, 0, 0, set())
    search(db)
    assert state(db)["kept"] == 1


def test_anothers_commit_is_not_looked_for_until_the_next_search(two):
    db, other = two
    search(db)
    before = state(db)
    insert(other)
    assert state(db) == before
    search(db)
    told = state(db)
    assert told["pages_sum"] != before["pages_sum"]
    assert told["history"] == state(other)["history"]


def test_anothers_commit_to_another_table_leaves_memory_as_it_is(two):
    db, other = two
    other.execute("CREATE TABLE plays(song)")
    search(db)
    before = state(db)
    other.execute("INSERT INTO plays VALUES (1)")
    assert search(db)
    told = state(db)
    assert told.pop("data_version") != before.pop("data_version")
    assert told == before


def test_a_poisoned_table_is_told_where_others_refuse(forest):
    db = forest().db
    db.execute("PRAGMA foreign_keys = 1; CREATE TABLE mine(x REFERENCES v_vectors(id)); INSERT INTO mine VALUES (4)")
    db.execute("BEGIN; SAVEPOINT early")
    with pytest.raises(apsw.ConstraintError):
        db.execute("DELETE FROM v WHERE rowid = 4")
    with pytest.raises(apsw.Error, match="a write failed half-way"):
        db.execute("SELECT * FROM ann_info('v')").fetchall()
    told = state(db)
    assert (told["poisoned"], told["writing"], told["late_savepoint"]) == (1, 1, None)
    db.execute("SAVEPOINT late")
    assert state(db)["late_savepoint"] == 1  # of early 0 and late 1
    db.execute("ROLLBACK TO early")
    told = state(db)
    assert (told["poisoned"], told["writing"], told["late_savepoint"], told["kept"]) == (0, 1, None, 0)
    db.execute("ROLLBACK")
    assert state(db)["writing"] == 0


def test_settings_are_told_as_ann_set_reads_them(forest):
    db = forest().db
    for name, value in (("cache_mb", 7), ("absorb", 3), ("threads", 2), ("warm", 1)):
        db.execute("SELECT ann_set('v', ?, ?)", (name, value))
    told = state(db)
    for name in ("cache_mb", "absorb", "threads", "warm"):
        assert told[name] == db.execute("SELECT ann_set('v', ?)", (name,)).get
    assert (told["cache_mb"], told["limit_bytes"], told["warm"]) == (7, 7 << 20, told["page_bytes"] + told["row_bytes"])
    assert told["pages"] == db.execute("SELECT count(*) FROM v_pages").get
    assert told["rows"] == 1500
    db.execute("SELECT ann_set('v', 'cache_mb', 0)")
    told = state(db)
    assert (told["pages"], told["rows"], told["warm"]) == (0, 0, 0)


def test_given_queries_and_a_calibration_under_way_are_told(forest, make_vectors, load, rng):
    db = forest().db
    db.execute("BEGIN")
    db.execute("INSERT INTO v(v, embedding) VALUES ('learn', ?)", (QUERY,))
    told = state(db)
    assert (told["learned"], changed(told)) == (1, {"learned", "counters"})
    db.execute("COMMIT")
    stages = set()
    for id_, vector in enumerate(make_vectors(rng, 2500), 50_000):  # a calibration goes on by slices
        db.execute("INSERT INTO v(rowid, embedding) VALUES (?, ?)", (id_, vector.tobytes()))
        told = state(db)
        stages.add(told["calibrating"])
        if told["calibrating"] == "measure":
            assert 0 <= told["calibrating_measured"] <= told["calibrating_queries"]
        if {"truth", "measure"} <= stages:
            break
    assert {"truth", "measure"} <= stages


def test_every_schema_has_its_own(two, tmp_path):
    db = two[0]
    search(db)
    db.execute("ATTACH ? AS more; CREATE VIRTUAL TABLE more.w USING ann(embedding float32[4])", (str(tmp_path / "m"),))
    assert dict(db.execute("SELECT key, value FROM ann_state('more.w')"))["pages"] == 0
    with pytest.raises(apsw.SQLError, match="ann_state: expected the name of an ann table"):
        db.execute("SELECT * FROM ann_state('nothing')").fetchall()
