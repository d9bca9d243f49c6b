/* truth.h -- the exact nearest rows of some vectors, by one pass over the table.
**
** Rows are read some hundred kilobytes at a time, each time compared with all the vectors
** by all the workers.
**
** A thinned truth looks at one row in ANN_TRUTH_SHARE, chosen by id: its k-th nearest stands
** for the (ANN_TRUTH_SHARE k)-th of all, for an eighth of the memory.
**
** Rows that are in memory are not read again, and what is read stays there, as with a search for
** one vector.
**
** Cost: a distance for every row and vector; 0.1 us for a row in memory, 1 us for another.
*/
#ifndef ANN_INDEX_TRUTH_H
#define ANN_INDEX_TRUTH_H

#include "core/pool.h"
#include "core/space.h"
#include "core/topk.h"
#include "index/rows.h"

#define ANN_TRUTH_SHARE 8

/* cffi:on */
typedef struct AnnTruth {
  int64_t id; /* of the row that the vector is, which is left out */
  int has_id; /* it is a row */
  int thinned;
  AnnOrigin origin; /* of its query, borrowed */
  AnnTopk exact;    /* owned: the k nearest; not sorted */
} AnnTruth;

/* id: NULL for a vector that is no row.  k: neighbours wanted, at least 1; 16 bytes each.
** ANN_OK or ANN_NOMEM with nothing owned. */
int ann_truth_init(AnnTruth *truth, const AnnSpace *space, const int64_t *id, const void *query,
                   int64_t k);
void ann_truth_clear(AnnTruth *truth);

/* The table whose rows are compared; all borrowed. */
typedef struct AnnTruthRows {
  AnnDb *db;
  AnnSource *source;
  const AnnSpace *space;
  AnnRows *rows; /* where those are kept that were read; NULL: all are read from the source */
} AnnTruthRows;

/* Fill `exact` of n truths.  pool: NULL for one thread. */
int ann_truth_find(const AnnTruthRows *rows, AnnPool *pool, AnnTruth *truths, int64_t n);

/* The same by some rows at a time. */
typedef struct AnnPass AnnPass;
/* truths: borrowed, as long as the pass lives.  ANN_OK, or ANN_NOMEM with nothing owned. */
int ann_pass_new(const AnnTruthRows *rows, AnnTruth *truths, int64_t n, AnnPass **out_pass);
/* About `most` rows from the id *io_from on, which then is where to go on; *out_more is 0 when
** there are none left. */
int ann_pass_scan(AnnPass *pass, AnnPool *pool, int64_t most, int64_t *io_from, int *out_more);
/* The rows with ids from first to last. */
int ann_pass_range(AnnPass *pass, AnnPool *pool, int64_t first, int64_t last);
void ann_pass_free(AnnPass *pass);
/* cffi:off */

#endif
