-- What does the index hold, and what does it cost?
SELECT key, value FROM ann_info('song_ann');
