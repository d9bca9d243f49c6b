-- What comes after the ten songs that are nearest to "The Irish Washerwoman"?
-- A page begins behind the last row of the one before, by its distance and its id: no
-- song comes twice, also where many are as near, or where songs were added meanwhile.
-- (A program binds the two as it read them.)
WITH jig AS (SELECT id FROM song WHERE title = 'The Irish Washerwoman' ORDER BY id LIMIT 1),
     last AS (SELECT near.id, near.distance
                FROM jig JOIN ann_search_item('song_ann', jig.id, 10) AS near
               ORDER BY near.rank DESC LIMIT 1)
SELECT 10 + near.rank AS place, song.title, song.book, near.distance
  FROM jig JOIN last
  JOIN ann_search_item('song_ann', jig.id, 10) AS near
  JOIN song ON song.id = near.id
 WHERE near.after_distance = last.distance AND near.after_id = last.id
 ORDER BY near.rank;
