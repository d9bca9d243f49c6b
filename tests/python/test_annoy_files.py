"""AnnoyIndex and files: save, load, unload, on_disk_build; .ann files in and out."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import apsw
import numpy as np
import pytest

import sqlite_ann
from sqlite_ann.annoy import AnnoyIndex, convert, export
from sqlite_ann.annoy.metric import METRICS
from sqlite_ann.annoy.reading import AnnFile, find_f
from sqlite_ann.annoy.writing import write
from sqlite_ann.cli import main
from tests.annoy_indexes import DIM, N, filled, made_up


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "songs.db")


@pytest.fixture
def saved(path, rng) -> str:
    """N items, euclidean, ten trees."""
    made = filled("euclidean", made_up(rng, "euclidean"))
    made.build(10)
    made.save(path)
    return path


def loaded(path, name="euclidean", dim=DIM, **options) -> AnnoyIndex:
    made = AnnoyIndex(dim, name)
    assert made.load(path, **options) is True
    return made


# --- Saving and loading ----------------------------------------------------------------------------


def test_what_is_saved_is_loaded(each_metric, path, rng):
    vectors = made_up(rng, each_metric)
    made = filled(each_metric, vectors, first=7)
    made.build(12)
    before = [made.get_nns_by_item(i, 10, include_distances=True) for i in range(7, 100)]
    assert made.save(path) is True
    for index in (made, loaded(path, each_metric), loaded(path, each_metric, prefault=True)):
        assert (index.get_n_items(), index.get_n_trees()) == (N + 7, 12)
        assert [index.get_nns_by_item(i, 10, include_distances=True) for i in range(7, 100)] == before
        assert index.get_item_vector(9) == vectors[2].tolist()
        assert index.get_item_vector(3) == [0] * DIM


def test_a_saved_file_is_a_database_with_a_table_annoy(saved):
    index = sqlite_ann.Index(sqlite_ann.connect(saved), "annoy")
    assert (len(index), index.metric, index.check()) == (N, "l2", [])
    made = loaded(saved)
    ids, _ = index.search(index.get(5), 10, recall=0.99)
    assert made.get_nns_by_item(5, 10) == ids.tolist()


def test_a_loaded_index_cannot_be_changed(saved):
    made = loaded(saved)
    for refused, says in (
        (lambda: made.add_item(0, [0] * DIM), "You can't add an item to a loaded index"),
        (lambda: made.build(10), "You can't build a loaded index"),
        (made.unbuild, "You can't unbuild a loaded index"),
    ):
        with pytest.raises(Exception, match=says):
            refused()
    made.set_seed(42)


def test_only_what_is_built_is_saved(path):
    made = AnnoyIndex(2, "dot")
    made.add_item(0, [1, 2])
    with pytest.raises(OSError, match="You can't save an index that hasn't been built"):
        made.save(path)
    assert not Path(path).exists()


def test_a_copy_is_saved_of_a_loaded_file_and_of_itself(saved, tmp_path):
    made = loaded(saved)
    expected = made.get_nns_by_item(3, 10)
    for fn in (str(tmp_path / "b.db"), str(tmp_path / "b.db"), saved):
        made.save(fn, True)
        assert made.get_nns_by_item(3, 10) == loaded(fn).get_nns_by_item(3, 10) == expected


def test_a_file_is_replaced_under_those_who_have_it_loaded(saved, rng):
    old = loaded(saved)
    expected = old.get_nns_by_item(3, 10)
    other = filled("euclidean", made_up(rng, "euclidean", 20))
    other.build(3)
    other.save(saved)
    assert old.get_nns_by_item(3, 10) == expected
    assert loaded(saved).get_n_items() == 20


@pytest.mark.parametrize("fn", ["", "/no/such/folder/a.db"])
def test_what_cannot_be_written_is_an_oserror_and_leaves_nothing(fn, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    made = filled("euclidean", made_up(rng, "euclidean", 10))
    made.build(1)
    with pytest.raises(FileNotFoundError):
        made.save(fn)
    with pytest.raises(FileNotFoundError):
        AnnoyIndex(2, "dot").on_disk_build(fn)
    assert made.get_nns_by_item(3, 1) == [3]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError):  # noqa: PT011 (the words are the system's)
        made.save(str(tmp_path))
    assert list(tmp_path.parent.glob("*.part")) == []


def test_what_cannot_be_loaded_is_an_oserror_and_changes_nothing(saved, tmp_path):
    made = loaded(saved)
    empty = tmp_path / "empty.ann"
    empty.touch()
    other = tmp_path / "other.db"
    apsw.Connection(str(other)).execute("CREATE TABLE song(title)")
    for fn, says in (
        (tmp_path / "none.db", "No such file"),
        (tmp_path, "it is a folder"),
        (empty, "Size of file is zero"),
        (other, "there is no table annoy"),
    ):
        with pytest.raises(OSError, match=says):
            made.load(str(fn))
    with pytest.raises(TypeError):
        made.load(7)
    assert made.get_nns_by_item(3, 1) == [3]


@pytest.mark.parametrize(
    ("name", "dim", "says"),
    [
        ("euclidean", DIM + 1, f"expected vectors of {DIM + 1} dimensions, got {DIM}"),
        ("euclidean", 3, f"expected vectors of 3 dimensions, got {DIM}"),
        ("angular", DIM, "expected the metric angular, got l2 of float32"),
        ("hamming", DIM, "expected the metric hamming, got l2 of float32"),
    ],
)
def test_another_dimension_or_metric_is_told(saved, name, dim, says):
    with pytest.raises(OSError, match=says):
        AnnoyIndex(dim, name).load(saved)


def test_a_database_that_is_damaged_or_not_built_is_told(saved):
    db = sqlite_ann.connect(saved)
    db.execute("UPDATE annoy_vectors SET vector = x'00' WHERE id = 3")
    db.close()
    with pytest.raises(sqlite_ann.Error, match="annoy, id 3: expected 24 bytes, got 1"):
        loaded(saved).get_item_vector(3)
    for damage, says in (
        ("UPDATE annoy_config SET value = x'ff' WHERE name = 'options'", "expected vectors of 6 dimensions, got None"),
        ("DELETE FROM annoy_config WHERE name = 'options'", "it has no options"),
        ("DELETE FROM annoy_built", "it has no options|has not been built"),
    ):
        apsw.Connection(saved).execute(damage)
        with pytest.raises(OSError, match=says):
            loaded(saved)


def test_unload_makes_it_new(saved, path, rng):
    made = loaded(saved)
    assert made.unload() is True
    assert (made.get_n_items(), made.get_n_trees(), made.get_nns_by_vector([0] * DIM, 3)) == (0, 0, [])
    made.add_item(0, [1] * DIM)
    made.build(2)
    assert made.get_nns_by_item(0, 5) == [0]
    made.load(saved)
    assert made.get_n_items() == N


def test_many_are_loaded_one_after_the_other(saved):
    for _ in range(300):
        loaded(saved)
    assert len([c for c in apsw.connections() if c.filename == os.path.realpath(saved)]) < 5


def test_others_read_what_is_loaded_and_write_when_it_is_not(saved):
    made = loaded(saved)
    db = sqlite_ann.connect(saved)
    db.set_busy_timeout(0)
    assert db.execute("SELECT count(*) FROM annoy").get == N
    with pytest.raises(apsw.BusyError):
        db.execute("DELETE FROM annoy WHERE rowid = 3")
    made.unload()
    db.execute("DELETE FROM annoy WHERE rowid = 3")
    assert 3 not in loaded(saved).get_nns_by_vector([0] * DIM, N)


# --- Building on disk ------------------------------------------------------------------------------


def test_on_disk_build_makes_the_file_and_save_does_nothing(path, rng, monkeypatch):
    monkeypatch.setattr("sqlite_ann.annoy.index.PENDING_BYTES", 24 * 100)  # to the file, a hundred at a time
    vectors = made_up(rng, "euclidean")
    Path(path).write_bytes(b"something else")
    made = AnnoyIndex(DIM, "euclidean")
    assert made.on_disk_build(path) is True
    for i, vector in enumerate(vectors):
        made.add_item(i, vector)
    assert made.get_item_vector(0) == vectors[0].tolist()
    with pytest.raises(OSError, match="has not been built"):
        loaded(path)
    made.build(10)
    expected = made.get_nns_by_item(3, 10)
    assert made.save("/no/such/folder/b.db") is True
    assert loaded(path).get_nns_by_item(3, 10) == expected
    made.unload()
    made.load(path)
    assert made.get_nns_by_item(3, 10) == expected


def test_on_disk_build_comes_first(path, saved):
    made = loaded(saved)
    with pytest.raises(OSError, match="on_disk_build comes before the items"):
        made.on_disk_build(path)
    assert made.get_n_items() == N


# --- Annoy's own files -----------------------------------------------------------------------------


def annoy_file(name, path, vectors, ids=None, n_trees=10) -> str:
    """As Annoy itself writes it."""
    annoy = pytest.importorskip("annoy")
    made = annoy.AnnoyIndex(vectors.shape[1], name)
    for i, vector in zip(range(len(vectors)) if ids is None else ids, vectors, strict=True):
        made.add_item(int(i), vector)
    made.build(n_trees, 1)
    made.save(path)
    return path


def our_file(name, path, vectors, ids=None, n_trees=10) -> str:
    """The same, by our writer."""
    metric, dim = METRICS[name], vectors.shape[1]
    ids = np.arange(len(vectors)) if ids is None else np.asarray(ids)
    points = np.zeros((len(vectors), metric.vector_bytes(dim)), np.uint8)
    if metric.is_bits:
        packed = np.packbits(vectors > 0.5, axis=1, bitorder="little")
        points[:, : packed.shape[1]] = packed
    else:
        points[:] = np.ascontiguousarray(vectors, "<f4").view(np.uint8)
    write(path, metric, dim, ids, points.view("<u8" if metric.is_bits else "<f4"), n_trees, 0)
    return path


@pytest.mark.parametrize("write_file", [annoy_file, our_file])
@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("dim", [1, 10, 70])
@pytest.mark.parametrize("n", [0, 1, 2, 9, 300])
@pytest.mark.parametrize("n_trees", [1, 10])
def test_an_ann_file_gives_its_items_and_number_of_trees(write_file, name, dim, n, n_trees, tmp_path, rng):
    vectors = made_up(rng, name, n, dim)
    ids = np.sort(rng.choice(2 * n, n, replace=False))
    file = AnnFile(write_file(name, str(tmp_path / "a.ann"), vectors, ids, n_trees), METRICS[name], dim)
    assert (file.n_items, file.n_trees) == (ids[-1] + 1 if n else 0, n_trees)
    read = list(file.items())
    assert np.concatenate([some for some, _ in read] or [ids]).tolist() == ids.tolist()
    index = loaded(str(tmp_path / "a.ann"), name, dim)
    assert (index.get_n_items(), index.get_n_trees()) == (file.n_items, n_trees)
    for i, vector in zip(ids.tolist(), vectors, strict=True):
        assert index.get_item_vector(i) == vector.tolist()
    if n > 20 and name != "hamming":
        assert find_f(str(tmp_path / "a.ann"), METRICS[name]) == dim


@pytest.mark.parametrize("name", METRICS)
def test_annoy_opens_and_searches_what_we_write(name, tmp_path, rng):
    annoy = pytest.importorskip("annoy")
    vectors = made_up(rng, name, 4000, 20)
    vectors[1000:1400] = vectors[1000]  # equal ones have no plane between them
    ids = 3 * np.arange(4000)
    found = {}
    for write_file in (annoy_file, our_file):
        made = annoy.AnnoyIndex(20, name)
        made.load(write_file(name, str(tmp_path / "a.ann"), vectors, ids))
        assert (made.get_n_items(), made.get_n_trees(), made.get_item_vector(9)) == (11998, 10, vectors[3].tolist())
        hits = 0
        for i in range(100):
            truth = made.get_nns_by_item(3 * i, 10, 2**31 - 1)
            assert set(truth) <= set(ids.tolist())
            hits += len(set(made.get_nns_by_item(3 * i, 10, 500)) & set(truth))
        found[write_file] = hits / 1000
    assert found[our_file] > found[annoy_file] - 0.05


def test_answers_from_an_ann_file_come_from_our_forest(each_metric, tmp_path, rng):
    vectors = made_up(rng, each_metric)
    ann = annoy_file(each_metric, str(tmp_path / "a.ann"), vectors)
    made, same = loaded(ann, each_metric, prefault=True), filled(each_metric, vectors)
    same.build(10)
    assert [made.get_nns_by_item(i, 10) for i in range(50)] == [same.get_nns_by_item(i, 10) for i in range(50)]
    assert made.get_distance(1, 2) == same.get_distance(1, 2)
    made.save(str(tmp_path / "a.db"))
    assert made.get_nns_by_item(3, 10) == same.get_nns_by_item(3, 10)
    assert made.get_n_trees() == 10


def test_convert_and_export_go_there_and_back(each_metric, tmp_path, path, rng):
    annoy = pytest.importorskip("annoy")
    vectors = made_up(rng, each_metric)
    ann = annoy_file(each_metric, str(tmp_path / "a.ann"), vectors)
    db = sqlite_ann.connect(path)
    db.execute("CREATE TABLE song(title)")
    assert convert(ann, path, each_metric, DIM) == N
    assert loaded(path, each_metric).get_nns_by_item(3, 10) == loaded(ann, each_metric).get_nns_by_item(3, 10)
    assert export(db, "annoy", tmp_path / "b.ann", n_trees=7) == N
    back = annoy.AnnoyIndex(DIM, each_metric)
    back.load(str(tmp_path / "b.ann"))
    assert (back.get_n_items(), back.get_n_trees()) == (N, 7)
    assert [back.get_item_vector(i) for i in range(N)] == vectors.tolist()
    with pytest.raises(ValueError, match="has a table annoy already"):
        convert(ann, path, each_metric, DIM)


def test_equal_rows_give_equal_files(db, tmp_path, rng):
    index = sqlite_ann.Index.create(db, "v", dim=DIM, metric="l2")
    index.add(np.arange(500), made_up(rng, "euclidean", 500))
    for name in "ab":
        export(db, "v", tmp_path / name, 3, seed=5)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_exported_is_told(db, tmp_path):
    index = sqlite_ann.Index.create(db, "v", dim=2, metric="l2")
    index.add([2**31 - 1], [[1, 2]])
    with pytest.raises(ValueError, match=r"expected ids from 0 to 2147483646 for an \.ann file, got 2147483647"):
        export(db, "v", tmp_path / "a.ann")
    with pytest.raises(ValueError, match="n_trees: expected at least 1, got 0"):
        export(db, "v", tmp_path / "a.ann", 0)
    with pytest.raises(sqlite_ann.Error, match=r"no such table|there is no"):
        export(db, "none", tmp_path / "a.ann")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_takes_an_ann_file(tmp_path, path, rng, capsys):
    ann = our_file("euclidean", str(tmp_path / "a.ann"), made_up(rng, "euclidean"))
    assert main(["load", ann, path, "--annoy", "euclidean"]) == 0
    assert "1,500 vectors" in capsys.readouterr().out
    assert loaded(path).get_nns_by_item(3, 1) == [3]
    for extra, says in (
        (["--annoy", "euclidean"], "has a table annoy already"),
        (["--annoy", "euclidean", "--replace"], "load --annoy takes"),
        (["--annoy", "euclidean", "--metric", "l2"], "load --annoy takes"),
        (["--dim", "6"], "--dim is for --annoy"),
        (["--annoy", "hamming"], "expected to be told how many bits"),
        (["--annoy", "angular"], "no number of dimensions fits"),
    ):
        assert main(["load", ann, path, *extra]) == 1
        assert says in capsys.readouterr().err


# --- Files that are not what they should be --------------------------------------------------------


def refusals(fn: str, name: str, dim: int, target: str) -> list[str]:
    """What is said when the file is searched and converted; nothing else may happen, and nothing be left."""
    said = []
    index = AnnoyIndex(dim, name)
    for refused in (
        lambda: (index.load(fn), index.get_nns_by_vector([0] * dim, 3)),
        lambda: convert(fn, target, name, dim),
    ):
        with pytest.raises(OSError, match=r"expected|Size of file") as error:
            refused()
        said.append(str(error.value))
    assert not Path(target).exists()
    return said


@pytest.mark.parametrize("name", ["angular", "euclidean", "dot"])
def test_a_hostile_ann_file_is_one_sentence(name, tmp_path, path, rng):
    good = Path(our_file(name, str(tmp_path / "a.ann"), made_up(rng, name, 300), n_trees=3)).read_bytes()
    size, bad = METRICS[name].node_bytes(DIM), tmp_path / "bad.ann"

    def changed(offset: int, number: int) -> bytes:
        return good[:offset] + struct.pack("<i", number) + good[offset + 4 :]

    nan = good[: 5 * size - 4] + struct.pack("<f", float("nan")) + good[5 * size :]
    children = len(good) - size + METRICS[name].children

    def child(number: int) -> bytes:
        """The first child of the last tree's root, in the tree and in the copy."""
        return (content := changed(children, number))[: len(good) - 4 * size] + content[-size:] + content[-3 * size :]

    for content, says in (
        (b"", "Size of file is zero"),
        (good[:-1], "not a multiple of vector size"),
        (good[: size * 20], "its roots are not copied to the end"),
        (good[: -3 * size], "its roots are not copied to the end"),
        (good[:-size], "its roots are not copied to the end"),
        (changed(len(good) - size, -5), "the last node has -5 items below it"),
        (changed(len(good) - size, 2**31 - 1), "the last node has 2147483647 items below it"),
        (changed(0, 7), "node 0 should be an item and has 7 items below it"),
        (changed(200 * size, -1), "node 200 should be an item"),
        (changed(310 * size, 2**30), "below it than there are|not as many"),
        (child(2**31 - 1), "children that are not in the file"),
        (child(1), "not as many items below it as its children"),
        (child(-9), "children that are not in the file"),
        (nan, "item 4 is not finite"),
        (os.urandom(size * 50), "expected an .ann file"),
        (b"\xff" * (size * 50), "expected an .ann file"),
    ):
        bad.write_bytes(content)
        for said in refusals(str(bad), name, DIM, path):
            assert re.search(says, said), said


def test_a_search_of_a_damaged_ann_file_fails_every_time(tmp_path, rng):
    ann = Path(our_file("euclidean", str(tmp_path / "a.ann"), made_up(rng, "euclidean", 300)))
    end = 300 * METRICS["euclidean"].node_bytes(DIM)
    ann.write_bytes(ann.read_bytes()[: end - 4] + struct.pack("<f", float("inf")) + ann.read_bytes()[end:])
    made = loaded(str(ann))
    for _ in range(2):
        with pytest.raises(OSError, match="item 299 is not finite"):
            made.get_nns_by_item(3, 3)
    assert made.get_distance(3, 3) == 0


def test_a_file_of_nothing_but_zeros_ends(tmp_path, path):
    (tmp_path / "zeros.ann").write_bytes(bytes(40 * 100))
    made = loaded(str(tmp_path / "zeros.ann"))
    assert (made.get_n_items(), made.get_n_trees(), made.get_nns_by_vector([0] * DIM, 3)) == (0, 50, [])


def test_another_metric_or_dimension_of_an_ann_file_is_told(tmp_path, path, rng):
    ann = our_file("euclidean", str(tmp_path / "a.ann"), made_up(rng, "euclidean", 480, 12), n_trees=2)
    for name, dim in (
        ("angular", 12),
        ("angular", 13),
        ("dot", 12),
        ("euclidean", 13),
        ("euclidean", 4),
        ("euclidean", 1),
    ):
        refusals(ann, name, dim, path)


def test_any_byte_of_an_ann_file_may_be_wrong(tmp_path, rng):
    vectors = made_up(rng, "euclidean", 60, 3)
    good, bad = our_file("euclidean", str(tmp_path / "a.ann"), vectors, n_trees=2), str(tmp_path / "b.ann")
    content = Path(good).read_bytes()
    for place in range(0, len(content), 3):
        Path(bad).write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        index = AnnoyIndex(3, "euclidean")
        try:
            index.load(bad)
            assert len(index.get_nns_by_vector([0, 0, 0], 60)) <= 60
        except OSError as error:
            assert "expected" in str(error)
