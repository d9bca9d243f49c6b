"""llm: `llm near` answers as `llm similar` does, by an index beside llm's file that follows what llm writes."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

pytest.importorskip("llm")

import llm
import sqlite_utils
from click.testing import CliRunner
from llm.cli import cli
from llm.plugins import load_plugins, pm

import sqlite_ann
from sqlite_ann import llm as plugin
from tests.guests import plugins


class Numbers(llm.EmbeddingModel):
    """A text's vector comes from its letters, so that texts with the same letters are near."""

    model_id = "numbers"
    dim = 8

    def embed_batch(self, items):
        for item in items:
            vector = np.zeros(self.dim)
            for i, letter in enumerate(item):
                vector[(ord(letter) + i) % self.dim] += 1
            yield (vector + 0.01).tolist()


class Models:
    @staticmethod
    @llm.hookimpl
    def register_embedding_models(register):
        register(Numbers())


@pytest.fixture(scope="module", autouse=True)
def hosted():
    load_plugins()
    pm.register(Models, "numbers")
    plugin.register_commands(cli=cli)
    yield
    pm.unregister(Models)
    del cli.commands["near"]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    collection = stored(tmp_path / "embeddings.db", "tunes")
    collection.embed_multi_with_metadata(((f"n{i}", f"tune {i * i}", {"i": i}) for i in range(60)), store=True)
    collection.db.close()
    return tmp_path / "embeddings.db"


def stored(path, name):
    return llm.Collection(name, sqlite_utils.Database(path), model_id="numbers")


def run(*words, fails=False, **options):
    done = CliRunner().invoke(cli, words, **options)
    assert (done.exit_code != 0) == fails, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.stderr if fails else done.stdout


def near(*words, **options):
    return [json.loads(line) for line in run("near", *words, **options).splitlines()]


def ids(*words, **options):
    return [entry["id"] for entry in near(*words, **options)]


def compared(*words):
    """Ours beside llm's, which compares with every row; of entries with one score either may come."""
    ours = near(*words, "--recall", "1")
    theirs = [json.loads(line) for line in run("similar", *words).splitlines()]
    assert [e["score"] for e in ours] == pytest.approx([e["score"] for e in theirs], abs=1e-6)
    least = theirs[-1]["score"] + 1e-6
    assert {e["id"] for e in ours if e["score"] > least} == {e["id"] for e in theirs if e["score"] > least}
    assert [e.keys() for e in ours] == [e.keys() for e in theirs]


def test_it_answers_as_similar_does(path):
    for words in (("tunes", "-c", "tune 49", "-n", "5"), ("tunes", "n7", "-n", "3"), ("tunes", "n7", "--prefix", "n1")):
        compared(*words)
    best = near("tunes", "-c", "tune 49", "-n", "1")[0]
    assert (best["content"], best["metadata"]) == ("tune 49", {"i": 7})
    assert best["score"] == pytest.approx(1, abs=1e-6)
    assert near("tunes", "-c", "-", "-n", "1", input="tune 49") == [best]
    assert run("near", "tunes", "-c", "tune 49", "-n", "1", "-p").startswith(f"n7 ({best['score']})\n\n  tune 49\n")


def test_what_llm_writes_is_found_at_the_next_search(path):
    assert ids("tunes", "-c", "zebra", "-n", "1") != ["new"]
    collection = stored(path, "tunes")
    collection.embed("new", "zebra", store=True)
    assert ids("tunes", "-c", "zebra", "-n", "1") == ["new"]
    collection.embed("n7", "quagga", store=True)
    assert ids("tunes", "-c", "quagga", "-n", "1") == ["n7"]
    collection.db.execute("DELETE FROM embeddings WHERE id = 'new'")
    collection.db.conn.commit()
    assert ids("tunes", "-c", "zebra", "-n", "60").count("new") == 0
    assert len(ids("tunes", "-c", "zebra", "-n", "100")) == 60


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(path):
    old = time.time() - 60
    os.utime(path, (old, old))
    assert ids("tunes", "n3", "-n", "1")
    with sqlite_ann.connect(path.with_name("embeddings-ann.db")) as db:
        db.execute("UPDATE entry SET key = 'lost' WHERE key = 'n3'")
    assert "no ID n3" in run("near", "tunes", "n3", fails=True)
    collection = stored(path, "tunes")
    collection.embed("new", "zebra", store=True)
    collection.db.execute("UPDATE embeddings SET updated = 5 WHERE id = 'new'")
    collection.db.conn.commit()
    assert ids("tunes", "-c", "zebra", "-n", "1") == ["new"]
    assert ids("tunes", "n3", "-n", "1")


def test_llms_own_file_is_only_read_and_the_index_can_be_deleted(path):
    before = path.read_bytes()
    first = near("tunes", "n3")
    beside = path.with_name("embeddings-ann.db")
    assert beside.exists()
    beside.unlink()
    assert near("tunes", "n3") == first
    assert path.read_bytes() == before
    with sqlite_ann.connect(beside) as db:
        assert db.execute("SELECT count(*) FROM ann_check('ann_1')").get == 0


def test_a_collection_made_anew_by_another_model_is_indexed_anew(path, monkeypatch):
    other = stored(path, "other")
    other.embed("x", "zebra", store=True)
    assert ids("other", "-c", "zebra") == ["x"]
    assert len(ids("tunes", "-c", "zebra", "-n", "100")) == 60
    other.delete()
    monkeypatch.setattr(Numbers, "dim", 16)
    again = stored(path, "again")
    again.embed_multi([("y", "zebra"), ("z", "quagga")])
    assert again.id == other.id
    assert ids("again", "-c", "quagga") == ["z", "y"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "-c", "x"), "has no collection none"),
        (("empty", "-c", "x"), "is empty"),
        (("tunes", "n99"), "the collection has no ID n99"),
        (("tunes",), "expected an ID or --content"),
        (("tunes", "n1", "-c", "x"), "expected an ID or --content"),
        (("tunes", "-c", "x", "-d", "none.db"), "there is no none.db"),
        (("tunes", "-c", "x", "--recall", "2"), "recall"),
        (("tunes", "n1", "-n", "9" * 30), "number: expected a whole number of 64 bits"),
        (("'; DROP TABLE embeddings; --", "n1"), "has no collection '; DROP TABLE embeddings; --"),
        (("tunes", "'; DROP TABLE entry; --"), "the collection has no ID '; DROP TABLE entry; --"),
        (("lost", "-c", "x"), "Unknown model"),
    ],
)
def test_what_is_wrong_is_one_sentence(path, words, message):
    collection = stored(path, "empty")
    collection.db["collections"].insert({"id": 9, "name": "lost", "model": "lost"})
    collection.db["embeddings"].insert({"collection_id": 9, "id": "a", "embedding": b"\0\0\0\0", "updated": 1})
    (line,) = run("near", *words, fails=True).splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "embedding: expected numbers, got None"),
        (["a", "b"], "embedding: expected numbers, got text"),
        ([1.0] * 5, "embedding: expected 8 components, got 5"),
        ([1.0] * 7 + [float("nan")], "expected finite components, got NaN at component 7"),
    ],
)
def test_a_model_that_gives_something_else(path, monkeypatch, given, message):
    monkeypatch.setattr(Numbers, "embed_batch", lambda self, items: [given for _ in items])
    (line,) = run("near", "tunes", "-c", "x", fails=True).splitlines()
    assert message in line


def test_a_file_that_is_none_of_llms_is_told(tmp_path):
    sqlite_utils.Database(tmp_path / "x.db")["t"].insert({"a": 1})
    assert "no such table: llm.collections" in run("near", "a", "-c", "x", "-d", str(tmp_path / "x.db"), fails=True)


def test_an_installed_plugin_is_found(tmp_path):
    found = json.loads(plugins.run(tmp_path, "llm", "plugins", LLM_USER_PATH=str(tmp_path)).stdout)
    assert [(p["name"], p["hooks"]) for p in found] == [("sqlite_ann", ["register_commands"])]
