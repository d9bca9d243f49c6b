"""The command line: `sqlite-ann`, or `python -m sqlite_ann`.

    parser.py      the commands, their options and examples; docs/CLI.md is made of its --help
    commands.py    what each command does, but for load and map
    load.py        load: vectors of files, or of another table, into an index
    files.py       vectors and ids from .npy, .npz, .csv, .jsonl, .parquet and standard input
    rows.py        the rows of text and Parquet, one by one, and the arrays they make
    tables.py      the tables of a database: which are indexes, what columns an ordinary one has
    measure.py     recall and time at several recalls
    picture.py     the same drawn
    map.py         places for all rows on a plane (sqlite_ann/layout.py), and what other programs read of them
    scatter.py     the same drawn
    output.py      files that are written whole, or not at all
    answer.py      rows for people, as JSON or as CSV

A command gives an Answer, and raises what it refuses: one sentence on the error stream.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .parser import make_parser

# Busy, read-only, input or output failed, full: SQLite's words for these do not say which file it was.
OF_THE_FILE = (5, 8, 10, 13)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code: 0, 1 for what was refused or is wrong, 2 for misuse."""
    options = make_parser().parse_args(arguments)
    # Only now, so that --help and what is misused are answered at once.
    from ..errors import Error, translated
    from .answer import show, tell
    from .commands import COMMANDS

    try:
        with translated():
            answer = COMMANDS[options.command](options)
        show(answer, options.form)
        return answer.code
    except BrokenPipeError:  # whoever read the answer has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Error as error:
        of_the_file = getattr(error, "code", 0) & 0xFF in OF_THE_FILE and options.database not in str(error)
        tell(f"{options.database}: {error}" if of_the_file else str(error))
    except OSError as error:
        tell(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (ValueError, TypeError, ImportError) as error:
        tell(str(error))
    except KeyboardInterrupt:
        tell("stopped; what was not finished is undone")
    return 1
