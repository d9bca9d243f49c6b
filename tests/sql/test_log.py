"""What an operator reads in SQLite's log of the lives of tables: each event once, and nothing of searches and rows."""

from __future__ import annotations

import apsw
import pytest

from tests.log import log_of, ours

LIFE = """
db = sqlite_ann.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[8], metric=l2, leaf_capacity=32)")
x = rng.standard_normal((12000, 8)).astype("<f4")
ROW = "INSERT INTO v(rowid, e) VALUES (?, ?)"
BULK = "INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, 8, 'float32', ?)"
SEARCH = "SELECT id FROM ann_search('v', ?, 10)"


def bulk(first, end):
    db.execute(BULK, (x[first:end].tobytes(), np.arange(first, end).tobytes()))


for i in range(2500):
    db.execute(ROW, (i, x[i].tobytes()))
    db.execute(SEARCH, (x[i].tobytes(),)).fetchall()
bulk(2500, 3000)
db.execute("INSERT INTO v(v) VALUES ('optimize')")
bulk(3000, 12000)
db.execute("INSERT INTO v(v) VALUES ('optimize')")
"""

LINES = [
    "main.v: measured what each recall takes, by 100 queries among 1000 rows",
    "main.v: the end of a statement planted a forest for 1000 rows; 0 wait",
    "main.v: measured what each recall takes, by 100 queries among 2098 rows",
    "main.v: optimize took 436 of 3000 rows into the forest; 0 wait",
    "main.v: measured what each recall takes, by 400 queries among 12000 rows",
    "main.v: the end of a statement planted a forest for 12000 rows; 0 wait",
    "main.v: optimize took 0 of 12000 rows into the forest; 0 wait",
]

DAMAGE = """
page = db.execute("SELECT root FROM ann_trees('v') WHERE tree = 0").get
db.execute("UPDATE v_pages SET data = zeroblob(100) WHERE id = ?", (page,))
db.execute("SELECT ann_set('v', 'cache_mb', 0)")  # what was read is forgotten


def refused():
    try:
        db.execute(SEARCH, (x[0].tobytes(),)).fetchall()
    except apsw.CorruptError:
        return
    raise AssertionError("the page was not looked at")


refused()
refused()
db.execute("INSERT INTO v(v) VALUES ('rebuild')")
db.execute(SEARCH, (x[0].tobytes(),)).fetchall()
"""


@pytest.mark.slow
def test_a_table_that_grows_and_is_damaged_and_healed():
    log = log_of(LIFE)
    assert log == [(apsw.SQLITE_NOTICE, f"sqlite_ann: {line}") for line in LINES]

    log = log_of(LIFE + DAMAGE)[len(LINES) :]
    assert [(code, text) for code, text in log if "sqlite_ann" in text] == [
        (apsw.SQLITE_CORRUPT_VTAB, "sqlite_ann: main.v: page 1 is damaged; rebuild it"),
        (apsw.SQLITE_NOTICE, "sqlite_ann: main.v: measured what each recall takes, by 400 queries among 12000 rows"),
        (apsw.SQLITE_NOTICE, "sqlite_ann: main.v: rebuild planted a forest for 12000 rows; 0 wait"),
    ]
    others = [text for _, text in log if "sqlite_ann" not in text]  # SQLite's own, once a failed statement
    assert [text[: len("statement aborts at")] for text in others] == ["statement aborts at"] * 2


def test_what_is_replaced_all_the_time_is_not_told_all_the_time():
    script = """
db = sqlite_ann.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[4], leaf_capacity=32)")
for i in range(8000):
    db.execute("INSERT INTO v(rowid, e) VALUES (?, ?)", (i, rng.standard_normal(4).astype("<f4").tobytes()))
    if i >= 1200:
        db.execute("DELETE FROM v WHERE rowid = ?", (i - 1200,))
print(db.execute("SELECT value FROM ann_info('v') WHERE key = 'changes'").get)
"""
    assert len(ours(log_of(script))) == 2


def test_slices_are_told_when_the_last_is_done():
    script = """
db = sqlite_ann.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE temp.v USING ann(e float32[4], leaf_capacity=32)")
db.execute("SELECT ann_set('v', 'absorb', 0)")
db.execute("INSERT INTO v(e) SELECT vector FROM ann_rows(?, 4)", (rng.standard_normal((5000, 4)).astype("<f4").tobytes(),))
slices = 0
while db.execute("SELECT value FROM ann_info('v') WHERE key = 'waiting'").get:
    db.execute("INSERT INTO v(v, k) VALUES ('optimize', 500)")
    slices += 1
assert slices > 3
"""
    assert ours(log_of(script)) == [
        "temp.v: a slice of optimize planted a forest for 5000 rows; 5000 wait",
        "temp.v: measured what each recall takes, by 400 queries among 5000 rows",
        "temp.v: a slice of optimize took 388 of 5000 rows into the forest; 0 wait",
    ]


def test_damage_of_a_row_that_does_not_keep_others_from_being_deleted_is_told():
    script = """
db = sqlite_ann.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE v USING ann(e float32[4], metric=l2, leaf_capacity=128)")
db.execute("SELECT ann_set('v', 'cache_mb', 0)")  # so that rows are read from their table
x = rng.standard_normal((2400, 4)).astype("<f4")
db.execute("INSERT INTO v(rowid, e) SELECT id, vector FROM ann_rows(?, 4, 'float32', ?)", (x.tobytes(), np.arange(2400).tobytes()))
db.execute("UPDATE v_vectors SET vector = x'00' WHERE id = 7")
places = {id: np.frombuffer(pages, "<u4").tolist() for id, pages in db.execute("SELECT id, pages FROM v_places")}
beside = sorted((id for id in places if places[7][0] in places[id]), key=lambda id: x[id, 0])
for id in beside[: len(beside) // 2]:  # those on one side of a leaf, which moves to the others
    if id != 7:
        db.execute("DELETE FROM v WHERE rowid = ?", (id,))
"""
    log = log_of(script)
    damage = (apsw.SQLITE_CORRUPT_VTAB, "sqlite_ann: main.v: vector 7 is damaged; write it anew or delete it")
    assert log.count(damage) == 1


def test_an_index_over_a_table_that_nothing_watches_any_more():
    script = """
db = sqlite_ann.connect(":memory:")
db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB)")
with db:
    db.executemany("INSERT INTO song VALUES (?, ?)", ((i, rng.standard_normal(4).astype("<f4").tobytes()) for i in range(1500)))
db.execute("CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[4], content='song', content_rowid='id')")
db.execute("DROP TRIGGER song_ann_update")
for _ in range(3):
    try:
        db.execute("SELECT * FROM ann_search('song_ann', zeroblob(16))").fetchall()
    except apsw.SQLError:
        pass
db.execute("INSERT INTO song_ann(song_ann) VALUES ('rebuild')")
with db:
    db.execute("UPDATE song SET embedding = zeroblob(16) WHERE id < 20")
db.execute("INSERT INTO song_ann(song_ann) VALUES ('warm')")
db.execute("INSERT INTO song_ann(song_ann) VALUES ('optimize')")
"""
    log = log_of(script)
    assert ours(log) == [
        "main.song_ann: measured what each recall takes, by 150 queries among 1500 rows",
        "main.song_ann: creation planted a forest for 1500 rows; 0 wait",
        "main.song_ann: expected the trigger song_ann_update on song, which is missing; rebuild makes it anew, and finds "
        "what was written meanwhile",
        "main.song_ann: measured what each recall takes, by 150 queries among 1500 rows",
        "main.song_ann: rebuild planted a forest for 1500 rows; 0 wait",
        "main.song_ann: optimize took 0 of 1500 rows into the forest; 0 wait",
    ]
    assert [code for code, text in log if "trigger" in text and text.startswith("sqlite_ann")] == [apsw.SQLITE_WARNING]


def test_a_connection_that_finds_nothing_wrong_is_not_told_of():
    script = """
for _ in range(2):
    db = sqlite_ann.connect(":memory:")
    sqlite_ann.load(db)
    index = sqlite_ann.Index.create(db, "v", dim=4, exists_ok=True)
    index.add([1, 2], [[1, 2, 3, 4], [2, 3, 4, 5]])
    index.search([1, 2, 3, 4]), index.info(), index.check(), index.recall(), index.explain([1, 2, 3, 4]), sqlite_ann.indexes(db)
"""
    assert log_of(script) == []
