/* truth.c -- see truth.h. */
#include "index/truth.h"

#include "core/kernel.h"

#define ROWS_BYTES ((int64_t)128 << 10) /* held at once: a quarter of a core's cache */
#define FEWEST_ROWS 16
#define TOGETHER 4       /* vectors that rows are compared with at a time */
#define ROWS_TOGETHER 64 /* and rows */
/* Components that a worker compares at a time: a tenth of a millisecond and more. */
#define WORK_AT_ONCE 4000000
#define WORK_PER_ROW 64 /* what a distance costs besides, in components */

/* One pass under way. */
struct AnnPass {
  AnnTruthRows from; /* the table */
  AnnTruth *truths;
  int64_t n_truths;
  int by_products;       /* pairs are ruled out by them; else every distance is computed */
  int64_t stride;        /* floats from one float row to the next; 0 without them */
  int64_t n, most;       /* rows held now; room for */
  int64_t *ids;          /* owned */
  float *rows;           /* owned: most x stride, float rows of core/space.h */
  uint8_t *stored;       /* the rows as stored: in `rows` itself, or owned */
  int64_t stored_stride; /* bytes from one to the next */
  float *queries;        /* owned: the truths', and zeros for TOGETHER more, x stride */
  AnnBound *row_bounds;  /* owned: most */
  AnnBound *bounds;      /* owned: the truths' */
};
typedef struct AnnPass Pass;

int ann_truth_init(AnnTruth *truth, const AnnSpace *space, const int64_t *id, const void *query,
                   int64_t k) {
  truth->has_id = id != NULL;
  truth->id = id ? *id : 0;
  truth->thinned = 0;
  ann_origin_init(&truth->origin, space, query);
  return ann_topk_reserve(&truth->exact, k);
}

void ann_truth_clear(AnnTruth *truth) { ann_topk_clear(&truth->exact); }

static void *stored_row(const Pass *pass, int64_t j) {
  return pass->stored + j * pass->stored_stride;
}

/* After the best of truth i have changed. */
static void set_bound(Pass *pass, int64_t i) {
  if (!pass->by_products) return;
  ann_bound_as_query(&pass->bounds[i], pass->from.space,
                     ann_topk_worst(&pass->truths[i].exact));
}

/* Vectors that are floats are read into their float rows; others beside them. */
static int make_room_for_stored(Pass *pass) {
  const AnnSpace *space = pass->from.space;
  pass->stored_stride = space->blob_size;
  if (ann_space_is_floats(space)) {
    pass->stored = (uint8_t *)pass->rows;
    pass->stored_stride = pass->stride * (int64_t)sizeof(float);
  } else {
    pass->stored = ann_alloc_array((uint64_t)pass->most, (uint64_t)space->blob_size);
  }
  return pass->stored ? ANN_OK : ANN_NOMEM;
}

static int init(Pass *pass, const AnnTruthRows *from, AnnTruth *truths, int64_t n) {
  const AnnSpace *space = from->space;
  int64_t i;
  pass->from = *from;
  pass->truths = truths;
  pass->n_truths = n;
  pass->by_products = ann_space_has_bounds(space);
  pass->stride = pass->by_products ? ann_space_stride(space) : 0;
  pass->most = ROWS_BYTES / (pass->by_products ? pass->stride * (int64_t)sizeof(float)
                                               : space->blob_size + WORK_PER_ROW);
  if (pass->most < FEWEST_ROWS) pass->most = FEWEST_ROWS;
  pass->ids = ann_alloc_array((uint64_t)pass->most, sizeof *pass->ids);
  pass->rows = ann_alloc_zero((uint64_t)(pass->most * pass->stride), sizeof *pass->rows);
  pass->queries =
      ann_alloc_zero((uint64_t)((n + TOGETHER) * pass->stride), sizeof *pass->queries);
  pass->row_bounds = ann_alloc_array((uint64_t)pass->most, sizeof *pass->row_bounds);
  pass->bounds = ann_alloc_array((uint64_t)n, sizeof *pass->bounds);
  if (!pass->ids || !pass->rows || !pass->queries || !pass->row_bounds || !pass->bounds ||
      make_room_for_stored(pass) != ANN_OK) {
    return ANN_NOMEM;
  }
  for (i = 0; i < n && pass->by_products; i++) {
    ann_space_query_row(space, truths[i].origin.query, pass->queries + i * pass->stride);
    ann_bound_init_query(&pass->bounds[i], space, truths[i].origin.query);
    set_bound(pass, i);
  }
  return ANN_OK;
}

/* The row that stands in the next place. */
static void add_row(Pass *pass) {
  const AnnSpace *space = pass->from.space;
  const void *vector = stored_row(pass, pass->n);
  if (!pass->by_products) {
    pass->row_bounds[pass->n].norm = ann_space_norm(space, vector);
    return;
  }
  ann_space_float_row(space, vector, pass->rows + pass->n * pass->stride);
  ann_bound_init(&pass->row_bounds[pass->n], space, vector);
  ann_bound_as_row(&pass->row_bounds[pass->n], space);
}

/* Hold the next rows of the scan, at most `most`. */
static int read_rows(Pass *pass, int64_t most, int *out_more) {
  AnnRows *rows = pass->from.rows;
  int rc = ANN_OK;
  if (most > pass->most) most = pass->most;
  for (pass->n = 0; rc == ANN_OK && pass->n < most; pass->n++) {
    void *vector = stored_row(pass, pass->n);
    rc = ann_source_next(pass->from.source, &pass->ids[pass->n], vector, out_more);
    if (rc != ANN_OK || !*out_more) break;
    if (rows) ann_rows_range_add(rows, pass->ids[pass->n], vector);
    add_row(pass);
  }
  return rc;
}

/* The same of the rows in memory: those that lie one after the other from *io_place on. */
static void take_rows(Pass *pass, const AnnRange *range, int64_t *io_place) {
  const AnnRow *row = NULL;
  int64_t step = ann_rows_step(pass->from.rows), n, i;
  int64_t size = pass->from.space->blob_size;
  pass->n = 0;
  while (pass->n < pass->most &&
         (n = ann_rows_run(pass->from.rows, range, io_place, &row)) > 0) {
    for (i = 0; i < n && pass->n < pass->most; i++, row = ann_row_next(row, step)) {
      memcpy(stored_row(pass, pass->n), row->vector, (size_t)size);
      pass->ids[pass->n] = row->id;
      add_row(pass);
      pass->n++;
    }
    *io_place -= n - i; /* those for which there was no room come next */
  }
}

static int is_in_share(int64_t id) { return ((uint64_t)id * 0x9E3779B97F4A7C15u) >> 61 == 0; }

/* Row j, which may be among the best of truth i: exactly. */
static void offer(Pass *pass, int64_t j, int64_t i) {
  AnnTruth *truth = &pass->truths[i];
  double far;
  if (truth->has_id && pass->ids[j] == truth->id) return;
  if (truth->thinned && !is_in_share(pass->ids[j])) return;
  far = ann_origin_distance_of(&truth->origin, stored_row(pass, j), pass->row_bounds[j].norm);
  (void)ann_topk_push(&truth->exact, far, pass->ids[j]);
  set_bound(pass, i);
}

/* Row j against the truths first ... of which these are the products. */
static void compare(Pass *pass, int64_t j, int64_t first, const float *products) {
  const AnnBound *bounds = pass->bounds + first, *row = &pass->row_bounds[j];
  int64_t n = pass->n_truths - first, i;
  if (n > TOGETHER) n = TOGETHER;
  for (i = 0; i < n; i++) {
    if (ann_bound_allows(&bounds[i], row, products[i])) offer(pass, j, first + i);
  }
}

/* The same without products. */
static void compare_all(Pass *pass, int64_t first) {
  int64_t i, j;
  for (i = first; i < first + TOGETHER && i < pass->n_truths; i++) {
    for (j = 0; j < pass->n; j++) offer(pass, j, i);
  }
}

/* The rows held against some of the queries, TOGETHER an item. */
static void compare_some(void *arg, int64_t first, int64_t last, int worker) {
  Pass *pass = arg;
  float products[ROWS_TOGETHER * TOGETHER];
  int64_t i, j, from, n;
  (void)worker;
  for (i = first * TOGETHER; i < last * TOGETHER && i < pass->n_truths; i += TOGETHER) {
    if (!pass->by_products) compare_all(pass, i);
    for (from = 0; pass->by_products && from < pass->n; from += n) {
      n = pass->n - from < ROWS_TOGETHER ? pass->n - from : ROWS_TOGETHER;
      ann_kernels()->products(pass->queries + i * pass->stride,
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
  if (pass->stored != (uint8_t *)pass->rows) ann_free(pass->stored);
  ann_free(pass->rows);
  ann_free(pass->queries);
  ann_free(pass->row_bounds);
  ann_free(pass->bounds);
  ann_free(pass);
}

/* The rows held against all queries. */
static int compare_rows(Pass *pass, AnnPool *pool) {
  AnnPoll poll = {ann_db_tick, pass->from.db};
  int64_t items = (pass->n_truths + TOGETHER - 1) / TOGETHER;
  int64_t chunk = WORK_AT_ONCE / (TOGETHER * pass->most * (pass->stride + WORK_PER_ROW));
  return ann_pool_run(pool, items, chunk > 0 ? chunk : 1, compare_some, pass, &poll);
}

/* About `most` rows from *io_from to `last`. */
static int scan(AnnPass *pass, AnnPool *pool, int64_t most, int64_t last, int64_t *io_from,
                int *out_more) {
  int64_t seen = 0;
  int rc = ann_source_scan(pass->from.source, *io_from, last);
  *out_more = 1;
  while (rc == ANN_OK && *out_more && seen < most) {
    rc = read_rows(pass, most - seen, out_more);
    if (rc == ANN_OK) rc = compare_rows(pass, pool);
    seen += pass->n;
    if (pass->n == 0) continue;
    if (pass->ids[pass->n - 1] == INT64_MAX) *out_more = 0;
    else *io_from = pass->ids[pass->n - 1] + 1;
  }
  ann_source_end(pass->from.source);
  return rc;
}

int ann_pass_scan(AnnPass *pass, AnnPool *pool, int64_t most, int64_t *io_from, int *out_more) {
  return scan(pass, pool, most, INT64_MAX, io_from, out_more);
}

static int compare_range(AnnPass *pass, AnnPool *pool, const AnnRange *range) {
  int64_t place = range->low;
  int rc = ANN_OK;
  do {
    take_rows(pass, range, &place);
    if (pass->n > 0) rc = compare_rows(pass, pool);
  } while (rc == ANN_OK && pass->n > 0);
  ann_rows_hit(pass->from.rows, range->n);
  return rc;
}

/* By what of it is in memory, and then the rows that follow. */
int ann_pass_range(AnnPass *pass, AnnPool *pool, int64_t first, int64_t last) {
  AnnRows *rows = pass->from.rows;
  const AnnRange *range = rows ? ann_rows_range(rows, first, last) : NULL;
  int64_t from = first;
  int more = 1, rc = range ? compare_range(pass, pool, range) : ANN_OK;
  if (range && (rc != ANN_OK || range->through == last)) return rc;
  if (range) from = range->through + 1;
  if (rows) ann_rows_range_begin(rows, first, last);
  rc = scan(pass, pool, INT64_MAX, last, &from, &more);
  if (rows && rc == ANN_OK) ann_rows_range_end(rows);
  return rc;
}

int ann_truth_find(const AnnTruthRows *rows, AnnPool *pool, AnnTruth *truths, int64_t n) {
  AnnPass *pass = NULL; /* owned */
  int rc = ann_pass_new(rows, truths, n, &pass);
  if (rc == ANN_OK) rc = ann_pass_range(pass, pool, INT64_MIN, INT64_MAX);
  ann_pass_free(pass);
  return rc;
}
