/* refine.c -- see refine.h. */
#include "core/refine.h"

#include "core/kernel.h"

#define NEAR_GROUPS 4 /* groups whose leaves are looked at */
/* Points that a worker assigns at a time, a few milliseconds: so many components, at most. */
#define TOGETHER 64
#define ASSIGN_COMPONENTS 65536
#define SUM_COMPONENTS 524288 /* of members summed up between two polls: half of one */
#define AT_ONCE 64            /* centres of groups compared by one call */
#define CENTRES 8             /* centres of leaves: 32 kB at 1,024 components */

/* A leaf of the forest: (tree, number in it) as one number. */
#define IN_TREE 40
#define PACK(tree, i) ((int64_t)(tree) << IN_TREE | (i))
#define TREE_OF(packed) ((int)((packed) >> IN_TREE))
#define INDEX_OF(packed) ((packed) & (((int64_t)1 << IN_TREE) - 1))

/* Sums over the members of every leaf of one tree, and what their distances need. */
typedef struct Sums {
  double *vectors;      /* owned: leaves x length */
  double *spreads;      /* owned: of squared distances */
  int64_t *counts;      /* owned */
  float *norms;         /* owned: |c|^2 of the leaves' centres */
  float *group_centres; /* owned: groups x length, the means of their leaves' centres */
  float *group_norms;   /* owned */
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
    rc = ann_tree_summarise(tree, level);
  }
  return rc;
}

int ann_refine(AnnTree *trees, int n_trees, const float *const *points, int64_t n,
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
