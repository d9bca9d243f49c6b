"""Random statements on a database file and on the model.

The connections change roles now and then, so that both have something to forget.
"""

from __future__ import annotations

import apsw
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from .bench import FOREST, METRICS, NAMES, SCHEMAS, Bench
from .checks import blob, quoted
from .model import FIRST_ID, LAST_ID, copied

VERBS = st.sampled_from(("ABORT", "ABORT", "IGNORE", "REPLACE", "FAIL", "ROLLBACK"))
EDGES = (FIRST_ID, FIRST_ID + 1, -1, 0, 1, 2**53, LAST_ID - 1, LAST_ID)
LARGE = 4000  # rows that a table may have


def in_transaction(machine: Bench) -> bool:
    return machine.model.in_transaction


def outside(machine: Bench) -> bool:
    """No transaction, nobody reads: what needs the whole file may run."""
    return not machine.model.in_transaction and machine.seen is None and machine.held is None


def has_table(machine: Bench) -> bool:
    return bool(machine.model.tables)


class Machine(Bench):
    # --- rows ------------------------------------------------------------------------------------

    @precondition(has_table)
    @rule(edge=st.sampled_from((None, None, *EDGES)), near=st.integers(-3, 3000), verb=VERBS)
    def insert_one(self, edge: int | None, near: int, verb: str) -> None:
        key = self.any_table()
        vector = self.vectors(key, 1)[0]
        row = near if edge is None else edge
        done = self.model.statement(lambda: self.model.tables[key].insert([(row, vector)], verb), verb)
        self.run(f"INSERT OR {verb} INTO {quoted(*key)}(rowid, embedding) VALUES (?, ?)", (row, blob(vector)), done)

    @precondition(has_table)
    @rule(n=st.sampled_from((1, 1, 5)))
    def insert_without_id(self, n: int) -> None:
        key = self.any_table()
        for vector in self.vectors(key, n):
            expected = self.model.tables[key].next_id()
            self.db.execute(f"INSERT INTO {quoted(*key)}(embedding) VALUES (?)", (str(list(vector)),))
            row = self.db.last_insert_rowid()
            assert row == expected if expected is not None else row not in self.model.tables[key].rows
            self.model.statement(lambda row=row, vector=vector: self.model.tables[key].insert([(row, vector)]))

    @precondition(has_table)
    @rule(
        n=st.sampled_from((2, 63, 65, 100, 400, FOREST)), first=st.sampled_from((None, None, -50, 40, 5000)),
        step=st.sampled_from((1, 1, 3, 1000)), verb=VERBS,
    )  # fmt: skip
    def insert_many(self, n: int, first: int | None, step: int, verb: str) -> None:
        key = self.any_table()
        if len(self.model.tables[key].rows) + n <= LARGE:
            self.load(key, n, first, step, verb)

    @precondition(has_table)
    @rule(n=st.sampled_from((2, 70)))
    def insert_bad_vector(self, n: int) -> None:
        """The last vector is refused; nothing of the statement stays."""
        key = self.any_table()
        vectors = [str(list(vector)) for vector in self.vectors(key, n)]
        vectors[-1] = "[1, 2"
        try:
            self.db.execute(f"INSERT INTO {quoted(*key)}(embedding) SELECT value FROM json_each(?)",
                            ("[" + ",".join(f'"{v}"' for v in vectors) + "]",))  # fmt: skip
        except apsw.SQLError as error:
            assert "expected" in str(error)
        else:
            raise AssertionError("a bad vector was taken")

    @precondition(has_table)
    @rule(n=st.sampled_from((1, 1, 20, 300)))
    def update_vectors(self, n: int) -> None:
        key = self.any_table()
        vector = self.vectors(key, 1)[0]
        ids = self.some_ids(key, n)
        self.model.statement(lambda: self.model.tables[key].update(ids, vector))
        self.db.execute(f"UPDATE {quoted(*key)} SET embedding = ? WHERE rowid IN (SELECT value FROM json_each(?))",
                        (blob(vector), str(ids)))  # fmt: skip

    @precondition(has_table)
    @rule(n=st.sampled_from((1, 1, 20)), by=st.sampled_from((1, -1, 700, 10**9)), verb=VERBS)
    def update_ids(self, n: int, by: int, verb: str) -> None:
        key = self.any_table()
        ids = sorted(i for i in set(self.some_ids(key, n)) if abs(i) < 2**62)
        done = self.model.statement(lambda: self.model.tables[key].move(ids, by, verb), verb)
        self.run(f"UPDATE OR {verb} {quoted(*key)} SET rowid = rowid + ?"
                 " WHERE rowid IN (SELECT value FROM json_each(?))", (by, str(ids)), done)  # fmt: skip

    @precondition(has_table)
    @rule(n=st.sampled_from((1, 1, 30, 500)))
    def delete(self, n: int) -> None:
        key = self.any_table()
        ids = self.some_ids(key, n)
        self.model.statement(lambda: self.model.tables[key].delete(ids))
        self.db.execute(f"DELETE FROM {quoted(*key)} WHERE rowid IN (SELECT value FROM json_each(?))", (str(ids),))

    @precondition(has_table)
    @rule(low=st.sampled_from((None, 0, 1000)))
    def delete_range(self, low: int | None) -> None:
        """All rows, or all above an id."""
        key = self.any_table()
        low = FIRST_ID if low is None else low
        self.model.statement(lambda: (t := self.model.tables[key]).delete([i for i in t.rows if i >= low]))
        self.db.execute(f"DELETE FROM {quoted(*key)} WHERE rowid >= ?", (low,))

    # --- commands --------------------------------------------------------------------------------

    @precondition(has_table)
    @rule(k=st.sampled_from((None, None, 1, 5, 40)))
    def optimize(self, k: int | None) -> None:
        self.command(self.any_table(), "optimize", k)

    @precondition(has_table)
    @rule(text=st.sampled_from(("rebuild", "cache_mb=0", "cache_mb=64", "absorb=0", "absorb=25", "integrity-check")))
    def set_or_rebuild(self, text: str) -> None:
        self.command(self.any_table(), text)

    # --- transactions ----------------------------------------------------------------------------

    @precondition(lambda self: not in_transaction(self))
    @rule(mode=st.sampled_from(("", "IMMEDIATE")))
    def begin(self, mode: str) -> None:
        self.model.begin()
        self.db.execute(f"BEGIN {mode}")

    @precondition(in_transaction)
    @rule()
    def commit(self) -> None:
        self.model.commit()
        self.db.execute("COMMIT")

    @precondition(in_transaction)
    @rule()
    def rollback(self) -> None:
        self.model.rollback()
        self.db.execute("ROLLBACK")

    @rule(name=st.sampled_from("ab"))
    def savepoint(self, name: str) -> None:
        self.model.savepoint(name)
        self.db.execute(f"SAVEPOINT {name}")

    @precondition(lambda self: self.model.savepoints)
    @rule(verb=st.sampled_from(("RELEASE", "ROLLBACK TO", "ROLLBACK TO")))
    def end_savepoint(self, verb: str) -> None:
        name = self.choice.choice([name for name, _ in self.model.savepoints])
        (self.model.release if verb == "RELEASE" else self.model.rollback_to)(name)
        self.db.execute(f"{verb} {name}")

    # --- the tables themselves, and the file -----------------------------------------------------

    @precondition(lambda self: len(self.model.tables) < 2)
    @rule(schema=st.sampled_from(SCHEMAS), metric=METRICS)
    def create_another(self, schema: str, metric: str) -> None:
        self.let_go()
        self.create((schema, next(n for n in NAMES if (schema, n) not in self.model.tables)), metric)

    @precondition(has_table)
    @rule(metric=METRICS, rows=st.sampled_from((0, 3, FOREST)))
    def create_again(self, metric: str, rows: int) -> None:
        """Another table of the same name."""
        key = self.any_table()
        self.drop_table(key)
        self.create(key, metric)
        self.load(key, rows)

    @precondition(has_table)
    @rule()
    def rename(self) -> None:
        self.let_go()
        key = self.any_table()
        new = (key[0], self.choice.choice([n for n in NAMES if (key[0], n) not in self.model.tables]))
        self.db.execute(f"ALTER TABLE {quoted(*key)} RENAME TO {quoted(new[1])}")
        self.model.statement(lambda: self.model.tables.update({new: self.model.tables.pop(key)}))

    @precondition(has_table)
    @rule()
    def drop(self) -> None:
        self.drop_table(self.any_table())

    @precondition(outside)
    @rule(schema=st.sampled_from(SCHEMAS))
    def vacuum(self, schema: str) -> None:
        self.db.execute(f"VACUUM {schema}")

    @precondition(outside)
    @rule()
    def keep_copy(self) -> None:
        """Copy main's pages to another file."""
        with apsw.Connection(str(self.folder / "copy.db")) as target, target.backup("main", self.db, "main") as backup:
            backup.step()
        self.copy = {key: table for key, table in copied(self.model.committed).items() if key[0] == "main"}

    @precondition(lambda self: outside(self) and self.copy is not None)
    @rule()
    def restore_copy(self) -> None:
        """Copy them back, into the open connection."""
        with apsw.Connection(str(self.folder / "copy.db")) as source, self.db.backup("main", source, "main") as backup:
            backup.step()
        assert self.copy is not None
        self.model.tables = copied(self.copy) | {k: t for k, t in self.model.tables.items() if k[0] == "aux"}
        self.model.statement(lambda: None)

    # --- connections -----------------------------------------------------------------------------

    @rule()
    def reopen(self) -> None:
        """What was not committed is gone."""
        self.close()
        self.model.rollback()
        self.db, self.other = self.connect(), self.connect()

    @precondition(outside)
    @rule()
    def change_roles(self) -> None:
        self.db, self.other = self.other, self.db

    @precondition(lambda self: self.journal == "wal" and self.seen is None)
    @rule()
    def reader_begins(self) -> None:
        self.other.execute("BEGIN")
        for schema in SCHEMAS:
            self.other.execute(f"SELECT count(*) FROM {schema}.sqlite_schema").get  # noqa: B018 (reads)
        self.seen = copied(self.model.committed)

    @precondition(lambda self: self.seen is not None)
    @rule()
    def reader_ends(self) -> None:
        self.other.execute("COMMIT")
        self.seen = None

    @precondition(has_table)
    @rule(scan=st.booleans())
    def hold(self, scan: bool) -> None:
        """Read a few rows and leave the statement where it is."""
        self.let_go()
        key = self.any_table()
        self.held = (
            self.db.execute(f"SELECT rowid, embedding FROM {quoted(*key)}") if scan
            else self.db.execute("SELECT id FROM ann_search(?, ?, 1000)", (".".join(key), blob(self.vectors(key, 1)[0])))
        )  # fmt: skip
        self.held.fetchone()

    @precondition(lambda self: self.held is not None)
    @rule()
    def read_on(self) -> None:
        """The table under the statement has changed; rows, an end or a clean error may come."""
        assert self.held is not None
        try:
            for _ in range(200):
                if self.held.fetchone() is None:
                    break
        except (apsw.AbortError, apsw.SQLError):
            pass
        self.let_go()
