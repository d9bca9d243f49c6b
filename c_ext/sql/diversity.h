/* diversity.h -- of many rows that were found, some that are not all alike (core/mmr.h). */
#ifndef ANN_SQL_DIVERSITY_H
#define ANN_SQL_DIVERSITY_H

#include "core/topk.h"
#include "index/store.h"

#define ANN_DIVERSITY_POOL 5 /* rows to choose from, for each that is wanted; a choice */

/* The k rows chosen to the front of the n.  Inside ann_store_begin. */
int ann_diversity_choose(AnnStore *store, AnnRanked *rows, int64_t n, int64_t k,
                         double diversity);

#endif
