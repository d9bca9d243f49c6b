/* store.c -- see store.h. */
#include "index/store.h"

#include <assert.h>
#include <limits.h>

#include "index/config.h"

/* ---- what becomes of memory, event by event ---- */

enum {
  KEEP,    /* stays as it is */
  COMPARE, /* stays if it is what this read transaction sees, else forgotten */
  STAMP,   /* stays, as what the database says from now on */
  TRIM,    /* stays within the budget */
  FORGET,  /* read again when it is needed */
  WRITE,   /* written, and stays */
};

enum { LOOK, LEAVE, BEGIN, FLUSH, COMMIT, ROLLBACK };

/* docs/ARCHITECTURE.md has this table in words.  What was changed and is not written makes
** every event but FLUSH and ROLLBACK impossible. */
static const struct {
  int read; /* clean pages, rows, calibration, given queries, whether any ids wait */
  int counters;
  int changed; /* pages, places, the range that grows, a calibration under way */
} fates[] = {
  [LOOK] = {COMPARE, KEEP, KEEP},   /* the first read of a call; counters are read with it */
  [LEAVE] = {TRIM, FORGET, KEEP},   /* the end of a call, no write transaction being open */
  [BEGIN] = {KEEP, FORGET, KEEP},   /* xBegin */
  [FLUSH] = {KEEP, WRITE, WRITE},   /* xSavepoint, xRelease, xSync, any inspection */
  [COMMIT] = {STAMP, FORGET, KEEP}, /* xCommit */
  [ROLLBACK] = {FORGET, FORGET, FORGET}, /* xRollback, xRollbackTo, DROP, RENAME */
};

static void forget_read(AnnStore *store) {
  ann_pages_drop(store->pages);
  ann_rows_drop(store->rows);
  ann_efforts_drop(store->efforts);
  ann_learned_drop(store->learned);
  ann_progresses_drop(store->progresses);
  ann_waiting_forget(store->waiting);
  store->life.read.is_set = 0;
}

/* The counters have just been read, in this read transaction. */
static void compare(AnnStore *store) {
  AnnSnapshot now = ann_snapshot_now(store->db, &store->state);
  if (!ann_snapshot_is_same(&store->life.read, &now)) forget_read(store);
  store->life.read = now;
}

/* The transaction was committed: what is in memory is the new state, if all was written. */
static void stamp(AnnStore *store) {
  AnnLife *life = &store->life;
  int is_new = life->read.is_set && life->loaded && ann_store_is_clean(store);
  if (is_new) {
    life->read = ann_snapshot_now(store->db, &store->state);
    life->read.in_write = 0;
  } else {
    forget_read(store);
    ann_places_drop(store->places);
  }
  ann_pages_trim(store->pages);
  ann_rows_trim(store->rows);
}

static int write_all(AnnStore *store) {
  int rc = ann_waiting_flush(store->waiting);
  if (rc == ANN_OK) rc = ann_pages_flush(store->pages);
  if (rc == ANN_OK) rc = ann_places_flush(store->places);
  if (rc == ANN_OK) rc = ann_progresses_flush(store->progresses);
  if (rc == ANN_OK) rc = ann_learned_flush(store->learned);
  return rc;
}

static int write_counters(AnnStore *store) {
  int rc = store->state.dirty ? ann_config_put_state(store->db, &store->state) : ANN_OK;
  if (rc == ANN_OK) store->state.dirty = 0;
  return rc;
}

static int happens(AnnStore *store, int event) {
  int rc = ANN_OK;
  assert(event == FLUSH || event == ROLLBACK ||
         (ann_store_is_clean(store) && "all that was changed is written"));
  if (fates[event].changed == WRITE) rc = write_all(store);
  if (fates[event].changed == FORGET) {
    ann_places_drop(store->places);
    ann_waiting_drop(store->waiting);
  }
  switch (fates[event].read) {
  case COMPARE: compare(store); break;
  case STAMP: stamp(store); break;
  case FORGET: forget_read(store); break;
  case TRIM:
    ann_pages_trim(store->pages);
    ann_rows_trim(store->rows);
    break;
  default: break;
  }
  if (rc == ANN_OK && fates[event].counters == WRITE) rc = write_counters(store);
  if (fates[event].counters == FORGET) {
    store->life.loaded = store->state.dirty = 0;
    ann_waiting_drop(store->waiting);
  }
  return rc;
}

/* ---- life ---- */

/* Pages and rows, which share the budget and the stopwatch. */
static int make_caches(AnnStore *store) {
  const AnnOptions *options = &store->options;
  int64_t length = ann_rotation_length(options->space.dimensions);
  AnnPagesPlan pages = {store->db,     &store->state, &store->budget,
                        &store->trace, length,        options->leaf_capacity};
  AnnRowsPlan rows = {store->db, store->source, &store->budget, &store->trace, &options->space};
  int rc = ann_pages_new(&pages, &store->pages);
  return rc == ANN_OK ? ann_rows_new(&rows, &store->rows) : rc;
}

static int make_parts(AnnStore *store, sqlite3 *handle, const char *schema, const char *name) {
  const AnnOptions *options = &store->options;
  const AnnSpace *space = &options->space;
  AnnState *state = &store->state;
  int rc = ann_db_new(handle, schema, name, &store->db);
  AnnDb *db = store->db;
  int is_content = options->content != NULL;
  if (rc == ANN_OK) rc = ann_content_new(db, options, &store->content);
  if (rc == ANN_OK) rc = ann_notes_new(db, is_content, &store->notes);
  if (rc == ANN_OK) rc = ann_source_new(db, state, space, is_content, &store->source);
  if (rc == ANN_OK) rc = make_caches(store);
  if (rc == ANN_OK) rc = ann_places_new(db, options->trees, &store->places);
  if (rc == ANN_OK) rc = ann_waiting_new(db, store->source, &store->waiting);
  if (rc == ANN_OK) rc = ann_efforts_new(db, state, options->trees, &store->efforts);
  if (rc == ANN_OK) rc = ann_learned_new(db, state, space, options->seed, &store->learned);
  if (rc == ANN_OK) rc = ann_progresses_new(db, state, space, &store->progresses);
  return rc;
}

int ann_store_new(sqlite3 *handle, const char *schema, const char *name, AnnOptions *options,
                  AnnStore **out_store) {
  AnnStore *store = ann_alloc_zero(1, sizeof *store);
  int rc;
  *out_store = NULL;
  if (!store) return ANN_NOMEM;
  store->options = *options;
  store->life.late_savepoint = INT_MAX;
  ann_store_set_cache(store, options->cache_mb);
  rc = make_parts(store, handle, schema, name);
  if (rc != ANN_OK) {
    memset(&store->options, 0, sizeof store->options); /* they stay the caller's */
    ann_store_free(store);
    return rc;
  }
  memset(options, 0, sizeof *options);
  *out_store = store;
  return ANN_OK;
}

void ann_store_free(AnnStore *store) {
  if (!store) return;
  ann_progresses_free(store->progresses);
  ann_learned_free(store->learned);
  ann_efforts_free(store->efforts);
  ann_waiting_free(store->waiting);
  ann_places_free(store->places);
  ann_rows_free(store->rows);
  ann_pages_free(store->pages);
  ann_source_free(store->source);
  ann_notes_free(store->notes);
  ann_content_free(store->content);
  ann_db_free(store->db);
  ann_free(store->router);
  ann_rotation_clear(&store->rotation);
  ann_options_clear(&store->options);
  ann_free(store);
}

void ann_store_set_cache(AnnStore *store, int cache_mb) {
  store->options.cache_mb = cache_mb;
  store->budget.most = ann_budget_bytes(cache_mb);
}

/* ---- calls ---- */

static int make_rotation(AnnStore *store) {
  if (store->rotation.signs) return ANN_OK;
  return ann_rotation_init(&store->rotation, store->options.space.dimensions,
                           (uint64_t)store->options.seed);
}

static int check_schema(AnnStore *store) {
  char *message = NULL;
  int rc = ann_schema_check(ann_store_schema(store), &message);
  if (rc != ANN_OK && message) ann_db_fail(store->db, rc, "%s", message);
  sqlite3_free(message);
  return rc;
}

static int check_once(AnnStore *store) {
  int rc = ANN_OK;
  if (!store->life.checked) {
    rc = check_schema(store);
    if (rc == ANN_OK) rc = ann_config_check_format(store->db);
    store->life.checked = rc == ANN_OK;
  }
  return rc == ANN_OK ? make_rotation(store) : rc;
}

/* Why no call may begin now, if so. */
static int refuse_call(AnnStore *store) {
  const char *why = store->life.drop_at_end ? "the transaction was rolled back"
                    : store->life.poisoned
                        ? "a write failed half-way; roll the transaction back"
                        : NULL;
  return why ? ann_db_fail(store->db, ANN_ERROR, "%s", why) : ANN_OK;
}

/* The counters, by a statement that stays open: it holds the snapshot. */
static int look(AnnStore *store) {
  int rc = ANN_OK, has_row = 0, all_typed = 1;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_SNAPSHOT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, ANN_CONFIG_STATE);
  rc = ann_db_step(store->db, stmt, &has_row);
  if (rc == ANN_OK && !has_row) {
    return ann_db_fail(store->db, ANN_CORRUPT,
                       "expected a row \"state\" in %s_config, which is missing",
                       ann_db_name(store->db));
  }
  if (rc == ANN_OK) {
    const uint8_t *blob = sqlite3_column_blob(stmt, 0);
    rc = ann_state_decode(blob, sqlite3_column_bytes(stmt, 0), store->options.trees,
                          &store->state);
    if (rc != ANN_OK) ann_db_corrupt(store->db, "config row", ANN_CONFIG_STATE);
    happens(store, LOOK);
    if (rc == ANN_OK) rc = ann_content_watch(store->content);
    if (rc == ANN_OK) rc = ann_db_ask_if_compiled_anew(store->db, stmt, &all_typed);
    /* What the host is to read as NULL has no type, and is read again. */
    if (rc == ANN_OK && !all_typed) forget_read(store);
  }
  return rc;
}

int ann_store_begin(AnnStore *store) {
  int rc;
  store->life.depth++;
  if (store->life.depth == 1) ann_db_unsay(store->db);
  rc = refuse_call(store);
  if (rc == ANN_OK) rc = check_once(store);
  if (rc != ANN_OK) return rc;
  /* In a transaction that has written the snapshot is not asked for again. */
  if (store->life.loaded) {
    if (store->life.depth == 1) rc = ann_content_watch(store->content);
    if (store->life.depth == 1 && rc == ANN_OK) rc = ann_db_ask_authorizer(store->db, NULL);
    return rc;
  }
  rc = look(store);
  store->life.loaded = rc == ANN_OK;
  return rc;
}

int ann_store_begin_afresh(AnnStore *store) {
  int rc;
  store->life.depth++;
  store->life.poisoned = 0;
  ann_db_unsay(store->db);
  ann_store_drop(store);
  rc = store->content ? ann_content_attach(store->content) : ANN_OK;
  if (rc == ANN_OK) rc = check_schema(store);
  if (rc == ANN_OK) rc = make_rotation(store);
  if (rc == ANN_OK) rc = ann_config_put_first(store->db, &store->options);
  memset(&store->state, 0, sizeof store->state);
  if (rc == ANN_OK) rc = ann_source_tell(store->source, &store->state.rows);
  if (rc == ANN_OK) rc = ann_learned_tell(store->learned);
  store->life.loaded = store->state.dirty = rc == ANN_OK;
  return rc;
}

void ann_store_end(AnnStore *store) {
  AnnLife *life = &store->life;
  assert(life->depth > 0 && "it ends what ann_store_begin began");
  if (--life->depth > 0) return;
  sqlite3_reset(ann_db_prepared(store->db, ANN_STMT_SNAPSHOT));
  ann_source_end(store->source);
  ann_notes_forget(store->notes);
  if (life->drop_at_end) ann_store_drop(store);
  life->drop_at_end = 0;
  if (!life->writing) happens(store, LEAVE);
}

int ann_store_flush(AnnStore *store) {
  int rc = happens(store, FLUSH);
  if (rc != ANN_OK) ann_store_poison(store);
  return rc;
}

int ann_store_flush_to_look(AnnStore *store) {
  int rc;
  if (!store->life.writing || store->life.poisoned || ann_store_is_clean(store)) return ANN_OK;
  rc = ann_db_check_writable(store->db, "looked at");
  return rc == ANN_OK ? ann_store_flush(store) : rc;
}

int ann_store_make_room(AnnStore *store) {
  int rc;
  if (!ann_budget_is_exceeded(&store->budget)) return ANN_OK;
  rc = ann_store_flush(store);
  if (rc == ANN_OK) ann_pages_trim(store->pages);
  return rc;
}

void ann_store_poison(AnnStore *store) {
  if (store->life.writing) store->life.poisoned = 1;
}

int ann_store_is_clean(const AnnStore *store) {
  return !store->state.dirty && ann_pages_dirty(store->pages) == 0 &&
         ann_places_changed(store->places) == 0 && ann_waiting_is_clean(store->waiting) &&
         ann_progresses_is_clean(store->progresses) && ann_learned_is_clean(store->learned);
}

AnnLife ann_store_life(const AnnStore *store) { return store->life; }

/* ---- events ---- */

void ann_store_write_begins(AnnStore *store) {
  if (store->life.writing) return;
  assert(store->life.depth == 0 && "no call is under way");
  happens(store, BEGIN);
  store->life.writing = 1;
}

static void end_write(AnnStore *store) {
  store->life.writing = store->life.poisoned = 0;
  store->life.late_savepoint = INT_MAX;
}

void ann_store_committed(AnnStore *store) {
  assert(store->life.writing && "only what was begun is committed");
  assert(!store->life.poisoned && "what failed half-way is not committed");
  assert(store->life.depth == 0 && "no call is under way");
  end_write(store);
  happens(store, COMMIT);
}

void ann_store_drop(AnnStore *store) { happens(store, ROLLBACK); }

/* A call may be under way that holds pages, as when SQLite rolls everything back because one of
** that call's statements failed: they are forgotten when it ends. */
void ann_store_rolled_back(AnnStore *store) {
  end_write(store);
  if (store->life.depth > 0) store->life.drop_at_end = 1;
  else ann_store_drop(store);
}

/* When it was the flush that failed, SQLite rolls back to the savepoint that was to be opened:
** that one heals nothing, nor does any after it. */
void ann_store_savepoint_opened(AnnStore *store, int n) {
  AnnLife *life = &store->life;
  assert(life->writing && "savepoints are told within a write transaction");
  if (life->poisoned && n < life->late_savepoint) life->late_savepoint = n;
}

void ann_store_savepoint_released(AnnStore *store, int n) {
  AnnLife *life = &store->life;
  if (life->depth == 0 && n <= life->late_savepoint) life->late_savepoint = INT_MAX;
}

void ann_store_rolled_back_to(AnnStore *store, int n) {
  AnnLife *life = &store->life;
  /* A statement of our own failed, and its savepoint with it: whoever ran it sees to that. */
  if (life->depth > 0) return;
  ann_store_drop(store);
  /* Also where a rebuild had healed it in between: that is undone. */
  life->poisoned = n >= life->late_savepoint;
  if (!life->poisoned) life->late_savepoint = INT_MAX;
}

void ann_store_detach(AnnStore *store) {
  ann_store_drop(store);
  ann_content_forget(store->content);
  ann_db_close(store->db);
  store->life.checked = 0;
}

void ann_store_retire(AnnStore *store) {
  ann_store_detach(store);
  store->life.writing = 0;
}

void ann_store_take_up(AnnStore *store) {
  if (store->life.writing) return;
  if (store->life.depth > 0) store->life.drop_at_end = 1;
  else ann_store_drop(store);
  store->life.checked = 0;
}
