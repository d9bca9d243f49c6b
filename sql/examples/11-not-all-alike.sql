-- Which ten songs are near "The Irish Washerwoman", but not all alike?
-- Some tunes are in several books, and among the nearest are copies. diversity takes
-- away from a song's nearness what it has in common with those chosen before it.
SELECT near.rank, song.title, song.book, near.distance
  FROM ann_search_item('song_ann',
                       (SELECT id FROM song WHERE title = 'The Irish Washerwoman'),
                       10) AS near
  JOIN song ON song.id = near.id
 WHERE near.diversity = 0.5
 ORDER BY near.rank;
