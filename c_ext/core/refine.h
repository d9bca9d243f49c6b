/* refine.h -- move the leaves of a forest's trees to where the points are: k-means, over all
** trees.
**
** A pass moves every point to the nearest leaf centre of any tree, and every centre to the mean
** of its points.  So no two trees spend their leaves on the same places.
**
** Nearest among the leaves of the four nearest groups (core/tree.h), told by the mean of a
** group's centres.  Cost of a pass: O(n length (groups + leaves of four groups)).
*/
#ifndef ANN_CORE_REFINE_H
#define ANN_CORE_REFINE_H

#include "core/tree.h"

/* cffi:on */
/* One pass.  points: n pointers to as many components as the trees have.  ANN_OK, ANN_NOMEM or
** what poll said; then the trees are as they were, or partly moved. */
int ann_refine(AnnTree *trees, int n_trees, const float *const *points, int64_t n,
               AnnPool *pool, const AnnPoll *poll);
/* cffi:off */

#endif
