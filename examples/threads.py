# Threads: each has a connection of its own to one file; in WAL mode they search while another one writes.
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import sqlite_ann

CITIES = {"Oslo": [60, 11], "Rome": [42, 12], "Cork": [52, -8], "Bern": [47, 7], "Kyiv": [50, 31], "Nice": [44, 7]}
mine = threading.local()


def nearest(city):
    if not hasattr(mine, "index"):  # the first time in this thread
        mine.index = sqlite_ann.Index(f"{folder}/city.db", "city_ann", key="name")
    return f"{city}: {mine.index.search_item(city, k=1).ids[0]}"


with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as pool:
    index = sqlite_ann.Index.create(f"{folder}/city.db", "city_ann", dim=2, metric="l2", key="name")
    index.db.execute("PRAGMA journal_mode = wal")
    index.add(list(CITIES), list(CITIES.values()))
    answers = pool.map(nearest, CITIES)
    index.add("Lima", [-12, -77])  # while they search
    print(*answers, sep=", ")
# Oslo: Bern, Rome: Nice, Cork: Bern, Bern: Nice, Kyiv: Rome, Nice: Bern
