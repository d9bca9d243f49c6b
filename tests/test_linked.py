"""The extension linked into a program beside SQLite, in place of loading it: -DSQLITE_CORE."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documents import ROOT

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

FLAGS = ["gcc", "-std=c11", "-O0", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/c_ext"]
PROGRAM = r"""
#include <sqlite3.h>
#include <stdio.h>

int ann_extra_init(const char *unused);

static int show(void *unused, int n, char **values, char **names) {
  (void)unused, (void)names;
  return n != 1 || puts(values[0]) < 0;
}

int main(void) {
  sqlite3 *db;
  if (ann_extra_init(NULL) || sqlite3_open(":memory:", &db)) return 1;
  sqlite3_exec(db, "CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB);"
    "INSERT INTO song VALUES (1, ann_vector('[9, 1, 6]')), (2, ann_vector('[1, 9, 1]'));"
    "CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[3], metric=l2, content=song);"
    "SELECT id FROM ann_search('song_ann', '[1, 8, 1]', 1)", show, NULL, NULL);
  puts(sqlite3_errmsg(db));
  return sqlite3_close(db);
}
"""


@pytest.mark.slow
def test_every_connection_of_such_a_program_has_it(tmp_path: Path):
    main, program = tmp_path / "main.c", tmp_path / "program"
    main.write_text(PROGRAM, "utf-8")
    sources = [main, ROOT / ".ci/wasm/init.c", *sorted(ROOT.glob("c_ext/*/*.c"))]
    build = [*FLAGS, "-DSQLITE_CORE", *sources, "-lsqlite3", "-lm", "-pthread", "-o", program]
    subprocess.run(build, check=True, timeout=250)
    assert subprocess.run([program], capture_output=True, text=True, timeout=60).stdout == "2\nnot an error\n"


@pytest.mark.parametrize("defined", [["-DSQLITE_CORE"], ["-DSQLITE_CORE", "-DSQLITE_OMIT_DECLTYPE"]])
def test_whether_columns_have_types_may_be_left_out_of_sqlite(defined: list[str]):
    subprocess.run([*FLAGS, *defined, "-fsyntax-only", ROOT / "c_ext/index/db.c"], check=True, timeout=60)
