/* route.c -- see route.h. */
#include "index/route.h"

#include <math.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/kernel.h"
#include "index/pages.h"

#define FIRST_DIRECTORIES 64

/* An estimate of |x - c|^2 errs by about 0.6 |slope| |x - centre| (its standard deviation:
** code.h, with E|r|_1 = 0.8 |r| sqrt L); a child is taken to be that much nearer than it
** seems, so that few of the nearest are missed. */
#define DOUBT 0.6f

/* ---- the allocation ---- */

#define ALIGNMENT 32

/* The size of a router's block; with a router, also point its fields into its block. */
static uint64_t lay_out(AnnRouter *router, const AnnStore *store, int64_t n_directories) {
  uint64_t length = (uint64_t)store->rotation.length, n = (uint64_t)n_directories;
  uint64_t trees = (uint64_t)store->options.trees;
  uint64_t sizes[] = {
    sizeof *router,
    length * sizeof(float),
    (uint64_t)store->options.space.dimensions * sizeof(float),
    length * 4,
    trees * length * sizeof(float),
    length * sizeof(float),
    trees * length / 8,
    n * sizeof(AnnStep), /* what grows comes last */
    n * sizeof(AnnQueued),
  };
  void *parts[sizeof sizes / sizeof *sizes];
  uint64_t at = 0;
  size_t i;
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    parts[i] = router ? (uint8_t *)router + at : NULL;
    at += (sizes[i] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  if (!router) return at;
  router->probe.vector = parts[1];
  router->probe.scratch = parts[2];
  router->probe.lookup.bytes = parts[3];
  router->probe.lookup.n_tables = store->rotation.length / 4;
  router->residuals.r = parts[4];
  router->centre = parts[5];
  router->bits = parts[6];
  router->walk.steps = parts[7];
  router->walk.frontier.items = parts[8];
  router->walk.steps_allocated = router->walk.frontier.capacity = n_directories;
  router->walk.is_fixed = 1;
  return at;
}

int ann_router_fit(const AnnStore *store, int64_t n_directories, AnnRouter **router) {
  AnnRouter *larger;
  if (*router && (*router)->walk.steps_allocated >= n_directories) return ANN_OK;
  larger = ann_realloc_array(*router, lay_out(NULL, store, n_directories), 1);
  if (!larger) return ANN_NOMEM;
  if (!*router) memset(larger, 0, sizeof *larger);
  lay_out(larger, store, n_directories);
  *router = larger;
  return ANN_OK;
}

void ann_router_set(AnnRouter *router, const AnnStore *store, const void *vector) {
  ann_probe_set(&router->probe, store, vector);
}

/* ---- step 1: the nearest leaves ---- */

/* |x - centre|^2, from the centre's base; beyond a float, infinity. */
static float distance_of(const AnnRouter *router, const AnnStore *store, const uint8_t *record,
                         float base) {
  float distance = base;
  if (store->options.space.geometry == ANN_PRODUCT) {
    distance = (router->probe.norm + ann_get_f32(record + ANN_CENTRE_NORM)) + 2.0f * base;
  }
  return distance == distance ? distance : INFINITY;
}

static float worst(const AnnRouter *router) {
  return router->n_near < router->n_wanted ? INFINITY
                                           : router->near[router->n_wanted - 1].distance;
}

static int is_nearer(const AnnNearLeaf *a, const AnnNearLeaf *b) {
  return a->distance < b->distance || (a->distance == b->distance && a->number < b->number);
}

/* Into its place among the nearest, if it belongs there. */
static void offer(AnnRouter *router, const AnnNearLeaf *leaf) {
  int i = router->n_near;
  if (i == router->n_wanted && !is_nearer(leaf, &router->near[--i])) return;
  if (router->n_near < router->n_wanted) router->n_near++;
  for (; i > 0 && is_nearer(leaf, &router->near[i - 1]); i--)
    router->near[i] = router->near[i - 1];
  router->near[i] = *leaf;
}

/* By what a directory is queued. */
static float score_of(const AnnRouter *router, const AnnStore *store, const AnnStep *step) {
  return ann_walk_nearness(step->level, distance_of(router, store, step->record, step->base),
                           ann_get_f32(step->record + ANN_CENTRE_SPREAD));
}

/* One child, estimated: queued or, a leaf, measured if it may be a nearest one. */
static int take_up(AnnRouter *router, const AnnStore *store, AnnStep *step) {
  AnnNearLeaf leaf = {step->number, step->tree, 0, step->record};
  if (step->level > 0) {
    step->score = score_of(router, store, step);
    return ann_walk_add(&router->walk, step);
  }
  if (distance_of(router, store, step->record, step->base) > worst(router)) return ANN_OK;
  ann_walk_measure(&router->walk, step);
  leaf.distance = distance_of(router, store, step->record, step->base);
  offer(router, &leaf);
  return ANN_OK;
}

/* Take up the children of a directory that may be, or lead to, a nearest leaf. */
static int open_directory(AnnRouter *router, const AnnStore *store, const AnnStep *parent) {
  AnnPage *page = NULL;
  AnnLookup lookup = router->probe.lookup;
  float estimates[ANN_BLOCK];
  int rc = ann_walk_open(&router->walk, parent, &page), first;
  if (rc != ANN_OK) return rc;
  /* Slopes are <= 0: so much nearer than it seems. */
  lookup.minimum += DOUBT * sqrtf(parent->base > 0 ? parent->base : router->probe.norm);
  for (first = 0; first < page->n && rc == ANN_OK; first += ANN_BLOCK) {
    /* The distance is the base itself, but for products. */
    int is_bound = parent->level == 1 && store->options.space.geometry != ANN_PRODUCT;
    uint32_t within = ann_page_estimate(page, first / ANN_BLOCK, &lookup, parent->base,
                                        is_bound ? worst(router) : INFINITY, estimates);
    for (; within && rc == ANN_OK; within &= within - 1) {
      int at = ann_lowest_bit(within);
      AnnStep step;
      rc = ann_walk_child(&router->walk, page, parent->number, first + at, &step);
      if (rc != ANN_OK) break;
      step.base = estimates[at];
      rc = take_up(router, store, &step);
    }
  }
  return rc;
}

static int find(AnnRouter *router, const AnnStore *store, AnnStore *reader) {
  AnnWalk *walk = &router->walk;
  AnnStep *step;
  int rc;
  walk->store = store;
  walk->reader = reader;
  router->n_near = 0;
  router->n_wanted = store->options.trees == 1 ? 1 : ANN_NEAR_LEAVES;
  rc = ann_walk_start(walk, &router->probe);
  while (rc == ANN_OK && (step = ann_walk_front(walk, worst(router))) != NULL) {
    if (step->measured) {
      AnnStep parent = *step;
      ann_walk_pop(walk);
      rc = open_directory(router, store, &parent);
    } else {
      ann_walk_measure(walk, step);
      step->score = score_of(router, store, step);
      ann_walk_requeue(walk);
    }
  }
  return rc;
}

int ann_router_find(AnnRouter *router, const AnnStore *store) {
  return find(router, store, NULL);
}

int ann_router_find_here(AnnStore *store, const void *vector) {
  int rc = ann_router_fit(store, FIRST_DIRECTORIES, &store->router);
  if (rc == ANN_OK && vector) ann_router_set(store->router, store, vector);
  while (rc == ANN_OK) {
    rc = find(store->router, store, store);
    if (rc != ANN_NOT_HERE) break;
    /* Everything may be read, so what is missing is room. */
    rc = ann_router_fit(store, store->router->walk.steps_allocated * 2, &store->router);
  }
  return rc;
}

/* ---- step 2: the choice ---- */

void ann_router_forget_leaves(AnnRouter *router) { router->residuals.n = 0; }

void ann_router_add_leaf(AnnRouter *router, const AnnStore *store, const uint8_t *record) {
  AnnResiduals *residuals = &router->residuals;
  const float *x = router->probe.vector;
  int64_t length = store->rotation.length, i;
  float *r = residuals->r + residuals->n * length;
  ann_centre_decode(record, length, router->centre);
  for (i = 0; i < length; i++) r[i] = x[i] - router->centre[i];
  residuals->norms[residuals->n] = ann_kernels()->dot(r, r, (size_t)length);
  residuals->products[residuals->n++] = ann_kernels()->dot(x, r, (size_t)length);
}

/* Cost of a leaf for x: |r|^2 + sum over the leaves it has of <r, r_t>^2 / |r_t|^2, small
** where r is short and at right angles to the residuals before: a query along one of
** those, for which that leaf is ranked too far down, finds x in this one.
** (Sun and others, SOAR, NeurIPS 2023.)  <r, r_t> is <x, r_t> - <c, r_t>. */
static double complement_cost(const AnnRouter *router, const AnnStore *store,
                              const AnnNearLeaf *leaf) {
  const AnnResiduals *residuals = &router->residuals;
  int64_t length = store->rotation.length;
  float scale = ann_get_f32(leaf->record + ANN_CENTRE_SCALE);
  double cost = leaf->distance;
  int t;
  for (t = 0; t < residuals->n; t++) {
    const int8_t *components = (const int8_t *)(leaf->record + ANN_CENTRE_SIZE);
    float product =
        scale * ann_kernels()->dot_i8(residuals->r + t * length, components, (size_t)length);
    double along = residuals->products[t] - product;
    if (residuals->norms[t] > 0) cost += along * along / residuals->norms[t];
  }
  return cost;
}

int ann_router_choose(const AnnRouter *router, const AnnStore *store, const uint32_t *taken,
                      int n_taken) {
  double cost, best = 0;
  int i, t, chosen = -1;
  for (i = 0; i < router->n_near; i++) {
    for (t = 0; t < n_taken && taken[t] != router->near[i].number; t++) {}
    if (t < n_taken) continue;
    cost = complement_cost(router, store, &router->near[i]);
    if (chosen < 0 || cost < best) {
      best = cost;
      chosen = i;
    }
  }
  return chosen;
}

/* ---- step 3: the codes ---- */

void ann_router_encode(AnnRouter *router, const AnnStore *store, int at, AnnCopy *out_copy) {
  const AnnNearLeaf *leaf = &router->near[at];
  out_copy->page = leaf->number;
  out_copy->tree = leaf->tree;
  ann_centre_decode(leaf->record, store->rotation.length, router->centre);
  ann_code_encode(store->options.space.geometry, router->probe.vector, router->centre,
                  store->rotation.length, &out_copy->code);
}

int ann_router_assign(AnnRouter *router, const AnnStore *store, AnnCopy *out_copies) {
  uint32_t taken[ANN_MAX_TREES];
  int copy;
  ann_router_forget_leaves(router);
  for (copy = 0; copy < store->options.trees; copy++) {
    int at = ann_router_choose(router, store, taken, copy);
    if (at < 0) return ANN_NOT_HERE;
    taken[copy] = router->near[at].number;
    ann_router_add_leaf(router, store, router->near[at].record);
    ann_router_encode(router, store, at, &out_copies[copy]);
  }
  return ANN_OK;
}
