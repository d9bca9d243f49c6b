"""A server for assistants that speak the Model Context Protocol: `pip install sqlite_ann[mcp]`, then `sqlite-ann mcp DB`.

It reads the database and never writes to it. Its tools are those of tools.py: tables, search and like.
"""

try:
    import mcp.server.mcpserver  # noqa: F401
except ImportError:
    raise ImportError("sqlite-ann mcp needs the package mcp, 2 or newer: pip install 'sqlite_ann[mcp]'") from None

from .server import make_server

__all__ = ["make_server"]
