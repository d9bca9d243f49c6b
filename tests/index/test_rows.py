"""Pages and vectors kept in memory: never older than the database, never more than the budget."""

from __future__ import annotations

import apsw
import numpy as np
import pytest

import sqlite_ann
from tests import alter, arithmetic

from .conftest import D, Table, clustered


@pytest.fixture
def shared(tmp_path):
    """Two connections to one file with a forest, both of which have searched it."""
    path = str(tmp_path / "shared.db")
    ours = Table(sqlite_ann.connect(path)).create(trees=2).load(clustered(2000, 1)[:1200])
    theirs = Table(sqlite_ann.connect(path))
    return ours, theirs


def warm(table, queries):
    """Search until all is in memory; what was found."""
    for query in queries:
        table.search(query)
    return [table.search(query) for query in queries]


def is_exact(table, queries):
    """Searching at recall 1 reads the vectors table; so near 1 it walks the forest and ranks kept rows."""
    return all(
        [d for _, d in table.search(q, 3, 0.999)] == pytest.approx([d for _, d in table.exact(q, 3)], rel=1e-5)
        for q in queries
    )


def test_a_second_search_reads_nothing_anew(forest, near):
    table = forest()
    warm(table, near[:20])
    held, hits = table.info("cache_bytes"), table.info("cache_hits")
    for query in near[:20]:
        table.search(query)
    assert held > 0
    assert table.info("cache_bytes") == held
    assert table.info("cache_hits") > hits + 20 * 10


def test_own_changes_are_seen_at_once_and_in_every_transaction(forest, near):
    table = forest()
    warm(table, near[:20])
    query, far = near[3], near[3] + 100
    table.insert(5000, query)
    assert table.search(query, 10, 0.999)[0] == (5000, 0.0)
    table.db.execute("UPDATE v SET e = ? WHERE rowid = 5000", (far.tobytes(),))
    assert 5000 not in [id_ for id_, _ in table.search(query)]
    with table.db:
        table.db.execute("UPDATE v SET e = ? WHERE rowid = 5000", (query.tobytes(),))
        assert table.search(query, 10, 0.999)[0] == (5000, 0.0)
        table.db.execute("DELETE FROM v WHERE rowid = 5000")
        assert 5000 not in [id_ for id_, _ in table.search(query)]
    assert is_exact(table, near[:20])


@pytest.mark.parametrize("end", ["ROLLBACK", "ROLLBACK TO here; RELEASE here; COMMIT"])
def test_what_was_rolled_back_is_forgotten(forest, near, end):
    table = forest()
    before = warm(table, near[:20])
    table.db.execute("BEGIN; SAVEPOINT here")
    for i in range(20):
        table.db.execute("UPDATE v SET e = ? WHERE rowid = ?", ((near[i] + 50).tobytes(), before[i][0][0]))
    assert warm(table, near[:20]) != before
    table.db.execute(end)
    assert [table.search(query) for query in near[:20]] == before


def test_a_statement_that_fails_takes_back_what_it_kept(forest, near):
    table = forest()
    before = warm(table, near[:20])
    nearest = before[0][0][0]
    with pytest.raises(apsw.SQLError):
        table.db.execute(
            "UPDATE v SET e = CASE rowid WHEN ? THEN ? ELSE 'no vector' END WHERE rowid IN (?, ?)",
            (nearest, (near[0] + 50).tobytes(), nearest, 1199),
        )
    assert [table.search(query) for query in near[:20]] == before


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_changes_of_another_connection_are_seen(shared, near, journal):
    ours, theirs = shared
    ours.db.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    warm(ours, near[:20])
    for i in range(5):
        theirs.insert(9000 + i, near[i])
        assert ours.search(near[i], 10, 0.999)[0] == (9000 + i, 0.0)
        theirs.delete([9000 + i])
        assert 9000 + i not in [id_ for id_, _ in ours.search(near[i])]
    theirs.command("rebuild")
    assert is_exact(ours, near[:20])


def test_a_reader_sees_one_state_while_another_writes(shared, near):
    ours, theirs = shared
    ours.db.execute("PRAGMA journal_mode = wal").fetchall()
    before = warm(ours, near[:10])
    with ours.db:
        ours.search(near[0])
        for i in range(10):
            theirs.insert(9000 + i, near[i])
        assert [ours.search(query) for query in near[:10]] == before
    assert [ours.search(near[i], 10, 0.999)[0] for i in range(10)] == [(9000 + i, 0.0) for i in range(10)]


def test_another_database_under_the_same_name_is_another_table(forest, near):
    table = forest()
    warm(table, near[:10])
    other = Table(sqlite_ann.connect(":memory:")).create().load(clustered(2000, 1)[:1200] + 10)
    table.db.deserialize("main", other.db.serialize("main"))
    assert is_exact(table, near[:10] + 10)
    back = forest()
    with back.db.backup("main", other.db, "main") as backup:
        backup.step()
    assert is_exact(back, near[:10] + 10)


def test_an_attached_table_can_be_detached_after_a_search(db, tmp_path, near):
    for name, shift in (("one", 0), ("two", 10)):
        there = Table(sqlite_ann.connect(str(tmp_path / name))).create().load(clustered(2000, 1)[:1200] + shift)
        there.db.close()
    for name, shift in (("one", 0), ("two", 10), ("one", 0)):
        db.execute("ATTACH ? AS there", (str(tmp_path / name),))
        found = db.execute("SELECT distance FROM ann_search('there.v', ?, 1)", ((near[0] + shift).tobytes(),)).get
        assert found < 2
        db.execute("DETACH there")


def test_vacuum_and_commits_of_others_tables_change_nothing(shared, near):
    ours, _ = shared
    before = warm(ours, near[:10])
    ours.db.execute("CREATE TABLE played(id); INSERT INTO played VALUES (1)")
    assert [ours.search(query) for query in near[:10]] == before
    ours.db.execute("VACUUM")
    assert [ours.search(query) for query in near[:10]] == before


def test_a_table_larger_than_its_budget_is_kept_in_part(table):
    vectors = clustered(4000, 3, 256)
    table.create(d=256, cache_mb=1).load(vectors)
    full, cut = [], []
    for query in vectors[::40]:
        table.command("cache_mb=100")
        full.append(table.search(query))
        table.command("cache_mb=1")
        cut.append(table.search(query))
        assert 0 < table.info("cache_bytes") <= 1 << 20
    assert full == cut
    table.command("cache_mb=0")
    assert [table.search(query) for query in vectors[::40]] == full
    assert table.info("cache_bytes") == 0


def test_warm_fills_the_budget_and_no_more(forest, near):
    table = forest()
    table.command("warm")
    held = table.info("cache_bytes")
    pages = sum(bytes_ for (bytes_,) in table.db.execute("SELECT bytes FROM ann_pages('v')"))
    assert held > pages + 1200 * D * 4
    warm(table, near[:100])
    assert table.info("cache_bytes") == held
    table.command("cache_mb=0")
    table.command("warm")
    assert table.info("cache_bytes") == 0
    assert is_exact(table, near[:10])


def test_no_memory_for_the_cache_is_no_error(forest, near):
    table = forest()
    expected = warm(table, near[:10])
    table.command("cache_mb=0")
    assert [table.search(query) for query in near[:10]] == expected


def test_damage_is_met_by_a_connection_that_had_the_page_in_memory(shared, near):
    ours, theirs = shared
    warm(ours, near[:10])
    theirs.db.execute("UPDATE v_pages SET data = zeroblob(length(data))")
    alter.sums(theirs.db, "v", 1)
    with pytest.raises(apsw.CorruptError):
        ours.search(near[0])


def test_searches_while_rows_change_find_what_a_connection_without_a_cache_finds(shared, near):
    ours, theirs = shared
    theirs.command("cache_mb=0")
    rng = np.random.default_rng(5)
    for step in range(120):
        id_ = int(rng.integers(0, 1200))
        writer = (ours, theirs)[step % 2]
        if step % 3 == 0:
            writer.delete([id_])
        else:
            writer.insert(id_, near[rng.integers(0, 2000)], "INSERT OR REPLACE")
        for query in near[rng.integers(0, 2000, 3)]:
            assert ours.search(query) == theirs.search(query)


def test_a_small_table_is_read_once_and_every_change_is_seen(table, near):
    """Below the size of a forest every search looks at every row: from memory, the second time."""
    table.create().load(near[:300])
    table.search(near[0])
    hits = table.info("cache_hits")
    assert [id_ for id_, _ in table.search(near[0])] == [id_ for id_, _ in table.exact(near[0])]
    assert table.info("cache_hits") == hits + 300

    def right(query):
        found, true = table.search(query), table.exact(query)
        assert [d for _, d in found] == pytest.approx([d for _, d in true], rel=1e-6, abs=1e-6)
        return {id_ for id_, _ in found} == {id_ for id_, _ in true}

    table.insert(1000, near[5])
    assert table.search(near[5])[0][0] in (5, 1000)
    assert right(near[5])
    table.insert(-7, near[6])
    assert right(near[6])
    table.delete([1000, 5])
    assert right(near[5])
    table.db.execute("BEGIN")
    table.db.execute("UPDATE v SET e = ? WHERE rowid = 6", ((near[6] + 9).tobytes(),))
    table.insert(2000, near[7])
    assert right(near[6])
    assert right(near[7])
    table.db.execute("ROLLBACK")
    table._read = (-1, None)  # what numpy knows of the table is from before the rollback
    assert right(near[6])
    assert right(near[7])
    assert table.search(near[6], 3, None, "id IN (SELECT value FROM json_each('[3, 4]'))")[0][0] in (3, 4)
    assert right(near[8])


# ---- every row, in the order of memory ----


def all_rows(table, query):
    """Every (id, distance) as an exact search has them; what it took from memory."""
    hits = table.info("cache_hits")
    found = table.db.execute(
        "SELECT id, distance FROM ann_search('v', ?, 100000, 1) ORDER BY rank", (query.astype("<f4").tobytes(),)
    ).fetchall()
    return found, table.info("cache_hits") - hits


def of_numpy(content, query):
    """The same for {id: vector}."""
    ids = np.array(sorted(content), dtype=np.int64)
    near, far = arithmetic.exact("l2", ids, np.array([content[i] for i in ids.tolist()]), query, len(ids))
    return list(zip(near.tolist(), far.tolist(), strict=True))


@pytest.fixture
def whole(near):
    """2,000 vectors of whole numbers, so that distances are numpy's to the last bit."""
    return np.round(8 * near)


ORDERS = {
    "ascending": range(300),
    "descending": range(300, 0, -1),
    "random": np.random.default_rng(1).permutation(300).tolist(),
    "gaps": range(-(2**62), 2**62, 2**63 // 300),
    "negative": range(-300, 0),
}


@pytest.mark.parametrize("order", ORDERS)
def test_an_exact_search_reads_once_and_follows_every_change(table, whole, order):
    ids = list(ORDERS[order])[:300]
    table.create()
    content = dict(zip(ids, whole[:300], strict=True))
    for id_, vector in content.items():
        table.insert(id_, vector)
    all_rows(table, whole[0])

    def follows(query):
        found, from_memory = all_rows(table, query)
        assert found == of_numpy(content, query)
        assert from_memory == len(content), "no row was read anew"

    follows(whole[0])
    middle = (min(ids) + max(ids)) // 2
    for n, id_ in enumerate([max(ids) + 5, min(ids) - 5, middle]):
        content[id_] = whole[400 + n]
        table.insert(id_, whole[400 + n], "INSERT OR REPLACE")
        follows(whole[400 + n])
    for id_ in (ids[0], ids[-1], ids[150], middle):
        content.pop(id_, None)
        table.delete([id_])
        follows(whole[1])
    for n, id_ in enumerate(ids[10:20]):
        content[id_] = whole[500 + n]
        table.db.execute("UPDATE v SET e = ? WHERE rowid = ?", (whole[500 + n].astype("<f4").tobytes(), id_))
    follows(whole[505])
    table.db.execute("UPDATE v SET rowid = ? WHERE rowid = ?", (max(ids) + 9, ids[20]))
    content[max(ids) + 9] = content.pop(ids[20])
    follows(whole[20])


def test_a_row_that_is_refused_or_not_there_changes_nothing(table, whole):
    table.create().load(whole[:300])
    content = dict(enumerate(whole[:300]))
    all_rows(table, whole[0])
    with pytest.raises(apsw.ConstraintError):
        table.insert(7, whole[400])
    assert all_rows(table, whole[1])[0] == of_numpy(content, whole[1])
    table.db.execute("INSERT OR IGNORE INTO v(rowid, e) VALUES (7, ?)", (whole[400].tobytes(),))
    table.delete([12345])
    assert all_rows(table, whole[2]) == (of_numpy(content, whole[2]), 300)


def test_an_update_of_a_row_that_its_own_function_deleted_is_none(table, whole):
    table.create().load(whole[:300])
    content = dict(enumerate(whole[:300]))
    all_rows(table, whole[0])

    def gone(id_):
        table.db.execute("DELETE FROM v WHERE rowid = ?", (id_,))
        return whole[400].astype("<f4").tobytes()

    table.db.create_scalar_function("gone", gone)
    table.db.execute("UPDATE v SET e = gone(rowid) WHERE rowid = 7")
    del content[7]
    assert all_rows(table, whole[1])[0] == of_numpy(content, whole[1])


def test_an_exact_search_of_a_life(tmp_path, whole):
    """Two connections, transactions of all kinds, budgets that change; numpy does the same with a dict."""
    path = str(tmp_path / "life.db")
    ours = Table(sqlite_ann.connect(path)).create()
    theirs = Table(sqlite_ann.connect(path))
    content, kept, rng = {}, 0, np.random.default_rng(11)

    def write(table):
        for _ in range(int(rng.integers(1, 9))):
            id_, vector = int(rng.integers(-300, 300)), whole[rng.integers(0, 2000)]
            if rng.random() < 0.35 and id_ in content:
                del content[id_]
                table.db.execute("DELETE FROM v WHERE rowid = ?", (id_,))
            else:
                content[id_] = vector
                table.insert(id_, vector, "INSERT OR REPLACE")

    def look(table):
        query = whole[rng.integers(0, 2000)]
        found, from_memory = all_rows(table, query)
        assert found == of_numpy(content, query)
        return from_memory == len(content)

    for step in range(250):
        act = rng.random()
        if act < 0.45:
            write(ours)
        elif act < 0.55:
            write(theirs)
        elif act < 0.75:
            before = dict(content)
            ours.db.execute("BEGIN")
            write(ours)
            inside = dict(content)
            ours.db.execute("SAVEPOINT here")
            write(ours)
            look(ours)
            if rng.random() < 0.5:
                ours.db.execute("ROLLBACK TO here")
                content = inside
                look(ours)
                write(ours)
            if rng.random() < 0.5:
                ours.db.execute("ROLLBACK")
                content = before
            else:
                ours.db.execute("COMMIT")
        elif act < 0.85:
            ours.command(f"cache_mb={rng.choice([0, 1, 100])}")
        if content:
            kept += look(ours)
            look((ours, theirs)[step % 2])
    assert kept > 80
    assert ours.faults() == []


def test_more_rows_than_memory_has_room_for_are_read_from_where_it_ends(table):
    vectors = clustered(990, 3, 256)
    table.create(d=256).load(vectors)
    table.command("cache_mb=0")
    expected = all_rows(table, vectors[5])
    assert expected[1] == 0
    table.command("cache_mb=1")
    all_rows(table, vectors[6])
    found, from_memory = all_rows(table, vectors[5])
    assert found == expected[0]
    assert 800 < from_memory < 990
    assert table.info("cache_bytes") <= 1 << 20
    table.command("cache_mb=100")
    all_rows(table, vectors[6])
    assert all_rows(table, vectors[5]) == (expected[0], 990)


def test_an_exact_search_and_those_by_the_forest_do_not_forget_each_others_rows(forest, whole):
    table = forest()
    for step in range(20):
        table.insert(5000 + step, whole[step])
        all_rows(table, whole[step])
        table.load(whole[300 + step : 301 + step], first=9000 + step)
        table.search(whole[step])
        found, from_memory = all_rows(table, whole[step])
        assert from_memory == len(found) == 1200 + 2 * (step + 1)


def test_memory_is_given_back(table):
    vectors = clustered(990, 3, 256)
    table.create(d=256).load(vectors)
    table.search(vectors[0])
    table.command("cache_mb=0")
    before = apsw.memory_used()
    for _ in range(3):
        table.command("cache_mb=100")
        all_rows(table, vectors[0])
        held = table.info("cache_bytes")
        assert apsw.memory_used() - before > held * 0.9 > 900_000
        table.command("cache_mb=0")
        assert apsw.memory_used() - before < 100_000


# ---- alone ----


@pytest.fixture
def rows(parts):
    plan = {
        "db": parts.handle,
        "source": parts.source(),
        "budget": parts.budget,
        "trace": parts.trace,
        "space": parts.space(),
    }
    for id_ in range(50):
        parts.db.execute("INSERT INTO v_vectors VALUES (?, ?)", (id_, np.full(3, id_, "<f4").tobytes()))
    return parts.made("AnnRows", parts.lib.ann_rows_new, parts.lib.ann_rows_free, parts.ffi.new("AnnRowsPlan *", plan))


def got(parts, rows, id_):
    out = parts.ffi.new("AnnRow **")
    assert parts.lib.ann_rows_get(rows, id_, out) == 0
    return None if out[0] == parts.ffi.NULL else parts.ffi.cast("float *", out[0].vector)[0]


def test_rows_alone_are_read_once_until_they_are_forgotten(parts, rows):
    assert (got(parts, rows, 7), got(parts, rows, 99)) == (7, None)
    parts.db.execute("UPDATE v_vectors SET vector = zeroblob(12) WHERE id = 7")
    assert (got(parts, rows, 7), parts.lib.ann_rows_hits(rows)) == (7, 1)
    parts.lib.ann_rows_forget(rows, 7)
    assert got(parts, rows, 7) == 0


def test_rows_alone_take_what_the_pages_leave(parts, rows):
    parts.budget.most, parts.budget.pages = 3000, 2000
    for id_ in range(50):
        got(parts, rows, id_)
    held = parts.lib.ann_rows_bytes(rows)
    assert 500 < held <= 1000
    parts.budget.pages = 3000
    parts.lib.ann_rows_trim(rows)
    assert parts.lib.ann_rows_bytes(rows) == 0
    assert got(parts, rows, 7) == 7
