/* calibrate.c -- see calibrate.h. */
#include "index/calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "core/idset.h"
#include "core/kernel.h"
#include "core/metric.h"
#include "core/topk.h"
#include "index/effort.h"
#include "index/forest.h"
#include "index/pages.h"
#include "index/places.h"

/* Sampled queries.  Neighbours of one query are missed together, so that the standard
** error of a recall of .95 measured on 400 queries is about .005. */
#define SAMPLE 400
#define SMALLEST_SAMPLE 100     /* of a table of 1,000 rows; a tenth of the rows in between */
#define LARGEST_K 100           /* ann_effort_ks' last */
#define CANDIDATES 1200         /* estimates ranked exactly to find the true 100 */
/* Parts of the misses that a recall allows: leaves not read, estimates not kept; the rest
** is for what a sample does not show. */
#define ROUTING_SHARE 0.65
#define ESTIMATE_SHARE 0.15

/* What one true neighbour would have cost to find. */
typedef struct Cost {
  double reach[ANN_EFFORT_KS];   /* the rule's largest ratio up to its leaf, for each k */
  int64_t inspected;    /* entries looked at when its leaf was done */
  int64_t better;       /* estimates at least as good as its best one */
} Cost;

/* The state of the walk when a leaf was read. */
typedef struct Moment {
  double reach[ANN_EFFORT_KS];
  int64_t inspected;    /* INT64_MAX: not read */
} Moment;

typedef struct Calibration {
  AnnStore *store;
  int n_wanted;               /* queries to sample, at most SAMPLE */
  AnnProbe probe;             /* owned */
  float *query, *row;         /* owned: dimensions floats each */
  Moment *done_at;            /* owned: by page number */
  int64_t n_done;             /* last_page + 1 */
  Cost *costs;                /* owned: SAMPLE x LARGEST_K */
  int n_queries;
  int n_neighbours;           /* true neighbours found of every query, <= LARGEST_K */
} Calibration;

static int init(Calibration *c, AnnStore *store) {
  uint64_t dimensions = (uint64_t)store->options.dimensions;
  int rc;
  memset(c, 0, sizeof *c);
  c->store = store;
  c->n_wanted = store->state.placed > 10 * SAMPLE ? SAMPLE : (int)(store->state.placed / 10);
  if (c->n_wanted < SMALLEST_SAMPLE) c->n_wanted = SMALLEST_SAMPLE;
  rc = ann_probe_init(&c->probe, store);
  if (rc != ANN_OK) return rc;
  c->query = ann_alloc_array(dimensions, sizeof(float));
  c->row = ann_alloc_array(dimensions, sizeof(float));
  c->n_done = store->state.last_page + 1;
  c->done_at = ann_alloc_array((uint64_t)c->n_done, sizeof *c->done_at);
  c->costs = ann_alloc_array(SAMPLE * LARGEST_K, sizeof *c->costs);
  return c->query && c->row && c->done_at && c->costs ? ANN_OK : ANN_NOMEM;
}

static void clear(Calibration *c) {
  ann_probe_clear(&c->probe);
  ann_free(c->query);
  ann_free(c->row);
  ann_free(c->done_at);
  ann_free(c->costs);
}

/* Estimate one leaf into the best of all and, for the rule, the best k of each k. */
static int estimate_leaf(Calibration *c, const AnnPage *page, float base, int64_t self,
                         AnnTopk *estimates, AnnTopk *best) {
  float values[ANN_BLOCK];
  int rc = ANN_OK, i, j;
  for (i = 0; rc == ANN_OK && i < page->n; i++) {
    float value;
    int64_t id;
    if (i % ANN_BLOCK == 0) {
      ann_page_estimate(page, i / ANN_BLOCK, &c->probe.lookup, base, INFINITY, values);
    }
    value = values[i % ANN_BLOCK];
    if (value > ann_topk_worst(estimates)) continue;
    id = ann_page_id(page, i);
    if (id == self) continue;
    rc = ann_topk_push(estimates, value, id);
    for (j = 0; j < ANN_EFFORT_KS && rc == ANN_OK; j++) {
      rc = ann_topk_push_unique(&best[j], value, id);
    }
  }
  return rc;
}

/* Walk every leaf; the best estimates of ids other than `self`. */
static int exhaust(Calibration *c, int64_t self, AnnTopk *estimates) {
  AnnStore *store = c->store;
  AnnWalk walk;
  AnnStep leaf;
  AnnTopk best[ANN_EFFORT_KS];
  Moment now;
  int found = 1, rc, j;
  ann_walk_init(&walk, store);
  rc = ann_walk_start(&walk, &c->probe, 0, store->options.trees - 1, 0);
  memset(&now, 0, sizeof now);
  for (j = 0; j < ANN_EFFORT_KS; j++) ann_topk_init(&best[j], ann_effort_ks[j]);
  while (rc == ANN_OK) {
    AnnPage *page = NULL;
    rc = ann_walk_next(&walk, &leaf, &found);
    if (rc != ANN_OK || !found) break;
    for (j = 0; j < ANN_EFFORT_KS; j++) {
      double ratio = ann_effort_ratio(leaf.score, now.inspected, ann_topk_worst(&best[j]));
      if (ratio > now.reach[j]) now.reach[j] = ratio;
    }
    rc = ann_pages_get(store, leaf.number, leaf.tree, 0, &page);
    if (rc == ANN_OK) rc = estimate_leaf(c, page, leaf.base, self, estimates, best);
    if (rc != ANN_OK) break;
    now.inspected += page->n;
    if (leaf.number < c->n_done) c->done_at[leaf.number] = now;
    if (ann_pages_over_budget(store)) ann_pages_forget(store, leaf.number);
  }
  for (j = 0; j < ANN_EFFORT_KS; j++) ann_topk_clear(&best[j]);
  ann_walk_clear(&walk);
  return rc;
}

/* Rank the estimated candidates exactly; copies of an id follow one another by estimate. */
static int rank(Calibration *c, const AnnTopk *estimates, AnnTopk *truth) {
  AnnOrigin origin;
  AnnIdSet seen;
  int64_t i;
  int rc = ANN_OK;
  ann_origin_init(&origin, c->store->options.metric, c->query, c->store->options.dimensions);
  ann_idset_init(&seen);
  for (i = 0; i < estimates->n && rc == ANN_OK; i++) {
    int found = 0, is_new = 0;
    rc = ann_idset_add(&seen, estimates->items[i].id, &is_new);
    if (rc != ANN_OK || !is_new) continue;
    rc = ann_store_vector(c->store, estimates->items[i].id, c->row, &found);
    if (rc == ANN_OK && found) {
      rc = ann_topk_push(truth, ann_origin_distance(&origin, c->row), estimates->items[i].id);
    }
  }
  ann_idset_clear(&seen);
  ann_topk_sort(truth);
  return rc;
}

/* What each true neighbour cost, appended to c->costs. */
static int record(Calibration *c, const AnnTopk *estimates, const AnnTopk *truth) {
  int trees = c->store->options.trees, i, t;
  int rc = ANN_OK;
  if (c->n_queries == 0) c->n_neighbours = (int)truth->n;
  if (truth->n < c->n_neighbours) c->n_neighbours = (int)truth->n;
  for (i = 0; i < truth->n && rc == ANN_OK; i++) {
    uint32_t pages[ANN_MAX_TREES] = {0};
    Cost *cost = &c->costs[c->n_queries * LARGEST_K + i];
    int found = 0;
    int64_t j = 0;
    rc = ann_places_get(c->store, truth->items[i].id, pages, &found);
    if (rc == ANN_OK && !found) rc = ann_store_corrupt(c->store, "place", truth->items[i].id);
    cost->inspected = INT64_MAX;
    for (t = 0; t < trees && rc == ANN_OK; t++) {
      const Moment *moment = pages[t] < c->n_done ? &c->done_at[pages[t]] : NULL;
      if (moment && moment->inspected < cost->inspected) {
        cost->inspected = moment->inspected;
        memcpy(cost->reach, moment->reach, sizeof cost->reach);
      }
    }
    while (j < estimates->n && estimates->items[j].id != truth->items[i].id) j++;
    cost->better = j + 1;
  }
  c->n_queries++;
  return rc;
}

static int measure(Calibration *c, int64_t id) {
  AnnTopk estimates, truth;
  int64_t i;
  int found = 0, rc = ann_store_vector(c->store, id, c->query, &found);
  if (rc != ANN_OK || !found) return rc;
  ann_topk_init(&estimates, CANDIDATES);
  ann_topk_init(&truth, LARGEST_K);
  ann_probe_set(&c->probe, c->store, c->query);
  for (i = 0; i < c->n_done; i++) c->done_at[i].inspected = INT64_MAX;
  rc = exhaust(c, id, &estimates);
  ann_topk_sort(&estimates);
  if (rc == ANN_OK) rc = rank(c, &estimates, &truth);
  if (rc == ANN_OK && truth.n > 0) rc = record(c, &estimates, &truth);
  ann_topk_clear(&estimates);
  ann_topk_clear(&truth);
  return rc == ANN_OK ? ann_store_tick(c->store) : rc;
}

static int by_value(const void *a, const void *b) {
  double x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x < y ? -1 : x > y;
}

/* The smallest bound that a share of the n values (sorted here) does not exceed.
** One value more is asked for than the share: the sample is finite (conformal
** prediction's (n share + 1) / (n + 1)). */
static double quantile(double *values, int64_t n, double share) {
  int64_t at = (int64_t)(share * (double)n + 1);
  qsort(values, (size_t)n, sizeof *values, by_value);
  return values[at < n ? at : n - 1];
}

/* Beyond every reach: a neighbour that the patience of the rule does not get to. */
#define OUT_OF_REACH 1e30

/* One cell: the k nearest of every query at one recall. */
static void fit_cell(const Calibration *c, int which, double miss, double *values,
                     AnnEffort *out) {
  int k = ann_effort_ks[which] < c->n_neighbours ? ann_effort_ks[which] : c->n_neighbours;
  int64_t n = (int64_t)c->n_queries * k, i;
  double patience, reach;
#define COST(i) (&c->costs[(i) / k * LARGEST_K + (i) % k])
  for (i = 0; i < n; i++) values[i] = (double)COST(i)->inspected;
  out->inspect = (int64_t)quantile(values, n, 1 - ROUTING_SHARE * miss);
  for (i = 0; i < n; i++) values[i] = (double)COST(i)->better;
  out->keep = (int64_t)quantile(values, n, 1 - ESTIMATE_SHARE * miss);
  patience = (double)out->inspect * ANN_EFFORT_PATIENCE;
  for (i = 0; i < n; i++) {
    values[i] = (double)COST(i)->inspected > patience ? OUT_OF_REACH : COST(i)->reach[which];
  }
  reach = quantile(values, n, 1 - ROUTING_SHARE * miss);
  /* 0 stands for no rule: products, and recalls that need nearly everything. */
  out->reach = c->store->options.metric == ANN_DOT || reach >= OUT_OF_REACH ? 0 : reach;
#undef COST
}

static int fit(const Calibration *c, AnnEffortGrid *out_grid) {
  double *values = ann_alloc_array(SAMPLE * LARGEST_K, sizeof *values);   /* owned */
  int i, j;
  if (!values) return ANN_NOMEM;
  for (i = 0; i < ANN_EFFORT_KS; i++) {
    for (j = 0; j < ANN_EFFORT_RECALLS; j++) {
      fit_cell(c, i, 1 - ann_effort_recalls[j], values, &out_grid->cells[i][j]);
    }
  }
  ann_free(values);
  return ANN_OK;
}

/* Measure some entries of a leaf, evenly spaced, until `taken` reaches `due`. */
static int measure_leaf(Calibration *c, const AnnPage *page, double due, int *taken) {
  int wanted = (int)due - *taken, i, rc = ANN_OK;
  if (wanted > page->n) wanted = page->n;
  for (i = 0; i < wanted && *taken < c->n_wanted && rc == ANN_OK; i++, ++*taken) {
    rc = measure(c, ann_page_id(page, i * page->n / wanted));
  }
  return rc;
}

/* Queries from every leaf of the first tree, or from evenly spaced ones: spread like the
** rows are. */
static int measure_sample(Calibration *c) {
  AnnStore *store = c->store;
  double due = 0, each = (double)c->n_wanted * store->options.trees /
                         (double)(store->state.leaf_pages > 0 ? store->state.leaf_pages : 1);
  int64_t number = 1, bytes = 0;
  int rc = ANN_OK, found = 1, page_rc = ANN_OK, taken = 0;
  while (rc == ANN_OK && taken < c->n_wanted) {
    AnnPage page;
    rc = ann_pages_next(store, number, &number, &page, &page_rc, &bytes, &found);
    if (rc == ANN_OK && found && page_rc != ANN_OK)
      rc = ann_store_corrupt(store, "page", number);
    if (rc != ANN_OK || !found) break;
    if (page.level == 0 && page.tree == 0) {
      due += each;
      rc = measure_leaf(c, &page, due, &taken);
    }
    ann_page_clear(&page);
    number++;
  }
  return rc;
}

int ann_calibrate(AnnStore *store) {
  Calibration c;
  AnnEffortGrid grid;
  int rc = init(&c, store);
  if (rc == ANN_OK) rc = measure_sample(&c);
  if (rc == ANN_OK && c.n_queries > 0 && c.n_neighbours > 0) {
    rc = fit(&c, &grid);
    if (rc == ANN_OK) rc = ann_effort_save(store, &grid);
  }
  store->state.calibrated_rows = store->state.placed;
  store->state.changes = 0;
  store->dirty = 1;
  clear(&c);
  return rc;
}
