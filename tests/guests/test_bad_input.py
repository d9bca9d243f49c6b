"""What may be given by mistake, the same through Collection and every adapter over it: one sentence, and nothing is written.

Each adapter is a Guest: how it writes, searches and filters, and which exceptions it calls its own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import apsw
import pytest

from sqlite_ann import Collection, Duplicate

NAN = float("nan")
HOSTILE = ["city's", "a.b", "'; DROP TABLE documents; --", "a) OR (1", "üñí"]
REFUSED_NAMES = ['two "odd" words', "a\0b", "back\\slash", ""]


@dataclass
class Guest:
    """One adapter over a collection with the documents a and b, whose field n is 1 and 2."""

    docs: Collection
    write: Callable[[list[str], list[Any], list[Any]], Any]  # keys, metadata, vectors
    find: Callable[[Any], list[str]]  # the keys near a vector
    filtered: Callable[[Any], list[str]]  # the keys that fit a filter of its own
    compare: Callable[[str, str, Any], Any]  # field, operator, value: a filter
    negated: Callable[[Any], Any]  # a filter around a filter
    refuses: tuple[type[Exception], ...] = (ValueError, TypeError)  # a filter
    twice: type[Exception] = Duplicate
    by_itself: set[str] = field(default_factory=set)  # what the host's own classes refuse, or take, before we see it
    embedded: Callable[[Callable[[list[str]], Any]], Any] | None = None  # with an embedding function: write, and find


def of_collection() -> Guest:
    docs = Collection.open(":memory:", "documents", metric="l2")

    def embedded(embed: Any) -> Any:
        other = Collection.open(docs.db, "documents", embed=embed)
        return lambda: other.add(["q", "r"], ["t", "u"]), lambda: other.search("t")

    return Guest(
        docs,
        lambda keys, metas, vectors: docs.add(keys, keys, metas, vectors),
        lambda vector: [found.key for found in docs.search(vector)],
        lambda where: [found.key for found in docs.get(where=where)],
        lambda name, operator, value: {name: {operator: value}},
        lambda part: {"not": part},
        embedded=embedded,
    )


def of_langchain() -> Guest:
    from langchain_core.embeddings import Embeddings

    from sqlite_ann.langchain import SqliteAnnVectorStore

    class Given(Embeddings):
        """Vectors in the place of texts."""

        make: Any = None

        def embed_documents(self, texts: list[str]) -> Any:
            return self.make(texts)

        def embed_query(self, text: str) -> Any:
            made = self.make([text])
            return made[0] if made else made

    given = Given()
    store = SqliteAnnVectorStore(given, metric="l2")

    def write(keys: list[str], metas: list[Any], vectors: list[Any]) -> None:
        given.make = lambda texts: vectors
        store.add_texts(keys, metas, ids=keys)

    def embedded(embed: Any) -> Any:
        given.make = embed
        return lambda: store.add_texts(["t", "u"], ids=["q", "r"]), lambda: store.similarity_search("t")

    return Guest(
        store.collection,
        write,
        lambda vector: [found.id for found in store.similarity_search_by_vector(vector)],
        lambda where: [found.id for found in store.similarity_search_by_vector([1, 2], filter=where)],
        lambda name, operator, value: {name: {operator: value}},
        lambda part: {"not": part},
        embedded=embedded,
    )


def of_haystack() -> Guest:
    from haystack import Document
    from haystack.document_stores.errors import DuplicateDocumentError
    from haystack.errors import FilterError

    from sqlite_ann.haystack import SqliteAnnDocumentStore, SqliteAnnEmbeddingRetriever

    store = SqliteAnnDocumentStore(metric="l2")
    retriever = SqliteAnnEmbeddingRetriever(store)

    def write(keys: list[str], metas: list[Any], vectors: list[Any]) -> None:
        given = zip(keys, metas, vectors, strict=True)
        store.write_documents([Document(id=k, content=k, meta=m, embedding=v) for k, m, v in given])

    return Guest(
        store.collection,
        write,
        lambda vector: [found.id for found in retriever.run(vector)["documents"]],
        lambda filters: [found.id for found in store.filter_documents(filters)],
        lambda name, operator, value: {"field": f"meta.{name}", "operator": operator, "value": value},
        lambda part: {"operator": "NOT", "conditions": [part]},
        refuses=(FilterError,),
        twice=DuplicateDocumentError,
        by_itself={"dots"},  # they lead into objects
    )


def of_llamaindex() -> Guest:
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery

    from sqlite_ann.llamaindex import SqliteAnnVectorStore

    store = SqliteAnnVectorStore(metric="l2")

    def write(keys: list[str], metas: list[Any], vectors: list[Any]) -> None:
        given = zip(keys, metas, vectors, strict=True)
        store.add([TextNode(id_=k, text=k, metadata=m, embedding=v) for k, m, v in given])

    def find(vector: Any, filters: Any = None) -> list[str]:
        return store.query(VectorStoreQuery(query_embedding=vector, similarity_top_k=9, filters=filters)).ids

    return Guest(
        store.client,
        write,
        find,
        lambda filters: find([1.0, 2.0], filters),
        lambda name, operator, value: MetadataFilter(key=name, operator=operator, value=value),
        lambda part: MetadataFilters(filters=[part], condition="not"),
        by_itself={"no vector", "metadata"},
    )


GUESTS = {"collection": of_collection, "haystack": of_haystack, "langchain": of_langchain, "llamaindex": of_llamaindex}
PACKAGES = {"haystack": "haystack", "langchain": "langchain_core", "llamaindex": "llama_index"}


@pytest.fixture(params=GUESTS)
def guest(request):
    package = PACKAGES.get(request.param)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    guest = GUESTS[request.param]()
    guest.write(["a", "b"], [{"n": 1}, {"n": 2}], [[1.0, 2.0], [3.0, 4.0]])
    yield guest
    guest.docs.db.close()


def refused(guest: Guest, kinds: Any, call: Callable[[], Any]) -> str:
    """The sentence; and nothing has changed."""
    before = everything(guest)
    with pytest.raises(kinds) as raised:
        call()
    assert everything(guest) == before
    assert not guest.docs.db.in_transaction
    said = str(raised.value)
    own = not type(raised.value).__module__.startswith("pydantic")  # which writes some lines
    assert said
    assert not own or "\n" not in said
    return said


def everything(guest: Guest) -> Any:
    db = guest.docs.db
    return db.execute("SELECT * FROM documents" if guest.docs.name == "documents" else "SELECT * FROM nodes").fetchall()


# --- Filters


@pytest.mark.parametrize("operator", ["~", "$gt", "LIKE", "", "= 1 OR 1"])
def test_an_operator_that_there_is_not(guest, operator):
    said = refused(guest, (*guest.refuses, ValueError), lambda: guest.filtered(guest.compare("n", operator, 1)))
    assert "==" in said, "it says which there are"


@pytest.mark.parametrize("operator", ["==", "!=", ">", "<="])
def test_a_list_where_a_number_is_due(guest, operator):
    said = refused(guest, guest.refuses, lambda: guest.filtered(guest.compare("n", operator, [1, 2])))
    assert "number" in said
    assert operator in said or operator == "!="


def test_a_list_of_lists_and_what_is_no_list(guest):
    refused(guest, guest.refuses, lambda: guest.filtered(guest.compare("n", "in", [[1]])))
    refused(guest, guest.refuses, lambda: guest.filtered(guest.compare("n", "in", 1)))


@pytest.mark.parametrize("value", [NAN, 10**30], ids=["nan", "large"])
def test_a_number_that_sql_has_not(guest, value):
    assert "number" in refused(guest, guest.refuses, lambda: guest.filtered(guest.compare("n", "==", value)))


def test_a_filter_a_thousand_deep(guest):
    deep = guest.compare("n", "==", 1)
    for _ in range(1000):
        deep = guest.negated(deep)
    assert "to a depth of at most 50" in refused(guest, guest.refuses, lambda: guest.filtered(deep))


def test_what_is_no_filter(guest):
    for wrong in (["n"], "n = 1", 7):
        refused(guest, guest.refuses, lambda wrong=wrong: guest.filtered(wrong))


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_field_is_a_name_whatever_is_in_it(guest, name):
    leads_in = name == "a.b" and "dots" in guest.by_itself
    guest.write(["c"], [{"a": {"b": 7}} if leads_in else {name: 7}], [[5.0, 6.0]])
    assert guest.filtered(guest.compare(name, "==", 7)) == ["c"]
    assert guest.filtered(guest.compare(name, "==", 8)) == []
    assert len(guest.docs) == 3


@pytest.mark.parametrize("name", REFUSED_NAMES)
def test_the_name_of_a_field_that_cannot_be_asked_for(guest, name):
    said = refused(guest, guest.refuses, lambda: guest.filtered(guest.compare(name, "==", 7)))
    assert "expected the name of a field" in said
    assert repr(name) in said


# --- Keys


@pytest.mark.parametrize("key", [*HOSTILE, 'two "odd" words', "back\\slash"])
def test_a_key_is_text_whatever_is_in_it(guest, key):
    guest.write([key], [{}], [[5.0, 6.0]])
    assert guest.find([5.0, 6.0])[0] == key
    assert guest.docs.delete([key]) == 1
    assert len(guest.docs) == 2


def test_a_key_with_a_zero_character(guest):
    said = refused(guest, TypeError, lambda: guest.write(["c", "a\0b"], [{}, {}], [[5.0, 6.0], [7.0, 8.0]]))
    assert said == r"keys: expected text without zero characters, got 'a\x00b'"


def test_a_key_twice_in_one_batch(guest):
    said = refused(guest, guest.twice, lambda: guest.write(["c", "c"], [{}, {}], [[5.0, 6.0], [7.0, 8.0]]))
    assert said == "keys: expected each once, got 'c' twice"


# --- Vectors


@pytest.mark.parametrize("vector", [[1.0, 2.0, 3.0], [], [1.0, NAN], [float("-inf"), 1.0]], ids=str)
def test_a_vector_that_is_none_of_its_table(guest, vector):
    keys, metas = ["c", "d"], [{}, {}]
    wrong = (ValueError, TypeError, apsw.Error)
    said = refused(guest, wrong, lambda: guest.write(keys, metas, [[5.0, 6.0], vector]))
    assert "finite" in said if len(vector) == 2 else "expected 2 components" in said or "several kinds" in said
    said = refused(guest, (ValueError, apsw.Error), lambda: guest.find(vector))
    assert "finite" in said if len(vector) == 2 else "expected" in said


def test_no_vector(guest):
    if "no vector" in guest.by_itself:
        assert refused(guest, ValueError, lambda: guest.write(["c"], [{}], [None])) == "embedding not set."
    elif guest.embedded:
        assert "got shape (1,)" in refused(guest, ValueError, lambda: guest.embedded(lambda texts: [None])[0]())
    else:
        guest.write(["c"], [{}], [None])
        assert "c" in guest.docs
        assert "c" not in guest.find([1.0, 2.0])
    assert refused(guest, TypeError, lambda: guest.find(None)) == "query: expected numbers, got None"


GIVEN = {
    "another length": lambda texts: [[1.0, 2.0, 3.0]] * len(texts),
    "several lengths": lambda texts: [[1.0] * (2 + i) for i in range(len(texts))],
    "NaN": lambda texts: [[1.0, NAN]] * len(texts),
    "nothing": lambda texts: None,
    "an empty list": lambda texts: [],
    "lists of nothing": lambda texts: [[]] * len(texts),
    "Nones": lambda texts: [None] * len(texts),
    "text": lambda texts: [["one", "two"]] * len(texts),
    "one more": lambda texts: [[1.0, 2.0]] * (len(texts) + 1),
}


@pytest.mark.parametrize("made", GIVEN)
@pytest.mark.parametrize("guest", ["collection", "langchain"], indirect=True)  # the others are given vectors
def test_an_embedding_function_that_gives(guest, made):
    write, find = guest.embedded(GIVEN[made])
    assert refused(guest, (ValueError, TypeError, apsw.Error), write).startswith("embed")
    if made not in ("several lengths", "one more"):  # of one text, these are none
        refused(guest, (ValueError, TypeError, apsw.Error), find)


# --- Metadata


@pytest.mark.parametrize("value", [{1, 2}, NAN, b"x", object()], ids=["set", "nan", "bytes", "object"])
def test_metadata_that_are_not_json(guest, value):
    metas, vectors = [{}, {"a": value}], [[5.0, 6.0], [7.0, 8.0]]
    if "metadata" not in guest.by_itself:
        said = refused(guest, ValueError, lambda: guest.write(["c", "d"], metas, vectors))
        assert said.startswith("metas, 'd': expected what JSON can hold: ")
    elif type(value) is object:
        refused(guest, ValueError, lambda: guest.write(["c", "d"], metas, vectors))
    else:  # the host makes JSON of it
        guest.write(["c", "d"], metas, vectors)
        assert "d" in guest.docs


def test_metadata_that_are_no_mapping(guest):
    refused(guest, (TypeError, ValueError), lambda: guest.write(["c", "d"], [{}, ["x"]], [[5.0, 6.0], [7.0, 8.0]]))
