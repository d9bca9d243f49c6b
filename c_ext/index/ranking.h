/* ranking.h -- rows measured exactly for a search, and which of them were the nearest so far.
**
** Either the best k alone are kept, or all, for a search that goes on (search.h).
**
**   ann_ranking_all   n rows of L components: O(n L), by what of them is in memory first
*/
#ifndef ANN_INDEX_RANKING_H
#define ANN_INDEX_RANKING_H

#include "core/idset.h"
#include "core/topk.h"
#include "index/query.h"
#include "index/store.h"

typedef struct AnnRanking {
  AnnStore *store; /* borrowed */
  void *vector;    /* owned: one row */
  AnnQuery query;  /* which rows may be in the answer */
  AnnOrigin origin;
  const AnnBitmap *noted; /* borrowed for a call: rows that the forest has not as they are */
  int keeps_all;          /* else the best of `top` alone: */
  AnnTopk top;            /* owned */
  AnnRanked *pool;        /* owned: ranked, and not given yet */
  int64_t n_pool, pool_allocated;
  AnnIdSet ranked; /* owned: ids of the forest that are ranked, where all are kept */
  int64_t n_gone;  /* rows that the forest names and an ordinary table has no longer, so far */
} AnnRanking;

/* Of a zeroed one, whose query may be set.  store: borrowed.  ANN_OK or ANN_NOMEM; clear it in any
** case. */
int ann_ranking_init(AnnRanking *ranking, AnnStore *store);
void ann_ranking_clear(AnnRanking *ranking);
/* No row yet, of the query that is set. */
void ann_ranking_begin(AnnRanking *ranking, int keeps_all);
/* Memory of what is kept. */
int64_t ann_ranking_bytes(const AnnRanking *ranking);

/* Measure every row, or every listed row. */
int ann_ranking_all(AnnRanking *ranking);
/* Those that wait, and those that are noted. */
int ann_ranking_waiting(AnnRanking *ranking);
/* The forest's best estimates, each once, in order of id: n of them. */
int ann_ranking_survivors(AnnRanking *ranking, const int64_t *ids, int64_t n);

#endif
