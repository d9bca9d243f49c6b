/* follow.c -- see follow.h. */
#include "index/follow.h"

#include "core/bytes.h"
#include "core/vector.h"
#include "index/config.h"
#include "index/fit.h"
#include "index/learned.h"
#include "index/pages.h"
#include "index/trial.h"

/* It begins when the forest has twice or half as many rows, or when a third was replaced, and is to
** be done after changes of another quarter: docs/ARCHITECTURE.md, "following". */
#define REPLACED_SHARE 3
#define SPAN_SHARE 4
/* A query for so many rows of the table, up to so many: with 256 single inserts take 2 % more. */
#define ROWS_EACH 25
#define MOST_QUERIES 200
/* Components compared in a slice, with what a comparison costs besides: about 2 ms with AVX2. */
#define SLICE_COMPONENTS ((int64_t)40000000)
#define WORK_PER_ROW 64
#define SLICE_LEAVES 256 /* read in a slice: 2 to 4 ms when they come from SQLite */
#define USUAL_LEAVES 200 /* that a query is taken to need, to tell how many slices there are */
/* A trial gives up after so many entries, or after what searches for 100 need at .99, times: */
#define FEWEST_ENTRIES 160000
#define DEEPER 4

enum { STAGE_TRUTH = 1, STAGE_MEASURE = 2 };

struct AnnFollow {
  AnnSample sample; /* owned */
  AnnPass *pass; /* owned: truth; made when needed */
  AnnTrial trial; /* owned: measure; made when needed */
  int has_trial;
  atomic_int stopped;
  int stage;
  int64_t from; /* truth: the id to go on with */
  int64_t rows, changes; /* state.placed and state.changes at the beginning */
  int is_new; /* the queries' vectors are not stored yet */
  int dirty; /* the rest is not */
};
typedef struct AnnFollow Follow;

static void free_follow(Follow *follow) {
  if (!follow) return;
  ann_pass_free(follow->pass);
  if (follow->has_trial) ann_trial_clear(&follow->trial);
  ann_sample_clear(&follow->sample);
  ann_free(follow);
}

void ann_follow_drop(AnnStore *store) {
  free_follow(store->follow);
  store->follow = NULL;
  store->follow_known = 0;
}

/* ---- bytes: FORMAT.md, "sampling" ---- */

#define HEADER_SIZE 64
#define VERSION 1
#define COST_SIZE (4 * ANN_EFFORT_RULES + 8)

/* Which truths are stored: those of queries still to be measured. */
static int is_stored(const AnnSample *sample, int i) {
  return ann_sample_query(sample, i) >= sample->n_measured;
}

static int64_t encoded_size(const Follow *follow) {
  const AnnSample *sample = &follow->sample;
  int64_t size = HEADER_SIZE + 8 * (int64_t)sample->n +
                 (int64_t)COST_SIZE * ANN_SAMPLE_RANKS * sample->n_measured;
  int i;
  for (i = 0; i < sample->n_truths; i++) {
    if (is_stored(sample, i)) size += 4 + 16 * sample->truths[i].exact.n;
  }
  return size;
}

static void encode_header(const Follow *follow, uint8_t *p) {
  memset(p, 0, HEADER_SIZE);
  ann_put32(p, VERSION);
  ann_put32(p + 4, (uint32_t)follow->stage);
  ann_put32(p + 8, (uint32_t)follow->sample.n);
  ann_put32(p + 12, (uint32_t)follow->sample.n_rows);
  ann_put32(p + 16, (uint32_t)follow->sample.n_measured);
  ann_put64(p + 24, (uint64_t)follow->from);
  ann_put64(p + 32, (uint64_t)follow->rows);
  ann_put64(p + 40, (uint64_t)follow->changes);
}

/* Ascending, so that the bytes do not depend on how often it was stored. */
static uint8_t *encode_truth(const AnnTopk *exact, AnnTopk *scratch, uint8_t *p) {
  int64_t i;
  scratch->n = exact->n;
  memcpy(scratch->items, exact->items, (size_t)exact->n * sizeof *exact->items);
  ann_topk_sort(scratch);
  ann_put32(p, (uint32_t)exact->n);
  for (p += 4, i = 0; i < exact->n; i++, p += 16) {
    uint64_t bits;
    memcpy(&bits, &scratch->items[i].key, sizeof bits);
    ann_put64(p, bits);
    ann_put64(p + 8, (uint64_t)scratch->items[i].id);
  }
  return p;
}

static int encode(const Follow *follow, uint8_t *p) {
  const AnnSample *sample = &follow->sample;
  AnnTopk scratch;
  int rc = ann_topk_reserve(&scratch, ANN_SAMPLE_FAR), i, j;
  if (rc != ANN_OK) return rc;
  encode_header(follow, p);
  p += HEADER_SIZE;
  for (i = 0; i < sample->n; i++, p += 8) ann_put64(p, (uint64_t)sample->ids[i]);
  for (i = 0; i < sample->n_truths; i++) {
    if (is_stored(sample, i)) p = encode_truth(&sample->truths[i].exact, &scratch, p);
  }
  for (i = 0; i < sample->n_measured * ANN_SAMPLE_RANKS; i++) {
    const AnnCost *cost = &sample->costs[i];
    for (j = 0; j < ANN_EFFORT_RULES; j++, p += 4) ann_put_f32(p, cost->reach[j]);
    ann_put32(p, cost->inspected);
    ann_put32(p + 4, cost->better);
    p += 8;
  }
  ann_topk_clear(&scratch);
  return ANN_OK;
}

/* What decoding reads; every step takes its bytes from the front, if there are as many. */
typedef struct Bytes {
  const uint8_t *p;
  int64_t left;
} Bytes;

static const uint8_t *take(Bytes *bytes, int64_t n) {
  const uint8_t *p = bytes->p;
  if (n > bytes->left) return NULL;
  bytes->p += n;
  bytes->left -= n;
  return p;
}

/* 1, or 0: the bytes make no sense. */
static int decode_truth(Bytes *bytes, AnnTopk *exact) {
  const uint8_t *p = take(bytes, 4);
  int64_t n = p ? ann_get32(p) : 0, i;
  if (!p || n > exact->k) return 0;
  for (i = 0; i < n; i++) {
    uint64_t bits;
    double key;
    if (!(p = take(bytes, 16))) return 0;
    bits = ann_get64(p);
    memcpy(&key, &bits, sizeof key);
    (void)ann_topk_push(exact, key, (int64_t)ann_get64(p + 8));
  }
  return 1;
}

static int decode_cost(Bytes *bytes, AnnCost *out_cost) {
  const uint8_t *p = take(bytes, COST_SIZE);
  int j;
  if (!p) return 0;
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    out_cost->reach[j] = ann_get_f32(p + 4 * j);
    if (!(out_cost->reach[j] >= 0)) return 0;
  }
  out_cost->inspected = ann_get32(p + 4 * ANN_EFFORT_RULES);
  out_cost->better = ann_get32(p + 4 * ANN_EFFORT_RULES + 4);
  return 1;
}

/* The header into *follow, whose sample has room for its queries then. */
static int decode_header(AnnStore *store, Bytes *bytes, Follow *follow, int *out_valid) {
  const uint8_t *p = take(bytes, HEADER_SIZE);
  AnnSample *sample = &follow->sample;
  uint32_t n = p ? ann_get32(p + 8) : 0, n_rows = p ? ann_get32(p + 12) : 0;
  uint32_t n_measured = p ? ann_get32(p + 16) : 0;
  int rc;
  *out_valid = p && ann_get32(p) == VERSION && n > 0 &&
               n <= ANN_SAMPLE_MOST + ANN_LEARNED_MOST && n_rows <= n && n_measured <= n;
  if (!*out_valid) return ANN_OK;
  follow->stage = (int)ann_get32(p + 4);
  follow->from = (int64_t)ann_get64(p + 24);
  follow->rows = (int64_t)ann_get64(p + 32);
  follow->changes = (int64_t)ann_get64(p + 40);
  *out_valid = (follow->stage == STAGE_TRUTH || follow->stage == STAGE_MEASURE) &&
               follow->rows >= 0 && follow->rows <= ANN_MOST_ROWS && follow->changes >= 0 &&
               follow->changes <= store->state.changes;
  if (!*out_valid) return ANN_OK;
  rc = ann_sample_init(sample, store, (int)n);
  sample->n_rows = (int)n_rows;
  sample->n_measured = (int)n_measured;
  return rc;
}

static int decode(AnnStore *store, Bytes bytes, const uint8_t *vectors, int64_t vectors_size,
                  Follow *follow, int *out_valid) {
  AnnSample *sample = &follow->sample;
  int64_t dimensions = store->options.dimensions;
  const uint8_t *ids;
  int rc = decode_header(store, &bytes, follow, out_valid), i;
  char message[ANN_VECTOR_MESSAGE];
  if (rc != ANN_OK || !*out_valid) return rc;
  ids = take(&bytes, 8 * (int64_t)sample->n_wanted);
  *out_valid = ids && vectors_size == 4 * dimensions * sample->n_wanted &&
               ann_vector_from_blob(vectors, vectors_size, dimensions * sample->n_wanted,
                                    sample->vectors, message) == ANN_OK;
  for (i = 0; *out_valid && i < sample->n_wanted; i++) {
    sample->ids[sample->n++] = (int64_t)ann_get64(ids + 8 * i);
  }
  if (*out_valid) rc = ann_sample_make_truths(sample);
  for (i = 0; rc == ANN_OK && *out_valid && i < sample->n_truths; i++) {
    if (is_stored(sample, i)) *out_valid = decode_truth(&bytes, &sample->truths[i].exact);
  }
  for (i = 0; rc == ANN_OK && *out_valid && i < sample->n_measured * ANN_SAMPLE_RANKS; i++) {
    *out_valid = decode_cost(&bytes, &sample->costs[i]);
  }
  *out_valid = *out_valid && bytes.left == 0;
  if (follow->stage == STAGE_MEASURE) ann_sample_sort(sample);
  return rc;
}

/* ---- stored and in memory ---- */

/* The stored calibration in progress into store->follow, NULL when there is none; bytes that
** make no sense are none. */
static int load(AnnStore *store) {
  uint8_t *blob = NULL, *vectors = NULL; /* owned */
  int64_t size = 0, vectors_size = 0;
  Follow *follow = NULL; /* owned, until it is store->follow */
  int valid = 0;
  int rc = ann_config_blob(store, ANN_CONFIG_SAMPLING, &blob, &size);
  if (rc == ANN_OK && blob) {
    rc = ann_config_blob(store, ANN_CONFIG_SAMPLED, &vectors, &vectors_size);
  }
  if (rc == ANN_OK && vectors) {
    Bytes bytes = {blob, size};
    follow = ann_alloc_zero(1, sizeof *follow);
    rc = follow ? decode(store, bytes, vectors, vectors_size, follow, &valid) : ANN_NOMEM;
  }
  if (rc == ANN_OK && valid) store->follow = follow;
  else free_follow(follow);
  store->follow_known = rc == ANN_OK;
  ann_free(blob);
  ann_free(vectors);
  return rc;
}

int ann_follow_is_clean(const AnnStore *store) {
  return !store->follow || !store->follow->dirty;
}

int ann_follow_flush(AnnStore *store) {
  Follow *follow = store->follow;
  uint8_t *blob = NULL; /* owned */
  int64_t size;
  int rc = ANN_OK;
  if (!follow || !follow->dirty) return ANN_OK;
  size = encoded_size(follow);
  blob = ann_alloc((uint64_t)size);
  rc = blob ? encode(follow, blob) : ANN_NOMEM;
  if (rc == ANN_OK) { rc = ann_config_put(store, ANN_CONFIG_SAMPLING, "sampling", blob, size); }
  ann_free(blob);
  if (rc == ANN_OK && follow->is_new) {
    size = follow->sample.n * ann_store_vector_bytes(store);
    blob = ann_alloc((uint64_t)size);
    if (blob) {
      ann_vector_to_blob(follow->sample.vectors, follow->sample.n * store->options.dimensions,
                         blob);
    }
    rc = blob ? ann_config_put(store, ANN_CONFIG_SAMPLED, "sampled", blob, size) : ANN_NOMEM;
    ann_free(blob);
  }
  if (rc == ANN_OK) follow->dirty = follow->is_new = 0;
  return rc;
}

int ann_follow_cancel(AnnStore *store) {
  int rc;
  ann_follow_drop(store);
  store->follow_known = 1;
  rc = ann_config_delete(store, ANN_CONFIG_SAMPLING);
  return rc == ANN_OK ? ann_config_delete(store, ANN_CONFIG_SAMPLED) : rc;
}

/* ---- slices ---- */

static int begin(AnnStore *store) {
  AnnLearned *learned = NULL;
  int n_rows = ann_sample_size(store, ROWS_EACH, MOST_QUERIES);
  int rc = ann_learned_get(store, &learned);
  Follow *follow = rc == ANN_OK ? ann_alloc_zero(1, sizeof *follow) : NULL;
  if (rc == ANN_OK && !follow) rc = ANN_NOMEM;
  if (rc != ANN_OK) return rc;
  store->follow = follow;
  follow->stage = STAGE_TRUTH;
  follow->from = INT64_MIN;
  follow->rows = store->state.placed;
  follow->changes = store->state.changes;
  follow->is_new = 1;
  rc = ann_sample_init(&follow->sample, store, n_rows + (int)learned->n);
  if (rc == ANN_OK) rc = ann_sample_pick(&follow->sample, n_rows);
  return rc;
}

/* Rows of the table that a slice compares with the sample. */
static int64_t rows_per_slice(const AnnStore *store, int64_t n_truths) {
  int64_t rows = SLICE_COMPONENTS /
                 ((n_truths + 1) * (store->options.dimensions + WORK_PER_ROW));
  return rows > 0 ? rows : 1;
}

static int find_some_truth(AnnStore *store, Follow *follow) {
  AnnSample *sample = &follow->sample;
  int more = 0, rc = ANN_OK;
  if (!follow->pass) rc = ann_pass_new(store, sample->truths, sample->n_truths, &follow->pass);
  if (rc == ANN_OK) {
    rc = ann_pass_scan(follow->pass, NULL, rows_per_slice(store, sample->n_truths),
                       &follow->from, &more);
  }
  if (rc == ANN_OK && !more) {
    ann_pass_free(follow->pass);
    follow->pass = NULL;
    ann_sample_sort(sample);
    follow->stage = STAGE_MEASURE;
  }
  return rc;
}

/* Where a trial gives up. */
static int deepest(AnnStore *store, int64_t *out_entries) {
  AnnEffort effort;
  int rc = ann_effort_for(store, ANN_SAMPLE_NEAR, .99, &effort);
  *out_entries = FEWEST_ENTRIES;
  if (rc == ANN_OK && effort.inspect > FEWEST_ENTRIES / DEEPER) {
    *out_entries = effort.inspect < INT64_MAX / DEEPER ? effort.inspect * DEEPER : INT64_MAX;
  }
  return rc;
}

static int measure_some(AnnStore *store, Follow *follow) {
  AnnSample *sample = &follow->sample;
  AnnTrial *trial = &follow->trial;
  AnnPoll poll = {ann_db_tick, store->db};
  int64_t left = SLICE_LEAVES, most = 0;
  int rc = deepest(store, &most);
  if (rc == ANN_OK && !follow->has_trial) {
    rc = ann_trial_init(trial, store, &follow->stopped);
    follow->has_trial = rc == ANN_OK;
  }
  while (rc == ANN_OK && left > 0 && sample->n_measured < sample->n) {
    rc = ann_trial_ask(trial, sample, sample->n_measured);
    trial->most = most;
    if (rc == ANN_OK) {
      ann_trial_run(trial, store, &poll);
      rc = trial->rc;
    }
    if (rc == ANN_OK) ann_trial_learn(trial, sample, sample->n_measured++);
    left -= trial->n_leaves + 1;
  }
  return rc;
}

/* It was measured on the way, mostly near the end: it holds for the rows of now.  Counted for those
** of the beginning, their growth was taken twice, and searches did up to 1.7 times the work.  What was
** exchanged meanwhile still counts. */
static int finish(AnnStore *store, Follow *follow) {
  AnnState *state = &store->state;
  int64_t grown = state->placed - follow->rows;
  int rc = ann_fit(&follow->sample);
  if (rc != ANN_OK) return rc;
  state->calibrated_rows = state->placed > 0 ? state->placed : 1;
  state->changes -= follow->changes + (grown < 0 ? -grown : grown);
  if (state->changes < 0) state->changes = 0;
  store->dirty = 1;
  return ann_follow_cancel(store);
}

static int slice(AnnStore *store) {
  Follow *follow = store->follow;
  int rc;
  if (!follow) {
    rc = begin(store);
    follow = store->follow;
  } else if (follow->stage == STAGE_TRUTH) {
    rc = find_some_truth(store, follow);
  } else {
    rc = measure_some(store, follow);
  }
  if (follow) follow->dirty = 1;
  if (rc == ANN_OK && follow->stage == STAGE_MEASURE &&
      follow->sample.n_measured == follow->sample.n) {
    rc = finish(store, follow);
  }
  return rc;
}

/* Changes from one slice to the next. */
static int64_t interval(const AnnStore *store) {
  const AnnState *state = &store->state;
  int64_t n = ann_sample_size(store, ROWS_EACH, MOST_QUERIES);
  int64_t leaves = state->leaf_pages < USUAL_LEAVES ? state->leaf_pages : USUAL_LEAVES;
  int64_t slices = 2 + state->placed / rows_per_slice(store, n + ANN_SAMPLE_MOST_FAR) +
                   n * leaves / SLICE_LEAVES;
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
  rc = store->follow_known ? ANN_OK : load(store);
  if (rc == ANN_OK) rc = slice(store);
  if (rc != ANN_OK) ann_follow_drop(store);
  return rc;
}
