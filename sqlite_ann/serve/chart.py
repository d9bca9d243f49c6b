"""The map of all rows: places that `sqlite-ann map` has stored, else the vectors on their two principal axes.

    chart_of(db, shown)     ids, x, y from 0 to 1, and colours by the second column that is shown

Of a large table a sample is drawn, the same each time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from ..elements import STORED, width
from ..index import Index
from .shown import Shown, named

MOST = 50_000  # points
MOST_NUMBERS = 25_000_000  # components read for the axes: 100 MB as float32
N_COLORS = 11  # the commonest values; all others share one more
OTHERS = "others"
N_DIRECTIONS, ROUNDS = 10, 10  # of the iteration for the axes: more move no point that one would see


def chart_of(db: apsw.Connection, shown: Shown) -> dict[str, Any]:
    with db:
        index = Index(db, shown.index)
        n_rows = len(index)
        kind, (ids, places) = "stored", stored(db, shown)
        if not len(ids):
            kind, (ids, vectors) = "axes", vectors_of(index, n_rows)
        colors, names = colors_of(db, shown, ids)
    if kind == "axes":  # without holding up those who write
        places = on_axes(as_floats(vectors, index), is_unit=index.metric in ("cosine", "angular"))
    x, y = fitted(places).round(4).T.tolist()
    return {"kind": kind, "ids": ids.tolist(), "x": x, "y": y, "colors": colors, "names": names, "of": n_rows}


Places = tuple[NDArray[np.int64], NDArray[np.float64]]  # ids, ascending, x and y


def stored(db: apsw.Connection, shown: Shown) -> Places:
    """Rows that were added since have no place yet; rows that are gone may still have one. None where no table has any."""
    columns = db.execute("SELECT lower(name) FROM pragma_table_info(?, 'main')", (f"{shown.index}_map",))
    if not {"id", "x", "y"} <= {name for (name,) in columns}:
        return np.zeros(0, np.int64), np.zeros((0, 2))
    table = named(f"{shown.index}_map")
    n_places: Any = db.execute(f"SELECT count(*) FROM {table}").get
    sql = (
        f"SELECT m.id, m.x, m.y FROM {table} AS m WHERE {SOME.format('m.id')}"
        " AND typeof(m.x) = 'real' AND typeof(m.y) = 'real' AND abs(m.x) < 1e30 AND abs(m.y) < 1e30"
        f" AND EXISTS (SELECT 1 FROM {named(shown.table)} AS t WHERE t.{named(shown.key)} = m.id)"
        " ORDER BY m.id LIMIT :most"
    )
    rows = db.execute(sql, some(n_places, MOST)).fetchall()
    ids = np.array([id_ for id_, _, _ in rows], np.int64)
    return ids, np.array([place for _, *place in rows], np.float64).reshape(-1, 2)


def vectors_of(index: Index, n_rows: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Ids, ascending, and their vectors as they are stored."""
    sql = f"SELECT rowid, {index.column} FROM {index.table} WHERE {SOME.format('rowid')} LIMIT :most"
    rows: Any = index.db.execute(sql, some(n_rows, min(MOST, MOST_NUMBERS // index.dim))).fetchall()
    rows.sort()
    ids = np.array([id_ for id_, _ in rows], np.int64)
    numbers = np.frombuffer(b"".join(blob for _, blob in rows), STORED[index.type])
    return ids, numbers.reshape(len(rows), width(index.type, index.dim))


# The ids whose product with an odd number has a small middle part: evenly spread, and the same ones each time. Nothing but
# the id is looked at, so that a row that is left out costs little.
SOME = "((({} & 4294967295) * 1640531527) >> 16) & 65535 < :part"


def some(n_rows: int, most: int) -> dict[str, int]:
    """What SOME needs to leave about so many of the rows.

    >>> some(1_000_000, 50_000), some(100, 50_000)
    ({'part': 3276, 'most': 50000}, {'part': 65536, 'most': 50000})
    """
    return {"part": 65536 * most // max(n_rows, most), "most": most}


def as_floats(rows: NDArray[Any], index: Index) -> NDArray[np.float64]:
    if index.type == "bit":
        rows = np.unpackbits(rows, axis=1, count=index.dim, bitorder="little")
    elif index.type == "bfloat16":
        rows = (rows.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float64)  # in which squares of float32 have room


def on_axes(rows: NDArray[Any], is_unit: bool) -> NDArray[np.float64]:
    """Places on the two axes along which the rows, of length 1 where only directions count, lie furthest apart.

    >>> on_axes(np.array([[0, 0, 1], [0, 3, 1]], np.float32), is_unit=False).round(3).tolist()
    [[-1.5, 0.0], [1.5, 0.0]]

    By iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4): of vectors of thousands of components, all axes would take
    minutes.
    """
    if not len(rows):
        return np.zeros((0, 2))
    if is_unit:
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(lengths > 0, lengths, 1)
    rows = rows - rows.mean(axis=0)
    basis = np.random.default_rng(0).standard_normal((rows.shape[1], min(N_DIRECTIONS, rows.shape[1])))
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(rows.T @ (rows @ basis))
    _, _, vectors = np.linalg.svd(rows @ basis, full_matrices=False)
    directions = basis @ vectors[:2].T
    # An axis is known up to its direction: its largest component points up.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, range(directions.shape[1])])
    places = np.zeros((len(rows), 2))
    places[:, : directions.shape[1]] = rows @ directions
    return places


def fitted(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Into the square from 0 to 1, both axes by one scale.

    >>> fitted(np.array([[0, 0], [4, 2]])).tolist()
    [[0.0, 0.25], [1.0, 0.75]]
    """
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    scale = (high - low).max() or 1.0
    return np.asarray(0.5 + (places - (low + high) / 2) / scale)


def colors_of(db: apsw.Connection, shown: Shown, ids: NDArray[np.int64]) -> tuple[list[int], list[str]]:
    """For each id the place of its value in a list of names, the commonest first; 0 for all where nothing is to tell."""
    if len(shown.show) < 2:
        return [0] * len(ids), [""]
    table, key, column = named(shown.table), f"t.{named(shown.key)}", f"t.{named(shown.show[1])}"
    sql = f"SELECT substr({column}, 1, 100) FROM ann_ids(?) AS i LEFT JOIN {table} AS t ON {key} = i.id ORDER BY i.n"
    values = ["" if value is None else str(value) for (value,) in db.execute(sql, (ids,))]
    counts = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
    names = [name for name, _ in counts[:N_COLORS]]
    place = {name: i for i, name in enumerate(names)}
    if len(counts) > N_COLORS:
        names.append(OTHERS)
    return [place.get(value, N_COLORS) for value in values], names or [""]
