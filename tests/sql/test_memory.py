"""A search remembers its last result; whatever may have changed since, it never gives an old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import alter

SEARCH = "SELECT id FROM ann_search('v', '[1]', 2)"


def make(db, ids, name="v"):
    db.execute(f"CREATE VIRTUAL TABLE {name} USING ann(e float32[1], metric=l2)")
    db.executemany(f"INSERT INTO {name}(rowid, e) VALUES (?, ?)", [(id_, f"[{i + 1}]") for i, id_ in enumerate(ids)])


def found(db):
    return [row[0] for row in db.execute(SEARCH)]


@pytest.fixture
def two_files(tmp_path, other_connections):
    """Two files with a table v: ids 1 and 2, ids -1 and -2."""
    paths = [str(tmp_path / name) for name in ("a.db", "b.db")]
    for path, ids in zip(paths, ([1, 2], [-1, -2]), strict=True):
        db = other_connections(path)
        make(db, ids)
        db.close()
    return paths


@pytest.fixture
def two_tables(db):
    make(db, [1, 2], "v")
    make(db, [-1, -2], "w")
    assert found(db) == [1, 2]
    return db


def test_another_file_attached_under_the_same_name(db, two_files):
    for path, ids in zip(two_files, ([1, 2], [-1, -2]), strict=True):
        db.execute("ATTACH ? AS songs", (path,))
        assert found(db) == ids
        db.execute("DETACH songs")


def test_another_database_deserialized(db, two_files):
    for path, ids in zip(two_files, ([1, 2], [-1, -2]), strict=True):
        db.deserialize("main", Path(path).read_bytes())
        assert found(db) == ids


def test_another_database_backed_up_into_this_one(db, two_files, other_connections):
    for path, ids in zip(two_files, ([1, 2], [-1, -2]), strict=True):
        with db.backup("main", other_connections(path), "main") as backup:
            backup.step()
        assert found(db) == ids


def test_a_commit_of_another_connection(two_files, other_connections):
    one, two = other_connections(two_files[0]), other_connections(two_files[0])
    assert found(one) == [1, 2]
    two.execute("DELETE FROM v WHERE rowid = 1")
    assert found(one) == [2]
    one.execute("BEGIN")
    assert found(one) == [2]
    one.execute("COMMIT")
    two.execute("INSERT INTO v(rowid, e) VALUES (3, '[1]')")
    assert found(one) == [3, 2]


def test_a_table_in_temp_hides_the_one_in_main(two_tables):
    make(two_tables, [], "temp.v")
    assert found(two_tables) == []
    two_tables.execute("DROP TABLE temp.v")
    assert found(two_tables) == [1, 2]


def test_another_table_renamed_to_the_name(two_tables):
    two_tables.execute("ALTER TABLE v RENAME TO u; ALTER TABLE w RENAME TO v")
    assert found(two_tables) == [-1, -2]


@pytest.mark.parametrize("undo", ["ROLLBACK", "ROLLBACK TO a"])
@pytest.mark.parametrize(
    ("change", "between"),
    [
        ("ALTER TABLE v RENAME TO u; ALTER TABLE w RENAME TO v", [-1, -2]),
        ("DROP TABLE v; CREATE VIRTUAL TABLE v USING ann(e float32[1])", []),
        ("DROP TABLE v; ALTER TABLE w RENAME TO v", [-1, -2]),
        ("DELETE FROM v WHERE rowid = 1", [2]),
        ("UPDATE v SET rowid = 9 WHERE rowid = 1", [9, 2]),
    ],
)
def test_what_was_rolled_back(two_tables, change, between, undo):
    two_tables.execute("BEGIN; SAVEPOINT a")
    two_tables.execute(change)
    assert found(two_tables) == between
    two_tables.execute(undo)
    assert found(two_tables) == [1, 2]


def test_what_others_do_to_the_tables_behind_it(two_tables):
    """Not to be done: whoever has the rows in memory sees it when the state row says that something has changed."""
    assert found(two_tables) == [1, 2]
    two_tables.execute("DELETE FROM v_vectors WHERE id = 1")
    alter.sums(two_tables, "v", 0)
    assert found(two_tables) == [2]


def test_what_another_statement_writes_between_two_rows(two_tables):
    sql = "SELECT x.value, (SELECT id FROM ann_search('v', '[1]', 1)) FROM json_each('[1, 2, 3]') AS x"
    seen = []
    for _, nearest in two_tables.execute(sql):
        seen.append(nearest)
        two_tables.execute("UPDATE v SET e = '[50]' WHERE rowid = ?", (nearest,))
    assert seen[0] == 1
    assert set(seen) <= {1, 2}
    assert (
        found(two_tables)[0]
        == two_tables.execute("SELECT rowid FROM v ORDER BY ann_distance(e, '[1]', 'l2'), rowid").fetchone()[0]
    )


def test_while_somebody_has_a_blob_open(two_tables):
    """SQLite counts an open BLOB among the statements that run; it has no text."""
    two_tables.execute("CREATE TABLE cover(id INTEGER PRIMARY KEY, picture); INSERT INTO cover VALUES (1, x'0102')")
    with two_tables.blob_open("main", "cover", "picture", 1, False) as blob:
        assert found(two_tables) == [1, 2]
        assert blob.read(2) == b"\1\2"
    assert found(two_tables) == [1, 2]
