/* bisect.h -- split a sample by hyperplanes (core/split.h), again and again, until each part
** fits a leaf.
**
** Which pairs and which members are drawn is the random projection; the generator is keyed by
** (seed, tree, path from the root), so that the same seed gives the same parts, by any number
** of threads.  Cost: O(n length log n).
*/
#ifndef ANN_CORE_BISECT_H
#define ANN_CORE_BISECT_H

#include "core/base.h"
#include "core/pool.h"

/* cffi:on */
/* A node of the binary tree that splitting makes. */
typedef struct AnnBisectNode {
  int64_t first, n;    /* its members in members[] */
  int64_t n_left;      /* of them on the left side of the split; 0: not split */
  uint64_t path;       /* 1 for the root, then one bit a turn */
  int32_t left, right; /* children, -1 for a leaf */
} AnnBisectNode;

typedef struct AnnBisection {
  const float **members; /* owned: the points, those of a node together */
  AnnBisectNode *nodes;  /* owned: the root, then level by level */
  int32_t n_nodes;       /* always odd: one more leaf than there are nodes that were split */
  int64_t nodes_allocated;
} AnnBisection;

typedef struct AnnBisectPlan {
  uint64_t seed;
  int tree;       /* which tree of the forest */
  int64_t most;   /* members that a leaf may have */
  int64_t length; /* components of a point */
} AnnBisectPlan;

/* points: n >= 1 pointers.  ANN_OK, ANN_NOMEM, or what poll said; on failure nothing is
** owned. */
int ann_bisect(const float *const *points, int64_t n, const AnnBisectPlan *plan, AnnPool *pool,
               const AnnPoll *poll, AnnBisection *out_bisection);
void ann_bisection_clear(AnnBisection *bisection);
/* cffi:off */

#endif
