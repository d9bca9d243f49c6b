/* tree.c -- see tree.h. */
#include "core/tree.h"

#include "core/grow.h"
#include "core/kernel.h"
#include "core/rng.h"
#include "core/sort.h"
#include "core/split.h"

#define MINIMUM_SHARE 0.15   /* of the members, on the smaller side of a split; DESIGN 2.1 */
#define RUN 64               /* leaves at most that a refinement takes as one group */
#define NEAR_GROUPS 4          /* groups whose leaves it looks at */
/* Points that a worker assigns at a time, a few milliseconds: so many components, at most. */
#define TOGETHER 64
#define ASSIGN_COMPONENTS 65536
/* Nodes beyond this are split by all workers together, a smaller one by one: some milliseconds. */
#define LARGE_COMPONENTS ((int64_t)4 << 20)
#define SUM_COMPONENTS 524288   /* of members summed up between two polls: half of one */
#define AT_ONCE 64           /* centres of groups compared by one call */
#define CENTRES 8            /* centres of leaves: 32 kB at 1,024 components */

/* A node of the binary tree that splitting makes. */
typedef struct Node {
  int64_t first, n;          /* its members in order[] */
  int64_t n_left;            /* of them on the left side of the split; 0: not split */
  uint64_t path;             /* 1 for the root, then one bit a turn */
  int32_t left, right;       /* children, -1 for a leaf */
  int32_t unit;              /* its number in the level being grouped, -1 for none */
} Node;

typedef struct Grower {
  int64_t length;
  const AnnTreePlan *plan;
  const AnnPoll *poll;
  const float **order;       /* owned: the points, permuted in place while splitting */
  uint8_t *sides;            /* owned: of the points, scratch of a split; as these: */
  AnnRanked *ranked;
  const float **scratch;
  float *planes;             /* owned: each worker's */
  int32_t level;             /* the first node of those being split */
  Node *nodes;               /* owned */
  int32_t n_nodes;
  int64_t nodes_allocated;
  int64_t n_leaves, leaves_allocated;
  float *centres, *spreads;  /* owned until handed to level 0 */
} Grower;

static int add_node(Grower *g, int64_t first, int64_t n, uint64_t path, int32_t *out_node) {
  Node node = {first, n, 0, path, -1, -1, -1};
  int rc = ann_grow(&g->nodes, g->n_nodes, 1, &g->nodes_allocated, sizeof node);
  if (rc != ANN_OK) return rc;
  g->nodes[g->n_nodes] = node;
  *out_node = g->n_nodes++;
  return ANN_OK;
}

static int reserve_leaf(Grower *g) {
  int64_t centres = g->leaves_allocated, spreads = g->leaves_allocated;
  size_t centre = (size_t)g->length * sizeof *g->centres;
  int rc = ann_grow(&g->centres, g->n_leaves, 1, &centres, centre);
  if (rc == ANN_OK) rc = ann_grow(&g->spreads, g->n_leaves, 1, &spreads, sizeof *g->spreads);
  if (rc == ANN_OK) g->leaves_allocated = centres < spreads ? centres : spreads;
  return rc;
}

static int add_leaf(Grower *g, int32_t node, const float **members, int64_t n) {
  int rc = reserve_leaf(g);
  if (rc != ANN_OK) return rc;
  g->nodes[node].unit = (int32_t)g->n_leaves;
  g->n_leaves++;
  return ann_split_mean(members, NULL, -1, n, g->length,
                        g->centres + (g->n_leaves - 1) * g->length,
                        g->spreads + g->n_leaves - 1);
}

static int may_split(const Grower *g, const Node *node) {
  return node->n > g->plan->leaf_sample && node->n >= 2;
}

/* Split by its own, before the others and by all workers together? */
static int is_large(const Grower *g, const Node *node) {
  return node->n > LARGE_COMPONENTS / g->length || node->n > ANN_SORT_RUN;
}

static void choose(const Grower *g, const Node *node, AnnPlane *plane) {
  AnnRng rng = ann_rng_keyed(g->plan->seed, (uint64_t)g->plan->tree + 1, node->path);
  ann_split_choose(g->order + node->first, node->n, &rng, plane);
}

/* Those of one side to the front of the node's members, which have been projected. */
static int part(Grower *g, Node *node, const AnnPoll *poll) {
  const float **members = g->order + node->first, **others = g->scratch + node->first;
  uint8_t *sides = g->sides + node->first;
  int64_t minimum = (int64_t)((double)node->n * MINIMUM_SHARE) + 1, n_others = 0, i;
  int rc = ann_split_sides(g->ranked + node->first, node->n, minimum, poll, sides);
  for (i = 0; i < node->n && rc == ANN_OK; i++) {
    if (sides[i]) others[n_others++] = members[i];
    else members[node->n_left++] = members[i];
  }
  if (rc == ANN_OK) memcpy(members + node->n_left, others, (size_t)n_others * sizeof *members);
  return rc;
}

static void split_some(void *arg, int64_t first, int64_t last, int worker) {
  Grower *g = arg;
  AnnPlane plane = {g->planes + worker * ANN_SPLIT_PLANES * g->length, 0, g->length};
  int64_t i;
  for (i = g->level + first; i < g->level + last; i++) {
    Node *node = &g->nodes[i];
    if (!may_split(g, node) || is_large(g, node)) continue;
    choose(g, node, &plane);
    ann_split_project(g->order + node->first, 0, node->n, &plane, g->ranked + node->first);
    (void)part(g, node, NULL);           /* ANN_OK: so few need no room */
  }
}

/* One large node, whose members are projected by all workers. */
typedef struct Large {
  Grower *g;
  const Node *node;
  AnnPlane plane;
} Large;

static void project_some(void *arg, int64_t first, int64_t last, int worker) {
  Large *large = arg;
  const Node *node = large->node;
  (void)worker;
  ann_split_project(large->g->order + node->first, first, last, &large->plane,
                    large->g->ranked + node->first);
}

static int split_large(Grower *g, Node *node, AnnPool *pool) {
  Large large = {g, node, {g->planes, 0, g->length}};
  int rc;
  choose(g, node, &large.plane);
  rc = ann_pool_run(pool, node->n, ASSIGN_COMPONENTS / g->length + 1, project_some, &large,
                    g->poll);
  return rc == ANN_OK ? part(g, node, g->poll) : rc;
}

/* Add the two sides of a node that was split. */
static int add_sides(Grower *g, int32_t i) {
  Node node = g->nodes[i];
  int32_t left, right;
  int rc = add_node(g, node.first, node.n_left, node.path * 2, &left);
  if (rc == ANN_OK) {
    rc = add_node(g, node.first + node.n_left, node.n - node.n_left, node.path * 2 + 1, &right);
  }
  if (rc != ANN_OK) return rc;
  g->nodes[i].left = left;
  g->nodes[i].right = right;
  return ANN_OK;
}

/* Step 1: split members until they fit a leaf, the nodes of a level at the same time. */
static int split_down(Grower *g, int64_t n, AnnPool *pool) {
  int32_t root, n_level, i;
  int rc = add_node(g, 0, n, 1, &root);
  for (g->level = 0; rc == ANN_OK && g->level < g->n_nodes; g->level += n_level) {
    n_level = g->n_nodes - g->level;
    for (i = g->level; i < g->level + n_level && rc == ANN_OK; i++) {
      Node *node = &g->nodes[i];
      if (may_split(g, node) && is_large(g, node)) rc = split_large(g, node, pool);
    }
    if (rc == ANN_OK) rc = ann_pool_run(pool, n_level, 1, split_some, g, g->poll);
    for (i = g->level; i < g->level + n_level && rc == ANN_OK; i++) {
      if (g->nodes[i].n_left > 0) rc = add_sides(g, i);
    }
  }
  return rc;
}

/* The nodes that were not split become leaves, from left to right. */
static int add_leaves(Grower *g, int32_t node) {
  const Node *at = &g->nodes[node];
  int rc = ann_poll(g->poll);
  if (rc != ANN_OK) return rc;
  if (at->left < 0) return add_leaf(g, node, g->order + at->first, at->n);
  rc = add_leaves(g, at->left);
  return rc == ANN_OK ? add_leaves(g, at->right) : rc;
}

/* ---- step 2: grouping ---- */

static int64_t count_units(const Grower *g, int32_t node) {
  if (g->nodes[node].unit >= 0) return 1;
  return count_units(g, g->nodes[node].left) + count_units(g, g->nodes[node].right);
}

static void assign_group(Grower *g, int32_t node, int32_t group, int32_t *parents) {
  if (g->nodes[node].unit >= 0) {
    parents[g->nodes[node].unit] = group;
    return;
  }
  assign_group(g, g->nodes[node].left, group, parents);
  assign_group(g, g->nodes[node].right, group, parents);
}

/* Cut at the highest nodes with at most RUN leaves below; the leaves are in their order. */
static void mark_runs(const Grower *g, int32_t node, AnnTree *tree, int64_t *n_leaves) {
  int64_t n = count_units(g, node);
  if (n <= RUN) {
    tree->groups[tree->n_groups++] = (int32_t)*n_leaves;
    *n_leaves += n;
  } else {
    mark_runs(g, g->nodes[node].left, tree, n_leaves);
    mark_runs(g, g->nodes[node].right, tree, n_leaves);
  }
}

/* Cut at the highest nodes with at most fanout units below; they become the units above. */
static void group_units(Grower *g, int32_t node, int32_t *parents, int32_t *n_groups) {
  if (count_units(g, node) <= g->plan->fanout) {
    assign_group(g, node, *n_groups, parents);
    g->nodes[node].unit = (*n_groups)++;
  } else {
    group_units(g, g->nodes[node].left, parents, n_groups);
    group_units(g, g->nodes[node].right, parents, n_groups);
  }
}

/* Centres and spreads of a level from those of the level below. */
static int summarise(const AnnTreeLevel *below, AnnTreeLevel *level, int64_t length) {
  float *counts = ann_alloc_zero((uint64_t)level->n, sizeof *counts);          /* owned */
  int64_t i, c;
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

static int level_init(AnnTreeLevel *level, int64_t n, int64_t length) {
  level->n = n;
  level->centres = ann_alloc_zero((uint64_t)(n * length), sizeof(float));
  level->spreads = ann_alloc_zero((uint64_t)n, sizeof(float));
  level->parents = ann_alloc_zero((uint64_t)n, sizeof(int32_t));
  return level->centres && level->spreads && level->parents ? ANN_OK : ANN_NOMEM;
}

static int group_levels(Grower *g, AnnTree *tree) {
  do {
    AnnTreeLevel *below = &tree->levels[tree->n_levels - 1];
    AnnTreeLevel *level = &tree->levels[tree->n_levels];
    int32_t n_groups = 0;
    int rc;
    if (tree->n_levels == ANN_MAX_LEVELS) return ANN_ERROR;
    group_units(g, 0, below->parents, &n_groups);
    tree->n_levels++;
    rc = level_init(level, n_groups, tree->length);
    if (rc == ANN_OK) rc = summarise(below, level, tree->length);
    if (rc != ANN_OK) return rc;
  } while (tree->levels[tree->n_levels - 1].n > 1);
  return ANN_OK;
}

/* ---- step 3: refinement ---- */

/* A leaf of the forest: (tree, number in it) as one number. */
#define IN_TREE 40
#define PACK(tree, i) ((int64_t)(tree) << IN_TREE | (i))
#define TREE_OF(packed) ((int)((packed) >> IN_TREE))
#define INDEX_OF(packed) ((packed) & (((int64_t)1 << IN_TREE) - 1))

/* Sums over the members of every leaf of one tree, and what their distances need. */
typedef struct Sums {
  double *vectors;           /* owned: leaves x length */
  double *spreads;           /* owned: of squared distances */
  int64_t *counts;           /* owned */
  float *norms;              /* owned: |c|^2 of the leaves' centres */
  float *group_centres; /* owned: groups x length, the means of their leaves' centres */
  float *group_norms; /* owned */
} Sums;

/* Where a point belongs. */
typedef struct Nearest {
  int64_t leaf; /* packed */
  float distance;
} Nearest;

typedef struct Refiner {
  AnnTree *trees;
  int n_trees;
  int64_t length;
  const float *const *points;
  Nearest *nearest; /* owned: one for each point */
  Sums sums[ANN_MAX_TREES];
} Refiner;

static void mean_of_group(const AnnTree *tree, int64_t group, float *out_centre) {
  int64_t first = tree->groups[group], last = tree->groups[group + 1], i, c;
  memset(out_centre, 0, (size_t)tree->length * sizeof *out_centre);
  for (i = first; i < last; i++) {
    const float *centre = tree->levels[0].centres + i * tree->length;
    for (c = 0; c < tree->length; c++) out_centre[c] += centre[c];
  }
  for (c = 0; c < tree->length; c++) out_centre[c] /= (float)(last - first);
}

static void fill_norms(const float *centres, int64_t n, int64_t length, float *out_norms) {
  int64_t i;
  for (i = 0; i < n; i++) {
    const float *centre = centres + i * length;
    out_norms[i] = ann_kernels()->dot(centre, centre, (size_t)length);
  }
}

static int sums_init(Sums *sums, const AnnTree *tree) {
  uint64_t n = (uint64_t)tree->levels[0].n, n_groups = (uint64_t)tree->n_groups;
  uint64_t length = (uint64_t)tree->length;
  int64_t group;
  sums->vectors = ann_alloc_zero(n * length, sizeof(double));
  sums->spreads = ann_alloc_zero(n, sizeof(double));
  sums->counts = ann_alloc_zero(n, sizeof(int64_t));
  sums->norms = ann_alloc_array(n, sizeof(float));
  sums->group_centres = ann_alloc_array(n_groups * length, sizeof(float));
  sums->group_norms = ann_alloc_array(n_groups, sizeof(float));
  if (!sums->vectors || !sums->spreads || !sums->counts || !sums->norms ||
      !sums->group_centres || !sums->group_norms) {
    return ANN_NOMEM;
  }
  for (group = 0; group < tree->n_groups; group++) {
    mean_of_group(tree, group, sums->group_centres + group * tree->length);
  }
  fill_norms(tree->levels[0].centres, (int64_t)n, tree->length, sums->norms);
  fill_norms(sums->group_centres, tree->n_groups, tree->length, sums->group_norms);
  return ANN_OK;
}

static void sums_clear(Sums *sums) {
  ann_free(sums->vectors);
  ann_free(sums->spreads);
  ann_free(sums->counts);
  ann_free(sums->norms);
  ann_free(sums->group_centres);
  ann_free(sums->group_norms);
}

static int is_nearer(const Nearest *a, const Nearest *b) {
  return a->distance < b->distance || (a->distance == b->distance && a->leaf < b->leaf);
}

/* In which order n centres, at most AT_ONCE, are near to x: |c|^2 - 2 <x, c>. */
static void compare(const Refiner *r, const float *x, const float *centres, const float *norms,
                    int64_t n, float *out_distances) {
  int64_t i;
  ann_kernels()->dot_rows(x, centres, (size_t)r->length, (size_t)n, out_distances);
  for (i = 0; i < n; i++) out_distances[i] = norms[i] - 2.0f * out_distances[i];
}

/* The NEAR_GROUPS groups of all trees whose centres are nearest to x, ascending; how many. */
static int near_groups(const Refiner *r, const float *x, Nearest *out_near) {
  float distances[AT_ONCE];
  int t, n = 0, at;
  int64_t i;
  for (t = 0; t < r->n_trees; t++) {
    int64_t n_groups = r->trees[t].n_groups;
    const Sums *sums = &r->sums[t];
    for (i = 0; i < n_groups; i++) {
      Nearest group = {PACK(t, i), 0};
      if (i % AT_ONCE == 0) {
        compare(r, x, sums->group_centres + i * r->length, sums->group_norms + i,
                n_groups - i < AT_ONCE ? n_groups - i : AT_ONCE, distances);
      }
      group.distance = distances[i % AT_ONCE];
      if (n == NEAR_GROUPS && !is_nearer(&group, &out_near[n - 1])) continue;
      at = n < NEAR_GROUPS ? n++ : n - 1;
      for (; at > 0 && is_nearer(&group, &out_near[at - 1]); at--)
        out_near[at] = out_near[at - 1];
      out_near[at] = group;
    }
  }
  return n;
}

/* Points that are assigned together, so that a leaf's centre that comes into the cache serves
** all of them that have its group among their nearest. */
typedef struct Assigned {
  const float *points[TOGETHER];
  Nearest best[TOGETHER];
  struct Wish {
    int64_t group; /* packed */
    int point;
  } wishes[TOGETHER * NEAR_GROUPS];
  int n, n_wishes;
} Assigned;

/* The leaves of a group, a few at a time, against the points that wish for it. */
static void compare_group(const Refiner *r, Assigned *assigned, int64_t group,
                          const int *points, int n_points) {
  int t = TREE_OF(group), p;
  const int32_t *bounds = r->trees[t].groups + INDEX_OF(group);
  int64_t first, i;
  for (first = bounds[0]; first < bounds[1]; first += CENTRES) {
    int64_t n = bounds[1] - first < CENTRES ? bounds[1] - first : CENTRES;
    const float *centres = r->trees[t].levels[0].centres + first * r->length;
    for (p = 0; p < n_points; p++) {
      Nearest *best = &assigned->best[points[p]];
      float distances[CENTRES];
      compare(r, assigned->points[points[p]], centres, r->sums[t].norms + first, n, distances);
      for (i = 0; i < n; i++) {
        Nearest leaf = {PACK(t, first + i), distances[i]};
        if (best->leaf < 0 || is_nearer(&leaf, best)) *best = leaf;
      }
    }
  }
}

/* Take out the wishes for the group of the last one. */
static int64_t take_wishes(Assigned *assigned, int *out_points, int *out_n) {
  int64_t group = assigned->wishes[assigned->n_wishes - 1].group;
  int i, left = 0, n = 0;
  for (i = 0; i < assigned->n_wishes; i++) {
    if (assigned->wishes[i].group == group) out_points[n++] = assigned->wishes[i].point;
    else assigned->wishes[left++] = assigned->wishes[i];
  }
  assigned->n_wishes = left;
  *out_n = n;
  return group;
}

/* The leaf nearest to each point among the leaves of its NEAR_GROUPS nearest groups. */
static void nearest_leaves(const Refiner *r, Assigned *assigned, Nearest *out_nearest) {
  Nearest groups[NEAR_GROUPS];
  int points[TOGETHER], n = 0, p, i;
  assigned->n_wishes = 0;
  for (p = 0; p < assigned->n; p++) {
    assigned->best[p].leaf = -1;
    n = near_groups(r, assigned->points[p], groups);
    for (i = 0; i < n; i++) {
      assigned->wishes[assigned->n_wishes].group = groups[i].leaf;
      assigned->wishes[assigned->n_wishes++].point = p;
    }
  }
  while (assigned->n_wishes > 0) {
    int64_t group = take_wishes(assigned, points, &n);
    compare_group(r, assigned, group, points, n);
  }
  for (p = 0; p < assigned->n; p++) {
    int64_t leaf = assigned->best[p].leaf;
    const float *centres = r->trees[TREE_OF(leaf)].levels[0].centres;
    out_nearest[p].leaf = leaf;
    /* The spread wants the distance itself, without what cancels. */
    out_nearest[p].distance = ann_kernels()->l2(
        assigned->points[p], centres + INDEX_OF(leaf) * r->length, (size_t)r->length);
  }
}

static void assign_some(void *arg, int64_t first, int64_t last, int worker) {
  Refiner *r = arg;
  Assigned assigned;
  (void)worker;
  for (; first < last; first += assigned.n) {
    int64_t i;
    assigned.n = last - first < TOGETHER ? (int)(last - first) : TOGETHER;
    for (i = 0; i < assigned.n; i++) assigned.points[i] = r->points[first + i];
    nearest_leaves(r, &assigned, r->nearest + first);
  }
}

/* Sum up the members of every leaf, in order of the points. */
static int add_members(Refiner *r, int64_t n, const AnnPoll *poll) {
  int rc = ANN_OK;
  int64_t i, c;
  for (i = 0; i < n && rc == ANN_OK; i++) {
    int64_t leaf = INDEX_OF(r->nearest[i].leaf);
    Sums *sums = &r->sums[TREE_OF(r->nearest[i].leaf)];
    double *sum = sums->vectors + leaf * r->length;
    for (c = 0; c < r->length; c++) sum[c] += r->points[i][c];
    sums->counts[leaf]++;
    sums->spreads[leaf] += r->nearest[i].distance;
    if (i % (SUM_COMPONENTS / r->length) == 0) rc = ann_poll(poll);
  }
  return rc;
}

/* Centres move to the means of their members; an empty leaf stays where it was. */
static int move_centres(AnnTree *tree, const Sums *sums) {
  AnnTreeLevel *leaves = &tree->levels[0];
  int64_t i, c;
  int level, rc = ANN_OK;
  for (i = 0; i < leaves->n; i++) {
    if (sums->counts[i] == 0) continue;
    for (c = 0; c < tree->length; c++) {
      leaves->centres[i * tree->length + c] =
          (float)(sums->vectors[i * tree->length + c] / (double)sums->counts[i]);
    }
    leaves->spreads[i] = (float)(sums->spreads[i] / (double)sums->counts[i]);
  }
  for (level = 1; level < tree->n_levels && rc == ANN_OK; level++) {
    rc = summarise(&tree->levels[level - 1], &tree->levels[level], tree->length);
  }
  return rc;
}

int ann_tree_refine(AnnTree *trees, int n_trees, const float *const *points, int64_t n,
                    AnnPool *pool, const AnnPoll *poll) {
  Refiner r;
  int64_t chunk = ASSIGN_COMPONENTS / trees[0].length;
  int rc = ANN_OK, t;
  memset(&r, 0, sizeof r);
  r.trees = trees;
  r.n_trees = n_trees;
  r.length = trees[0].length;
  r.points = points;
  r.nearest = ann_alloc_array((uint64_t)n, sizeof *r.nearest);
  if (!r.nearest) rc = ANN_NOMEM;
  for (t = 0; t < n_trees && rc == ANN_OK; t++) rc = sums_init(&r.sums[t], &trees[t]);
  if (rc == ANN_OK) rc = ann_pool_run(pool, n, chunk > 0 ? chunk : 1, assign_some, &r, poll);
  if (rc == ANN_OK) rc = add_members(&r, n, poll);
  for (t = 0; t < n_trees; t++) {
    if (rc == ANN_OK) rc = move_centres(&trees[t], &r.sums[t]);
    sums_clear(&r.sums[t]);
  }
  ann_free(r.nearest);
  return rc;
}

int ann_tree_grow(const float *const *points, int64_t n, int64_t length,
                  const AnnTreePlan *plan, AnnPool *pool, const AnnPoll *poll,
                  AnnTree *out_tree) {
  int rc = ANN_NOMEM;
  int64_t n_leaves = 0;
  Grower g;
  memset(&g, 0, sizeof g);
  memset(out_tree, 0, sizeof *out_tree);
  g.length = out_tree->length = length;
  g.plan = plan;
  g.poll = poll;
  g.order = ann_alloc_array((uint64_t)n, sizeof *g.order);
  g.scratch = ann_alloc_array((uint64_t)n, sizeof *g.scratch);
  g.sides = ann_alloc_array((uint64_t)n, 1);
  g.ranked = ann_alloc_array((uint64_t)n, sizeof *g.ranked);
  g.planes = ann_alloc_array((uint64_t)(ann_pool_workers(pool) * ANN_SPLIT_PLANES * length),
                             sizeof *g.planes);
  if (!g.order || !g.scratch || !g.sides || !g.ranked || !g.planes) goto done;
  memcpy(g.order, points, (size_t)n * sizeof *g.order);
  rc = split_down(&g, n, pool);
  if (rc == ANN_OK) rc = add_leaves(&g, 0);
  if (rc != ANN_OK) goto done;
  out_tree->levels[0].n = g.n_leaves;
  out_tree->levels[0].centres = g.centres;
  out_tree->levels[0].spreads = g.spreads;
  g.centres = g.spreads = NULL;
  out_tree->n_levels = 1;
  out_tree->levels[0].parents = ann_alloc_zero((uint64_t)g.n_leaves, sizeof(int32_t));
  out_tree->groups = ann_alloc_array((uint64_t)g.n_leaves + 1, sizeof *out_tree->groups);
  if (!out_tree->levels[0].parents || !out_tree->groups) {
    rc = ANN_NOMEM;
    goto done;
  }
  mark_runs(&g, 0, out_tree, &n_leaves);
  out_tree->groups[out_tree->n_groups] = (int32_t)n_leaves;
  rc = group_levels(&g, out_tree);
done:
  ann_free(g.order);
  ann_free(g.scratch);
  ann_free(g.sides);
  ann_free(g.ranked);
  ann_free(g.planes);
  ann_free(g.nodes);
  ann_free(g.centres);
  ann_free(g.spreads);
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
