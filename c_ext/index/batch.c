/* batch.c -- see batch.h. */
#include "index/batch.h"

#include "core/sort.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/update.h"

/* docs/MEASUREMENTS.md, "building". */
#define BATCH_ROWS 131072
#define BATCH_BYTES ((int64_t)64 << 20) /* of vectors; above 128 components fewer rows */
#define SMALLEST_BATCH 16
#define CHUNK_COMPONENTS 4096 /* of the rows a worker takes at a time: 0.1 to 0.5 ms */
#define PLACES_HELD 65536 /* changed places from which on a batch writes them: up to 25 MB */
#define TICK_ROWS 16      /* rows written between two looks at an interrupt */

int ann_batch_init(AnnBatch *batch, AnnStore *store, AnnPool *pool, int64_t rows) {
  int64_t size = ann_store_vector_bytes(store), trees = store->options.trees;
  int64_t n = BATCH_BYTES / size, i;
  if (n > BATCH_ROWS) n = BATCH_ROWS;
  if (n > rows) n = rows;
  if (n < SMALLEST_BATCH) n = SMALLEST_BATCH;
  memset(batch, 0, sizeof *batch);
  ann_idset_init(&batch->divided);
  batch->store = store;
  batch->pool = pool;
  batch->poll.check = ann_db_tick;
  batch->poll.arg = store->db;
  batch->n_allocated = n;
  batch->ids = ann_alloc_array((uint64_t)n, sizeof *batch->ids);
  batch->vectors = ann_alloc_array((uint64_t)n, (uint64_t)size);
  batch->copies = ann_alloc_array((uint64_t)(n * trees), sizeof *batch->copies);
  batch->bits = ann_alloc_array((uint64_t)(n * trees), (uint64_t)store->rotation.length / 8);
  batch->routed = ann_alloc_array((uint64_t)n, 1);
  batch->order = ann_alloc_array((uint64_t)n, sizeof *batch->order);
  if (!batch->order || !batch->ids || !batch->vectors || !batch->copies || !batch->bits ||
      !batch->routed) {
    ann_batch_clear(batch);
    return ANN_NOMEM;
  }
  for (i = 0; i < n * trees; i++) {
    batch->copies[i].code.bits = batch->bits + i * (store->rotation.length / 8);
  }
  return ANN_OK;
}

void ann_batch_clear(AnnBatch *batch) {
  size_t i;
  for (i = 0; i < sizeof batch->routers / sizeof *batch->routers; i++) {
    ann_free(batch->routers[i]);
  }
  ann_free(batch->ids);
  ann_free(batch->vectors);
  ann_free(batch->copies);
  ann_free(batch->bits);
  ann_free(batch->routed);
  ann_free(batch->order);
  ann_idset_clear(&batch->divided);
  memset(batch, 0, sizeof *batch);
}

static void *vector_of(const AnnBatch *batch, int64_t i) {
  return batch->vectors + i * ann_store_vector_bytes(batch->store);
}

int ann_batch_read(AnnBatch *batch, int64_t most, int *out_more) {
  int rc = ANN_OK;
  if (most > batch->n_allocated) most = batch->n_allocated;
  *out_more = 1;
  while (rc == ANN_OK && *out_more && batch->n < most) {
    rc = ann_source_next(batch->store->source, &batch->ids[batch->n],
                         vector_of(batch, batch->n), out_more);
    if (rc != ANN_OK || !*out_more) break;
    if (++batch->n % 256 == 0) rc = ann_db_tick(batch->store->db);
  }
  return rc;
}

int ann_batch_take(AnnBatch *batch, int64_t id, const void **out_vector, int *out_found) {
  void *vector = vector_of(batch, batch->n);
  int rc = ann_source_get(batch->store->source, id, vector, out_found);
  *out_vector = NULL;
  if (rc != ANN_OK || !*out_found) return rc;
  batch->ids[batch->n++] = id;
  *out_vector = vector;
  return ANN_OK;
}

/* A router for each worker, with room for so many directories. */
static int fit_routers(AnnBatch *batch, int64_t n_directories) {
  int rc = ANN_OK, i;
  for (i = 0; i < ann_pool_workers(batch->pool) && rc == ANN_OK; i++) {
    rc = ann_router_fit(batch->store, n_directories, &batch->routers[i]);
  }
  return rc;
}

static int64_t chunk(const AnnBatch *batch) {
  int64_t n = CHUNK_COMPONENTS / batch->store->rotation.length;
  return n > 0 ? n : 1;
}

/* ---- rotating ---- */

static void rotate_some(void *arg, int64_t first, int64_t last, int worker) {
  AnnBatch *batch = arg;
  AnnProbe *probe = &batch->routers[worker]->probe;
  int64_t length = batch->store->rotation.length, i;
  for (i = first; i < last; i++) {
    ann_probe_rotate(probe, batch->store, vector_of(batch, i));
    memcpy(batch->out + i * length, probe->vector, (size_t)length * sizeof(float));
  }
}

int ann_batch_rotate(AnnBatch *batch, float *out) {
  int rc = fit_routers(batch, 1);
  batch->out = out;
  if (rc != ANN_OK) return rc;
  return ann_pool_run(batch->pool, batch->n, chunk(batch), rotate_some, batch, &batch->poll);
}

/* ---- placing ---- */

static AnnCopy *copies_of(const AnnBatch *batch, int64_t i) {
  return batch->copies + i * batch->store->options.trees;
}

static void route_some(void *arg, int64_t first, int64_t last, int worker) {
  AnnBatch *batch = arg;
  AnnRouter *router = batch->routers[worker];
  int64_t at, i;
  for (at = first; at < last; at++) {
    i = batch->order[at].id;
    ann_router_set(router, batch->store, vector_of(batch, i));
    batch->routed[i] = ann_router_find(router, batch->store) == ANN_OK &&
                       ann_router_assign(router, batch->store, copies_of(batch, i)) == ANN_OK;
  }
}

/* What the workers lacked a page for; still before anything is written. */
static int route_rest(AnnBatch *batch) {
  AnnStore *store = batch->store;
  int rc = ANN_OK;
  int64_t at, i;
  for (at = 0; at < batch->n_left && rc == ANN_OK; at++) {
    i = batch->order[at].id;
    if (batch->routed[i]) continue;
    rc = ann_router_find_here(store, vector_of(batch, i));
    if (rc == ANN_OK &&
        ann_router_assign(store->router, store, copies_of(batch, i)) != ANN_OK) {
      rc = ann_db_corrupt(store->db, "tree", 0);
    }
    if (rc == ANN_OK && at % TICK_ROWS == 0) rc = ann_db_tick(store->db);
  }
  return rc;
}

static int route(AnnBatch *batch) {
  int64_t n_directories = 0;
  int rc = ann_walk_warm(batch->store, &n_directories);
  if (rc == ANN_OK) rc = fit_routers(batch, n_directories);
  if (rc == ANN_OK) {
    rc =
        ann_pool_run(batch->pool, batch->n_left, chunk(batch), route_some, batch, &batch->poll);
  }
  return rc == ANN_OK ? route_rest(batch) : rc;
}

static int is_stale(const AnnBatch *batch, const AnnCopy *copies) {
  int copy;
  for (copy = 0; batch->divided.n > 0 && copy < batch->store->options.trees; copy++) {
    if (ann_idset_has(&batch->divided, copies[copy].page)) return 1;
  }
  return 0;
}

/* Rows of one leaf after each other, so that it is read and written once for all of them; their
** other copies are not far from there. */
static int sort_by_leaf(AnnBatch *batch) {
  int64_t at;
  for (at = 0; at < batch->n_left; at++) {
    batch->order[at].key = copies_of(batch, batch->order[at].id)->page;
  }
  return ann_sort(batch->order, batch->n_left, sizeof *batch->order, ann_ranked_compare,
                  &batch->poll);
}

/* Write what has been routed, but for rows whose leaf has another centre by now: they are
** left. */
static int enter_some(AnnBatch *batch) {
  AnnStore *store = batch->store;
  int64_t at, n_left = 0;
  int rc = ANN_OK;
  for (at = 0; at < batch->n_left && rc == ANN_OK; at++) {
    int64_t i = batch->order[at].id;
    if (is_stale(batch, copies_of(batch, i))) {
      batch->order[n_left++] = batch->order[at];
      continue;
    }
    rc = ann_update_enter(store, batch->ids[i], vector_of(batch, i), copies_of(batch, i),
                          &batch->divided);
    if (rc == ANN_OK) rc = ann_store_make_room(store);
    if (rc == ANN_OK && at % TICK_ROWS == 0) rc = ann_db_tick(store->db);
  }
  batch->n_left = n_left;
  return rc;
}

/* Where most rows go to few leaves, as equal ones do, every division concerns all that are
** left. */
static int enter_one_by_one(AnnBatch *batch) {
  AnnStore *store = batch->store;
  int rc = ANN_OK;
  int64_t at;
  for (at = 0; at < batch->n_left && rc == ANN_OK; at++) {
    int64_t i = batch->order[at].id;
    rc = ann_update_place(store, batch->ids[i], vector_of(batch, i), &batch->divided);
    if (rc == ANN_OK) rc = ann_store_make_room(store);
    if (rc == ANN_OK && at % TICK_ROWS == 0) rc = ann_db_tick(store->db);
  }
  ann_idset_clear(&batch->divided);
  batch->n_left = 0;
  return rc;
}

int ann_batch_place(AnnBatch *batch) {
  int rc = ANN_OK;
  int64_t i, before;
  for (i = 0; i < batch->n; i++) batch->order[i].id = i;
  batch->n_left = batch->n;
  while (rc == ANN_OK && batch->n_left > 0) {
    rc = route(batch);
    if (rc == ANN_OK) rc = sort_by_leaf(batch);
    before = batch->n_left;
    if (rc == ANN_OK) rc = enter_some(batch);
    ann_idset_clear(&batch->divided);
    if (rc == ANN_OK && batch->n_left > before / 2) rc = enter_one_by_one(batch);
  }
  batch->n = 0;
  if (rc == ANN_OK && ann_places_changed(batch->store->places) > PLACES_HELD) {
    rc = ann_places_flush(batch->store->places);
  }
  return rc;
}
