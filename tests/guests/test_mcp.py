"""MCP: an assistant lists the indexes of a database and searches them, by the SDK's own client, and cannot write."""

from __future__ import annotations

import builtins
import sys
from contextlib import closing

import apsw
import numpy as np
import pytest

pytest.importorskip("mcp.server.mcpserver")

from mcp import Client, StdioServerParameters

import sqlite_ann
from sqlite_ann.cli import main
from sqlite_ann.mcp import make_server


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "songs.db"
    with sqlite_ann.connect(path) as db:
        db.execute("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, book TEXT, v BLOB, cover BLOB)")
        rows = [(i, f"Tune {i}", "Aird", np.array([i, 0], "<f4").tobytes(), b"png") for i in range(1, 21)]
        db.executemany("INSERT INTO song VALUES (?, ?, ?, ?, ?)", [*rows, (21, "Tune", "Ryan", None, None)])
        db.execute("CREATE VIRTUAL TABLE song_ann USING ann(v float32[2], metric=l2, content=song)")
        db.execute("CREATE VIRTUAL TABLE alone USING ann(v float32[2], metric=l2)")
        db.execute("INSERT INTO alone(rowid, v) VALUES (5, '[1, 2]'), (6, '[3, 4]')")
    db.close()
    return path


@pytest.fixture
def server(path):
    with closing(sqlite_ann.connect(path, flags=apsw.SQLITE_OPEN_READONLY)) as db:
        yield make_server(db)


@pytest.fixture
def ask(server):
    """ask(tool, **arguments): what an assistant gets."""

    async def call(tool, fails=False, **arguments):
        async with Client(server) as client:
            answer = await client.call_tool(tool, arguments)
        assert bool(answer.is_error) == fails, answer.content
        if fails:
            return answer.content[0].text
        found = answer.structured_content
        return found["result"] if set(found) == {"result"} else found

    return call


async def test_the_tools_say_what_they_do_and_that_they_only_read(server):
    async with Client(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"tables", "search", "like"}
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools.values())
    assert set(tools["search"].input_schema["properties"]) == {"index", "text", "vector", "k"}


async def test_the_indexes_are_listed_with_the_columns_of_their_tables(ask):
    alone, song = await ask("tables")
    assert (alone["index"], alone["rows"], alone["content"], alone["columns"]) == ("alone", 2, None, [])
    assert (song["index"], song["dimensions"], song["metric"], song["content"]) == ("song_ann", 2, "l2", "song")
    assert song["columns"] == ["id", "title", "book"]


async def test_a_text_finds_its_row_and_what_is_near_it(ask):
    found = await ask("search", index="song_ann", text="tune 7", k=2)
    assert found == {
        "of": {"id": 7, "title": "Tune 7", "book": "Aird"},
        "near": [
            {"id": 6, "distance": 1.0, "title": "Tune 6", "book": "Aird"},
            {"id": 8, "distance": 1.0, "title": "Tune 8", "book": "Aird"},
        ],
    }
    assert (await ask("search", index="song_ann", text="UNE 2"))["of"]["id"] == 2
    assert (await ask("search", index="song_ann", text="tune", k=1))["of"]["id"] == 1, "that of row 21 has no vector"


async def test_a_vector_and_an_id_find_what_is_near_them(ask):
    found = await ask("search", index="song_ann", vector=[3.2, 0], k=1)
    assert found["of"] is None
    assert [(row["id"], row["title"]) for row in found["near"]] == [(3, "Tune 3")]
    assert [row["id"] for row in (await ask("like", index="song_ann", id=20, k=3))["near"]] == [19, 18, 17]
    found = await ask("like", index="alone", id=5)
    assert found == {"of": {"id": 5}, "near": [{"id": 6, "distance": pytest.approx(8**0.5)}]}


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("search", {"index": "none", "text": "x"}, "none"),
        ("search", {"index": "song_ann"}, "search: expected one of text and vector"),
        ("search", {"index": "song_ann", "text": "x", "vector": [1, 2]}, "search: expected one of text and vector"),
        ("search", {"index": "song_ann", "text": "Danny"}, "no row of song has the text 'Danny'; looked in"),
        ("search", {"index": "alone", "text": "x"}, "alone is over no table, in which a text could be"),
        ("search", {"index": "song_ann", "vector": [1]}, "vector: expected 2 components, got 1"),
        ("like", {"index": "song_ann", "id": 21}, "song_ann has no row 21"),
        ("like", {"index": "song_ann", "id": 3, "k": -1}, "k"),
        ("like", {"index": "song_ann", "id": 10**30}, "id: expected a whole number of 64 bits"),
        ("search", {"index": "song_ann", "text": "Tune 7", "k": 10**30}, "k: expected a whole number of 64 bits"),
        ("search", {"index": "song_ann", "text": ""}, "search: expected one of text and vector"),
        ("search", {"index": "song_ann", "vector": []}, "search: expected one of text and vector"),
        ("search", {"index": "'; DROP TABLE song; --", "text": "x"}, "there is no table '; DROP TABLE song; --"),
        ("search", {"index": "song", "text": "x"}, "main.song is another kind of table"),
    ],
)
async def test_what_is_wrong_is_told_in_a_sentence(ask, tool, arguments, message):
    told = await ask(tool, fails=True, **arguments)
    assert message in told
    assert "\n" not in told


async def test_what_is_written_meanwhile_is_found_and_the_file_is_only_read(path, ask):
    with sqlite_ann.connect(path) as db:
        db.execute("INSERT INTO song(id, title, v) VALUES (50, 'New', ann_vector('[50, 0]'))")
    before = path.read_bytes()
    assert (await ask("search", index="song_ann", text="new", k=1))["near"][0]["id"] == 20
    assert path.read_bytes() == before


async def test_the_command_serves_standard_input_and_output(path):
    server = StdioServerParameters(command=sys.executable, args=["-m", "sqlite_ann", "mcp", str(path)])
    async with Client(server) as client:
        answer = await client.call_tool("like", {"index": "song_ann", "id": 4, "k": 1})
        assert answer.structured_content["near"][0]["id"] == 3


def test_a_missing_file_is_one_sentence(tmp_path, capsys):
    assert main(["mcp", str(tmp_path / "none.db")]) == 1
    assert "there is no such file" in capsys.readouterr().err


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *more):
        if name.partition(".")[0] == "mcp" and (len(more) < 4 or more[3] == 0):
            raise ModuleNotFoundError(name)
        return real(name, *more)

    for name in [name for name in sys.modules if name.startswith("sqlite_ann.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["mcp", "songs.db"]) == 1
    told = "sqlite-ann: sqlite-ann mcp needs the package mcp, 2 or newer: pip install 'sqlite_ann[mcp]'\n"
    assert capsys.readouterr().err == told
