"""datasette: the plugin is found, its connections have the extension, shadow tables are hidden, and, on 1.0, rows like it."""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import pytest

pytest.importorskip("datasette")
pytest.importorskip("pysqlite3")

import pysqlite3
from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm

import sqlite_ann
from sqlite_ann import datasette as plugin
from tests.guests import plugins

NEW = int(version("datasette").split(".")[0]) >= 1
only_new = pytest.mark.skipif(not NEW, reason="pages of rows have slots from datasette 1.0 on")
SHADOWS = {f"song_ann_{suffix}" for suffix in ("changes", "config", "pages", "places", "waiting")}


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "songs.db")
    db = pysqlite3.connect(path)
    sqlite_ann.load(db)
    db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, v BLOB)")
    rows = [(i, f"tune <{i}>", np.array([i, 0], "<f4").tobytes()) for i in range(1, 11)]
    db.executemany("INSERT INTO song VALUES (?, ?, ?)", [*rows, (11, "no vector", None)])
    db.execute("CREATE VIRTUAL TABLE song_ann USING ann(v float32[2], metric=l2, content=song)")
    db.execute("CREATE TABLE song_annotation(id INTEGER PRIMARY KEY, note TEXT)")
    db.commit()
    db.close()
    return path


class Opened:
    """The connections that datasette has opened, which 0.65 leaves to its threads."""

    connections = []  # noqa: RUF012

    @classmethod
    @hookimpl
    def prepare_connection(cls, conn):
        cls.connections.append(conn)


@pytest.fixture(scope="module", autouse=True)
def registered():
    pm.register(plugin, "sqlite_ann")
    pm.register(Opened, "opened")
    yield
    pm.unregister(plugin)
    pm.unregister(Opened)
    for connection in Opened.connections:
        connection.close()


@pytest.fixture
async def datasette(path):
    datasette = Datasette([path], settings={"suggest_facets": False})
    await datasette.invoke_startup()
    return datasette


async def got(datasette, path, **options):
    answer = await datasette.client.get(path, **options)
    assert answer.status_code == 200, answer.text
    return answer


def query(sql):
    return ("/songs/-/query.json" if NEW else "/songs.json"), {"sql": sql, "_shape": "array"}


async def test_a_search_is_a_query_like_any_other(datasette):
    sql = "SELECT song.title FROM ann_search('song_ann', '[3, 0]', 2) AS near JOIN song USING (id) ORDER BY near.rank"
    path, params = query(sql)
    assert (await got(datasette, path, params=params)).json() == [{"title": "tune <3>"}, {"title": "tune <2>"}]


async def test_the_tables_of_an_index_are_hidden_and_no_others(datasette):
    tables = {t["name"]: t["hidden"] for t in (await got(datasette, "/songs.json")).json()["tables"]}
    assert {name for name, is_hidden in tables.items() if is_hidden} == SHADOWS
    assert {name for name, is_hidden in tables.items() if not is_hidden} == {"song", "song_ann", "song_annotation"}
    page = (await got(datasette, "/songs")).text
    assert "song_annotation" in page
    assert 'href="/songs/song_ann_pages"' not in page


async def test_pages_of_the_table_and_of_a_row_are_shown(datasette):
    for path in ("/songs/song", "/songs/song_ann", "/songs/song/3"):
        await got(datasette, path)


@only_new
async def test_the_page_of_a_row_begins_with_rows_like_it(datasette):
    page = (await got(datasette, "/songs/song/3")).text
    assert "Like this one, by song_ann" in page
    shown = [f'<a href="/songs/song/{i}">tune &lt;{i}&gt;</a> ({abs(i - 3)})' for i in (2, 4, 1, 5, 6)]
    assert all(link in page for link in shown)
    assert [page.index(link) for link in shown] == sorted(page.index(link) for link in shown)
    assert "Like this one" not in (await got(datasette, "/songs/song/11")).text


@only_new
async def test_the_search_is_offered_as_a_query_that_runs(datasette):
    row = (await datasette.get_database("songs").execute("SELECT * FROM song WHERE id = 3")).first()
    (action,) = await plugin.row_actions(datasette, None, "songs", "song", row)()
    assert action["label"] == "Like this one, by song_ann"
    answer = await got(datasette, action["href"].replace("/query?", "/query.json?") + "&_shape=array")
    assert [found["id"] for found in answer.json()[:2]] == [2, 4]
    closed = Datasette([datasette.get_database("songs").path], settings={"default_allow_sql": False})
    await closed.invoke_startup()
    assert await plugin.row_actions(closed, None, "songs", "song", row)() == []
    assert "Like this one, by song_ann" in (await got(closed, "/songs/song/3")).text


@only_new
async def test_a_table_without_an_index_has_no_such_list(datasette):
    await datasette.get_database("songs").execute_write("INSERT INTO song_annotation VALUES (1, 'x')")
    assert "Like this one" not in (await got(datasette, "/songs/song_annotation/1")).text


def test_an_installed_plugin_is_found(tmp_path):
    found = json.loads(plugins.run(tmp_path, "datasette", "plugins").stdout)
    assert [p["name"] for p in found if "prepare_connection" in p["hooks"]] == ["sqlite_ann"]


def test_a_connection_that_cannot_load_is_left_alone():
    class Bare:
        def execute(self, sql):
            return pysqlite3.connect(":memory:").execute(sql)

    class Host:
        pass

    host = Host()
    plugin.prepare_connection(Bare(), "songs", host)
    assert plugin.get_metadata(host) == {"databases": {"songs": {"tables": {}}}}
