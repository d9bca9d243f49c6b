# A partition per user: one index for all, and a search that sees the rows of one user only.
import sqlite_ann

NOTES = [  # whose, title, and how much about food, work, travel
    ("ann", "Dumplings for twelve", [9, 0, 1]),
    ("ann", "Plan for the quarter", [0, 9, 1]),
    ("ann", "Sleeper to Vienna", [1, 0, 9]),
    ("bob", "Lunch for the office", [7, 5, 0]),
    ("bob", "Picnic on the train", [6, 0, 6]),
]
db = sqlite_ann.connect(":memory:")
db.execute("CREATE TABLE note(id INTEGER PRIMARY KEY, user TEXT, title TEXT, embedding TEXT)")
db.execute("CREATE INDEX note_by_user ON note(user)")
db.executemany("INSERT INTO note(user, title, embedding) VALUES (?, ?, ?)", [(u, t, str(v)) for u, t, v in NOTES])
db.execute("CREATE VIRTUAL TABLE note_ann USING ann(embedding float32[3], content = note)")

MINE = """SELECT note.title FROM ann_search('note_ann', '[9, 0, 0]', 2) AS near JOIN note ON note.id = near.id
           WHERE near.only = (SELECT ann_id_set(id) FROM note WHERE user = ?) ORDER BY near.rank"""
for user in ("ann", "bob", "eve"):
    print(user, [title for (title,) in db.execute(MINE, (user,))])
# ann ['Dumplings for twelve', 'Sleeper to Vienna']
# bob ['Lunch for the office', 'Picnic on the train']
# eve []
