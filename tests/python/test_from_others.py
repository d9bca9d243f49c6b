"""docs/FROM_OTHERS.md: the code of each library, where it is installed, and what the tables say of it.

A block that needs a library begins with ```python and its name. Each section runs in a process of its own, since these
libraries do not all bear each other's threads, and warn as they like.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sqlite_ann
from tests.documents import ROOT, read_blocks

PAGE = ROOT / "docs" / "FROM_OTHERS.md"
LIBRARIES = ("hnswlib", "faiss", "usearch", "voyager", "chromadb", "lancedb")

ROWS = np.array([[1, 0, 0], [3, 4, 0], [0, 0, 2], [2, 1, 1], [-1, 0, 0]], np.float32)
IDS = np.array([10, 20, 30, 40, 50])
QUERY = np.array([1, 1.25, 0], np.float32)
NAMES = {  # theirs of ours, and what becomes of their number
    "l2": (("hnswlib", "l2"), ("faiss", "METRIC_L2"), ("usearch", "l2sq"), ("voyager", "Euclidean"),
           ("chromadb", "l2"), ("lancedb", "l2")),
    "dot": (("hnswlib", "ip"), ("faiss", "METRIC_INNER_PRODUCT"), ("usearch", "ip"), ("voyager", "InnerProduct"),
            ("chromadb", "ip"), ("lancedb", "dot")),
    "cosine": (("hnswlib", "cosine"), ("usearch", "cos"), ("voyager", "Cosine"),
               ("chromadb", "cosine"), ("lancedb", "cosine")),
    "l1": (("faiss", "METRIC_L1"),),
}  # fmt: skip


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_code_that_carries_rows_over_prints_what_the_page_says(library: str, tmp_path: Path) -> None:
    needs(library)
    blocks = read_blocks(PAGE)
    set_up = [block.code for block in blocks if not block.section and block.language == "python"]
    own = [block for block in blocks if block.language == f"python {library}"]
    assert set_up
    assert own
    printed = run("\n".join([*set_up, *(block.code for block in own)]), tmp_path)
    assert printed.splitlines() == [line for block in own for line in (block.answer or "").splitlines()]


THEIRS = """
import json, numpy as np
rows, ids, query = (np.array(x) for x in json.loads({data!r}))
rows, query = rows.astype(np.float32), query.astype(np.float32)
def hnswlib(name):
    import hnswlib
    index = hnswlib.Index(space=name, dim=3)
    index.init_index(max_elements=5)
    index.add_items(rows, ids)
    return [answer[0] for answer in index.knn_query(query, 5)]
def faiss(name):
    import faiss
    index = faiss.IndexIDMap2(faiss.IndexFlat(3, getattr(faiss, name)))
    index.add_with_ids(rows, ids)
    return [answer[0] for answer in reversed(index.search(query[None], 5))]
def usearch(name):
    from usearch.index import Index
    index = Index(ndim=3, metric=name, dtype="f32")
    index.add(ids, rows)
    found = index.search(query, 5)
    return found.keys, found.distances
def voyager(name):
    import voyager
    index = voyager.Index(getattr(voyager.Space, name), num_dimensions=3)
    index.add_items(rows, ids)
    return index.query(query, 5)
def chromadb(name):
    import chromadb
    songs = chromadb.EphemeralClient().create_collection("songs", embedding_function=None,
                                                         configuration={{"hnsw": {{"space": name}}}})
    songs.add(ids=[str(i) for i in ids], embeddings=rows.tolist())
    found = songs.query(query_embeddings=[query.tolist()], n_results=5)
    return found["ids"][0], found["distances"][0]
def lancedb(name):
    import lancedb
    table = lancedb.connect("folder").create_table("song", [{{"id": int(i), "vector": v.tolist()}} for i, v in zip(ids, rows)])
    found = table.search(query).distance_type(name).limit(5).to_arrow()
    return found["id"].to_pylist(), found["_distance"].to_pylist()
found, distances = {library}({name!r})
print(json.dumps([[int(i) for i in found], [float(d) for d in distances]]))
"""


def ours_of(library: str, metric: str, distances: list[float]) -> list[float]:
    """The last column of the table of distances."""
    if library == "faiss" and metric == "dot":
        return [-distance for distance in distances]
    if metric == "l2":
        return [distance**0.5 for distance in distances]
    return [distance - (metric == "dot") for distance in distances]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "library", "name"), [(metric, *theirs) for metric, named in NAMES.items() for theirs in named]
)
def test_their_distances_become_ours_as_the_table_says(
    metric: str, library: str, name: str, tmp_path: Path, db: Any
) -> None:
    needs(library)
    data = json.dumps([ROWS.tolist(), IDS.tolist(), QUERY.tolist()])
    ids, distances = json.loads(run(THEIRS.format(data=data, library=library, name=name), tmp_path).splitlines()[-1])
    index = sqlite_ann.Index.create(db, "song_ann", dim=3, metric=metric)
    index.add(IDS, ROWS)
    found = index.search(QUERY, k=5)
    assert found.ids.tolist() == ids
    assert np.allclose(found.distances, ours_of(library, metric, distances), atol=1e-6)


SAID = {
    "hnswlib": """
import hnswlib
index = hnswlib.Index(space="cosine", dim=3)
index.init_index(max_elements=5)
index.add_items(rows, ids)
index.add_items(rows[1:2], [10])  # replaces
assert np.allclose(index.get_items([10]), [[.6, .8, 0]]) and index.get_current_count() == 5  # and is normalised
index.mark_deleted(20)
assert 20 in index.get_ids_list() and index.get_current_count() == 5
for wrong in (lambda: index.get_items([20]), lambda: index.knn_query(rows[0], 6), lambda: index.add_items(rows[:1], [60])):
    try: wrong()
    except RuntimeError: continue
    raise AssertionError
assert index.knn_query(rows[0], 1, filter=lambda id_: id_ == 50)[0].tolist() == [[50]]
""",
    "faiss": """
import faiss
index = faiss.IndexIDMap2(faiss.IndexFlatL2(3))
index.add_with_ids(rows, ids)
index.add_with_ids(rows[:1], ids[:1])
assert index.ntotal == 6 and index.search(rows[:1], 9)[1].tolist()[0].count(10) == 2
assert index.search(rows[:1], 9)[1][0, -1] == -1 and index.search(rows[:1], 9)[0][0, -1] > 3.4e38
sel = faiss.SearchParameters(sel=faiss.IDSelectorBatch(ids[3:]))
assert set(index.search(rows[:1], 2, params=sel)[1][0]) == {40, 50}
flat = faiss.IndexFlatL2(3)
flat.add(np.full((1, 3), np.nan, np.float32))
assert flat.search(rows[:1], 1)[1].tolist() == [[-1]] and flat.reconstruct_n(0, 1).shape == (1, 3)
graph = faiss.IndexHNSWFlat(3, 8)
graph.add(rows)
try: graph.remove_ids(np.array([1]))
except RuntimeError: pass
else: raise AssertionError
cells = faiss.index_factory(3, "IVF1,Flat")
cells.train(rows)
cells.add_with_ids(rows, ids)
cells.set_direct_map_type(faiss.DirectMap.Hashtable)
assert (cells.reconstruct(20) == rows[1]).all()
bits = faiss.IndexBinaryFlat(16)
bits.add(np.array([[1, 2], [3, 4]], np.uint8))
assert bits.search(np.array([[1, 2]], np.uint8), 2)[0].tolist() == [[0, 3]]
""",
    "usearch": """
from usearch.index import Index, MetricKind, ScalarKind
assert (Index(ndim=3).dtype, Index(ndim=3).metric) == (ScalarKind.BF16, MetricKind.Cos)
index = Index(ndim=3, metric="l2sq", dtype="f32")
index.add(ids, rows)
try: index.add(10, rows[0])
except RuntimeError: pass
else: raise AssertionError
assert 20 in index and len(index) == 5 and (index.get(20) == rows[1]).all()
index.remove(20)
assert 20 not in index and len(index) == 4 and len(index.search(rows[0], 9).keys) == 4
index.save("songs.usearch")
assert len(Index.restore("songs.usearch", view=True)) == 4
bits = Index(ndim=16, metric="hamming", dtype="b1")
bits.add(1, np.array([1, 2], np.uint8))
assert bits.search(np.array([3, 2], np.uint8), 1).distances.tolist() == [1]
""",
    "voyager": """
import voyager
index = voyager.Index(voyager.Space.Cosine, num_dimensions=3)
index.add_items(rows, ids)
index.add_item(rows[1], 10)
assert len(index) == 5 and np.allclose(index.get_vector(10), [.6, .8, 0])
index.mark_deleted(20)
assert 20 in list(index.ids) and len(index) == 5
for wrong in (lambda: index.get_vector(20), lambda: index.query(rows[0], 6)):
    try: wrong()
    except (RuntimeError, voyager.RecallError): continue
    raise AssertionError
index.unmark_deleted(20)
""",
    "chromadb": """
import chromadb
songs = chromadb.EphemeralClient().create_collection("songs", embedding_function=None)
assert songs.configuration["hnsw"]["space"] == "l2"
songs.add(ids=["a", "b"], embeddings=rows[:2].tolist(), documents=["rain", "sun"], metadatas=[{"year": 1900}, {"year": 1950}])
songs.add(ids=["a"], embeddings=[[9, 9, 9]])
assert songs.count() == 2 and (songs.get(ids=["a"], include=["embeddings"])["embeddings"] == rows[:1]).all()
songs.update(ids=["c"], embeddings=[[9, 9, 9]])
assert songs.count() == 2
query = dict(query_embeddings=[[1, 1, 1]], n_results=2)
assert songs.query(**query, where={"year": {"$gt": 1925}})["ids"] == [["b"]]
assert songs.query(**query, where_document={"$contains": "rain"})["ids"] == [["a"]]
assert songs.query(**query, ids=["b"])["ids"] == [["b"]]
try: songs.add(ids=["d"], embeddings=[[float("nan"), 0, 0]])
except Exception as error: assert "NaN" in str(error)
else: raise AssertionError
""",
    "lancedb": """
import lancedb
table = lancedb.connect("folder").create_table("song", [{"id": int(i), "vector": v.tolist()} for i, v in zip(ids, rows)])
near = lambda: table.search([1.0, 1.0, 0.0]).limit(2)
assert near().where("id > 10").to_arrow()["id"].to_pylist() == [40, 50]
assert near().where("id > 10", prefilter=False).to_arrow()["id"].to_pylist() == [40]
assert near().to_arrow()["_distance"].to_pylist() == [1, 2]
assert near().distance_range(upper_bound=1.5).to_arrow()["id"].to_pylist() == [10]
table.add([{"id": 10, "vector": [9.0, 9.0, 9.0]}])
assert table.count_rows() == 6
table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute([{"id": 60, "vector": [9.0, 9.0, 9.0]}])
table.delete("id = 20")
assert table.count_rows() == 6
table.checkout(1)
assert table.count_rows() == 5
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_it_does_what_the_tables_say_of_it(library: str, tmp_path: Path) -> None:
    needs(library)
    begin = f"import numpy as np\nrows, ids = np.array({ROWS.tolist()}, np.float32), np.array({IDS.tolist()})\n"
    run(begin + SAID[library], tmp_path)


def test_every_library_has_its_code_and_its_table() -> None:
    blocks = read_blocks(PAGE)
    assert {block.language for block in blocks if " " in block.language} == {f"python {name}" for name in LIBRARIES}
    assert SAID.keys() == set(LIBRARIES)
