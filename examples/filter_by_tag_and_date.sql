-- By tag and date: of the recipes since June, the three nearest to a query. The condition goes into the search.
CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, tag TEXT, written TEXT, embedding BLOB);
INSERT INTO note VALUES -- the numbers: how much about food, work, travel
  (1, 'Dumplings for twelve',  'recipe', '2026-09-30', ann_vector('[9, 0, 1]')),
  (2, 'Grandmother''s soup',   'recipe', '2025-01-12', ann_vector('[9, 1, 0]')),
  (3, 'Lunch for the office',  'recipe', '2026-06-14', ann_vector('[7, 5, 0]')),
  (4, 'What we ate in Lisbon', 'diary',  '2026-08-02', ann_vector('[8, 0, 3]')),
  (5, 'Picnic on the train',   'recipe', '2026-07-21', ann_vector('[6, 0, 6]')),
  (6, 'Plan for the quarter',  'work',   '2026-07-01', ann_vector('[0, 9, 1]'));
CREATE VIRTUAL TABLE note_ann USING ann(embedding float32[3], content = note);

SELECT note.title, note.written
  FROM ann_search('note_ann', '[9, 1, 0]', 3) AS near JOIN note ON note.id = near.id
 WHERE near.only = (SELECT ann_id_set(id) FROM note WHERE tag = 'recipe' AND written >= '2026-06-01')
 ORDER BY near.rank;
-- title                 written
-- --------------------  ----------
-- Dumplings for twelve  2026-09-30
-- Lunch for the office  2026-06-14
-- Picnic on the train   2026-07-21
