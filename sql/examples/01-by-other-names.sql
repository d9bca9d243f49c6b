-- By what names do other books know the tune of "Haste to the Wedding"?
-- >>> tune = db.execute("SELECT id FROM song WHERE title = 'Haste to the Wedding'").get
-- >>> index.search_item(tune, k=2)
SELECT near.rank, song.title, song.book, round(near.distance, 2) AS distance
  FROM ann_search_item('song_ann', (SELECT id FROM song WHERE title = 'Haste to the Wedding'), 2) AS near
  JOIN song ON song.id = near.id
 WHERE near.exclude_self = 1
 ORDER BY near.rank;
