/* calibrate.c -- see calibrate.h. */
#include "index/calibrate.h"

#include "index/fit.h"
#include "index/pick.h"
#include "index/trial.h"

#define ROWS_EACH 10 /* rows of the table for a query, up to ANN_SAMPLE_MOST */
#define GROUP 16     /* trials run at the same time, at most */

typedef struct Calibration {
  AnnStore *store;
  AnnPool *pool; /* borrowed; NULL for one thread */
  AnnPoll poll;
  AnnSample sample;       /* owned */
  int n_rows;             /* of them rows, at most */
  AnnTrial trials[GROUP]; /* owned */
  int n_trials;           /* of them in use: enough to keep all workers busy */
  atomic_int stopped;     /* the poll of one trial stopped them all */
} Calibration;

static int init(Calibration *c, AnnStore *store, AnnPool *pool) {
  AnnLearnedQueries given;
  int64_t n_directories = 0;
  int rc, i;
  memset(c, 0, sizeof *c);
  c->store = store;
  c->pool = pool;
  c->poll.check = ann_db_tick;
  c->poll.arg = store->db;
  c->n_rows =
      ann_sample_size(&store->options.space, store->state.placed, ROWS_EACH, ANN_SAMPLE_MOST);
  rc = ann_learned_get(store->learned, &given);
  if (rc == ANN_OK)
    rc = ann_sample_init(&c->sample, &store->options.space, c->n_rows + (int)given.n);
  /* What the workers look at; of the leaves as many as there is room for. */
  if (rc == ANN_OK) rc = ann_walk_warm(store, &n_directories);
  if (rc == ANN_OK && pool) rc = ann_pages_warm(store->pages);
  c->n_trials = pool ? 4 * ann_pool_workers(pool) : 1;
  if (c->n_trials > GROUP) c->n_trials = GROUP;
  for (i = 0; i < c->n_trials && rc == ANN_OK; i++) {
    rc = ann_trial_init(&c->trials[i], store, &c->stopped);
    if (rc == ANN_OK) {
      rc = ann_walk_fit(&c->trials[i].walk, store->state.directory_pages,
                        store->state.directory_pages + store->state.leaf_pages);
    }
  }
  return rc;
}

static void clear(Calibration *c) {
  int i;
  for (i = 0; i < GROUP; i++) ann_trial_clear(&c->trials[i]);
  ann_sample_clear(&c->sample);
}

static int find_truth(Calibration *c) {
  AnnTruthRows rows = {c->store->db, c->store->source, &c->store->options.space, NULL};
  int rc = ann_truth_find(&rows, c->pool, c->sample.truths, c->sample.n_truths);
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
      ann_pages_trim(c->store->pages);
      n_again++;
    }
    rc = trial->rc;
  }
  if (n_again > n / 2) c->pool = NULL; /* the forest is larger than the cache */
  return rc;
}

/* Try the queries of a sample, a group at a time. */
static int measure(Calibration *c, AnnSample *sample) {
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

/* Try more rows, each for itself alone. */
static int measure_own(Calibration *c) {
  AnnOwn *own = &c->sample.own;
  int64_t n = ann_sample_own(c->n_rows, c->store->state.placed);
  int rc = ANN_OK;
  while (rc == ANN_OK && own->n < n) {
    AnnSample rows;
    rc = ann_sample_init(&rows, c->sample.space, c->n_rows);
    if (rc == ANN_OK) {
      rows.own = *own;
      rc = ann_pick_own(c->store, own->n, c->n_rows, &rows);
    }
    if (rc == ANN_OK) rc = measure(c, &rows);
    *own = rows.own;
    own->n += (uint32_t)c->n_rows;
    ann_sample_clear(&rows);
  }
  return rc;
}

int ann_calibrate(AnnStore *store, AnnPool *pool) {
  Calibration c;
  int rc = init(&c, store, pool);
  if (rc == ANN_OK) rc = ann_progresses_cancel(store->progresses);
  if (rc == ANN_OK) rc = ann_pick_sample(store, c.n_rows, &c.sample);
  if (rc == ANN_OK) rc = find_truth(&c);
  if (rc == ANN_OK) rc = measure(&c, &c.sample);
  if (rc == ANN_OK) rc = measure_own(&c);
  if (rc == ANN_OK) rc = ann_fit(store, &c.sample);
  if (rc == ANN_OK) rc = ann_learned_measured(store->learned);
  store->state.calibrated_rows = store->state.placed;
  store->state.changes = 0;
  store->state.dirty = 1;
  clear(&c);
  return rc;
}
