"""A plugin for sqlite-utils: `sqlite-utils install sqlite_ann` puts it beside it.

Every database that sqlite-utils opens has the extension, where its driver can load one. Two commands make an index
over a table and search it:

    sqlite-utils ann-create songs.db song embedding --metric l2
    sqlite-utils ann-search songs.db song_ann --id 7 -c title

Each start of sqlite-utils imports this: what the commands need is imported when they run.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlite_utils import hookimpl

from ..extension import load


@hookimpl
def prepare_connection(conn: Any) -> None:
    """Load the extension. What cannot is left alone, for most commands have no use for it; ours say what is missing."""
    if hasattr(conn, "enable_load_extension"):
        with suppress(FileNotFoundError):
            load(conn)


@hookimpl
def register_commands(cli: Any) -> None:
    from .commands import create, search

    cli.command(name="ann-create")(create)
    cli.command(name="ann-search")(search(cli))
