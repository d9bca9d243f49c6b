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

#define ANN_SPLIT_PLANES 5 /* vectors: two centroids, the normal, two sums */

/* A plane between two centroids: <x, normal> < offset is side 0. */
typedef struct AnnPlane {
  float *planes; /* borrowed: ANN_SPLIT_PLANES x length, left with what was computed */
  float offset;
  int64_t length;
} AnnPlane;

/* points: n pointers to `length` floats.  minimum: members each side must get, at most
** n / 2.  out_side: n bytes, 0 or 1.  Equal points are dealt out by their position.
** ANN_OK or ANN_NOMEM.  n >= 2. */
int ann_split(const float *const *points, int64_t n, int64_t length, int64_t minimum,
              AnnRng *rng, uint8_t *out_side);

/* The same in three steps and in memory that is there: order, n of them.  The plane, from
** plane->planes and ->length; where the points first..last-1 are along its normal, as many at a
** time as one likes; and the sides: ANN_OK, ANN_NOMEM or what poll (may be NULL) said. */
void ann_split_choose(const float *const *points, int64_t n, AnnRng *rng, AnnPlane *plane);
void ann_split_project(const float *const *points, int64_t first, int64_t last,
                       const AnnPlane *plane, AnnRanked *order);
int ann_split_sides(AnnRanked *order, int64_t n, int64_t minimum, const AnnPoll *poll,
                    uint8_t *out_side);

/* The mean of the points on `side` (all when side < 0) into out_mean, and the mean
** squared distance from it.  scratch is not needed; sums run in double. */
int ann_split_mean(const float *const *points, const uint8_t *side_of, int side, int64_t n,
                   int64_t length, float *out_mean, float *out_spread);

#endif
