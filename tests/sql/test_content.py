"""An index over an ordinary table: the table is written as ever, by anybody, and searches find what is in it."""

from __future__ import annotations

import itertools
import subprocess

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests.sql import songs

DIM = songs.DIM


@pytest.fixture
def filled(db):
    """1,500 songs in a forest."""
    return songs.made(db)


@pytest.fixture
def queries(rng):
    return songs.vectors(rng, 12)


def test_an_index_over_a_full_table_is_built_at_once_without_a_copy_of_the_vectors(filled, queries):
    assert "song_ann_vectors" not in songs.names(filled)
    assert songs.info(filled, "leaf_pages") > 10
    assert (songs.info(filled, "rows"), songs.info(filled, "waiting")) == (1500, 0)
    assert (songs.info(filled, "content"), songs.info(filled, "changes_waiting")) == ("song", 0)
    songs.agrees(filled, queries)
    inspected = [
        count
        for step, count, *_ in filled.execute("SELECT * FROM ann_explain('song_ann', ?)", (songs.blob(queries[0]),))
        if step == "scan"
    ]
    assert 0 < inspected[0] < 3000  # it was the forest that answered


def test_an_index_over_an_empty_table_grows_with_it(db, queries, rng):
    db.execute(songs.SONG)
    db.execute(songs.INDEX)
    assert songs.search(db, queries[0]) == []
    songs.insert(db, range(600), songs.vectors(rng, 600))
    songs.agrees(db, queries)
    songs.insert(db, range(600, 1400), songs.vectors(rng, 800))
    songs.agrees(db, queries)
    assert songs.info(db, "leaf_pages") == 0
    songs.run(db, "optimize")
    assert songs.info(db, "leaf_pages") > 10
    assert songs.info(db, "changes_waiting") == 0
    songs.agrees(db, queries)


WRITES = {
    "an insert": "INSERT INTO song VALUES (2, 'new', :v)",
    "an insert without a vector": "INSERT INTO song VALUES (2, 'new', NULL)",
    "an update": "UPDATE song SET embedding = :v WHERE id = 4",
    "an update of something else": "UPDATE song SET title = 'other' WHERE id = 4",
    "an update of the id": "UPDATE song SET id = 5000 WHERE id = 4",
    "an id that takes another's place": "UPDATE OR REPLACE song SET id = 7 WHERE id = 4",
    "a vector that goes": "UPDATE song SET embedding = NULL WHERE id IN (4, 7)",
    "a delete": "DELETE FROM song WHERE id BETWEEN 100 AND 200",
    "a delete of all": "DELETE FROM song",
    "a replace of the id": "REPLACE INTO song VALUES (4, 'new', :v)",
    "a replace by the title": "REPLACE INTO song VALUES (2, 'song 10', :v)",
    "a replace by both": "REPLACE INTO song VALUES (4, 'song 10', :v)",
    "an update that replaces by the title": "UPDATE OR REPLACE song SET title = 'song 10', embedding = :v WHERE id = 4",
    "an upsert": "INSERT INTO song VALUES (4, 'song 4', :v) ON CONFLICT(id) DO UPDATE SET embedding = excluded.embedding",
    "an upsert by the title": "INSERT INTO song VALUES (2, 'song 4', :v) ON CONFLICT(title) DO UPDATE SET embedding = excluded.embedding",
    "an upsert that does nothing": "INSERT INTO song VALUES (4, 'song 4', :v) ON CONFLICT DO NOTHING",
    "an insert or ignore": "INSERT OR IGNORE INTO song VALUES (4, 'x', :v), (2, 'y', :v)",
    "an update of all": "UPDATE song SET embedding = :v",
    "an update of a third": "UPDATE song SET embedding = :v WHERE id % 9 = 1",
    "an update of what has no note yet": "UPDATE OR FAIL song SET embedding = :v WHERE id < 30",
    "an insert or abort of what is noted": "DELETE FROM song WHERE id = 4; INSERT OR ABORT INTO song VALUES (4, 'x', :v)",
    "an insert or rollback of what is noted": "DELETE FROM song WHERE id = 4; INSERT OR ROLLBACK INTO song VALUES (4, 'x', :v)",
    "an insert from itself": "INSERT INTO song SELECT id + 1, title || '!', embedding FROM song WHERE id < 900",
}


@pytest.mark.parametrize("recursive", [0, 1])
@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES)
def test_what_is_written_is_found_by_the_next_search(filled, queries, sql, recursive):
    filled.execute(f"PRAGMA recursive_triggers = {recursive}")
    filled.execute(sql, {"v": songs.blob(queries[0])})
    songs.agrees(filled, queries)
    songs.agrees(filled, queries[:2], 2000)
    songs.run(filled, "optimize")
    songs.agrees(filled, queries)
    rows = len(songs.stored(filled))
    assert songs.info(filled, "changes_waiting") == 0
    assert songs.info(filled, "waiting") == 0 or songs.info(filled, "leaf_pages") == 0
    assert len(songs.search(filled, queries[0], 2000)) == rows


@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES)
def test_what_is_rolled_back_is_not_found(filled, queries, sql):
    before = [songs.search(filled, query) for query in queries]
    filled.execute("BEGIN; SAVEPOINT s")
    filled.execute(sql, {"v": songs.blob(queries[0])})
    songs.agrees(filled, queries[:2])
    filled.execute("ROLLBACK TO s")
    assert [songs.search(filled, query) for query in queries] == before
    filled.execute("COMMIT")
    filled.execute("BEGIN")
    filled.execute(sql, {"v": songs.blob(queries[0])})
    songs.run(filled, "optimize")
    songs.agrees(filled, queries[:2])
    filled.execute("ROLLBACK")
    assert [songs.search(filled, query) for query in queries] == before
    songs.agrees(filled, queries[:2])


def test_foreign_keys_cascade_into_the_index(db, queries, rng):
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("CREATE TABLE book(id INTEGER PRIMARY KEY)")
    db.execute(
        "CREATE TABLE song(id INTEGER PRIMARY KEY, title, embedding BLOB, book REFERENCES book ON DELETE CASCADE)"
    )
    db.execute("INSERT INTO book VALUES (0), (1), (2)")
    db.executemany(
        "INSERT INTO song VALUES (?, ?, ?, ?)",
        [(i, "", songs.blob(v), i % 3) for i, v in enumerate(songs.vectors(rng, 1500))],
    )
    db.execute(songs.INDEX)
    db.execute("DELETE FROM book WHERE id = 1")
    assert songs.info(db, "changes_waiting") == 500
    assert {i % 3 for i, _ in songs.search(db, queries[0], 50)} == {0, 2}
    songs.agrees(db, queries)
    songs.run(db, "optimize")
    songs.agrees(db, queries)


def test_many_rows_that_went_without_a_note_do_not_make_an_answer_shorter(filled, queries):
    """REPLACE deletes what stands in the way, and no trigger hears of it."""
    near = [i for i, _ in songs.exact(filled, queries[0], 300)]
    filled.executemany("REPLACE INTO song VALUES (?, ?, NULL)", [(100_000 + i, f"song {i}") for i in near])
    assert songs.info(filled, "rows") == 1200
    for k in (1, 10, 100, 1000):
        assert songs.search(filled, queries[0], k) == songs.exact(filled, queries[0], k)
        assert len(songs.usual(filled, queries[0], k)) == k
    sql = "SELECT id, distance FROM ann_search('song_ann', ?, 1000000)"
    assert len(list(itertools.islice(filled.execute(sql, (songs.blob(queries[0]),)), 1000))) == 1000
    songs.run(filled, "optimize")
    songs.agrees(filled, queries)
    assert filled.execute("SELECT count(*) FROM song_ann_places").get == 1200


def test_a_bulk_update_is_taken_in_by_slices_and_found_meanwhile(filled, rng, queries):
    with filled:
        filled.executemany(
            "UPDATE song SET embedding = ? WHERE id = ?",
            [(songs.blob(v), 3 * i + 1) for i, v in enumerate(songs.vectors(rng, 1000))],
        )
    assert songs.info(filled, "changes_waiting") == 1000
    seen = [1000]
    while seen[-1]:
        songs.run(filled, "optimize", 8)
        seen.append(songs.info(filled, "changes_waiting"))
        assert seen[-1] < seen[-2]
        songs.agrees(filled, queries[:3])
    assert len(seen) > 5


def test_all_rows_of_a_small_table_wait_and_no_others(db):
    songs.made(db, 10)
    for sql, rows in (
        ("UPDATE song SET embedding = zeroblob(32) WHERE id < 10", 10),
        ("DELETE FROM song WHERE id > 10", 4),
        ("INSERT INTO song VALUES (2, 'new', zeroblob(32))", 5),
    ):
        db.execute(sql)
        assert (songs.info(db, "rows"), songs.info(db, "waiting")) == (rows, rows)
        every = dict(db.execute("SELECT key, value FROM ann_info('song_ann')").fetchall())
        assert (every["rows"], every["waiting"]) == (rows, rows)


def test_slices_come_to_an_end_while_others_write(db, rng):
    """What is noted between two slices counts once, and so does not seem to be a table that has doubled."""
    db.execute(songs.SONG)
    db.execute(songs.INDEX)
    songs.insert(db, range(6000), songs.vectors(rng, 6000))
    slices = 0
    while slices == 0 or songs.info(db, "changes_waiting") < songs.info(db, "waiting"):
        songs.run(db, "optimize", 60)
        slices += 1
        for i in range(30):
            db.execute("UPDATE song SET embedding = ? WHERE id = ?", (songs.blob(songs.vectors(rng, 1)[0]), i * slices))
        assert songs.info(db, "waiting") <= 6000 + songs.info(db, "changes_waiting")
    assert slices < 400
    songs.run(db, "optimize")
    songs.agrees(db, songs.vectors(rng, 3))


def test_many_new_rows_grow_a_forest_for_all(filled, rng, queries):
    songs.insert(filled, range(10_000, 16_000), songs.vectors(rng, 6000))
    songs.agrees(filled, queries[:3])
    songs.run(filled, "optimize")
    assert songs.info(filled, "planted_rows") == 7500
    songs.agrees(filled, queries)


@pytest.mark.parametrize("command", ["optimize", "rebuild", "integrity-check", "cache_mb=32", "warm", "absorb=10"])
def test_any_command_takes_in_what_was_written(filled, command, queries):
    filled.execute("DELETE FROM song WHERE id < 100")
    filled.execute("SELECT changes()")
    last = filled.last_insert_rowid()
    songs.run(filled, command)
    assert filled.last_insert_rowid() == last
    assert songs.info(filled, "changes_waiting") == 0
    songs.agrees(filled, queries)


def test_a_search_writes_nothing(tmp_path, queries):
    path = songs.as_file(tmp_path / "songs.db")
    with songs.plain(path) as db:
        db.execute("DELETE FROM song WHERE id < 100")
    before = (tmp_path / "songs.db").read_bytes()
    db = sqlite_ann.connect(path)
    songs.agrees(db, queries)
    db.close()
    assert (tmp_path / "songs.db").read_bytes() == before


# --- others


def test_a_program_without_the_extension_writes_the_table_and_is_heard(tmp_path, rng, queries):
    path = songs.as_file(tmp_path / "songs.db")
    reader = sqlite_ann.connect(path, flags=apsw.SQLITE_OPEN_READONLY)
    writer = songs.plain(path)
    songs.agrees(reader, queries)
    songs.insert(writer, range(20_000, 20_050), songs.vectors(rng, 50))
    songs.agrees(reader, queries)
    writer.execute("DELETE FROM song WHERE id < 200")
    writer.execute("UPDATE song SET embedding = ? WHERE id < 400", (songs.blob(queries[0]),))
    songs.agrees(reader, queries)
    writer.execute("VACUUM")
    songs.agrees(reader, queries)
    writer.close()
    reader.close()
    db = sqlite_ann.connect(path)
    songs.run(db, "optimize")
    songs.agrees(db, queries)


def test_sqlites_own_shell_writes_the_table_and_is_heard(tmp_path, stock_shell, queries):
    path = songs.as_file(tmp_path / "songs.db")
    subprocess.run(
        [
            stock_shell[0],
            path,
            "DELETE FROM song WHERE id < 100; UPDATE song SET embedding = zeroblob(32) WHERE id < 200",
        ],
        check=True,
        timeout=60,
    )
    db = sqlite_ann.connect(path)
    assert songs.info(db, "changes_waiting") == 67
    songs.agrees(db, queries)


def test_defensive_does_not_stop_who_writes_the_table(filled, queries):
    filled.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    filled.execute("UPDATE song SET embedding = ? WHERE id < 400", (songs.blob(queries[0]),))
    filled.execute("DELETE FROM song WHERE id > 4000")
    songs.agrees(filled, queries)
    songs.run(filled, "optimize")
    songs.agrees(filled, queries)
    with pytest.raises(apsw.Error, match="may not be modified"):
        filled.execute("DELETE FROM song_ann_pages")


def test_a_dump_is_restored_with_the_index(tmp_path, stock_shell, queries):
    path = songs.as_file(tmp_path / "songs.db")
    dump = subprocess.run([stock_shell[0], path, ".dump"], check=True, capture_output=True, timeout=60).stdout
    other = str(tmp_path / "other.db")
    subprocess.run([stock_shell[0], other], input=dump, check=True, timeout=60)
    db = sqlite_ann.connect(other)
    songs.agrees(db, queries)
    db.execute("DELETE FROM song WHERE id < 100")
    songs.agrees(db, queries)


def test_a_search_inside_a_trigger_sees_each_row_as_it_comes(filled, queries):
    """The same is asked of the index for each row, and must not be answered from before."""
    filled.execute("CREATE TABLE log(id, nearest)")
    filled.execute(
        "CREATE TRIGGER found AFTER INSERT ON song BEGIN INSERT INTO log SELECT new.id, id FROM "
        f"ann_search('song_ann', x'{songs.blob(queries[0]).hex()}', 1, 1.0); END"
    )
    filled.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1)
    steps = [queries[0] + [i, 0, 0, 0, 0, 0, 0, 0] for i in (3, 2, 1, 0)]
    filled.execute(
        "INSERT INTO song SELECT 9000 + key, 'near ' || key, unhex(value) FROM json_each(?)"
        if filled.execute("SELECT count(*) FROM pragma_function_list WHERE name = 'unhex'").get
        else "INSERT INTO song SELECT 9000 + key, 'near ' || key, ann_vector(value) FROM json_each(?)",
        ("[" + ",".join(f'"{songs.blob(s).hex()}"' for s in steps) + "]",),
    )
    log = filled.execute("SELECT id, nearest FROM log").fetchall()
    assert log[-1] == (9003, 9003)
    assert len({nearest for _, nearest in log}) > 1


def test_a_table_that_changes_between_two_rows_of_a_search_harms_nobody(filled, queries):
    rows = filled.execute("SELECT id, distance FROM ann_search('song_ann', ?, 5000)", (songs.blob(queries[0]),))
    first = list(itertools.islice(rows, 5))
    assert first == songs.exact(filled, queries[0], 5)
    filled.execute("DELETE FROM song WHERE id % 2 = 0")
    rest = list(rows)
    assert [d for _, d in rest] == sorted(d for _, d in rest)
    assert len({i for i, _ in first + rest}) == len(first + rest)


def test_scans_of_the_index_read_the_table(filled):
    filled.execute("UPDATE song SET embedding = NULL WHERE id < 10")
    assert filled.execute("SELECT count(*) FROM song_ann").get == 1497
    assert filled.execute("SELECT embedding FROM song_ann WHERE rowid = 10").get == songs.blob(songs.stored(filled)[10])
    assert [i for (i,) in filled.execute("SELECT rowid FROM song_ann WHERE rowid BETWEEN 1 AND 20")] == [10, 13, 16, 19]
    match = "SELECT rowid, embedding FROM song_ann WHERE embedding MATCH ? AND k = 3"
    for id_, vector in filled.execute(match, (songs.blob(songs.stored(filled)[10]),)):
        assert vector == songs.blob(songs.stored(filled)[id_])


def test_scans_of_the_index_give_vectors_as_blobs_and_no_row_without_one(filled):
    text = str([float(x) for x in range(DIM)])
    filled.execute("UPDATE song SET embedding = ? WHERE id = 4", (text,))
    filled.execute("UPDATE song SET embedding = x'00' WHERE id = 7")
    filled.execute("UPDATE song SET embedding = 'no vector' WHERE id = 10")
    rows = dict(filled.execute("SELECT rowid, embedding FROM song_ann WHERE rowid < 14").fetchall())
    assert list(rows) == [1, 4, 13]
    assert rows[4] == songs.blob(np.arange(DIM))
    assert filled.execute("SELECT count(*) FROM song_ann WHERE rowid = 7").get == 0
    assert filled.execute("SELECT count(*) FROM song_ann").get == 1498


def test_filters_hold_for_rows_noted_and_not(filled, queries):
    filled.execute("UPDATE song SET embedding = ? WHERE id < 100", (songs.blob(queries[0]),))
    near = songs.exact(filled, queries[0], 1500)
    some = [i for i, _ in near if i % 5 == 0]
    sql = "SELECT id, distance FROM ann_search('song_ann', ?, 20, 0.99999) WHERE {} ORDER BY rank"
    for where, wanted in [
        ("id IN (SELECT value FROM json_each(?))", [row for row in near if row[0] in some][:20]),
        ("exclude IN (SELECT value FROM json_each(?))", [row for row in near if row[0] not in some][:20]),
    ]:
        found = filled.execute(sql.format(where), (songs.blob(queries[0]), str(some))).fetchall()
        assert found == wanted
    item = "SELECT id FROM ann_search_item('song_ann', 4, 40)"
    assert sorted(i for (i,) in filled.execute(item))[:10] == sorted(i for i, _ in near if i < 100)[:10]


def test_what_no_trigger_heard_of_is_named_and_taken_in_by_rebuild(filled, queries):
    filled.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    filled.execute("INSERT INTO song VALUES (2, 'unheard', ?)", (songs.blob(queries[0]),))
    filled.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
    with filled.blob_open("main", "song", "embedding", 4, True) as blob:
        blob.write(songs.blob(queries[1] + 100))
    told = filled.execute("SELECT id, fault FROM ann_check('song_ann')").fetchall()
    assert (2, "row is not in the index, and no trigger noted it; rebuild it") in told
    assert {i for i, _ in told} == {2, 4}
    songs.run(filled, "rebuild")
    songs.agrees(filled, queries)


def test_recall_and_the_calibration_take_rows_as_they_are(filled, rng):
    filled.execute("REPLACE INTO song SELECT id + 1, title, embedding FROM song WHERE id < 900")
    k, sample, recall = filled.execute("SELECT k, sample, recall FROM ann_recall('song_ann', 10, 200)").fetchone()
    assert (k, sample) == (10, 200)
    assert recall > 0.9
    songs.run(filled, "optimize")
    assert filled.execute("SELECT recall FROM ann_recall('song_ann', 10, 200)").get > 0.93


def test_the_last_rows_go_and_others_come(filled, queries, rng):
    filled.execute("DELETE FROM song")
    songs.agrees(filled, queries)
    songs.run(filled, "optimize")
    assert songs.info(filled, "leaf_pages") == 0
    songs.insert(filled, range(2000), songs.vectors(rng, 2000))
    songs.agrees(filled, queries)
    songs.run(filled, "optimize")
    assert songs.info(filled, "leaf_pages") > 10
    songs.agrees(filled, queries)


def test_equal_tables_get_equal_bytes_by_rebuild(db, filled, tmp_path, queries):
    other = songs.made(sqlite_ann.connect(str(tmp_path / "other.db")))
    filled.execute("UPDATE song SET embedding = ? WHERE id < 100", (songs.blob(queries[0]),))
    songs.run(filled, "optimize")
    other.execute("UPDATE song SET embedding = ? WHERE id < 100", (songs.blob(queries[0]),))
    for each in (filled, other):
        songs.run(each, "rebuild")
    for table in ("pages", "places", "waiting", "config"):
        sql = f"SELECT * FROM song_ann_{table} ORDER BY id"
        assert filled.execute(sql).fetchall() == other.execute(sql).fetchall()
    other.close()


# --- what a vector may be


def test_vectors_may_be_json_text_and_what_is_none_is_passed_over(filled, queries):
    text = str([float(x) for x in queries[0]])
    filled.execute("INSERT INTO song VALUES (2, 'text', ?)", (text,))
    for i, wrong in enumerate([b"short", "no vector", 5, 2.5, b"", "[1, 2]", np.full(DIM, np.nan, "<f4").tobytes()]):
        filled.execute("INSERT INTO song VALUES (?, ?, ?)", (50_000 + i, f"wrong {i}", wrong))
    for _ in range(2):
        assert songs.search(filled, queries[0], 1) == [(2, 0.0)]
        assert len(songs.search(filled, queries[0], 5000)) == 1501
        assert songs.info(filled, "rows") == 1501 + 3  # two texts and a NaN are taken for vectors
        told = filled.execute("SELECT id, fault FROM ann_check('song_ann')").fetchall()
        assert [i for i, _ in told] == list(range(50_000, 50_007))
        assert told[0][1] == "row 50000 is not indexed: expected 32 bytes (8 x float32), got 5 bytes" or told[0][
            1
        ].startswith("row 50000 is not indexed: expected")
        songs.run(filled, "optimize")
    filled.execute("DELETE FROM song WHERE id >= 50000")
    assert songs.faults(filled) == []


@pytest.mark.parametrize(
    ("kind", "dtype"), [("float16", "<f2"), ("int8", "i1"), ("bit", "u1"), ("bfloat16", "<u2"), ("float32", "<f4")]
)
def test_a_table_of_any_type(db, rng, kind, dtype):
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title, embedding BLOB)")
    x = rng.integers(0, 100, (1500, 8 if kind != "bit" else 4)).astype(dtype)
    dim = 32 if kind == "bit" else 8
    db.executemany("INSERT INTO song VALUES (?, '', ?)", [(i, row.tobytes()) for i, row in enumerate(x)])
    db.execute(f"CREATE VIRTUAL TABLE song_ann USING ann(embedding {kind}[{dim}], content=song)")
    assert db.execute("SELECT count(*) FROM ann_search_item('song_ann', 7, 5)").get == 5
    db.execute("UPDATE song SET embedding = (SELECT embedding FROM song WHERE id = 7) WHERE id = 9")
    found = [i for (i,) in db.execute("SELECT id FROM ann_search_item('song_ann', 9, 2)")]
    assert sorted(found) == [7, 9]
    songs.run(db, "optimize")
    assert songs.faults(db) == []


@pytest.mark.parametrize("kind", ["STORED", "VIRTUAL"])
def test_the_vector_may_be_a_generated_column(db, rng, queries, kind):
    db.execute(f"CREATE TABLE song(id INTEGER PRIMARY KEY, raw BLOB, embedding AS (nullif(raw, x'')) {kind})")
    x = songs.vectors(rng, 1500)
    db.executemany("INSERT INTO song(id, raw) VALUES (?, ?)", [(i, songs.blob(v)) for i, v in enumerate(x)])
    db.execute(songs.INDEX)
    songs.agrees(db, queries)
    db.execute("UPDATE song SET raw = x'' WHERE id < 100")
    db.execute("UPDATE song SET raw = ? WHERE id BETWEEN 100 AND 200", (songs.blob(queries[0]),))
    songs.agrees(db, queries)
    songs.run(db, "optimize")
    songs.agrees(db, queries)


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_statement_that_goes_on_after_a_rollback_searches_anew(filled, queries, is_whole):
    """What a savepoint undoes in an ordinary table nothing tells, so no answer may be left over from within it."""
    sql = "SELECT value, (SELECT id FROM ann_search('song_ann', iif(value, :q, NULL), 1)) FROM json_each('[1, 2, 3]')"
    nearest = songs.exact(filled, queries[0], 1)[0][0]
    filled.execute("BEGIN")
    rows = filled.execute(sql, {"q": songs.blob(queries[0])})
    assert next(rows) == (1, nearest)
    filled.execute("SAVEPOINT try_it")
    songs.insert(filled, [90_000], [queries[0]])
    assert next(rows) == (2, 90_000)
    filled.execute("ROLLBACK" if is_whole else "ROLLBACK TO try_it")
    assert next(rows) == (3, nearest)


def test_recall_is_measured_among_rows_that_have_a_vector(filled):
    filled.execute(
        "UPDATE song SET embedding = 'no vector' WHERE id IN (SELECT id FROM song ORDER BY id LIMIT -1 OFFSET 40)"
    )
    measured = "SELECT sample, recall FROM ann_recall('song_ann', 1000, 20, 1)"
    assert filled.execute(measured).fetchall() == [(20, 1.0)]
