/* recall.c -- see recall.h. */
#include "index/recall.h"

#include <math.h>

#include "index/learned.h"
#include "index/truth.h"

/* Vectors and neighbours of the sampled rows held at once: a choice. */
#define SAMPLE_BYTES ((int64_t)64 << 20)

/* Some of the sampled rows, as many as are held at once. */
typedef struct Sample {
  AnnStore *store;                /* borrowed */
  int64_t n_rows;                 /* of the table */
  int64_t n, most;                /* rows now; room for */
  AnnTruth *rows;                 /* owned: `most` of them */
  uint8_t *queries;               /* owned: theirs */
  void *row;                      /* owned: one row of the table */
  const AnnLearnedQueries *given; /* borrowed: queries instead of rows, or NULL */
} Sample;

/* Of every query a share of hits; of all, what their mean and scatter need. */
typedef struct Tally {
  int64_t n, hits;    /* queries; neighbours found */
  int64_t neighbours; /* of every query */
  double squares;     /* sum of the squared hits of a query */
} Tally;

/* ---- the interval ---- */

#define Z 1.959963984540054 /* 95 % of a normal distribution lie within */

/* Wilson's score interval (Journal of the American Statistical Association 22, 1927) of the
** share p of `trials`:
**
**     centre = (p + z^2 / 2n) / (1 + z^2 / n)
**     half   = z sqrt(p (1 - p) / n + z^2 / 4n^2) / (1 + z^2 / n)
**
** The trials are no independent ones, for neighbours of one query are found or missed
** together.  So n is not queries x neighbours but that over the design effect (Kish, Survey
** Sampling, 1965): the variance between queries over the one that independent neighbours
** would have.  (In Wilson's formula: Dean and Pagano, Journal of Survey Statistics and
** Methodology 3, 2015.)  It is held between 1, all neighbours independent, and their number,
** a query's found all or none; one query alone says nothing about it and counts as one trial.
**
** Example: 100 queries for 10, of which 90 find all and 10 find five: p = .95, squared
** standard deviation of a query's share .0227, of one neighbour's .0475.  Effect 10 x .0227 /
** .0475 = 4.8; n = 1000 / 4.8 = 209, interval .911 ... .972, where 1000 trials would give
** .935 ... .962.
**
** Covered: that other queries like the stored rows would have been drawn.  Not covered:
** queries unlike them, and how misses cluster when none was seen: then the effect is 1. */
static void interval(const Tally *tally, AnnRecall *out) {
  double m = (double)tally->n, k = (double)tally->neighbours, n = m * k;
  double p = (double)tally->hits / n, effect = k, half, scale;
  if (tally->n > 1) {
    double between = (tally->squares / (k * k) - m * p * p) / (m - 1);
    effect = p > 0 && p < 1 ? k * between / (p * (1 - p)) : 1;
    if (!(effect > 1)) effect = 1;
    if (effect > k) effect = k;
  }
  n /= effect;
  scale = 1 + Z * Z / n;
  half = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / scale;
  out->recall = p;
  out->low = (p + Z * Z / (2 * n)) / scale - half;
  out->high = (p + Z * Z / (2 * n)) / scale + half;
  /* Rounding must not take an end beyond what was measured, nor beyond 0 or 1. */
  if (p == 0 || out->low < 0) out->low = 0;
  if (p == 1 || out->high > 1) out->high = 1;
}

/* ---- the three steps ---- */

static void forget(Sample *sample) {
  int64_t i;
  for (i = 0; i < sample->n; i++) ann_truth_clear(&sample->rows[i]);
  sample->n = 0;
}

static void clear(Sample *sample) {
  forget(sample);
  ann_free(sample->rows);
  ann_free(sample->queries);
  ann_free(sample->row);
}

static int init(Sample *sample, AnnStore *store, int64_t neighbours, int64_t wanted) {
  int64_t bytes = ann_store_vector_bytes(store);
  int64_t each = (int64_t)sizeof(AnnTruth) + store->options.space.query_size;
  int64_t held = neighbours < SAMPLE_BYTES / 16 ? each + 16 * neighbours : SAMPLE_BYTES;
  memset(sample, 0, sizeof *sample);
  sample->store = store;
  sample->most = SAMPLE_BYTES / held > 0 ? SAMPLE_BYTES / held : 1;
  if (sample->most > wanted) sample->most = wanted;
  sample->rows = ann_alloc_zero((uint64_t)sample->most, sizeof *sample->rows);
  sample->queries =
      ann_alloc_array((uint64_t)sample->most, (uint64_t)store->options.space.query_size);
  sample->row = ann_alloc_array(1, (uint64_t)bytes);
  return sample->rows && sample->queries && sample->row ? ANN_OK : ANN_NOMEM;
}

/* The position, in order of id, of sampled row i of `wanted`: the middle of its part. */
static int64_t position_of(int64_t rows, int64_t i, int64_t wanted) {
  return (int64_t)(((double)i + 0.5) * (double)rows / (double)wanted);
}

/* Step 1: hold the sampled rows first, first + 1, ... as far as there is room. */
static int pick(Sample *sample, int64_t first, int64_t wanted, int64_t neighbours) {
  AnnStore *store = sample->store;
  int64_t id = 0, at = 0;
  int found = 1, rc = ann_source_scan(store->source, INT64_MIN, INT64_MAX);
  for (; rc == ANN_OK && sample->n < sample->most && first + sample->n < wanted; at++) {
    rc = ann_source_next(store->source, &id, sample->row, &found);
    if (rc != ANN_OK || !found) break;
    if (at == position_of(sample->n_rows, first + sample->n, wanted)) {
      const AnnSpace *space = &store->options.space;
      void *query = sample->queries + sample->n * space->query_size;
      ann_space_as_query(space, sample->row, query);
      rc = ann_truth_init(&sample->rows[sample->n], space, &id, query, neighbours);
      sample->n += rc == ANN_OK;
    }
    if (at % 256 == 255 && rc == ANN_OK) rc = ann_db_tick(store->db);
  }
  ann_source_end(store->source);
  return rc;
}

/* The same for given queries. */
static int pick_given(Sample *sample, int64_t first, int64_t wanted, int64_t neighbours) {
  AnnStore *store = sample->store;
  int rc = ANN_OK;
  while (rc == ANN_OK && sample->n < sample->most && first + sample->n < wanted) {
    int64_t at = position_of(sample->given->n, first + sample->n, wanted);
    rc = ann_truth_init(&sample->rows[sample->n], &store->options.space, NULL,
                        sample->given->queries + at * store->options.space.query_size,
                        neighbours);
    sample->n += rc == ANN_OK;
  }
  return rc;
}

/* Step 3, for one sampled row. */
static int search(const AnnTruth *row, AnnSearcher *searcher, AnnQuery *query, Tally *tally) {
  AnnTopk found;
  double last = ann_topk_worst(&row->exact);
  int64_t i, hits = 0;
  int rc;
  ann_topk_init(&found, 0);
  query->vector = row->origin.query;
  query->without_self = row->has_id;
  query->self = row->id;
  rc = ann_search(searcher, query, &found);
  for (i = 0; i < found.n; i++) hits += found.items[i].key <= last;
  tally->n++;
  tally->hits += hits;
  tally->squares += (double)hits * (double)hits;
  ann_topk_clear(&found);
  return rc;
}

/* Of an ordinary table nobody else counts them; some may have no vector, or what is none. */
static int count_rows(AnnStore *store, int64_t *out_rows) {
  void *vector = NULL; /* owned */
  int64_t id = 0;
  int found = 1, rc = ANN_OK;
  *out_rows = store->state.rows;
  if (!store->content) return ANN_OK;
  vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
  if (!vector) return ANN_NOMEM;
  rc = ann_source_scan(store->source, INT64_MIN, INT64_MAX);
  for (*out_rows = 0; rc == ANN_OK; ++*out_rows) {
    rc = ann_source_next(store->source, &id, vector, &found);
    if (rc != ANN_OK || !found) break;
    if (*out_rows % 256 == 255) rc = ann_db_tick(store->db);
  }
  ann_source_end(store->source);
  ann_free(vector);
  return rc;
}

int ann_recall_measure(AnnStore *store, AnnSearcher *searcher, int64_t k, int64_t wanted,
                       double recall, int given, AnnRecall *out_recall) {
  int64_t rows = 0, first = 0, most, i;
  AnnLearnedQueries learned;
  AnnTruthRows table = {store->db, store->source, &store->options.space, NULL};
  Sample sample;
  AnnQuery query;
  Tally tally;
  int rc;
  memset(out_recall, 0, sizeof *out_recall);
  memset(&tally, 0, sizeof tally);
  memset(&query, 0, sizeof query);
  rc = ann_learned_get(store->learned, &learned);
  if (rc == ANN_OK) rc = count_rows(store, &rows);
  if (rc != ANN_OK) return rc;
  if (rows < 2 || (given && learned.n == 0)) return ANN_OK;
  most = given ? rows : rows - 1;
  tally.neighbours = query.k = k < most ? k : most;
  query.recall = recall;
  if (wanted > (given ? learned.n : rows)) wanted = given ? learned.n : rows;
  rc = init(&sample, store, query.k, wanted);
  sample.n_rows = rows;
  sample.given = given ? &learned : NULL;
  while (rc == ANN_OK && first < wanted) {
    rc = given ? pick_given(&sample, first, wanted, query.k)
               : pick(&sample, first, wanted, query.k);
    if (rc == ANN_OK && sample.n == 0 && ann_source_may_lack(store->source)) break;
    if (rc == ANN_OK && sample.n == 0) rc = ann_db_corrupt(store->db, "count of rows", rows);
    if (rc == ANN_OK) rc = ann_truth_find(&table, NULL, sample.rows, sample.n); /* step 2 */
    for (i = 0; i < sample.n && rc == ANN_OK; i++) {
      rc = search(&sample.rows[i], searcher, &query, &tally);
      if (rc == ANN_OK) rc = ann_db_tick(store->db);
    }
    first += sample.n;
    forget(&sample);
  }
  clear(&sample);
  if (rc != ANN_OK) return rc;
  out_recall->sample = tally.n;
  if (tally.n == 0) return ANN_OK;
  interval(&tally, out_recall);
  return ANN_OK;
}
