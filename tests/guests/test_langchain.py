"""LangChain's own suites over our vector store, and what they do not ask: filters, scores, diversity, async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

pytest.importorskip("langchain_tests")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing.base import DocumentIndex
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests
from langchain_tests.integration_tests.indexer import AsyncDocumentIndexTestSuite, DocumentIndexerTestSuite

from sqlite_ann.langchain import SqliteAnnDocumentIndex, SqliteAnnVectorStore

EMBEDDING = DeterministicFakeEmbedding(size=16)


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Generator[VectorStore, None, None]:
        store = SqliteAnnVectorStore(self.get_embeddings())
        yield store
        store.collection.db.close()


def filled(cls, **params: Any) -> SqliteAnnDocumentIndex:
    store = SqliteAnnVectorStore.from_texts([f"text {i}" for i in range(20)], EMBEDDING)
    return SqliteAnnDocumentIndex(store=store, **params)


class TestRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[SqliteAnnDocumentIndex]:
        return SqliteAnnDocumentIndex

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"store": SqliteAnnVectorStore.from_texts([f"text {i}" for i in range(20)], EMBEDDING)}

    @property
    def retriever_query_example(self) -> str:
        return "text 3"


class TestDocumentIndex(DocumentIndexerTestSuite):
    @pytest.fixture
    def index(self) -> Generator[DocumentIndex, None, None]:
        return SqliteAnnDocumentIndex(store=SqliteAnnVectorStore(EMBEDDING))


class TestAsyncDocumentIndex(AsyncDocumentIndexTestSuite):
    @pytest.fixture
    async def index(self) -> AsyncGenerator[DocumentIndex, None]:
        return SqliteAnnDocumentIndex(store=SqliteAnnVectorStore(EMBEDDING))


# --- What the suites do not ask


@pytest.fixture
def store() -> SqliteAnnVectorStore:
    metas = [{"n": i, "kind": ["jig", "reel"][i % 2]} for i in range(40)]
    return SqliteAnnVectorStore.from_texts(
        [f"tune {i}" for i in range(40)], EMBEDDING, metas, ids=list(map(str, range(40)))
    )


def test_a_filter_leaves_k_documents_where_there_are_so_many(store):
    found = store.similarity_search("tune 3", k=8, filter={"kind": "jig", "n": {"<": 20}})
    assert len(found) == 8
    assert all(d.metadata["kind"] == "jig" and d.metadata["n"] < 20 for d in found)
    retriever = store.as_retriever(search_kwargs={"k": 2, "filter": {"n": 7}})
    assert [d.id for d in retriever.invoke("tune 3")] == ["7"]
    store.delete(filter={"kind": "jig"})
    assert len(store.similarity_search("tune 3", k=40)) == 20


@pytest.mark.parametrize("metric", ["cosine", "angular", "l2", "l1", "dot"])
def test_relevance_is_from_0_to_1_for_every_metric(metric):
    store = SqliteAnnVectorStore(EMBEDDING, metric=metric)
    store.add_texts([f"tune {i}" for i in range(100)])
    scores = [score for _, score in store.similarity_search_with_relevance_scores("tune 3", k=100, recall=1.0)]
    assert len(scores) == 100
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    best = store.similarity_search_with_score("tune 3", k=1)[0]
    assert best[0].page_content == "tune 3" or metric == "dot"


def test_maximal_marginal_relevance_begins_with_the_nearest(store):
    found = store.max_marginal_relevance_search("tune 3", k=5, lambda_mult=0.5, filter={"kind": "reel"})
    assert (len(found), found[0].id) == (5, "3")
    same = store.max_marginal_relevance_search("tune 3", k=5, lambda_mult=1.0)
    assert [d.id for d in same] == [d.id for d in store.similarity_search("tune 3", k=5)]


SEARCHES = [
    lambda store, **more: store.similarity_search("tune 3", **more),
    lambda store, **more: store.similarity_search_with_score("tune 3", **more),
    lambda store, **more: store.similarity_search_with_relevance_scores("tune 3", **more),
    lambda store, **more: store.similarity_search_by_vector(EMBEDDING.embed_query("tune 3"), **more),
    lambda store, **more: store.max_marginal_relevance_search("tune 3", **more),
    lambda store, **more: asyncio.run(store.asimilarity_search("tune 3", **more)),
    lambda store, **more: store.as_retriever(search_kwargs=more).invoke("tune 3"),
    lambda store, **more: store.as_retriever(search_type="mmr", search_kwargs=more).invoke("tune 3"),
]


@pytest.mark.parametrize("search", SEARCHES)
def test_a_misspelt_argument_of_a_search_is_named(store, search):
    with pytest.raises(TypeError, match=r"^search: expected k, filter, recall or .*, got filters, kk$"):
        search(store, kk=3, filters={"kind": "jig"})
    assert len(search(store, k=3, filter={"kind": "jig"}, recall=1.0)) == 3


@pytest.mark.parametrize("kind", ["similarity", "similarity_score_threshold", "mmr"])
def test_a_retriever_may_keep_the_arguments_of_another_search(store, kind):
    asked = {"k": 3, "score_threshold": 0.1, "fetch_k": 30, "lambda_mult": 0.7, "filter": {"kind": "jig"}}
    assert len(store.as_retriever(search_type=kind, search_kwargs=asked).invoke("tune 3")) == 3


def test_calls_that_await_wait_for_each_other(store):
    async def many():
        await asyncio.gather(*(store.aadd_texts([f"new {i}"], ids=[f"new{i}"]) for i in range(20)))
        return await asyncio.gather(*(store.asimilarity_search(f"new {i}", k=1) for i in range(20)))

    assert [found[0].id for found in asyncio.run(many())] == [f"new{i}" for i in range(20)]


def test_a_document_without_metadata_comes_back(store):
    store.add_documents([Document(page_content="x", id="x")])
    assert store.get_by_ids(["x"]) == [Document(page_content="x", id="x")]
