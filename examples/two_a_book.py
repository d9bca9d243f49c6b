# A recommender: what to play next after these tunes, at most two of a book, nothing that was played already.
import sqlite_ann

TUNES = [  # book, title, and how fast, sad, loud it is
    ("Ryan", "Money Musk", "[8, 1, 8]"),
    ("Ryan", "Harvest Home", "[7, 2, 7]"),
    ("Ryan", "The Soldier's Joy", "[9, 2, 8]"),
    ("Ryan", "Fisher's Hornpipe", "[8, 2, 7]"),
    ("O'Neill", "The Irish Washerwoman", "[9, 1, 6]"),
    ("O'Neill", "Cherish the Ladies", "[8, 2, 5]"),
    ("Aird", "Ye Banks and Braes", "[3, 6, 3]"),
]
db = sqlite_ann.connect(":memory:")
db.execute("CREATE TABLE tune(id INTEGER PRIMARY KEY, book TEXT, title TEXT, embedding TEXT)")
db.executemany("INSERT INTO tune(book, title, embedding) VALUES (?, ?, ?)", TUNES)
index = sqlite_ann.Index.create(db, "tune_ann", dim=3, metric="l2", content="tune")
played = [1]
books = db.execute("SELECT ann_groups(id, book) FROM tune").get
for id, _ in index.recommend(played, k=4, per=(books, 2)).to_list():
    print(*db.execute("SELECT title, book FROM tune WHERE id = ?", (id,)).get, sep=", ")
# The Soldier's Joy, Ryan
# Fisher's Hornpipe, Ryan
# The Irish Washerwoman, O'Neill
# Cherish the Ladies, O'Neill
