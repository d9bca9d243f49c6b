/* mmr.h -- some of many rows that are near a query and not all alike: maximal marginal relevance.
**
** Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
** producing summaries", SIGIR 1998; of distances instead of similarities.
**
** 1. The nearest row is taken first.
** 2. Then always the one of those left whose
**
**      (1 - diversity) x distance from the query - diversity x distance from the nearest taken
**
**    is least; ties go to the one that comes first in the pool.
**
** Example: on a line, the query at 0, the pool at 1, 2 and 4, diversity 0.6.  1 is taken; of 2 it
** is 0.4 x 2 - 0.6 x 1 = 0.2, of 4 it is 0.4 x 4 - 0.6 x 3 = -0.2: 4 comes before 2.
**
** Cost: k times a distance for each row of the pool.
*/
#ifndef ANN_CORE_MMR_H
#define ANN_CORE_MMR_H

#include "core/space.h"
#include "core/topk.h"

/* cffi:on */
/* Put the k rows taken to the front of the pool, in the order in which they are taken; the rest
** stays in order behind them.  pool: n rows by ascending (distance, id); vectors: theirs, as they
** are stored, at multiples of space->blob_size.  ANN_OK, ANN_NOMEM or what poll said, and then the
** pool is as it was. */
int ann_mmr_choose(const AnnSpace *space, AnnRanked *pool, const void *vectors, int64_t n,
                   int64_t k, double diversity, const AnnPoll *poll);
/* cffi:off */

#endif
