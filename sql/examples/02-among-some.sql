-- Which songs about whiskey go like "The Irish Washerwoman"?
-- >>> tune = db.execute("SELECT id FROM song WHERE title = 'The Irish Washerwoman'").get
-- >>> index.search_item(tune, k=3, ids=db.execute("SELECT ann_id_set(id) FROM song WHERE title LIKE '%whisk%'").get)
SELECT near.rank, song.title, song.book, round(near.distance, 2) AS distance
  FROM ann_search_item('song_ann', (SELECT id FROM song WHERE title = 'The Irish Washerwoman'), 3) AS near
  JOIN song ON song.id = near.id
 WHERE near.exclude_self = 1 AND near.only = (SELECT ann_id_set(id) FROM song WHERE title LIKE '%whisk%')
 ORDER BY near.rank;
