"""A search through each adapter beside `Index.search`, and documents added through each: the tables of docs/GUESTS.md.

    make test-guests                             # makes the environment, once
    build/guests/bin/python bench/skins.py       # 100,000 glosses of 384 numbers: some minutes
    build/guests/bin/python bench/skins.py --rows 10000 --only langchain haystack

All ways ask the same file the same questions in turn, round after round, so that they meet the same machine. "Its objects"
is what the framework's own objects cost: those of one answer, made without a search. What is left over `Index.search` is
ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import data
import numpy as np

import sqlite_ann

K, QUERIES = 10, 50
ADDED, BATCH, ALONE = 10_000, 500, 500  # documents, in a batch, one at a time

Way = Callable[[Any, list[float]], Any]  # of a query as an array, and as the list that frameworks have
Skin = tuple[Way, Callable[[], Any] | None]  # a search; and, without one, the objects that it answers with


# ---- Each adapter over the documents ----------------------------------------------------------------


def collection(path: str) -> dict[str, Skin]:
    docs = sqlite_ann.Collection.open(path, "documents")
    return {"Collection": (lambda query, _: docs.search(query, K), None)}


def langchain(path: str) -> dict[str, Skin]:
    from langchain_core.embeddings import DeterministicFakeEmbedding

    from sqlite_ann.langchain import SqliteAnnVectorStore
    from sqlite_ann.langchain.store import as_document

    store = SqliteAnnVectorStore(DeterministicFakeEmbedding(size=384), path)
    found = store.collection.search(store.collection.get(limit=1, embeddings=True)[0].embedding, K)
    search = lambda _, numbers: store.similarity_search_by_vector(numbers, K)  # noqa: E731
    return {"LangChain": (search, lambda: [as_document(one) for one in found])}


def haystack(path: str) -> dict[str, Skin]:
    from sqlite_ann.haystack import SqliteAnnDocumentStore, SqliteAnnEmbeddingRetriever
    from sqlite_ann.haystack.store import as_document

    store = SqliteAnnDocumentStore(path)
    retriever = SqliteAnnEmbeddingRetriever(store, top_k=K)
    first = store.collection.get(limit=1, embeddings=True)[0].embedding
    found = store.collection.search(first, K, embeddings=True)
    return {"Haystack": (lambda _, numbers: retriever.run(numbers), lambda: [as_document(one) for one in found])}


def llamaindex(path: str) -> dict[str, Skin]:
    from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult

    from sqlite_ann.llamaindex import SqliteAnnVectorStore
    from sqlite_ann.llamaindex.store import as_node

    store = SqliteAnnVectorStore(path=path)  # its table is called nodes
    found = store.client.search(store.client.get(limit=1, embeddings=True)[0].embedding, K)
    search = lambda _, numbers: store.query(VectorStoreQuery(query_embedding=numbers, similarity_top_k=K))  # noqa: E731

    def objects() -> Any:
        VectorStoreQuery(query_embedding=[], similarity_top_k=K)
        return VectorStoreQueryResult([as_node(one) for one in found], [0.5] * K, [one.key for one in found])

    return {"LlamaIndex": (search, objects)}


def sqlalchemy(path: str) -> dict[str, Skin]:
    import pysqlite3
    from sqlalchemy import Integer, Text, create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

    from sqlite_ann.sqlalchemy import Vector, listen, near

    class Base(DeclarativeBase):
        pass

    class Document(Base):
        __tablename__ = "documents"
        id = mapped_column(Integer, primary_key=True)
        text = mapped_column(Text)
        embedding = mapped_column(Vector(384), deferred=True)

    engine = create_engine(f"sqlite:///{path}", module=pysqlite3)
    listen(engine)
    db = engine.connect()
    session = Session(db)
    # What the expressions cost by themselves: those of a search that has next to nothing to do.
    db.exec_driver_sql("CREATE VIRTUAL TABLE temp.few USING ann(v float32[1])")
    db.exec_driver_sql("INSERT INTO few(rowid, v) SELECT value, '[1]' FROM json_each('[1,2,3,4,5,6,7,8,9,10]')")

    def core(found: Any) -> Any:
        return db.execute(select(found.c.id, found.c.distance).order_by(found.c.rank)).all()

    def mapped(found: Any) -> Any:
        session.expunge_all()
        return session.scalars(select(Document).join(found, found.c.id == Document.id).order_by(found.c.rank)).all()

    index, few = "documents_ann", np.ones(1, np.float32)
    return {
        "SQLAlchemy, ids": (lambda query, _: core(near(index, query, K)), lambda: core(near("few", few, K))),
        "SQLAlchemy, mapped": (lambda query, _: mapped(near(index, query, K)), lambda: mapped(near("few", few, K))),
    }


def sqlite_utils(path: str) -> dict[str, Skin]:
    import pysqlite3
    import sqlite_utils

    db = sqlite_utils.Database(pysqlite3.connect(path))
    sqlite_ann.load(db.conn)
    sql = "SELECT id, distance FROM ann_search('documents_ann', ?, ?) ORDER BY rank"
    return {"sqlite-utils": (lambda query, _: list(db.query(sql, (query.tobytes(), K))), None)}


def mcp(path: str) -> dict[str, Skin]:
    from sqlite_ann.mcp.tools import Tools

    tools = Tools(sqlite_ann.connect(path))
    return {"MCP, search": (lambda _, numbers: tools.search("documents_ann", vector=numbers, k=K), None)}


SKINS = {f.__name__: f for f in (collection, langchain, haystack, llamaindex, sqlalchemy, sqlite_utils, mcp)}
NEEDS = {"langchain": "langchain_core", "llamaindex": "llama_index", "collection": "sqlite_ann"}


def is_here(name: str) -> bool:
    return importlib.util.find_spec(NEEDS.get(name, name)) is not None


# ---- Documents added ----------------------------------------------------------------------------------


def adders(path: str) -> dict[str, Callable[[list[str], list[str], Any], Any]]:
    """add(keys, texts, vectors), each to a table of its own."""
    docs = sqlite_ann.Collection.open(path, "own")
    made: dict[str, Any] = {"Collection": lambda keys, texts, rows: docs.upsert(keys, texts, None, rows)}
    if is_here("langchain"):
        from langchain_core.embeddings import Embeddings

        from sqlite_ann.langchain import SqliteAnnVectorStore

        class Given(Embeddings):
            rows: Any = None

            def embed_documents(self, texts: list[str]) -> Any:
                return self.rows

            def embed_query(self, text: str) -> Any:
                return self.rows[0]

        given = Given()
        langchain = SqliteAnnVectorStore(given, path, "langchain")

        def to_langchain(keys: list[str], texts: list[str], rows: Any) -> None:
            given.rows = rows.tolist()
            langchain.add_texts(texts, ids=keys)

        made["LangChain"] = to_langchain
    if is_here("haystack"):
        from haystack import Document

        from sqlite_ann.haystack import SqliteAnnDocumentStore

        haystack = SqliteAnnDocumentStore(path, "haystack")
        made["Haystack"] = lambda keys, texts, rows: haystack.write_documents(
            [Document(id=k, content=t, embedding=v) for k, t, v in zip(keys, texts, rows.tolist(), strict=True)]
        )
    if is_here("llamaindex"):
        from llama_index.core.schema import TextNode

        from sqlite_ann.llamaindex import SqliteAnnVectorStore as LlamaStore

        llama = LlamaStore(path=path, name="llamaindex")
        made["LlamaIndex"] = lambda keys, texts, rows: llama.add(
            [TextNode(id_=k, text=t, embedding=v) for k, t, v in zip(keys, texts, rows.tolist(), strict=True)]
        )
    return made


# ---- The measuring -------------------------------------------------------------------------------------


def timed(way: Callable[[], Any]) -> float:
    start = time.perf_counter()
    way()
    return 1e6 * (time.perf_counter() - start)


def searches(skins: dict[str, Skin], index: sqlite_ann.Index, queries: Any, rounds: int) -> None:
    """Of each query the least of all rounds, and of these the median: what else runs on the machine is left out, mostly."""
    ways: dict[str, Way] = {"Index.search": lambda query, _: index.search(query, K)}
    ways.update({name: search for name, (search, _) in skins.items()})
    least = {name: [np.inf] * len(queries) for name in ways}
    objects = {name: np.inf for name, (_, make) in skins.items() if make}
    for _ in range(rounds):
        for at, (query, numbers) in enumerate(zip(queries, queries.tolist(), strict=True)):
            for name, way in ways.items():
                least[name][at] = min(least[name][at], timed(partial(way, query, numbers)))
        for name in objects:
            objects[name] = min(objects[name], timed(skins[name][1]))
    base = statistics.median(least["Index.search"])
    print(f"{'':20}{'µs':>8}{'more':>8}{'its objects':>13}{'ours':>8}")
    for name, each in least.items():
        took, its = statistics.median(each), objects.get(name, 0.0)
        print(f"{name:20}{took:8.0f}{took - base:8.0f}{its:13.0f}{took - base - its:8.0f}")


def additions(path: str, base: Any, texts: list[str]) -> None:
    print(f"\n{'documents a second':20}{f'{BATCH} at a time':>16}{'one at a time':>16}")
    spent: dict[str, list[float]] = {}

    def documents(start: int, stop: int) -> tuple[list[str], list[str], Any]:
        return list(map(str, range(start, stop))), texts[start:stop], base[start:stop]

    for name, add in adders(path).items():
        spent[name] = [0.0, 0.0]
        for at in range(0, ADDED, BATCH):
            spent[name][0] += timed(partial(add, *documents(at, at + BATCH)))
        for at in range(ADDED, ADDED + ALONE):
            spent[name][1] += timed(partial(add, *documents(at, at + 1)))
        many, alone = 1e6 * ADDED / spent[name][0], 1e6 * ALONE / spent[name][1]
        print(f"{name:20}{many:16,.0f}{alone:16,.0f}")


def fill(path: str, name: str, base: Any, texts: list[str], meta: Callable[[int], Any]) -> None:
    """Makes a collection of that name."""
    docs = sqlite_ann.Collection.open(path, name)
    for at in range(0, len(texts), 10_000):
        part = range(at, min(at + 10_000, len(texts)))
        docs.upsert(
            [str(i) for i in part], [texts[i] for i in part], list(map(meta, part)), base[part.start : part.stop]
        )
    docs.index.optimize()
    docs.db.close()


def as_a_node(texts: list[str]) -> Callable[[int], Any]:
    """What LlamaIndex keeps beside a text."""
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores.utils import node_to_metadata_dict

    node = lambda i: TextNode(id_=str(i), text=texts[i], metadata={"n": i})  # noqa: E731
    return lambda i: node_to_metadata_dict(node(i), remove_text=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", nargs="*", choices=SKINS, default=[name for name in SKINS if is_here(name)])
    given = parser.parse_args()
    text = data.load("text")
    n = min(given.rows, len(text.base))
    glosses = (data.cache_folder() / "text" / "glosses.txt").read_text(encoding="utf-8").splitlines()[:n]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/docs.db"
        fill(path, "documents", text.base[:n], glosses, lambda i: {"n": i})
        if "llamaindex" in given.only:
            fill(path, "nodes", text.base[:n], glosses, as_a_node(glosses))
        index = sqlite_ann.Index(path, "documents_ann")
        skins = {name: skin for each in given.only for name, skin in SKINS[each](path).items()}
        searches(skins, index, text.queries[:QUERIES], given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        additions(f"{folder}/added.db", text.base, glosses)


if __name__ == "__main__":
    main()
