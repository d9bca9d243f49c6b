/* store.c -- see store.h.  All SQL text that reads and writes shadow tables is here. */
#include "index/store.h"

#include <stdarg.h>

#include "core/format.h"
#include "core/metric.h"
#include "core/vector.h"
#include "index/config.h"
#include "index/follow.h"
#include "index/learned.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/rows.h"
#include "index/schema.h"
#include "index/waiting.h"

#define TYPED_COLUMNS 6 /* of ANN_STMT_ALLOWED: config.value has no type */

/* %s stands for "schema"."name_  and the table's suffix follows. */
static const char *const sql_of[ANN_N_STMTS] = {
  [ANN_STMT_CONFIG_GET] = "SELECT value FROM %sconfig\" WHERE id = ?1",
  [ANN_STMT_CONFIG_PUT] = "REPLACE INTO %sconfig\"(id, name, value) VALUES(?1, ?2, ?3)",
  [ANN_STMT_CONFIG_DELETE] = "DELETE FROM %sconfig\" WHERE id = ?1",
  [ANN_STMT_SNAPSHOT] = "SELECT value FROM %sconfig\" WHERE id = ?1",
  [ANN_STMT_VECTOR_GET] = "SELECT vector FROM %svectors\" WHERE id = ?1",
  [ANN_STMT_VECTOR_PUT] = "INSERT INTO %svectors\"(id, vector) VALUES(?1, ?2)",
  [ANN_STMT_VECTOR_UPDATE] = "UPDATE %svectors\" SET vector = ?2 WHERE id = ?1",
  [ANN_STMT_VECTOR_DELETE] = "DELETE FROM %svectors\" WHERE id = ?1",
  [ANN_STMT_VECTOR_SCAN] =
      "SELECT id, vector FROM %svectors\" WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
  [ANN_STMT_VECTOR_MAX] = "SELECT max(id) FROM %svectors\"",
  [ANN_STMT_VECTOR_COUNT] =
      "SELECT count(*), min(id), max(id) FROM %svectors\" WHERE id BETWEEN ?1 AND ?2",
  [ANN_STMT_PAGE_GET] = "SELECT data FROM %spages\" WHERE id = ?1",
  [ANN_STMT_PAGE_PUT] = "REPLACE INTO %spages\"(id, data) VALUES(?1, ?2)",
  [ANN_STMT_PAGE_DELETE] = "DELETE FROM %spages\" WHERE id = ?1",
  [ANN_STMT_PAGE_CLEAR] = "DELETE FROM %spages\"",
  [ANN_STMT_PAGE_NEXT] = "SELECT id, data FROM %spages\" WHERE id >= ?1 ORDER BY id LIMIT 1",
  [ANN_STMT_PLACE_GET] = "SELECT pages FROM %splaces\" WHERE id = ?1",
  [ANN_STMT_PLACE_PUT] = "REPLACE INTO %splaces\"(id, pages) VALUES(?1, ?2)",
  [ANN_STMT_PLACE_DELETE] = "DELETE FROM %splaces\" WHERE id = ?1",
  [ANN_STMT_PLACE_CLEAR] = "DELETE FROM %splaces\"",
  [ANN_STMT_PLACE_NEXT] = "SELECT id, pages FROM %splaces\" WHERE id >= ?1 ORDER BY id LIMIT 1",
  [ANN_STMT_WAITING_AT] =
      "SELECT id, last FROM %swaiting\" WHERE id <= ?1 ORDER BY id DESC LIMIT 1",
  [ANN_STMT_WAITING_NEXT] =
      "SELECT id, last FROM %swaiting\" WHERE id >= ?1 ORDER BY id LIMIT 1",
  [ANN_STMT_WAITING_PUT] = "REPLACE INTO %swaiting\"(id, last) VALUES(?1, ?2)",
  [ANN_STMT_WAITING_DELETE] = "DELETE FROM %swaiting\" WHERE id = ?1",
  [ANN_STMT_WAITING_CLEAR] = "DELETE FROM %swaiting\"",
  [ANN_STMT_QUERY_ONLY] = "SELECT query_only FROM pragma_query_only",
  [ANN_STMT_TICK] = "SELECT 1",
  /* What answers are made of; no row of it is read.  Each %s is for one prefix. */
  [ANN_STMT_ALLOWED] = "SELECT v.id, v.vector, p.id, p.data, w.id, w.last, c.value "
                       "FROM %svectors\" v, %spages\" p, %swaiting\" w, %sconfig\" c LIMIT 0",
};

int ann_store_fail(AnnStore *store, int rc, const char *format, ...) {
  if (!store->message) {
    va_list arguments;
    va_start(arguments, format);
    store->message = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
  }
  return rc;
}

void ann_store_unsay(AnnStore *store) {
  sqlite3_free(store->message);
  store->message = NULL;
}

void ann_store_poison(AnnStore *store) {
  if (store->in_write) store->poisoned = 1;
}

int ann_store_corrupt(AnnStore *store, const char *what, int64_t number) {
  return ann_store_fail(store, ANN_CORRUPT, "ann table %s: %s %lld is damaged; rebuild it",
                        store->name, what, (long long)number);
}

/* An error of SQLite's own: keep its code, and its words if we have none. */
static int sql_failure(AnnStore *store, int rc) {
  return ann_store_fail(store, rc, "ann table %s: %s", store->name, sqlite3_errmsg(store->db));
}

sqlite3_stmt *ann_store_stmt(AnnStore *store, int which, int *out_rc) {
  if (!store->stmts[which]) {
    char *prefix = sqlite3_mprintf("\"%w\".\"%w_", store->schema, store->name);
    char *sql = prefix ? sqlite3_mprintf(sql_of[which], prefix, prefix, prefix, prefix) : NULL;
    *out_rc = sql ? sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                       &store->stmts[which], NULL)
                  : ANN_NOMEM;
    if (*out_rc != ANN_OK && *out_rc != ANN_NOMEM) sql_failure(store, *out_rc);
    sqlite3_free(prefix);
    sqlite3_free(sql);
  }
  return store->stmts[which];
}

int ann_store_run(AnnStore *store, sqlite3_stmt *stmt) {
  int rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : sql_failure(store, rc);
}

int ann_store_step(AnnStore *store, sqlite3_stmt *stmt, int *out_row) {
  int rc = sqlite3_step(stmt);
  *out_row = rc == SQLITE_ROW;
  if (rc == SQLITE_ROW) return ANN_OK;
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : sql_failure(store, rc);
}

int ann_store_tick(void *arg) {
  AnnStore *store = arg;
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_TICK, &rc);
  if (!stmt) return rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : ann_store_fail(store, rc, "interrupted");
}

/* ---- life ---- */

int ann_store_new(sqlite3 *db, const char *schema, const char *name, AnnOptions *options,
                  AnnStore **out_store) {
  AnnStore *store = ann_alloc_zero(1, sizeof *store);
  if (!store) return ANN_NOMEM;
  store->db = db;
  store->schema = sqlite3_mprintf("%s", schema);
  store->name = sqlite3_mprintf("%s", name);
  if (!store->schema || !store->name) {
    ann_store_free(store);
    return ANN_NOMEM;
  }
  store->options = *options;
  memset(options, 0, sizeof *options);
  *out_store = store;
  return ANN_OK;
}

void ann_store_detach(AnnStore *store) {
  int i;
  ann_store_drop(store);
  for (i = 0; i < ANN_N_STMTS; i++) {
    sqlite3_finalize(store->stmts[i]);
    store->stmts[i] = NULL;
  }
  store->checked = 0;
}

void ann_store_free(AnnStore *store) {
  if (!store) return;
  ann_store_detach(store);
  ann_pages_clear(store);
  ann_rows_clear(store);
  ann_places_clear(store);
  ann_free(store->router);
  ann_rotation_clear(&store->rotation);
  ann_options_clear(&store->options);
  sqlite3_free(store->message);
  sqlite3_free(store->schema);
  sqlite3_free(store->name);
  ann_free(store);
}

/* Forget what was read from the database. */
static void forget_kept(AnnStore *store) {
  ann_pages_drop(store);
  ann_rows_drop(store);
  ann_follow_drop(store);
  ann_learned_drop(store);
  ann_free(store->grid);
  store->grid = NULL;
  store->grid_known = store->kept = store->none_wait = 0;
}

void ann_store_drop(AnnStore *store) {
  forget_kept(store);
  ann_places_drop(store);
  store->loaded = store->dirty = 0;
  ann_waiting_drop(store);
}

void ann_store_forget(AnnStore *store) {
  if (store->depth > 0) store->drop_at_end = 1;
  else ann_store_drop(store);
}

static int data_version(const AnnStore *store, unsigned *out_version) {
  return sqlite3_file_control(store->db, store->schema, SQLITE_FCNTL_DATA_VERSION,
                              out_version) == SQLITE_OK;
}

/* Is what is in memory what this read transaction sees?  The number of the file stays when a write
** transaction is rolled back, with what somebody wrote to our tables by hand and we have read: when
** a look outside follows one inside, it is forgotten. */
static void validate(AnnStore *store) {
  unsigned version = 0;
  int known = data_version(store, &version), was_in_write = store->kept_in_write;
  store->kept_in_write = sqlite3_txn_state(store->db, store->schema) == SQLITE_TXN_WRITE;
  if (known && store->kept && version == store->kept_version &&
      !(was_in_write && !store->kept_in_write)) {
    return;
  }
  forget_kept(store);
  store->kept = known;
  store->kept_version = version;
}

/* Between statements only what the budget allows is kept. */
static void leave(AnnStore *store) {
  store->loaded = 0;
  ann_waiting_drop(store);
  ann_pages_trim(store);
  ann_rows_trim(store);
}

void ann_store_committed(AnnStore *store) {
  store->kept = store->kept && store->loaded && !store->dirty && store->n_dirty_pages == 0 &&
                store->n_places == 0 && data_version(store, &store->kept_version);
  store->kept_in_write = 0;
  if (!store->kept) ann_store_drop(store);
  leave(store);
}

static int check_once(AnnStore *store) {
  int rc = ANN_OK;
  char *message = NULL;
  if (!store->checked) {
    rc = ann_schema_check(store->db, store->schema, store->name, &message);
    if (rc == ANN_OK) rc = ann_config_check_format(store);
    else if (message) ann_store_fail(store, rc, "%s", message);
    sqlite3_free(message);
    store->checked = rc == ANN_OK;
  }
  if (rc == ANN_OK && !store->rotation.signs) {
    rc = ann_rotation_init(&store->rotation, store->options.dimensions,
                           (uint64_t)store->options.seed);
  }
  return rc;
}

/* May the host still read what answers are made of?  What is in memory needs no statement that
** would ask its authorizer. */
static int ask_authorizer(AnnStore *store) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_ALLOWED, &rc);
  return stmt ? ann_store_run(store, stmt) : rc;
}

/* The snapshot's statement had to be compiled anew: the schema has changed, or what an authorizer
** allows.  What is denied is an error; what is to be read as NULL has no type, and is read again. */
static int ask_if_compiled_anew(AnnStore *store, sqlite3_stmt *snapshot) {
  int rc, i;
  if (sqlite3_stmt_status(snapshot, SQLITE_STMTSTATUS_REPREPARE, 0) == 0) return ANN_OK;
  rc = ask_authorizer(store);
  if (rc != ANN_OK) return rc;
  for (i = 0; i < TYPED_COLUMNS; i++) {
    sqlite3_stmt *stmt = store->stmts[ANN_STMT_ALLOWED];
    /* Some builds of SQLite lack it. */
    if (!sqlite3_api->column_decltype || !sqlite3_column_decltype(stmt, i)) forget_kept(store);
  }
  sqlite3_stmt_status(snapshot, SQLITE_STMTSTATUS_REPREPARE, 1);
  return ANN_OK;
}

int ann_store_begin(AnnStore *store) {
  int rc, has_row = 0;
  sqlite3_stmt *stmt;
  store->depth++;
  if (store->depth == 1) ann_store_unsay(store);
  if (store->drop_at_end) {
    return ann_store_fail(store, ANN_ERROR, "ann table %s: the transaction was rolled back",
                          store->name);
  }
  if (store->poisoned) {
    return ann_store_fail(store, ANN_ERROR,
                          "ann table %s: a write failed half-way; roll the transaction back",
                          store->name);
  }
  rc = check_once(store);
  if (rc != ANN_OK) return rc;
  /* In a transaction that has written the snapshot is not asked for again. */
  if (store->loaded) return store->depth == 1 ? ask_authorizer(store) : ANN_OK;
  stmt = ann_store_stmt(store, ANN_STMT_SNAPSHOT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, ANN_CONFIG_STATE);
  rc = ann_store_step(store, stmt, &has_row);      /* not reset: holds the snapshot */
  if (rc == ANN_OK && !has_row) {
    return ann_store_fail(
        store, ANN_CORRUPT,
        "ann table %s: expected a row \"state\" in %s_config, which is missing", store->name,
        store->name);
  }
  if (rc == ANN_OK) validate(store);
  if (rc == ANN_OK) rc = ask_if_compiled_anew(store, stmt);
  if (rc == ANN_OK) {
    const uint8_t *blob = sqlite3_column_blob(stmt, 0);
    rc = ann_state_decode(blob, sqlite3_column_bytes(stmt, 0), store->options.trees,
                          &store->state);
    if (rc != ANN_OK) ann_store_corrupt(store, "config row", ANN_CONFIG_STATE);
  }
  store->loaded = rc == ANN_OK;
  return rc;
}

int ann_store_begin_afresh(AnnStore *store) {
  char *message = NULL;
  int64_t smallest, largest;
  int rc;
  store->depth++;
  sqlite3_free(store->message);
  store->message = NULL;
  ann_store_drop(store);
  rc = ann_schema_check(store->db, store->schema, store->name, &message);
  if (rc != ANN_OK && message) ann_store_fail(store, rc, "%s", message);
  sqlite3_free(message);
  if (rc == ANN_OK && !store->rotation.signs) {
    rc = ann_rotation_init(&store->rotation, store->options.dimensions,
                           (uint64_t)store->options.seed);
  }
  if (rc == ANN_OK) rc = ann_config_put_first(store);
  if (rc == ANN_OK) {
    rc = ann_store_count(store, INT64_MIN, INT64_MAX, &store->state.rows, &smallest, &largest);
  }
  store->loaded = store->dirty = rc == ANN_OK;
  return rc;
}

void ann_store_end(AnnStore *store) {
  if (--store->depth > 0) return;
  if (store->stmts[ANN_STMT_SNAPSHOT]) sqlite3_reset(store->stmts[ANN_STMT_SNAPSHOT]);
  ann_store_scan_close(store);
  if (store->drop_at_end) ann_store_drop(store);
  store->drop_at_end = 0;
  if (!store->in_write) leave(store);
}

int ann_store_flush(AnnStore *store) {
  int rc = ann_waiting_flush(store);
  if (rc == ANN_OK) rc = ann_pages_flush(store);
  if (rc == ANN_OK) rc = ann_places_flush(store);
  if (rc == ANN_OK) rc = ann_follow_flush(store);
  if (rc == ANN_OK) rc = ann_learned_flush(store);
  if (rc == ANN_OK && store->dirty) {
    rc = ann_config_put_state(store);
    if (rc == ANN_OK) store->dirty = 0;
  }
  if (rc != ANN_OK) ann_store_poison(store);
  return rc;
}

int ann_store_is_clean(const AnnStore *store) {
  return !store->dirty && store->n_dirty_pages == 0 && store->n_places == 0 &&
         !store->tail_dirty && ann_follow_is_clean(store) && ann_learned_is_clean(store);
}

int ann_store_flush_to_look(AnnStore *store) {
  int rc = ANN_OK, has_row = 0, query_only = 0;
  sqlite3_stmt *stmt;
  if (!store->in_write || store->poisoned || ann_store_is_clean(store)) return ANN_OK;
  stmt = ann_store_stmt(store, ANN_STMT_QUERY_ONLY, &rc);
  if (!stmt) return rc;
  rc = ann_store_step(store, stmt, &has_row);
  query_only = has_row && sqlite3_column_int(stmt, 0);
  sqlite3_reset(stmt);
  if (rc == ANN_OK && query_only) {
    return ann_store_fail(store, SQLITE_READONLY,
                          "ann table %s: expected to write what this transaction has changed, "
                          "before it is looked at, but PRAGMA query_only is on",
                          store->name);
  }
  return rc == ANN_OK ? ann_store_flush(store) : rc;
}

int ann_store_make_room(AnnStore *store) {
  int rc;
  if (!ann_pages_over_budget(store)) return ANN_OK;
  rc = ann_store_flush(store);
  if (rc == ANN_OK) ann_pages_trim(store);
  return rc;
}

/* ---- vectors ---- */

/* A stored vector; its blob is untrusted like every byte. */
static int read_vector(AnnStore *store, sqlite3_stmt *stmt, int column, int64_t id,
                       float *out_vector) {
  char message[ANN_VECTOR_MESSAGE];
  int size = sqlite3_column_bytes(stmt, column);
  const void *blob = sqlite3_column_blob(stmt, column);
  if (sqlite3_column_type(stmt, column) != SQLITE_BLOB ||
      ann_vector_from_blob(blob, size, store->options.dimensions, out_vector, message) !=
          ANN_OK) {
    return ann_store_corrupt(store, "vector", id);
  }
  return ANN_OK;
}

int ann_store_vector(AnnStore *store, int64_t id, float *out_vector, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_VECTOR_GET, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_store_step(store, stmt, out_found);
  if (rc == ANN_OK && *out_found) rc = read_vector(store, stmt, 0, id, out_vector);
  sqlite3_reset(stmt);
  return rc;
}

/* Bind a vector as its blob; on a little-endian host its own bytes. */
static int bind_vector(AnnStore *store, sqlite3_stmt *stmt, int i, const float *vector) {
  int64_t n = store->options.dimensions;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  void *blob = sqlite3_malloc64((uint64_t)n * 4);
  if (!blob) return ANN_NOMEM;
  ann_vector_to_blob(vector, n, blob);
  return sqlite3_bind_blob64(stmt, i, blob, (uint64_t)n * 4, sqlite3_free);
#else
  return sqlite3_bind_blob64(stmt, i, vector, (uint64_t)n * 4, SQLITE_STATIC);
#endif
}

int ann_store_vector_put(AnnStore *store, const int64_t *id, const float *vector,
                         int64_t *out_id) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_VECTOR_PUT, &rc);
  if (!stmt) return rc;
  ann_rows_forget(store, id ? *id : 0);      /* and with it the run that it joins */
  if (id) sqlite3_bind_int64(stmt, 1, *id);
  else sqlite3_bind_null(stmt, 1);
  rc = bind_vector(store, stmt, 2, vector);
  if (rc != ANN_OK) return rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  if ((rc & 0xff) == SQLITE_CONSTRAINT && id) {
    return ann_store_fail(store, SQLITE_CONSTRAINT_ROWID,
                          "ann table %s: expected a new rowid, but %lld is there already",
                          store->name, (long long)*id);
  }
  if (rc != ANN_OK) return sql_failure(store, rc);
  store->mutations++;
  *out_id = id ? *id : sqlite3_last_insert_rowid(store->db);
  return ANN_OK;
}

int ann_store_vector_update(AnnStore *store, int64_t id, const float *vector) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_VECTOR_UPDATE, &rc);
  if (!stmt) return rc;
  ann_rows_forget(store, id);
  sqlite3_bind_int64(stmt, 1, id);
  rc = bind_vector(store, stmt, 2, vector);
  if (rc == ANN_OK) rc = ann_store_run(store, stmt);
  store->mutations += rc == ANN_OK;
  return rc;
}

int ann_store_vector_delete(AnnStore *store, int64_t id, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_VECTOR_DELETE, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  ann_rows_forget(store, id);
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_store_run(store, stmt);
  *out_found = rc == ANN_OK && sqlite3_changes(store->db) > 0;
  store->mutations += *out_found;
  return rc;
}

int ann_store_scan_open(AnnStore *store, int64_t first, int64_t last) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_VECTOR_SCAN, &rc);
  if (!stmt) return rc;
  sqlite3_reset(stmt);
  sqlite3_bind_int64(stmt, 1, first);
  sqlite3_bind_int64(stmt, 2, last);
  return ANN_OK;
}

int ann_store_scan_next(AnnStore *store, int64_t *out_id, float *out_vector, int *out_found) {
  sqlite3_stmt *stmt = store->stmts[ANN_STMT_VECTOR_SCAN];
  int rc = ann_store_step(store, stmt, out_found);
  if (rc != ANN_OK || !*out_found) return rc;
  *out_id = sqlite3_column_int64(stmt, 0);
  return read_vector(store, stmt, 1, *out_id, out_vector);
}

void ann_store_scan_close(AnnStore *store) {
  if (store->stmts[ANN_STMT_VECTOR_SCAN]) sqlite3_reset(store->stmts[ANN_STMT_VECTOR_SCAN]);
}

int ann_store_count(AnnStore *store, int64_t first, int64_t last, int64_t *out_n,
                    int64_t *out_smallest, int64_t *out_largest) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_store_stmt(store, ANN_STMT_VECTOR_COUNT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, first);
  sqlite3_bind_int64(stmt, 2, last);
  rc = ann_store_step(store, stmt, &has_row);
  if (has_row) {
    *out_n = sqlite3_column_int64(stmt, 0);
    *out_smallest = sqlite3_column_int64(stmt, 1);
    *out_largest = sqlite3_column_int64(stmt, 2);
  }
  sqlite3_reset(stmt);
  return rc;
}
