"""HTTP on this machine alone: who may ask, and which answer belongs to a path.

    serve("songs.db", …)     until Ctrl-C or SIGTERM
    Server(answers, abcjs)   the server as an object, on a port of its own

A page of another site can make a browser send requests here, also by a name of its own that leads to 127.0.0.1: so the
Host has to be ours. It cannot read the answers, and no request changes anything.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import FrameType
from typing import Any
from urllib.parse import unquote

import apsw

from ..connection import connect
from ..errors import Busy, Error
from . import abcjs
from .answers import Answers
from .asked import Asked
from .shown import shown_of

ADDRESS, PORT = "127.0.0.1", 8765
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGE = resources.files(__package__) / "page"
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def serve(
    database: str,
    *,
    index: str | None = None,
    table: str | None = None,
    show: Sequence[str] | None = None,
    port: int = PORT,
    browse: bool = False,
) -> None:
    """Serve the page of a database until Ctrl-C or SIGTERM; with `browse`, open it in the browser."""
    read_only = partial(connect, database, flags=apsw.SQLITE_OPEN_READONLY)
    with closing(read_only()) as db, closing(read_only()) as chart_db:
        shown = shown_of(db, database, index, table, show)
        script, why = abcjs.fetched(say) if shown.notes else (None, "")
        with Server(Answers(db, chart_db, shown, script is not None, why), script, port) as server:
            if why:
                say(f"Notes are drawn as a piano roll, not as staves: {why}")
            server.run(lambda: say(f"{database} is at {server.url} (Ctrl-C ends it)"), browse)


def say(sentence: str) -> None:
    """At once, also where whoever started the server reads its output through a pipe."""
    print(sentence, flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = True  # a browser that holds its connection open does not hold up the end
    allow_reuse_address = os.name != "nt"  # where it would let two servers have one port

    def __init__(self, answers: Answers, script: bytes | None = None, port: int = 0) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"--port: expected a number from 0 to 65535, got {port}")
        self.answers, self.script = answers, script
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(f"port {port} is in use: --port takes another, 0 any that is free") from None
            raise OSError(f"cannot listen on port {port}: {error.strerror}") from None
        self.url = f"http://{ADDRESS}:{self.server_port}/"
        port_said = "" if self.server_port == 80 else f":{self.server_port}"  # as browsers have it
        self.hosts = {f"{name}{port_said}" for name in (ADDRESS, "localhost")}

    def run(self, ready: Callable[[], None], browse: bool) -> None:
        """Serve until KeyboardInterrupt, as which SIGTERM comes, too."""
        before = signal.signal(signal.SIGTERM, interrupt)
        try:
            ready()
            if browse:  # in a thread, since a browser in a terminal holds up whoever opens it
                threading.Thread(target=webbrowser.open, args=[self.url], daemon=True).start()
            self.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)

    def server_close(self) -> None:
        super().server_close()
        self.answers.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone away; anything else is told as Python tells it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Refused(Exception):
    """An answer other than the one that was asked for: a status of HTTP, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds until a silent connection is closed
    wbufsize = -1  # headers and body leave together
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        try:
            kind, body = self.answer()
            status = 200
        except Refused as refused:
            kind, body, status = "json", as_json({"error": str(refused)}), refused.status
        self.send(status, kind, body)

    do_HEAD = do_GET

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", KINDS.get(kind, "application/json; charset=utf-8"))
        self.send_header("Content-Length", str(len(body)))
        if status == 405:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself: a request that is none, or another method."""
        self.close_connection = True  # what follows may be the body of a request that was not read
        status = 405 if code == 501 else code
        sentence = "expected GET or HEAD, since nothing can be changed here" if status == 405 else message
        self.send(status, "json", as_json({"error": sentence or self.responses[code][0]}))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the page shows what went wrong."""

    def version_string(self) -> str:
        return "sqlite-ann"

    # --- answers ------------------------------------------------------------------------------------

    def answer(self) -> tuple[str, bytes]:
        """What kind of file it is, and its bytes."""
        host = self.headers.get("Host", "")
        if host.lower() not in self.server.hosts:
            raise Refused(403, f"expected the host {ADDRESS}:{self.server.server_port}, got {host[:80]!r}")
        if not self.path.startswith("/"):
            raise Refused(400, "expected a path that begins with a slash")
        path, _, query = self.path.partition("?")
        path = unquote(path)
        if path == "/":
            return page_file("index.html")
        if path.startswith("/page/"):
            return page_file(path.removeprefix("/page/"))
        if path == "/abcjs.js" and self.server.script is not None:
            return "js", self.server.script
        if path in ASKED:
            return "json", self.asked(ASKED[path], query)
        raise Refused(404, f"there is nothing at {path[:80]}")

    def asked(self, ask: Callable[[Answers, str], Any], query: str) -> bytes:
        try:
            return as_json(ask(self.server.answers, query))
        except UnicodeDecodeError:
            raise Refused(500, "expected text in UTF-8 in the database, got another encoding") from None
        except LookupError as error:
            raise Refused(404, str(error)) from None
        except ValueError as error:
            raise Refused(400, str(error)) from None
        except Busy as error:
            raise Refused(503, str(error)) from None
        except Error as error:
            raise Refused(500, str(error)) from None


def about(answers: Answers, query: str) -> Any:
    Asked(query, ())
    return answers.about()


def find(answers: Answers, query: str) -> Any:
    asked = Asked(query, ("text", "k"))
    return answers.find(asked.text("text"), asked.count("k", 20))


def near(answers: Answers, query: str) -> Any:
    asked = Asked(query, ("id", "like", "dislike", "k"))
    ids, like, dislike, k = asked.ids("id"), asked.ids("like"), asked.ids("dislike"), asked.count("k", 10)
    if len(ids) == 1 and not like and not dislike:
        return answers.near(ids[0], k)
    if ids or not like:
        raise ValueError("near: expected one id, or like with or without dislike")
    return answers.recommend(like, dislike, k)


def row(answers: Answers, query: str) -> Any:
    ids = Asked(query, ("id",)).ids("id")
    if not ids:
        raise ValueError("row: expected ids, got none")
    return answers.row(ids)


def chart(answers: Answers, query: str) -> Any:
    Asked(query, ())
    return answers.chart()


ASKED = {"/api/about": about, "/api/find": find, "/api/near": near, "/api/row": row, "/api/map": chart}


def page_file(name: str) -> tuple[str, bytes]:
    """A file of the page; only names of files in its folder are looked for."""
    kind = name.rpartition(".")[2]
    file = next((file for file in PAGE.iterdir() if file.name == name), None) if PAGE.is_dir() else None
    if file is None or kind not in KINDS or not file.is_file():
        raise Refused(404, f"there is nothing at {name[:80]}")
    return kind, file.read_bytes()


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
