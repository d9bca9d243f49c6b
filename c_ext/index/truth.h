/* truth.h -- the exact nearest rows of some vectors, by one pass over the table.
**
** Rows are read some hundred kilobytes at a time, each time compared with all the vectors
** by all the workers.
**
** Cost: a distance for every row and vector.
*/
#ifndef ANN_INDEX_TRUTH_H
#define ANN_INDEX_TRUTH_H

#include "core/metric.h"
#include "core/pool.h"
#include "core/topk.h"
#include "index/store.h"

typedef struct AnnTruth {
  int64_t id;             /* of the row that the vector is, which is left out */
  AnnOrigin origin;       /* its vector: borrowed, `dimensions` floats */
  AnnTopk exact;          /* owned: the k nearest; not sorted */
} AnnTruth;

/* k: neighbours wanted, at least 1; 16 bytes each.  ANN_OK or ANN_NOMEM with nothing owned. */
int ann_truth_init(AnnTruth *truth, const AnnStore *store, int64_t id, const float *vector,
                   int64_t k);
void ann_truth_clear(AnnTruth *truth);

/* Fill `exact` of n truths.  pool: NULL for one thread. */
int ann_truth_find(AnnStore *store, AnnPool *pool, AnnTruth *truths, int64_t n);

#endif
