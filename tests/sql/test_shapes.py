"""A search in every place of a statement where people put one: which rows, how often it is computed, what EXPLAIN says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import apsw
import numpy as np
import pytest

QUERIES = 6  # different ones; each is asked for three times, in turns

every_state = pytest.mark.parametrize("state", ["none", "analyzed"])


class Asked:
    """The forest v, and q(id, at, item): eighteen rows that ask six questions in turns, and one with NULL."""

    def __init__(self, table, queries: np.ndarray) -> None:
        self.table, self.db, self.queries = table, table.db, queries[:QUERIES]
        self.items = [int(i) for i in table.ids[:QUERIES]]
        self.db.execute("CREATE TABLE q(id INTEGER PRIMARY KEY, at BLOB, item INTEGER)")
        rows = [(n, self.queries[n % QUERIES].tobytes(), self.items[n % QUERIES]) for n in range(3 * QUERIES)]
        self.db.executemany("INSERT INTO q VALUES (?, ?, ?)", [*rows, (99, None, None)])
        self.db.execute("""
            CREATE TABLE song(id INTEGER PRIMARY KEY, year INTEGER);
            INSERT INTO song SELECT rowid, 1900 + rowid % 100 FROM v WHERE rowid % 2 = 0;
            CREATE INDEX song_year ON song(year);
        """)

    def nearest(self, k: int) -> set[tuple[int, int]]:
        """(id of q, id of v) of the k nearest of each row of q, by numpy."""
        return {(n, found) for n in range(3 * QUERIES) for found, _ in self.table.exact(self.queries[n % QUERIES], k)}

    def run(self, sql: str, bindings: tuple = ()) -> tuple[list[tuple], int]:
        """The rows, and how many searches were computed for them."""
        before = self.table.info("searches")
        rows = self.db.execute(sql, bindings).fetchall()
        return rows, self.table.info("searches") - before

    def plan(self, sql: str, bindings: tuple = ()) -> list[str]:
        return [row[3] for row in self.db.execute("EXPLAIN QUERY PLAN " + sql, bindings)]

    def statements(self, sql: str) -> list[str]:
        """Every statement that SQLite runs for this one, our own among them."""
        seen: list[str] = []
        self.db.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: seen.append(event["sql"]))
        try:
            self.db.execute(sql).fetchall()
        finally:
            self.db.trace_v2(0, None)
        return seen


@pytest.fixture
def asked(forest, queries) -> Asked:
    return Asked(forest(), queries)


@pytest.fixture
def analyze(asked) -> Callable[[str], None]:
    """analyze(state): leave the planner without statistics, or with them."""
    return lambda state: state == "analyzed" and asked.db.execute("ANALYZE")


# --- one search for each different question of an outer row --------------------------------------

CORRELATED = {
    "join": "SELECT q.id, near.id FROM q JOIN ann_search('v', q.at, 5, 1) AS near",
    "search written first": "SELECT q.id, near.id FROM ann_search('v', q.at, 5, 1) AS near, q",
    "left join": "SELECT q.id, near.id FROM q LEFT JOIN ann_search('v', q.at, 5, 1) AS near ON true WHERE near.id NOT NULL",
    "of a subquery": "SELECT o.id, near.id FROM (SELECT id, at FROM q ORDER BY id DESC LIMIT 50) o, ann_search('v', o.at, 5, 1) AS near",
    "of a cte": "WITH o AS MATERIALIZED (SELECT * FROM q) SELECT o.id, near.id FROM o, ann_search('v', o.at, 5, 1) AS near",
    "scalar": "SELECT q.id, one.value FROM q, json_each((SELECT json_group_array(id) FROM ann_search('v', q.at, 5, 1))) one",
    "exists": "SELECT q.id, v.rowid FROM q, v WHERE EXISTS (SELECT 1 FROM ann_search('v', q.at, 5, 1) AS near WHERE near.id = v.rowid)",
    "in": "SELECT q.id, v.rowid FROM q, v WHERE v.rowid IN (SELECT id FROM ann_search('v', q.at, 5, 1))",
    "match": "SELECT q.id, v.rowid FROM q JOIN v ON v.embedding MATCH q.at AND v.k = 5 AND v.recall = 1",
    "match in where": "SELECT q.id, v.rowid FROM v, q WHERE v.embedding MATCH q.at AND v.k = 5 AND v.recall = 1",
    "match in a left join": "SELECT q.id, v.rowid FROM q LEFT JOIN v ON v.embedding MATCH q.at AND v.k = 5 AND v.recall = 1 WHERE v.rowid NOT NULL",
    "match by limit": "SELECT q.id, one.value FROM q, json_each((SELECT json_group_array(rowid) FROM"
    " (SELECT rowid FROM v WHERE embedding MATCH q.at AND recall = 1 ORDER BY distance LIMIT 5))) one",
    "match in exists": "SELECT q.id, o.rowid FROM q, v AS o WHERE EXISTS"
    " (SELECT 1 FROM v WHERE embedding MATCH q.at AND k = 5 AND recall = 1 AND v.rowid = o.rowid)",
    "match in in": "SELECT q.id, o.rowid FROM q, v AS o WHERE o.rowid IN (SELECT rowid FROM v WHERE embedding MATCH q.at AND k = 5 AND recall = 1)",
}  # fmt: skip


@every_state
@pytest.mark.parametrize("shape", CORRELATED)
def test_a_question_of_an_outer_row_is_computed_once_however_often_it_comes(asked, analyze, shape, state):
    analyze(state)
    rows, searches = asked.run(CORRELATED[shape])
    assert set(rows) == asked.nearest(5)
    assert len(rows) == 15 * QUERIES
    assert searches == QUERIES


@every_state
@pytest.mark.parametrize("shape", CORRELATED)
def test_the_plan_of_a_correlated_search_says_that_it_searches(asked, analyze, shape, state):
    analyze(state)
    lines = asked.plan(CORRELATED[shape])
    assert sum("nearest neighbours" in line for line in lines) == 1, lines


def test_a_row_that_is_searched_for_by_many_is_searched_for_once(asked):
    rows, searches = asked.run("SELECT q.id, near.id FROM q, ann_search_item('v', q.item, 4, 1) AS near")
    assert len(rows) == 12 * QUERIES
    assert searches == QUERIES


def test_sixty_four_answers_are_remembered_beside_the_present_one(asked):
    sql = (
        "WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 * 3 - 1)"
        " SELECT count(*) FROM n, ann_search_item('v', 3 * (n.i % ?1) + 1, 2)"
    )
    assert asked.run(sql, (65,)) == ([(390,)], 65)
    assert asked.run(sql, (66,)) == ([(396,)], 198)


def test_an_answer_is_not_remembered_into_the_next_run(asked):
    for _ in range(2):
        assert asked.run("SELECT count(*) FROM ann_search('v', ?, 5)", (asked.queries[0],)) == ([(5,)], 1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM q, ann_search('v', q.at, 5)",
        "SELECT count(*) FROM q, v WHERE embedding MATCH q.at AND k = 5",
    ],
)
def test_the_index_is_opened_once_for_all_outer_rows(asked, sql):
    pages = asked.table.info("leaf_pages") + asked.table.info("directory_pages")
    file = asked.db.serialize("main")
    asked.db.deserialize("main", file)  # nothing of the table is in memory
    seen = asked.statements(sql)
    assert sum('"v_pages" p' in text for text in seen) == 1  # the look at the shadow tables' columns
    assert 0 < sum('FROM "main"."v_pages"' in text for text in seen) <= pages


# --- the same question in several places ---------------------------------------------------------

NEAR = {
    "search": "(SELECT id, distance FROM ann_search('v', ?1, {k}))",
    "match": "(SELECT rowid AS id, distance FROM v WHERE embedding MATCH ?1 AND k = {k})",
}
TWICE = {
    "union": "SELECT id FROM {near} UNION SELECT id FROM {near}",
    "union all": "SELECT id FROM {near} UNION ALL SELECT id FROM {near}",
    "except": "SELECT id FROM {near} EXCEPT SELECT id FROM {near}",
    "self join": "SELECT a.id, b.id FROM {near} a JOIN {near} b ON a.id = b.id",
    "a cte read twice": "WITH n AS NOT MATERIALIZED (SELECT * FROM {near}) SELECT a.id FROM n a JOIN n b USING (id)",
    "select and where": "SELECT (SELECT max(distance) FROM {near}) FROM song WHERE id IN (SELECT id FROM {near})",
    "case": "SELECT CASE WHEN EXISTS (SELECT 1 FROM {near} WHERE id = song.id) THEN (SELECT min(id) FROM {near}) END FROM song",
}


@every_state
@pytest.mark.parametrize("form", NEAR)
@pytest.mark.parametrize("shape", TWICE)
@pytest.mark.parametrize("k", [10, 200])
def test_a_question_that_is_asked_in_two_places_is_computed_once(asked, analyze, shape, form, k, state):
    analyze(state)
    query = (asked.queries[0],)
    near = NEAR[form].format(k=k)
    once = asked.run(f"SELECT * FROM {near}", query)[1]
    rows, searches = asked.run(TWICE[shape].format(near=near), query)
    assert searches == once
    asked.db.execute(f"CREATE TEMP TABLE found AS SELECT * FROM {near}", query)
    expected = asked.db.execute(TWICE[shape].format(near="found")).fetchall()
    assert sorted(rows, key=repr) == sorted(expected, key=repr)


def test_who_reads_on_where_another_stopped_finds_the_same(asked):
    """One reads the first row, the other all of them, of a search that is computed in several batches."""
    near = "ann_search('big', ?1, 2000)"
    asked.db.execute("CREATE VIRTUAL TABLE big USING ann(embedding float32[16], metric=l2, leaf_capacity=32)")
    asked.db.execute("""
        WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 13)
        INSERT INTO big(rowid, embedding)
        SELECT v.rowid + 10000 * i, ann_add(embedding, ann_scale(ann_slice(?, 0, 16), 0.01 * i)) FROM n, v ORDER BY 1
    """, (asked.queries[1],))  # fmt: skip
    alone = asked.db.execute(f"SELECT id FROM {near}", (asked.queries[0],)).fetchall()
    sql = f"SELECT id FROM {near} WHERE id >= (SELECT min(0, id) FROM {near} LIMIT 1)"
    assert asked.db.execute(sql, (asked.queries[0],)).fetchall() == alone
    assert len(alone) == 2000


# --- shards --------------------------------------------------------------------------------------


@pytest.fixture
def shards(asked, forest_rows, load, tmp_path) -> Iterator[list[str]]:
    """The rows of v dealt out to the tables v of three attached files."""
    ids, x = forest_rows
    names = ["one", "two", "three"]
    for n, name in enumerate(names):
        asked.db.execute(f"ATTACH ? AS {name}", (str(tmp_path / f"{name}.db"),))
        asked.db.execute(f"CREATE VIRTUAL TABLE {name}.v USING ann(embedding float32[16], metric=l2, leaf_capacity=32)")
        load(asked.db, ids[n::3], x[n::3], f"{name}.v")
    yield names
    for name in names:
        asked.db.execute(f"DETACH {name}")


def searches_of(db, names) -> dict[str, int]:
    sql = "SELECT value FROM ann_info(? || '.v') WHERE key = 'searches'"
    return {name: db.execute(sql, (name,)).get for name in names}


ARMS = {
    "search": "SELECT id, distance FROM ann_search('{name}.v', ?1, 10, 1)",
    "match": "SELECT rowid AS id, distance FROM {name}.v WHERE embedding MATCH ?1 AND k = 10 AND recall = 1",
    "match without k": "SELECT rowid AS id, distance FROM {name}.v WHERE embedding MATCH ?1 AND recall = 1",
}


@every_state
@pytest.mark.parametrize("form", ARMS)
@pytest.mark.parametrize("place", ["statement", "view", "cte", "subquery"])
def test_shards_are_merged_by_distance(asked, shards, analyze, form, place, state):
    analyze(state)
    arms = " UNION ALL ".join(ARMS[form].format(name=name) for name in shards)
    sql = {
        "statement": f"{arms} ORDER BY distance LIMIT 10",
        "view": "SELECT * FROM every_v ORDER BY distance LIMIT 10",
        "cte": f"WITH n AS ({arms}) SELECT * FROM n ORDER BY distance LIMIT 10",
        "subquery": f"SELECT song.id, n.distance FROM ({arms}) n LEFT JOIN song ON song.id = n.id ORDER BY n.distance LIMIT 10",
    }[place]
    query = asked.queries[0]
    if place == "view":
        given = arms.replace("?1", f"x'{query.tobytes().hex()}'")
        asked.db.execute(f"CREATE TEMP VIEW every_v AS {given}")
    before = searches_of(asked.db, shards)
    rows = asked.db.execute(sql, (query,) if place != "view" else ()).fetchall()
    after = searches_of(asked.db, shards)
    assert [far for _, far in rows] == [far for _, far in asked.table.exact(query, 10)]
    assert {after[name] - before[name] for name in shards} == {1}
    lines = asked.plan(sql, (query,) if place != "view" else ())
    assert sum("nearest neighbours" in line for line in lines) == 3
    if place == "statement":
        assert sum("in order of distance" in line for line in lines) == 3
        assert not any("TEMP B-TREE" in line for line in lines)


# --- views, triggers, recursion ------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("form", NEAR)
def test_a_view_of_neighbours_is_joined_and_filtered_like_a_table(asked, analyze, form, state):
    analyze(state)
    at = f"x'{asked.queries[0].tobytes().hex()}'"
    asked.db.execute(f"CREATE VIEW near AS SELECT * FROM {NEAR[form].format(k=40).replace('?1', at)}")
    asked.db.execute("CREATE VIEW near_song AS SELECT song.*, near.distance FROM near JOIN song USING (id)")
    rows, searches = asked.run("SELECT id FROM near_song WHERE year BETWEEN 1920 AND 1970 ORDER BY distance")
    assert searches == 1
    found = [id_ for id_, _ in asked.table.search(asked.queries[0], 40)]
    assert [id_ for (id_,) in rows] == [i for i in found if i % 2 == 0 and 20 <= i % 100 <= 70]


def test_a_view_takes_its_query_from_a_table(asked):
    asked.db.execute("""
        CREATE TABLE wanted(at);
        CREATE VIEW answer AS SELECT near.id FROM wanted, ann_search('v', wanted.at, 5, 1) AS near;
    """)
    for query in asked.queries:
        asked.db.execute("DELETE FROM wanted; INSERT INTO wanted VALUES (?)", (query,))
        rows, searches = asked.run("SELECT id FROM answer")
        assert (rows, searches) == ([(id_,) for id_, _ in asked.table.exact(query, 5)], 1)


@pytest.mark.parametrize(
    "search",
    [
        "SELECT new.id, id FROM ann_search('v', new.at, 3, 1)",
        "SELECT new.id, rowid FROM v WHERE embedding MATCH new.at AND k = 3 AND recall = 1",
    ],
)
def test_a_trigger_searches_with_what_was_written(asked, search):
    asked.db.execute(f"""
        CREATE TABLE link(a, b);
        CREATE TRIGGER q_link AFTER INSERT ON q BEGIN INSERT INTO link {search}; END;
    """)
    _, searches = asked.run("INSERT INTO q SELECT id + 1000, at, NULL FROM q WHERE at NOT NULL")
    links = asked.db.execute("SELECT a - 1000, b FROM link").fetchall()
    assert set(links) == asked.nearest(3)
    assert len(links) == 9 * QUERIES
    assert searches <= 3 * QUERIES


def test_a_trigger_finds_what_it_has_just_written(asked):
    asked.db.execute("""
        CREATE TABLE twin(id, nearest, far);
        CREATE TRIGGER q_twin AFTER INSERT ON q BEGIN
          INSERT INTO v(rowid, embedding) VALUES (new.id, new.at);
          INSERT INTO twin SELECT new.id, id, distance FROM ann_search('v', new.at, 1);
        END;
    """)
    far = np.full(16, 500, np.float32)
    asked.db.executemany("INSERT INTO q VALUES (?, ?, NULL)", [(9000 + i, far + i) for i in range(5)])
    assert asked.db.execute("SELECT * FROM twin").fetchall() == [(9000 + i, 9000 + i, 0.0) for i in range(5)]


def test_recursion_walks_from_neighbour_to_neighbour(asked):
    sql = """
        WITH RECURSIVE walk(id, depth) AS (
          SELECT ?, 0 UNION
          SELECT near.id, depth + 1 FROM walk, ann_search_item('v', walk.id, 3, 1) AS near WHERE depth < 3)
        SELECT DISTINCT id FROM walk
    """
    start = int(asked.table.ids[7])
    seen, last = {start}, {start}
    for _ in range(3):
        rows = [asked.table.x[np.searchsorted(asked.table.ids, id_)] for id_ in last]
        last = {id_ for row in rows for id_, _ in asked.table.exact(row, 3)}
        seen |= last
    assert {id_ for (id_,) in asked.db.execute(sql, (start,))} == seen


# --- a prepared statement, again and again -------------------------------------------------------

PREPARED = {
    "search": "SELECT id, distance FROM ann_search('v', ?, ?) ORDER BY distance",
    "match with k": "SELECT rowid, distance FROM v WHERE embedding MATCH ? AND k = ?",
    "match with limit": "SELECT rowid, distance FROM v WHERE embedding MATCH ? ORDER BY distance LIMIT ?",
}


@pytest.mark.parametrize("form", PREPARED)
def test_a_prepared_statement_is_run_again_with_other_vectors(asked, form):
    wanted = [(query, k) for query in asked.queries for k in (1, 7, 30, 7)]
    expected = [asked.table.search(query, k) for query, k in wanted]
    before = asked.table.info("searches")
    rows = list(asked.db.executemany(PREPARED[form], wanted))
    assert rows == [row for answer in expected for row in answer]
    assert asked.table.info("searches") - before == len(wanted)


@pytest.mark.parametrize("form", PREPARED)
def test_a_prepared_statement_sees_what_was_written_between_its_runs(asked, form):
    query = np.full(16, 500, np.float32)
    found = []
    with contextlib.closing(asked.db.cursor()) as cursor:
        for id_ in (9001, 9002, 9003):
            asked.db.execute("INSERT INTO v(rowid, embedding) VALUES (?, ?)", (id_, query))
            asked.db.execute("DELETE FROM v WHERE rowid = ?", (id_ - 1,))
            found.append(cursor.execute(PREPARED[form], (query, 1)).fetchall())
            asked.db.execute(f"CREATE TABLE t{id_}(x)")  # the schema changes: SQLite prepares anew
    assert found == [[(id_, 0.0)] for id_ in (9001, 9002, 9003)]
