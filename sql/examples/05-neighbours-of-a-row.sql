-- What is near a song that is in the index already?
-- Its id is enough; exclude_self leaves the song itself out.
SELECT near.rank, song.title, song.book, song.origin, near.distance
  FROM ann_search_item('song_ann',
                       (SELECT id FROM song WHERE title = 'Cherish the Ladies'),
                       5) AS near
  JOIN song ON song.id = near.id
 WHERE near.exclude_self = 1
 ORDER BY near.distance;
