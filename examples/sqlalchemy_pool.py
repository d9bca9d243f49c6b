# SQLAlchemy: every connection that its pool opens gets the extension, and searches are SQL like any other.
import tempfile

import pysqlite3
from sqlalchemy import create_engine, event, text

import sqlite_ann

SONGS = {"Danny Boy": "[2, 7, 4]", "Money Musk": "[8, 1, 8]", "The Parting Glass": "[2, 8, 2]"}  # how fast, sad, loud
NEAR = "SELECT title FROM ann_search('song_ann', :query, 2) JOIN song USING (id) ORDER BY rank"

with tempfile.TemporaryDirectory() as folder:
    engine = create_engine(f"sqlite:///{folder}/songs.db", module=pysqlite3)
    event.listen(engine, "connect", lambda connection, _: sqlite_ann.load(connection))
    with engine.begin() as db:
        db.execute(text("CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT, embedding TEXT)"))
        db.execute(text("CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[3], content = song)"))
        songs = [{"title": title, "embedding": vector} for title, vector in SONGS.items()]
        db.execute(text("INSERT INTO song(title, embedding) VALUES (:title, :embedding)"), songs)
    with engine.connect() as db:
        print(db.scalars(text(NEAR), {"query": "[2, 9, 2]"}).all())
    engine.dispose()
# ['The Parting Glass', 'Danny Boy']
