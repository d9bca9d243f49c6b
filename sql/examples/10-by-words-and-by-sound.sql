-- Which songs are called, or go, like "The Irish Washerwoman"?
-- Two lists, by words from FTS5 and by sound from the index, become one by reciprocal
-- rank fusion: a song's points are the sum of 1 / (60 + its rank) over the lists it is in.
-- Ranks go together where bm25 and distances would not; 60 keeps the first from winning alone.
WITH words AS (SELECT rowid AS id, row_number() OVER (ORDER BY rank, rowid) AS rank
                 FROM song_text WHERE song_text MATCH 'irish OR washerwoman' LIMIT 50),
     sound AS (SELECT id, rank
                 FROM ann_search('song_ann', (SELECT embedding FROM song
                                               WHERE title = 'The Irish Washerwoman'), 50)),
     lists AS (SELECT id, rank FROM words UNION ALL SELECT id, rank FROM sound)
SELECT song.title, song.book, count(*) AS lists, sum(1.0 / (60 + lists.rank)) AS points
  FROM lists JOIN song ON song.id = lists.id
 GROUP BY song.id
 ORDER BY points DESC, song.id
 LIMIT 10;
