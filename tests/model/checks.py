"""One connection compared with one state of the model: rows, faults, searches."""

from __future__ import annotations

import random
from collections.abc import Collection

import apsw
import numpy as np

from .model import Key, Table, Tables, Vector, true_distances

CLOSE = 1e-9  # cosines of equal rays differ in their last digits

Found = list[tuple[int, float]]


def quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def blob(vector: Vector) -> bytes:
    return np.array(vector, "<f4").tobytes()


def same_rows(db: apsw.Connection, tables: Tables) -> None:
    """Exactly these tables with exactly these rows, in order of rowid."""
    for key, table in tables.items():
        rows = list(db.execute(f"SELECT rowid, embedding FROM {quoted(*key)}"))
        assert rows == [(row, blob(table.rows[row])) for row in sorted(table.rows)], f"rows of {key}"
    there = {(schema, name) for schema in ("main", "aux") for (name,) in db.execute(
        f"SELECT name FROM {schema}.sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%'")}  # fmt: skip
    assert there == set(tables)


def sound(db: apsw.Connection, key: Key) -> None:
    faults = list(db.execute("SELECT * FROM ann_check(?)", (".".join(key),)))
    assert faults == [], f"ann_check of {key}"


def same_searches(db: apsw.Connection, key: Key, table: Table, query: Vector, choice: random.Random) -> None:
    """An exact search, one at the usual recall, and one of the ways to restrict it."""
    truth = true_distances(table, query)
    k = choice.choice((1, 3, 10, 64, 65, 300, 10_000))
    exact(_search(db, key, query, k, 1), k, truth, table.metric)
    plausible(_search(db, key, query, k), k, truth, truth.keys())
    ids = [*choice.sample(sorted(truth), min(len(truth), choice.choice((1, 5, 200)))), choice.randrange(10**6)]
    kind = choice.randrange(5)
    if kind == 0:
        found = _search(db, key, query, k, more="AND id IN (SELECT value FROM json_each(?))", list_=ids)
        plausible(found, k, truth, truth.keys() & set(ids))
    elif kind == 1:
        found = _search(db, key, query, k, more="AND exclude IN (SELECT value FROM json_each(?))", list_=ids)
        plausible(found, k, truth, truth.keys() - set(ids))
    elif kind == 2 and truth:
        limit = sorted(truth.values())[min(len(truth) - 1, 20)]
        found = _search(db, key, query, k, 1, more="AND max_distance = ?", argument=limit + CLOSE)
        exact(found, k, {row: far for row, far in truth.items() if far <= limit + CLOSE}, table.metric)
    elif kind == 3:
        found = list(db.execute(
            f"SELECT rowid, distance FROM {quoted(*key)} WHERE embedding MATCH ? ORDER BY distance LIMIT ?",
            (blob(query), k)))  # fmt: skip
        plausible(found, k, truth, truth.keys())
    elif kind == 4:
        found = list(db.execute("SELECT id, distance FROM ann_search_item(?, ?, ?)", (".".join(key), ids[0], k)))
        near = true_distances(table, table.rows[ids[0]]) if ids[0] in table.rows else {}
        plausible(found, k, near, near.keys(), first=None if table.metric == "dot" else ids[0])


def _search(
    db: apsw.Connection, key: Key, query: Vector, k: int, recall: float | None = None, *,
    more: str = "", list_: list[int] | None = None, argument: float | None = None,
) -> Found:  # fmt: skip
    arguments: list[object] = [".".join(key), blob(query), k, recall]
    if list_ is not None:
        arguments.append(str(list_))
    if argument is not None:
        arguments.append(argument)
    return list(db.execute(f"SELECT id, distance FROM ann_search(?, ?, ?, ?) WHERE true {more}", arguments))


def plausible(
    found: Found, k: int, truth: dict[int, float], allowed: Collection[int], first: int | None = None
) -> None:
    """As many as there are up to k, each once, in order (`first` before those as near), with their true distances."""
    ids = [row for row, _ in found]
    assert len(set(ids)) == len(ids), "an id came twice"
    assert set(ids) <= set(allowed), "an id that should not come"
    assert len(found) == min(k, len(allowed)), "number of rows"
    assert found == sorted(found, key=lambda item: (item[1], item[0] != first, item[0])), "order"
    assert first is None or [row for row, _ in found[:1]] == [first] or not found, "a row finds itself"
    assert all(abs(far - truth[row]) <= CLOSE for row, far in found), "distances"


def exact(found: Found, k: int, truth: dict[int, float], metric: str) -> None:
    plausible(found, k, truth, truth.keys())
    wanted = sorted(truth.items(), key=lambda item: (item[1], item[0]))[:k]
    if metric == "cosine":  # rows as near as the last one may stand for each other
        limit = wanted[-1][1] if wanted else 0
        assert {row for row, far in wanted if far < limit - CLOSE} <= {row for row, _ in found}, "nearest rows"
        assert all(truth[row] <= limit + CLOSE for row, _ in found), "nearest rows"
    else:
        assert found == wanted, "nearest rows"
