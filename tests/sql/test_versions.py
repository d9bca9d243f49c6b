"""One script of SQL, run by SQLite from 3.39 to the newest, gives the same answers everywhere.

Old versions come in old wheels of apsw, kept in SQLITE_ANN_DATA (default ~/.cache/sqlite_ann); the shell is
whatever `sqlite3` is installed; pysqlite3 is the DB-API driver.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

import sqlite_ann
from sqlite_ann.demo.corpus import cache_folder

pytestmark = pytest.mark.slow
APSW = ["3.39.4.0", "3.40.1.0", "3.41.2.0", "3.44.2.0", "3.50.4.0"]

# 1,200 vectors of whole numbers, and songs of which a third are no vectors.
SETUP = """
CREATE VIRTUAL TABLE v USING ann(embedding float32[6], metric=l2, leaf_capacity=32);
WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
INSERT INTO v(rowid, embedding)
SELECT i, printf('[%d,%d,%d,%d,%d,%d]', i % 7, i % 11, i % 13, i % 17, i * i % 19, i * i % 23) FROM n;
CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, year INTEGER);
WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i < 1800)
INSERT INTO song SELECT i, 'song ' || i, 1900 + i % 50 FROM n;
CREATE TABLE few(id INTEGER PRIMARY KEY, at TEXT);
INSERT INTO few VALUES (1, '[1,2,3,4,5,6]'), (2, NULL), (3, '[6,5,4,3,2,1]');
CREATE TABLE none(id INTEGER);
CREATE TABLE tune(id INTEGER PRIMARY KEY, title TEXT UNIQUE, embedding);
INSERT INTO tune SELECT rowid, 'tune ' || rowid, embedding FROM v;
CREATE VIRTUAL TABLE tune_ann USING ann(embedding float32[6], metric=l2, leaf_capacity=32, content=tune, content_rowid=id);
CREATE VIEW seen AS SELECT id, distance FROM ann_search('v', '[1,2,3,4,5,6]', 4) ORDER BY distance;
"""

NEAR = "ann_search('v', '[3,3,3,3,3,3]', 10) AS near"

QUERIES = {
    "search": "SELECT id, printf('%.9f', distance), rank FROM ann_search('v', '[1,2,3,4,5,6]', 12)",
    "default k": "SELECT count(*), max(rank) FROM ann_search('v', '[1,2,3,4,5,6]')",
    "exact": "SELECT id FROM ann_search('v', '[1,2,3,4,5,6]', 300, 1)",
    "large k": "SELECT id FROM ann_search('v', '[1,2,3,4,5,6]', 500)",
    "large k, limit": "SELECT id FROM ann_search('v', '[1,2,3,4,5,6]', 100000) WHERE id % 9 = 0 ORDER BY distance LIMIT 7",
    "item": "SELECT id, printf('%.9f', distance) FROM ann_search_item('v', 500, 8) WHERE exclude_self = 1",
    "search_k": "SELECT id FROM ann_search('v', '[1,2,3,4,5,6]', 5) WHERE search_k = 200",
    "max_distance": "SELECT id FROM ann_search('v', '[1,2,3,4,5,6]') WHERE max_distance = 5",
    "id in select": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 6) WHERE id IN (SELECT id FROM song WHERE year = 1907)",
    "id in list": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 3) WHERE id IN (5, 50, 500, 1000)",
    "id in nothing": "SELECT count(*) FROM ann_search('v', '[3,3,3,3,3,3]', 3) WHERE id IN (SELECT id FROM none)",
    "or": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 9) WHERE id = 1029 OR rank < 3 ORDER BY rank",
    "or of ids": "SELECT count(*) FROM ann_search('v', '[3,3,3,3,3,3]', 1200) WHERE id = 5 OR id = 50 OR id > 1190",
    "or, item": "SELECT id FROM ann_search_item('v', 500, 8) WHERE rank = 1 OR id < 700 ORDER BY rank",
    "or in a join": "SELECT few.id, near.rank FROM few, ann_search('v', few.at, 9) AS near"
    " WHERE few.at IS NOT NULL AND (near.rank = few.id OR near.rank = 4) ORDER BY few.id, near.rank",
    "or, match": "SELECT rowid FROM v WHERE embedding MATCH '[3,3,3,3,3,3]' AND k = 1200 AND (rowid = 5 OR rowid = 50)",
    "or, match alone": "SELECT count(*) FROM v WHERE embedding MATCH '[3,3,3,3,3,3]' AND (rowid = 5 OR rowid > 1190)",
    "or, match by limit": "SELECT rowid, printf('%.9f', distance) FROM v WHERE embedding MATCH '[3,3,3,3,3,3]' AND (rowid = 5 OR rowid = 50)"
    " ORDER BY distance LIMIT 3",
    "or, many": "SELECT query, id FROM ann_search_many('v', '[[1,2,3,4,5,6],[6,5,4,3,2,1]]', 5) WHERE rank = 1 OR rank = 3"
    " ORDER BY query, rank",
    "or, info": "SELECT key, value FROM ann_info('v') WHERE key = 'rows' OR key = 'metric' ORDER BY key",
    "exclude in select": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 6) WHERE exclude IN (SELECT id FROM song)",
    "exclude in list": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 6) WHERE exclude IN (1, 2, 3)",
    "exclude nothing": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 6) WHERE exclude IN (SELECT id FROM none)",
    "both lists": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 6) WHERE id IN (SELECT id FROM song WHERE year < 1910)"
    " AND exclude IN (SELECT id FROM song WHERE year < 1905)",
    "id =": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 50) WHERE id = 1103",
    "not in": "SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 20) WHERE id NOT IN (SELECT id FROM song)",
    "null query": "SELECT count(*) FROM ann_search('v', NULL, 5)",
    "match k": "SELECT rowid, printf('%.9f', distance) FROM v WHERE embedding MATCH '[1,2,3,4,5,6]' AND k = 5",
    "match limit": "SELECT rowid FROM v WHERE embedding MATCH '[1,2,3,4,5,6]' ORDER BY distance LIMIT 5",
    "match limit offset": "SELECT rowid FROM v WHERE embedding MATCH '[1,2,3,4,5,6]' ORDER BY distance LIMIT 5 OFFSET 3",
    "match filter limit": "SELECT rowid FROM v WHERE embedding MATCH '[1,2,3,4,5,6]' AND rowid % 5 = 0 ORDER BY distance LIMIT 5",
    "match range limit": "SELECT rowid FROM v WHERE embedding MATCH '[1,2,3,4,5,6]' AND rowid > 900 ORDER BY distance LIMIT 5",
    "match in limit": "SELECT rowid FROM v WHERE embedding MATCH '[1,2,3,4,5,6]' AND rowid IN (SELECT id FROM song) ORDER BY distance LIMIT 5",
    "match join limit": "SELECT v.rowid FROM v JOIN song ON song.id = v.rowid WHERE embedding MATCH '[1,2,3,4,5,6]'"
    " AND year = 1907 ORDER BY distance LIMIT 5",
    "inner join": "SELECT near.id, title FROM song JOIN {near} ON near.id = song.id ORDER BY distance, near.id",
    "left join": "SELECT song.id, rank FROM song LEFT JOIN {near} ON near.id = song.id ORDER BY song.id",
    "right join": "SELECT song.id, near.id, rank FROM song RIGHT JOIN {near} ON near.id = song.id ORDER BY rank",
    "right join of a subquery": "SELECT song.id, near.id FROM song RIGHT JOIN (SELECT * FROM {near}) AS near"
    " ON near.id = song.id ORDER BY rank",
    "right join from search": "SELECT song.id, rank FROM {near} RIGHT JOIN song ON near.id = song.id ORDER BY song.id",
    "full join": "SELECT count(*), count(song.id), count(near.id) FROM song FULL JOIN {near} ON near.id = song.id",
    "cross join": "SELECT near.id FROM song CROSS JOIN {near} WHERE near.id = song.id ORDER BY rank",
    "exists": "SELECT id FROM song WHERE EXISTS (SELECT 1 FROM {near} WHERE near.id = song.id) ORDER BY id",
    "not exists": "SELECT count(*) FROM song WHERE NOT EXISTS (SELECT 1 FROM {near} WHERE near.id = song.id)",
    "in": "SELECT id FROM song WHERE id IN (SELECT near.id FROM {near}) ORDER BY id",
    "lateral": "SELECT few.id, near.id, near.rank FROM few LEFT JOIN ann_search('v', few.at, 3) near ORDER BY 1, 3",
    "scalar subquery": "SELECT id, (SELECT near.id FROM ann_search('v', few.at, 1) near) FROM few",
    "view": "SELECT id, printf('%.9f', distance) FROM seen",
    "group": "SELECT distance > 3, count(*) FROM ann_search('v', '[3,3,3,3,3,3]', 40) GROUP BY 1",
    "window": "SELECT id, row_number() OVER (ORDER BY distance, id) FROM ann_search('v', '[3,3,3,3,3,3]', 5)",
    "json": "SELECT ann_json('[1,0.1,-2.5e-7,3.4028235e38,1e-45,0.333333343,16777217]')",
    "scalar": "SELECT printf('%.9f', ann_distance('[1,2]', '[3,5]', 'l2')), ann_distance('[1,2]', '[3,5]', 'dot')",
    "computed": "SELECT value < 200 FROM ann_info('v') WHERE key = 'searches'",
    "check": "SELECT count(*) FROM ann_check('v')",
    "integrity": "PRAGMA integrity_check",
    "insert": "INSERT INTO v(rowid, embedding) VALUES (5000, '[1,2,3,4,5,6]') RETURNING rowid",
    "found": "SELECT id, distance FROM ann_search('v', '[1,2,3,4,5,6]', 1)",
    "replace": "REPLACE INTO v(rowid, embedding) VALUES (5000, '[0,0,0,0,0,0]')",
    "ignore": "INSERT OR IGNORE INTO v(rowid, embedding) VALUES (5000, '[9,9,9,9,9,9]')",
    "update": "UPDATE v SET rowid = 6000 WHERE rowid = 5000",
    "update from": "UPDATE v SET embedding = '[0,0,0,0,0,1]' FROM few WHERE v.rowid = few.id + 5997",
    "updated": "SELECT id, distance FROM ann_search('v', '[0,0,0,0,0,1]', 1)",
    "delete": "DELETE FROM v WHERE rowid IN (SELECT id FROM ann_search('v', '[3,3,3,3,3,3]', 20))",
    "after": "SELECT count(*), sum(rowid) FROM v",
    "rebuild": "INSERT INTO v(v) VALUES ('rebuild')",
    "bytes": "SELECT count(*), sum(length(data)) FROM v_pages",
    "checksums": "SELECT hex(substr(data, 33, 8)) FROM v_pages WHERE id % 9 = 1",
    "content, insert": "INSERT INTO tune VALUES (5001, 'new', '[1,2,3,4,5,6]') RETURNING id",
    "content, upsert": "INSERT INTO tune VALUES (9, 'tune 7', '[1,2,3,4,5,7]')"
    " ON CONFLICT (title) DO UPDATE SET embedding = excluded.embedding",
    "content, replace": "REPLACE INTO tune VALUES (5002, 'tune 8', '[1,2,3,4,5,8]')",
    "content, delete": "DELETE FROM tune WHERE id IN (SELECT id FROM ann_search('tune_ann', '[3,3,3,3,3,3]', 20))",
    "content, null": "UPDATE tune SET embedding = NULL WHERE id = 900",
    "content, no vector": "UPDATE tune SET embedding = 'reel' WHERE id = 901",
    "content, column": "ALTER TABLE tune RENAME COLUMN embedding TO vector",
    "content, table": "ALTER TABLE tune RENAME TO reel",
    "content, index": "ALTER TABLE tune_ann RENAME TO reel_ann",
    "content, found": "SELECT near.id, printf('%.9f', distance), title FROM ann_search('reel_ann', '[1,2,3,4,5,6]', 12) AS near"
    " JOIN reel USING (id) ORDER BY rank",
    "content, only": "SELECT id FROM ann_search('reel_ann', '[3,3,3,3,3,3]', 6) WHERE id IN (SELECT id FROM song WHERE year = 1907)",
    "content, match": "SELECT rowid FROM reel_ann WHERE embedding MATCH '[1,2,3,4,5,6]' AND k = 5",
    "content, changes": "SELECT id FROM reel_ann_changes",
    "content, check": "SELECT fault, id FROM ann_check('reel_ann')",
    "content, optimize": "INSERT INTO reel_ann(reel_ann) VALUES ('optimize')",
    "content, info": "SELECT key, value FROM ann_info('reel_ann') WHERE key IN ('rows', 'waiting', 'content', 'changes_waiting')",
    "content, triggers": "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY 1",
    "content, bytes": "SELECT count(*), sum(length(data)) FROM reel_ann_pages",
    "content, drop": "DROP TABLE reel_ann",
    "content, left over": "SELECT name FROM sqlite_schema WHERE name LIKE 'reel%' ORDER BY 1",
    "content, no table": "DROP TABLE reel",
    "rename": "ALTER TABLE v RENAME TO w",
    "renamed": "SELECT id FROM ann_search('w', '[1,2,3,4,5,6]', 3)",
    "drop": "DROP TABLE w",
    "left over": "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1",
}
SCRIPT = {name: sql.format(near=NEAR) for name, sql in QUERIES.items()}


def script(version):
    """What runs on a version. 3.40 gives a function to the right of RIGHT JOIN none of its arguments, json_each too."""
    return {name: sql for name, sql in SCRIPT.items() if name != "right join" or not version.startswith("3.40.")}


RUNNER = """
import json, sys
asked = json.load(sys.stdin)
if asked["driver"] == "apsw":
    import apsw
    version, db = apsw.sqlitelibversion(), apsw.Connection(":memory:")
    db.enableloadextension(True) if hasattr(db, "enableloadextension") else db.enable_load_extension(True)
    db.loadextension(asked["extension"]) if hasattr(db, "loadextension") else db.load_extension(asked["extension"])
else:
    import pysqlite3
    version, db = pysqlite3.sqlite_version, pysqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(asked["extension"])
for sql in asked["setup"].split(";\\n"):
    db.cursor().execute(sql)
answers = {}
for name, sql in asked["script"].items():
    rows = list(db.cursor().execute(sql))
    answers[name] = "".join("|".join("" if x is None else str(x) for x in row) + "\\n" for row in rows)
print(json.dumps([version, answers]))
"""


def answers_of(driver, path=None, version=""):
    """(version of SQLite, answers) of a fresh Python process."""
    asked = {"driver": driver, "extension": sqlite_ann.loadable_path(), "setup": SETUP, "script": script(version)}
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    shown = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def old_apsw(version):
    """The folder of an unpacked wheel of apsw, downloaded if need be."""
    cache = cache_folder() / "apsw"
    folder = cache / f"{version}-{sys.implementation.cache_tag}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", str(cache), f"apsw=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        wheels = list(
            cache.glob(
                f"apsw-{version}-*{sys.implementation.name[0]}p{sys.version_info.major}{sys.version_info.minor}-*.whl"
            )
        )
        if not wheels:
            pytest.skip(
                f"apsw {version} has no wheel for this Python, or it cannot be downloaded: {done.stderr[-200:]}"
            )
        partial = cache / f"{folder.name}.{os.getpid()}"
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(partial)
        try:
            partial.rename(folder)
        except OSError:  # another process was quicker
            shutil.rmtree(partial)
    return folder


@pytest.fixture(scope="module")
def expected():
    """The answers of the apsw that is installed."""
    version, answers = answers_of("apsw")
    assert tuple(map(int, version.split("."))) >= (3, 46)
    return answers


def same(answers, expected):
    assert {name: got for name, got in answers.items() if got != expected[name]} == {}


def test_the_answers_make_sense(expected):
    assert expected["right join"].split("\n", 1)[0].count("|") == 2
    assert expected["default k"] == "10|10\n"
    assert expected["id in nothing"] == "0\n"
    assert expected["exclude nothing"].count("\n") == 6
    assert expected["null query"] == "0\n"
    assert expected["found"] == "5000|0.0\n"
    assert expected["check"] == "0\n"
    assert expected["integrity"] == "ok\n"
    assert expected["computed"] == "1\n"
    assert expected["after"].startswith("1181|")
    assert expected["content, found"].startswith("7|1.000000000|tune 7\n5002|2.000000000|tune 8\n")
    assert (
        expected["content, check"] == "row 901 is not indexed: expected a JSON array of numbers, got other text|901\n"
    )
    assert expected["content, left over"] == "reel\n"
    assert expected["left over"] == "few\nnone\nsong\n"
    for name in ("search_k", "max_distance", "id in select", "match limit", "match join limit", "in", "exists"):
        assert expected[name].count("\n") >= 5


@pytest.mark.parametrize("version", APSW)
def test_apsw(expected, version):
    got, answers = answers_of("apsw", old_apsw(version), version)
    assert version.startswith(got)
    same(answers, expected)


def test_a_right_join_that_3_40_cannot_do_is_refused_rather_than_wrong():
    path = old_apsw("3.40.1.0")
    sql = (
        "import apsw, sys; db = apsw.Connection(':memory:'); db.enableloadextension(True); db.loadextension(sys.argv[1]);"
        " db.cursor().execute('CREATE TABLE t(id); INSERT INTO t VALUES (1);"
        " CREATE VIRTUAL TABLE v USING ann(x float32[2]); INSERT INTO v(x) VALUES (zeroblob(8))');"
        " print(db.cursor().execute(sys.argv[2]).fetchall())"
    )
    command = [
        sys.executable,
        "-c",
        sql,
        sqlite_ann.loadable_path(),
        "SELECT * FROM t RIGHT JOIN ann_search('v', '[1, 2]') n ON n.id = t.id",
    ]
    shown = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(path)}, timeout=60
    )
    assert shown.stdout == ""
    assert "ann_search: expected the name of an ann table, got NULL" in shown.stderr


def test_pysqlite3(expected):
    pytest.importorskip("pysqlite3", reason="pysqlite3 is not installed")
    same(answers_of("pysqlite3")[1], expected)


def test_the_shell(expected, stock_shell):
    shell, version = stock_shell
    lines = [f".load '{sqlite_ann.loadable_path()}'", ".mode list", ".bail on", SETUP]
    for name, sql in script(version).items():
        lines += [f".print '--- {name}'", f"{sql};"]
    shown = subprocess.run(
        [shell, "-batch", ":memory:"], input="\n".join(lines), capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0, shown.stderr
    parts = shown.stdout.split("--- ")[1:]
    same({name: rest for name, _, rest in (part.partition("\n") for part in parts)}, expected)


def test_the_shell_dumps_and_restores(tmp_path, stock_shell):
    shell, _ = stock_shell
    load = f".load '{sqlite_ann.loadable_path()}'\n"

    def run(commands, name):
        shown = subprocess.run(
            [shell, "-batch", str(tmp_path / name)], input=load + commands, capture_output=True, text=True, timeout=120
        )
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    dump = run(f"PRAGMA synchronous = off;\n{SETUP}\n.dump v v_%\n", "a.db")
    query = "SELECT id FROM ann_search('v', '[1,2,3,4,5,6]', 5);\nSELECT count(*) FROM ann_check('v');\n"
    before = run(query, "a.db")
    assert run(f"PRAGMA synchronous = off;\n{dump[dump.index('PRAGMA foreign_keys') :]}", "b.db") == ""
    assert run(query, "b.db") == before
