"""`llm near`: the entries of a collection that are nearest to a text or to another entry."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import apsw
import click
import llm

from ..vectors import as_count, as_vectors, float_buffer
from .index import Indexed, opened

SEARCH = """
SELECT entry.key AS id, 1 - near.distance AS score, e.content, e.metadata
  FROM {search} AS near
  JOIN entry ON entry.id = near.id
  JOIN llm.embeddings AS e ON e.collection_id = :id AND e.id = entry.key
 WHERE {where}
 ORDER BY near.rank
"""
WITH_PREFIX = """near.only = (
  SELECT ann_id_set(id) FROM entry WHERE collection = :id AND substr(key, 1, length(:prefix)) = :prefix)"""


@click.argument("collection")
@click.argument("id", required=False)
@click.option("-c", "--content", help="Text to embed for comparison; - is standard input")
@click.option("-n", "--number", type=int, default=10, help="Number of results to return")
@click.option("-p", "--plain", is_flag=True, help="Output in plain text format")
@click.option("-d", "--database", type=click.Path(dir_okay=False), envvar="LLM_EMBEDDINGS_DB")
@click.option("--prefix", help="Just IDs with this prefix", default="")
@click.option("--recall", type=float, help="Share of the true neighbours that is wanted; 1 is exact")
def near(
    collection: str, id: str | None, content: str | None, plain: bool, database: str | None, **options: Any
) -> None:
    """
    Return the entries of a collection that are nearest, by an index beside it

    The first search of a collection makes the index, and later ones take in what has changed.

    Example usage:

    \b
        llm near my-collection -c "I like cats"
        llm near my-collection 1234
    """
    if (id is None) == (content is None):
        raise click.ClickException("expected an ID or --content")
    path = Path(database) if database else llm.user_dir() / "embeddings.db"
    if not path.exists():
        raise click.ClickException(f"there is no {path}")
    try:
        indexed = opened(path, collection)
        try:
            found = nearest(indexed, id, content, **options)
        finally:
            indexed.db.close()
    except (KeyError, llm.UnknownModelError) as error:
        raise click.ClickException(str(error.args[0] if error.args else error)) from None
    except (apsw.Error, ValueError, TypeError) as error:
        raise click.ClickException(str(error)) from None
    for entry in found:
        show(entry, plain)


def nearest(
    indexed: Indexed, id: str | None, content: str | None, number: int, prefix: str, recall: float | None
) -> list[dict[str, Any]]:
    k = as_count("number", number)
    values: dict[str, Any] = {"id": indexed.id, "index": indexed.index, "k": k, "recall": recall, "prefix": prefix}
    where = [WITH_PREFIX] if prefix else []
    if id is None:
        search = "ann_search(:index, :query, :k, :recall)"
        text = sys.stdin.read() if content == "-" else content
        dim = indexed.db.execute("SELECT dim FROM collection WHERE id = ?", (indexed.id,)).get
        embedding = llm.get_embedding_model(indexed.model).embed(text)
        values["query"] = float_buffer(as_vectors(embedding, dim, "embedding")).tobytes()
    else:
        search = "ann_search_item(:index, :item, :k, :recall)"
        where.append("near.exclude_self = 1")
        of = "SELECT id FROM entry WHERE collection = ? AND key = ?"
        values["item"] = indexed.db.execute(of, (indexed.id, id)).get
        if values["item"] is None:
            raise KeyError(f"the collection has no ID {id}")
    rows = indexed.db.execute(SEARCH.format(search=search, where=" AND ".join(where) or "true"), values)
    found = [dict(zip(("id", "score", "content", "metadata"), row, strict=True)) for row in rows]
    return [{**entry, "metadata": json.loads(entry["metadata"] or "null")} for entry in found]


def show(entry: dict[str, Any], plain: bool) -> None:
    """As `llm similar` does."""
    if not plain:
        click.echo(json.dumps(entry))
        return
    click.echo(f"{entry['id']} ({entry['score']})\n")
    if entry["content"]:
        click.echo(textwrap.indent(entry["content"], "  "))
    if entry["metadata"]:
        click.echo(textwrap.indent(json.dumps(entry["metadata"]), "  "))
    click.echo("")
