"""Random statements, transactions and savepoints, beside a dict that does the same."""

from __future__ import annotations

import apsw
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import sqlite_ann

ids = st.one_of(
    st.integers(0, 4600),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), -(2**63) + 1, -1, 0, 2**63 - 2, 2**63 - 1]),
)
seeds = st.integers(0, 2**32 - 1)


class Life(RuleBasedStateMachine):
    """A table v and its model {rowid: vector}; `saved` holds the model at BEGIN and at each savepoint."""

    start: bytes
    rows: tuple
    make_vectors = staticmethod(lambda rng, n: None)
    distances = staticmethod(lambda *_: [])

    @initialize()
    def open(self):
        self.db = sqlite_ann.connect(":memory:")
        self.db.deserialize("main", self.start)
        self.model = dict(zip(self.rows[0].tolist(), self.rows[1], strict=True))
        self.saved = []

    def teardown(self):
        if hasattr(self, "db"):
            self.sound()
            while self.saved:
                self.roll_back(0)
            self.sound()
            self.db.close()

    def sound(self):
        assert self.db.execute("SELECT * FROM ann_check('v')").fetchall() == []
        stored = dict(self.db.execute("SELECT rowid, embedding FROM v"))
        assert stored == {rowid: x.tobytes() for rowid, x in self.model.items()}

    def attempt(self, sql, bindings, change):
        """Run it; on a conflict of rowids the model stays as it was."""
        try:
            self.db.execute(sql, bindings)
        except apsw.ConstraintError:
            return
        self.model = change

    # --- rows

    @rule(rowid=ids, seed=seeds, conflict=st.sampled_from(["ABORT", "REPLACE", "IGNORE"]))
    def insert(self, rowid, seed, conflict):
        x = self.make_vectors(np.random.default_rng(seed), 1)[0]
        taken = rowid in self.model
        keep = taken and conflict == "IGNORE"
        change = self.model if keep else {**self.model, rowid: x}
        self.attempt(f"INSERT OR {conflict} INTO v(rowid, embedding) VALUES (?, ?)", (rowid, x.tobytes()), change)

    @rule(first=ids, n=st.integers(2, 400), step=st.integers(1, 9), seed=seeds, same=st.booleans())
    def insert_many(self, first, n, step, seed, same):
        new = [first + i * step for i in range(n) if first + i * step < 2**63]
        x = np.ascontiguousarray(self.make_vectors(np.random.default_rng(seed), len(new)))
        if same:
            x[:] = x[0]
        sql = "INSERT INTO v(rowid, embedding) SELECT id, vector FROM ann_rows(?, 16, NULL, ?)"
        bindings = (x.tobytes(), np.array(new, "<i8").tobytes())
        self.attempt(sql, bindings, {**self.model, **dict(zip(new, x, strict=True))})

    @rule(low=ids, span=st.integers(0, 1500))
    def delete(self, low, span):
        high = min(low + span, 2**63 - 1)
        self.db.execute("DELETE FROM v WHERE rowid BETWEEN ? AND ?", (low, high))
        self.model = {rowid: x for rowid, x in self.model.items() if not low <= rowid <= high}

    @rule(low=ids, span=st.integers(0, 300), seed=seeds)
    def update(self, low, span, seed):
        high = min(low + span, 2**63 - 1)
        x = self.make_vectors(np.random.default_rng(seed), 1)[0]
        self.db.execute("UPDATE v SET embedding = ? WHERE rowid BETWEEN ? AND ?", (x.tobytes(), low, high))
        self.model = {rowid: x if low <= rowid <= high else old for rowid, old in self.model.items()}

    @rule(old=ids, new=ids, conflict=st.sampled_from(["ABORT", "REPLACE", "IGNORE"]))
    def move(self, old, new, conflict):
        change = dict(self.model)
        if old in change and (conflict != "IGNORE" or new not in change):
            change[new] = change.pop(old)
        self.attempt(f"UPDATE OR {conflict} v SET rowid = ? WHERE rowid = ?", (new, old), change)

    @rule(
        command=st.sampled_from(
            ["optimize", "optimize 1", "optimize 40", "absorb=0", "absorb=5", "cache_mb=0", "cache_mb=64"]
        )
    )
    def command(self, command):
        command, _, k = command.partition(" ")
        self.db.execute("INSERT INTO v(v, k) VALUES (?, ?)", (command, k or None))

    # --- transactions

    @precondition(lambda self: len(self.saved) < 4)
    @rule()
    def savepoint(self):
        self.db.execute(f"SAVEPOINT s{len(self.saved)}")
        self.saved.append(self.model)

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def release(self, data):
        level = data.draw(st.integers(0, len(self.saved) - 1))
        self.db.execute(f"RELEASE s{level}")
        del self.saved[level:]

    @precondition(lambda self: self.saved)
    @rule(data=st.data(), stay=st.booleans())
    def undo(self, data, stay):
        level = data.draw(st.integers(0, len(self.saved) - 1))
        if stay:
            self.db.execute(f"ROLLBACK TO s{level}")
            self.model = self.saved[level]
            del self.saved[level + 1 :]
        else:
            self.roll_back(level)

    def roll_back(self, level):
        self.db.execute(f"ROLLBACK TO s{level}; RELEASE s{level}")
        self.model = self.saved[level]
        del self.saved[level:]

    # --- what must hold

    @invariant()
    def search_is_right(self):
        if not hasattr(self, "model"):
            return
        query = next(iter(self.model.values()), np.ones(16, np.float32))
        found = self.db.execute("SELECT id, distance FROM ann_search('v', ?, 7, 1)", (query.tobytes(),)).fetchall()
        if self.model:
            known = np.array(list(self.model), np.int64)
            assert found == self.distances("l2", query, known, np.array(list(self.model.values())), 7)
        quick = self.db.execute("SELECT id, distance FROM ann_search('v', ?, 7)", (query.tobytes(),)).fetchall()
        assert len(quick) == len(found) == min(7, len(self.model))
        assert all(id_ in self.model for id_, _ in quick)

    @rule()
    def check(self):
        self.sound()


@pytest.mark.slow
def test_a_table_and_a_dict_agree(forest_bytes, forest_rows, make_vectors, oracle):
    class FromForest(Life):
        start, rows = forest_bytes("l2"), forest_rows

    FromForest.make_vectors, FromForest.distances = staticmethod(make_vectors), staticmethod(oracle)
    limits = settings(
        max_examples=12, stateful_step_count=30, deadline=None, derandomize=True, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(FromForest, settings=limits)
