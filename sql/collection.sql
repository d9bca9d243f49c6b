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

-- Where SQLite has FTS5: the words of the texts, kept by three triggers.
CREATE VIRTUAL TABLE docs_fts USING fts5(text, content='docs', content_rowid='id');
CREATE TRIGGER docs_fts_inserted AFTER INSERT ON docs BEGIN
  INSERT INTO docs_fts(rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER docs_fts_deleted AFTER DELETE ON docs BEGIN
  INSERT INTO docs_fts(docs_fts, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER docs_fts_updated AFTER UPDATE OF id, text ON docs BEGIN
  INSERT INTO docs_fts(docs_fts, rowid, text) VALUES ('delete', old.id, old.text);
  INSERT INTO docs_fts(rowid, text) VALUES (new.id, new.text);
END;

-- Collection.index_on("year")
CREATE INDEX docs_by_year ON docs(json_extract(meta, '$."year"'));
