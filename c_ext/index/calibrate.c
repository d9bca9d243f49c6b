/* calibrate.c -- see calibrate.h. */
#include "index/calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "core/idset.h"
#include "core/metric.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/sweep.h"

/* Sampled queries.  Neighbours of one query are missed together, so that the standard
** error of a recall of .95 measured on 400 queries is about .005. */
#define SAMPLE 400
#define SMALLEST_SAMPLE 100     /* of a table of 1,000 rows; a tenth of the rows in between */
#define LARGEST_K 100           /* ann_effort_ks' last */
#define GROUP 16                /* queries swept at the same time, at most */
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

typedef struct Calibration {
  AnnStore *store;
  AnnPool *pool;              /* borrowed */
  AnnSweep sweep;             /* owned */
  AnnSwept swept[GROUP];      /* owned */
  int n_swept;                /* of them in use: enough to keep all workers busy */
  AnnPoll poll;
  float *row;                 /* owned: dimensions floats */
  int64_t *ids;               /* owned: the sampled queries' */
  int n_wanted, n_ids;        /* at most SAMPLE */
  Cost *costs;                /* owned: SAMPLE x LARGEST_K */
  int n_queries;              /* measured */
  int n_neighbours;           /* true neighbours found of every query, <= LARGEST_K */
} Calibration;

static int init(Calibration *c, AnnStore *store, AnnPool *pool) {
  int rc, i;
  memset(c, 0, sizeof *c);
  c->store = store;
  c->pool = pool;
  c->poll.check = ann_store_tick;
  c->poll.arg = store;
  c->n_wanted = store->state.placed > 10 * SAMPLE ? SAMPLE : (int)(store->state.placed / 10);
  if (c->n_wanted < SMALLEST_SAMPLE) c->n_wanted = SMALLEST_SAMPLE;
  c->row = ann_alloc_array((uint64_t)store->options.dimensions, sizeof(float));
  c->ids = ann_alloc_array(SAMPLE, sizeof *c->ids);
  c->costs = ann_alloc_array(SAMPLE * LARGEST_K, sizeof *c->costs);
  if (!c->row || !c->ids || !c->costs) return ANN_NOMEM;
  rc = ann_sweep_init(&c->sweep, store);
  if (!c->sweep.in_memory) c->pool = NULL;
  c->n_swept = c->pool ? 4 * ann_pool_workers(c->pool) : 1;
  if (c->n_swept > GROUP) c->n_swept = GROUP;
  for (i = 0; i < c->n_swept && rc == ANN_OK; i++) rc = ann_swept_init(&c->swept[i], &c->sweep);
  return rc;
}

static void clear(Calibration *c) {
  int i;
  for (i = 0; i < GROUP; i++) ann_swept_clear(&c->swept[i]);
  ann_sweep_clear(&c->sweep);
  ann_free(c->row);
  ann_free(c->ids);
  ann_free(c->costs);
}

/* Rank the estimated candidates exactly; copies of an id follow one another by estimate. */
static int rank(Calibration *c, const AnnSwept *swept, AnnTopk *truth) {
  const AnnTopk *estimates = &swept->estimates;
  AnnOrigin origin;
  AnnIdSet seen;
  int64_t i;
  int rc = ANN_OK;
  ann_origin_init(&origin, c->store->options.metric, swept->vector,
                  c->store->options.dimensions);
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
static int record(Calibration *c, const AnnSwept *swept, const AnnTopk *truth) {
  const AnnTopk *estimates = &swept->estimates;
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
      const AnnMoment *moment = pages[t] < c->sweep.n_numbers ? &swept->moments[pages[t]]
                                                              : NULL;
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

/* What the sweep of one query has to say. */
static int learn(Calibration *c, const AnnSwept *swept) {
  AnnTopk truth;
  int rc = swept->rc;
  ann_topk_init(&truth, LARGEST_K);
  if (rc == ANN_OK) rc = rank(c, swept, &truth);
  if (rc == ANN_OK && truth.n > 0) rc = record(c, swept, &truth);
  ann_topk_clear(&truth);
  return rc == ANN_OK ? ann_store_tick(c->store) : rc;
}

static void sweep_some(void *arg, int64_t first, int64_t last, int worker) {
  Calibration *c = arg;
  int64_t i;
  for (i = first; i < last; i++) {
    ann_sweep_run(&c->sweep, &c->swept[i], worker == 0 ? &c->poll : NULL);
  }
}

/* Measure the sampled queries, a group at a time. */
static int measure(Calibration *c) {
  int rc = ANN_OK, next = 0, n, i;
  while (rc == ANN_OK && next < c->n_ids) {
    for (n = 0; n < c->n_swept && next < c->n_ids && rc == ANN_OK; next++) {
      int found = 0;
      c->swept[n].self = c->ids[next];
      rc = ann_store_vector(c->store, c->ids[next], c->swept[n].vector, &found);
      n += found;
    }
    if (rc == ANN_OK) rc = ann_pool_run(c->pool, n, 1, sweep_some, c, &c->poll);
    for (i = 0; i < n && rc == ANN_OK; i++) rc = learn(c, &c->swept[i]);
  }
  return rc;
}

static int by_value(const void *a, const void *b) {
  double x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x < y ? -1 : x > y;
}

/* The smallest bound that a share of the n ascending values does not exceed.
** One value more is asked for than the share: the sample is finite (conformal
** prediction's (n share + 1) / (n + 1)). */
static double quantile(const double *values, int64_t n, double share) {
  int64_t at = (int64_t)(share * (double)n + 1);
  return values[at < n ? at : n - 1];
}

/* Beyond every reach: a neighbour that the patience of the rule does not get to. */
#define OUT_OF_REACH 1e30

/* The reach of one cell, once the others are known. */
static double fit_reach(const Calibration *c, int which, int k, double miss, double *values,
                        const AnnEffort *cell) {
  double patience = (double)cell->inspect * ANN_EFFORT_PATIENCE, reach;
  int64_t n = (int64_t)c->n_queries * k, i;
  for (i = 0; i < n; i++) {
    const Cost *cost = &c->costs[i / k * LARGEST_K + i % k];
    values[i] = (double)cost->inspected > patience ? OUT_OF_REACH : cost->reach[which];
  }
  qsort(values, (size_t)n, sizeof *values, by_value);
  reach = quantile(values, n, 1 - ROUTING_SHARE * miss);
  /* 0 stands for no rule: products, and recalls that need nearly everything. */
  return c->store->options.metric == ANN_DOT || reach >= OUT_OF_REACH ? 0 : reach;
}

/* The cells of one k: the k nearest of every query. */
static int fit_row(const Calibration *c, int which, double *values, AnnEffort *out_cells) {
  int k = ann_effort_ks[which] < c->n_neighbours ? ann_effort_ks[which] : c->n_neighbours, j;
  int64_t n = (int64_t)c->n_queries * k, i;
  int rc = ANN_OK;
#define COST(i) (&c->costs[(i) / k * LARGEST_K + (i) % k])
#define MISS(j) (1 - ann_effort_recalls[j])
  for (i = 0; i < n; i++) values[i] = (double)COST(i)->inspected;
  qsort(values, (size_t)n, sizeof *values, by_value);
  for (j = 0; j < ANN_EFFORT_RECALLS; j++) {
    out_cells[j].inspect = (int64_t)quantile(values, n, 1 - ROUTING_SHARE * MISS(j));
  }
  for (i = 0; i < n; i++) values[i] = (double)COST(i)->better;
  qsort(values, (size_t)n, sizeof *values, by_value);
  for (j = 0; j < ANN_EFFORT_RECALLS; j++) {
    out_cells[j].keep = (int64_t)quantile(values, n, 1 - ESTIMATE_SHARE * MISS(j));
  }
  for (j = 0; j < ANN_EFFORT_RECALLS && rc == ANN_OK; j++) {
    rc = ann_store_tick(c->store);
    out_cells[j].reach = fit_reach(c, which, k, MISS(j), values, &out_cells[j]);
  }
#undef COST
#undef MISS
  return rc;
}

static int fit(const Calibration *c, AnnEffortGrid *out_grid) {
  double *values = ann_alloc_array(SAMPLE * LARGEST_K, sizeof *values);   /* owned */
  int rc = values ? ANN_OK : ANN_NOMEM, i;
  for (i = 0; i < ANN_EFFORT_KS && rc == ANN_OK; i++) {
    rc = fit_row(c, i, values, out_grid->cells[i]);
  }
  ann_free(values);
  return rc;
}

/* Take some entries of a leaf, evenly spaced, until there are `due`. */
static void sample_leaf(Calibration *c, const AnnPage *page, double due) {
  int wanted = (int)due - c->n_ids, i;
  if (wanted > page->n) wanted = page->n;
  for (i = 0; i < wanted && c->n_ids < c->n_wanted; i++) {
    c->ids[c->n_ids++] = ann_page_id(page, i * page->n / wanted);
  }
}

/* Queries from every leaf of the first tree, or from evenly spaced ones: spread like the
** rows are. */
static int sample(Calibration *c) {
  AnnStore *store = c->store;
  double due = 0, each = (double)c->n_wanted * store->options.trees /
                         (double)(store->state.leaf_pages > 0 ? store->state.leaf_pages : 1);
  int64_t number = 1, bytes = 0;
  int rc = ANN_OK, found = 1, page_rc = ANN_OK;
  while (rc == ANN_OK && c->n_ids < c->n_wanted) {
    AnnPage page;
    rc = ann_pages_next(store, number, &number, &page, &page_rc, &bytes, &found);
    if (rc == ANN_OK && found && page_rc != ANN_OK)
      rc = ann_store_corrupt(store, "page", number);
    if (rc != ANN_OK || !found) break;
    if (page.level == 0 && page.tree == 0) {
      due += each;
      sample_leaf(c, &page, due);
    }
    ann_page_clear(&page);
    number++;
  }
  return rc;
}

int ann_calibrate(AnnStore *store, AnnPool *pool) {
  Calibration c;
  AnnEffortGrid grid;
  int rc = init(&c, store, pool);
  if (rc == ANN_OK) rc = sample(&c);
  if (rc == ANN_OK) rc = measure(&c);
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
