/* absorb.c -- see absorb.h. */
#include "index/absorb.h"

#include "index/update.h"

#define TICK_IDS 16 /* taken out between two looks at an interrupt, as in batch.c */

int ann_absorb_pull_up(AnnStore *store) {
  int rc = ann_update_clear(store);
  store->state.last_page = 0;
  if (rc == ANN_OK && store->content) {
    rc = ann_source_tell(store->source, &store->state.rows);
    if (rc == ANN_OK) rc = ann_notes_delete(store->notes, INT64_MAX);
  }
  return rc == ANN_OK ? ann_waiting_add_all(store->waiting) : rc;
}

void ann_absorb_set_rows(AnnState *state, int64_t rows) {
  if (state->rows == rows) return;
  state->rows = rows;
  state->dirty = 1;
}

/* The row has become another, or none: so has the table. */
static void tell(AnnStore *store, int64_t id, const void *vector) {
  ann_db_changed(store->db);
  ann_state_fold(&store->state, id, vector, vector ? ann_store_vector_bytes(store) : 0);
}

/* Take an id out of the forest, and its row of now into the batch. */
static int take(AnnBatch *batch, int64_t id) {
  AnnStore *store = batch->store;
  const void *vector = NULL;
  int placed = 0, found = 0, waits = 0;
  int rc = ann_update_unplace(store, id, &placed);
  if (rc == ANN_OK) rc = ann_waiting_has(store->waiting, id, &waits);
  if (rc == ANN_OK && !waits) rc = ann_batch_take(batch, id, &vector, &found);
  if (rc == ANN_OK) tell(store, id, vector);
  return rc == ANN_OK ? ann_store_make_room(store) : rc;
}

int ann_absorb_some(AnnBatch *batch, int64_t most, int64_t *out_n) {
  AnnStore *store = batch->store;
  int64_t *ids, i; /* owned */
  int rc;
  if (most > batch->n_allocated) most = batch->n_allocated;
  *out_n = 0;
  ids = ann_alloc_array((uint64_t)most, sizeof *ids);
  rc = ids ? ann_notes_first(store->notes, most, ids, out_n) : ANN_NOMEM;
  for (i = 0; rc == ANN_OK && i < *out_n; i++) {
    rc = take(batch, ids[i]);
    if (rc == ANN_OK && i % TICK_IDS == 0) rc = ann_db_tick(store->db);
  }
  if (rc == ANN_OK && *out_n > 0) rc = ann_notes_delete(store->notes, ids[*out_n - 1]);
  ann_free(ids);
  if (rc == ANN_OK && store->state.roots[0] == 0) { /* what had no note had no row */
    batch->n = *out_n = 0;
    return ann_absorb_pull_up(store);
  }
  return rc == ANN_OK && batch->n > 0 ? ann_batch_place(batch) : rc;
}

/* The first id from *io_id on that has a place and no row. */
static int find_gone(AnnStore *store, int64_t *io_id, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_PLACE_GONE, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, *io_id);
  rc = ann_db_step(store->db, stmt, out_found);
  if (*out_found) *io_id = sqlite3_column_int64(stmt, 0);
  sqlite3_reset(stmt);
  return rc;
}

int ann_absorb_gone(AnnStore *store) {
  int64_t rows = 0, id = INT64_MIN, smallest, largest;
  int found = 0, placed = 0;
  int rc = ann_source_count(store->source, INT64_MIN, INT64_MAX, &rows, &smallest, &largest);
  if (rc == ANN_OK && rows != store->state.placed) {
    rc = ann_store_flush(store);
    found = 1;
  }
  while (rc == ANN_OK && found) {
    rc = find_gone(store, &id, &found);
    if (rc != ANN_OK || !found) break;
    rc = ann_update_unplace(store, id, &placed);
    if (rc == ANN_OK) tell(store, id, NULL);
    if (rc == ANN_OK) rc = ann_store_make_room(store);
    if (id++ == INT64_MAX) break;
  }
  ann_absorb_set_rows(&store->state, store->state.placed);
  return rc == ANN_OK ? ann_store_flush(store) : rc;
}
