"""The store of docs/GUESTS.md for LangGraph gives the answers of LangGraph's own store in memory."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import pytest

pytest.importorskip("langgraph.store")

from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore

from tests.guests.plugins import ROOT

PAGE = (ROOT / "docs" / "GUESTS.md").read_text(encoding="utf-8")
RECIPE = re.search(r"^```python langgraph\n(.*?)\n\ndef embed", PAGE, flags=re.MULTILINE | re.DOTALL)[1]
WORDS = ["apple", "banana", "cherry", "date", "elder", "fig", "grape", "hazel", "iris", "jade"]
FILTERS = [
    None,
    {"n": 2},
    {"n": {"$gte": 2}},
    {"n": {"$gt": 1, "$lt": 4}},
    {"by": {"name": "x"}},
    {"n": {"$ne": 1}, "by": {"name": {"$eq": "y"}}},
]


def embed(texts: list[str]) -> list[list[float]]:
    return [[text.count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


@pytest.fixture
def recipe() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(RECIPE, names)
    return names


@pytest.fixture
def ours(recipe):
    store = recipe["AnnStore"](":memory:", embed, ["text"])
    yield store
    store.docs.db.close()


@pytest.fixture
def both(ours):
    """Our store and theirs, after the same life."""
    theirs = InMemoryStore(index={"dims": 26, "embed": embed, "fields": ["text"]})
    some = random.Random(1)
    for i in range(80):
        namespace = ("users", some.choice("ab"))[: some.choice([1, 2, 2])]
        key, by = f"m{some.randrange(20)}", {"name": some.choice("xy")}
        value = {"text": " ".join(some.sample(WORDS, 3)), "n": some.randrange(5), "by": by}
        for store in (ours, theirs):
            store.put(namespace, key, value)
            if i % 7 == 0:
                store.delete(namespace, key)
    return ours, theirs


def plain(found):
    return [(item.namespace, item.key, item.value) for item in found]


@pytest.mark.parametrize("filter", FILTERS, ids=str)
@pytest.mark.parametrize("namespace", [(), ("users",), ("users", "a"), ("none",)], ids=str)
def test_a_search_finds_what_theirs_finds(both, namespace, filter):
    ours, theirs = (plain(store.search(namespace, filter=filter, limit=100)) for store in both)
    assert sorted(ours, key=str) == sorted(theirs, key=str)
    for query in ("apple banana", "fig"):
        for offset in (0, 3):
            asked = {"query": query, "filter": filter, "limit": 5, "offset": offset}
            ours, theirs = ([item.score for item in store.search(namespace, **asked)] for store in both)
            assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"prefix": ("users",)},
        {"suffix": ("a",)},
        {"prefix": ("*", "a")},
        {"prefix": ("users", "a", "deeper")},
        {"max_depth": 1},
        {"limit": 1, "offset": 1},
    ],
    ids=str,
)
def test_namespaces_are_listed_as_theirs_are(both, asked):
    ours, theirs = (store.list_namespaces(**asked) for store in both)
    assert ours == theirs


def test_items_come_back_with_their_times(both):
    ours, theirs = both
    there = plain(ours.search((), limit=100))
    assert len(there) > 20
    for namespace, key, value in there:
        assert theirs.get(namespace, key).value == ours.get(namespace, key).value == value
    assert ours.get(("users",), "none") is None
    first = ours.get(*there[0][:2])
    ours.put(*there[0][:2], {"text": "changed"})
    again = ours.get(*there[0][:2])
    assert (again.created_at, again.value) == (first.created_at, {"text": "changed"})
    assert again.updated_at > first.updated_at


def test_a_key_is_a_key_whatever_is_in_it(ours):
    for key in ("..", ".a.", "it's", "'; DROP TABLE memory; --", "a..b", ""):
        ours.put(("users",), key, {"text": key})
        assert [item.key for item in ours.search(("users",), limit=9)] == [key]
        assert ours.list_namespaces() == [("users",)]
        ours.delete(("users",), key)


def test_a_batch_reads_what_was_before_and_is_all_or_nothing(ours):
    ours.put(("users",), "a", {"text": "fig"})
    for wrong in (PutOp(("users",), "b", {"x": object()}), PutOp(("us.ers",), "b", {}), PutOp(("users",), "\0", {})):
        with pytest.raises((ValueError, TypeError)):
            ours.batch([PutOp(("users",), "a", {"text": "date"}), PutOp(("users",), "c", {}), wrong])
    assert plain(ours.search(())) == [(("users",), "a", {"text": "fig"})]
    with pytest.raises(ValueError, match="got '\\$near'"):
        ours.search((), filter={"n": {"$near": 1}})


def test_what_is_not_to_be_indexed_is_found_without_a_query(ours):
    ours.put(("users",), "a", {"text": "fig"}, index=False)
    assert ours.search((), query="fig") == []
    assert [item.key for item in ours.search(())] == ["a"]


def test_calls_that_await_wait_for_each_other(ours):
    async def many():
        await asyncio.gather(*(ours.aput(("users",), f"m{i}", {"text": WORDS[i % 10]}) for i in range(30)))
        return await ours.asearch((), query="fig", limit=3)

    assert {item.value["text"] for item in asyncio.run(many())} == {"fig"}
