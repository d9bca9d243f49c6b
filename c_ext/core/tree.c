/* tree.c -- see tree.h. */
#include "core/tree.h"

#include "core/bisect.h"
#include "core/kernel.h"
#include "core/split.h"

#define GROUP_LEAVES 64 /* that a refinement takes as one group, at most */

typedef struct Grower {
  AnnTree *tree;
  AnnBisection halves; /* owned */
  int32_t *units; /* owned: of each node its number in the level that gets directories, or -1 */
  int64_t fanout;
  int64_t n_leaves; /* made so far */
} Grower;

static int level_init(AnnTreeLevel *level, int64_t n, int64_t length) {
  level->n = n;
  level->centres = ann_alloc_zero((uint64_t)(n * length), sizeof(float));
  level->spreads = ann_alloc_zero((uint64_t)n, sizeof(float));
  level->parents = ann_alloc_zero((uint64_t)n, sizeof(int32_t));
  return level->centres && level->spreads && level->parents ? ANN_OK : ANN_NOMEM;
}

int ann_tree_summarise(AnnTree *tree, int which) {
  const AnnTreeLevel *below = &tree->levels[which - 1];
  AnnTreeLevel *level = &tree->levels[which];
  float *counts = ann_alloc_zero((uint64_t)level->n, sizeof *counts); /* owned */
  int64_t length = tree->length, i, c;
  if (!counts) return ANN_NOMEM;
  memset(level->centres, 0, (size_t)(level->n * length) * sizeof *level->centres);
  memset(level->spreads, 0, (size_t)level->n * sizeof *level->spreads);
  for (i = 0; i < below->n; i++) {
    float *centre = level->centres + below->parents[i] * length;
    for (c = 0; c < length; c++) centre[c] += below->centres[i * length + c];
    counts[below->parents[i]] += 1;
  }
  for (i = 0; i < level->n; i++) {
    for (c = 0; c < length && counts[i] > 0; c++) level->centres[i * length + c] /= counts[i];
  }
  for (i = 0; i < below->n; i++) {
    level->spreads[below->parents[i]] +=
        ann_kernels()->l2(below->centres + i * length,
                          level->centres + below->parents[i] * length, (size_t)length);
  }
  for (i = 0; i < level->n; i++) {
    if (counts[i] > 0) level->spreads[i] /= counts[i];
  }
  ann_free(counts);
  return ANN_OK;
}

/* The nodes that were not split become leaves, from left to right. */
static int add_leaves(Grower *g, int32_t node, const AnnPoll *poll) {
  const AnnBisectNode *at = &g->halves.nodes[node];
  int64_t length = g->tree->length, leaf = g->n_leaves;
  int rc = ann_poll(poll);
  if (rc != ANN_OK) return rc;
  if (at->left < 0) {
    g->units[node] = (int32_t)g->n_leaves++;
    return ann_split_mean(g->halves.members + at->first, NULL, -1, at->n, length,
                          g->tree->levels[0].centres + leaf * length,
                          g->tree->levels[0].spreads + leaf);
  }
  rc = add_leaves(g, at->left, poll);
  return rc == ANN_OK ? add_leaves(g, at->right, poll) : rc;
}

static int64_t count_units(const Grower *g, int32_t node) {
  const AnnBisectNode *at = &g->halves.nodes[node];
  return g->units[node] >= 0 ? 1 : count_units(g, at->left) + count_units(g, at->right);
}

/* Cut at the highest nodes with at most GROUP_LEAVES below; the leaves are in their order. */
static void mark_groups(const Grower *g, int32_t node, int32_t *n_leaves) {
  int64_t n = count_units(g, node);
  if (n <= GROUP_LEAVES) {
    g->tree->groups[g->tree->n_groups++] = *n_leaves;
    *n_leaves += (int32_t)n;
  } else {
    mark_groups(g, g->halves.nodes[node].left, n_leaves);
    mark_groups(g, g->halves.nodes[node].right, n_leaves);
  }
}

static void set_parent(const Grower *g, int32_t node, int32_t parent, int32_t *parents) {
  if (g->units[node] >= 0) {
    parents[g->units[node]] = parent;
  } else {
    set_parent(g, g->halves.nodes[node].left, parent, parents);
    set_parent(g, g->halves.nodes[node].right, parent, parents);
  }
}

/* Cut at the highest nodes with at most fanout units below; they become the units above. */
static void add_directories(Grower *g, int32_t node, int32_t *parents, int32_t *n) {
  if (count_units(g, node) <= g->fanout) {
    set_parent(g, node, *n, parents);
    g->units[node] = (*n)++;
  } else {
    add_directories(g, g->halves.nodes[node].left, parents, n);
    add_directories(g, g->halves.nodes[node].right, parents, n);
  }
}

/* Step 1. */
static int grow_leaves(Grower *g, const AnnPoll *poll) {
  AnnTree *tree = g->tree;
  int32_t n_nodes = g->halves.n_nodes, n_leaves = (n_nodes + 1) / 2, i;
  int rc;
  g->units = ann_alloc_array((uint64_t)n_nodes, sizeof *g->units);
  tree->groups = ann_alloc_array((uint64_t)n_leaves + 1, sizeof *tree->groups);
  rc = level_init(&tree->levels[0], n_leaves, tree->length);
  if (!g->units || !tree->groups || rc != ANN_OK) return ANN_NOMEM;
  for (i = 0; i < n_nodes; i++) g->units[i] = -1;
  tree->n_levels = 1;
  rc = add_leaves(g, 0, poll);
  if (rc != ANN_OK) return rc;
  n_leaves = 0;
  mark_groups(g, 0, &n_leaves);
  tree->groups[tree->n_groups] = n_leaves;
  return ANN_OK;
}

/* Step 2. */
static int grow_directories(Grower *g) {
  AnnTree *tree = g->tree;
  do {
    int32_t n = 0;
    int rc;
    if (tree->n_levels == ANN_MAX_LEVELS) return ANN_ERROR;
    add_directories(g, 0, tree->levels[tree->n_levels - 1].parents, &n);
    rc = level_init(&tree->levels[tree->n_levels++], n, tree->length);
    if (rc == ANN_OK) rc = ann_tree_summarise(tree, tree->n_levels - 1);
    if (rc != ANN_OK) return rc;
  } while (tree->levels[tree->n_levels - 1].n > 1);
  return ANN_OK;
}

int ann_tree_grow(const float *const *points, int64_t n, int64_t length,
                  const AnnTreePlan *plan, AnnPool *pool, const AnnPoll *poll,
                  AnnTree *out_tree) {
  AnnBisectPlan halving = {plan->seed, plan->tree, plan->leaf_sample, length};
  Grower g;
  int rc;
  memset(&g, 0, sizeof g);
  memset(out_tree, 0, sizeof *out_tree);
  out_tree->length = length;
  g.tree = out_tree;
  g.fanout = plan->fanout;
  rc = ann_bisect(points, n, &halving, pool, poll, &g.halves);
  if (rc == ANN_OK) rc = grow_leaves(&g, poll);
  if (rc == ANN_OK) rc = grow_directories(&g);
  ann_bisection_clear(&g.halves);
  ann_free(g.units);
  if (rc != ANN_OK) ann_tree_clear(out_tree);
  return rc;
}

void ann_tree_clear(AnnTree *tree) {
  int level;
  for (level = 0; level < ANN_MAX_LEVELS; level++) {
    ann_free(tree->levels[level].centres);
    ann_free(tree->levels[level].spreads);
    ann_free(tree->levels[level].parents);
  }
  ann_free(tree->groups);
  memset(tree, 0, sizeof *tree);
}
