/* tree.h -- grow the trees of a forest from a sample of the vectors: their leaves'
** centres and the directories over them, but no entries yet.
**
** 1. Split the sample by hyperplanes (core/split.h) down to leaves of `leaf_sample`
**    members.  Which pairs and which members are drawn is the random projection; the
**    generator is keyed by (seed, tree, path from the root), so that the same seed
**    gives the same tree.
** 2. Group: subtrees of at most `fanout` leaves become directories, subtrees of at
**    most `fanout` directories become directories over them, up to one root.
** 3. Refine, all trees of the forest together: move every member to the nearest leaf
**    centre of any tree, and every centre to the mean of its members.  So no two trees
**    spend their leaves on the same places.
**
** Cost: 1 and 2 O(n length log n) a tree, 3 O(n length x candidates) a pass: the leaves of
** the four nearest subtrees of at most 64 leaves ("groups"), and these subtrees' centres.
*/
#ifndef ANN_CORE_TREE_H
#define ANN_CORE_TREE_H

#include "core/base.h"
#include "core/pool.h"

#define ANN_MAX_LEVELS 8       /* fanout^7 leaves; a page's level is one byte */

typedef struct AnnTreeLevel {
  int64_t n;          /* nodes; the top level has one */
  float *centres;     /* owned: n x length */
  float *spreads;     /* owned: mean squared distance of members (level 0) or children */
  int32_t *parents;   /* owned: node of the level above */
} AnnTreeLevel;

typedef struct AnnTree {
  int n_levels;       /* at least 2: leaves, and the root over them */
  int64_t length;
  AnnTreeLevel levels[ANN_MAX_LEVELS];
  int32_t *groups;      /* owned: the first leaf of each group, and one more: n_leaves */
  int64_t n_groups;
} AnnTree;

typedef struct AnnTreePlan {
  uint64_t seed;
  int tree;             /* which tree of the forest */
  int64_t leaf_sample;  /* members of the sample a leaf may have */
  int64_t fanout;       /* children a directory is given */
} AnnTreePlan;

/* Steps 1 and 2.  points: n >= 1 pointers to `length` rotated components.
** ANN_OK, ANN_NOMEM, or what poll said; on failure nothing is owned. */
int ann_tree_grow(const float *const *points, int64_t n, int64_t length,
                  const AnnTreePlan *plan, AnnPool *pool, const AnnPoll *poll,
                  AnnTree *out_tree);
/* Step 3, one pass. */
int ann_tree_refine(AnnTree *trees, int n_trees, const float *const *points, int64_t n,
                    AnnPool *pool, const AnnPoll *poll);
void ann_tree_clear(AnnTree *tree);

#endif
