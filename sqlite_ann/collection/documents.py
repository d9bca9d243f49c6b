"""Documents in their table: opened, written, read by key or by condition, counted, deleted.

    add  upsert  update_meta  delete  get  count  index_on  len()  in

Nothing here searches: `Collection`, which stands on this, does (collection.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import repeat
from threading import RLock
from typing import Any

import apsw
import numpy as np

from .. import elements
from .. import vectors as arrays
from ..connection import connect
from ..errors import Duplicate, Error, known_as, translated
from ..index import Index
from ..keys import KeysLike, as_keys
from ..names import check_unicode
from ..opened import Path, check_opened
from ..transaction import savepoint
from .document import Document, meta_as_json, value_as
from .filters import Field, Where, compiled, type_of, value_of
from .tables import Tables

Embed = Callable[[list[str]], Any]
Texts = str | Iterable[str | None] | None
Metas = Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None

MOST_NOTED = 200  # documents that the forest does not have yet; each makes a search a microsecond slower

WRITE = {
    "refuse": "",
    "skip": " ON CONFLICT(key) DO NOTHING",
    "replace": " ON CONFLICT(key) DO UPDATE SET text = excluded.text, meta = excluded.meta, embedding = excluded.embedding",
}


@known_as("Collection")
class StoredDocuments:
    """One table of documents, and the index over their vectors."""

    @translated()
    def __init__(
        self,
        db: apsw.Connection | Path,
        name: str,
        dim: int | None = None,
        metric: str | None = None,
        type: str | None = None,
        *,
        embed: Embed | None = None,
    ) -> None:
        check_opened(db, name)
        if embed is not None and not callable(embed):
            raise TypeError(f"embed: expected a function from texts to vectors, got {arrays.kind_of(embed)}")
        self.db = db if isinstance(db, apsw.Connection) else connect(db)
        self.name = name
        self.embed = embed
        self.index: Index | None = None  # before there is a vector
        self._made: str | None = None  # the statement that made it
        self._dim, self._metric, self._type = dim, metric, type
        self._tables = Tables(self.db, name)
        self._lock = RLock()  # a method is one transaction, whichever threads call
        with self._lock:
            self._make_tables()
            if dim is not None:
                self._make_index(dim)
            else:
                self._find_index()

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, {self.index!r})"

    # --- Writing

    def upsert(self, keys: KeysLike, texts: Texts = None, metas: Metas = None, embeddings: Any = None) -> int:
        """`add` that puts documents in the place of those with the same keys, with all that they are."""
        return self.add(keys, texts, metas, embeddings, existing="replace")

    @translated()
    def add(
        self,
        keys: KeysLike,
        texts: Texts = None,
        metas: Metas = None,
        embeddings: Any = None,
        *,
        existing: str = "refuse",
    ) -> int:
        """Write n documents, all of them or none, and say how many were written.

        `embeddings`: shape (n, dim), or a list in which None stands for a document that has no vector; where it is not
        given, `embed` makes them of the texts. A key that is there already is refused; `existing`: "replace" or "skip" it.
        """
        if existing not in WRITE:
            raise ValueError(f"existing: expected one of {', '.join(WRITE)}, got {existing!r}")
        given = as_keys(keys)
        refuse_doubled(given)
        some_texts = texts_of(given, texts)
        some_metas = list(map(meta_as_json, given, as_many("metas", metas, Mapping, given)))
        vectors = self._vectors(given, some_texts, embeddings)
        whence = "embed" if embeddings is None else "embeddings"
        with self._lock, savepoint(self.db):
            if self._make_tables() and self._dim is not None:
                self._make_index(self._dim)
            self._make_index_for(vectors)
            written = self._insert(existing, given, some_texts, some_metas, self._blobs(vectors, whence))
            self._follow()
        return written

    @translated()
    def update_meta(self, changes: Mapping[str, Any], keys: KeysLike | None = None, *, where: Where = None) -> int:
        """Change fields of the metadata of these keys, or of all that are wanted, and say of how many documents.

        None removes a field, and objects within are changed field by field, as in JSON's merge patch (RFC 7396).
        """
        condition, values = self._wanted(keys, where, "update_meta")
        sql = f"UPDATE {self._tables.table} AS d SET meta = json_patch(coalesce(d.meta, '{{}}'), ?) WHERE {condition}"
        with self._lock, savepoint(self.db):
            self.db.execute(sql, [meta_as_json(None, changes), *values])
            return self.db.changes()

    @translated()
    def delete(self, keys: KeysLike | None = None, *, where: Where = None) -> int:
        """Delete these keys, or all that are wanted, and say how many there were."""
        condition, values = self._wanted(keys, where, "delete")
        with self._lock, savepoint(self.db):
            self.db.execute(f"DELETE FROM {self._tables.table} AS d WHERE {condition}", values)
            deleted = self.db.changes()
            self._follow()
        return deleted

    @translated()
    def index_on(self, field: Field) -> None:
        """Make an index of SQLite's on a field, so that a condition on it does not look at every document."""
        value = value_of(field, of="")
        name = field if isinstance(field, str) else f"({value})"  # a field cannot be called so
        with self._lock, savepoint(self.db):
            self._tables.index_by(self.db, name, value)

    # --- Reading

    @translated()
    def get(
        self,
        keys: KeysLike | None = None,
        *,
        where: Where = None,
        limit: int | None = None,
        offset: int = 0,
        embeddings: bool = False,
    ) -> list[Document]:
        """Documents in order of the keys, or as they came; keys that are not there are passed over.

        `embeddings`: with their vectors.
        """
        condition, values = compiled(where)
        source, order = f"{self._tables.table} AS d", "d.id"
        if keys is not None:
            source, order = f"json_each(?) AS given CROSS JOIN {source} ON d.key = given.value", "given.id"
            values = [json.dumps(as_keys(keys)), *values]
        sql = f"SELECT {self._columns(embeddings)} FROM {source} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?"
        page = -1 if limit is None else arrays.as_count("limit", limit), arrays.as_count("offset", offset)
        with self._lock:
            if embeddings:
                self._find_index()
            return self._documents(self._rows(sql, *values, *page))

    @translated()
    def count(self, where: Where = None) -> int:
        """How many documents are wanted."""
        condition, values = compiled(where)
        with self._lock:
            return int(self.db.execute(f"SELECT count(*) FROM {self._tables.table} AS d WHERE {condition}", values).get)

    @translated()
    def fields(self, where: Where = None) -> dict[str, list[str]]:
        """The fields that documents have, and of each the JSON types that it has: text, integer, real, true, array, …"""
        condition, values = compiled(where)
        sql = (
            f"SELECT j.key, json_group_array(DISTINCT j.type) FROM {self._tables.table} AS d, json_each(d.meta) AS j"
            f" WHERE {condition} GROUP BY j.key ORDER BY j.key"
        )
        with self._lock:
            return {name: json.loads(types) for name, types in self._rows(sql, *values)}

    @translated()
    def values(self, field: Field, where: Where = None) -> list[Any]:
        """The different values of a field, in order: numbers, text, lists; 1, 1.0 and True are three."""
        condition, bound = compiled(where)
        kind, value = type_of(field), value_of(field)
        sql = (
            f"SELECT DISTINCT {kind}, {value} FROM {self._tables.table} AS d WHERE {condition} AND {value} IS NOT NULL"
            " ORDER BY 2, 1"
        )
        with self._lock:
            return [value_as(*row) for row in self._rows(sql, *bound)]

    def __len__(self) -> int:
        return self.count()

    @translated()
    def __contains__(self, key: object) -> bool:
        sql = f"SELECT 1 FROM {self._tables.table} WHERE key = ?"
        with self._lock:
            return isinstance(key, str) and self.db.execute(sql, (key,)).get is not None

    def _columns(self, embeddings: bool = False) -> str:
        """What documents are made of."""
        return f"d.key, d.text, d.meta, {'d.embedding' if embeddings else 'NULL'}"

    def _documents(self, rows: list[Any]) -> list[Document]:
        """Of rows of key, text, metadata and vector; of a search with distance and score."""
        metas = self._metas([row[2] for row in rows])
        return [
            Document(key, text, meta, None if blob is None else self._embedding(blob), *near)
            for (key, text, _, blob, *near), meta in zip(rows, metas, strict=True)
        ]

    def _metas(self, stored: list[Any]) -> list[Any]:
        texts = ["{}" if meta is None else meta for meta in stored]
        with suppress(TypeError, ValueError):
            metas: list[Any] = json.loads(f"[{','.join(texts)}]")  # at once: one by one takes twice the time
            if len(metas) == len(texts):
                return metas
        # Others may write JSON5, or JSONB, which SQLite reads, and which is an object to the table's CHECK.
        with self._lock:
            return [json.loads(self._rows("SELECT json(?)", text)[0][0]) for text in texts]

    def _embedding(self, blob: Any) -> Any:
        if not isinstance(blob, bytes) or self.index is None:
            return None
        dtype, n = elements.dtype_of(self.index.type), elements.width(self.index.type, self.index.dim)
        # of another length, it is no vector to the index, either
        return np.frombuffer(blob, dtype).copy() if len(blob) == n * dtype.itemsize else None

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        # apsw's own cursor: nothing here is a scalar of numpy's, which those of connect() look for
        return apsw.Cursor(self.db).execute(sql, values).fetchall()

    # --- What is given

    def embedded(self, texts: list[str]) -> Any:
        """Texts as vectors, by the function that was given."""
        if self.embed is None:
            raise ValueError("expected vectors, since the collection was opened without `embed`")
        given = self.embed(texts)
        made = arrays.as_array("embed", given)
        if made.ndim != 2 or len(made) != len(texts):
            what = f"shape {made.shape}" if made.ndim else arrays.kind_of(given)
            raise ValueError(f"embed: expected {len(texts)} vectors for {len(texts)} texts, got {what}")
        return made

    def _vectors(self, keys: list[str], texts: list[str | None], embeddings: Any) -> list[Any] | None:
        """A vector for each key, None where it has none; None alone where no document has one."""
        if embeddings is not None:
            return vectors_of(keys, embeddings)
        there = [text for text in texts if text is not None]
        if self.embed is None or not there:
            return None
        made = iter(self.embedded(there))
        return [None if text is None else next(made) for text in texts]

    def _blobs(self, vectors: list[Any] | None, whence: str) -> Iterable[Any]:
        """What is stored for each document; `whence`: the argument that the vectors come of."""
        there = [i for i, vector in enumerate(vectors or []) if vector is not None]
        if vectors is None or self.index is None or not there:
            return repeat(None)
        kind = self.index.type
        rows = elements.as_rows(kind, [vectors[i] for i in there], self.index.dim, whence)
        good = elements.finite(kind, rows)
        if not good.all():
            raise Error(f"{whence}[{there[int(np.argmin(good))]}]: expected finite components")
        blobs: list[Any] = [None] * len(vectors)
        for i, row in zip(there, elements.buffer(kind, rows), strict=True):
            blobs[i] = row
        return blobs

    def _wanted(self, keys: KeysLike | None, where: Where, method: str) -> tuple[str, list[Any]]:
        """Keys and a condition as one; everything only where that is said."""
        if keys is None and where is None:
            raise ValueError(f"{method}: expected keys, or where={{}} for all documents")
        condition, values = compiled(where)
        if keys is None:
            return condition, values
        return f"d.key IN (SELECT value FROM json_each(?)) AND {condition}", [json.dumps(as_keys(keys)), *values]

    # --- The tables

    def _insert(self, existing: str, *columns: Iterable[Any]) -> int:
        """Write rows of key, text, metadata and vector."""
        sql = f"INSERT INTO {self._tables.table}(key, text, meta, embedding) VALUES (?, ?, ?, ?){WRITE[existing]}"
        written = 0
        for row in zip(*columns, strict=False):  # `repeat` has no end
            try:
                self.db.execute(sql, row)
            except apsw.ConstraintError as error:
                if row[0] in self:
                    code = apsw.SQLITE_CONSTRAINT_UNIQUE
                    raise Duplicate(f"{self.name}: expected new keys, got {row[0]!r}, which is there", code) from error
                raise
            written += self.db.changes()
        return written

    def _make_tables(self) -> bool:
        """Those of the documents, where they are not there, or a rollback undid them; the result: whether they were made."""
        if self._tables.are_there(self.db):
            return False
        with savepoint(self.db):
            self._tables.make(self.db)
        return True

    def _make_index_for(self, vectors: list[Any] | None) -> None:
        """The first vector says how many components they have."""
        first = next((vector for vector in vectors or [] if vector is not None), None)
        if first is not None and self._find_index() is None:
            self._make_index(int(np.size(first)))

    def _make_index(self, dim: int) -> None:
        """The index, or the one that is there, unless it was made with others than these."""
        kind = self._type
        if kind is None:
            there = self._tables.made_index(self.db)
            kind = Index(self.db, self._tables.index_name).type if there else "float32"
        self.index = Index.create(
            self.db,
            self._tables.index_name,
            dim,
            self._metric,
            kind,
            exists_ok=True,
            content=self._tables.bare,
            content_rowid="id",
        )
        self._made = self._tables.made_index(self.db)

    def _find_index(self) -> Index | None:
        """The index, which others may have made, or made anew, and a rollback undone."""
        made = self._tables.made_index(self.db)
        if made is None:
            self.index = None
        elif self.index is None or made != self._made:
            self._make_index(Index(self.db, self._tables.index_name).dim)
        return self.index

    def _follow(self) -> None:
        """What was written waits until a command takes it into the forest: one is given when that is much."""
        if self.index is not None:
            self.index.follow(MOST_NOTED)


def refuse_doubled(keys: list[str]) -> None:
    if len(set(keys)) < len(keys):
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise Duplicate(f"keys: expected each once, got {twice!r} twice", apsw.SQLITE_CONSTRAINT_UNIQUE)


def texts_of(keys: list[str], texts: Texts) -> list[str | None]:
    given: list[str | None] = as_many("texts", texts, str, keys)
    for key, text in zip(keys, given, strict=True):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"texts, {key!r}: expected text, got {type(text).__name__}")
        if text is not None and not text.isascii():
            check_unicode(f"texts, {key!r}", text)
    return given


def vectors_of(keys: list[str], embeddings: Any) -> list[Any]:
    """One vector for each key; None in a list is none."""
    given = embeddings if isinstance(embeddings, list | tuple) else arrays.as_array("embeddings", embeddings)
    if not isinstance(given, list | tuple) and given.ndim == 0:
        raise TypeError(f"embeddings: expected an array or a list, got {arrays.kind_of(embeddings)}")
    is_one = len(given) > 0 and given[0] is not None and np.ndim(given[0]) == 0
    many = [given] if is_one else list(given)
    if len(many) != len(keys):
        raise ValueError(f"embeddings: expected as many as keys, got {len(many)} for {len(keys)}")
    return many


def as_many(name: str, given: Any, one: type, keys: list[str]) -> list[Any]:
    """What belongs to each key: of one key it may be given bare, and of none at all."""
    if given is None:
        return [None] * len(keys)
    many = [given] if isinstance(given, one) else list(given)
    if len(many) != len(keys):
        raise ValueError(f"{name}: expected as many as keys, got {len(many)} for {len(keys)}")
    return many
