/* sample.c -- see sample.h. */
#include "index/sample.h"

#define FEWEST_QUERIES 100
#define QUERY_BYTES ((int64_t)64 << 20) /* fewer queries if they are long */

/* ---- life ---- */

int ann_sample_size(const AnnSpace *space, int64_t rows, int64_t rows_each, int most) {
  int64_t room = QUERY_BYTES / space->query_size;
  int64_t n = rows / rows_each;
  if (n > most) n = most;
  if (n < FEWEST_QUERIES) n = FEWEST_QUERIES;
  return (int)(n < room ? n : room);
}

int64_t ann_sample_own(int64_t n_rows, int64_t rows) {
  int64_t most = rows / ANN_SAMPLE_OWN_SHARE;
  return ANN_SAMPLE_OWN * n_rows < most ? ANN_SAMPLE_OWN * n_rows : most;
}

int ann_sample_init(AnnSample *sample, const AnnSpace *space, int n_wanted) {
  memset(sample, 0, sizeof *sample);
  sample->space = space;
  sample->n_wanted = n_wanted;
  sample->ids = ann_alloc_array((uint64_t)n_wanted, sizeof *sample->ids);
  sample->queries = ann_alloc_array((uint64_t)n_wanted, (uint64_t)space->query_size);
  sample->truths =
      ann_alloc_zero((uint64_t)n_wanted + 2 * ANN_SAMPLE_MOST_FAR, sizeof *sample->truths);
  sample->costs = ann_alloc_zero((uint64_t)n_wanted * ANN_SAMPLE_RANKS, sizeof *sample->costs);
  if (!sample->ids || !sample->queries || !sample->truths || !sample->costs) return ANN_NOMEM;
  return ANN_OK;
}

void ann_sample_clear(AnnSample *sample) {
  int i;
  for (i = 0; i < sample->n_truths; i++) ann_truth_clear(&sample->truths[i]);
  ann_free(sample->ids);
  ann_free(sample->queries);
  ann_free(sample->truths);
  ann_free(sample->costs);
  memset(sample, 0, sizeof *sample);
}

static int at_most(int n, int most) { return n < most ? n : most; }

int ann_sample_query(const AnnSample *sample, int i) {
  if (i < sample->n) return i;
  i -= sample->n;
  return i < sample->n_far ? i : sample->n_rows + i - sample->n_far;
}

int ann_sample_make_truths(AnnSample *sample) {
  int rc = ANN_OK, i;
  sample->n_far = at_most(sample->n_rows, ANN_SAMPLE_MOST_FAR);
  sample->n_given_far = at_most(sample->n - sample->n_rows, ANN_SAMPLE_MOST_FAR);
  for (i = 0; i < sample->n + sample->n_far + sample->n_given_far && rc == ANN_OK; i++) {
    int query = ann_sample_query(sample, i);
    rc = ann_truth_init(
        &sample->truths[i], sample->space, query < sample->n_rows ? &sample->ids[query] : NULL,
        ann_sample_query_at(sample, query), i < sample->n ? ANN_SAMPLE_NEAR : ANN_SAMPLE_FAR);
    sample->truths[i].thinned = i >= sample->n;
    sample->n_truths += rc == ANN_OK;
  }
  return rc;
}

/* ---- looking ---- */

void ann_sample_sort(AnnSample *sample) {
  int i;
  for (i = 0; i < sample->n_truths; i++) ann_topk_sort(&sample->truths[i].exact);
}

/* The thinned truth of a query, or -1. */
static int far_of(const AnnSample *sample, int query) {
  int given = query - sample->n_rows;
  if (given < 0) return query < sample->n_far ? sample->n + query : -1;
  return given < sample->n_given_far ? sample->n + sample->n_far + given : -1;
}

const AnnRanked *ann_sample_neighbour(const AnnSample *sample, int query, int rank) {
  const AnnTopk *exact = &sample->truths[query].exact;
  int64_t at = rank < 10 ? rank : 10 * (rank - 8) - 1;
  if (rank == ANN_SELF_RANK) return NULL;
  if (rank >= ANN_NEAR_RANKS) {
    int far = far_of(sample, query);
    if (far < 0) return NULL;
    exact = &sample->truths[far].exact;
    at = (rank - ANN_NEAR_RANKS + 1) * exact->n / ANN_FAR_RANKS - 1;
  }
  return at >= 0 && at < exact->n ? &exact->items[at] : NULL;
}

AnnCost *ann_sample_costs(const AnnSample *sample, int query) {
  return &sample->costs[query * ANN_SAMPLE_RANKS];
}

const void *ann_sample_query_at(const AnnSample *sample, int query) {
  return sample->queries + query * sample->space->query_size;
}
