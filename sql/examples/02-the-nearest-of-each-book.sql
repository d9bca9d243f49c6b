-- By what name does each book know the tune of "The Soldier's Joy"?
-- A search is a table: join it, group it, count it. Here everything within a
-- distance is asked for, not a number of rows. Beside min(), SQLite takes the title
-- from the row with the smallest distance.
SELECT song.book,
       song.title AS nearest,
       min(near.distance) AS distance,
       count(*) AS within
  FROM ann_search('song_ann',
                  (SELECT embedding FROM song
                    WHERE title = 'The Soldier''s Joy')) AS near
  JOIN song ON song.id = near.id
 WHERE near.max_distance = 0.3
 GROUP BY song.book
 ORDER BY distance;
