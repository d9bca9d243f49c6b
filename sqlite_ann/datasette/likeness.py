"""Rows like the one whose page is shown: a list above it, and the query that finds them.

An index is one of a table if its option `content` says so. The neighbours are rows of the same table: who may see the
page may see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

from datasette.utils import tilde_encode
from datasette.utils.sqlite import sqlite3

from ..names import as_text, quoted
from ..shadows import vector_tables

N_SHOWN = 5
SEARCH = """select {shown}, near.distance
  from ann_search_item({index}, {item}, {k}) as near
  join {table} as t on t.{key} = near.id
 where near.exclude_self = 1
 order by near.rank"""

HAS_VECTOR = "select 1 from ann_search_item(?, ?, 1)"


@dataclass(frozen=True)
class Likeness:
    """An index of a table, and the row that is looked at."""

    index: str
    table: str
    key: str
    label: str
    item: int

    def sql(self, k: int, shown: str) -> str:
        return SEARCH.format(
            shown=shown, index=as_text(self.index), item=self.item, k=k, table=quoted(self.table), key=quoted(self.key)
        )


async def likenesses(datasette: Any, database: str, table: str, row: Any) -> list[Likeness]:
    """One for each index of the table that has the row; none where the extension is not loaded, or refuses."""
    db = datasette.get_database(database)

    def indexes(conn: Any) -> list[str]:
        schema = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        about = "SELECT value FROM ann_info(?) WHERE key = 'content'"
        found = [(each, conn.execute(about, (each,)).fetchone()) for each in vector_tables(map(tuple, schema))]
        return [each for each, content in found if content and str(content[0]).lower() == table.lower()]

    try:
        found = await db.execute_fn(indexes)
        if not found:
            return []
        (key,) = await db.primary_keys(table)  # an indexed table has one, of whole numbers
        label = await db.label_column_for_table(table) or key
        made = [Likeness(index, table, key, label, row[key]) for index in found]
        return [one for one in made if (await db.execute(HAS_VECTOR, [one.index, one.item])).first()]
    except sqlite3.Error:
        return []


async def html_of(datasette: Any, database: str, table: str, row: Any) -> str | None:
    parts = []
    for one in await likenesses(datasette, database, table, row):
        shown = f"t.{quoted(one.key)}, t.{quoted(one.label)}"
        near = await datasette.get_database(database).execute(one.sql(N_SHOWN, shown))
        links = []
        for key, label, distance in near.rows:
            url = escape(str(datasette.urls.row(database, table, tilde_encode(str(key)))))
            links.append(f'<li><a href="{url}">{escape(str(label))}</a> ({distance:.3g})</li>')
        if links:
            parts.append(f"<p>Like this one, by {escape(one.index)}:</p><ol>{''.join(links)}</ol>")
    return "".join(parts) or None


async def actions(datasette: Any, actor: Any, database: str, table: str, row: Any) -> list[dict[str, str]]:
    from datasette.resources import DatabaseResource  # 1.0 alone has actions

    found = await likenesses(datasette, database, table, row)
    if not found or not await datasette.allowed(action="execute-sql", resource=DatabaseResource(database), actor=actor):
        return []
    at = str(datasette.urls.database(database))
    return [
        {
            "href": f"{at}/-/query?{urlencode({'sql': one.sql(20, 't.*')})}",
            "label": f"Like this one, by {one.index}",
            "description": "The nearest rows, as a query.",
        }
        for one in found
    ]
