-- Which reels of two books go like "The Irish Washerwoman", which is a jig?
-- "near.id IN (SELECT ...)" is handed to the search, which then looks among these
-- rows only: if ten qualify, ten come back, however rare and far away they are.
SELECT near.rank, song.title, song.book, near.distance
  FROM ann_search('song_ann',
                  (SELECT embedding FROM song
                    WHERE title = 'The Irish Washerwoman'),
                  10) AS near
  JOIN song ON song.id = near.id
 WHERE near.id IN (SELECT id
                     FROM song
                    WHERE kind = 'reel'
                      AND (book LIKE 'O''Neill%' OR book LIKE 'Ryan%'))
 ORDER BY near.distance;
