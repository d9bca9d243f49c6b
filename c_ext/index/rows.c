/* rows.c -- see rows.h. */
#include "index/rows.h"

#include "core/grow.h"
#include "core/hash.h"

struct AnnRows {
  AnnDb *db;               /* borrowed */
  AnnSource *source;       /* borrowed */
  const AnnBudget *budget; /* borrowed */
  AnnTrace *const *trace;  /* borrowed: of the search that is being explained, or NULL */
  const AnnSpace *space;   /* borrowed */
  AnnHash held;            /* owned, and what it holds: by id */
  int64_t hand;            /* where the clock that evicts them stands */
  int64_t n_hits;          /* rows asked for and already in memory, ever */
  AnnRow *spare;           /* owned: one that is not in the table */
  AnnRange *range;         /* owned: rows of a range of ids, all in memory */
};

int ann_rows_new(const AnnRowsPlan *plan, AnnRows **out_rows) {
  AnnRows *rows = ann_alloc_zero(1, sizeof *rows);
  *out_rows = rows;
  if (!rows) return ANN_NOMEM;
  rows->db = plan->db;
  rows->source = plan->source;
  rows->budget = plan->budget;
  rows->trace = plan->trace;
  rows->space = plan->space;
  return ANN_OK;
}

int64_t ann_rows_hits(const AnnRows *rows) { return rows->n_hits; }

void ann_rows_hit(AnnRows *rows, int64_t n) { rows->n_hits += n; }

static int64_t row_size(const AnnRows *rows) {
  return (int64_t)sizeof(AnnRow) + rows->space->blob_size;
}

static AnnRow *find(const AnnRows *rows, int64_t id) { return ann_hash_get(&rows->held, id); }

static void forget_range(AnnRows *rows) {
  if (rows->range) ann_free(rows->range->rows);
  ann_free(rows->range);
  rows->range = NULL;
}

/* The hand goes on until `wanted` rows are left. */
static void evict(AnnRows *rows, int64_t wanted) {
  forget_range(rows);
  while (rows->held.n > wanted) {
    int64_t i = rows->hand & (rows->held.n_slots - 1);
    AnnRow *row = rows->held.slots[i].value;
    if (row && !row->used) {
      ann_hash_remove_at(&rows->held, i); /* another may have moved here: look again */
      ann_free(row);
    } else {
      if (row) row->used = 0;
      rows->hand++;
    }
  }
}

/* One row's share of it: with its slots, of which at most half are used, and in a range. */
static int64_t cost(const AnnRows *rows) {
  return row_size(rows) + 2 * (int64_t)sizeof(AnnHashSlot) + (int64_t)sizeof(AnnRow *);
}

int64_t ann_rows_held(const AnnRows *rows) { return rows->held.n; }

int64_t ann_rows_bytes(const AnnRows *rows) { return rows->held.n * cost(rows); }

/* How many rows the budget has room for beside the pages; none where nothing may be
** remembered. */
static int64_t room(const AnnRows *rows) {
  return ann_source_may_keep(rows->source) ? ann_budget_for_rows(rows->budget) / cost(rows) : 0;
}

void ann_rows_trim(AnnRows *rows) {
  int64_t most = room(rows);
  if (rows->held.n > most) evict(rows, most);
  if (rows->held.n == 0) ann_hash_clear(&rows->held);
  else ann_hash_shrink(&rows->held);
}

/* A copy of a row, held; NULL when memory is out: then it is not. */
static AnnRow *hold(AnnRows *rows, const AnnRow *row) {
  int rc = ann_hash_reserve(&rows->held);
  AnnRow *copy = rc == ANN_OK ? ann_alloc((uint64_t)row_size(rows)) : NULL;
  if (!copy) return NULL;
  memcpy(copy, row, (size_t)row_size(rows));
  (void)ann_hash_put(&rows->held, row->id, copy); /* has room */
  return copy;
}

/* Keep a copy of a row, if there is room and memory for it. */
static void keep(AnnRows *rows, const AnnRow *row) {
  int64_t most = room(rows);
  if (most == 0) return;
  if (rows->held.n >= most) evict(rows, most - 1);
  (void)hold(rows, row);
}

static int make_spare(AnnRows *rows) {
  if (!rows->spare) rows->spare = ann_alloc((uint64_t)row_size(rows));
  return rows->spare ? ANN_OK : ANN_NOMEM;
}

/* The spare row's vector is read: what else belongs to it. */
static void complete(AnnRows *rows, int64_t id) {
  AnnRow *row = rows->spare;
  row->id = id;
  row->used = 0;
  row->norm = ann_space_norm(rows->space, row->vector);
}

int ann_rows_get(AnnRows *rows, int64_t id, const AnnRow **out_row) {
  AnnRow *row = find(rows, id);
  int found = 0, rc, step;
  *out_row = row;
  if (row) {
    row->used = 1;
    rows->n_hits++;
    return ANN_OK;
  }
  rc = make_spare(rows);
  step = ann_trace_enter(*rows->trace, ANN_TRACE_READ_ROWS);
  if (rc == ANN_OK) rc = ann_source_get(rows->source, id, rows->spare->vector, &found);
  ann_trace_count(*rows->trace, found, found * ann_source_vector_bytes(rows->source));
  ann_trace_enter(*rows->trace, step);
  if (rc != ANN_OK || !found) return rc;
  complete(rows, id);
  keep(rows, rows->spare);
  *out_row = rows->spare;
  return ANN_OK;
}

void ann_rows_keep(AnnRows *rows, int64_t id, const void *vector) {
  if (find(rows, id) || make_spare(rows) != ANN_OK) return;
  memcpy(rows->spare->vector, vector, (size_t)ann_source_vector_bytes(rows->source));
  complete(rows, id);
  keep(rows, rows->spare);
}

int ann_rows_warm(AnnRows *rows) {
  int64_t id = 0, n = 0;
  int found = 1, rc = make_spare(rows);
  if (rc == ANN_OK) rc = ann_source_scan(rows->source, INT64_MIN, INT64_MAX);
  while (rc == ANN_OK && rows->held.n < room(rows)) {
    rc = ann_source_next(rows->source, &id, rows->spare->vector, &found);
    if (rc != ANN_OK || !found) break;
    if (find(rows, id)) continue;
    complete(rows, id);
    keep(rows, rows->spare);
    if (++n % 256 == 0) rc = ann_db_tick(rows->db);
  }
  ann_source_end(rows->source);
  return rc;
}

void ann_rows_prefetch_slot(const AnnRows *rows, int64_t id) {
  ann_hash_prefetch(&rows->held, id);
}

void ann_rows_prefetch(const AnnRows *rows, int64_t id) {
  const AnnRow *row = find(rows, id);
  int64_t i;
  for (i = 0; row && i < row_size(rows); i += 64) {
    __builtin_prefetch((const uint8_t *)row + i);
  }
}

/* ---- ranges ---- */

const AnnRange *ann_rows_range(const AnnRows *rows, int64_t first, int64_t last) {
  const AnnRange *range = rows->range;
  return range && range->ready && range->first == first && range->last == last ? range : NULL;
}

void ann_rows_range_begin(AnnRows *rows, int64_t first, int64_t last) {
  forget_range(rows);
  if (room(rows) == 0) return;
  rows->range = ann_alloc_zero(1, sizeof *rows->range);
  if (!rows->range) return;
  rows->range->first = first;
  rows->range->last = last;
  rows->range->complete = 1;
}

/* The row, held without another's going for it; NULL when there is no room. */
static const AnnRow *hold_if_room(AnnRows *rows, int64_t id, const void *vector) {
  const AnnRow *row = find(rows, id);
  if (row) return row;
  if (rows->held.n >= room(rows) || make_spare(rows) != ANN_OK) return NULL;
  memcpy(rows->spare->vector, vector, (size_t)rows->space->blob_size);
  complete(rows, id);
  return hold(rows, rows->spare);
}

void ann_rows_range_add(AnnRows *rows, int64_t id, const void *vector) {
  AnnRange *range = rows->range;
  const AnnRow *row = NULL;
  if (!range || !range->complete) return;
  if (ann_grow(&range->rows, range->n, 1, &range->n_allocated, sizeof row) == ANN_OK) {
    row = hold_if_room(rows, id, vector);
  }
  if (row) range->rows[range->n++] = row;
  else range->complete = 0;
}

void ann_rows_range_end(AnnRows *rows) {
  if (rows->range) rows->range->ready = rows->range->n > 0;
}

void ann_rows_forget(AnnRows *rows, int64_t id) {
  forget_range(rows);
  ann_free(ann_hash_remove(&rows->held, id));
}

void ann_rows_drop(AnnRows *rows) {
  int64_t slot = 0;
  AnnRow *row;
  forget_range(rows);
  while ((row = ann_hash_next(&rows->held, &slot)) != NULL) ann_free(row);
  ann_hash_drop(&rows->held);
}

void ann_rows_free(AnnRows *rows) {
  if (!rows) return;
  ann_rows_drop(rows);
  ann_hash_clear(&rows->held);
  ann_free(rows->spare);
  ann_free(rows);
}
