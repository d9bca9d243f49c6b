# Ids that are text: file names, URLs and UUIDs are keys of the index, without numbers of one's own.
import sqlite_ann

index = sqlite_ann.Index.create(":memory:", "photo_ann", dim=3, key="file")  # how blue, green, red
index.add(["sea.jpg", "wood.jpg", "poppies.jpg"], [[9, 3, 1], [1, 8, 1], [1, 4, 9]])
index.upsert(["lake.jpg", "sea.jpg"], [[8, 5, 1], [9, 2, 1]])
index.remove("wood.jpg")

print("like lake.jpg:", index.search_item("lake.jpg", k=1).ids[0])
print("most red:", index.search([0, 0, 1], k=1).ids[0])
print("is there:", "wood.jpg" in index, "sea.jpg" in index)
# like lake.jpg: sea.jpg
# most red: poppies.jpg
# is there: False True
