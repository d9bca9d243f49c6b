"""Haystack's own suites over our document store, and the retrievers, which have none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("haystack")

from haystack import Document, Pipeline
from haystack.dataclasses import ByteStream
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError
from haystack.testing import document_store as suites
from haystack.testing import document_store_async as async_suites

from sqlite_ann.haystack import SqliteAnnDocumentStore, SqliteAnnEmbeddingRetriever, SqliteAnnKeywordRetriever


class OurStore:
    @pytest.fixture
    def document_store(self):
        store = SqliteAnnDocumentStore()
        yield store
        store.collection.db.close()

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        """Overridden, since vectors are kept as float32: they come back nearly as they were."""
        assert len(received) == len(expected)
        for one, other in zip(received, expected, strict=True):
            if other.embedding is not None:
                assert one.embedding == pytest.approx(other.embedding, rel=1e-6)
            assert replace(one, embedding=None) == replace(other, embedding=None)


class TestStore(
    OurStore,
    suites.DocumentStoreBaseExtendedTests,
    suites.CountDocumentsByFilterTest,
    suites.CountUniqueMetadataByFilterTest,
    suites.GetMetadataFieldsInfoTest,
    suites.GetMetadataFieldMinMaxTest,
    suites.GetMetadataFieldUniqueValuesTest,
):
    def test_write_documents(self, document_store: Any) -> None:
        """Overridden, since the suite asks each store to say what it does without a policy: ids that are there are refused."""
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


class TestStoreAsync(
    OurStore,
    async_suites.CountDocumentsAsyncTest,
    async_suites.CountDocumentsByFilterAsyncTest,
    async_suites.CountUniqueMetadataByFilterAsyncTest,
    async_suites.DeleteAllAsyncTest,
    async_suites.DeleteByFilterAsyncTest,
    async_suites.DeleteDocumentsAsyncTest,
    async_suites.FilterDocumentsAsyncTest,
    async_suites.GetMetadataFieldMinMaxAsyncTest,
    async_suites.GetMetadataFieldsInfoAsyncTest,
    async_suites.GetMetadataFieldUniqueValuesAsyncTest,
    async_suites.UpdateByFilterAsyncTest,
    async_suites.WriteDocumentsAsyncTest,
):
    async def test_write_documents_async(self, document_store: Any) -> None:
        """Overridden, since the suite asks each store to say what it does without a policy: ids that are there are refused."""
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])


# --- What the suites do not ask


@pytest.fixture
def store(tmp_path):
    store = SqliteAnnDocumentStore(str(tmp_path / "docs.db"), metric="l2")
    kinds = ["jig", "reel"]
    documents = [
        Document(
            id=str(i),
            content=f"tune {i}, a {kinds[i % 2]}",
            meta={"n": i, "by": {"name": "ABC"[i % 3]}},
            embedding=[i, 1.0],
        )
        for i in range(40)
    ]
    assert store.write_documents(documents) == 40
    yield store
    store.collection.db.close()


def ids(answer):
    return [document.id for document in answer["documents"]]


def test_retrievers_find_by_vector_and_by_words(store):
    near = SqliteAnnEmbeddingRetriever(store, top_k=3)
    assert ids(near.run([7.1, 1.0])) == ["7", "8", "6"]
    assert ids(near.run([7.1, 1.0], top_k=1)) == ["7"]
    even = {"field": "meta.by.name", "operator": "==", "value": "A"}
    assert ids(near.run([7.1, 1.0], filters=even)) == ["6", "9", "3"]
    assert ids(SqliteAnnEmbeddingRetriever(store, 2, even).run([7.1, 1.0])) == ["6", "9"]
    assert all(0 <= document.score <= 1 for document in near.run([7.1, 1.0])["documents"])
    words = SqliteAnnKeywordRetriever(store, top_k=2)
    assert ids(words.run("tune 12"))[0] == "12"
    assert ids(asyncio.run(words.run_async("tune 12")))[0] == "12"
    assert ids(asyncio.run(near.run_async([7.1, 1.0]))) == ["7", "8", "6"]


def test_a_pipeline_goes_to_text_and_back(store):
    pipeline = Pipeline()
    pipeline.add_component("near", SqliteAnnEmbeddingRetriever(store, top_k=1))
    pipeline.add_component(
        "words", SqliteAnnKeywordRetriever(store, top_k=1, filters={"field": "meta.n", "operator": ">", "value": 3})
    )
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["sqlite_ann.haystack.*"])
    answer = again.run({"near": {"query_embedding": [3.0, 1.0]}, "words": {"query": "reel"}})
    assert (ids(answer["near"]), answer["words"]["documents"][0].meta["n"] > 3) == (["3"], True)


@pytest.mark.parametrize(
    "filters",
    [
        {"field": "meta.n", "operator": "~", "value": 1},
        {"field": "meta.n", "operator": "in", "value": "1"},
        {"field": "meta.n", "operator": ">", "value": "one"},
        {"field": "meta.n", "operator": "==", "value": {"a": 1}},
        {"field": 3, "operator": "==", "value": 1},
        {"operator": "XOR", "conditions": []},
        {"operator": "AND", "conditions": {}},
        ["meta.n"],
    ],
)
def test_what_is_no_filter_is_a_filter_error(store, filters):
    with pytest.raises(FilterError):
        store.filter_documents(filters)


def test_filters_that_are_too_deep_are_a_filter_error(store):
    deep: dict[str, Any] = {"field": "meta.n", "operator": "==", "value": 1}
    for _ in range(1000):
        deep = {"operator": "NOT", "conditions": [deep]}
    with pytest.raises(FilterError, match="to a depth of at most 50"):
        store.filter_documents(deep)


def test_what_is_written_is_all_there_or_nothing(store):
    documents = [Document(id="a", embedding=[1.0, 2.0]), Document(id="b", embedding=[1.0])]
    for wrong in (documents, [Document(id="a"), Document(id="1")], [Document(id="a", blob=ByteStream(b"x"))]):
        with pytest.raises((ValueError, DuplicateDocumentError)):
            store.write_documents(wrong, policy=DuplicatePolicy.FAIL)
    assert store.count_documents() == 40
