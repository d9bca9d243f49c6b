-- Asked for 95 of 100 of the ten that are truly nearest: how many does a search find?
-- >>> index.recall(k=10, sample=500)
SELECT round(100 * recall, 1) AS found_of_100, sample AS searches FROM ann_recall('song_ann', 10, 500);
