"""What a table may be called, where it may live, how it is renamed and how it goes."""

from __future__ import annotations

import apsw
import pytest

AWKWARD = [
    "two words",
    'quo"te',
    "it's",
    "a.b",
    "[x]",
    "back`tick",
    "Größe 漢字",
    "select",
    "100%w",
    "%s%n",
    "a_vectors",
]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def create(db, name, column="embedding", schema=None):
    table = (quoted(schema) + "." if schema else "") + quoted(name)
    db.execute(f"CREATE VIRTUAL TABLE {table} USING ann({quoted(column)} float32[2], metric=l2)")
    db.execute(f"INSERT INTO {table}(rowid, {quoted(column)}) VALUES (1, '[1,0]'), (2, '[2,0]')")
    return table


def found(db, name, query="[2,0]"):
    return [row[0] for row in db.execute("SELECT id FROM ann_search(?, ?, 5)", (name, query))]


def tables(db, schema="main"):
    return sorted(row[0] for row in db.execute(f"SELECT name FROM {quoted(schema)}.sqlite_schema WHERE type = 'table'"))


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_table_name(db, name):
    table = create(db, name)
    assert found(db, name) == [2, 1]
    db.execute(f"UPDATE {table} SET embedding = '[9,0]' WHERE rowid = 1; DELETE FROM {table} WHERE rowid = 2")
    db.execute(f"INSERT INTO {table}({quoted(name)}) VALUES ('rebuild')")
    assert db.execute("SELECT * FROM ann_check(?)", (name,)).fetchall() == []
    assert dict(db.execute("SELECT * FROM ann_info(?)", (name,)))["rows"] == 1
    db.execute(f"DROP TABLE {table}")
    assert tables(db) == []


@pytest.mark.parametrize("column", ["two words", 'quo"te', "it's", "a.b", "größe", "select", "id", "rowid_", "vector"])
def test_an_awkward_column_name(db, column):
    create(db, "v", column)
    assert found(db, "v") == [2, 1]
    sql = f"SELECT rowid FROM v WHERE {quoted(column)} MATCH '[0,0]' ORDER BY distance LIMIT 1"
    assert db.execute(sql).get == 1
    assert dict(db.execute("SELECT * FROM ann_info('v')"))["column"] == column


@pytest.mark.parametrize("schema", ["two words", 'quo"te', "it's", "größe", "a.b"])
def test_an_awkward_schema_name(db, schema):
    db.execute(f"ATTACH ':memory:' AS {quoted(schema)}")
    create(db, "v", schema=schema)
    assert found(db, "v") == [2, 1]
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    assert dict(db.execute("SELECT * FROM ann_info('v')"))["rows"] == 2
    db.execute(f"DROP TABLE {quoted(schema)}.v")
    assert tables(db, schema) == []


def test_names_are_found_whatever_their_case(db):
    create(db, "Song_Ann")
    assert found(db, "song_ANN") == [2, 1]
    db.execute("INSERT INTO SONG_ANN(sONG_aNN) VALUES ('rebuild')")
    db.execute("DROP TABLE SONG_ann")
    assert tables(db) == []


@pytest.mark.parametrize(
    "written", ["[e] float32[2]", "`e` float32[2]", '"e" float32[2]', " e   FLOAT32 [ 2 ] ", "e float[2]"]
)
def test_ways_to_write_the_column(db, written):
    db.execute(f"CREATE VIRTUAL TABLE v USING ann({written}, metric = 'L2' , trees= 3)")
    info = dict(db.execute("SELECT * FROM ann_info('v')"))
    assert (info["column"], info["type"], info["dimensions"], info["metric"], info["trees"]) == (
        "e",
        "float32",
        2,
        "l2",
        3,
    )


def test_if_not_exists(db):
    create(db, "v")
    db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS v USING ann(embedding float32[2])")
    assert found(db, "v") == [2, 1]
    with pytest.raises(apsw.SQLError, match="table v already exists"):
        db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[2])")
    db.execute("DROP TABLE v; DROP TABLE IF EXISTS v")


# --- which table a name means --------------------------------------------------------------------


def test_a_name_is_looked_for_in_temp_then_main_then_attached(db):
    db.execute("ATTACH ':memory:' AS aux")
    for schema, vector in (("aux", "[3,0]"), ("main", "[2,0]"), ("temp", "[1,0]")):
        create(db, "v", schema=schema)
        db.execute(f"UPDATE {schema}.v SET embedding = ? WHERE rowid = 1", (vector,))
        distance = "SELECT distance FROM ann_search('v', ?, 1)"
        assert db.execute(distance, (vector,)).get == 0
        assert db.execute("SELECT id FROM ann_search(?, ?, 1)", (f"{schema}.v", vector)).get == 1
    create(db, "w", schema="aux")
    assert found(db, "w") == found(db, "aux.w") == found(db, "AUX.W") == [2, 1]


def test_a_whole_name_comes_before_schema_and_name(db):
    db.execute("ATTACH ':memory:' AS aux")
    create(db, "v", schema="aux")
    assert found(db, "aux.v", "[1,0]") == [1, 2]
    create(db, "aux.v")
    db.execute('DELETE FROM "aux.v" WHERE rowid = 1')
    assert found(db, "aux.v", "[1,0]") == [2]


def test_after_detach_the_name_is_unknown(db, refused):
    db.execute("ATTACH ':memory:' AS aux")
    create(db, "v", schema="aux")
    assert found(db, "v") == [2, 1]
    db.execute("DETACH aux")
    refused(db, "SELECT * FROM ann_search('v', '[0,0]')", (), "there is no table v")
    refused(db, "SELECT * FROM ann_search('aux.v', '[0,0]')", (), "there is no table aux.v")


# --- rename --------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["w", *AWKWARD])
def test_rename(db, new):
    create(db, "v")
    db.execute("CREATE VIEW near AS SELECT rowid FROM v")
    db.execute(f"ALTER TABLE v RENAME TO {quoted(new)}")
    assert found(db, new) == [2, 1]
    assert tables(db) == sorted([new] + [f"{new}_{s}" for s in ("config", "pages", "places", "vectors", "waiting")])
    db.execute(f"INSERT INTO {quoted(new)}(embedding) VALUES ('[5,0]')")
    db.execute(f"INSERT INTO {quoted(new)}({quoted(new)}) VALUES ('optimize')")
    assert db.execute("SELECT count(*) FROM near").get == 3
    assert db.execute("SELECT * FROM ann_check(?)", (new,)).fetchall() == []


def test_a_renamed_forest_is_as_it_was(forest):
    table = forest()
    before = table.search(table.x[3], 10)
    table.db.execute("ALTER TABLE v RENAME TO w; ALTER TABLE w RENAME TO v")
    assert table.search(table.x[3], 10) == before


def test_rename_inside_a_transaction_that_is_rolled_back(db):
    create(db, "v")
    db.execute("BEGIN; INSERT INTO v(embedding) VALUES ('[8,0]'); ALTER TABLE v RENAME TO w")
    assert found(db, "w") == [2, 1, 3]
    db.execute("INSERT INTO w(embedding) VALUES ('[9,0]'); ROLLBACK")
    assert found(db, "v") == [2, 1]
    db.execute("INSERT INTO v(embedding) VALUES ('[9,0]')")
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


def test_rename_to_a_name_whose_shadow_is_taken_changes_nothing(db):
    create(db, "v")
    db.execute("CREATE TABLE w_waiting(mine)")
    before = tables(db)
    with pytest.raises(apsw.SQLError, match="w_waiting"):
        db.execute("ALTER TABLE v RENAME TO w")
    assert tables(db) == before
    assert found(db, "v") == [2, 1]
    db.execute("INSERT INTO v(embedding) VALUES ('[9,0]')")
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []


@pytest.mark.parametrize("schema", ["temp", "aux"])
def test_rename_and_drop_in_another_schema(db, schema):
    db.execute("ATTACH ':memory:' AS aux")
    create(db, "v", schema=schema)
    create(db, "w", schema="main")
    db.execute(f"ALTER TABLE {schema}.v RENAME TO u")
    assert found(db, "u") == found(db, f"{schema}.u") == [2, 1]
    db.execute(f"DROP TABLE {schema}.u")
    assert tables(db, schema) == []
    assert found(db, "w") == [2, 1]


# --- create and drop -----------------------------------------------------------------------------


def test_drop_leaves_nothing(forest):
    db = forest().db
    db.execute("DROP TABLE v")
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0


def test_drop_that_is_rolled_back(db):
    create(db, "v")
    db.execute("BEGIN; DROP TABLE v; ROLLBACK")
    assert found(db, "v") == [2, 1]
    db.execute("INSERT INTO v(embedding) VALUES ('[9,0]')")
    assert found(db, "v") == [2, 1, 3]


def test_create_that_is_rolled_back(db, refused):
    db.execute("BEGIN")
    create(db, "v")
    assert found(db, "v") == [2, 1]
    db.execute("ROLLBACK")
    assert tables(db) == []
    refused(db, "SELECT * FROM ann_search('v', '[0,0]')", (), "there is no table v")


def test_a_table_made_anew_under_the_same_name(db):
    create(db, "v")
    assert found(db, "v") == [2, 1]
    db.execute("DROP TABLE v; CREATE VIRTUAL TABLE v USING ann(e float32[3], metric=dot)")
    db.execute("INSERT INTO v VALUES ('[1,2,3]')")
    assert db.execute("SELECT id, distance FROM ann_search('v', '[1,1,1]')").fetchall() == [(1, -6.0)]


@pytest.mark.parametrize("suffix", ["config", "vectors", "pages", "places", "waiting"])
@pytest.mark.parametrize("what", ["CREATE TABLE {}(mine)", "CREATE VIEW {} AS SELECT 1 AS mine"])
def test_a_taken_shadow_name_makes_create_fail_and_leave_nothing(db, refused, suffix, what):
    db.execute(what.format(f"V_{suffix}"))
    refused(
        db,
        "CREATE VIRTUAL TABLE v USING ann(embedding float32[2])",
        (),
        f"ann table v: expected the name v_{suffix} to be free, but something has it",
    )
    assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [(f"V_{suffix}",)]
    assert db.execute(f"SELECT count(*) FROM v_{suffix}").get in (0, 1)


def test_a_name_taken_in_another_schema_is_no_hindrance(db):
    db.execute("ATTACH ':memory:' AS aux; CREATE TABLE aux.v_pages(mine); CREATE TEMP TABLE v_places(mine)")
    create(db, "v", schema="main")
    assert found(db, "v") == [2, 1]
    assert db.execute("SELECT * FROM ann_check('v')").fetchall() == []
    db.execute("ALTER TABLE v RENAME TO w; DROP TABLE w")
    assert tables(db, "aux") == ["v_pages"]
    assert db.execute("SELECT count(*) FROM temp.v_places").get == 0


def test_a_failed_create_leaves_nothing_in_a_transaction_either(db, refused):
    db.execute("BEGIN; CREATE TABLE keep(x); CREATE TABLE v_waiting(mine)")
    refused(db, "CREATE VIRTUAL TABLE v USING ann(embedding float32[2])", (), "v_waiting to be free")
    db.execute("COMMIT")
    assert tables(db) == ["keep", "v_waiting"]


@pytest.mark.parametrize("name", ["embedding", "EMBEDDING", "distance", "rank", "k", "exclude"])
def test_a_table_is_not_renamed_to_one_of_its_columns(db, name):
    db.execute("CREATE VIRTUAL TABLE v USING ann(embedding float32[4])")
    with pytest.raises(apsw.SQLError, match=f'expected another new name than "{name}"'):
        db.execute(f"ALTER TABLE v RENAME TO {name}")
    db.execute("INSERT INTO v VALUES ('[1, 2, 3, 4]')")
    db.execute("ALTER TABLE v RENAME TO other; DROP TABLE other")
