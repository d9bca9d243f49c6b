"""`sqlite-utils ann-create` makes an index over a column of a table, `ann-search` shows rows near a vector or a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from sqlite_utils.cli import output_options
from sqlite_utils.db import quote_identifier

from .database import beside, check_columns, opened

FILE = click.Path(exists=True, dir_okay=False)
INDEX = "CREATE VIRTUAL TABLE {name} USING ann({column} float32[{dim}], metric={metric}, content={table})"

# The first vector that is there says how many numbers all have.
LENGTH = """
SELECT CASE WHEN typeof({column}) = 'blob' THEN length({column}) / 4
            WHEN json_valid({column}) THEN json_array_length({column}) END
  FROM {table} WHERE {column} NOT NULL LIMIT 1
"""


@click.argument("path", type=FILE)
@click.argument("table")
@click.argument("column")
@click.option("--dim", type=int, help="Numbers in a vector (default: those of the first)")
@click.option("--metric", default="cosine", show_default=True, help="cosine, angular, l2, l1 or dot")
@click.option("--name", help="Name of the index (default: that of the table, with _ann)")
def create(path: str, table: str, column: str, dim: int | None, metric: str, name: str | None) -> None:
    """Make an index over a column of vectors, which follows the table from then on

    A vector is a blob of float32 or a JSON array of numbers; the table needs an INTEGER PRIMARY KEY.

    Example:

    \b
        sqlite-utils ann-create songs.db song embedding --metric l2
    """
    name = name or f"{table}_ann"
    with opened(path) as db:
        if not db[table].exists():
            raise click.ClickException(f"{path} has no table {table}")
        check_columns(db, table, (column,))
        quoted = {"name": name, "column": column, "table": table, "metric": metric}
        quoted = {key: quote_identifier(value) for key, value in quoted.items()}
        if dim is None:
            first = db.execute(LENGTH.format(**quoted)).fetchone()
            if not first or not first[0]:
                raise click.ClickException(f"{table} has no vector in {column}: --dim says how many numbers one has")
            dim = first[0]
        with db.conn:
            db.execute(INDEX.format(dim=dim, **quoted))
        (n_rows,) = db.execute("SELECT value FROM ann_info(?) WHERE key = 'rows'", [name]).fetchone()
    click.echo(f"{name}: {n_rows:,} rows")


def search(cli: Any) -> Callable[..., None]:
    """The command, which answers by sqlite-utils' own `query`, in each of its forms."""

    @click.argument("path", type=FILE)
    @click.argument("index")
    @click.option("--id", "item", type=int, help="Near this stored row, which is left out")
    @click.option("--query", metavar="JSON", help="Near this vector, as in '[0.1, 0.7]'")
    @click.option("-k", type=int, default=10, show_default=True, help="How many")
    @click.option("--recall", type=float, help="Share of the true neighbours that is wanted; 1 is exact")
    @click.option("-c", "--column", "columns", multiple=True, help="Columns of the indexed table to show beside")
    @output_options
    @click.pass_context
    def run(context: Any, path: str, index: str, columns: tuple[str, ...], **options: Any) -> None:
        """Show the rows of an index that are nearest to a vector or to a row

        Example:

        \b
            sqlite-utils ann-search songs.db song_ann --id 7 -c title -t
        """
        search = {name: options.pop(name) for name in ("item", "query", "k", "recall")}
        if (search["item"] is None) == (search["query"] is None):
            raise click.UsageError("expected one of --id and --query")
        sql = "SELECT near.rank, near.id, near.distance{} FROM {} AS near{}{} ORDER BY near.rank"
        with opened(path) as db:
            shown = beside(db, index, columns) if columns else ("", "")
        if search["item"] is None:
            sql = sql.format(shown[0], "ann_search(:index, :query, :k, :recall)", shown[1], "")
        else:
            where = " WHERE near.exclude_self = 1"
            sql = sql.format(shown[0], "ann_search_item(:index, :item, :k, :recall)", shown[1], where)
        param = [("index", index), *search.items()]
        context.invoke(cli.commands["query"], path=path, sql=sql, param=param, **options)

    return run
