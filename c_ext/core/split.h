/* split.h -- cut a set of points in two by a hyperplane between two centroids.
**
** Annoy's idea, with more care: from a random pair of members, a few rounds of
** 2-means on a random sample, then every member to its side of the plane midway.
** No side gets less than a stated share; then the cut moves along the same direction.
** Cost: O((sample x rounds + n) x length).
*/
#ifndef ANN_CORE_SPLIT_H
#define ANN_CORE_SPLIT_H

#include "core/base.h"
#include "core/rng.h"
#include "core/topk.h"

#define ANN_SPLIT_PLANES 5   /* vectors: two centroids, the normal, two sums */

/* points: n pointers to `length` floats.  minimum: members each side must get, at most
** n / 2.  out_side: n bytes, 0 or 1.  Equal points are dealt out by their position.
** ANN_OK or ANN_NOMEM.  n >= 2. */
int ann_split(const float *const *points, int64_t n, int64_t length, int64_t minimum,
              AnnRng *rng, uint8_t *out_side);

/* The same in memory that is there: order, n of them, and planes, ANN_SPLIT_PLANES x length
** floats, which are left with what was computed. */
void ann_split_within(const float *const *points, int64_t n, int64_t length, int64_t minimum,
                      AnnRng *rng, AnnRanked *order, float *planes, uint8_t *out_side);

/* The mean of the points on `side` (all when side < 0) into out_mean, and the mean
** squared distance from it.  scratch is not needed; sums run in double. */
int ann_split_mean(const float *const *points, const uint8_t *side_of, int side, int64_t n,
                   int64_t length, float *out_mean, float *out_spread);

#endif
