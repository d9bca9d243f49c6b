-- What to hear next, who liked two jigs, knows all of Ryan's collection, and wants one song a book?
-- >>> liked = [id for (id,) in db.execute("SELECT id FROM song WHERE title IN ('The Irish Washerwoman', 'Cherish the Ladies')")]
-- >>> ryans, books = db.execute("SELECT ann_id_set(id) FILTER (WHERE book LIKE 'Ryan%'), ann_groups(id, book) FROM song").get
-- >>> index.recommend(liked, k=3, heard=ryans, per=(books, 1))
SELECT near.rank, song.title, song.book, round(near.distance, 2) AS distance
  FROM ann_search_items('song_ann', (SELECT json_group_array(id) FROM song
                                      WHERE title IN ('The Irish Washerwoman', 'Cherish the Ladies')), 3) AS near
  JOIN song ON song.id = near.id
 WHERE near.exclude_self = 1 AND near.exclude = (SELECT ann_id_set(id) FROM song WHERE book LIKE 'Ryan%')
   AND near.max_per = 1 AND near.groups = (SELECT ann_groups(id, book) FROM song)
 ORDER BY near.rank;
