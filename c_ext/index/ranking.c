/* ranking.c -- see ranking.h. */
#include "index/ranking.h"

#include <math.h>

#include "core/grow.h"

/* Components of rows in memory between two looks at an interrupt. */
#define TICK_COMPONENTS ((int64_t)1 << 20)
#define SURVIVORS_PER_TICK 4096 /* rows that may have to be read */
#define ROWS_AHEAD 4            /* rows on their way while one is measured */
#define SLOTS_AHEAD 8           /* and where to find those after them */
#define BYTES_AHEAD 2048        /* the same of rows that lie one after the other */

static int keep(AnnRanking *r, double far, int64_t id) {
  int rc;
  if (!r->keeps_all) return ann_topk_push(&r->top, far, id);
  rc = ann_grow(&r->pool, r->n_pool, 1, &r->pool_allocated, sizeof *r->pool);
  if (rc == ANN_OK) r->pool[r->n_pool++] = (AnnRanked){far == far ? far : INFINITY, id};
  return rc;
}

/* Beyond what distance a row need not be kept. */
static double farthest(const AnnRanking *r) {
  return r->keeps_all ? INFINITY : ann_topk_worst(&r->top);
}

/* Have the row that is ranked a little later on its way. */
static void prefetch_rows(const AnnStore *store, const int64_t *ids, int64_t n, int64_t i) {
  if (i + SLOTS_AHEAD < n) ann_rows_prefetch_slot(store->rows, ids[i + SLOTS_AHEAD]);
  if (i + ROWS_AHEAD < n) ann_rows_prefetch(store->rows, ids[i + ROWS_AHEAD]);
}

/* Score one row, if the table has it; of the forest's rows it has all. */
static int score_row(AnnRanking *r, int64_t id, int must_be_there) {
  const AnnRow *row = NULL;
  int rc = ann_rows_get(r->store->rows, id, &row);
  if (rc == ANN_OK && !row && must_be_there) rc = ann_source_lacks(r->store->source, id);
  r->n_gone += !row && must_be_there;
  if (rc != ANN_OK || !row) return rc;
  ann_trace_count(r->store->trace, 1, ann_store_vector_bytes(r->store));
  return keep(r, ann_origin_distance_of(&r->origin, row->vector, row->norm), id);
}

/* Have on its way what lies a little behind a row: in its block, or where the next one may
** begin. */
static void prefetch_behind(const AnnRow *row, int64_t step) {
  uintptr_t there = (uintptr_t)row + BYTES_AHEAD;
  int64_t i;
  for (i = 0; i < step; i += 64) __builtin_prefetch((const void *)(there + (uintptr_t)i));
}

/* Score n rows that lie one after the other in memory. */
static int score_run(AnnRanking *r, const AnnRow *row, int64_t n) {
  int64_t step = ann_rows_step(r->store->rows), i;
  double most = farthest(r);
  int rc = ANN_OK;
  for (i = 0; i < n && rc == ANN_OK; i++, row = ann_row_next(row, step)) {
    double far;
    prefetch_behind(row, step);
    if (!ann_query_wants(&r->query, row->id)) continue;
    far = ann_origin_distance_of(&r->origin, row->vector, row->norm);
    if (far > most) continue;
    rc = keep(r, far, row->id);
    most = farthest(r);
  }
  return rc;
}

/* Score the rows of a range that are in memory. */
static int score_range(AnnRanking *r, const AnnRange *range) {
  AnnStore *store = r->store;
  const AnnRow *row = NULL;
  int64_t place = range->low, components = 0, n;
  int rc = ANN_OK;
  while (rc == ANN_OK && (n = ann_rows_run(store->rows, range, &place, &row)) > 0) {
    rc = score_run(r, row, n);
    components += n * store->options.space.dimensions;
    if (rc == ANN_OK && components >= TICK_COMPONENTS) {
      rc = ann_db_tick(store->db);
      components = 0;
    }
  }
  ann_rows_hit(store->rows, range->n);
  ann_trace_count(store->trace, range->n, range->n * ann_store_vector_bytes(store));
  return rc;
}

/* Score the rows first..last of the table; the range that is being made is told of each. */
static int score_read(AnnRanking *r, int64_t first, int64_t last) {
  AnnStore *store = r->store;
  int64_t id = 0, n = 0;
  int found = 1, rc = ann_source_scan(store->source, first, last);
  while (rc == ANN_OK) {
    rc = ann_source_next(store->source, &id, r->vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_rows_range_add(store->rows, id, r->vector);
    if (ann_query_wants(&r->query, id)) {
      rc = keep(r, ann_origin_distance(&r->origin, r->vector), id);
    }
    if (rc == ANN_OK && ++n % 256 == 0) rc = ann_db_tick(store->db);
  }
  ann_trace_count(store->trace, n, n * ann_store_vector_bytes(store));
  ann_source_end(store->source);
  return rc;
}

/* The same, by what of them is in memory, and then those that follow. */
static int score_rows(AnnRanking *r, int64_t first, int64_t last) {
  AnnRows *rows = r->store->rows;
  const AnnRange *range = ann_rows_range(rows, first, last);
  int rc = range ? score_range(r, range) : ANN_OK;
  if (range && (rc != ANN_OK || range->through == last)) return rc;
  ann_rows_range_begin(rows, first, last);
  rc = score_read(r, range ? range->through + 1 : first, last);
  if (rc == ANN_OK) ann_rows_range_end(rows);
  return rc;
}

/* Score the rows of a set, in order of id, which is how they lie on disk. */
static int score_set(AnnRanking *r, const AnnBitmap *set) {
  int64_t *ids = ann_alloc_array((uint64_t)set->n, sizeof *ids); /* owned */
  int64_t i;
  int rc = ids ? ANN_OK : ANN_NOMEM;
  if (rc == ANN_OK) ann_bitmap_ids(set, ids);
  for (i = 0; rc == ANN_OK && i < set->n; i++) {
    prefetch_rows(r->store, ids, set->n, i);
    if (ann_query_allows(&r->query, ids[i])) rc = score_row(r, ids[i], 0);
    if (rc == ANN_OK && i % 256 == 255) rc = ann_db_tick(r->store->db);
  }
  ann_free(ids);
  return rc;
}

int ann_ranking_waiting(AnnRanking *r) {
  int64_t from = INT64_MIN, first, last;
  int found = 1, rc = ANN_OK;
  ann_trace_enter(r->store->trace, ANN_TRACE_WAITING);
  while (rc == ANN_OK) {
    rc = ann_waiting_range(r->store->waiting, from, &first, &last, &found);
    if (rc != ANN_OK || !found) break;
    rc = score_rows(r, first, last);
    if (last == INT64_MAX) break;
    from = last + 1;
  }
  return rc == ANN_OK && r->noted ? score_set(r, r->noted) : rc;
}

int ann_ranking_all(AnnRanking *r) {
  r->store->n_inspected = r->query.only ? r->query.only->n : r->store->state.rows;
  ann_trace_enter(r->store->trace, ANN_TRACE_EXACT);
  return r->query.only ? score_set(r, r->query.only) : score_rows(r, INT64_MIN, INT64_MAX);
}

int ann_ranking_survivors(AnnRanking *r, const int64_t *ids, int64_t n) {
  AnnStore *store = r->store;
  int64_t i;
  int rc = ANN_OK, is_new = 1;
  for (i = 0; i < n && rc == ANN_OK; i++) {
    prefetch_rows(store, ids, n, i);
    if (r->keeps_all) rc = ann_idset_add(&r->ranked, ids[i], &is_new);
    if (rc == ANN_OK && is_new) rc = score_row(r, ids[i], 1);
    if (rc == ANN_OK && i % SURVIVORS_PER_TICK == SURVIVORS_PER_TICK - 1) {
      rc = ann_db_tick(store->db);
    }
  }
  return rc;
}

/* ---- life ---- */

int ann_ranking_init(AnnRanking *r, AnnStore *store) {
  r->store = store;
  r->vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
  return r->vector ? ANN_OK : ANN_NOMEM;
}

void ann_ranking_begin(AnnRanking *r, int keeps_all) {
  r->keeps_all = keeps_all;
  r->n_pool = r->n_gone = 0;
  ann_idset_clear(&r->ranked);
  ann_origin_init(&r->origin, &r->store->options.space, r->query.vector);
}

int64_t ann_ranking_bytes(const AnnRanking *r) {
  return r->pool_allocated * (int64_t)sizeof(AnnRanked) +
         r->ranked.n * 2 * (int64_t)sizeof(AnnHashSlot);
}

void ann_ranking_clear(AnnRanking *r) {
  ann_free(r->vector);
  ann_topk_clear(&r->top);
  ann_free(r->pool);
  ann_idset_clear(&r->ranked);
  memset(r, 0, sizeof *r);
}
