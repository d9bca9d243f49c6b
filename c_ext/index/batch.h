/* batch.h -- rows that are read, routed and written together: what a build is made of.
**
** The SQLite thread reads them; all threads rotate or route them, each row alone, against the
** forest as it is before the batch; the SQLite thread writes them, by leaf.  Rows whose leaf
** was divided by a row before them are routed anew, all together, unless these are most of
** them; then one by one.  So the result depends on where batches begin, which only rows and
** options decide, and not on the number of threads.
**
** Memory: vectors of at most 64 MiB in all (but at least 16 of them), their
** copies' codes, and a router for each thread.
*/
#ifndef ANN_INDEX_BATCH_H
#define ANN_INDEX_BATCH_H

#include "core/idset.h"
#include "core/pool.h"
#include "index/route.h"

typedef struct AnnBatch {
  AnnStore *store; /* borrowed */
  AnnPool *pool;   /* borrowed; NULL: the SQLite thread alone */
  AnnPoll poll;
  int64_t n, n_allocated; /* rows held, and room for them */
  int64_t *ids;           /* owned */
  uint8_t *vectors;       /* owned: n_allocated, as stored */
  AnnCopy *copies;        /* owned: n_allocated x trees */
  uint8_t *bits;          /* owned: of their codes */
  uint8_t *routed;        /* owned: whether copies are known */
  AnnRanked *order;       /* owned: rows still to be written, and in which order */
  int64_t n_left;         /* of them */
  AnnRouter *routers[ANN_MAX_THREADS + 1]; /* owned: one for each worker */
  AnnIdSet divided;                        /* owned: leaves that rows of this batch divided */
  float *out;                              /* borrowed: where ann_batch_rotate writes */
} AnnBatch;

/* For so many rows in all.  ANN_OK or ANN_NOMEM (nothing owned). */
int ann_batch_init(AnnBatch *batch, AnnStore *store, AnnPool *pool, int64_t rows);
void ann_batch_clear(AnnBatch *batch);

/* Append the next row of the open scan, for as long as there are fewer than `most` and the
** scan goes on; *out_more is 0 at its end. */
int ann_batch_read(AnnBatch *batch, int64_t most, int *out_more);
/* Append the row of an id, if it is there; there is room for it.  *out_vector: borrowed until the
** batch is placed. */
int ann_batch_take(AnnBatch *batch, int64_t id, const void **out_vector, int *out_found);
/* The batch's vectors as the forest sees them: n x L floats. */
int ann_batch_rotate(AnnBatch *batch, float *out);
/* Place all rows in the forest, and be empty again. */
int ann_batch_place(AnnBatch *batch);

#endif
