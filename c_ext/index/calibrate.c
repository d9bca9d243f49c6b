/* calibrate.c -- see calibrate.h. */
#include "index/calibrate.h"

#include <stdlib.h>

#include "core/idset.h"
#include "core/kernel.h"
#include "core/metric.h"
#include "core/topk.h"
#include "index/effort.h"
#include "index/forest.h"
#include "index/pages.h"
#include "index/places.h"

/* Sampled queries: with 200 x 10 neighbours the standard error of a recall of .95 is
** about .006 (neighbours of one query go together, so more than sqrt(.95 * .05 / 2000)). */
#define SAMPLE 200
#define LARGEST_K 100           /* ann_effort_ks' last */
#define CANDIDATES 1200         /* estimates ranked exactly to find the true 100 */
#define ROUTING_SHARE 0.8       /* of the misses, to leaves not read; the rest to estimates */

/* What one true neighbour would have cost to find. */
typedef struct Cost {
  int64_t inspected;    /* entries looked at when its leaf was done */
  int64_t better;       /* estimates at least as good as its best one */
} Cost;

typedef struct Calibration {
  AnnStore *store;
  AnnProbe probe;             /* owned */
  float *query, *row;         /* owned: dimensions floats each */
  int64_t *done_at;           /* owned: by page number, entries looked at after that leaf */
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

/* Walk every leaf; the best estimates of ids other than `self`. */
static int exhaust(Calibration *c, int64_t self, AnnTopk *estimates) {
  AnnStore *store = c->store;
  AnnWalk walk;
  AnnStep leaf;
  float values[ANN_BLOCK];
  int64_t inspected = 0;
  int found = 1, rc = ann_walk_init(&walk, store, &c->probe, 0, store->options.trees - 1, 0), i;
  while (rc == ANN_OK) {
    AnnPage *page = NULL;
    rc = ann_walk_next(&walk, &leaf, &found);
    if (rc != ANN_OK || !found) break;
    rc = ann_pages_get(store, leaf.number, leaf.tree, 0, &page);
    for (i = 0; rc == ANN_OK && i < page->n; i++) {
      if (i % ANN_BLOCK == 0) {
        ann_page_estimate(page, i / ANN_BLOCK, &c->probe.lookup, leaf.base, values);
      }
      if (values[i % ANN_BLOCK] > ann_topk_worst(estimates)) continue;
      if (ann_page_id(page, i) == self) continue;
      rc = ann_topk_push(estimates, values[i % ANN_BLOCK], ann_page_id(page, i));
    }
    if (rc != ANN_OK) break;
    inspected += page->n;
    if (leaf.number < c->n_done) c->done_at[leaf.number] = inspected;
    if (ann_pages_over_budget(store)) ann_pages_forget(store, leaf.number);
  }
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
      if (pages[t] < c->n_done && c->done_at[pages[t]] < cost->inspected) {
        cost->inspected = c->done_at[pages[t]];
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
  for (i = 0; i < c->n_done; i++) c->done_at[i] = INT64_MAX;
  rc = exhaust(c, id, &estimates);
  ann_topk_sort(&estimates);
  if (rc == ANN_OK) rc = rank(c, &estimates, &truth);
  if (rc == ANN_OK && truth.n > 0) rc = record(c, &estimates, &truth);
  ann_topk_clear(&estimates);
  ann_topk_clear(&truth);
  return rc == ANN_OK ? ann_store_tick(c->store) : rc;
}

static int by_value(const void *a, const void *b) {
  int64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x < y ? -1 : x > y;
}

/* The smallest bound that a share of the n values (sorted here) does not exceed.
** One value more is asked for than the share: the sample is finite (conformal
** prediction's (n share + 1) / (n + 1)). */
static int64_t quantile(int64_t *values, int64_t n, double share) {
  int64_t at = (int64_t)(share * (double)n + 1);
  qsort(values, (size_t)n, sizeof *values, by_value);
  return values[at < n ? at : n - 1];
}

static int fit(Calibration *c, AnnEffortGrid *out_grid) {
  int64_t n_values = (int64_t)SAMPLE * LARGEST_K;
  int64_t *inspected = ann_alloc_array((uint64_t)n_values, sizeof *inspected);   /* owned */
  int64_t *better = ann_alloc_array((uint64_t)n_values, sizeof *better);         /* owned */
  int rc = inspected && better ? ANN_OK : ANN_NOMEM, i, j, q, r;
  for (i = 0; rc == ANN_OK && i < ANN_EFFORT_KS; i++) {
    int k = ann_effort_ks[i] < c->n_neighbours ? ann_effort_ks[i] : c->n_neighbours;
    for (j = 0; j < ANN_EFFORT_RECALLS; j++) {
      double miss = 1 - ann_effort_recalls[j];
      int64_t n = 0;
      for (q = 0; q < c->n_queries; q++) {
        for (r = 0; r < k; r++, n++) {
          inspected[n] = c->costs[q * LARGEST_K + r].inspected;
          better[n] = c->costs[q * LARGEST_K + r].better;
        }
      }
      out_grid->cells[i][j].inspect = quantile(inspected, n, 1 - ROUTING_SHARE * miss);
      out_grid->cells[i][j].keep = quantile(better, n, 1 - (1 - ROUTING_SHARE) * miss);
    }
  }
  ann_free(inspected);
  ann_free(better);
  return rc;
}

/* Measure some entries of a leaf, evenly spaced, until `taken` reaches `due`. */
static int measure_leaf(Calibration *c, const AnnPage *page, double due, int *taken) {
  int wanted = (int)due - *taken, i, rc = ANN_OK;
  if (wanted > page->n) wanted = page->n;
  for (i = 0; i < wanted && *taken < SAMPLE && rc == ANN_OK; i++, ++*taken) {
    rc = measure(c, ann_page_id(page, i * page->n / wanted));
  }
  return rc;
}

/* Queries from every leaf of the first tree, or from evenly spaced ones: spread like the
** rows are. */
static int measure_sample(Calibration *c) {
  AnnStore *store = c->store;
  double due = 0, each = (double)SAMPLE * store->options.trees /
                         (double)(store->state.leaf_pages > 0 ? store->state.leaf_pages : 1);
  int64_t number = 1, bytes = 0;
  int rc = ANN_OK, found = 1, page_rc = ANN_OK, taken = 0;
  while (rc == ANN_OK && taken < SAMPLE) {
    AnnPage page;
    rc = ann_pages_next(store, number, &number, &page, &page_rc, &bytes, &found);
    if (rc == ANN_OK && found && page_rc != ANN_OK) rc = ann_store_corrupt(store, "page", number);
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
