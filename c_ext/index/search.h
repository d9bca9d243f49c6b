/* search.h -- the k nearest rows of a vector.
**
** 1. Rotate the query, make its look-up table (AnnProbe).
** 2. Walk the leaves of all trees, nearest first (forest.h); estimate every entry;
**    keep the best estimates; stop when the next leaf is too far (effort.h).
** 3. Read the survivors' vectors and the waiting rows', and rank exactly.
** Small tables, recall 1, a k near the number of rows, and short lists of ids are
** scored exactly from the vectors table.
*/
#ifndef ANN_INDEX_SEARCH_H
#define ANN_INDEX_SEARCH_H

#include "core/idset.h"
#include "core/topk.h"
#include "index/store.h"

typedef struct AnnQuery {
  const void *vector;         /* as stored */
  int64_t k;
  double recall;              /* in (0, 1]; 1 is exact */
  int64_t search_k;           /* entries to look at, at most; 0: as recall says */
  int recall_given;           /* search_k and recall both hold */
  const AnnIdSet *only;       /* rows that may be returned, NULL for all */
  const AnnIdSet *exclude;    /* rows that may not, NULL for none */
} AnnQuery;

/* The memory of a search, used again by the next one on the same table. */
typedef struct AnnSearcher AnnSearcher;

/* store: borrowed. */
int ann_searcher_new(AnnStore *store, AnnSearcher **out_searcher);
void ann_searcher_free(AnnSearcher *searcher);

/* out_top: at most k (distance, id), ascending; the caller clears it.  The store is
** inside ann_store_begin. */
int ann_search(AnnSearcher *searcher, const AnnQuery *query, AnnTopk *out_top);

#endif
