"""The server behind the page: asked by HTTP as a browser would, over a database like the demo's and others."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann.cli import main
from sqlite_ann.demo import run as demo
from sqlite_ann.demo.corpus import Song
from sqlite_ann.demo.songs import Collection
from sqlite_ann.serve import abcjs, answers, asked, chart, melody, server, shown, statements

N, DIM = 400, 64
BOOKS = ["Aird's Selection of Airs", "O'Neill's Music of Ireland", "Ryan's Mammoth Collection"]
NAMED = {
    0: "Haste to the Wedding",
    1: "<script>alert(1)</script>",
    2: 'The Haste\'s "Wedding"; DROP TABLE song; --',
    3: "Dreikönigslied 100%",
}


def melody_at(i):
    return [60 + i % 12, 62, 64, 65], [1.0, 0.5, 2 / 3, 0.25]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A database as the demo makes it, of made-up songs; it is copied for each test."""
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((20, DIM))[np.arange(N) % 20] + 0.3 * rng.standard_normal((N, DIM))
    songs = [
        Song(
            NAMED.get(i, f"Tune {i}"), BOOKS[i % 3], "Ireland", "jig", "G major", "6/8", *melody_at(i), f"X:{i}\nK:G\nG"
        )
        for i in range(N)
    ]
    path = tmp_path_factory.mktemp("made") / "songs.db"
    with contextlib.closing(sqlite_ann.connect(path)) as db:
        demo.build(db, Collection(songs, vectors.astype("<f4"), []), demo.Stages(quiet=True))
    return path


@pytest.fixture
def songs(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("songs.db").write_bytes(made.read_bytes())
    return "songs.db"


class Client:
    def __init__(self, running):
        self.port = running.server_port

    def ask(self, path, method="GET", **headers):
        """Status, headers and body."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def get(self, path):
        status, _, body = self.ask(path)
        assert status == 200, body.decode()
        return json.loads(body)

    def refusal(self, path):
        status, _, body = self.ask(path)
        return status, json.loads(body)["error"]


@pytest.fixture
def serve(songs):
    """serve("songs.db", index=…) is a client of a server that runs in a thread; no request has changed the file."""
    with contextlib.ExitStack() as running:

        def start(path=songs, *, index=None, table=None, show=None, script=None):
            db, chart_db = (sqlite_ann.connect(path, flags=apsw.SQLITE_OPEN_READONLY) for _ in range(2))
            what = shown.shown_of(db, path, index, table, show)
            told = answers.Answers(db, chart_db, what, script is not None)
            one = running.enter_context(server.Server(told, script))
            thread = threading.Thread(target=one.serve_forever, args=[0.01])
            thread.start()
            running.callback(thread.join)
            running.callback(one.shutdown)
            return Client(one)

        yield start


@pytest.fixture
def client(serve, songs):
    before = Path(songs).read_bytes()
    yield serve()
    assert Path(songs).read_bytes() == before
    assert [path.name for path in Path.cwd().iterdir()] == [songs]


@pytest.mark.parametrize("module", [answers, asked, chart, melody, shown, statements])
def test_examples(module, run_examples):
    run_examples(module)


# --- what is asked --------------------------------------------------------------------------------


def test_it_says_what_it_shows(client):
    told = client.get("/api/about")
    assert told == {
        "database": "songs.db", "index": "song_ann", "table": "song", "show": ["title", "book"], "rows": N,
        "metric": "cosine", "melodies": True, "abcjs": False, "why_no_abcjs": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("haste", [NAMED[0], NAMED[2]]),
        ("WED has", [NAMED[0], NAMED[2]]),
        ("tune 39", ["Tune 39", *(f"Tune {i}" for i in range(390, 400))]),
        ('"; DROP', [NAMED[2]]),
        ("dreikonig", [NAMED[3]]),
        ("nobody's", []),
        ("!", []),
    ],
)
def test_a_title_is_found_by_the_beginnings_of_its_words(client, text, titles):
    found = client.get(f"/api/find?text={quote(text)}")
    assert sorted(row["show"][0] for row in found["rows"]) == sorted(titles)
    assert found["ms"] >= 0


def test_without_a_text_the_first_rows_come(client):
    assert [row["id"] for row in client.get("/api/find?text=&k=3")["rows"]] == [1, 2, 3]
    assert client.get("/api/find")["rows"][0] == {"id": 1, "show": [NAMED[0], BOOKS[0]]}


def test_near_a_row_are_those_that_numpy_finds_without_itself(client, songs):
    with contextlib.closing(sqlite_ann.connect(songs)) as db:
        vectors = Index(db, "song_ann").get(np.arange(1, N + 1)).astype(float)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - unit @ unit[6]
    expected = [i for i in np.argsort(distances) if i != 6][:5]
    rows = client.get("/api/near?id=7&k=5")["rows"]
    assert [row["id"] for row in rows] == [i + 1 for i in expected]
    assert [row["distance"] for row in rows] == pytest.approx(distances[expected], abs=1e-5)
    assert rows[0]["show"] == [f"Tune {expected[0]}", BOOKS[expected[0] % 3]]


def test_likes_and_dislikes_give_what_recommend_gives(client, songs):
    with contextlib.closing(sqlite_ann.connect(songs)) as db:
        expected = Index(db, "song_ann").recommend([7, 9], 6, dislike=[30]).ids.tolist()
    rows = client.get("/api/near?like=7,9&dislike=30&k=6")["rows"]
    assert [row["id"] for row in rows] == expected


def test_a_row_comes_with_its_notes_and_without_its_vector(client):
    first, second = client.get("/api/row?id=9,2")["rows"]
    assert first["melody"] == {"pitches": [68, 62, 64, 65], "durations": [1, 0.5, 0.666667, 0.25], "unit": "quarters"}
    assert first["abc"] == "X:8\nK:G\nG"
    assert first["text"]["title"] == "Tune 8"
    assert first["text"].keys() == {"id", "title", "book", "origin", "kind", "key", "metre", "notes"}
    assert (second["id"], second["show"], second["fault"]) == (2, [NAMED[1], BOOKS[1]], None)


def test_markup_in_a_title_is_json_and_no_page(client):
    status, headers, body = client.ask("/api/row?id=2")
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(body)["rows"][0]["text"]["title"] == "<script>alert(1)</script>"


ASKED = [
    "/api/find?text=haste%20wed",
    "/api/find?text=" + quote("\"it's\\ né%_"),
    "/api/find?text=",
    "/api/near?id=7&k=4",
    "/api/near?like=7,9&dislike=30&k=4",
]


def in_shell(stock_shell, path, sql):
    program, _ = stock_shell
    command = [program, "-batch", "-json", path, "-cmd", f".load '{sqlite_ann.loadable_path()}'"]
    done = subprocess.run(command, input=sql, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return [tuple(row.values()) for row in json.loads(done.stdout or "[]")]


def plain_rows(answer):
    return [(row["id"], *row["show"], *([row["distance"]] if "distance" in row else [])) for row in answer["rows"]]


@pytest.mark.parametrize("path", ASKED)
def test_the_sql_beside_an_answer_gives_the_same_in_sqlites_shell(client, songs, stock_shell, path):
    answer = client.get(path)
    rows = in_shell(stock_shell, songs, answer["sql"])
    assert [row[:3] for row in rows] == [row[:3] for row in plain_rows(answer)]
    assert [row[3:] for row in rows] == [pytest.approx(row[3:]) for row in plain_rows(answer)]


# --- the map --------------------------------------------------------------------------------------


def test_a_database_without_a_map_is_drawn_on_its_two_widest_axes(client, songs):
    told = client.get("/api/map")
    assert (told["kind"], told["of"], told["names"]) == ("axes", N, BOOKS)
    assert told["ids"] == list(range(1, N + 1))
    assert told["colors"] == [i % 3 for i in range(N)]
    places = np.array([told["x"], told["y"]])
    assert (places.min(), places.max()) == (0, 1)
    with contextlib.closing(sqlite_ann.connect(songs)) as db:
        rows = Index(db, "song_ann").get(told["ids"]).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows -= rows.mean(axis=0)
    spread = np.linalg.svd(rows, compute_uv=False)[:2]
    centred = places - places.mean(axis=1, keepdims=True)
    assert np.linalg.norm(centred[1]) / np.linalg.norm(centred[0]) == pytest.approx(spread[1] / spread[0], rel=1e-3)
    assert client.get("/api/map") == told


def test_a_map_that_is_stored_is_shown_but_for_rows_that_are_gone(serve, songs):
    with contextlib.closing(sqlite_ann.connect(songs)) as db:
        db.execute("CREATE TABLE song_ann_map(id INTEGER PRIMARY KEY, x REAL NOT NULL, y REAL NOT NULL)")
        db.execute("INSERT INTO song_ann_map VALUES (3, -4, 1), (5, 4, 3), (7, 0, 9e999), (9999, 5, 5)")
    client = serve()
    told = client.get("/api/map")
    assert (told["kind"], told["ids"], told["x"], told["y"]) == ("stored", [3, 5], [0, 1], [0.375, 0.625])
    assert told["of"] == N
    with contextlib.closing(sqlite_ann.connect(songs)) as db:
        db.execute("DELETE FROM song_ann_map WHERE id IN (3, 5)")
    assert (client.get("/api/map")["kind"], len(client.get("/api/map")["ids"])) == ("axes", N)


def test_of_many_rows_the_same_sample_is_drawn_each_time(serve, monkeypatch):
    monkeypatch.setattr(chart, "MOST", 50)
    first, second = (serve().get("/api/map") for _ in range(2))
    assert first == second
    assert (len(first["ids"]), first["of"]) == (50, N)
    assert max(first["ids"]) > 300


def test_of_many_values_the_commonest_have_a_colour_of_their_own(serve):
    told = serve(show=["book", "title"]).get("/api/map")
    assert len(told["names"]) == chart.N_COLORS + 1
    assert told["names"][-1] == "others"
    assert max(told["colors"]) == chart.N_COLORS
    assert serve(show=["title"]).get("/api/map")["names"] == [""]


@pytest.mark.parametrize("type_", ["float32", "float16", "bfloat16", "int8", "bit"])
def test_vectors_of_every_type_have_a_place(serve, type_):
    db = sqlite_ann.connect("types.db")
    rows = np.random.default_rng(1).integers(0, 2, (30, 12))
    Index.create(db, "v", 12, "hamming" if type_ == "bit" else "l2", type=type_).add(np.arange(30), rows)
    db.close()
    told = serve("types.db").get("/api/map")
    reference = chart.fitted(chart.on_axes(rows.astype(float), is_unit=False))
    np.testing.assert_allclose(np.array([told["x"], told["y"]]).T, reference, atol=1e-3)


def test_the_axes_of_wide_and_of_large_vectors_are_found():
    rng = np.random.default_rng(6)
    for rows in (rng.standard_normal((40, 3)) @ rng.standard_normal((3, 16_000)), 1e38 * rng.random((40, 3))):
        places = chart.on_axes(rows, is_unit=False)
        spread = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:2]
        np.testing.assert_allclose(np.linalg.norm(places, axis=0), spread)


# --- other databases --------------------------------------------------------------------------------


def test_an_index_with_keys_shows_its_keys(serve):
    with contextlib.closing(sqlite_ann.connect("keys.db")) as db:
        Index.create(db, "page_ann", 2, "l2", key="url").add(["/a", "/b", "/100%"], [[0, 0], [1, 0], [5, 5]])
    client = serve("keys.db")
    assert client.get("/api/about")["show"] == ["url"]
    (found,) = client.get("/api/find?text=0%25")["rows"]
    assert found["show"] == ["/100%"]
    assert [row["show"] for row in client.get("/api/near?id=1")["rows"]] == [["/b"], ["/100%"]]


def test_an_index_over_no_table_shows_ids(serve):
    with contextlib.closing(sqlite_ann.connect("ids.db")) as db:
        Index.create(db, "v", 2, "l2").add([2**60, 5, 6], [[0, 0], [1, 0], [5, 5]])
    client = serve("ids.db")
    assert client.get("/api/about")["table"] is None
    assert client.get(f"/api/find?text={2**60}")["rows"] == [{"id": str(2**60), "show": [str(2**60)]}]
    assert client.get("/api/find?text=haste")["rows"] == []
    assert [row["id"] for row in client.get(f"/api/near?id={2**60}")["rows"]] == [5, 6]
    assert client.get("/api/row?id=5")["rows"][0]["text"] == {}


def test_a_table_with_odd_names_and_values_is_shown(serve, stock_shell):
    odd = 'the "order" of :k'
    with contextlib.closing(sqlite_ann.connect("odd.db")) as db:
        db.execute(f'CREATE TABLE "group"(nr INTEGER PRIMARY KEY, {sqlite_ann.names.quoted(odd)} TEXT, n, v BLOB)')
        db.execute("CREATE VIRTUAL TABLE \"select\" USING ann(v float32[2], metric=l2, content='group')")
        insert = 'INSERT INTO "group" VALUES (?, ?, ?, ann_vector(?))'
        db.execute(insert, (1, "a" * 3000, 9e999, "[0, 0]"))
        db.execute(insert, (2, None, 2**62, "[1, 0]"))
        db.execute(insert, (3, "no vector", b"\x00", None))
    client = serve("odd.db")
    assert client.get("/api/about")["show"] == [odd]
    found = client.get("/api/find?text=aa")
    assert found["rows"] == [{"id": 1, "show": ["a" * 200 + "…"]}]
    assert in_shell(stock_shell, "odd.db", found["sql"]) == [(1, "a" * 3000)]
    assert client.get("/api/find?text=vector")["rows"] == []
    assert client.get("/api/near?id=1")["rows"] == [{"id": 2, "show": [None], "distance": 1}]
    first, second, third = client.get("/api/row?id=1,2,3")["rows"]
    assert (first["text"]["n"], len(first["text"][odd])) == (None, 2001)
    assert (second["text"]["n"], second["melody"], second["abc"]) == (str(2**62), None, None)
    assert third["text"]["n"] is None
    assert client.refusal("/api/near?id=3") == (404, "select has no row 3")


def test_a_row_that_the_table_lacks_is_shown_by_its_id(serve):
    with contextlib.closing(sqlite_ann.connect("part.db")) as db:
        Index.create(db, "v", 2, "l2").add([1, 2, 2**53], [[0, 0], [1, 0], [5, 5]])
        db.execute("CREATE TABLE doc(id INTEGER PRIMARY KEY, title TEXT)")
        db.execute("INSERT INTO doc VALUES (1, 'one')")
    client = serve("part.db", table="doc")
    assert [row["id"] for row in client.get("/api/near?id=1")["rows"]] == [2, str(2**53)]
    first, second = client.get("/api/row?id=1,2")["rows"]
    assert (first["show"], first["fault"]) == (["one"], None)
    assert (second["id"], second["show"], second["text"], second["fault"]) == (2, [None], {}, "doc has no row 2")


def test_columns_are_those_that_are_asked_for(serve):
    client = serve(show=["TITLE", "metre"])
    assert client.get("/api/about")["show"] == ["title", "metre"]
    assert client.get("/api/near?id=9&k=1")["rows"][0]["show"][1] == "6/8"
    assert serve(table="song", show=["notes"]).get("/api/find?text=4&k=1")["rows"] == [{"id": 1, "show": [4]}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.db"], "unable to open none.db: there is no such file"),
        (["text.db"], "unable to open text.db: file is not a database"),
        (["empty.db"], "empty.db has no index"),
        (["two.db"], "two.db has the indexes a, b: --index says which"),
        (["two.db", "--index", "a", "--show", "title"], "--show: expected --table, too, since a is over no table that has title"),
        (["songs.db", "--index", "none"], "there is no table none"),
        (["songs.db", "--index", "song"], "song is a table, but not one of vectors"),
        (["songs.db", "--table", "none"], "there is no table none"),
        (["songs.db", "--table", "song_text"], "song_text has no INTEGER PRIMARY KEY, by which its rows would be found"),
        (["songs.db", "--show", "title,writer"], "song has no column writer; it has id, title, book"),
        (["songs.db", "--port", "70000"], "--port: expected a number from 0 to 65535, got 70000"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_told_in_a_sentence(songs, monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(abcjs, "fetched", lambda say: (None, ""))
    Path("text.db").write_text("This is no database.\n" * 100)
    with contextlib.closing(sqlite_ann.connect("empty.db")) as db:
        db.execute("CREATE TABLE song(title)")
    with contextlib.closing(sqlite_ann.connect("two.db")) as db:
        Index.create(db, "a", 2)
        Index.create(db, "b", 2)
    assert main(["serve", *arguments]) == 1
    assert capsys.readouterr().err.removeprefix("sqlite-ann: ").startswith(sentence)


def test_a_port_in_use_is_told_in_a_sentence(songs, monkeypatch, capsys):
    monkeypatch.setattr(abcjs, "fetched", lambda say: (None, ""))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", songs, "--port", str(port)]) == 1
    assert capsys.readouterr().err == f"sqlite-ann: port {port} is in use: --port takes another, 0 any that is free\n"


# --- requests that are refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/near?id=seven", 400, "id: expected ids of 64 bits with commas between them, got 'seven'"),
        ("/api/near?id=9223372036854775808", 400, "id: expected ids of 64 bits with commas between them, got '922337203685"),
        ("/api/near?id=99999", 404, "song_ann has no row 99999"),
        ("/api/near?like=1,99999", 404, "song_ann has no row 99999"),
        ("/api/near?like=1&dislike=1", 400, "dislike: expected other ids than those of like, got 1"),
        ("/api/near?dislike=1", 400, "near: expected one id, or like with or without dislike"),
        ("/api/near?id=1&like=2", 400, "near: expected one id, or like with or without dislike"),
        ("/api/near?id=1&k=1000000", 400, "k: expected a whole number from 1 to 100, got '1000000'"),
        ("/api/find?k=0", 400, "k: expected a whole number from 1 to 100, got '0'"),
        ("/api/find?k=", 400, "k: expected a whole number from 1 to 100, got ''"),
        ("/api/find?text=a%00b", 400, "text: expected at most 1,000 characters, none of them zero"),
        ("/api/find?text=" + 2000 * "a", 400, "text: expected at most 1,000 characters, none of them zero"),
        ("/api/find?text=%ff", 400, "expected parameters in UTF-8, at most 20 of them"),
        ("/api/find?text=a&text=b", 400, "text: expected it once, got it 2 times"),
        ("/api/find?sql=SELECT+1", 400, "expected the parameters text, k, got 'sql'"),
        ("/api/map?k=1000000", 400, "expected the parameters (none), got 'k'"),
        ("/api/row", 400, "row: expected ids, got none"),
        ("/api/row?id=" + ",".join(map(str, range(101))), 400, "id: expected at most 100 ids, got 101"),
        ("/api/tables", 404, "there is nothing at /api/tables"),
        ("/abcjs.js", 404, "there is nothing at /abcjs.js"),
        ("/page/..%2Fserver.py", 404, "there is nothing at ../server.py"),
        ("/page/", 404, "there is nothing at "),
    ],
)  # fmt: skip
def test_a_request_that_the_page_does_not_make_is_refused_in_a_sentence(client, path, status, sentence):
    told = client.refusal(path)
    assert told[0] == status
    assert told[1].startswith(sentence)


def test_only_requests_by_our_own_name_are_answered(client):
    for host in ("evil.example", f"evil.example:{client.port}", "127.0.0.1:1", "127.0.0.1", ""):
        status, _, body = client.ask("/api/about", Host=host)
        assert status == 403, host
        assert json.loads(body)["error"] == f"expected the host 127.0.0.1:{client.port}, got {host!r}"
    assert client.ask("/api/about", Host=f"localhost:{client.port}")[0] == 200


def test_on_port_80_browsers_name_the_host_alone(monkeypatch):
    monkeypatch.setattr(
        server.ThreadingHTTPServer, "__init__", lambda self, address, handler: setattr(self, "server_port", 80)
    )
    assert server.Server(None, port=80).hosts == {"127.0.0.1", "localhost"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_nothing_can_be_done_but_look(client, method):
    status, headers, body = client.ask("/api/about", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert json.loads(body)["error"] == "expected GET or HEAD, since nothing can be changed here"


def test_what_is_no_http_is_refused(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        connection.sendall(b"SELECT * FROM song; --\r\n\r\n")
        assert b"error" in connection.recv(10_000)


def test_the_files_of_the_page_come_under_a_strict_policy(serve, tmp_path, monkeypatch):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "page.js").write_text("export {};")
    (folder / "notes.txt").write_text("not for the browser")
    monkeypatch.setattr(server, "PAGE", folder)
    client = serve(script=b"the script")
    status, headers, body = client.ask("/")
    assert (status, body, headers["Content-Type"]) == (200, b"<!doctype html>", "text/html; charset=utf-8")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert headers["Content-Security-Policy"].endswith("; frame-ancestors 'none'")
    assert client.ask("/page/page.js")[1]["Content-Type"] == "text/javascript; charset=utf-8"
    assert client.ask("/abcjs.js")[2] == b"the script"
    assert client.refusal("/page/notes.txt")[0] == 404
    status, headers, body = client.ask("/page/page.js", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "10", b"")


# --- others at work -----------------------------------------------------------------------------------


def test_two_clients_at_once_get_what_each_gets_alone(client):
    paths = [f"/api/near?id={id_}&k=5" for id_ in range(1, 40)] + ["/api/map", "/api/find?text=tune", "/api/row?id=1,2"]

    def all_of(order):
        return {path: client.get(path)["rows"] if "map" not in path else client.get(path) for path in order}

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(all_of, [paths, paths[::-1]]))
    assert found[0] == found[1] == all_of(paths)


def test_the_answers_follow_a_program_that_writes(serve, songs):
    client = serve()
    assert len(client.get("/api/map")["ids"]) == N
    write = f"""
import sqlite_ann
with sqlite_ann.connect({songs!r}) as db:
    db.execute("INSERT INTO song SELECT 5000, 'A new copy', book, origin, kind, key, metre, notes, embedding, abc, melody FROM song WHERE id = 7")
    db.execute("DELETE FROM song WHERE id = 9")
    db.execute("UPDATE song SET melody = '[[60, -1]]' WHERE id = 7")
    db.execute("UPDATE song SET melody = '', abc = '' WHERE id = 8")
    db.execute("UPDATE song SET title = CAST(x'ff' AS TEXT) WHERE id = 10")
"""
    subprocess.run([sys.executable, "-c", write], check=True, timeout=60)
    nearest = client.get("/api/near?id=7&k=1")["rows"][0]
    assert (nearest["id"], nearest["show"][0]) == (5000, "A new copy")
    assert client.refusal("/api/near?id=9") == (404, "song_ann has no row 9")
    ids = client.get("/api/map")["ids"]
    assert (len(ids), ids[-1]) == (N, 5000)
    damaged, without = client.get("/api/row?id=7,8")["rows"]
    assert damaged["melody"] is None
    assert damaged["fault"] == "song, row 7: melody: expected JSON of notes, [[pitch, duration], …], got '[[60, -1]]'"
    assert (without["melody"], without["abc"], without["fault"]) == (None, None, None)
    assert client.refusal("/api/row?id=10") == (500, "expected text in UTF-8 in the database, got another encoding")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[[60,1e999]]", "[[60,NaN]]", "[[128,1]]", "[[60.5,1]]", "[[60,1,1]]", "[[true,1]]", '{"a":1}', "7", "x"]
)  # fmt: skip
def test_what_is_no_melody_is_told_as_such(text):
    with pytest.raises(ValueError, match="melody: expected JSON of notes"):
        melody.melody_of(text)


def test_a_table_that_was_dropped_is_told_in_a_sentence(serve, songs):
    client = serve()
    with contextlib.closing(sqlite_ann.connect(songs)) as db:
        db.execute("DROP TABLE song_ann")
    assert client.refusal("/api/near?id=7") == (500, "no such table: song_ann")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_well(songs, end):
    environment = {**os.environ, "PATH": "", "SQLITE_ANN_DATA": str(Path.cwd() / "cache")}
    command = [sys.executable, "-m", "sqlite_ann", "serve", songs, "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout.readline() == "Notes are drawn as a piano roll, not as staves: npm is not installed\n"
        line = process.stdout.readline()
        assert line.endswith("/ (Ctrl-C ends it)\n")
        port = int(line.split("127.0.0.1:")[1].split("/")[0])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as kept:
            kept.request("GET", "/api/about")
            assert json.loads(kept.getresponse().read())["why_no_abcjs"] == "npm is not installed"
            process.send_signal(end)
            assert process.wait(timeout=30) == 0
        assert process.stdout.read() == ""


# --- what draws staves --------------------------------------------------------------------------------


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """npm(content) puts a program of that name on PATH that packs this; npm(None) one that has no network."""
    monkeypatch.setenv("SQLITE_ANN_DATA", str(tmp_path / "cache"))

    def put(content):
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
        (tmp_path / "bin").mkdir(exist_ok=True)
        with tarfile.open(tmp_path / "package.tgz", "w:gz") as package:
            member = tarfile.TarInfo(abcjs.MEMBER)
            member.size = len(content or b"")
            package.addfile(member, io.BytesIO(content or b""))
        act = (
            f"cp {tmp_path}/package.tgz ."
            if content is not None
            else "echo 'npm error network is unreachable' >&2; exit 1"
        )
        (tmp_path / "bin" / "npm").write_text(f"#!/bin/sh\n{act}\n")
        (tmp_path / "bin" / "npm").chmod(0o755)

    return put


def test_what_draws_staves_is_fetched_once(npm, monkeypatch, tmp_path):
    monkeypatch.setattr(abcjs, "SHA256", hashlib.sha256(b"the script").hexdigest())
    npm(b"the script")
    said = []
    assert abcjs.fetched(said.append) == (b"the script", "")
    assert said == [f"Fetching abcjs@6.7.2, which draws notes, into {tmp_path}/cache"]
    npm(None)
    assert abcjs.fetched(said.append) == (b"the script", "")
    assert len(said) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["abcjs-6.7.2.js"]
    (tmp_path / "cache" / "abcjs-6.7.2.js").write_bytes(b"something else")
    assert abcjs.fetched(said.append)[0] is None


def test_without_a_network_or_with_another_file_there_are_no_staves(npm, tmp_path):
    npm(None)
    why = "npm could not fetch abcjs@6.7.2: npm error network is unreachable"
    assert abcjs.fetched(lambda said: None) == (None, why)
    npm(b"another script")
    assert abcjs.fetched(lambda said: None) == (None, "npm gave another abcjs@6.7.2 than the known one")
    assert list((tmp_path / "cache").iterdir()) == []
