# Paging: each page begins behind the last row of the page before, so that no row comes twice.
import sqlite_ann

db = sqlite_ann.connect(":memory:")
db.execute("CREATE TABLE city(id INTEGER PRIMARY KEY, name TEXT, place TEXT)")
cities = {"Oslo": [60, 11], "Rome": [42, 12], "Cork": [52, -8], "Bern": [47, 7], "Kyiv": [50, 31], "Nice": [44, 7]}
db.executemany("INSERT INTO city(name, place) VALUES (?, ?)", [(name, str(at)) for name, at in cities.items()])
db.execute("CREATE VIRTUAL TABLE city_ann USING ann(place float32[2], metric = l2, content = city)")

PAGE = """
SELECT city.name, near.distance, near.id
  FROM ann_search('city_ann', '[49, 2]', 2) AS near JOIN city ON city.id = near.id
 WHERE near.after_distance = ? AND near.after_id = ?
 ORDER BY near.rank"""

last = (None, None)  # of the first page
while page := db.execute(PAGE, last).fetchall():
    print(", ".join(name for name, _, _ in page))
    last = page[-1][1:]
# Bern, Nice
# Cork, Rome
# Oslo, Kyiv
