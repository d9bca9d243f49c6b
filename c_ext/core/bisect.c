/* bisect.c -- see bisect.h. */
#include "core/bisect.h"

#include "core/grow.h"
#include "core/rng.h"
#include "core/sort.h"
#include "core/split.h"

#define MINIMUM_SHARE 0.15 /* of the members, on the smaller side of a split: a choice */
/* Nodes beyond this are split by all workers together, a smaller one by one: some
** milliseconds. */
#define LARGE_COMPONENTS ((int64_t)4 << 20)
/* Of the members that a worker projects at a time, at most: a tenth of a millisecond. */
#define PROJECTED_COMPONENTS 65536

typedef struct Bisector {
  const AnnBisectPlan *plan;
  const AnnPoll *poll;
  AnnBisection *out;
  uint8_t *sides; /* owned: of the points, scratch of a split; as these: */
  AnnRanked *ranked;
  const float **scratch;
  float *planes; /* owned: each worker's */
  int32_t level; /* the first node of those being split */
} Bisector;

static int add_node(Bisector *b, int64_t first, int64_t n, uint64_t path, int32_t *out_node) {
  AnnBisectNode node = {first, n, 0, path, -1, -1};
  int rc = ann_grow(&b->out->nodes, b->out->n_nodes, 1, &b->out->nodes_allocated, sizeof node);
  if (rc != ANN_OK) return rc;
  b->out->nodes[b->out->n_nodes] = node;
  *out_node = b->out->n_nodes++;
  return ANN_OK;
}

static int may_split(const Bisector *b, const AnnBisectNode *node) {
  return node->n > b->plan->most && node->n >= 2;
}

/* Split by its own, before the others and by all workers together? */
static int is_large(const Bisector *b, const AnnBisectNode *node) {
  return node->n > LARGE_COMPONENTS / b->plan->length || node->n > ANN_SORT_RUN;
}

static void choose(const Bisector *b, const AnnBisectNode *node, AnnPlane *plane) {
  AnnRng rng = ann_rng_keyed(b->plan->seed, (uint64_t)b->plan->tree + 1, node->path);
  ann_split_choose(b->out->members + node->first, node->n, &rng, plane);
}

/* Those of one side to the front of the node's members, which have been projected. */
static int part(Bisector *b, AnnBisectNode *node, const AnnPoll *poll) {
  const float **members = b->out->members + node->first, **others = b->scratch + node->first;
  uint8_t *sides = b->sides + node->first;
  int64_t minimum = (int64_t)((double)node->n * MINIMUM_SHARE) + 1, n_others = 0, i;
  int rc = ann_split_sides(b->ranked + node->first, node->n, minimum, poll, sides);
  for (i = 0; i < node->n && rc == ANN_OK; i++) {
    if (sides[i]) others[n_others++] = members[i];
    else members[node->n_left++] = members[i];
  }
  if (rc == ANN_OK) memcpy(members + node->n_left, others, (size_t)n_others * sizeof *members);
  return rc;
}

static void split_some(void *arg, int64_t first, int64_t last, int worker) {
  Bisector *b = arg;
  AnnPlane plane = {b->planes + worker * ANN_SPLIT_PLANES * b->plan->length, 0,
                    b->plan->length};
  int64_t i;
  for (i = b->level + first; i < b->level + last; i++) {
    AnnBisectNode *node = &b->out->nodes[i];
    if (!may_split(b, node) || is_large(b, node)) continue;
    choose(b, node, &plane);
    ann_split_project(b->out->members + node->first, 0, node->n, &plane,
                      b->ranked + node->first);
    (void)part(b, node, NULL); /* ANN_OK: so few need no room */
  }
}

/* One large node, whose members are projected by all workers. */
typedef struct Large {
  Bisector *b;
  const AnnBisectNode *node;
  AnnPlane plane;
} Large;

static void project_some(void *arg, int64_t first, int64_t last, int worker) {
  Large *large = arg;
  const AnnBisectNode *node = large->node;
  (void)worker;
  ann_split_project(large->b->out->members + node->first, first, last, &large->plane,
                    large->b->ranked + node->first);
}

static int split_large(Bisector *b, AnnBisectNode *node, AnnPool *pool) {
  Large large = {b, node, {b->planes, 0, b->plan->length}};
  int rc;
  choose(b, node, &large.plane);
  rc = ann_pool_run(pool, node->n, PROJECTED_COMPONENTS / b->plan->length + 1, project_some,
                    &large, b->poll);
  return rc == ANN_OK ? part(b, node, b->poll) : rc;
}

/* Add the two sides of a node that was split. */
static int add_sides(Bisector *b, int32_t i) {
  AnnBisectNode node = b->out->nodes[i];
  int32_t left, right;
  int rc = add_node(b, node.first, node.n_left, node.path * 2, &left);
  if (rc == ANN_OK) {
    rc = add_node(b, node.first + node.n_left, node.n - node.n_left, node.path * 2 + 1, &right);
  }
  if (rc != ANN_OK) return rc;
  b->out->nodes[i].left = left;
  b->out->nodes[i].right = right;
  return ANN_OK;
}

/* Split members until they fit a leaf, the nodes of a level at the same time. */
static int split_down(Bisector *b, int64_t n, AnnPool *pool) {
  int32_t root, n_level, i;
  int rc = add_node(b, 0, n, 1, &root);
  for (b->level = 0; rc == ANN_OK && b->level < b->out->n_nodes; b->level += n_level) {
    n_level = b->out->n_nodes - b->level;
    for (i = b->level; i < b->level + n_level && rc == ANN_OK; i++) {
      AnnBisectNode *node = &b->out->nodes[i];
      if (may_split(b, node) && is_large(b, node)) rc = split_large(b, node, pool);
    }
    if (rc == ANN_OK) rc = ann_pool_run(pool, n_level, 1, split_some, b, b->poll);
    for (i = b->level; i < b->level + n_level && rc == ANN_OK; i++) {
      if (b->out->nodes[i].n_left > 0) rc = add_sides(b, i);
    }
  }
  return rc;
}

int ann_bisect(const float *const *points, int64_t n, const AnnBisectPlan *plan, AnnPool *pool,
               const AnnPoll *poll, AnnBisection *out_bisection) {
  int rc = ANN_NOMEM;
  int64_t planes = ann_pool_workers(pool) * ANN_SPLIT_PLANES * plan->length;
  Bisector b = {plan, poll, out_bisection, NULL, NULL, NULL, NULL, 0};
  memset(out_bisection, 0, sizeof *out_bisection);
  b.out->members = ann_alloc_array((uint64_t)n, sizeof *b.out->members);
  b.scratch = ann_alloc_array((uint64_t)n, sizeof *b.scratch);
  b.sides = ann_alloc_array((uint64_t)n, 1);
  b.ranked = ann_alloc_array((uint64_t)n, sizeof *b.ranked);
  b.planes = ann_alloc_array((uint64_t)planes, sizeof *b.planes);
  if (b.out->members && b.scratch && b.sides && b.ranked && b.planes) {
    memcpy(b.out->members, points, (size_t)n * sizeof *b.out->members);
    rc = split_down(&b, n, pool);
  }
  ann_free(b.scratch);
  ann_free(b.sides);
  ann_free(b.ranked);
  ann_free(b.planes);
  if (rc != ANN_OK) ann_bisection_clear(out_bisection);
  return rc;
}

void ann_bisection_clear(AnnBisection *bisection) {
  ann_free(bisection->members);
  ann_free(bisection->nodes);
  memset(bisection, 0, sizeof *bisection);
}
