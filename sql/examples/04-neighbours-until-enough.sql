-- Which songs about drink go like "The Irish Washerwoman"?
-- A large k costs nothing by itself: neighbours come in order, the condition is
-- tested on each, and the search goes on only until LIMIT has enough. No list of ids
-- is made. With few rows to find, the form with IN is the better one.
SELECT near.rank, song.title, song.book, near.distance
  FROM ann_search('song_ann',
                  (SELECT embedding FROM song
                    WHERE title = 'The Irish Washerwoman'),
                  1000000) AS near
  JOIN song ON song.id = near.id
 WHERE song.title LIKE '%drink%' OR song.title LIKE '%whisk%'
 ORDER BY near.distance
 LIMIT 5;
