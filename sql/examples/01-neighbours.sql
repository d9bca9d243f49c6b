-- Which songs go like "The Irish Washerwoman"?
-- ann_search('song_ann', vector, k) gives the k rows of song_ann that are nearest
-- to a vector, as id, distance and rank. The vector is the song's own, found by its
-- title, so the song itself comes first, at distance 0.
SELECT near.rank, song.title, song.book, near.distance
  FROM ann_search('song_ann',
                  (SELECT embedding FROM song
                    WHERE title = 'The Irish Washerwoman'),
                  10) AS near
  JOIN song ON song.id = near.id
 ORDER BY near.distance;
