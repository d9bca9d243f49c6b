"""The song page, and that of any other database: `sqlite-ann serve songs.db`.

    server.py       HTTP on this machine alone: who may ask, which answer belongs to a path
    asked.py        what stands in a request, checked
    answers.py      the answers, as JSON has them
    statements.py   their SQL, bound when it is run, and written out beside the answer
    shown.py        what of a database is shown: the index, its table, the columns
    melody.py       notes that a row keeps
    chart.py        the map of all rows: places that are stored, or the two principal axes
    abcjs.py        what draws staves: fetched once by npm
    page/           the page itself, as the browser gets it

Nothing is written to the database, and no SQL comes from the page.
"""

from .server import serve

__all__ = ["serve"]
