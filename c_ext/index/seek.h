/* seek.h -- one search of the forest, which can go on.
**
** 1. Rotate the query, make its look-up table (AnnProbe).
** 2. Walk the leaves of all trees, nearest first (walk.h); estimate every entry; keep the best
**    estimates; stop when the next leaf is too far for the k asked for (effort.h).
** 3. When more are asked for, go on with the leaf at which it stopped.
**
** A search that is to go on remembers which leaves it has read, and scans them once more for a
** larger k: its best may be among those that were not good enough before.  It can go on for as
** long as the directories that it points into stay in memory; after that whoever wants more
** begins anew.
**
** Cost of going on: that of the leaves read since, and the scan of those before; not the way to
** them, nor the ranking.
*/
#ifndef ANN_INDEX_SEEK_H
#define ANN_INDEX_SEEK_H

#include "core/shortlist.h"
#include "core/topk.h"
#include "index/walk.h"
#include "index/way.h"

typedef struct AnnSeek {
  AnnStore *store;       /* borrowed */
  const AnnQuery *query; /* borrowed: of the search under way */
  int goes_on;           /* more will be asked for */
  AnnWay way;            /* for the k of now */
  int64_t k;
  int64_t inspected;      /* entries looked at, of rows that may be returned */
  int64_t passed;         /* entries looked at, of whatever rows */
  int64_t look_at;        /* entries passed at which to look whether it is worth it (way.h) */
  int gave_up;            /* it was not: the walk has ended before it was enough */
  AnnProbe probe;         /* owned */
  AnnWalk walk;           /* owned */
  AnnStep next, after;    /* the leaf that comes, and the one after it */
  int found, found_after; /* there is one */
  AnnStep *read;          /* owned: leaves that were read, where it goes on */
  int64_t n_read, n_allocated;
  int64_t directories_moved; /* ann_pages_moved, when it began */
  AnnShortlist survivors;    /* owned: the best estimates, copies counted */
  AnnTopk best;              /* owned: the best k estimates of different rows, for the rule */
} AnnSeek;

/* ANN_OK or ANN_NOMEM with nothing owned. */
int ann_seek_init(AnnSeek *seek, AnnStore *store);
void ann_seek_clear(AnnSeek *seek);
/* All the memory for searches for k by that way, so that a worker can run them, who allocates and
** reads nothing: its walk.reader is NULL, and what is not there ends the search with ANN_NOT_HERE.
** ANN_OK or ANN_NOMEM. */
int ann_seek_fit(AnnSeek *seek, int64_t k, const AnnWay *way);
/* Begin at the roots.  query: borrowed as long as it goes on; its k is not looked at. */
int ann_seek_start(AnnSeek *seek, const AnnQuery *query, int goes_on);
/* Walk on until it is enough for k, or gave_up. */
int ann_seek_reach(AnnSeek *seek, int64_t k, const AnnWay *way);
/* The different ids of the best estimates, ascending; borrowed until the next call. */
int ann_seek_survivors(AnnSeek *seek, const int64_t **out_ids, int64_t *out_n);
/* Of a search that goes on: no leaf is left, or so much was looked at as search_k says, and all
** that was estimated is among the survivors. */
int ann_seek_is_done(const AnnSeek *seek);
/* Does all that it points into still stand where it did? */
int ann_seek_can_go_on(const AnnSeek *seek);

#endif
