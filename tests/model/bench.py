"""Two connections to a database file beside the model: what random statements are made of, and what must hold.

One connection writes, the other sees what is committed. Each has two files, `main` and `aux`.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import apsw
import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

import sqlite_ann

from . import checks
from .checks import blob, quoted
from .model import LAST_ID, Key, Model, Table, Vector

SCHEMAS = ("main", "aux")
NAMES = ("v", "w", 'the "q"', "V 2")
METRICS = st.sampled_from(("l2", "cosine", "l1", "dot"))
FOREST = 1500  # rows of a load that makes a forest


class Bench(RuleBasedStateMachine):
    journal = "delete"  # subclasses say which

    @initialize(
        seed=st.integers(0, 2**32 - 1), metric=METRICS, trees=st.integers(1, 3),
        rows=st.sampled_from((FOREST, FOREST, 1030, 0)), optimize=st.booleans(),
    )  # fmt: skip
    def start(self, seed: int, metric: str, trees: int, rows: int, optimize: bool) -> None:
        self.choice = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="ann-model-"))
        self.model = Model()
        self.trees = trees
        self.held: apsw.Cursor | None = None  # a statement of the writer that was not read to its end
        self.seen: dict[Key, Table] | None = None  # what the reader's open transaction sees
        self.copy: dict[Key, Table] | None = None  # tables of main when it was copied to copy.db
        self.db, self.other = self.connect(), self.connect()
        key = ("main", NAMES[0])
        self.create(key, metric)
        self.load(key, rows)
        if optimize:
            self.command(key, "optimize")

    def connect(self) -> apsw.Connection:
        db = sqlite_ann.connect(self.folder / "main.db")
        db.execute("ATTACH ? AS aux", (str(self.folder / "aux.db"),))
        for schema in SCHEMAS:
            db.execute(f"PRAGMA {schema}.journal_mode = {self.journal}; PRAGMA {schema}.synchronous = off")
        return db

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.close()
            shutil.rmtree(self.folder)

    def close(self) -> None:
        self.let_go()
        self.db.close()
        self.other.close()
        self.seen = None

    # --- what rules are made of ------------------------------------------------------------------

    def vectors(self, key: Key, n: int) -> list[Vector]:
        return self.around(self.model.tables[key].dimensions, n)

    def around(self, dimensions: int, n: int) -> list[Vector]:
        """Whole numbers around a few centres: near ones, ties and duplicates."""
        centres = np.random.default_rng(dimensions).integers(-12, 13, (9, dimensions))
        around = centres[self.rng.integers(0, 9, n)] + self.rng.integers(-2, 3, (n, dimensions))
        return [tuple(vector) for vector in around.tolist()]

    def any_table(self) -> Key:
        return self.choice.choice(sorted(self.model.tables))

    def run(self, sql: str, arguments: tuple[object, ...], done: bool) -> None:
        """The statement succeeds, or fails because an id is taken."""
        try:
            self.db.execute(sql, arguments)
        except apsw.ConstraintError as error:
            assert not done, error
            assert error.extendedresult == apsw.SQLITE_CONSTRAINT_ROWID
            assert "is there already" in str(error)
        else:
            assert done, f"expected a conflict: {sql}"

    def load(self, key: Key, n: int, first: int | None = None, step: int = 1, verb: str = "ABORT") -> None:
        """n rows in one statement."""
        table = self.model.tables[key]
        first = max((i for i in table.rows if i < 2**60), default=0) + 1 if first is None else first
        ids = [i for i in range(first, first + n * step, step) if i <= LAST_ID]
        rows = list(zip(ids, self.vectors(key, len(ids)), strict=True))
        done = self.model.statement(lambda: self.model.tables[key].insert(rows, verb), verb)
        self.run(
            f"INSERT OR {verb} INTO {quoted(*key)}(rowid, embedding) SELECT id, vector FROM ann_rows(?, ?, 'float32', ?)",
            (b"".join(blob(v) for _, v in rows), table.dimensions, np.array(ids, "<i8").tobytes()), done,
        )  # fmt: skip

    def command(self, key: Key, text: str, k: int | None = None) -> None:
        before = self.db.last_insert_rowid()
        self.db.execute(f"INSERT INTO {quoted(*key)}({quoted(key[1])}, k) VALUES (?, ?)", (text, k))
        assert self.db.last_insert_rowid() == before
        self.model.statement(lambda: None)

    def some_ids(self, key: Key, n: int) -> list[int]:
        """Ids of the table next to each other or anywhere, and one that it may not have."""
        ids = sorted(self.model.tables[key].rows)
        n = min(n, len(ids))
        at = self.choice.randrange(len(ids) - n + 1)
        chosen = ids[at : at + n] if self.choice.random() < 0.5 else self.choice.sample(ids, n)
        return [*chosen, self.choice.choice((5, LAST_ID, self.choice.randrange(3000)))]

    def let_go(self) -> None:
        if self.held is not None:
            self.held.close(True)
            self.held = None

    def create(self, key: Key, metric: str) -> None:
        dimensions = self.choice.choice((8, 3, 33))
        self.db.execute(
            f"CREATE VIRTUAL TABLE {quoted(*key)} USING ann(embedding float32[{dimensions}], metric={metric},"
            f" trees={self.trees}, leaf_capacity=32)"
        )
        self.model.statement(lambda: self.model.tables.update({key: Table(dimensions, metric)}))

    def drop_table(self, key: Key) -> None:
        self.let_go()
        self.db.execute(f"DROP TABLE {quoted(*key)}")
        self.model.statement(lambda: self.model.tables.pop(key))

    # --- after every step ------------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """Looked at in any order: what comes first may find what nothing has touched since."""
        if not hasattr(self, "db"):
            return
        looks = [lambda: checks.same_rows(self.db, self.model.tables), self.others_agree]
        looks += [
            lambda key=key: self.searches_agree(self.db, key, self.model.tables[key]) for key in self.model.tables
        ]
        # these write down what a transaction has in memory: only now and then, so that some lasts
        if not self.model.in_transaction or self.choice.random() < 0.3:
            looks += [lambda key=key: checks.sound(self.db, key) for key in self.model.tables]
        if self.choice.random() < 0.1:
            looks.append(self.whole_file_is_sound)
        self.choice.shuffle(looks)
        for look in looks:
            look()

    def searches_agree(self, db: apsw.Connection, key: Key, table: Table) -> None:
        checks.same_searches(db, key, table, self.around(table.dimensions, 1)[0], self.choice)

    def whole_file_is_sound(self) -> None:
        assert self.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def others_agree(self) -> None:
        """The other connection sees what is committed, or what was when it began to read."""
        seen = self.model.committed if self.seen is None else self.seen
        if self.choice.random() < 0.5:
            checks.same_rows(self.other, seen)
        for key, table in seen.items():
            if self.choice.random() < 0.3:
                self.searches_agree(self.other, key, table)
