/* many.h -- the k nearest rows of many vectors, searched for together.
**
** Each vector gets the rows that a search for it alone finds (search.h), to the last bit.  What
** it costs is less, because
**
** 1. all threads search, a vector each, in what is in memory; what is not there the SQLite thread
**    reads, and searches itself;
** 2. while not all is in memory, the vectors are put in order of the leaf that is nearest to each,
**    so that one after the other wants the same leaves and rows, which have then been read;
** 3. the waiting rows are read once for all vectors; and so is the whole table for those that have
**    to be compared with every row of it.
**
** A few are searched for one after the other: threads take time to start.  So are all in an
** ordinary table, unless each has to be compared with every row: its rows may be others than the
** forest knows, or gone, and none are kept in memory, where other threads would find them.
**
** Memory: ann_many_bytes for each vector, and for each thread the memory of a search.
*/
#ifndef ANN_INDEX_MANY_H
#define ANN_INDEX_MANY_H

#include "core/topk.h"
#include "index/store.h"

/* What is searched for; all borrowed. */
typedef struct AnnAsked {
  int64_t n;
  const uint8_t *queries; /* n, of space->query_size bytes each */
  const int64_t *selves;  /* n ids, each left out of its own answer; NULL for none */
  int64_t k;              /* at least 1 */
  double recall;          /* in (0, 1]; 1 is exact */
  int threads;            /* as the option of that name: 0 for the cores */
} AnnAsked;

/* Inside ann_store_begin.  out_tops: n, zeroed; filled with at most k (distance, id) each,
** ascending, in the order of the queries; the caller clears them, also after a failure. */
int ann_many_search(AnnStore *store, const AnnAsked *asked, AnnTopk *out_tops);
/* For one vector, while many are searched for, with its answer. */
int64_t ann_many_bytes(const AnnStore *store, int64_t k);

#endif
