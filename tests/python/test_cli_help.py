"""The command line's own words: docs/CLI.md is its --help, and every example in it runs on the demo's database."""

from __future__ import annotations

import importlib.util
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import sqlite_ann
from sqlite_ann import Index
from sqlite_ann.annoy import export
from sqlite_ann.cli import main
from sqlite_ann.cli.parser import EXAMPLES
from sqlite_ann.demo import corpus, run
from tests.documents import ROOT

CLI_MD = ROOT / "docs" / "CLI.md"
N_SONGS = 2500  # enough for a forest


def test_the_page_is_the_help():
    spec = importlib.util.spec_from_file_location("cli_page", ROOT / "docs" / "cli.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = CLI_MD.read_text(encoding="utf-8")
    # Versions of Python break the lines of `usage` at other places.
    assert text.split() == page.text().split(), "python docs/cli.py writes it anew"
    assert text.count("\n") <= 400


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """A folder with a database like the demo's, and the files that the examples load."""
    monkeypatch.chdir(tmp_path)
    db = sqlite_ann.connect("songs.db")
    db.execute("BEGIN")
    db.execute(run.TABLES)
    columns = db.execute("SELECT name, type FROM pragma_table_info('song')").fetchall()
    vectors = rng.standard_normal((N_SONGS, 64)).astype("<f4")
    rows = [
        [i + 1 if name == "id" else v.tobytes() if name == "embedding" else 0 if type_ == "INTEGER" else f"{name} {i}"
         for name, type_ in columns]
        for i, v in enumerate(vectors)
    ]  # fmt: skip
    db.executemany(f"INSERT INTO song VALUES ({', '.join('?' * len(columns))})", rows)
    db.execute(run.INDEX)
    Index.create(db, "few", 64, "angular").add(np.arange(40), vectors[:40])
    export(db, "few", "songs.ann", n_trees=1)
    db.execute("DROP TABLE few; COMMIT")
    db.close()
    write_files(rng.standard_normal((20, 3)).astype(np.float32))
    return tmp_path


def write_files(rows):
    ids = np.arange(100, 120)
    np.save("vectors.npy", rows)
    np.save("ids.npy", ids)
    np.savez("songs.npz", vectors=-rows, ids=ids)
    lines = [",".join(map(str, [id_, *row])) for id_, row in zip(ids, rows.tolist(), strict=True)]
    Path("songs.csv").write_text("\n".join(["id,x,y,z", *lines]))
    lines = [json.dumps({"nr": id_, "melody": row}) for id_, row in zip(ids.tolist(), rows.tolist(), strict=True)]
    Path("songs.jsonl").write_text("\n".join(lines))
    pyarrow.parquet.write_table(pyarrow.table({"id": ids, "embedding": rows.tolist()}), "songs.parquet")


def run_line(line, monkeypatch, capsys):
    """One command as a shell would run it, with < and >; the exit code and what it printed."""
    words = shlex.split(line)
    assert words[0] == "sqlite-ann"
    if "<" in words:
        at = words.index("<")
        content = Path(words[at + 1]).read_bytes()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        del words[at : at + 2]
    if ">" in words:
        del words[words.index(">") :]
    code = main(words[1:])
    return code, capsys.readouterr()


@pytest.mark.slow
def test_every_example_of_the_help_runs_on_a_database_like_the_demos(folder, monkeypatch, capsys):
    for command, lines in EXAMPLES.items():
        for line in lines if command not in ("demo", "map", "mcp", "serve") else []:
            code, shown = run_line(line, monkeypatch, capsys)
            assert code == 0, f"{line}: {shown.err}"
            assert shown.out, line
    assert (folder / "recall.svg").read_text(encoding="utf-8").startswith("<?xml")
    db = sqlite_ann.connect("songs.db")
    lengths = {name: len(Index(db, name)) for name in ("song_ann", "array_ann", "text_ann", "lines_ann", "pipe_ann")}
    assert lengths == {"song_ann": N_SONGS, "array_ann": 20, "text_ann": 20, "lines_ann": 20, "pipe_ann": 20}
    assert not db.table_exists(None, "copy_ann")
    np.testing.assert_array_equal(Index(db, "text_ann").get(100), Index(db, "lines_ann").get(100))


@pytest.mark.data
def test_the_demo_makes_what_the_examples_search(tmp_path, monkeypatch, capsys):
    if corpus.find_wheel(corpus.cache_folder()) is None:
        pytest.skip("the corpus is not in the cache: `make demo` fetches it")
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--quiet"]) == 0
    for line in [*EXAMPLES["list"], *EXAMPLES["search"][:2], *EXAMPLES["recall"], *EXAMPLES["explain"]]:
        code, shown = run_line(line, monkeypatch, capsys)
        assert (code, bool(shown.out)) == (0, True), shown.err
