/* truth.c -- see truth.h. */
#include "index/truth.h"

#include <math.h>

#include "core/kernel.h"

#define ROWS_BYTES ((int64_t)128 << 10)   /* held at once: a quarter of a core's cache */
#define FEWEST_ROWS 16
#define TOGETHER 4              /* vectors that rows are compared with at a time */
#define ROWS_TOGETHER 64        /* and rows */
/* Components that a worker compares at a time: a tenth of a millisecond and more. */
#define WORK_AT_ONCE 4000000
#define WORK_PER_ROW 64         /* what a distance costs besides, in components */
#define LANES 16                /* of the kernels' sums: zeros up to them change no sum */
/* A sum of n products errs by less than n x this, of the sum of their magnitudes. */
#define ROUNDING 5.97e-8        /* 2^-24 */
/* Of squared lengths; the products that smaller ones are sums of may fall below a float, and
** err by more. */
#define SMALLEST_NORM 1e-30

/* A row may belong to the best of a truth if their product is at least
** scale x length + offset of the one + offset of the other; with exact arithmetic, the
** distance is then at most the worst of the best. */
typedef struct Bound {
  double scale, offset;
  double norm;            /* the truth's squared length */
} Bound;

/* One pass under way. */
struct AnnPass {
  AnnTruthRows from;      /* the table */
  AnnTruth *truths;
  int64_t n_truths, stride;
  int64_t n, most;        /* rows held now; room for */
  int64_t *ids;           /* owned */
  float *rows;            /* owned: most x stride */
  float *vectors;         /* owned: the truths', and zeros for TOGETHER more, x stride */
  double *row_norms;      /* owned: their squared lengths */
  double *row_lengths;    /* owned */
  double *row_offsets;    /* owned */
  Bound *bounds;          /* owned: the truths' */
};
typedef struct AnnPass Pass;

int ann_truth_init(AnnTruth *truth, const AnnOptions *options, const int64_t *id,
                   const float *vector, int64_t k) {
  truth->has_id = id != NULL;
  truth->id = id ? *id : 0;
  truth->thinned = 0;
  ann_origin_init(&truth->origin, options->metric, vector, options->dimensions);
  return ann_topk_reserve(&truth->exact, k);
}

void ann_truth_clear(AnnTruth *truth) { ann_topk_clear(&truth->exact); }

static double norm_of(const Pass *pass, const float *vector) {
  return (double)ann_kernels()->dot(vector, vector, (size_t)pass->from.options->dimensions);
}

/* What the product, a sum of floats, errs by at most, for one of its factors; twice, since
** the norms err as well. */
static double error_of(const Pass *pass, double norm) {
  if (!(norm > SMALLEST_NORM)) return INFINITY;
  return 2 * ROUNDING * (double)pass->stride * norm;
}

/* After the best of truth i have changed. */
static void set_bound(Pass *pass, int64_t i) {
  double worst = ann_topk_worst(&pass->truths[i].exact);
  Bound *bound = &pass->bounds[i];
  bound->scale = 0;
  bound->offset = -error_of(pass, bound->norm);
  switch (pass->from.options->metric) {
  case ANN_COSINE: bound->scale = (1 - worst) * sqrt(bound->norm); break;
  case ANN_L2: bound->offset += (bound->norm - worst * worst) / 2; break;
  default: bound->offset -= worst;
  }
}

static int init(Pass *pass, const AnnTruthRows *from, AnnTruth *truths, int64_t n) {
  int64_t i;
  pass->from = *from;
  pass->truths = truths;
  pass->n_truths = n;
  pass->stride = (from->options->dimensions + LANES - 1) / LANES * LANES;
  pass->most = ROWS_BYTES / (pass->stride * (int64_t)sizeof(float));
  if (pass->most < FEWEST_ROWS) pass->most = FEWEST_ROWS;
  pass->ids = ann_alloc_array((uint64_t)pass->most, sizeof *pass->ids);
  pass->rows = ann_alloc_zero((uint64_t)(pass->most * pass->stride), sizeof *pass->rows);
  pass->vectors =
      ann_alloc_zero((uint64_t)((n + TOGETHER) * pass->stride), sizeof *pass->vectors);
  pass->row_norms = ann_alloc_array((uint64_t)pass->most, sizeof *pass->row_norms);
  pass->row_lengths = ann_alloc_array((uint64_t)pass->most, sizeof *pass->row_lengths);
  pass->row_offsets = ann_alloc_array((uint64_t)pass->most, sizeof *pass->row_offsets);
  pass->bounds = ann_alloc_array((uint64_t)n, sizeof *pass->bounds);
  if (!pass->ids || !pass->rows || !pass->vectors || !pass->row_norms || !pass->row_lengths ||
      !pass->row_offsets || !pass->bounds) {
    return ANN_NOMEM;
  }
  for (i = 0; i < n; i++) {
    memcpy(pass->vectors + i * pass->stride, truths[i].origin.vector,
           (size_t)ann_options_vector_bytes(from->options));
    pass->bounds[i].norm = norm_of(pass, truths[i].origin.vector);
    set_bound(pass, i);
  }
  return ANN_OK;
}

/* The row just read, of which this is the squared length. */
static void add_row(Pass *pass, double norm) {
  pass->row_norms[pass->n] = norm;
  pass->row_lengths[pass->n] = sqrt(norm);
  pass->row_offsets[pass->n] = -error_of(pass, norm);
  if (pass->from.options->metric == ANN_L2) pass->row_offsets[pass->n] += norm / 2;
}

/* Hold the next rows of the scan, at most `most`. */
static int read_rows(Pass *pass, int64_t most, int *out_more) {
  int rc = ANN_OK;
  if (most > pass->most) most = pass->most;
  for (pass->n = 0; rc == ANN_OK && pass->n < most; pass->n++) {
    float *row = pass->rows + pass->n * pass->stride;
    rc = ann_source_next(pass->from.source, &pass->ids[pass->n], row, out_more);
    if (rc != ANN_OK || !*out_more) break;
    add_row(pass, norm_of(pass, row));
  }
  return rc;
}

/* Whether row j may be among the best of truth i: exact distances are for the few that may.
** NaN, of sums beyond a float, may. */
static int may_belong(const Pass *pass, int64_t i, int64_t j, float product) {
  const Bound *bound = &pass->bounds[i];
  double least = bound->scale * pass->row_lengths[j] + bound->offset + pass->row_offsets[j];
  return !((double)product < least);
}

static int is_in_share(int64_t id) { return ((uint64_t)id * 0x9E3779B97F4A7C15u) >> 61 == 0; }

/* Row j against the truths first ... of which these are the products. */
static void compare(Pass *pass, int64_t j, int64_t first, const float *products) {
  int64_t i;
  for (i = first; i < first + TOGETHER && i < pass->n_truths; i++) {
    AnnTruth *truth = &pass->truths[i];
    double far;
    if (!may_belong(pass, i, j, products[i - first])) continue;
    if (truth->has_id && pass->ids[j] == truth->id) continue;
    if (truth->thinned && !is_in_share(pass->ids[j])) continue;
    far = ann_origin_distance_of(&truth->origin, pass->rows + j * pass->stride,
                                 pass->row_norms[j]);
    (void)ann_topk_push(&truth->exact, far, pass->ids[j]);
    set_bound(pass, i);
  }
}

/* The rows held against some of the vectors, TOGETHER an item. */
static void compare_some(void *arg, int64_t first, int64_t last, int worker) {
  Pass *pass = arg;
  float products[ROWS_TOGETHER * TOGETHER];
  int64_t i, j, from, n;
  (void)worker;
  for (i = first * TOGETHER; i < last * TOGETHER && i < pass->n_truths; i += TOGETHER) {
    for (from = 0; from < pass->n; from += n) {
      n = pass->n - from < ROWS_TOGETHER ? pass->n - from : ROWS_TOGETHER;
      ann_kernels()->products(pass->vectors + i * pass->stride,
                              pass->rows + from * pass->stride, (size_t)pass->stride, (size_t)n,
                              products);
      for (j = 0; j < n; j++) compare(pass, from + j, i, products + TOGETHER * j);
    }
  }
}

int ann_pass_new(const AnnTruthRows *from, AnnTruth *truths, int64_t n, AnnPass **out_pass) {
  Pass *pass = ann_alloc_zero(1, sizeof *pass);
  int rc = pass ? init(pass, from, truths, n) : ANN_NOMEM;
  if (rc != ANN_OK) {
    ann_pass_free(pass);
    pass = NULL;
  }
  *out_pass = pass;
  return rc;
}

void ann_pass_free(AnnPass *pass) {
  if (!pass) return;
  ann_free(pass->ids);
  ann_free(pass->rows);
  ann_free(pass->vectors);
  ann_free(pass->row_norms);
  ann_free(pass->row_lengths);
  ann_free(pass->row_offsets);
  ann_free(pass->bounds);
  ann_free(pass);
}

int ann_pass_scan(AnnPass *pass, AnnPool *pool, int64_t most, int64_t *io_from, int *out_more) {
  AnnPoll poll = {ann_db_tick, pass->from.db};
  int64_t items = (pass->n_truths + TOGETHER - 1) / TOGETHER, seen = 0;
  int64_t chunk = WORK_AT_ONCE / (TOGETHER * pass->most * (pass->stride + WORK_PER_ROW));
  int rc = ann_source_scan(pass->from.source, *io_from, INT64_MAX);
  *out_more = 1;
  while (rc == ANN_OK && *out_more && seen < most) {
    rc = read_rows(pass, most - seen, out_more);
    if (rc == ANN_OK) {
      rc = ann_pool_run(pool, items, chunk > 0 ? chunk : 1, compare_some, pass, &poll);
    }
    seen += pass->n;
    if (pass->n == 0) continue;
    if (pass->ids[pass->n - 1] == INT64_MAX) *out_more = 0;
    else *io_from = pass->ids[pass->n - 1] + 1;
  }
  ann_source_end(pass->from.source);
  return rc;
}

int ann_truth_find(const AnnTruthRows *rows, AnnPool *pool, AnnTruth *truths, int64_t n) {
  AnnPass *pass = NULL;                      /* owned */
  int64_t from = INT64_MIN;
  int more = 1, rc = ann_pass_new(rows, truths, n, &pass);
  if (rc == ANN_OK) rc = ann_pass_scan(pass, pool, INT64_MAX, &from, &more);
  ann_pass_free(pass);
  return rc;
}
