"""A plugin for llm: `llm install sqlite_ann` puts it beside it.

    llm near quotations -c "what the sea is like"

answers as `llm similar` does, by an index of the collection instead of comparing with every row.
"""

from __future__ import annotations

from typing import Any

from llm import hookimpl


@hookimpl
def register_commands(cli: Any) -> None:
    from .command import near

    cli.command()(near)
