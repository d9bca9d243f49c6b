/* rows.c -- see rows.h. */
#include "index/rows.h"

#include "core/blocks.h"
#include "core/hash.h"

struct AnnRows {
  AnnDb *db;               /* borrowed */
  AnnSource *source;       /* borrowed */
  const AnnBudget *budget; /* borrowed */
  AnnTrace *const *trace;  /* borrowed: of the search that is being explained, or NULL */
  const AnnSpace *space;   /* borrowed */
  AnnBlocks places;        /* owned: the rows held, by place */
  AnnHash held;            /* owned: the same by id */
  AnnRanges ranges;        /* owned: what of the table they are */
  int64_t hand;            /* where the clock that evicts them stands */
  int64_t n_hits;          /* rows asked for and already in memory, ever */
  AnnRow *spare;           /* owned: one that is not in the table */
};

/* A row's bytes, of which those at the end are for the next one to be aligned. */
static int64_t row_size(const AnnRows *rows) { return rows->places.size; }

int ann_rows_new(const AnnRowsPlan *plan, AnnRows **out_rows) {
  AnnRows *rows = ann_alloc_zero(1, sizeof *rows);
  *out_rows = rows;
  if (!rows) return ANN_NOMEM;
  rows->db = plan->db;
  rows->source = plan->source;
  rows->budget = plan->budget;
  rows->trace = plan->trace;
  rows->space = plan->space;
  ann_blocks_init(&rows->places,
                  ((int64_t)sizeof(AnnRow) + plan->space->blob_size + 7) / 8 * 8);
  return ANN_OK;
}

int64_t ann_rows_hits(const AnnRows *rows) { return rows->n_hits; }

void ann_rows_hit(AnnRows *rows, int64_t n) { rows->n_hits += n; }

int64_t ann_rows_held(const AnnRows *rows) { return rows->places.n; }

/* One row's share of memory: with its slots, of which at most half are used, and its bits in
** ranges. */
static int64_t cost(const AnnRows *rows) {
  return row_size(rows) + 2 * (int64_t)sizeof(AnnHashSlot) + 1;
}

int64_t ann_rows_bytes(const AnnRows *rows) { return rows->places.n * cost(rows); }

/* How many rows the budget has room for beside the pages; none where nothing may be
** remembered. */
static int64_t room(const AnnRows *rows) {
  int64_t n = ann_source_may_keep(rows->source) ? ann_budget_for_rows(rows->budget) / cost(rows)
                                                : 0;
  return n < UINT32_MAX ? n : UINT32_MAX; /* AnnRow.place */
}

/* ---- places ---- */

static AnnRow *find(const AnnRows *rows, int64_t id) { return ann_hash_get(&rows->held, id); }

const AnnRow *ann_rows_peek(const AnnRows *rows, int64_t id) { return find(rows, id); }

/* The last row moves to the place of one that goes. */
static void let_go(AnnRows *rows, AnnRow *row) {
  AnnRow *last = ann_blocks_at(&rows->places, rows->places.n - 1);
  uint32_t place = row->place;
  ann_hash_remove(&rows->held, row->id);
  ann_ranges_leave(&rows->ranges, place, last->place);
  if (last != row) {
    memcpy(row, last, (size_t)row_size(rows));
    row->place = place;
    (void)ann_hash_put(&rows->held, row->id, row); /* there is a slot: it has one */
  }
  ann_blocks_drop_last(&rows->places);
}

/* The hand goes on until `wanted` rows are left. */
static void evict(AnnRows *rows, int64_t wanted) {
  while (rows->places.n > wanted) {
    AnnRow *row;
    if (rows->hand >= rows->places.n) rows->hand = 0;
    row = ann_blocks_at(&rows->places, rows->hand);
    if (row->used) {
      row->used = 0;
      rows->hand++;
    } else {
      ann_ranges_forget(&rows->ranges, row->place);
      let_go(rows, row); /* another is here now: look again */
    }
  }
}

void ann_rows_drop(AnnRows *rows) {
  ann_ranges_clear(&rows->ranges);
  ann_blocks_clear(&rows->places);
  ann_hash_drop(&rows->held);
}

void ann_rows_trim(AnnRows *rows) {
  int64_t most = room(rows);
  if (most == 0) ann_rows_drop(rows);
  evict(rows, most);
  if (rows->held.n == 0) ann_hash_clear(&rows->held);
  else ann_hash_shrink(&rows->held);
}

void ann_rows_free(AnnRows *rows) {
  if (!rows) return;
  ann_rows_drop(rows);
  ann_hash_clear(&rows->held);
  ann_free(rows->spare);
  ann_free(rows);
}

/* A copy of a row, held; NULL when memory is out: then it is not. */
static AnnRow *hold(AnnRows *rows, const AnnRow *row) {
  AnnRow *copy;
  int rc = ann_hash_reserve(&rows->held);
  if (rc == ANN_OK) rc = ann_blocks_add(&rows->places);
  if (rc != ANN_OK) return NULL;
  copy = ann_blocks_at(&rows->places, rows->places.n - 1);
  memcpy(copy, row, (size_t)row_size(rows));
  copy->place = (uint32_t)(rows->places.n - 1);
  (void)ann_hash_put(&rows->held, row->id, copy); /* has room */
  return copy;
}

/* Keep a copy of a row, if there is room and memory for it. */
static void keep(AnnRows *rows, const AnnRow *row) {
  int64_t most = room(rows);
  if (most == 0) return;
  if (rows->places.n >= most) evict(rows, most - 1);
  (void)hold(rows, row);
}

/* The same, but no other row goes for it; NULL when it is not held. */
static AnnRow *hold_if_room(AnnRows *rows, const AnnRow *row) {
  return rows->places.n < room(rows) ? hold(rows, row) : NULL;
}

/* ---- one row ---- */

static int make_spare(AnnRows *rows) {
  if (!rows->spare) rows->spare = ann_alloc_zero(1, (uint64_t)row_size(rows));
  return rows->spare ? ANN_OK : ANN_NOMEM;
}

/* The spare row's vector is read: what else belongs to it. */
static void complete(AnnRows *rows, int64_t id) {
  AnnRow *row = rows->spare;
  row->id = id;
  row->used = 0;
  row->norm = ann_space_norm(rows->space, row->vector);
}

/* The spare as this row, whose vector may be there; NULL when memory is out. */
static const AnnRow *spare_of(AnnRows *rows, int64_t id, const void *vector) {
  if (make_spare(rows) != ANN_OK) return NULL;
  memmove(rows->spare->vector, vector, (size_t)rows->space->blob_size);
  complete(rows, id);
  return rows->spare;
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
  const AnnRow *row = find(rows, id) ? NULL : spare_of(rows, id, vector);
  if (row) keep(rows, row);
}

void ann_rows_forget(AnnRows *rows, int64_t id) {
  AnnRow *row = find(rows, id);
  ann_ranges_forget_id(&rows->ranges, id);
  if (row) let_go(rows, row);
}

void ann_rows_changed(AnnRows *rows, int64_t id, const void *vector) {
  AnnRow *row = find(rows, id);
  const AnnRow *now;
  if (row) let_go(rows, row);
  if (!vector || !ann_ranges_have(&rows->ranges, id)) return;
  now = spare_of(rows, id, vector);
  if (now) now = hold_if_room(rows, now);
  if (now) ann_ranges_join(&rows->ranges, id, now->place);
  else ann_ranges_forget_id(&rows->ranges, id);
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

const AnnRange *ann_rows_range(AnnRows *rows, int64_t first, int64_t last) {
  return ann_ranges_find(&rows->ranges, first, last);
}

int64_t ann_rows_step(const AnnRows *rows) { return row_size(rows); }

int64_t ann_rows_run(const AnnRows *rows, const AnnRange *range, int64_t *io_place,
                     const AnnRow **out_first) {
  int64_t from = *io_place, to = from;
  while (from == to && from < range->high) {
    int64_t end = from + ann_blocks_run(&rows->places, from);
    if (end > range->high) end = range->high;
    from = ann_range_next(range, from, end, 1);
    to = ann_range_next(range, from, end, 0);
  }
  *io_place = to;
  if (to > from) *out_first = ann_blocks_at(&rows->places, from);
  return to - from;
}

void ann_rows_range_begin(AnnRows *rows, int64_t first, int64_t last) {
  ann_ranges_end(&rows->ranges, 0);
  if (room(rows) > 0) ann_ranges_begin(&rows->ranges, first, last);
}

void ann_rows_range_add(AnnRows *rows, int64_t id, const void *vector) {
  const AnnRow *row;
  if (!rows->ranges.reading) return;
  row = find(rows, id);
  if (!row) row = spare_of(rows, id, vector);
  if (row && row == rows->spare) row = hold_if_room(rows, row);
  if (row) ann_ranges_read(&rows->ranges, id, row->place);
  else ann_ranges_end(&rows->ranges, 0);
}

void ann_rows_range_end(AnnRows *rows) { ann_ranges_end(&rows->ranges, 1); }

int ann_rows_warm(AnnRows *rows) {
  int64_t id = 0, n = 0;
  int found = 1, rc = make_spare(rows);
  const AnnRange *known = ann_rows_range(rows, INT64_MIN, INT64_MAX);
  if (rc != ANN_OK || (known && known->through == INT64_MAX)) return rc;
  ann_rows_range_begin(rows, INT64_MIN, INT64_MAX);
  rc = ann_source_scan(rows->source, known ? known->through + 1 : INT64_MIN, INT64_MAX);
  while (rc == ANN_OK && rows->ranges.reading) {
    rc = ann_source_next(rows->source, &id, rows->spare->vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_rows_range_add(rows, id, rows->spare->vector);
    if (++n % 256 == 0) rc = ann_db_tick(rows->db);
  }
  if (rc == ANN_OK) ann_rows_range_end(rows);
  ann_source_end(rows->source);
  return rc;
}
