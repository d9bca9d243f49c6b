/* progress.c -- see progress.h. */
#include "index/progress.h"

#include "core/bytes.h"
#include "index/config.h"
#include "index/learned.h"

struct AnnProgresses {
  AnnDb *db;             /* borrowed */
  const AnnState *state; /* borrowed */
  const AnnSpace *space; /* borrowed */
  AnnProgress *progress; /* owned: NULL for none */
  int known;             /* it, or its absence, is what the database says, or newer */
};

int ann_progresses_new(AnnDb *db, const AnnState *state, const AnnSpace *space,
                       AnnProgresses **out_owner) {
  AnnProgresses *owner = ann_alloc_zero(1, sizeof *owner);
  *out_owner = owner;
  if (!owner) return ANN_NOMEM;
  owner->db = db;
  owner->state = state;
  owner->space = space;
  return ANN_OK;
}

static void free_progress(AnnProgress *progress) {
  if (!progress) return;
  ann_sample_clear(&progress->sample);
  ann_free(progress);
}

void ann_progresses_drop(AnnProgresses *owner) {
  free_progress(owner->progress);
  owner->progress = NULL;
  owner->known = 0;
}

void ann_progresses_free(AnnProgresses *owner) {
  if (owner) ann_progresses_drop(owner);
  ann_free(owner);
}

/* ---- bytes: FORMAT.md, "sampling" ---- */

#define HEADER_SIZE 64
#define VERSION 1
#define COST_SIZE (4 * ANN_EFFORT_RULES + 8)

/* Which truths are stored: those of queries still to be measured. */
static int is_stored(const AnnSample *sample, int i) {
  return ann_sample_query(sample, i) >= sample->n_measured;
}

static int64_t encoded_size(const AnnProgress *progress) {
  const AnnSample *sample = &progress->sample;
  int64_t size = HEADER_SIZE + 8 * (int64_t)sample->n +
                 (int64_t)COST_SIZE * ANN_SAMPLE_RANKS * sample->n_measured;
  int i;
  for (i = 0; i < sample->n_truths; i++) {
    if (is_stored(sample, i)) size += 4 + 16 * sample->truths[i].exact.n;
  }
  return size;
}

static void encode_header(const AnnProgress *progress, uint8_t *p) {
  memset(p, 0, HEADER_SIZE);
  ann_put32(p, VERSION);
  ann_put32(p + 4, (uint32_t)progress->stage);
  ann_put32(p + 8, (uint32_t)progress->sample.n);
  ann_put32(p + 12, (uint32_t)progress->sample.n_rows);
  ann_put32(p + 16, (uint32_t)progress->sample.n_measured);
  ann_put64(p + 24, (uint64_t)progress->from);
  ann_put64(p + 32, (uint64_t)progress->rows);
  ann_put64(p + 40, (uint64_t)progress->changes);
  ann_put32(p + 48, progress->sample.own.n);
  ann_put32(p + 52, progress->sample.own.inspected);
  ann_put32(p + 56, progress->sample.own.second);
  ann_put32(p + 60, progress->sample.own.better);
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

static int encode(const AnnProgress *progress, uint8_t *p) {
  const AnnSample *sample = &progress->sample;
  AnnTopk scratch;
  int rc = ann_topk_reserve(&scratch, ANN_SAMPLE_FAR), i, j;
  if (rc != ANN_OK) return rc;
  encode_header(progress, p);
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

/* The header into *progress, whose sample has room for its queries then. */
static int decode_header(AnnProgresses *owner, Bytes *bytes, AnnProgress *progress,
                         int *out_valid) {
  const uint8_t *p = take(bytes, HEADER_SIZE);
  AnnSample *sample = &progress->sample;
  uint32_t n = p ? ann_get32(p + 8) : 0, n_rows = p ? ann_get32(p + 12) : 0;
  uint32_t n_measured = p ? ann_get32(p + 16) : 0;
  int rc;
  *out_valid = p && ann_get32(p) == VERSION && n > 0 &&
               n <= ANN_SAMPLE_MOST + ANN_LEARNED_MOST && n_rows <= n && n_measured <= n;
  if (!*out_valid) return ANN_OK;
  progress->stage = (int)ann_get32(p + 4);
  progress->from = (int64_t)ann_get64(p + 24);
  progress->rows = (int64_t)ann_get64(p + 32);
  progress->changes = (int64_t)ann_get64(p + 40);
  *out_valid = (progress->stage == ANN_STAGE_TRUTH || progress->stage == ANN_STAGE_MEASURE) &&
               progress->rows >= 0 && progress->rows <= ANN_MOST_ROWS &&
               progress->changes >= 0 && progress->changes <= owner->state->changes;
  if (!*out_valid) return ANN_OK;
  rc = ann_sample_init(sample, owner->space, (int)n);
  sample->n_rows = (int)n_rows;
  sample->n_measured = (int)n_measured;
  sample->own.n = ann_get32(p + 48);
  sample->own.inspected = ann_get32(p + 52);
  sample->own.second = ann_get32(p + 56);
  sample->own.better = ann_get32(p + 60);
  return rc;
}

static int decode(AnnProgresses *owner, Bytes bytes, const uint8_t *queries,
                  int64_t queries_size, AnnProgress *progress, int *out_valid) {
  AnnSample *sample = &progress->sample;
  const uint8_t *ids;
  int rc = decode_header(owner, &bytes, progress, out_valid), i;
  if (rc != ANN_OK || !*out_valid) return rc;
  ids = take(&bytes, 8 * (int64_t)sample->n_wanted);
  *out_valid = ids && ann_space_queries_from_blobs(owner->space, queries, queries_size,
                                                   sample->n_wanted, sample->queries) == ANN_OK;
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
  if (progress->stage == ANN_STAGE_MEASURE) ann_sample_sort(sample);
  return rc;
}

/* What is stored into *out, NULL when there is nothing; bytes that make no sense are
** nothing. */
static int read_stored(AnnProgresses *owner, AnnProgress **out) {
  uint8_t *blob = NULL, *queries = NULL; /* owned */
  int64_t size = 0, queries_size = 0;
  AnnProgress *progress = NULL; /* owned, until it is handed out */
  int valid = 0;
  int rc = ann_config_blob(owner->db, ANN_CONFIG_SAMPLING, &blob, &size);
  if (rc == ANN_OK && blob) {
    rc = ann_config_blob(owner->db, ANN_CONFIG_SAMPLED, &queries, &queries_size);
  }
  if (rc == ANN_OK && queries) {
    Bytes bytes = {blob, size};
    progress = ann_alloc_zero(1, sizeof *progress);
    rc = progress ? decode(owner, bytes, queries, queries_size, progress, &valid) : ANN_NOMEM;
  }
  *out = rc == ANN_OK && valid ? progress : NULL;
  if (!*out) free_progress(progress);
  ann_free(blob);
  ann_free(queries);
  return rc;
}

int ann_progresses_get(AnnProgresses *owner, AnnProgress **out_progress) {
  int rc = ANN_OK;
  if (!owner->known) {
    rc = read_stored(owner, &owner->progress);
    owner->known = rc == ANN_OK;
  }
  *out_progress = owner->progress;
  return rc;
}

int ann_progresses_begin(AnnProgresses *owner, int n_queries, AnnProgress **out_progress) {
  AnnProgress *progress = ann_alloc_zero(1, sizeof *progress);
  int rc = progress ? ann_sample_init(&progress->sample, owner->space, n_queries) : ANN_NOMEM;
  *out_progress = NULL;
  if (rc != ANN_OK) {
    free_progress(progress);
    return rc;
  }
  ann_progresses_drop(owner);
  owner->known = 1;
  progress->stage = ANN_STAGE_TRUTH;
  progress->from = INT64_MIN;
  progress->rows = owner->state->placed;
  progress->changes = owner->state->changes;
  progress->is_new = progress->dirty = 1;
  *out_progress = owner->progress = progress;
  return ANN_OK;
}

int ann_progresses_held(const AnnProgresses *owner, const AnnProgress **out_progress) {
  *out_progress = owner->progress;
  return owner->known;
}

int ann_progresses_is_clean(const AnnProgresses *owner) {
  return !owner->progress || !owner->progress->dirty;
}

/* The sample's queries, which stay what they are. */
static int put_queries(AnnProgresses *owner, const AnnSample *sample) {
  int64_t size = sample->n * ann_space_query_blob_size(owner->space);
  uint8_t *blob = ann_alloc((uint64_t)size); /* owned */
  int rc = ANN_NOMEM;
  if (blob) {
    ann_space_queries_to_blobs(owner->space, sample->queries, sample->n, blob);
    rc = ann_config_put(owner->db, ANN_CONFIG_SAMPLED, "sampled", blob, size);
  }
  ann_free(blob);
  return rc;
}

int ann_progresses_flush(AnnProgresses *owner) {
  AnnProgress *progress = owner->progress;
  uint8_t *blob = NULL; /* owned */
  int64_t size;
  int rc;
  if (ann_progresses_is_clean(owner)) return ANN_OK;
  size = encoded_size(progress);
  blob = ann_alloc((uint64_t)size);
  rc = blob ? encode(progress, blob) : ANN_NOMEM;
  if (rc == ANN_OK) {
    rc = ann_config_put(owner->db, ANN_CONFIG_SAMPLING, "sampling", blob, size);
  }
  ann_free(blob);
  if (rc == ANN_OK && progress->is_new) rc = put_queries(owner, &progress->sample);
  if (rc == ANN_OK) progress->dirty = progress->is_new = 0;
  return rc;
}

int ann_progresses_cancel(AnnProgresses *owner) {
  int rc;
  ann_progresses_drop(owner);
  owner->known = 1;
  rc = ann_config_delete(owner->db, ANN_CONFIG_SAMPLING);
  return rc == ANN_OK ? ann_config_delete(owner->db, ANN_CONFIG_SAMPLED) : rc;
}
