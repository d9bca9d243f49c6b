# Upsert: a song is written for the first time or anew, and the index over the table follows by itself.
import sqlite_ann

db = sqlite_ann.connect(":memory:")
db.execute("CREATE TABLE song(title TEXT UNIQUE, embedding TEXT, id INTEGER PRIMARY KEY)")
db.execute("CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[3], metric = l2, content = song)")

UPSERT = """INSERT INTO song(title, embedding) VALUES (?, ?)
                ON CONFLICT(title) DO UPDATE SET embedding = excluded.embedding"""
db.execute(UPSERT, ("Danny Boy", "[2, 7, 4]"))  # how fast, sad and loud it is
db.execute(UPSERT, ("Money Musk", "[8, 1, 8]"))
db.execute(UPSERT, ("Harvest Home", "[7, 2, 7]"))
NEAREST = "SELECT title FROM ann_search('song_ann', '[9, 6, 9]', 1) JOIN song USING (id)"
print("fast, loud and sad:", db.execute(NEAREST).get)

db.execute(UPSERT, ("Danny Boy", "[9, 6, 9]"))  # as a punk band plays it
print("and now:", db.execute(NEAREST).get)
print(db.execute("SELECT count(*) FROM song").get, "songs")
# fast, loud and sad: Harvest Home
# and now: Danny Boy
# 3 songs
