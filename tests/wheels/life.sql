-- A table of each type lives: filled, thinned out, changed, optimized, filled further, searched. Run by every platform's shell on an
-- empty file; what is printed and what is stored must be the same everywhere. Components are of whole numbers alone, so that SQLite's
-- own reading and writing of decimals has no part in them; distances are shown bit by bit.
.bail on
.headers off
.mode list

CREATE TABLE note(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO note
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1250), d(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM d WHERE j < 24)
  SELECT i, (SELECT ann_scale(ann_vector(json_group_array((i * 7919 + j * j * 613 + i * i % 31 * j * 17) % 257 - 128)), 0.0625) FROM d) FROM n;

CREATE VIRTUAL TABLE f32 USING ann(embedding float32[24], metric=cosine, leaf_capacity=32);
CREATE VIRTUAL TABLE f16 USING ann(embedding float16[24], metric=l2, leaf_capacity=32);
CREATE VIRTUAL TABLE bf16 USING ann(embedding bfloat16[24], metric=dot, leaf_capacity=32);
CREATE VIRTUAL TABLE i8 USING ann(embedding int8[24], metric=l1, leaf_capacity=32);
CREATE VIRTUAL TABLE bits USING ann(embedding bit[24], metric=hamming, leaf_capacity=32);
CREATE VIRTUAL TABLE over USING ann(embedding float32[24], metric=angular, leaf_capacity=32, content=note);

-- one by one, as a program does, then many at once
INSERT INTO f32(rowid, embedding) SELECT id, embedding FROM note WHERE id <= 40;
INSERT INTO f32(rowid, embedding) SELECT id, embedding FROM note WHERE id > 40 AND id <= 1200;
INSERT INTO f16(rowid, embedding) SELECT id, ann_quantize(embedding, 'float16') FROM note WHERE id <= 1200;
INSERT INTO bf16(rowid, embedding) SELECT id, ann_quantize(embedding, 'bfloat16') FROM note WHERE id <= 1200;
INSERT INTO i8(rowid, embedding) SELECT id, ann_quantize(embedding, 'int8', 15) FROM note WHERE id <= 1200;
INSERT INTO bits(rowid, embedding) SELECT id, ann_quantize(embedding, 'bit') FROM note WHERE id <= 1200;

DELETE FROM f32 WHERE rowid % 7 = 3;
UPDATE f32 SET embedding = (SELECT embedding FROM note WHERE id = f32.rowid + 1) WHERE rowid % 11 = 5;
DELETE FROM note WHERE id % 9 = 4;
DELETE FROM f16 WHERE rowid BETWEEN 150 AND 250;
BEGIN;
DELETE FROM i8;
ROLLBACK;

INSERT INTO f32(f32) VALUES('optimize');
INSERT INTO f16(f16) VALUES('rebuild');
INSERT INTO over(over) VALUES('optimize');
INSERT INTO f32(rowid, embedding) SELECT id, embedding FROM note WHERE id > 1200;
INSERT INTO f16(rowid, embedding) SELECT id, ann_quantize(embedding, 'float16') FROM note WHERE id > 1200;

CREATE VIEW query AS SELECT value AS id, (SELECT embedding FROM note WHERE id = value) AS embedding FROM json_each('[2, 700, 1181]');
SELECT 'f32', query.id, near.id, hex(ieee754_to_blob(distance)) FROM query, ann_search('f32', query.embedding, 12) AS near;
SELECT 'f32 exact', query.id, near.id, hex(ieee754_to_blob(distance)) FROM query, ann_search('f32', query.embedding, 12, 1) AS near;
SELECT 'f32 filtered', id, hex(ieee754_to_blob(distance))
  FROM ann_search('f32', (SELECT embedding FROM note WHERE id = 8), 9) WHERE only = (SELECT ann_id_set(id) FROM note WHERE id % 5 = 1);
SELECT 'f32 recommended', id, hex(ieee754_to_blob(distance))
  FROM ann_search_items('f32', '{"1": 1, "4": -0.3}', 8) WHERE exclude_self = 1 AND diversity = 0.25;
SELECT 'f16', query.id, near.id, hex(ieee754_to_blob(distance)) FROM query, ann_search('f16', query.embedding, 12) AS near;
SELECT 'bf16', query.id, near.id, hex(ieee754_to_blob(distance)) FROM query, ann_search('bf16', query.embedding, 12) AS near;
SELECT 'i8', query.id, near.id, hex(ieee754_to_blob(distance))
  FROM query, ann_search('i8', ann_quantize(query.embedding, 'int8', 15), 12) AS near;
SELECT 'bits', query.id, near.id, hex(ieee754_to_blob(distance))
  FROM query, ann_search('bits', ann_quantize(query.embedding, 'bit'), 12) AS near;
SELECT 'over', query.id, near.id, hex(ieee754_to_blob(distance)) FROM query, ann_search('over', query.embedding, 12) AS near;
SELECT 'graph', count(*), sum(left_id * id % 1009) FROM ann_graph('over', 4);
SELECT 'mean', ann_json(ann_mean(embedding)) FROM note;
SELECT 'forest', name, (SELECT count(*) FROM ann_pages(name) WHERE kind = 'leaf') FROM (SELECT value AS name FROM json_each('["f32", "f16", "bf16", "i8", "bits", "over"]'));
SELECT 'check', name, fault FROM (SELECT value AS name FROM json_each('["f32", "f16", "bf16", "i8", "bits", "over"]')), ann_check(name);
SELECT 'backend', value FROM ann_info('f32') WHERE key = 'backend';
