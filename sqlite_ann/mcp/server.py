"""The tools of a database as a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import apsw
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from .. import __version__
from ..errors import translated
from .tools import Tools

INSTRUCTIONS = """Finds rows of a SQLite database that are near each other by their vectors. Call tables first: it says
which indexes there are and which columns the rows have. search and like give the nearest rows, nearest first; a smaller
distance is nearer."""


def make_server(db: apsw.Connection) -> MCPServer:
    """A server over a connection, which had better be for reading only; `.run()` serves standard input and output."""
    tools = Tools(db)
    server = MCPServer("sqlite-ann", version=__version__, instructions=INSTRUCTIONS)
    for tool in (tools.tables, tools.search, tools.like):
        server.add_tool(in_a_sentence(tool), annotations=ToolAnnotations(read_only_hint=True))
    return server


def in_a_sentence(tool: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """The tool, whose refusals are told to the assistant in their own words.

    It is awaited, and so runs in the server's own thread: a connection serves one search at a time.
    """

    @wraps(tool)
    async def run(*arguments: Any, **named: Any) -> Any:
        try:
            with translated():
                return tool(*arguments, **named)
        except (apsw.Error, ValueError) as error:
            raise ToolError(str(error)) from None

    return run
