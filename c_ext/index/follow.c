/* follow.c -- see follow.h. */
#include "index/follow.h"

#include "index/fit.h"
#include "index/pick.h"
#include "index/trial.h"

/* It begins when the forest has twice or half as many rows, or when a third was replaced, and
** is to be done after changes of another quarter: docs/MEASUREMENTS.md, "following". */
#define REPLACED_SHARE 3
#define SPAN_SHARE 4
/* A query for so many rows of the table, up to so many: with 256 single inserts take 2 %
** more. */
#define ROWS_EACH 25
#define MOST_QUERIES 200
/* Components compared in a slice, with what a comparison costs besides: about 2 ms with
** AVX2. */
#define SLICE_COMPONENTS ((int64_t)40000000)
#define WORK_PER_ROW 64
#define SLICE_LEAVES 256 /* read in a slice: 2 to 4 ms when they come from SQLite */
#define SLICE_ROWS 64    /* searched for by themselves in a slice */
#define USUAL_LEAVES 200 /* that a query is taken to need, to tell how many slices there are */
/* A trial gives up after so many entries, or after what searches for 100 need at .99, times: */
#define FEWEST_ENTRIES 160000
#define DEEPER 4

static int begin(AnnStore *store) {
  AnnLearnedQueries given;
  AnnProgress *progress = NULL;
  int n_rows =
      ann_sample_size(&store->options.space, store->state.placed, ROWS_EACH, MOST_QUERIES);
  int rc = ann_learned_get(store->learned, &given);
  if (rc == ANN_OK) {
    rc = ann_progresses_begin(store->progresses, n_rows + (int)given.n, &progress);
  }
  return rc == ANN_OK ? ann_pick_sample(store, n_rows, &progress->sample) : rc;
}

/* Rows of the table that a slice compares with the sample. */
static int64_t rows_per_slice(const AnnStore *store, int64_t n_truths) {
  int64_t rows = SLICE_COMPONENTS /
                 ((n_truths + 1) * (store->options.space.dimensions + WORK_PER_ROW));
  return rows > 0 ? rows : 1;
}

static int find_some_truth(AnnStore *store, AnnProgress *progress) {
  AnnTruthRows rows = {store->db, store->source, &store->options.space, NULL};
  AnnSample *sample = &progress->sample;
  AnnPass *pass = NULL; /* owned */
  int more = 0, rc = ann_pass_new(&rows, sample->truths, sample->n_truths, &pass);
  if (rc == ANN_OK) {
    rc = ann_pass_scan(pass, NULL, rows_per_slice(store, sample->n_truths), &progress->from,
                       &more);
  }
  if (rc == ANN_OK && !more) {
    ann_sample_sort(sample);
    progress->stage = ANN_STAGE_MEASURE;
  }
  ann_pass_free(pass);
  return rc;
}

/* Where a trial gives up. */
static int deepest(AnnStore *store, int64_t *out_entries) {
  AnnEffort effort;
  int rc = ann_effort_for(store->efforts, ANN_SAMPLE_NEAR, .99, &effort);
  *out_entries = FEWEST_ENTRIES;
  if (rc == ANN_OK && effort.inspect > FEWEST_ENTRIES / DEEPER) {
    *out_entries = effort.inspect < INT64_MAX / DEEPER ? effort.inspect * DEEPER : INT64_MAX;
  }
  return rc;
}

/* Some more of a sample's queries. */
static int measure_some(AnnStore *store, AnnSample *sample) {
  AnnTrial trial;
  AnnPoll poll = {ann_db_tick, store->db};
  atomic_int stopped = 0;
  int64_t left = SLICE_LEAVES, most = 0;
  int rc = deepest(store, &most);
  if (rc == ANN_OK) rc = ann_trial_init(&trial, store, &stopped);
  if (rc != ANN_OK) return rc;
  while (rc == ANN_OK && left > 0 && sample->n_measured < sample->n) {
    rc = ann_trial_ask(&trial, sample, sample->n_measured);
    trial.most = most;
    if (rc == ANN_OK) {
      ann_trial_run(&trial, store, &poll);
      rc = trial.rc;
    }
    if (rc == ANN_OK) ann_trial_learn(&trial, sample, sample->n_measured++);
    left -= trial.n_leaves + 1;
  }
  ann_trial_clear(&trial);
  return rc;
}

/* Some more rows, each for itself alone. */
static int measure_own(AnnStore *store, AnnOwn *own) {
  AnnSample rows;
  int rc = ann_sample_init(&rows, &store->options.space, SLICE_ROWS);
  if (rc == ANN_OK) {
    rows.own = *own;
    rc = ann_pick_own(store, own->n, SLICE_ROWS, &rows);
  }
  while (rc == ANN_OK && rows.n_measured < rows.n) rc = measure_some(store, &rows);
  if (rc == ANN_OK) *own = rows.own;
  own->n += SLICE_ROWS;
  ann_sample_clear(&rows);
  return rc;
}

static int is_measured(const AnnSample *sample) { return sample->n_measured == sample->n; }

/* It was measured on the way, mostly near the end: it holds for the rows of now.  Counted for
** those of the beginning, their growth was taken twice, and searches did up to 1.7 times the
** work.  What was exchanged meanwhile still counts. */
static int finish(AnnStore *store, const AnnProgress *progress) {
  AnnState *state = &store->state;
  int64_t grown = state->placed - progress->rows;
  int rc = ann_fit(store, &progress->sample);
  if (rc != ANN_OK) return rc;
  state->calibrated_rows = state->placed > 0 ? state->placed : 1;
  state->changes -= progress->changes + (grown < 0 ? -grown : grown);
  if (state->changes < 0) state->changes = 0;
  state->dirty = 1;
  return ann_progresses_cancel(store->progresses);
}

static int slice(AnnStore *store) {
  AnnProgress *progress = NULL;
  AnnSample *sample;
  int rc = ann_progresses_get(store->progresses, &progress);
  if (rc != ANN_OK) return rc;
  if (!progress) return begin(store);
  progress->dirty = 1;
  sample = &progress->sample;
  if (progress->stage == ANN_STAGE_TRUTH) return find_some_truth(store, progress);
  if (!is_measured(sample)) return measure_some(store, sample);
  if (sample->own.n < ann_sample_own(sample->n_rows, progress->rows))
    return measure_own(store, &sample->own);
  return finish(store, progress);
}

/* Changes from one slice to the next. */
static int64_t interval(const AnnStore *store) {
  const AnnState *state = &store->state;
  int64_t n = ann_sample_size(&store->options.space, state->placed, ROWS_EACH, MOST_QUERIES);
  int64_t leaves = state->leaf_pages < USUAL_LEAVES ? state->leaf_pages : USUAL_LEAVES;
  int64_t slices = 2 + state->placed / rows_per_slice(store, n + ANN_SAMPLE_MOST_FAR) +
                   n * leaves / SLICE_LEAVES + ann_sample_own(n, state->placed) / SLICE_ROWS;
  int64_t changes = state->calibrated_rows / SPAN_SHARE / slices;
  return changes > 0 ? changes : 1;
}

int ann_follow_is_due(const AnnState *state) {
  AnnDrift drift = ann_state_drift(state);
  return drift.more - drift.fewer + REPLACED_SHARE * (drift.exchanges / 2) >= drift.fewer;
}

int ann_follow(AnnStore *store, int64_t before) {
  const AnnState *state = &store->state;
  int64_t every;
  int rc;
  if (state->changes == before || state->calibrated_rows == 0 || state->roots[0] == 0 ||
      !ann_follow_is_due(state)) {
    return ANN_OK;
  }
  every = interval(store);
  if (state->changes / every == before / every) return ANN_OK;
  rc = slice(store);
  if (rc != ANN_OK) ann_progresses_drop(store->progresses);
  return rc;
}
