/* recall.h -- the recall that searches really give, measured on stored rows.
**
** Rows spread evenly over the table in order of id are searched for, each left out of its
** own answer, and the answers compared with the exact neighbours:
**
** 1. One pass over the table picks the rows: of n, those in the middle of n equal parts.
** 2. One pass measures every row against all of them, and keeps the k best of each.
** 3. One search for each, for all k at once.  A row found that is no farther than the k-th
**    exact neighbour is a hit, so that it does not matter which of several equally far rows
**    a search returns.
**
** Cost: two readings of the table (about 1 us a row each) and sample x rows distances; a
** sample too large for SAMPLE_BYTES is done in parts, with two readings for each.
*/
#ifndef ANN_INDEX_RECALL_H
#define ANN_INDEX_RECALL_H

#include "index/search.h"

typedef struct AnnRecall {
  int64_t sample;   /* rows searched for; 0: the table has no neighbours, all below is 0 */
  double recall;    /* the share of the exact neighbours that was found */
  double low, high; /* 95 % interval of it */
} AnnRecall;

/* What searches for k at `recall` find, from `sample` rows or all; given: from so many of the
** queries that the user gave (learned.h) instead.  The store is inside ann_store_begin;
** searcher is its. */
int ann_recall_measure(AnnStore *store, AnnSearcher *searcher, int64_t k, int64_t sample,
                       double recall, int given, AnnRecall *out_recall);

#endif
