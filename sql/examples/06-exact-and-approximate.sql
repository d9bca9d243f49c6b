-- How good is the search?
-- Ten songs from all over the books are searched twice: with recall = 1, which is
-- exact, and with the default of 0.95, for a fraction of the work. Joining the two
-- answers by id compares them. (fast.id IN (...) would tell the search where to look.)
SELECT wanted.title, count(fast.id) AS found, count(*) AS true_neighbours
  FROM song AS wanted
  JOIN ann_search('song_ann', wanted.embedding, 10, 1) AS exact
  LEFT JOIN ann_search('song_ann', wanted.embedding, 10) AS fast
         ON fast.id = exact.id
 WHERE wanted.id % 1275 = 42
 GROUP BY wanted.id
 ORDER BY wanted.id;
