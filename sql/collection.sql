-- What Collection.open(db, 'docs', dim=384) makes. All of it can be read and written with plain SQL, by programs
-- that have never heard of us, too: the index follows the table.

CREATE TABLE docs(
  id INTEGER PRIMARY KEY,                    -- what the index calls a row
  key TEXT NOT NULL UNIQUE,
  text TEXT,
  meta TEXT NOT NULL DEFAULT '{}' CHECK (json_type(meta) = 'object'),
  embedding BLOB                             -- 384 little-endian float32; NULL: not to be found by vector
);

CREATE VIRTUAL TABLE docs_ann USING ann(embedding float32[384], content = docs, content_rowid = id);

-- Where SQLite has FTS5: the words of the texts, kept by three triggers. It has a copy of the texts, since a row that
-- REPLACE removes fires no trigger: what is left of it here finds no document, and goes when its id is used again.
CREATE VIRTUAL TABLE docs_fts USING fts5(text);
CREATE TRIGGER docs_fts_inserted AFTER INSERT ON docs BEGIN
  DELETE FROM docs_fts WHERE rowid = new.id;
  INSERT INTO docs_fts(rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER docs_fts_deleted AFTER DELETE ON docs BEGIN
  DELETE FROM docs_fts WHERE rowid = old.id;
END;
CREATE TRIGGER docs_fts_updated AFTER UPDATE OF id, text ON docs BEGIN
  DELETE FROM docs_fts WHERE rowid IN (old.id, new.id);
  INSERT INTO docs_fts(rowid, text) VALUES (new.id, new.text);
END;

-- Collection.index_on("year")
CREATE INDEX docs_by_year ON docs(json_extract(meta, '$."year"'));
