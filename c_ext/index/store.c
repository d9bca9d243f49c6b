/* store.c -- see store.h. */
#include "index/store.h"

#include "index/config.h"
#include "index/follow.h"
#include "index/learned.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/rows.h"
#include "index/schema.h"
#include "index/waiting.h"

void ann_store_poison(AnnStore *store) {
  if (store->in_write) store->poisoned = 1;
}

/* ---- life ---- */

int ann_store_new(sqlite3 *handle, const char *schema, const char *name, AnnOptions *options,
                  AnnStore **out_store) {
  AnnStore *store = ann_alloc_zero(1, sizeof *store);
  int rc;
  if (!store) return ANN_NOMEM;
  rc = ann_db_new(handle, schema, name, &store->db);
  if (rc == ANN_OK) rc = ann_source_new(store->db, options->dimensions, &store->source);
  if (rc != ANN_OK) {
    ann_store_free(store);
    return rc;
  }
  store->options = *options;
  memset(options, 0, sizeof *options);
  *out_store = store;
  return ANN_OK;
}

void ann_store_detach(AnnStore *store) {
  ann_store_drop(store);
  ann_db_close(store->db);
  store->checked = 0;
}

void ann_store_free(AnnStore *store) {
  if (!store) return;
  if (store->db) ann_store_detach(store);
  ann_pages_clear(store);
  ann_rows_clear(store);
  ann_places_clear(store);
  ann_free(store->router);
  ann_rotation_clear(&store->rotation);
  ann_options_clear(&store->options);
  ann_source_free(store->source);
  ann_db_free(store->db);
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

/* Is what is in memory what this read transaction sees?  The number of the file stays when a write
** transaction is rolled back, with what somebody wrote to our tables by hand and we have read: when
** a look outside follows one inside, it is forgotten. */
static void validate(AnnStore *store) {
  unsigned version = 0;
  int known = ann_db_data_version(store->db, &version), was_in_write = store->kept_in_write;
  store->kept_in_write =
      sqlite3_txn_state(ann_db_handle(store->db), ann_db_schema(store->db)) == SQLITE_TXN_WRITE;
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
                store->n_places == 0 && ann_db_data_version(store->db, &store->kept_version);
  store->kept_in_write = 0;
  if (!store->kept) ann_store_drop(store);
  leave(store);
}

static int check_once(AnnStore *store) {
  int rc = ANN_OK;
  char *message = NULL;
  if (!store->checked) {
    rc = ann_schema_check(ann_db_handle(store->db), ann_db_schema(store->db),
                          ann_db_name(store->db), &message);
    if (rc == ANN_OK) rc = ann_config_check_format(store);
    else if (message) ann_db_fail(store->db, rc, "%s", message);
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
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_ALLOWED, &rc);
  return stmt ? ann_db_run(store->db, stmt) : rc;
}

/* The snapshot's statement had to be compiled anew: the schema has changed, or what an authorizer
** allows.  What is denied is an error; what is to be read as NULL has no type, and is read again. */
static int ask_if_compiled_anew(AnnStore *store, sqlite3_stmt *snapshot) {
  int rc, i;
  if (sqlite3_stmt_status(snapshot, SQLITE_STMTSTATUS_REPREPARE, 0) == 0) return ANN_OK;
  rc = ask_authorizer(store);
  if (rc != ANN_OK) return rc;
  for (i = 0; i < ANN_ALLOWED_TYPED; i++) {
    sqlite3_stmt *stmt = ann_db_prepared(store->db, ANN_STMT_ALLOWED);
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
  if (store->depth == 1) ann_db_unsay(store->db);
  if (store->drop_at_end) {
    return ann_db_fail(store->db, ANN_ERROR, "the transaction was rolled back");
  }
  if (store->poisoned) {
    return ann_db_fail(store->db, ANN_ERROR,
                       "a write failed half-way; roll the transaction back");
  }
  rc = check_once(store);
  if (rc != ANN_OK) return rc;
  /* In a transaction that has written the snapshot is not asked for again. */
  if (store->loaded) return store->depth == 1 ? ask_authorizer(store) : ANN_OK;
  stmt = ann_db_stmt(store->db, ANN_STMT_SNAPSHOT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, ANN_CONFIG_STATE);
  rc = ann_db_step(store->db, stmt, &has_row);      /* not reset: holds the snapshot */
  if (rc == ANN_OK && !has_row) {
    return ann_db_fail(store->db, ANN_CORRUPT,
                       "expected a row \"state\" in %s_config, which is missing",
                       ann_db_name(store->db));
  }
  if (rc == ANN_OK) validate(store);
  if (rc == ANN_OK) rc = ask_if_compiled_anew(store, stmt);
  if (rc == ANN_OK) {
    const uint8_t *blob = sqlite3_column_blob(stmt, 0);
    rc = ann_state_decode(blob, sqlite3_column_bytes(stmt, 0), store->options.trees,
                          &store->state);
    if (rc != ANN_OK) ann_db_corrupt(store->db, "config row", ANN_CONFIG_STATE);
  }
  store->loaded = rc == ANN_OK;
  return rc;
}

int ann_store_begin_afresh(AnnStore *store) {
  char *message = NULL;
  int64_t smallest, largest;
  int rc;
  store->depth++;
  ann_db_unsay(store->db);
  ann_store_drop(store);
  rc = ann_schema_check(ann_db_handle(store->db), ann_db_schema(store->db),
                        ann_db_name(store->db), &message);
  if (rc != ANN_OK && message) ann_db_fail(store->db, rc, "%s", message);
  sqlite3_free(message);
  if (rc == ANN_OK && !store->rotation.signs) {
    rc = ann_rotation_init(&store->rotation, store->options.dimensions,
                           (uint64_t)store->options.seed);
  }
  if (rc == ANN_OK) rc = ann_config_put_first(store);
  if (rc == ANN_OK) {
    rc = ann_source_count(store->source, INT64_MIN, INT64_MAX, &store->state.rows, &smallest,
                          &largest);
  }
  store->loaded = store->dirty = rc == ANN_OK;
  return rc;
}

void ann_store_end(AnnStore *store) {
  if (--store->depth > 0) return;
  sqlite3_reset(ann_db_prepared(store->db, ANN_STMT_SNAPSHOT));
  ann_source_end(store->source);
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
  int rc;
  if (!store->in_write || store->poisoned || ann_store_is_clean(store)) return ANN_OK;
  rc = ann_db_check_writable(store->db);
  return rc == ANN_OK ? ann_store_flush(store) : rc;
}

int ann_store_make_room(AnnStore *store) {
  int rc;
  if (!ann_pages_over_budget(store)) return ANN_OK;
  rc = ann_store_flush(store);
  if (rc == ANN_OK) ann_pages_trim(store);
  return rc;
}
