/* learned.h -- queries that the user has given to the table, to calibrate with.
**
** A sample of bounded size of all that were ever given, every one with the same probability
** (reservoir sampling; Vitter, ACM Transactions on Mathematical Software 11, 1985): the
** generator is keyed by the seed and by how many came before, so that the same queries in the
** same order leave the same sample.  Kept in memory like the calibration, and written with the
** transaction (config row 8, FORMAT.md).
**
**   ann_learned_add   O(dimensions)
*/
#ifndef ANN_INDEX_LEARNED_H
#define ANN_INDEX_LEARNED_H

#include "index/store.h"

#define ANN_LEARNED_MOST 400      /* queries kept; fewer if their vectors exceed 64 MiB */

typedef struct AnnLearned {
  int64_t seen;           /* queries ever given */
  int64_t n, most;        /* kept; room for */
  int measured;           /* the calibration knows all of them */
  int dirty;              /* not stored as it is */
  float *vectors;         /* owned: most x dimensions */
} AnnLearned;

/* What the table has; borrowed until the store forgets what it holds.  ANN_OK, or a failure. */
int ann_learned_get(AnnStore *store, AnnLearned **out_learned);
/* One more query: `dimensions` finite floats. */
int ann_learned_add(AnnStore *store, const float *vector);
/* A calibration with these queries is stored. */
int ann_learned_measured(AnnStore *store);
int ann_learned_flush(AnnStore *store);
int ann_learned_is_clean(const AnnStore *store);   /* nothing to flush */
void ann_learned_drop(AnnStore *store);   /* forget what is in memory, stored or not */

#endif
