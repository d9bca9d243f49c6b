-- The life of some indexes: filled, searched, thinned out, added to, optimized.  What was found is kept in tables, so
-- that a hash over the file's tables is one over answers, too.  Pure SQL, the same numbers everywhere.

CREATE TABLE given(id INTEGER PRIMARY KEY, embedding BLOB);
WITH RECURSIVE
  n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1600),
  d(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM d WHERE j < 24)
INSERT INTO given
  SELECT i, ann_normalize((SELECT json_group_array((i * i * (j + 3) * 7919 + i * 104729 + j * j * 1299709) % 2003 % 201 - 100) FROM d))
  FROM n;

CREATE VIRTUAL TABLE by_cosine USING ann(embedding float32[24], metric = cosine, leaf_capacity = 32, seed = 7);
CREATE VIRTUAL TABLE by_dot USING ann(embedding float16[24], metric = dot, leaf_capacity = 64, trees = 1);
CREATE VIRTUAL TABLE by_l2 USING ann(embedding int8[24], metric = l2, leaf_capacity = 32, threads = 4);
CREATE VIRTUAL TABLE by_bits USING ann(embedding bit[24], metric = hamming, leaf_capacity = 32);
CREATE TABLE song(id INTEGER PRIMARY KEY, embedding BLOB);
INSERT INTO song SELECT * FROM given;
CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[24], metric = l2, content = song, leaf_capacity = 32);

INSERT INTO by_cosine(rowid, embedding) SELECT * FROM given WHERE id <= 1400;
INSERT INTO by_dot(rowid, embedding) SELECT id, ann_quantize(embedding, 'float16') FROM given;
INSERT INTO by_l2(rowid, embedding) SELECT id, ann_quantize(embedding, 'int8', 300) FROM given;
INSERT INTO by_bits(rowid, embedding) SELECT id, ann_quantize(embedding, 'bit') FROM given;

CREATE TABLE found(stage, name, id, distance);
INSERT INTO found SELECT 'filled', 'by_cosine', f.id, f.distance
  FROM given g, ann_search('by_cosine', g.embedding, 10) f WHERE g.id % 100 = 0;

DELETE FROM by_cosine WHERE rowid % 7 = 0;
INSERT INTO by_cosine(rowid, embedding) SELECT id, embedding FROM given WHERE id > 1400;
UPDATE by_cosine SET embedding = (SELECT embedding FROM given WHERE id = 5) WHERE rowid % 90 = 0;
DELETE FROM by_l2 WHERE rowid BETWEEN 300 AND 500;
UPDATE song SET embedding = (SELECT embedding FROM given WHERE id = 9) WHERE id % 80 = 0;
DELETE FROM song WHERE id % 11 = 0;

INSERT INTO by_cosine(by_cosine) VALUES ('optimize');
INSERT INTO by_dot(by_dot) VALUES ('optimize');
INSERT INTO by_l2(by_l2) VALUES ('rebuild');
INSERT INTO by_bits(by_bits) VALUES ('optimize');
INSERT INTO song_ann(song_ann) VALUES ('optimize');

INSERT INTO found SELECT 'optimized', name, f.id, f.distance
  FROM given g, (SELECT 'by_cosine' AS name UNION ALL SELECT 'by_dot' UNION ALL SELECT 'song_ann') t,
    ann_search(t.name, g.embedding, 10) f WHERE g.id % 100 = 1;
INSERT INTO found SELECT 'optimized', 'by_l2', f.id, f.distance
  FROM given g, ann_search('by_l2', ann_quantize(g.embedding, 'int8', 300), 10, 0.7) f WHERE g.id % 100 = 2;
INSERT INTO found SELECT 'optimized', 'by_bits', f.id, f.distance
  FROM given g, ann_search('by_bits', ann_quantize(g.embedding, 'bit'), 10) f WHERE g.id % 100 = 3;
INSERT INTO found SELECT 'joined', 'song_ann', id, distance FROM ann_join('by_cosine', 'song_ann', 3);
