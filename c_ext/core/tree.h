/* tree.h -- grow a tree of a forest from a sample of the vectors: its leaves' centres and the
** directories over them, but no entries yet.
**
** 1. Leaves: split the sample down to `leaf_sample` members (core/bisect.h); each part's mean
**    is a leaf's centre.  Subtrees of at most 64 leaves are groups, for core/refine.h.
** 2. Directories: subtrees of at most `fanout` leaves become directories, subtrees of at most
**    `fanout` directories become directories over them, up to one root.
*/
#ifndef ANN_CORE_TREE_H
#define ANN_CORE_TREE_H

#include "core/base.h"
#include "core/pool.h"

/* cffi:on */
#define ANN_MAX_LEVELS 8 /* fanout^7 leaves; a page's level is one byte */

typedef struct AnnTreeLevel {
  int64_t n;        /* nodes; the top level has one */
  float *centres;   /* owned: n x length */
  float *spreads;   /* owned: mean squared distance of members (level 0) or children */
  int32_t *parents; /* owned: node of the level above */
} AnnTreeLevel;

typedef struct AnnTree {
  int n_levels; /* at least 2: leaves, and the root over them */
  int64_t length;
  AnnTreeLevel levels[ANN_MAX_LEVELS];
  int32_t *groups; /* owned: the first leaf of each group, and one more: n_leaves */
  int64_t n_groups;
} AnnTree;

typedef struct AnnTreePlan {
  uint64_t seed;
  int tree;            /* which tree of the forest */
  int64_t leaf_sample; /* members of the sample a leaf may have */
  int64_t fanout;      /* children a directory is given */
} AnnTreePlan;

/* points: n >= 1 pointers to `length` rotated components.
** ANN_OK, ANN_NOMEM, or what poll said; on failure nothing is owned. */
int ann_tree_grow(const float *const *points, int64_t n, int64_t length,
                  const AnnTreePlan *plan, AnnPool *pool, const AnnPoll *poll,
                  AnnTree *out_tree);
/* Centres and spreads of a level, from 1 on, from those of the level below: ANN_OK or
** ANN_NOMEM. */
int ann_tree_summarise(AnnTree *tree, int level);
void ann_tree_clear(AnnTree *tree);
/* cffi:off */

#endif
