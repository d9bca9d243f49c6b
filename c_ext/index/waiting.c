/* waiting.c -- see waiting.h. */
#include "index/waiting.h"

void ann_waiting_drop(AnnStore *store) {
  store->tail_open = store->tail_dirty = 0;
  store->max_known = store->gap_known = 0;
}

int ann_waiting_flush(AnnStore *store) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt;
  if (!store->tail_dirty) return ANN_OK;
  store->gap_known = 0;
  stmt = ann_db_stmt(store->db, ANN_STMT_WAITING_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, store->tail_first);
  sqlite3_bind_int64(stmt, 2, store->tail_last);
  rc = ann_db_run(store->db, stmt);
  if (rc == ANN_OK) store->tail_dirty = 0;
  ann_db_changed(store->db);
  return rc;
}

int ann_waiting_close(AnnStore *store) {
  store->tail_open = store->max_known = 0;
  return ann_waiting_flush(store);
}

/* The tail, which may not be written yet, in the place of what a query found: the last run that
** begins at or before id, or the first at or after it. */
static void put_tail(const AnnStore *store, int which, int64_t id, int64_t *out_first,
                     int64_t *out_last, int *out_found) {
  int64_t first = store->tail_first;
  int fits = which == ANN_STMT_WAITING_AT ? first <= id : first >= id;
  int nearer = which == ANN_STMT_WAITING_AT ? first >= *out_first : first <= *out_first;
  if (!store->tail_dirty || !fits || (*out_found && !nearer)) return;
  *out_first = first;
  *out_last = store->tail_last;
  *out_found = 1;
}

/* Run a query for one waiting run.  Nothing is written: a search asks, too. */
static int find_run(AnnStore *store, int which, int64_t id, int64_t *out_first,
                    int64_t *out_last, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, which, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_step(store->db, stmt, out_found);
  if (*out_found) {
    *out_first = sqlite3_column_int64(stmt, 0);
    *out_last = sqlite3_column_int64(stmt, 1);
    if (*out_last < *out_first) rc = ann_db_corrupt(store->db, "waiting run", *out_first);
  }
  sqlite3_reset(stmt);
  if (rc == ANN_OK) put_tail(store, which, id, out_first, out_last, out_found);
  return rc;
}

/* Remember between which runs an id lies that is in none: inserts one by one, which ask
** this of every id, mostly fall into the same gap. */
static int learn_gap(AnnStore *store, int64_t id, int64_t gap_first) {
  int64_t first = 0, last = 0;
  int found = 0, rc = find_run(store, ANN_STMT_WAITING_NEXT, id, &first, &last, &found);
  if (rc != ANN_OK) return rc;
  store->gap_first = gap_first;
  store->gap_last = found ? first - 1 : INT64_MAX;
  store->gap_known = 1;
  return ANN_OK;
}

int ann_waiting_has(AnnStore *store, int64_t id, int *out_waits) {
  int64_t first, last;
  int found = 0, rc;
  *out_waits = 1;
  if (store->tail_open && id >= store->tail_first && id <= store->tail_last) return ANN_OK;
  *out_waits = 0;
  if (store->gap_known && id >= store->gap_first && id <= store->gap_last) return ANN_OK;
  rc = find_run(store, ANN_STMT_WAITING_AT, id, &first, &last, &found);
  if (rc != ANN_OK) return rc;
  *out_waits = found && id <= last;
  return *out_waits ? ANN_OK : learn_gap(store, id, found ? last + 1 : INT64_MIN);
}

int ann_waiting_next(AnnStore *store, int64_t from, int64_t *out_first, int64_t *out_last,
                     int *out_found) {
  return find_run(store, ANN_STMT_WAITING_NEXT, from, out_first, out_last, out_found);
}

int ann_waiting_run(AnnStore *store, int64_t from, int64_t *out_first, int64_t *out_last,
                    int *out_found) {
  int rc = ANN_OK;
  *out_found = 0;
  if (store->none_wait) return ANN_OK;
  rc = find_run(store, ANN_STMT_WAITING_AT, from, out_first, out_last, out_found);
  if (rc == ANN_OK && *out_found && *out_last >= from) return ANN_OK;
  if (rc == ANN_OK) {
    rc = find_run(store, ANN_STMT_WAITING_NEXT, from, out_first, out_last, out_found);
  }
  store->none_wait = rc == ANN_OK && !*out_found && from == INT64_MIN;
  return rc;
}

static int know_max(AnnStore *store) {
  int rc = store->max_known ? ANN_OK : ann_source_max(store->source, &store->max_id);
  store->max_known = rc == ANN_OK;
  return rc;
}

/* Ids that only rise make one run, whatever gaps they leave: no row lies in a gap
** beyond the largest id.  The first of them looks the largest id up. */
int ann_waiting_add(AnnStore *store, int64_t id) {
  int64_t first = id, last = id;
  int found = 0, rc, waits = 0;
  store->gap_known = store->none_wait = 0;
  if (store->tail_open && store->max_known && id > store->max_id) {
    store->tail_last = store->max_id = id;
    store->tail_dirty = 1;
    return ANN_OK;
  }
  rc = ann_waiting_has(store, id, &waits);
  if (rc != ANN_OK || waits) return rc;
  rc = know_max(store);
  if (rc == ANN_OK && id > INT64_MIN) {
    rc = find_run(store, ANN_STMT_WAITING_AT, id - 1, &first, &last, &found);
  }
  if (rc != ANN_OK) return rc;
  store->tail_first = found && last == id - 1 ? first : id;
  store->tail_last = id;
  store->tail_dirty = 1;
  /* The tail grows only at the end of the table, and of the runs: there may be one of
  ** rows that are gone. */
  store->tail_open = 0;
  if (id >= store->max_id && id < INT64_MAX) {
    rc = find_run(store, ANN_STMT_WAITING_NEXT, id + 1, &first, &last, &found);
    if (rc != ANN_OK) return rc;
    store->tail_open = !found;
  }
  if (id > store->max_id) store->max_id = id;
  return store->tail_open ? ANN_OK : ann_waiting_flush(store);
}

int ann_waiting_shrink(AnnStore *store, int64_t first, int64_t last, int64_t done) {
  int rc = ann_waiting_flush(store);
  sqlite3_stmt *stmt = rc == ANN_OK ? ann_db_stmt(store->db, ANN_STMT_WAITING_DELETE, &rc)
                                    : NULL;
  store->tail_open = store->gap_known = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, first);
  rc = ann_db_run(store->db, stmt);
  if (rc != ANN_OK || done >= last) return rc;
  stmt = ann_db_stmt(store->db, ANN_STMT_WAITING_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, done + 1);
  sqlite3_bind_int64(stmt, 2, last);
  return ann_db_run(store->db, stmt);
}

int ann_waiting_add_all(AnnStore *store) {
  int64_t n = 0, smallest = 0, largest = 0;
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_WAITING_CLEAR, &rc);
  store->tail_open = store->tail_dirty = store->gap_known = store->none_wait = 0;
  if (stmt) rc = ann_db_run(store->db, stmt);
  if (rc == ANN_OK)
    rc = ann_source_count(store->source, INT64_MIN, INT64_MAX, &n, &smallest, &largest);
  if (rc != ANN_OK || n == 0) return rc;
  store->tail_first = smallest;
  store->tail_last = largest;
  store->tail_dirty = 1;
  return ann_waiting_flush(store);
}
