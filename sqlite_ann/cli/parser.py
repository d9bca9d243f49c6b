"""The commands, their options and examples, as `--help` shows them.

Nothing but argparse is imported here. The examples are run by a test, in this order, in a folder with the demo's
database: a later one finds what an earlier one made.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FORMATS = ("npy", "npz", "csv", "jsonl", "parquet")
ANNOY_METRICS = ("angular", "euclidean", "manhattan", "hamming", "dot")
PICTURES = (".svg", ".png", ".pdf")
AN_IMAGE = "an .svg, .png or .pdf file"

EXAMPLES = {
    "demo": ["sqlite-ann demo"],
    "path": ["sqlite-ann path"],
    "list": ["sqlite-ann list songs.db"],
    "load": [
        "sqlite-ann load songs.db copy_ann --table song",
        "sqlite-ann load songs.db array_ann vectors.npy --ids ids.npy --metric l2",
        "sqlite-ann load songs.db array_ann songs.npz --column vectors --id ids --replace",
        "sqlite-ann load songs.db text_ann songs.csv --skip",
        "sqlite-ann load songs.db lines_ann songs.jsonl --id nr --column melody",
        "sqlite-ann load songs.db text_ann songs.parquet --replace",
        "sqlite-ann load songs.db pipe_ann - --format csv < songs.csv",
        "sqlite-ann load songs.ann songs.db --annoy angular",
    ],
    "search": [
        "sqlite-ann search songs.db song_ann --id 7 -k 5",
        "sqlite-ann search songs.db song_ann --id 7 --show title book --table song",
        "sqlite-ann search songs.db array_ann --query '[0.1, 0.7, 0.2]' --json",
    ],
    "info": ["sqlite-ann info songs.db song_ann"],
    "recall": ["sqlite-ann recall songs.db song_ann", "sqlite-ann recall songs.db song_ann -k 50 --recall 0.9 0.99"],
    "explain": ["sqlite-ann explain songs.db song_ann --id 7"],
    "bench": ["sqlite-ann bench songs.db song_ann", "sqlite-ann bench songs.db song_ann --csv > curve.csv"],
    "plot": ["sqlite-ann plot songs.db song_ann -o recall.svg"],
    "map": [
        "sqlite-ann map songs.db song_ann --color book --label title -o songs.png",
        "sqlite-ann map songs.db song_ann --columns title book --export songs-map.parquet",
    ],
    "check": ["sqlite-ann check songs.db song_ann"],
    "optimize": ["sqlite-ann optimize songs.db song_ann"],
    "rebuild": ["sqlite-ann rebuild songs.db song_ann"],
    "drop": ["sqlite-ann drop songs.db copy_ann"],
    "mcp": ["sqlite-ann mcp songs.db"],
    "serve": ["sqlite-ann serve songs.db --open"],
}


def make_parser() -> argparse.ArgumentParser:
    few = [EXAMPLES["demo"][0], EXAMPLES["list"][0], EXAMPLES["search"][1], EXAMPLES["load"][0]]
    parser = argparse.ArgumentParser(
        prog="sqlite-ann",
        description="Approximate nearest neighbours inside SQLite.",
        epilog=listed(few) + "\n\nsqlite-ann COMMAND --help tells the rest of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, about: str, *, of: str = "index") -> argparse.ArgumentParser:
        """A command of an index, of a database, of neither, or one that answers nothing but serves a database."""
        made = commands.add_parser(
            name,
            help=about,
            description=about,
            epilog=listed(EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if of in ("database", "index", "server"):
            made.add_argument("database", metavar="DB", help="the database file")
        if of == "index":
            made.add_argument("index", metavar="INDEX", help="the vector table in it")
        made.set_defaults(form="people")
        if of not in ("demo", "server"):
            forms = made.add_mutually_exclusive_group()
            for form in ("json", "csv"):
                help_ = f"answer in {form.upper()}"
                forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=help_)
        return made

    add_demo(command("demo", "Show neighbours of real songs.", of="demo"))
    command("path", "Show where the extension is, as SQLite's .load wants it.", of="package")
    command("list", "List the indexes of a database.", of="database")
    add_load(command("load", "Put vectors into an index, made if it is not there, and optimize it."))
    add_search(command("search", "Show id and distance of the nearest vectors."))
    command("info", "Show what an index tells about itself.")
    add_measure(command("recall", "Measure the share of the true neighbours that searches find."), (0.95,))
    add_query(command("explain", "Show where the time of one search goes."), "near this stored row")
    p = command("bench", "Measure recall and time of searches at several recalls; 1 is exact search.")
    add_measure(p, (0.8, 0.9, 0.95, 0.98, 0.99, 1))
    p = command("plot", "Draw what bench measures (needs matplotlib).")
    add_measure(p, (0.8, 0.9, 0.95, 0.98, 0.99, 1))
    p.add_argument("-o", metavar="FILE", dest="output", type=ending(PICTURES), required=True, help=AN_IMAGE)
    add_map(command("map", "Lay all rows out on a plane and draw them (needs umap-learn, matplotlib)."))
    command("check", "Show what is wrong with an index, one fault a row; exit code 1 if anything is.")
    command("optimize", "Take waiting rows into the forest, repair it and re-fit it.")
    command("rebuild", "Make the forest anew from the vectors, also that of an older format.")
    command("drop", "Remove an index and the vectors in it.")
    command("mcp", "Let an assistant search, by the Model Context Protocol (needs mcp).", of="server")
    add_serve(command("serve", "Show an index in the browser: find a row, see what is near.", of="server"))
    return parser


def listed(examples: Sequence[str]) -> str:
    return "\n  ".join(["examples:" if len(examples) > 1 else "example:", *examples])


# --- the options of each -------------------------------------------------------------------------


def add_demo(p: argparse.ArgumentParser) -> None:
    p.add_argument("database", metavar="DB", nargs="?", default="songs.db", help="what to make (default: %(default)s)")
    p.add_argument("--quiet", action="store_true", help="make it and run the examples, print nothing")


def add_load(p: argparse.ArgumentParser) -> None:
    p.add_argument("files", metavar="FILE", nargs="*", type=Path, help=f".{', .'.join(FORMATS)}; - is standard input")
    p.add_argument("--format", choices=FORMATS, help="what FILE is, where its name does not say so")
    p.add_argument("--table", help="instead of files: a table of the same database")
    help_ = "the column of vectors, or their array in an .npz file (default: embedding; of a .csv file without such a"
    p.add_argument("--column", help=f"{help_} column, each number is a component)")
    help_ = "the column of ids, or their array in an .npz file (default: id where there is one, of a table rowid; else"
    p.add_argument("--id", help=f"{help_} 0, 1, 2, …)")
    p.add_argument("--ids", metavar="FILE", type=Path, help="an .npy or .npz file of ids, one a vector of FILE")
    there = p.add_mutually_exclusive_group()
    there.set_defaults(existing="refuse")
    for name, about in (
        ("replace", "where ids are there already, put the new vectors in the place of those"),
        ("skip", "leave ids that are there already as they are, and bad rows out; each bad row is told"),
    ):
        there.add_argument(f"--{name}", dest="existing", action="store_const", const=name, help=about)
    p.add_argument("--metric", help="for a new index: cosine (default), angular, l2, l1, dot, …")
    help_ = "the two names are an .ann file that Annoy wrote and a DB: put its vectors into the table annoy"
    p.add_argument("--annoy", metavar="METRIC", choices=ANNOY_METRICS, help=f"{help_} ({', '.join(ANNOY_METRICS)})")
    p.add_argument("--dim", type=whole_number, help="with --annoy: its dimensions, where they cannot be found")
    p.add_argument("--no-optimize", action="store_true", help="leave the forest for later")


def add_query(p: argparse.ArgumentParser, near: str) -> None:
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--id", help=near)  # of an index with keys, one of them
    what.add_argument("--query", metavar="JSON", help="near this vector, as in '[0.1, 0.7]'")
    p.add_argument("-k", metavar="K", type=whole_number, default=10, help="how many (default: %(default)s)")
    p.add_argument(
        "--recall", metavar="SHARE", type=number, help="of the true neighbours, wanted (default: 0.95; 1 is exact)"
    )


def add_search(p: argparse.ArgumentParser) -> None:
    add_query(p, "near this stored row, which is left out")
    p.add_argument("--show", metavar="COLUMN", nargs="+", action="extend", help="columns of --table to show beside")
    p.add_argument("--table", help="an ordinary table whose INTEGER PRIMARY KEY is the id")


def add_measure(p: argparse.ArgumentParser, shares: tuple[float, ...]) -> None:
    p.add_argument("-k", metavar="K", type=whole_number, default=10, help="neighbours wanted (default: %(default)s)")
    p.add_argument("--sample", metavar="N", type=whole_number, default=100, help="rows searched for (default: 100)")
    asked = " ".join(f"{share:g}" for share in shares)
    help_ = f"the recalls to ask for (default: {asked})"
    p.add_argument("--recall", metavar="SHARE", dest="shares", nargs="+", type=number, default=shares, help=help_)


def add_serve(p: argparse.ArgumentParser) -> None:
    p.add_argument("--index", help="the vector table, where DB has several")
    p.add_argument("--table", help="the table with its rows (default: the one that the index is over)")
    help_ = "columns of it, with commas; the second colours the map (default: the first two of text)"
    p.add_argument("--show", metavar="COLUMNS", type=names, help=help_)
    p.add_argument("--port", metavar="N", type=whole_number, default=8765, help="0 is any (default: %(default)s)")
    p.add_argument("--open", action="store_true", help="open the browser")


def add_map(p: argparse.ArgumentParser) -> None:
    p.add_argument("-o", metavar="FILE", dest="output", type=ending(PICTURES), help=AN_IMAGE)
    p.add_argument("--color", metavar="COLUMN", help="a colour for each of its names, or a scale for its numbers")
    p.add_argument("--label", metavar="COLUMN", help="what some of the dots are called by")
    help_ = "a table with these columns and the ids, or the keys (default: that of the index)"
    p.add_argument("--table", help=help_)
    help_ = "x, y, neighbours and columns of each row, as Embedding Atlas reads them (needs pyarrow)"
    p.add_argument("--export", metavar="FILE", type=ending((".parquet",)), help=help_)
    help_ = "more columns for --export"
    p.add_argument("--columns", metavar="COLUMN", nargs="+", action="extend", default=[], help=help_)
    p.add_argument("--again", action="store_true", help="lay out anew what is kept, as after changes of vectors")
    p.add_argument("--no-keep", action="store_true", help="do not keep what is laid out in the table INDEX_map")


# --- values --------------------------------------------------------------------------------------


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if math.isnan(found):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return found


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def ending(endings: Sequence[str]) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        if Path(text).suffix not in endings:
            raise argparse.ArgumentTypeError(f"expected a file that ends in {', '.join(endings)}, got {text!r}")
        return Path(text)

    return path


class Version(argparse.Action):
    """The version, looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .. import __version__

        print(__version__)
        parser.exit()
