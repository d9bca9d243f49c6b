# More like these and not those: what is liked draws, what is disliked pushes away, and none of it comes back.
import sqlite_ann

index = sqlite_ann.Index.create(":memory:", "song_ann", dim=3, key="title")  # how fast, sad, loud
songs = {
    "The Irish Washerwoman": [9, 1, 6],
    "Cherish the Ladies": [8, 2, 5],
    "The Soldier's Joy": [9, 2, 8],
    "Fisher's Hornpipe": [8, 3, 6],
    "The Parting Glass": [2, 8, 2],
    "Danny Boy": [2, 7, 4],
    "The Coolin": [3, 8, 1],
    "The South Wind": [6, 4, 4],
}
index.add(list(songs), list(songs.values()))

liked = ["Fisher's Hornpipe", "The Parting Glass"]
print("like both:", index.recommend(liked, k=2).ids.tolist())
print("and unlike a reel:", index.recommend(liked, k=2, dislike="The Soldier's Joy").ids.tolist())
# like both: ['The South Wind', 'Danny Boy']
# and unlike a reel: ['The Coolin', 'Danny Boy']
