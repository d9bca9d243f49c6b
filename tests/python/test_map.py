"""`sqlite-ann map`: neighbours, places that are kept, the picture, the Parquet file; and with umap-learn where it is installed.

Elsewhere a stand-in gives the places, so that all that is ours is tested in any environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import types
from pathlib import Path

import apsw
import numpy as np
import pyarrow.parquet
import pytest

import sqlite_ann
from sqlite_ann import Index, layout
from sqlite_ann.cli import main, scatter
from sqlite_ann.cli.parser import EXAMPLES

N, DIM = 1200, 8
KEPT = "SELECT id, x, y FROM song_ann_map ORDER BY id"


class StandIn:
    """What umap-learn is asked by, with places that any test can foretell."""

    calls = 0

    def __init__(self, precomputed_knn, n_neighbors, tqdm_kwds, **settings):
        self.rows, self.distances = precomputed_knn
        assert self.rows.shape == self.distances.shape == (len(self.rows), n_neighbors)
        assert settings == {"random_state": layout.SEED, "n_jobs": 1}
        self.file = tqdm_kwds["file"]

    def fit_transform(self, vectors):
        assert len(vectors) == len(self.rows)
        type(self).calls += 1
        self.file.write("200/200")
        return np.column_stack([self.rows[:, 1], self.distances.sum(axis=1)]).astype(np.float32)


@pytest.fixture
def umap(monkeypatch):
    module = types.ModuleType("umap")
    module.UMAP = type("UMAP", (StandIn,), {"calls": 0})
    module.__spec__ = importlib.util.spec_from_loader("umap", loader=None)
    monkeypatch.setitem(sys.modules, "umap", module)
    return module.UMAP


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Songs of four books with an index over them, and others of all kinds."""
    path = tmp_path_factory.mktemp("made") / "songs.db"
    rng = np.random.default_rng(3)
    books = rng.standard_normal((4, DIM)) * 3
    vectors = (books[np.arange(N) % 4] + rng.standard_normal((N, DIM))).astype("<f4")
    with sqlite_ann.connect(path) as db:
        db.execute(
            "CREATE TABLE song(id INTEGER PRIMARY KEY, title, book, year, mixed, sound BLOB, x, embedding BLOB);"
            "CREATE TABLE word(uuid TEXT, name TEXT); CREATE TABLE taken_map(title)"
        )
        rows = [
            (3 * i, None if i % 7 == 0 else f"$song\n{i} 歌$", None if i % 5 == 0 else f"book {i % 4}", 1700 + i / 3,
             [i, "text", None, 1.5][i % 4], b"abc", i, vector.tobytes())
            for i, vector in enumerate(vectors)
        ]  # fmt: skip
        db.executemany("INSERT INTO song VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.execute("CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[8], content='song')")
        for name, n in (("plain", 100), ("few", 19), ("taken", 20)):
            Index.create(db, name, DIM).add(np.arange(n), vectors[:n])
        Index.create(db, "word_ann", DIM, key="uuid").add([f"k{i}" for i in range(60)], vectors[:60])
        db.executemany("INSERT INTO word VALUES (?, ?)", [(f"k{i}", f"word {i}") for i in range(50)])
    return path


@pytest.fixture
def run(made, tmp_path, monkeypatch, capsys):
    """Map an index of a copy of the database; the exit code, what is printed, and the last thing that is said."""
    monkeypatch.chdir(tmp_path)
    Path("songs.db").write_bytes(made.read_bytes())

    def run(*arguments):
        code = main(["map", "songs.db", *arguments])
        out, err = capsys.readouterr()
        return code, out, (err.splitlines() or [""])[-1]

    return run


def rows_of(sql):
    with sqlite_ann.connect("songs.db") as db:
        return db.execute(sql).fetchall()


def test_examples(run_examples):
    run_examples(layout)
    run_examples(scatter)


# --- neighbours ----------------------------------------------------------------------------------


def test_neighbours_are_those_of_a_search_behind_the_row_itself(made):
    index = Index(made, "song_ann")
    found = layout.neighbours(index)
    assert found.ids.tolist() == list(range(0, 3 * N, 3))
    assert found.rows[:, 0].tolist() == list(range(N))
    for row in range(0, N, 97):
        ids, distances = index.search_item(int(found.ids[row]), layout.N_NEIGHBOURS - 1, layout.RECALL)
        np.testing.assert_array_equal(found.ids[found.rows[row, 1:]], ids)
        np.testing.assert_array_equal(found.distances[row, 1:], distances)


@pytest.mark.parametrize(
    ("type_", "metric"), [("float32", "dot"), ("int8", "l2"), ("bit", "hamming"), ("float16", "l1")]
)
def test_every_type_and_metric_gives_distances_that_umap_can_read(db, type_, metric, rng):
    given = rng.integers(0, 2, (64, 16)) if type_ == "bit" else rng.integers(-100, 100, (64, 16))
    index = Index.create(db, "v", 16, metric, type=type_)
    index.add(np.arange(64), given)
    found = layout.neighbours(index)
    distances = layout.for_umap(found)
    assert (distances >= 0).all()
    assert (np.diff(distances, axis=1) >= 0).all()
    gaps = np.diff(found.distances[:, 1:], axis=1)
    np.testing.assert_allclose(np.diff(distances[:, 1:], axis=1), gaps, atol=1e-6 * np.abs(found.distances).max())


# --- places --------------------------------------------------------------------------------------


def test_a_map_is_drawn_kept_and_used_again(run, umap):
    code, out, _ = run("song_ann", "--color", "book", "--label", "title", "-o", "a.png")
    assert (code, out) == (0, "song_ann: a map of 1,200 rows, kept in the table song_ann_map, written to a.png\n")
    kept = rows_of(KEPT)
    assert [row[0] for row in kept] == list(range(0, 3 * N, 3))
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = run("song_ann", "--color", "book", "--label", "title", "-o", "b.png")
    assert (code, out) == (0, "song_ann: a map of 1,200 rows, from the table song_ann_map, written to b.png\n")
    assert Path("b.png").read_bytes() == Path("a.png").read_bytes()
    assert umap.calls == 1
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "b.png", "songs.db"]


def test_rows_that_come_or_go_and_again_make_it_anew(run, umap):
    run("song_ann")
    for sql in ("DELETE FROM song WHERE id = 9", "INSERT INTO song SELECT 9, 'new', '', 1, 1, NULL, 1, embedding FROM song"
                " WHERE id = 12", "UPDATE song_ann_map SET x = 'here' WHERE id = 12"):  # fmt: skip
        rows_of(sql)
        assert json.loads(run("song_ann", "--json")[1])["new"]
        assert not json.loads(run("song_ann", "--json")[1])["new"]
        assert rows_of("SELECT count(*) FROM song_ann_map") == rows_of("SELECT count(*) FROM song")
    assert run("song_ann", "--again")[0] == 0
    assert umap.calls == 5


def test_without_keeping_nothing_is_written(run, umap):
    before = Path("songs.db").read_bytes()
    code, out, _ = run("song_ann", "--no-keep", "-o", "a.svg", "--json")
    assert (code, json.loads(out)["table"]) == (0, None)
    assert Path("songs.db").read_bytes() == before


def test_a_failure_leaves_the_places_that_were(run, umap):
    run("song_ann")
    before = rows_of(KEPT)
    with contextlib.closing(sqlite_ann.connect("songs.db")) as db:
        with pytest.raises(ValueError, match="argument"):  # as many as fit, then one too few
            layout.keep(Index(db, "song_ann"), np.arange(N), np.zeros((N - 1, 2)))
        assert not db.in_transaction
    assert rows_of(KEPT) == before


def test_the_table_is_no_part_of_the_index(run, umap):
    run("song_ann")
    rows_of("ALTER TABLE song_ann RENAME TO tune_ann")
    assert rows_of("SELECT count(*) FROM song_ann_map") == [(N,)]
    rows_of("DROP TABLE tune_ann")
    assert rows_of("SELECT count(*) FROM song_ann_map") == [(N,)]


def test_stopping_leaves_nothing(run, umap, monkeypatch):
    monkeypatch.setattr(umap, "fit_transform", lambda self, vectors: (_ for _ in ()).throw(KeyboardInterrupt))
    code, out, said = run("song_ann", "-o", "a.png", "--export", "a.parquet")
    assert (code, out, said) == (1, "", "sqlite-ann: stopped; what was not finished is undone")
    assert sorted(path.name for path in Path().iterdir()) == ["songs.db"]
    assert rows_of("SELECT count(*) FROM sqlite_schema WHERE name = 'song_ann_map'") == [(0,)]


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", ["book", "year", "mixed", "title", "id"])
def test_names_and_numbers_of_every_kind_can_be_colours(run, umap, color):
    code, _, said = run("song_ann", "--color", color, "--label", "mixed", "-o", "a.svg")
    assert code == 0, said
    shown = Path("a.svg").read_text(encoding="utf-8")
    expected = {"book": "no book (240)", "mixed": "1.5 (300)", "title": "1,017 others (1,017)"}
    assert expected.get(color, f">{color}<") in shown
    assert "song_ann: 1,200 rows, each near its neighbours (cosine)" in shown


def test_a_column_without_any_value_can_be_drawn(tmp_path):
    places = np.random.default_rng(0).standard_normal((30, 2))
    scatter.draw(places, "a $title", tmp_path / "a.svg", ("book", [None] * 30), [None] * 30)
    assert "no book (30)" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    scatter.draw(np.zeros((30, 2)), "all in one place", tmp_path / "a.pdf", ("n", [0.5] * 30), ["one"] * 30)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_labels_are_spread_over_the_picture():
    places = np.vstack([np.random.default_rng(0).standard_normal((100, 2)) + 20 * corner
                        for corner in np.array([[0, 0], [0, 1], [1, 0], [1, 1]])])  # fmt: skip
    named = list(scatter.spread(places, np.ones(400, bool)))
    assert len({(x > 10, y > 10) for x, y in places[named]}) == 4
    assert len(named) <= scatter.CELLS**2
    assert list(scatter.spread(places, np.arange(400) == 7)) == [7]


# --- for other programs --------------------------------------------------------------------------


def test_the_parquet_file_has_neighbours_as_numbers_of_its_rows(run, umap):
    code, out, said = run(
        "song_ann", "--columns", "title", "mixed", "x", "sound", "--table", "song", "--export", "a.parquet"
    )
    assert (code, out.rsplit(", ", 1)[-1]) == (0, "written to a.parquet\n"), said
    table = pyarrow.parquet.read_table("a.parquet")
    assert table.column_names == ["id", "x", "y", "title", "mixed", "song.x", "sound", "neighbors"]
    assert list(zip(*(table[name].to_pylist() for name in ("id", "x", "y")), strict=True)) == rows_of(KEPT)
    assert table["mixed"][:4].to_pylist() == ["0", "text", None, "1.5"]
    assert table["song.x"].to_pylist() == list(range(N))
    with sqlite_ann.connect("songs.db") as db:
        for row in (0, 100, N - 1):
            near = table["neighbors"][row].as_py()
            sql = "SELECT id, distance FROM ann_search_item('song_ann', ?, 14, 0.98) WHERE exclude_self = 1"
            found = db.execute(sql, (table["id"][row].as_py(),)).fetchall()
            assert (near["ids"][0], near["distances"][0]) == (row, 0)
            assert [table["id"][i].as_py() for i in near["ids"][1:]] == [id_ for id_, _ in found]
            assert near["distances"][1:] == [distance for _, distance in found]
    run("song_ann", "--export", "b.parquet")  # with the places that are kept
    assert pyarrow.parquet.read_table("b.parquet")["neighbors"] == table["neighbors"]


def test_keys_are_columns_and_join_a_table_that_has_them(run, umap):
    assert run("word_ann", "--columns", "uuid", "--export", "a.parquet")[0] == 0
    assert pyarrow.parquet.read_table("a.parquet")["uuid"].to_pylist() == [f"k{i}" for i in range(60)]
    code, _, said = run("word_ann", "--label", "name", "--table", "word", "-o", "a.png", "--export", "b.parquet")
    assert code == 0, said
    names = pyarrow.parquet.read_table("b.parquet")["name"].to_pylist()
    assert names == [f"word {i}" if i < 50 else None for i in range(60)]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["few"], "few: expected 20 rows or more for a map, got 19"),
        (["nosuch"], "expected the name of an ann table, but there is no table nosuch"),
        (["song_ann", "--color", "nosuch"],
         "song has no column nosuch; it has id, title, book, year, mixed, sound, x, embedding"),
        (["song_ann", "--color", "sound"], "--color: expected a column of text or numbers, got sound, which has blobs"),
        (["song_ann", "--label", "embedding"],
         "--label: expected a column of text or numbers, got embedding, which has blobs"),
        (["plain", "--color", "title"], "--table says which table has title: plain has vectors alone"),
        (["song_ann", "-o", "no/a.png"], "there is no folder no"),
        (["song_ann", "--export", "no/a.parquet"], "there is no folder no"),
        (["song_ann", "--no-keep"], "expected -o or --export with --no-keep, or nothing would be left of the map"),
        (["taken"], "taken_map: expected a table of id, x and y, got one of title"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(run, umap, arguments, said):
    code, out, told = run(*arguments)
    assert (code, out) == (1, "")
    assert told.endswith(said)
    assert umap.calls == 0
    assert sorted(path.name for path in Path().iterdir()) == ["songs.db"]


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("-o", "a.gif", "argument -o: expected a file that ends in .svg, .png, .pdf, got 'a.gif'"),
        ("--export", "a.csv", "argument --export: expected a file that ends in .parquet, got 'a.csv'"),
    ],
)
def test_an_unknown_ending_is_misuse(run, capsys, option, name, said):
    with pytest.raises(SystemExit):
        run("song_ann", option, name)
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("umap", [], "map needs the package umap-learn: pip install 'sqlite_ann[map]'"),
        ("matplotlib", ["-o", "a.png"], "map needs the package matplotlib: pip install 'sqlite_ann[map]'"),
        (
            "pyarrow",
            ["--export", "a.parquet"],
            "writing Parquet needs the package pyarrow: pip install 'sqlite_ann[arrow]'",
        ),
    ],
)
def test_a_package_that_is_not_there_is_named_before_any_work(run, umap, monkeypatch, module, arguments, said):
    if module == "matplotlib":
        monkeypatch.delitem(sys.modules, "sqlite_ann.cli.scatter")
        monkeypatch.delattr("sqlite_ann.cli.scatter")
    monkeypatch.setitem(sys.modules, module, None)
    assert run("song_ann", *arguments) == (1, "", f"sqlite-ann: {said}")


def test_a_file_that_cannot_be_written_is_told_before_any_work(run, umap, monkeypatch):
    read_only = sqlite_ann.connect("songs.db", flags=apsw.SQLITE_OPEN_READONLY)
    monkeypatch.setattr("sqlite_ann.cli.map.index_of", lambda options: Index(read_only, options.index))
    said = "sqlite-ann: songs.db cannot be written to: --no-keep makes a map without keeping it there"
    assert run("song_ann") == (1, "", said)


# --- by umap-learn itself (tests/README.md) --------------------------------------------------------


@pytest.mark.slow
def test_umap_keeps_books_apart_and_gives_the_same_places_each_time(made):
    pytest.importorskip("umap", reason="umap-learn, of the extra map, is not installed")
    found = layout.neighbours(Index(made, "song_ann"))
    seen = []
    places = layout.laid_out(found, lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(layout.laid_out(found), places)
    assert seen[-1] == (500, 500)
    assert np.isfinite(places).all()
    nearest = np.argsort(((places[:, None] - places[None]) ** 2).sum(axis=2), axis=1)[:, 1:11]
    assert (nearest % 4 == np.arange(N)[:, None] % 4).mean() > 0.95


@pytest.mark.slow
def test_umap_draws_rows_that_are_alike_in_groups_that_nothing_joins(db, rng):
    pytest.importorskip("umap", reason="umap-learn, of the extra map, is not installed")
    index = Index.create(db, "v", DIM)
    index.add(np.arange(600), np.repeat(rng.standard_normal((20, DIM)), 30, axis=0))
    assert np.isfinite(layout.laid_out(layout.neighbours(index))).all()


def test_the_examples_of_the_help_are_of_the_demo():
    assert all(line.startswith("sqlite-ann map songs.db song_ann ") for line in EXAMPLES["map"])
