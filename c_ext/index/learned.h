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

#include "core/space.h"
#include "index/db.h"
#include "index/state.h"

#define ANN_LEARNED_MOST 400 /* queries kept; fewer if their vectors exceed 64 MiB */

/* cffi:on */
typedef struct AnnLearned AnnLearned;

/* What is kept; borrowed until the next call. */
typedef struct AnnLearnedQueries {
  int64_t n;
  const uint8_t *queries; /* n of them, of space->query_size bytes each */
  int measured;           /* the calibration knows all of them */
} AnnLearnedQueries;

/* db, state (told of every query), space: borrowed.  ANN_OK or ANN_NOMEM. */
int ann_learned_new(AnnDb *db, AnnState *state, const AnnSpace *space, uint64_t seed,
                    AnnLearned **out_learned);
void ann_learned_free(AnnLearned *learned);

/* What the table has: ANN_OK, or a failure. */
int ann_learned_get(AnnLearned *learned, AnnLearnedQueries *out_queries);
/* One more query. */
int ann_learned_add(AnnLearned *learned, const void *query);
/* A calibration with these queries is stored. */
int ann_learned_measured(AnnLearned *learned);
/* For a state that knows nothing yet: tell it of the stored queries. */
int ann_learned_tell(AnnLearned *learned);
int ann_learned_flush(AnnLearned *learned);
int ann_learned_is_clean(const AnnLearned *learned); /* nothing to flush */
/* Queries in memory; -1 when what the table has was not read. */
int64_t ann_learned_held(const AnnLearned *learned);
void ann_learned_drop(AnnLearned *learned); /* forget what is in memory, stored or not */
/* cffi:off */

#endif
