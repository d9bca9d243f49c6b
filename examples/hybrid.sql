-- By words and by meaning in one list: the ten best of FTS5 and the ten nearest, added up by reciprocal rank.
CREATE VIRTUAL TABLE page USING fts5(title, body);
CREATE VIRTUAL TABLE page_ann USING ann(embedding float32[3]); -- how much about motors, plants, money
INSERT INTO page(rowid, title, body) VALUES
  (1, 'Change a tyre', 'jack the car up'), (2, 'Oil your chain', 'a bicycle likes oil'), (3, 'Prices', 'oil is dear'),
  (4, 'Prune a rose', 'in March'), (5, 'Engine noises', 'what a car says');
INSERT INTO page_ann(rowid, embedding) VALUES
  (1, '[8, 0, 1]'), (2, '[7, 1, 0]'), (3, '[4, 0, 9]'), (4, '[0, 9, 0]'), (5, '[9, 0, 0]');

WITH words AS (SELECT rowid AS id, row_number() OVER (ORDER BY rank) AS place FROM page('oil') ORDER BY rank LIMIT 10),
     both AS (SELECT id, place FROM words
              UNION ALL SELECT id, rank FROM ann_search('page_ann', '[9, 0, 1]', 10))
SELECT page.title, round(sum(1.0 / (60 + both.place)), 4) AS score
  FROM both JOIN page ON page.rowid = both.id GROUP BY both.id ORDER BY score DESC LIMIT 3;
-- title           score
-- --------------  ------
-- Oil your chain  0.0323
-- Prices          0.0318
-- Change a tyre   0.0164
