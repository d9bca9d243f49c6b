-- What to hear next: like two jigs, unlike a reel, none heard before, two a book?
-- Each wish is an argument of the search, so six songs come whenever there are six.
-- All of Ryan's collection counts as heard. A weight below 0 is for what is disliked.
SELECT near.rank, song.title, song.book, near.distance
  FROM ann_search_items('song_ann', (SELECT json_group_object(id, iif(kind = 'reel', -0.5, 1)) FROM song WHERE title IN
       ('The Irish Washerwoman', 'Cherish the Ladies', 'The Soldier''s Joy')), 6) AS near JOIN song ON song.id = near.id
 WHERE near.exclude_self = 1 AND near.exclude = (SELECT ann_id_set(id) FROM song WHERE book LIKE 'Ryan%')
   AND near.max_per = 2 AND near.groups = (SELECT ann_groups(id, book) FROM song)
 ORDER BY near.rank;
