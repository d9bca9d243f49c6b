/* waiting.c -- see waiting.h. */
#include "index/waiting.h"

struct AnnWaiting {
  AnnDb *db;                 /* borrowed */
  AnnSource *source;         /* borrowed */
  int tail_open, tail_dirty; /* a range still growing, in memory */
  int64_t tail_first, tail_last;
  int max_known; /* max_id is the largest id in the table */
  int64_t max_id;
  int gap_known; /* no range meets gap_first..gap_last */
  int64_t gap_first, gap_last;
  int none; /* kept: there is no range */
};

int ann_waiting_new(AnnDb *db, AnnSource *source, AnnWaiting **out_waiting) {
  AnnWaiting *waiting = ann_alloc_zero(1, sizeof *waiting);
  *out_waiting = waiting;
  if (!waiting) return ANN_NOMEM;
  waiting->db = db;
  waiting->source = source;
  return ANN_OK;
}

void ann_waiting_free(AnnWaiting *waiting) { ann_free(waiting); }

int ann_waiting_is_clean(const AnnWaiting *waiting) { return !waiting->tail_dirty; }

int ann_waiting_knows_none(const AnnWaiting *waiting) { return waiting->none; }

void ann_waiting_forget(AnnWaiting *waiting) { waiting->none = 0; }

void ann_waiting_drop(AnnWaiting *waiting) {
  waiting->tail_open = waiting->tail_dirty = 0;
  waiting->max_known = waiting->gap_known = 0;
}

int ann_waiting_flush(AnnWaiting *waiting) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt;
  if (!waiting->tail_dirty) return ANN_OK;
  waiting->gap_known = 0;
  stmt = ann_db_stmt(waiting->db, ANN_STMT_WAITING_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, waiting->tail_first);
  sqlite3_bind_int64(stmt, 2, waiting->tail_last);
  rc = ann_db_run(waiting->db, stmt);
  if (rc == ANN_OK) waiting->tail_dirty = 0;
  ann_db_changed(waiting->db);
  return rc;
}

int ann_waiting_close(AnnWaiting *waiting) {
  waiting->tail_open = waiting->max_known = 0;
  return ann_waiting_flush(waiting);
}

/* The tail, which may not be written yet, in the place of what a query found: the last range
** that begins at or before id, or the first at or after it. */
static void put_tail(const AnnWaiting *waiting, int which, int64_t id, int64_t *out_first,
                     int64_t *out_last, int *out_found) {
  int64_t first = waiting->tail_first;
  int fits = which == ANN_STMT_WAITING_AT ? first <= id : first >= id;
  int nearer = which == ANN_STMT_WAITING_AT ? first >= *out_first : first <= *out_first;
  if (!waiting->tail_dirty || !fits || (*out_found && !nearer)) return;
  *out_first = first;
  *out_last = waiting->tail_last;
  *out_found = 1;
}

/* Run a query for one waiting range.  Nothing is written: a search asks, too. */
static int find_range(AnnWaiting *waiting, int which, int64_t id, int64_t *out_first,
                      int64_t *out_last, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(waiting->db, which, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_step(waiting->db, stmt, out_found);
  if (*out_found) {
    *out_first = sqlite3_column_int64(stmt, 0);
    *out_last = sqlite3_column_int64(stmt, 1);
    if (*out_last < *out_first) rc = ann_db_corrupt(waiting->db, "waiting run", *out_first);
  }
  sqlite3_reset(stmt);
  if (rc == ANN_OK) put_tail(waiting, which, id, out_first, out_last, out_found);
  return rc;
}

/* Remember between which runs an id lies that is in none: inserts one by one, which ask
** this of every id, mostly fall into the same gap. */
static int learn_gap(AnnWaiting *waiting, int64_t id, int64_t gap_first) {
  int64_t first = 0, last = 0;
  int found = 0, rc = find_range(waiting, ANN_STMT_WAITING_NEXT, id, &first, &last, &found);
  if (rc != ANN_OK) return rc;
  waiting->gap_first = gap_first;
  waiting->gap_last = found ? first - 1 : INT64_MAX;
  waiting->gap_known = 1;
  return ANN_OK;
}

int ann_waiting_has(AnnWaiting *waiting, int64_t id, int *out_waits) {
  int64_t first, last;
  int found = 0, rc;
  *out_waits = 1;
  if (waiting->tail_open && id >= waiting->tail_first && id <= waiting->tail_last)
    return ANN_OK;
  *out_waits = 0;
  if (waiting->gap_known && id >= waiting->gap_first && id <= waiting->gap_last) return ANN_OK;
  rc = find_range(waiting, ANN_STMT_WAITING_AT, id, &first, &last, &found);
  if (rc != ANN_OK) return rc;
  *out_waits = found && id <= last;
  return *out_waits ? ANN_OK : learn_gap(waiting, id, found ? last + 1 : INT64_MIN);
}

int ann_waiting_next(AnnWaiting *waiting, int64_t from, int64_t *out_first, int64_t *out_last,
                     int *out_found) {
  return find_range(waiting, ANN_STMT_WAITING_NEXT, from, out_first, out_last, out_found);
}

int ann_waiting_range(AnnWaiting *waiting, int64_t from, int64_t *out_first, int64_t *out_last,
                      int *out_found) {
  int rc = ANN_OK;
  *out_found = 0;
  if (waiting->none) return ANN_OK;
  rc = find_range(waiting, ANN_STMT_WAITING_AT, from, out_first, out_last, out_found);
  if (rc == ANN_OK && *out_found && *out_last >= from) return ANN_OK;
  if (rc == ANN_OK) {
    rc = find_range(waiting, ANN_STMT_WAITING_NEXT, from, out_first, out_last, out_found);
  }
  waiting->none = rc == ANN_OK && !*out_found && from == INT64_MIN;
  return rc;
}

static int know_max(AnnWaiting *waiting) {
  int rc = waiting->max_known ? ANN_OK : ann_source_max(waiting->source, &waiting->max_id);
  waiting->max_known = rc == ANN_OK;
  return rc;
}

/* Ids that only rise make one range, whatever gaps they leave: no row lies in a gap
** beyond the largest id.  The first of them looks the largest id up. */
int ann_waiting_add(AnnWaiting *waiting, int64_t id) {
  int64_t first = id, last = id;
  int found = 0, rc, waits = 0;
  waiting->gap_known = waiting->none = 0;
  if (waiting->tail_open && waiting->max_known && id > waiting->max_id) {
    waiting->tail_last = waiting->max_id = id;
    waiting->tail_dirty = 1;
    return ANN_OK;
  }
  rc = ann_waiting_has(waiting, id, &waits);
  if (rc != ANN_OK || waits) return rc;
  rc = ann_waiting_flush(waiting); /* the tail gives way to the range of this id */
  if (rc == ANN_OK) rc = know_max(waiting);
  if (rc == ANN_OK && id > INT64_MIN) {
    rc = find_range(waiting, ANN_STMT_WAITING_AT, id - 1, &first, &last, &found);
  }
  if (rc != ANN_OK) return rc;
  waiting->tail_first = found && last == id - 1 ? first : id;
  waiting->tail_last = id;
  waiting->tail_dirty = 1;
  /* The tail grows only at the end of the table, and of the runs: there may be one of
  ** rows that are gone. */
  waiting->tail_open = 0;
  if (id >= waiting->max_id && id < INT64_MAX) {
    rc = find_range(waiting, ANN_STMT_WAITING_NEXT, id + 1, &first, &last, &found);
    if (rc != ANN_OK) return rc;
    waiting->tail_open = !found;
  }
  if (id > waiting->max_id) waiting->max_id = id;
  return waiting->tail_open ? ANN_OK : ann_waiting_flush(waiting);
}

int ann_waiting_shrink(AnnWaiting *waiting, int64_t first, int64_t last, int64_t done) {
  int rc = ann_waiting_flush(waiting);
  sqlite3_stmt *stmt = rc == ANN_OK ? ann_db_stmt(waiting->db, ANN_STMT_WAITING_DELETE, &rc)
                                    : NULL;
  waiting->tail_open = waiting->gap_known = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, first);
  rc = ann_db_run(waiting->db, stmt);
  if (rc != ANN_OK || done >= last) return rc;
  stmt = ann_db_stmt(waiting->db, ANN_STMT_WAITING_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, done + 1);
  sqlite3_bind_int64(stmt, 2, last);
  return ann_db_run(waiting->db, stmt);
}

int ann_waiting_add_all(AnnWaiting *waiting) {
  int64_t n = 0, smallest = 0, largest = 0;
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(waiting->db, ANN_STMT_WAITING_CLEAR, &rc);
  waiting->tail_open = waiting->tail_dirty = waiting->gap_known = waiting->none = 0;
  if (stmt) rc = ann_db_run(waiting->db, stmt);
  if (rc == ANN_OK)
    rc = ann_source_count(waiting->source, INT64_MIN, INT64_MAX, &n, &smallest, &largest);
  if (rc != ANN_OK || n == 0) return rc;
  waiting->tail_first = smallest;
  waiting->tail_last = largest;
  waiting->tail_dirty = 1;
  return ann_waiting_flush(waiting);
}
