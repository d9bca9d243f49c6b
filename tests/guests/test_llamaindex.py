"""LlamaIndex's vector store: each method, all operators and modes, through a VectorStoreIndex and beside its simple store."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import Document, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from sqlite_ann.llamaindex import SqliteAnnVectorStore

KINDS = ["jig", "Reel", "air"]


def node(i: int) -> TextNode:
    meta = {"n": i, "kind": KINDS[i % 3], "tags": KINDS[: i % 4], "half": i / 2}
    if i % 5 == 0:
        meta = {"n": i, "tags": []}
    of = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"book{i % 2}")}
    return TextNode(
        id_=f"n{i}", text=f"tune {i}, a {KINDS[i % 3]}", metadata=meta, embedding=[i, 1.0], relationships=of
    )


@pytest.fixture
def store():
    store = SqliteAnnVectorStore(metric="l2")
    assert store.add([node(i) for i in range(20)]) == [f"n{i}" for i in range(20)]
    yield store
    store.client.db.close()


def ask(store, **query):
    return store.query(VectorStoreQuery(**{"query_embedding": [7.2, 1.0], "similarity_top_k": 3, **query}))


def filters(*given, condition="and"):
    return MetadataFilters(
        filters=[MetadataFilter(key=key, operator=operator, value=value) for key, operator, value in given],
        condition=FilterCondition(condition),
    )


def test_the_nearest_come_with_scores_and_whole_nodes(store):
    found = ask(store)
    assert found.ids == ["n7", "n8", "n6"]
    assert found.similarities == sorted(found.similarities, reverse=True)
    assert all(0 <= score <= 1 for score in found.similarities)
    assert (found.nodes[0].text, found.nodes[0].metadata, found.nodes[0].ref_doc_id) == (
        "tune 7, a Reel",
        {"n": 7, "kind": "Reel", "tags": KINDS, "half": 3.5},
        "book1",
    )


@pytest.mark.parametrize(
    ("operator", "key", "value", "wanted"),
    [
        ("==", "kind", "jig", {3, 6, 9, 12, 18}),
        ("!=", "kind", "jig", set(range(20)) - {3, 6, 9, 12, 18}),
        (">", "n", 17, {18, 19}),
        (">=", "half", 9.0, {18, 19}),
        ("<", "n", 2, {0, 1}),
        ("<=", "half", 1.0, {1, 2}),
        ("in", "n", [3, 4, 99], {3, 4}),
        ("nin", "n", list(range(2, 20)), {0, 1}),
        ("any", "tags", ["air", "Reel"], {i for i in range(20) if i % 4 > 1 and i % 5}),
        ("all", "tags", ["jig", "air"], {i for i in range(20) if i % 4 > 2 and i % 5}),
        ("contains", "tags", "Reel", {i for i in range(20) if i % 4 > 1 and i % 5}),
        ("text_match", "kind", "ee", {i for i in range(20) if i % 3 == 1 and i % 5}),
        ("text_match_insensitive", "kind", "REE", {i for i in range(20) if i % 3 == 1 and i % 5}),
        ("is_empty", "kind", None, {0, 5, 10, 15}),
    ],
)
def test_every_operator(store, operator, key, value, wanted):
    where = filters((key, operator, value))
    assert {found.metadata["n"] for found in store.get_nodes(filters=where)} == wanted
    assert set(ask(store, similarity_top_k=20, filters=where).ids) == {f"n{i}" for i in wanted}


def test_all_operators_are_tried():
    tried = {mark.args[1][i][0] for mark in test_every_operator.pytestmark for i in range(len(mark.args[1]))}
    assert tried == {operator.value for operator in FilterOperator}


def test_conditions_are_put_together(store):
    both = filters(("kind", "==", "jig"), ("n", "<", 7))
    assert set(ask(store, filters=both, similarity_top_k=9).ids) == {"n3", "n6"}
    either = filters(("n", "==", 1), ("n", "==", 2), condition="or")
    assert set(ask(store, filters=either, similarity_top_k=9).ids) == {"n1", "n2"}
    neither = MetadataFilters(filters=[either], condition=FilterCondition.NOT)
    assert set(ask(store, filters=neither, similarity_top_k=20).ids) == {f"n{i}" for i in range(20) if i not in (1, 2)}
    assert set(ask(store, node_ids=["n1", "n2"], similarity_top_k=9).ids) == {"n1", "n2"}
    assert set(ask(store, doc_ids=["book1"], similarity_top_k=2).ids) == {"n7", "n9"}


def test_modes(store):
    by = VectorStoreQueryMode
    assert ask(store, mode=by.TEXT_SEARCH, query_str="air 2", query_embedding=None).ids[0] == "n2"
    assert ask(store, mode=by.HYBRID, query_str="tune 7").ids[0] == "n7"
    assert len(ask(store, mode=by.HYBRID, query_str="tune 7", hybrid_top_k=1).ids) == 1
    assert ask(store, mode=by.MMR, mmr_threshold=1.0).ids == ["n7", "n8", "n6"]
    assert ask(store, mode=by.MMR, mmr_threshold=0.1).ids[0] == "n7"
    for mode in set(by) - {by.DEFAULT, by.TEXT_SEARCH, by.HYBRID, by.MMR}:
        with pytest.raises(ValueError, match=f"mode: expected default, .*, got {mode.value}"):
            ask(store, mode=mode)


def test_nodes_are_read_and_deleted(store):
    assert [found.node_id for found in store.get_nodes(["n3", "none", "n1"])] == ["n3", "n1"]
    store.delete("book0")
    assert len(store.client) == 10
    store.delete_nodes(["n1", "n3"], filters(("n", ">", 1)))
    store.delete_nodes(filters=filters(("n", ">=", 15)))
    assert {found.node_id for found in store.get_nodes()} == {"n1", "n5", "n7", "n9", "n11", "n13"}
    with pytest.raises(ValueError, match="delete_nodes: expected node_ids or filters"):
        store.delete_nodes()
    store.clear()
    assert ask(store).ids == []


def test_all_of_it_awaited():
    async def life():
        store = SqliteAnnVectorStore()
        await store.async_add([node(i) for i in range(20)])
        found = await store.aquery(VectorStoreQuery(query_embedding=[1.0, 1.0], similarity_top_k=1))
        await store.adelete("book0")
        await store.adelete_nodes(["n1"])
        left = await store.aget_nodes()
        await store.aclear()
        return found.ids, len(left), len(store.client)

    assert asyncio.run(life()) == (["n1"], 9, 0)


def test_the_same_as_the_simple_store():
    ours, theirs = SqliteAnnVectorStore(), SimpleVectorStore()
    for store in (ours, theirs):
        store.add([node(i) for i in range(1, 20)])
    for where in (None, filters(("kind", "==", "jig")), filters(("n", "<", 9), ("kind", "!=", "air"))):
        query = VectorStoreQuery(query_embedding=[3.0, 1.0], similarity_top_k=5, filters=where)
        assert ours.query(query).ids == theirs.query(query).ids


def test_an_index_of_documents_is_there_again_in_a_new_process(tmp_path):
    path = str(tmp_path / "docs.db")
    documents = [Document(text=f"text {i}", metadata={"n": i}, id_=f"d{i}") for i in range(5)]
    embedding = MockEmbedding(embed_dim=4)
    context = StorageContext.from_defaults(vector_store=SqliteAnnVectorStore(path=path))
    VectorStoreIndex.from_documents(documents, storage_context=context, embed_model=embedding)
    context.vector_store.client.db.close()

    store = SqliteAnnVectorStore(path=path)
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    retriever = index.as_retriever(similarity_top_k=2, filters=filters(("n", ">", 2)))
    assert {found.metadata["n"] for found in retriever.retrieve("anything")} == {3, 4}
    index.delete_ref_doc("d4")
    assert [found.metadata["n"] for found in retriever.retrieve("anything")] == [3]
    assert SqliteAnnVectorStore.from_dict(store.to_dict()).path == path
    store.client.db.close()
