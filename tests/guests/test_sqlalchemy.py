"""SQLAlchemy: a column of vectors, searches joined with tables, the extension in every connection, and Alembic beside it."""

from __future__ import annotations

import builtins
import doctest
import importlib
import sqlite3
import sys

import numpy as np
import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("pysqlite3")

import pysqlite3
from sqlalchemy import ForeignKey, Integer, Text, create_engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

import sqlite_ann
import sqlite_ann.sqlalchemy
from sqlite_ann.sqlalchemy import Vector, include_name, listen, near, near_item

INDEX = "CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[2], metric=l2, content=song)"


class Base(DeclarativeBase):
    pass


class Song(Base):
    __tablename__ = "song"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    embedding: Mapped[np.ndarray | None] = mapped_column(Vector(2))


class Heard(Base):
    __tablename__ = "heard"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    song_id: Mapped[int] = mapped_column(ForeignKey("song.id"))


@pytest.fixture
def new_engine():
    """create_engine, whose connections are closed in the end: those of another SQLite must not meet them."""
    made = []

    def make(*arguments, **options):
        made.append(create_engine(*arguments, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def engine(tmp_path, new_engine):
    engine = new_engine(f"sqlite:///{tmp_path / 'songs.db'}", module=pysqlite3)
    listen(engine)
    Base.metadata.create_all(engine)
    with engine.begin() as db:
        db.execute(text(INDEX))
    with Session(engine) as session:
        session.add_all([Song(id=i, title=f"tune {i}", embedding=[i, 0]) for i in range(20)])
        session.add_all([Heard(song_id=3), Heard(song_id=5)])
        session.commit()
    return engine


def titles(session, found):
    songs = select(Song.title).join(found, found.c.id == Song.id).order_by(found.c.rank)
    return session.scalars(songs).all()


def test_rows_are_joined_with_what_is_near(engine):
    with Session(engine) as session:
        found = near("song_ann", [7.2, 0], 3)
        columns = select(Song, found.c.rank, found.c.distance).join(found, found.c.id == Song.id)
        rows = session.execute(columns.order_by(found.c.rank)).all()
        assert [(song.id, rank) for song, rank, _ in rows] == [(7, 1), (8, 2), (6, 3)]
        assert rows[0].distance == pytest.approx(0.2)
        assert titles(session, near("song_ann", np.array([2, 0]), 1)) == ["tune 2"]
        assert titles(session, near("song_ann", np.array([2, 0], "<f4").tobytes(), 1, recall=1.0)) == ["tune 2"]


def test_a_search_among_some_rows_without_others_and_within_a_distance(engine):
    with Session(engine) as session:
        found = near("song_ann", [7, 0], 2)
        heard = select(func.ann_id_set(Heard.song_id)).scalar_subquery()

        def ids(*conditions):
            return session.scalars(select(found.c.id).where(*conditions).order_by(found.c.rank)).all()

        assert ids(found.c.only == [1, 2, 19]) == [2, 1]
        assert ids(found.c.only == heard) == [5, 3]
        assert ids(found.c.exclude == {7}) == [6, 8]
        assert ids(found.c.exclude == heard, found.c.max_distance == 0.5) == [7]
        assert ids(found.c.only == [0, 5, 6], found.c.after_distance == 1.0, found.c.after_id == 6) == [5, 0]


def test_neighbours_of_a_stored_row_and_of_every_row(engine):
    with Session(engine) as session:
        found = near_item("song_ann", 4, 2)
        assert session.scalars(select(found.c.id).where(found.c.exclude_self == 1).order_by(found.c.rank)).all() == [
            3,
            5,
        ]
        other = aliased(Song)
        each = near("song_ann", other.embedding, 1)
        pairs = select(other.id, each.c.id).join(each, text("1")).where(other.id < 3).order_by(other.id)
        assert session.execute(pairs).all() == [(0, 0), (1, 1), (2, 2)]


def test_what_is_assigned_is_found_and_what_is_equal_is_not_written(engine):
    with Session(engine) as session:
        song = session.get(Song, 3)
        assert song.embedding.dtype == np.float32
        assert song.embedding.tolist() == [3, 0]
        with pytest.raises(ValueError, match="read-only"):
            song.embedding[0] = 9
        song.embedding = np.array([3.0, 0.0])
        assert not session.is_modified(song)
        song.embedding = [100, 0]
        assert session.is_modified(song)
        session.commit()
        assert titles(session, near("song_ann", [99, 0], 1)) == ["tune 3"]
        song.embedding = None
        session.commit()
        assert session.get(Song, 3).embedding is None
        assert titles(session, near("song_ann", [99, 0], 1)) == ["tune 19"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2, 3], r"vector: expected 2 components, got 3 \(shape \(3,\)\)"),
        ([[1, 2]], r"vector: expected one dimension, and a number in it, got shape \(1, 2\)"),
        ([1, float("inf")], "vector: expected finite components, got infinity or NaN"),
        (["a", "b"], "vector: expected numbers, got text"),
        ([], r"vector: expected one dimension, and a number in it, got shape \(0,\)"),
        (b"1234", r"vector: expected a blob of 8 bytes \(Vector\(2\)\), got 4 bytes"),
    ],
)
def test_what_is_no_vector_is_refused_before_it_is_written(engine, given, message):
    with Session(engine) as session:
        session.add(Song(id=50, title="odd", embedding=given))
        with pytest.raises(StatementError, match=message):
            session.commit()


def test_a_column_that_another_program_wrote_wrongly_is_told(engine):
    with Session(engine) as session:
        session.execute(text("UPDATE song SET embedding = x'00' WHERE id = 1"))
        with pytest.raises(ValueError, match=r"vector: expected a blob of 8 bytes \(Vector\(2\)\), got 1 bytes"):
            session.scalars(select(Song.embedding).where(Song.id == 1)).all()


@pytest.mark.parametrize(
    ("type_", "given", "back"),
    [
        ("float16", [0.5, 2], [0.5, 2]),
        ("int8", [-3, 127], [-3, 127]),
        ("bit", [True, False, True], [5]),
        ("bfloat16", [1.5, 2], None),
    ],
)
def test_other_types_are_stored_as_an_index_of_that_type_reads_them(engine, type_, given, back):
    column = Vector(len(given), type=type_)
    assert eval(repr(column)).__dict__.keys() == column.__dict__.keys()
    with engine.begin() as db:
        db.execute(text("CREATE TABLE small(id INTEGER PRIMARY KEY, v BLOB)"))
        db.execute(text("INSERT INTO small VALUES (1, :v)").bindparams(v=column.process_bind_param(given, None)))
        db.execute(text(f"CREATE VIRTUAL TABLE small_ann USING ann(v {type_}[{len(given)}], content=small)"))
        assert db.scalar(text("SELECT count(*) FROM ann_check('small_ann')")) == 0
        assert db.scalar(select(near("small_ann", given, 1).c.id)) == 1
        read = column.process_result_value(db.scalar(text("SELECT v FROM small")), None)
        assert back is None or read.tolist() == back


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match=r"type: expected one of float32, .*, got 'float64'"):
        Vector(2, type="float64")
    with pytest.raises(ValueError, match="dim: expected a whole number from 1, got 0"):
        Vector(0)


@pytest.mark.parametrize("ids", ["1", ["one"], [1.5]])
def test_ids_that_are_none_are_refused(engine, ids):
    found = near("song_ann", [1, 0], 2)
    with engine.connect() as db, pytest.raises(StatementError, match="ids: expected 64-bit whole numbers, got"):
        db.execute(select(found.c.id).where(found.c.only == ids))


@pytest.mark.parametrize("name", ["none", 'two "odd" words', "'; DROP TABLE song; --", "song"])
def test_the_name_of_an_index_is_a_name_whatever_is_in_it(engine, name):
    with engine.connect() as db, pytest.raises(DBAPIError) as raised:
        db.execute(select(near(name, [1, 0], 2).c.id))
    assert name in str(raised.value.orig)
    with Session(engine) as session:
        assert session.get(Song, 3) is not None


def test_every_connection_of_the_pool_has_the_extension(engine, new_engine):
    with engine.connect() as one, engine.connect() as two:
        assert {db.scalar(text("SELECT ann_version()")) for db in (one, two)} == {sqlite_ann.__version__}
    other = new_engine("sqlite://", module=pysqlite3)
    with other.connect() as db, pytest.raises(Exception, match="no such function: ann_version"):
        db.scalar(text("SELECT ann_version()"))


def test_pythons_own_sqlite3_where_it_can_load_and_a_sentence_where_not(tmp_path, new_engine):
    engine = new_engine(f"sqlite:///{tmp_path / 'own.db'}")
    listen(engine)
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        with engine.connect() as db:
            assert db.scalar(text("SELECT ann_version()")) == sqlite_ann.__version__
    else:
        with pytest.raises(
            sqlite_ann.Error, match=r"the driver of this engine .*: expected create_engine\(url, module="
        ):
            engine.connect()


def test_a_driver_that_cannot_load_is_told_in_one_sentence(new_engine):
    class Bare:
        def __init__(self, db):
            self.db = db

        def __getattr__(self, name):
            if name in ("enable_load_extension", "load_extension"):
                raise AttributeError(name)
            return getattr(self.db, name)

    engine = new_engine("sqlite://", creator=lambda: Bare(pysqlite3.connect(":memory:")))
    listen(engine)
    with pytest.raises(sqlite_ann.Error, match=r"pip install 'sqlite_ann\[sqlalchemy\]'"):
        engine.connect()


def test_an_engine_of_another_database_is_refused():
    class Engine:
        dialect = type("dialect", (), {"name": "postgresql"})

    with pytest.raises(ValueError, match="listen: expected an engine of SQLite, got one of postgresql"):
        listen(Engine())


@pytest.mark.parametrize(("given", "kind"), [("sqlite:///x", "text"), (None, "None"), (sqlite3, "module")])
def test_what_is_no_engine_is_refused(given, kind):
    with pytest.raises(TypeError, match=f"^listen: expected an engine of SQLite, got {kind}$"):
        listen(given)


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *more):
        if name == "sqlalchemy":
            raise ModuleNotFoundError(name)
        return real(name, *more)

    for name in [name for name in sys.modules if name.startswith("sqlite_ann.sqlalchemy")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs the package sqlalchemy: pip install 'sqlite_ann\[sqlalchemy\]'"):
        importlib.import_module("sqlite_ann.sqlalchemy")


@pytest.mark.parametrize("name", ["engine", "vector", "search", "migrations"])
def test_the_examples_of_the_docstrings(name):
    module = importlib.import_module(f"sqlite_ann.sqlalchemy.{name}")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


# --- Alembic


@pytest.fixture
def migrate(engine, tmp_path):
    """migrate(metadata): what `alembic revision --autogenerate` would write, of these models and this database."""
    pytest.importorskip("alembic")
    from alembic.autogenerate import produce_migrations, render_python_code
    from alembic.migration import MigrationContext

    def run(metadata, **options):
        with engine.connect() as db:
            options = {key: made(db) for key, made in options.items()}
            context = MigrationContext.configure(
                db, opts={"target_metadata": metadata, "render_as_batch": True, **options}
            )
            return render_python_code(produce_migrations(context, metadata).upgrade_ops, render_as_batch=True)

    return run


def test_alembic_leaves_the_index_and_its_tables_alone(engine, migrate):
    with engine.begin() as db:
        db.execute(text("CREATE TABLE song_ann_notes(id INTEGER PRIMARY KEY)"))
        db.execute(text("CREATE VIRTUAL TABLE beside USING ann(v float32[2])"))
    assert "drop_table('song_ann')" in migrate(Base.metadata)
    written = migrate(Base.metadata, include_name=include_name)
    assert [line.strip() for line in written.splitlines() if "drop" in line] == ["op.drop_table('song_ann_notes')"]
    with engine.begin() as db:
        db.execute(text("DROP TABLE song_ann_notes"))
    assert "pass" in migrate(Base.metadata, include_name=include_name)


def test_names_that_the_user_leaves_out_stay_out(engine, migrate):
    with engine.begin() as db:
        db.execute(text("CREATE TABLE mine(x)"))
    assert "drop_table('mine')" in migrate(Base.metadata, include_name=include_name)
    without = migrate(Base.metadata, include_name=lambda db: include_name(db, lambda name, *_: name != "mine"))
    assert "drop" not in without


def test_alembic_writes_a_column_of_vectors_that_its_migration_can_make(engine, migrate):
    class Other(DeclarativeBase):
        metadata = Base.metadata.__class__()

    for table in Base.metadata.tables.values():
        table.to_metadata(Other.metadata)

    class Lyrics(Other):
        __tablename__ = "lyrics"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        v: Mapped[np.ndarray] = mapped_column(Vector(3))

    written = migrate(Other.metadata, include_name=include_name)
    assert "sa.Column('v', sqlite_ann.sqlalchemy.vector.Vector(3), nullable=False)" in written
    import sqlalchemy as sa
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with engine.begin() as db:
        body = "\n".join(line.strip() for line in written.splitlines())
        exec(body, {"sa": sa, "sqlite_ann": sqlite_ann, "op": Operations(MigrationContext.configure(db))})
        db.execute(insert(Lyrics).values(id=1, v=[1, 2, 3]))
        assert db.scalar(select(Lyrics.v)).tolist() == [1, 2, 3]


def test_a_batch_migration_of_the_table_needs_a_rebuild(engine, migrate):
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with engine.begin() as db:
        operations = Operations(MigrationContext.configure(db))
        with operations.batch_alter_table("song", recreate="always") as batch:
            batch.alter_column("title", new_column_name="name")
    with engine.connect() as db, pytest.raises(Exception, match="rebuild"):
        db.scalar(select(near("song_ann", [1, 0], 1).c.id))
    with engine.begin() as db:
        db.execute(text("INSERT INTO song_ann(song_ann) VALUES ('rebuild')"))
        db.execute(update(Song).where(Song.id == 2).values(embedding=[70, 0]))
    with engine.connect() as db:
        assert db.scalar(select(near("song_ann", [70, 0], 1).c.id)) == 2
        assert db.scalar(text("SELECT count(*) FROM ann_check('song_ann')")) == 0
