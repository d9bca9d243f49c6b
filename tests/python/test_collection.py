"""Collections: a life of documents, what is refused and leaves nothing behind, and what plain SQL reads and writes."""

from __future__ import annotations

import re
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import sqlite_ann
from sqlite_ann import Collection, Document
from sqlite_ann.collection import KEY, TEXT
from sqlite_ann.collection.document import score_of

ROOT = Path(__file__).parents[2]
WORDS = ["jig", "reel", "air", "march"]


@pytest.fixture
def docs(db):
    return Collection.open(db, "docs", dim=4, metric="l2")


def vectors(n, dim=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def fill(docs, n=50):
    docs.upsert(
        [f"k{i}" for i in range(n)],
        [f"tune {i}, a {WORDS[i % 4]}" for i in range(n)],
        [{"i": i, "kind": WORDS[i % 4], "tags": WORDS[: i % 4]} for i in range(n)],
        vectors(n),
    )


def keys(found):
    return [document.key for document in found]


# --- A life


def test_documents_are_found_as_soon_as_they_are_written(docs):
    for i, vector in enumerate(vectors(500)):
        assert docs.upsert(f"k{i}", f"tune {i}", {"i": i}, vector) == 1
        assert keys(docs.search(vector, k=1)) == [f"k{i}"]
    assert len(docs) == 500
    assert docs.index.info()["changes_waiting"] <= 200
    assert docs.index.check() == []


def test_a_document_comes_back_as_it_was_given(docs):
    meta = {"year": 1790, "tags": ["ä", 'q"'], "deep": {"n": None}, "fraction": 0.1}
    docs.upsert("a", "Danny Boy", meta, [1, 2, 3, 4])
    (found,) = docs.get("a", embeddings=True)
    assert (found.key, found.text, found.meta, found.distance) == ("a", "Danny Boy", meta, None)
    np.testing.assert_array_equal(found.embedding, np.float32([1, 2, 3, 4]))
    assert docs.get("a") == [Document("a", "Danny Boy", meta)]


def test_an_upsert_replaces_all_that_a_document_was(docs):
    docs.upsert("a", "Danny Boy", {"year": 1913}, [1, 2, 3, 4])
    docs.upsert("a", None, None, [4, 3, 2, 1])
    assert docs.get("a") == [Document("a", None, {})]
    assert docs.search([4, 3, 2, 1], k=5)[0].distance == 0
    assert len(docs) == 1
    assert docs.search_text("Danny") == []


def test_as_many_come_back_as_are_wanted_whenever_there_are_so_many(docs):
    fill(docs, 400)
    for where, n in (({"kind": "jig"}, 100), ({"i": {"<": 3}}, 3), ({"tags": {"contains": "reel"}}, 200), ({}, 400)):
        assert docs.count(where) == n
        found = docs.search(vectors(1, seed=9)[0], k=min(n, 60), where=where)
        assert len(found) == min(n, 60)
        assert docs.search(vectors(1, seed=9)[0], k=1000, recall=1.0, where=where)[-1].key in keys(
            docs.get(where=where)
        )
    assert docs.search([0, 0, 0, 0], where={"i": -1}) == []
    docs.index_on("i")
    plan = "EXPLAIN QUERY PLAN SELECT count(*) FROM docs AS d WHERE json_extract(meta, '$.\"i\"') = 3"
    assert "docs_by_i" in docs.db.execute(plan).fetchall()[0][3]
    assert keys(docs.search(vectors(1)[0], where={"i": 0})) == ["k0"]


def test_neighbours_are_those_that_numpy_finds(docs):
    fill(docs, 300)
    rows, query = vectors(300), vectors(1, seed=5)[0]
    true = np.argsort(((rows - query) ** 2).sum(1), kind="stable")
    assert keys(docs.search(query, k=20, recall=1.0)) == [f"k{i}" for i in true[:20]]
    reels = [i for i in true.tolist() if i % 4 == 1]
    assert keys(docs.search(query, k=20, recall=1.0, where={"kind": "reel"})) == [f"k{i}" for i in reels[:20]]
    left = docs.search(query, k=5, recall=1.0, exclude=[f"k{true[0]}", "no such"])
    assert keys(left) == [f"k{i}" for i in true[1:6]]
    near = docs.search(query, k=300, recall=1.0, max_distance=1.0)
    assert len(near) == np.sum(np.sqrt(((rows - query) ** 2).sum(1)) <= 1.0)


def test_documents_are_deleted_by_key_and_by_condition(docs):
    fill(docs)
    assert docs.delete(["k1", "k2", "no such"]) == 2
    assert docs.delete("k1") == 0
    assert docs.delete(where={"kind": "air"}) == 11
    assert docs.delete(["k0", "k4"], where={"i": 4}) == 1
    assert ("k4" in docs, "k0" in docs, len(docs)) == (False, True, 36)
    assert "k0" in keys(docs.search(vectors(1)[0], k=36))
    assert docs.delete(where={}) == 36
    assert docs.search([0, 0, 0, 0]) == []


def test_keys_and_texts_are_conditions_of_every_method(docs):
    docs.add(["a", "b"], ["a jig", "a reel"], [{"tags": ["x"]}, {"tags": ["y"]}], vectors(2))
    for where in ({KEY: "b"}, {TEXT: {"contains": "reel"}}):
        assert keys(docs.get(["a", "b"], where=where)) == ["b"]
        assert keys(docs.get(where=where)) == keys(docs.search(vectors(1)[0], where=where)) == ["b"]
        assert keys(docs.search_text("jig reel", where=where)) == ["b"]
        assert keys(docs.hybrid("jig reel", vectors(1)[0], where=where)) == ["b"]
        assert (docs.fields(where)["tags"], docs.values("tags", where), docs.count(where)) == (["array"], [["y"]], 1)
        assert docs.values(KEY, where) == ["b"]
        assert docs.values(TEXT, where) == ["a reel"]
        assert docs.update_meta({"seen": True}, ["a", "b"], where=where) == 1
    for field in (TEXT, "text", "a_b", ("a", "b"), ("a", "b")):
        docs.index_on(field)
    assert docs.db.execute("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'docs_by_*'").get == 4
    assert docs.delete(["a", "b"], where={TEXT: "a reel"}) == 1


def test_metadata_change_without_the_vectors(docs):
    fill(docs)
    assert docs.update_meta({"kind": "jig", "new": {"a": 1}, "tags": None}, where={"kind": "air"}) == 12
    assert docs.get("k2")[0].meta == {"i": 2, "kind": "jig", "new": {"a": 1}}
    assert docs.update_meta({"new": {"b": 2}}, "k2") == 1
    assert docs.get("k2")[0].meta["new"] == {"a": 1, "b": 2}
    assert docs.index.info()["changes_waiting"] <= 50
    assert docs.index.check() == []


def test_documents_are_read_a_page_at_a_time_and_in_the_order_of_the_keys(docs):
    fill(docs)
    assert keys(docs.get(limit=2, offset=3)) == ["k3", "k4"]
    assert keys(docs.get(["k9", "no such", "k3"])) == ["k9", "k3"]
    assert keys(docs.get(["k9", "k3"], where={"i": 3})) == ["k3"]
    assert keys(docs.get(where={"kind": "reel"}, limit=2)) == ["k1", "k5"]


def test_words_and_both_together(docs):
    fill(docs)
    assert keys(docs.search_text("reel 5"))[0] == "k5"
    assert set(keys(docs.search_text("march", k=50))) == {f"k{i}" for i in range(3, 50, 4)}
    assert keys(docs.search_text("march", k=1, where={"i": {">": 40}})) == ["k43"]
    assert docs.search_text("no'such OR \"NEAR( *") == []
    assert docs.search_text("?!") == []
    both = docs.hybrid("march", vectors(50)[7], k=3)
    assert both[0].key == "k7"
    assert both[0].score == pytest.approx(1 / 61 + 1 / (60 + keys(docs.search_text("march", 12)).index("k7") + 1))
    assert keys(docs.hybrid("??", vectors(50)[7], k=1)) == ["k7"]
    assert all(d.meta["kind"] == "air" for d in docs.hybrid("tune", vectors(1)[0], k=9, where={"kind": "air"}))


def test_documents_that_are_not_all_alike(docs):
    docs.upsert(list("abcd"), None, None, [[0, 0, 0, 1], [0, 0, 0, 1.1], [0, 0, 0, 1.2], [0, 3, 0, 0]])
    assert keys(docs.search([0, 0, 0, 1], k=2)) == ["a", "b"]
    assert keys(docs.diverse([0, 0, 0, 1], k=2, diversity=0.9)) == ["a", "d"]


def test_documents_without_vectors_are_there_and_not_near(db):
    docs = Collection.open(db, "docs")
    docs.upsert(["a", "b"], ["no vector", "none either"])
    assert (docs.search([1, 2]), docs.index, len(docs)) == ([], None, 2)
    docs.upsert(["b", "c"], None, None, [[1, 2, 3], None])
    assert (docs.index.dim, keys(docs.search([1, 2, 3])), len(docs)) == (3, ["b"], 3)
    docs.upsert("b", "gone again")
    assert docs.search([1, 2, 3]) == []


def test_texts_are_embedded(db):
    asked = []

    def embed(texts):
        asked.append(texts)
        return [[len(text), text.count("a")] for text in texts]

    docs = Collection.open(db, "docs", metric="l2", embed=embed)
    docs.upsert(["a", "b", "c"], ["aaa", None, "bbbbbb"])
    assert asked == [["aaa", "bbbbbb"]]
    assert keys(docs.search("aab")) == ["a", "c"]
    assert keys(docs.hybrid("bbbbbb", k=1)) == ["c"]
    docs.upsert("d", "aaaa", embeddings=[0, 0])
    assert keys(docs.search([0, 0], k=1)) == ["d"]


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int8", "bit"])
def test_vectors_of_every_type(db, kind):
    docs = Collection.open(db, "docs", type=kind)
    rows = (vectors(20, 16) > 0).astype(int) if kind in ("bit", "int8") else vectors(20, 16)
    docs.upsert([str(i) for i in range(20)], None, None, rows)
    assert keys(docs.search(rows[7], k=1)) == ["7"]


# --- The same collection, by others


def test_a_collection_is_opened_again_with_what_it_is(tmp_path):
    path = tmp_path / "docs.db"
    with closing(Collection.open(path, "docs", dim=4, metric="l2").db) as db:
        fill(Collection.open(db, "docs"))
    docs = Collection.open(path, "docs")
    with closing(docs.db):
        assert (docs.index.metric, docs.index.dim, len(docs)) == ("l2", 4, 50)
        with pytest.raises(sqlite_ann.Error, match="docs_ann is there already, with dim 4: expected dim 3"):
            Collection.open(path, "docs", dim=3)
        with pytest.raises(sqlite_ann.Error, match="with metric l2: expected metric cosine"):
            Collection.open(docs.db, "docs", metric="cosine")


def test_a_program_without_the_extension_reads_and_writes(tmp_path, stock_shell):
    path = tmp_path / "docs.db"
    docs = Collection.open(path, "docs", dim=4, metric="l2")
    fill(docs)
    lines = """INSERT INTO docs(key, text, meta, embedding) VALUES ('new', 'a polka', '{"i": 99}', x'0000803f000000400000404000008040');
    DELETE FROM docs WHERE key = 'k3';
    SELECT count(*), max(json_extract(meta, '$.i')) FROM docs;"""
    shown = subprocess.run([stock_shell[0], str(path)], input=lines, capture_output=True, text=True, timeout=60)
    assert (shown.stdout, shown.stderr) == ("50|99\n", "")
    assert keys(docs.search([1, 2, 3, 4], k=1)) == ["new"]
    assert keys(docs.search_text("polka")) == ["new"]
    assert "k3" not in keys(docs.search(vectors(50)[3], k=50))
    docs.db.close()


def test_rows_that_others_replace_leave_no_words_behind(docs):
    docs.add(["a", "b", "c"], ["a jig", "a reel", "an air"], None, vectors(3))
    docs.db.execute("REPLACE INTO docs(id, key, text) VALUES (1, 'a', 'a march')")  # no trigger sees the old row go,
    docs.db.execute("REPLACE INTO docs(key, text) VALUES ('c', 'a waltz')")  # nor of a key that gets another id
    docs.db.execute("UPDATE OR REPLACE docs SET key = 'b' WHERE key = 'c'")
    docs.db.execute("INSERT OR IGNORE INTO docs(id, key, text) VALUES (3, 'd', 'a polka')")  # an id used again
    found = {word: keys(docs.search_text(word)) for word in ["jig", "reel", "air", "march", "waltz", "polka"]}
    assert found == {"jig": [], "reel": [], "air": [], "march": ["a"], "waltz": ["b"], "polka": ["d"]}
    assert docs.delete(where={}) == 3  # where it was damaged, this was "database disk image is malformed"
    docs.db.execute("INSERT INTO docs_fts(docs_fts) VALUES ('integrity-check')")


def test_two_connections_see_what_the_other_wrote(tmp_path):
    here, there = (Collection.open(tmp_path / "docs.db", "docs") for _ in range(2))
    here.upsert("a", "one", None, [1, 2])
    assert keys(there.search([1, 2])) == ["a"]
    there.upsert("b", "two", None, [2, 1])
    assert keys(here.search([2, 1])) == ["b", "a"]
    for docs in (here, there):
        docs.db.close()


def test_several_threads_share_a_collection(tmp_path):
    docs = Collection.open(tmp_path / "docs.db", "docs", dim=4)
    failures = []

    def work(n):
        try:
            for i in range(25):
                docs.upsert(f"{n}-{i}", f"text {i}", {"n": n}, vectors(1, seed=100 * n + i)[0])
                assert docs.count({"n": n}) == i + 1
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, len(docs)) == ([], 100)
    docs.db.close()


@pytest.mark.parametrize("name", ['my "docs"', "it's", "select", "aux.docs", "a.b"])
def test_names_of_all_sorts(db, name):
    db.execute("ATTACH ':memory:' AS aux")
    docs = Collection.open(db, name, dim=4)
    fill(docs, 20)
    docs.index_on("kind")
    assert keys(docs.search(vectors(20)[4], k=1, where={"kind": "jig"})) == ["k4"]
    assert keys(docs.search_text("march", k=1)) == ["k3"]
    assert docs.delete("k4") == 1


@pytest.mark.parametrize("key", ["it's", 'a"b', "a.b", "'; DROP TABLE docs; --", "", "ä", "x" * 10_000])
def test_keys_of_all_sorts(docs, key):
    docs.upsert(key, "text", {key[:99].replace('"', ""): 1} if key else None, [1, 2, 3, 4])
    assert (key in docs, keys(docs.search([1, 2, 3, 4])), keys(docs.get(key))) == (True, [key], [key])
    assert docs.delete(key) == 1


# --- What is refused


def test_a_transaction_around_is_the_users(docs):
    docs.db.execute("BEGIN")
    fill(docs)
    with pytest.raises(sqlite_ann.Duplicate):
        docs.add(["x", "k1"])
    assert len(docs) == 50
    docs.db.execute("ROLLBACK")
    assert len(docs) == 0
    fill(docs)
    assert keys(docs.search(vectors(1)[0], k=1)) == ["k0"]


def test_after_a_rollback_the_index_is_the_one_that_another_has_made(tmp_path):
    with (
        closing(sqlite_ann.connect(tmp_path / "docs.db")) as db,
        closing(sqlite_ann.connect(tmp_path / "docs.db")) as b,
    ):
        docs, other = Collection.open(db, "docs"), Collection.open(b, "docs", type="int8")
        db.execute("BEGIN")
        docs.add("a", "a jig", None, [[1, 2]])
        db.execute("ROLLBACK")
        other.add("b", "a reel", None, [[1, 2, 3]])
        assert docs.get(embeddings=True)[0].embedding.tolist() == [1, 2, 3]
        assert keys(docs.search([1, 2, 3])) == ["b"]
        docs.add("c", "an air", None, [[3, 2, 1]])
        assert keys(other.search([3, 2, 1], k=1)) == ["c"]


def test_all_are_found_whatever_k_is(docs):
    docs.add(["a", "b"], ["a jig", "a jig"], None, vectors(2))
    for k in (2, 2**62, 2**63 - 1):
        assert keys(docs.search_text("jig", k)) == ["a", "b"]
        assert len(docs.hybrid("jig", vectors(1)[0], k)) == len(docs.search(vectors(1)[0], k)) == 2


def test_a_blob_of_another_size_is_no_vector(docs):
    docs.add(["a", "b"], ["a jig", "a reel"], None, vectors(2))
    docs.db.execute("UPDATE docs SET embedding = x'0102' WHERE key = 'a'")
    assert [d.embedding is None for d in docs.get(embeddings=True)] == [True, False]
    assert docs.search_text("jig", embeddings=True)[0].embedding is None
    assert keys(docs.search(vectors(1)[0])) == ["b"]


def test_the_index_of_a_rolled_back_transaction_is_made_again(db):
    docs = Collection.open(db, "docs")
    db.execute("BEGIN")
    docs.upsert("a", None, None, [1, 2, 3])
    db.execute("ROLLBACK")
    assert docs.search([1, 2, 3]) == []
    docs.upsert("a", None, None, [1, 2])
    assert keys(docs.search([1, 2])) == ["a"]


def test_a_collection_whose_opening_was_rolled_back_is_made_again_by_what_is_added(db):
    db.execute("BEGIN")
    docs = Collection.open(db, "docs", dim=2, metric="l2")
    db.execute("ROLLBACK")
    assert docs.search([1, 2]) == []
    with pytest.raises(ValueError, match="embeddings: expected 2 components, got 3"):
        docs.upsert("a", "a jig", None, [1, 2, 3])
    docs.upsert("a", "a jig", None, [1, 2])
    assert keys(docs.search([1, 2])) == keys(docs.search_text("jig")) == ["a"]
    assert docs.index.metric == "l2"


def test_fields_whose_names_differ_in_case_have_an_index_each(docs):
    docs.upsert(["a", "b"], None, [{"year": 1790}, {"Year": 1913}])
    for field in ("year", "Year", "YEAR", "Year", "year"):
        docs.index_on(field)
        plan = docs.db.execute(
            f"EXPLAIN QUERY PLAN SELECT * FROM docs WHERE json_extract(meta, '$.\"{field}\"') = 1913"
        ).fetchall()
        assert "USING INDEX docs_by_" in plan[0][3]
    names = docs.db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'docs!_by!_%' ESCAPE '!'").fetchall()
    assert sorted(names) == [("docs_by_YEAR_3",), ("docs_by_Year_2",), ("docs_by_year",)]


@pytest.mark.parametrize("meta", ["'{year:1790, /* so it is told */}'", "jsonb('{\"year\":1790}')"])
def test_metadata_in_the_other_forms_that_sqlite_reads(docs, meta):
    fill(docs, 3)
    docs.db.execute(f"UPDATE docs SET meta = {meta} WHERE id = 2")
    assert [d.meta for d in docs.get(where={"year": 1790})] == [{"year": 1790}]
    assert {"year": 1790} in [d.meta for d in docs.search(docs.get(embeddings=True)[0].embedding)]


def test_metadata_that_are_no_json_are_told(db):
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, key TEXT UNIQUE, text TEXT, meta TEXT, embedding BLOB)")
    db.execute("""INSERT INTO docs(key, meta) VALUES ('a', '{"a":1},{"b":2}')""")
    with pytest.raises(sqlite_ann.Error, match="malformed JSON"):
        Collection.open(db, "docs").get()


def test_metadata_that_another_program_left_out_are_empty(db):
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, key TEXT UNIQUE, text TEXT, meta TEXT, embedding BLOB)")
    docs = Collection.open(db, "docs", dim=2)
    db.execute("INSERT INTO docs(key, embedding) VALUES ('a', ann_vector('[1, 2]'))")
    assert docs.get() == [Document("a", None, {})]
    assert [(found.key, found.meta) for found in docs.search([1, 2])] == [("a", {})]
    assert (docs.count({"year": {"empty": True}}), docs.fields()) == (1, {})
    assert docs.update_meta({"year": 1790}, "a") == 1
    assert docs.get() == [Document("a", None, {"year": 1790})]


REFUSED = [
    (lambda d: d.add("a", embeddings=[1, 2, 3]), ValueError, "embeddings: expected 4 components, got 3"),
    (
        lambda d: d.add(["a", "b"], embeddings=[[1, 2, 3, 4], [1, 2, 3, np.nan]]),
        sqlite_ann.Error,
        r"embeddings\[1\]: expected finite",
    ),
    (lambda d: d.search([1, 2, 3, np.nan]), sqlite_ann.Error, "expected finite components, got NaN at component 3"),
    (lambda d: d.index.search([1, 2, 3, np.nan]), sqlite_ann.Error, "expected finite components, got NaN"),
    (
        lambda d: d.add(["a", "b"], embeddings=[[1, 2, 3, 4]]),
        ValueError,
        "embeddings: expected as many as keys, got 1 for 2",
    ),
    (lambda d: d.add(["a", "b"], texts=["x"]), ValueError, "texts: expected as many as keys, got 1 for 2"),
    (lambda d: d.add(["a", "b"], metas=[{}]), ValueError, "metas: expected as many as keys, got 1 for 2"),
    (lambda d: d.add(["a", "a"]), sqlite_ann.Duplicate, "keys: expected each once, got 'a' twice"),
    (lambda d: d.add(["a", "k1"]), sqlite_ann.Duplicate, "docs: expected new keys, got 'k1', which is there"),
    (lambda d: d.add(["a", 7]), TypeError, "keys: expected text without zero characters, got 7"),
    (lambda d: d.add("a\0b"), TypeError, "keys: expected text without zero characters"),
    (
        lambda d: d.add(["a\ud800"], ["x"]),
        ValueError,
        r"^keys: expected text that UTF-8 can hold, got '\\ud800' in it$",
    ),
    (lambda d: d.get("\ud800"), ValueError, "^keys: expected text that UTF-8 can hold"),
    (lambda d: d.add("a", "\ud800"), ValueError, "^texts, 'a': expected text that UTF-8 can hold"),
    (lambda d: d.add("a", "x", {"n": "\ud800"}), ValueError, "^metas, 'a': expected text that UTF-8 can hold"),
    (lambda d: d.get(where={"n": "\ud800"}), ValueError, "^where, 'n': expected text that UTF-8 can hold"),
    (lambda d: d.get(where={"\ud800": 1}), ValueError, "^where: expected text that UTF-8 can hold"),
    (lambda d: d.update_meta("k1", ["k3"]), TypeError, "^changes: expected a mapping, got str$"),
    (
        lambda d: d.update_meta({"x": object()}, "k1"),
        ValueError,
        "^changes: expected what JSON can hold: got an object$",
    ),
    (
        lambda d: Collection.open(d.db, "others", embed=3),
        TypeError,
        "^embed: expected a function from texts to vectors, got int$",
    ),
    (lambda d: d.add("a", texts=[7]), TypeError, "texts, 'a': expected text, got int"),
    (lambda d: d.add("a", metas={"x": {1, 2}}), ValueError, "metas, 'a': expected what JSON can hold: got a set"),
    (lambda d: d.add("a", metas={"x": float("nan")}), ValueError, "metas, 'a': expected what JSON can hold: "),
    (lambda d: d.add("a", metas=["x"]), TypeError, "metas, 'a': expected a mapping, got str"),
    (
        lambda d: d.add("a", existing="merge"),
        ValueError,
        "existing: expected one of refuse, skip, replace, got 'merge'",
    ),
    (lambda d: d.search_text("jig", k=0), ValueError, "k: expected a whole number from 1, got 0"),
    (lambda d: d.search_text("jig", k=-1), ValueError, "k: expected a whole number from 1, got -1"),
    (lambda d: d.hybrid("jig", [1, 2, 3, 4], k=None), ValueError, "k: expected a whole number from 1, got None"),
    (lambda d: d.search_text(["jig"]), TypeError, "words: expected text, got list"),
    (lambda d: d.delete(), ValueError, "delete: expected keys, or where={} for all documents"),
    (lambda d: d.update_meta({"a": 1}), ValueError, "update_meta: expected keys, or where={} for all documents"),
    (lambda d: d.search("words"), ValueError, "expected vectors, since the collection was opened without `embed`"),
    (lambda d: d.search([[1, 2, 3, 4]] * 2), ValueError, "query: expected one vector, got 2"),
    (lambda d: d.search([1, 2, 3]), ValueError, "query: expected 4 components, got 3"),
    (
        lambda d: d.search([1e300, 2.0, 3.0, 4.0]),
        sqlite_ann.Error,
        "expected finite components, got infinity at component 0",
    ),
    (lambda d: d.search([1, 2, 3, 4], k=-1), sqlite_ann.Error, "expected k to be a whole number from 1, got -1"),
    (lambda d: d.search([1, 2, 3, 4], where={"a": {"~": 1}}), ValueError, "where, 'a': expected one of "),
    (lambda d: d.diverse([1, 2, 3, 4], diversity=2), sqlite_ann.Error, "expected diversity to be from 0 to 1, got 2"),
]


@pytest.mark.parametrize(("call", "kind", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
def test_what_is_wrong_is_told_and_leaves_nothing_behind(docs, call, kind, said):
    fill(docs)
    before = docs.db.execute("SELECT count(*), total(length(meta)) FROM docs").fetchall()
    with pytest.raises(kind, match=said) as raised:
        call(docs)
    assert "\n" not in str(raised.value)
    assert docs.db.execute("SELECT count(*), total(length(meta)) FROM docs").fetchall() == before
    assert not docs.db.in_transaction


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "embed: expected 2 vectors for 2 texts, got None"),
        ([], r"embed: expected 2 vectors for 2 texts, got shape \(0,\)"),
        ([[1, 2, 3, 4]], r"embed: expected 2 vectors for 2 texts, got shape \(1, 4\)"),
        ([[1, 2, 3, 4], [1, 2, 3, np.nan]], r"embed\[1\]: expected finite components"),
        ([[1, 2, 3], [1, 2, 3]], "embed: expected 4 components, got 3"),
    ],
)
def test_an_embedding_function_that_gives_something_else(db, made, said):
    docs = Collection.open(db, "docs", dim=4, embed=lambda texts: made)
    with pytest.raises((ValueError, TypeError, sqlite_ann.Error), match=said):
        docs.add(["a", "b"], ["x", "y"])
    assert len(docs) == 0


def test_a_key_that_is_there_is_skipped(docs):
    docs.add("a", "first")
    assert docs.add(["a", "b"], ["second", "other"], existing="skip") == 1
    assert docs.get("a")[0].text == "first"


def test_a_table_that_was_renamed_is_told_to_have_no_words(docs):
    docs.add("a", "a jig", None, vectors(1))
    docs.db.execute("ALTER TABLE docs RENAME TO tunes")
    tunes = Collection.open(docs.db, "tunes", 4, "l2")
    assert keys(tunes.search(vectors(1)[0])) == ["a"]
    with pytest.raises(
        ValueError, match="tunes: expected the words of its texts in the table tunes_fts, which is not there"
    ):
        tunes.search_text("jig")


def test_a_table_that_is_no_collection_is_refused(db):
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, key TEXT)")
    said = "docs: expected a table with the columns id, key, text, meta, embedding; it has no text, meta, embedding"
    with pytest.raises(ValueError, match=said):
        Collection.open(db, "docs")


def test_a_file_for_reading_only_is_searched_and_not_written(tmp_path):
    path = tmp_path / "docs.db"
    with closing(Collection.open(path, "docs").db) as db:
        fill(Collection.open(db, "docs"))
    with closing(sqlite_ann.connect(f"file:{path}?mode=ro")) as db:
        docs = Collection.open(db, "docs")
        assert keys(docs.search(vectors(1)[0], k=1, where={"kind": "jig"})) == ["k0"]
        with pytest.raises(sqlite_ann.ReadOnly):
            docs.upsert("x", "y")
        with pytest.raises(sqlite_ann.ReadOnly):
            Collection.open(db, "others")


# --- Scores


@pytest.mark.parametrize("metric", ["cosine", "angular", "l2", "l1", "dot"])
def test_a_score_is_from_0_to_1_and_larger_for_what_is_nearer(db, metric):
    docs = Collection.open(db, "docs", metric=metric)
    docs.upsert([str(i) for i in range(200)], None, None, 30 * vectors(200))
    scores = [document.score for document in docs.search(vectors(1, seed=3)[0], k=200, recall=1.0)]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def test_scores_of_what_is_infinitely_far():
    for metric in ("cosine", "angular", "l2", "l1", "dot"):
        assert score_of(metric, float("inf"), 4) == 0
    assert score_of("dot", float("-inf"), 4) == 1


# --- The documents


def test_the_tables_are_those_that_are_shown(db):
    """sql/collection.sql, statement by statement, as SQLite keeps it."""
    shown = sqlite_ann.connect(":memory:")
    shown.execute((ROOT / "sql/collection.sql").read_text(encoding="utf-8"))
    Collection.open(db, "docs", dim=384).index_on("year")

    def made(connection):
        sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
        return {name: re.sub(r'--[^\n]*|[\s"]', "", text).lower() for name, text in connection.execute(sql)}

    ours, theirs = made(db), made(shown)
    index = ours.pop("docs_ann"), theirs.pop("docs_ann")  # the order of options is the order they were given in
    assert all("content=docs,content_rowid=id" in text for text in index)
    assert ours == theirs
    shown.close()
