/* calibrate.c -- see calibrate.h. */
#include "index/calibrate.h"

#include "index/pages.h"
#include "index/route.h"
#include "index/trial.h"

#define GROUP 16                /* trials run at the same time, at most */
/* Parts of the misses that a recall allows: all that the sample may miss, and of these the
** estimates that are not kept; the rest is for what a sample does not show. */
#define MISSED_SHARE 0.85
#define ESTIMATE_SHARE 0.15

typedef struct Calibration {
  AnnStore *store;
  AnnPool *pool;              /* borrowed; NULL for one thread */
  AnnPoll poll;
  AnnSample sample;           /* owned */
  AnnTrial trials[GROUP];     /* owned */
  int n_trials;               /* of them in use: enough to keep all workers busy */
  atomic_int stopped;         /* the poll of one trial stopped them all */
} Calibration;

static int init(Calibration *c, AnnStore *store, AnnPool *pool) {
  int64_t n_directories = 0;
  int rc, i;
  memset(c, 0, sizeof *c);
  c->store = store;
  c->pool = pool;
  c->poll.check = ann_store_tick;
  c->poll.arg = store;
  rc = ann_sample_init(&c->sample, store);
  /* What the workers look at; of the leaves as many as there is room for. */
  if (rc == ANN_OK) rc = ann_router_warm(store, &n_directories);
  if (rc == ANN_OK && pool) rc = ann_pages_warm(store);
  c->n_trials = pool ? 4 * ann_pool_workers(pool) : 1;
  if (c->n_trials > GROUP) c->n_trials = GROUP;
  for (i = 0; i < c->n_trials && rc == ANN_OK; i++) {
    rc = ann_trial_init(&c->trials[i], store, &c->stopped);
  }
  return rc;
}

static void clear(Calibration *c) {
  int i;
  for (i = 0; i < GROUP; i++) ann_trial_clear(&c->trials[i]);
  ann_sample_clear(&c->sample);
}

static int find_truth(Calibration *c) {
  int rc = ann_truth_find(c->store, c->pool, c->sample.truths, c->sample.n_truths);
  if (rc == ANN_OK) ann_sample_sort(&c->sample);
  return rc;
}

static void try_some(void *arg, int64_t first, int64_t last, int worker) {
  Calibration *c = arg;
  int64_t i;
  for (i = first; i < last; i++) {
    ann_trial_run(&c->trials[i], NULL, worker == 0 ? &c->poll : NULL);
  }
}

/* Run the trials 0..n-1: by the workers what is in memory, then here what is not. */
static int run_trials(Calibration *c, int n) {
  int rc = ANN_OK, n_again = 0, i;
  if (c->pool) rc = ann_pool_run(c->pool, n, 1, try_some, c, &c->poll);
  for (i = 0; i < n && rc == ANN_OK; i++) {
    AnnTrial *trial = &c->trials[i];
    if (!c->pool || trial->rc == ANN_NOT_HERE) {
      ann_trial_run(trial, c->store, &c->poll);
      ann_pages_trim(c->store);
      n_again++;
    }
    rc = trial->rc;
  }
  if (n_again > n / 2) c->pool = NULL;       /* the forest is larger than the cache */
  return rc;
}

/* Try the queries, a group at a time. */
static int measure(Calibration *c) {
  AnnSample *sample = &c->sample;
  int rc = ANN_OK, n, i;
  while (rc == ANN_OK && sample->n_measured < sample->n) {
    for (n = 0; n < c->n_trials && sample->n_measured + n < sample->n && rc == ANN_OK; n++) {
      rc = ann_trial_ask(&c->trials[n], sample, sample->n_measured + n);
    }
    if (rc == ANN_OK) rc = run_trials(c, n);
    for (i = 0; i < n && rc == ANN_OK; i++) {
      ann_trial_learn(&c->trials[i], sample, sample->n_measured++);
    }
  }
  return rc;
}

/* ---- the fit ---- */

/* The value that would be at `at` if they were sorted; their order changes (Hoare's FIND). */
static double value_at(double *values, int64_t n, int64_t at) {
  int64_t from = 0, to = n - 1;
  while (from < to) {
    double pivot = values[from + (to - from) / 2];
    int64_t i = from, j = to;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        double value = values[i];
        values[i++] = values[j];
        values[j--] = value;
      }
    }
    if (at <= j) to = j;
    else if (at >= i) from = i;
    else break;
  }
  return values[at];
}

/* The smallest bound that a share of n values does not exceed.
** One value more is asked for than the share: the sample is finite (conformal
** prediction's (n share + 1) / (n + 1)). */
static double quantile(double *values, int64_t n, double share) {
  int64_t at = (int64_t)(share * (double)n + 1);
  return value_at(values, n, at < n ? at : n - 1);
}

/* Beyond every reach: a neighbour that the patience of the rule does not get to. */
#define OUT_OF_REACH 1e30
#define LEAST_REACH 1e-6

/* What the neighbours cost that one row of the grid is fitted to. */
typedef struct Costs {
  int rule;                   /* of ANN_EFFORT_RULES */
  int64_t n;
  const AnnCost **items;      /* owned array of borrowed costs */
  double *values;             /* owned: scratch, n */
} Costs;

/* Does a neighbour of that rank stand for the k nearest?  Every rank is to count alike. */
static int stands_for(int rank, int k) {
  if (k > ANN_SAMPLE_NEAR) return rank >= ANN_NEAR_RANKS;
  if (k <= 10) return rank < k;
  return rank == 4 || (rank >= 9 && rank < ANN_NEAR_RANKS);   /* 5, 10, 15, ... 100 */
}

static int costs_init(Costs *costs, const AnnSample *sample, int which) {
  int most = sample->n_measured * ANN_SAMPLE_RANKS, i;
  memset(costs, 0, sizeof *costs);
  costs->rule = which < ANN_EFFORT_RULES ? which : ANN_EFFORT_RULES - 1;
  costs->items = ann_alloc_array((uint64_t)most, sizeof *costs->items);
  costs->values = ann_alloc_array((uint64_t)most, sizeof *costs->values);
  if (!costs->items || !costs->values) return ANN_NOMEM;
  for (i = 0; i < most; i++) {
    if (sample->costs[i].better > 0 && stands_for(i % ANN_SAMPLE_RANKS, ann_effort_ks[which])) {
      costs->items[costs->n++] = &sample->costs[i];
    }
  }
  return ANN_OK;
}

static void costs_clear(Costs *costs) {
  ann_free(costs->items);
  ann_free(costs->values);
}

/* One cell.  First how many estimates to keep; then, counting what they lose, how far to
** walk: by entries alone, and by the rule, which gives up at its patience. */
static void fit_cell(const Costs *costs, double miss, AnnEffort *cell) {
  int64_t n = costs->n, i;
  double patience;
  for (i = 0; i < n; i++) costs->values[i] = (double)costs->items[i]->better;
  cell->keep = (int64_t)quantile(costs->values, n, 1 - ESTIMATE_SHARE * miss);
  for (i = 0; i < n; i++) {
    const AnnCost *cost = costs->items[i];
    costs->values[i] = cost->better > cell->keep ? ANN_NOT_REACHED : (double)cost->inspected;
  }
  cell->inspect = (int64_t)quantile(costs->values, n, 1 - MISSED_SHARE * miss);
  patience = (double)cell->inspect * ANN_EFFORT_PATIENCE;
  for (i = 0; i < n; i++) {
    const AnnCost *cost = costs->items[i];
    int lost = cost->better > cell->keep || (double)cost->inspected > patience;
    costs->values[i] = lost ? OUT_OF_REACH : (double)cost->reach[costs->rule];
  }
  cell->reach = quantile(costs->values, n, 1 - MISSED_SHARE * miss);
}

/* 0 stands for no rule: products, and recalls that need nearly everything.  Where the first
** leaf is enough, the rule holds all the same. */
static void settle_reach(const AnnStore *store, AnnEffort *cell) {
  if (cell->reach < LEAST_REACH) cell->reach = LEAST_REACH;
  if (store->options.metric == ANN_DOT || cell->reach >= OUT_OF_REACH) cell->reach = 0;
}

static int fit_row(const Calibration *c, int which, AnnEffort *out_cells) {
  Costs costs;
  int j, rc = costs_init(&costs, &c->sample, which);
  for (j = 0; j < ANN_EFFORT_RECALLS && rc == ANN_OK; j++) {
    if (costs.n > 0) fit_cell(&costs, 1 - ann_effort_recalls[j], &out_cells[j]);
    settle_reach(c->store, &out_cells[j]);
    rc = ann_store_tick(c->store);
  }
  costs_clear(&costs);
  return rc;
}

/* A row of which nothing is known is as the one before. */
static int fit(const Calibration *c, AnnEffortGrid *out_grid) {
  int rc = ANN_OK, i;
  memset(out_grid, 0, sizeof *out_grid);
  for (i = 0; i < ANN_EFFORT_KS && rc == ANN_OK; i++) {
    if (i > 0) memcpy(out_grid->cells[i], out_grid->cells[i - 1], sizeof out_grid->cells[i]);
    rc = fit_row(c, i, out_grid->cells[i]);
  }
  return rc;
}

int ann_calibrate(AnnStore *store, AnnPool *pool) {
  Calibration c;
  AnnEffortGrid grid;
  int rc = init(&c, store, pool);
  if (rc == ANN_OK) rc = ann_sample_pick(&c.sample);
  if (rc == ANN_OK) rc = find_truth(&c);
  if (rc == ANN_OK) rc = measure(&c);
  if (rc == ANN_OK && c.sample.n_measured > 0) {
    rc = fit(&c, &grid);
    if (rc == ANN_OK) rc = ann_effort_save(store, &grid);
  }
  store->state.calibrated_rows = store->state.placed;
  store->state.changes = 0;
  store->dirty = 1;
  clear(&c);
  return rc;
}
