"""What other processes run in test_workers.py: they import it by name."""

from __future__ import annotations


def searched(index, query):
    ids, distances = index.search(query, k=2)
    return ids.tolist(), distances.tolist(), len(index)


def added(index, id_):
    index.add(id_, [id_, 0])
    return type(index).__name__


def refused(index):
    index.add(1, [0, 0])
