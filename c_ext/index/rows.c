/* rows.c -- see rows.h.  An open-addressing hash table of rows by id. */
#include "index/rows.h"

#include "core/kernel.h"
#include "core/metric.h"
#include "index/pages.h"

static int64_t row_size(const AnnStore *store) {
  return (int64_t)sizeof(AnnRow) + store->options.dimensions * (int64_t)sizeof(float);
}

/* Where the search for an id begins. */
static int64_t first_slot(const AnnStore *store, int64_t id) {
  return (int64_t)(((uint64_t)id * 0x9E3779B97F4A7C15u) >> 20) & (store->n_row_slots - 1);
}

static int64_t slot_of(const AnnStore *store, int64_t id) {
  int64_t mask = store->n_row_slots - 1, i = first_slot(store, id);
  while (store->rows[i] && store->rows[i]->id != id) i = (i + 1) & mask;
  return i;
}

static AnnRow *find(const AnnStore *store, int64_t id) {
  return store->n_row_slots ? store->rows[slot_of(store, id)] : NULL;
}

/* Room for one row more; fails quietly: then it is not kept. */
static int grow(AnnStore *store) {
  int64_t old = store->n_row_slots, i;
  AnnRow **slots, **before = store->rows;
  if (store->n_rows * 2 < old) return 1;
  slots = ann_alloc_zero((uint64_t)(old ? old * 2 : 1024), sizeof *slots);
  if (!slots) return 0;
  store->rows = slots;
  store->n_row_slots = old ? old * 2 : 1024;
  for (i = 0; i < old; i++) {
    if (before[i]) slots[slot_of(store, before[i]->id)] = before[i];
  }
  ann_free(before);
  return 1;
}

/* Take slot i out and move up what hashed past it. */
static void remove_slot(AnnStore *store, int64_t i) {
  int64_t mask = store->n_row_slots - 1;
  ann_free(store->rows[i]);
  store->rows[i] = NULL;
  store->n_rows--;
  for (i = (i + 1) & mask; store->rows[i]; i = (i + 1) & mask) {
    AnnRow *moved = store->rows[i];
    store->rows[i] = NULL;
    store->rows[slot_of(store, moved->id)] = moved;
  }
}

static void forget_run(AnnStore *store) {
  if (store->run) ann_free(store->run->rows);
  ann_free(store->run);
  store->run = NULL;
}

/* The hand goes on until `wanted` rows are left. */
static void evict(AnnStore *store, int64_t wanted) {
  forget_run(store);
  while (store->n_rows > wanted) {
    int64_t i = store->row_hand & (store->n_row_slots - 1);
    if (store->rows[i] && !store->rows[i]->used) {
      remove_slot(store, i);                  /* another may have moved here: look again */
    } else {
      if (store->rows[i]) store->rows[i]->used = 0;
      store->row_hand++;
    }
  }
}

/* One row's share of it: with its slots, of which at most half are used, and in a run. */
static int64_t cost(const AnnStore *store) {
  return row_size(store) + 3 * (int64_t)sizeof(AnnRow *);
}

int64_t ann_rows_bytes(const AnnStore *store) { return store->n_rows * cost(store); }

/* How many rows the budget has room for beside the pages. */
static int64_t room(const AnnStore *store) {
  int64_t left = ((int64_t)store->options.cache_mb << 20) - store->page_bytes;
  return left > 0 ? left / cost(store) : 0;
}

void ann_rows_trim(AnnStore *store) {
  int64_t most = room(store);
  if (store->n_rows > most) evict(store, most);
}

/* A copy of a row, kept; NULL when memory is out. */
static AnnRow *keep_copy(AnnStore *store, const AnnRow *row) {
  AnnRow *copy = grow(store) ? ann_alloc((uint64_t)row_size(store)) : NULL;
  if (!copy) return NULL;
  memcpy(copy, row, (size_t)row_size(store));
  store->rows[slot_of(store, row->id)] = copy;
  store->n_rows++;
  return copy;
}

/* Keep a copy of a row, if there is room and memory for it. */
static void keep(AnnStore *store, const AnnRow *row) {
  int64_t most = room(store);
  if (most == 0) return;
  if (store->n_rows >= most) evict(store, most - 1);
  (void)keep_copy(store, row);
}

static int make_spare(AnnStore *store) {
  if (!store->row) store->row = ann_alloc((uint64_t)row_size(store));
  return store->row ? ANN_OK : ANN_NOMEM;
}

/* The spare row's vector is read: what else belongs to it. */
static void complete(AnnStore *store, int64_t id) {
  AnnRow *row = store->row;
  size_t n = (size_t)store->options.dimensions;
  row->id = id;
  row->used = 0;
  row->norm = 0;
  if (store->options.metric == ANN_COSINE) {
    row->norm = (double)ann_kernels()->dot(row->vector, row->vector, n);
  }
}

int ann_rows_get(AnnStore *store, int64_t id, const AnnRow **out_row) {
  AnnRow *row = find(store, id);
  int found = 0, rc, step;
  *out_row = row;
  if (row) {
    row->used = 1;
    store->n_row_hits++;
    return ANN_OK;
  }
  rc = make_spare(store);
  step = ann_trace_enter(store->trace, ANN_TRACE_READ_ROWS);
  if (rc == ANN_OK) rc = ann_source_get(store->source, id, store->row->vector, &found);
  ann_trace_count(store->trace, found, found * ann_store_vector_bytes(store));
  ann_trace_enter(store->trace, step);
  if (rc != ANN_OK || !found) return rc;
  complete(store, id);
  keep(store, store->row);
  *out_row = store->row;
  return ANN_OK;
}

void ann_rows_keep(AnnStore *store, int64_t id, const float *vector) {
  if (find(store, id) || make_spare(store) != ANN_OK) return;
  memcpy(store->row->vector, vector, (size_t)ann_store_vector_bytes(store));
  complete(store, id);
  keep(store, store->row);
}

int ann_rows_warm(AnnStore *store) {
  int64_t id = 0, n = 0;
  int found = 1, rc = make_spare(store);
  if (rc == ANN_OK) rc = ann_source_scan(store->source, INT64_MIN, INT64_MAX);
  while (rc == ANN_OK && store->n_rows < room(store)) {
    rc = ann_source_next(store->source, &id, store->row->vector, &found);
    if (rc != ANN_OK || !found) break;
    if (find(store, id)) continue;
    complete(store, id);
    keep(store, store->row);
    if (++n % 256 == 0) rc = ann_db_tick(store->db);
  }
  ann_source_end(store->source);
  return rc;
}

void ann_rows_prefetch_slot(const AnnStore *store, int64_t id) {
  if (store->n_row_slots) __builtin_prefetch(&store->rows[first_slot(store, id)]);
}

void ann_rows_prefetch(const AnnStore *store, int64_t id) {
  /* The row in its first slot, most likely its own: to look would be to wait. */
  const AnnRow *row = store->n_row_slots ? store->rows[first_slot(store, id)] : NULL;
  int64_t i;
  for (i = 0; row && i < row_size(store); i += 64) {
    __builtin_prefetch((const uint8_t *)row + i);
  }
}

/* ---- runs ---- */

const AnnRun *ann_rows_run(const AnnStore *store, int64_t first, int64_t last) {
  const AnnRun *run = store->run;
  return run && run->ready && run->first == first && run->last == last ? run : NULL;
}

void ann_rows_run_begin(AnnStore *store, int64_t first, int64_t last) {
  forget_run(store);
  if (room(store) == 0) return;
  store->run = ann_alloc_zero(1, sizeof *store->run);
  if (!store->run) return;
  store->run->first = first;
  store->run->last = last;
  store->run->complete = 1;
}

/* The row, kept without another's going for it; NULL when there is no room. */
static const AnnRow *kept(AnnStore *store, int64_t id, const float *vector) {
  const AnnRow *row = find(store, id);
  if (row) return row;
  if (store->n_rows >= room(store) || make_spare(store) != ANN_OK) return NULL;
  memcpy(store->row->vector, vector, (size_t)store->options.dimensions * sizeof *vector);
  complete(store, id);
  return keep_copy(store, store->row);
}

void ann_rows_run_add(AnnStore *store, int64_t id, const float *vector) {
  AnnRun *run = store->run;
  const AnnRow *row;
  if (!run || !run->complete) return;
  if (run->n == run->n_allocated) {
    int64_t wanted = run->n_allocated ? run->n_allocated * 2 : 256;
    const AnnRow **larger = ann_realloc_array(run->rows, (uint64_t)wanted, sizeof *larger);
    if (!larger) {
      run->complete = 0;
      return;
    }
    run->rows = larger;
    run->n_allocated = wanted;
  }
  row = kept(store, id, vector);
  if (row) run->rows[run->n++] = row;
  else run->complete = 0;
}

void ann_rows_run_end(AnnStore *store) {
  if (store->run) store->run->ready = store->run->n > 0;
}

void ann_rows_forget(AnnStore *store, int64_t id) {
  forget_run(store);
  if (find(store, id)) remove_slot(store, slot_of(store, id));
}

void ann_rows_drop(AnnStore *store) {
  int64_t i;
  forget_run(store);
  for (i = 0; i < store->n_row_slots && store->n_rows; i++) {
    if (!store->rows[i]) continue;
    ann_free(store->rows[i]);
    store->rows[i] = NULL;
    store->n_rows--;
  }
}

void ann_rows_clear(AnnStore *store) {
  ann_rows_drop(store);
  ann_free(store->rows);
  ann_free(store->row);
  store->rows = NULL;
  store->row = NULL;
  store->n_row_slots = 0;
}
