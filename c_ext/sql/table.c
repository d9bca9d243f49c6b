/* table.c -- see table.h. */
#include "sql/table.h"

#include "index/build.h"
#include "index/check.h"
#include "index/config.h"
#include "index/follow.h"
#include "index/learned.h"
#include "index/log.h"
#include "index/update.h"
#include "sql/backend.h"
#include "sql/setting.h"
#include "sql/value.h"

#define STRAIGHT 64 /* rows of a statement that go straight into the forest */
/* A short statement does not start the long work that a bulk load left to `optimize`. */
#define SHORT_ABSORB 4096 /* rows; about a tenth of a second */

/* Do more rows wait than may? */
static int is_due(const AnnTable *table) {
  const AnnState *state = &table->store->state;
  double waiting = (double)(state->rows - state->placed);
  return table->due && state->rows >= ANN_SMALLEST_FOREST &&
         waiting * 100 > (double)state->rows * table->absorb;
}

int ann_table_is_clean(const AnnTable *table) {
  return !ann_store_is_poisoned(table->store) && ann_store_is_clean(table->store) &&
         !is_due(table);
}

/* May the connection write?  Where that cannot be asked, writing will tell. */
static int may_write(AnnDb *db) {
  int rc = ann_db_check_writable(db, "absorbed");
  ann_db_unsay(db);
  return rc != SQLITE_READONLY;
}

/* Tell the log for whom waiting rows were absorbed; planted_rows: as it was before. */
static void tell(const AnnTable *table, const char *who, int64_t planted_rows, AnnBuilt built) {
  const AnnState *state = &table->store->state;
  AnnDb *db = table->store->db;
  long long rows = state->rows, waiting = state->rows - state->placed;
  if (state->planted_rows != planted_rows) {
    ann_log_news(db, "%s planted a forest for %lld rows; %lld wait", who, rows, waiting);
  } else if (!built.more) {
    ann_log_news(db, "%s took %lld of %lld rows into the forest; %lld wait", who,
                 (long long)built.rows, rows, waiting);
  }
}

/* Absorb what waits.  Asked for, it is told; of what comes by the way, what takes its time. */
static int absorb(AnnTable *table, const char *who, int64_t max_pages, int is_asked_for) {
  AnnBuilt built;
  int64_t planted_rows = table->store->state.planted_rows;
  int rc = ann_build_absorb(table->store, max_pages, is_asked_for, &built);
  if (rc != ANN_OK) return rc;
  if (is_asked_for || built.rows > SHORT_ABSORB ||
      table->store->state.planted_rows != planted_rows) {
    tell(table, who, planted_rows, built);
  }
  return ANN_OK;
}

/* Absorb when more rows wait than may.  Under PRAGMA query_only they wait longer: a COMMIT that
** fails for their sake would lose the transaction. */
static int absorb_if_due(AnnTable *table) {
  if (!is_due(table) || !may_write(table->store->db)) return ANN_OK;
  table->due = 0;
  return absorb(table, "the end of a statement", 0, 0);
}

/* Called at each row: has another statement begun since the last one? */
static int row_begins(AnnTable *table) {
  int rc = ANN_OK;
  table->mutations_seen = ann_db_changes(table->store->db);
  table->row_changes = table->store->state.changes;
  if (sqlite3_total_changes(ann_db_handle(table->store->db)) != table->changes_seen) {
    table->streak = 0;
    rc = absorb_if_due(table);
    if (rc != ANN_OK) ann_store_poison(table->store);
    table->mutations_seen = ann_db_changes(table->store->db);
    table->row_changes = table->store->state.changes;
  }
  return rc;
}

static void row_ends(AnnTable *table) {
  const AnnState *state = &table->store->state;
  if (table->absorb > 0 &&
      (table->streak >= STRAIGHT || state->rows - state->placed <= SHORT_ABSORB)) {
    table->due = 1;
  }
  table->changes_seen = sqlite3_total_changes(ann_db_handle(table->store->db));
  table->streak++;
  table->context->generation++;
}

/* After a row: a failure with changes in memory leaves them half-made. */
static int row_result(AnnTable *table, int rc) {
  AnnStore *store = table->store;
  if (rc == ANN_OK) rc = ann_follow(store, table->row_changes);
  if (rc == ANN_OK) rc = ann_store_make_room(store);
  if (rc != ANN_OK && ann_db_changes(store->db) != table->mutations_seen)
    ann_store_poison(store);
  return rc;
}

static int straight(const AnnTable *table) { return table->streak < STRAIGHT; }

/* id: whose it is, for the sentence, or NULL when SQLite is to choose one. */
static int read_vector(AnnTable *table, const int64_t *id, sqlite3_value *value,
                       void **out_vector) {
  AnnStore *store = table->store;
  char message[ANN_VECTOR_MESSAGE];
  int rc;
  *out_vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
  if (!*out_vector) return ANN_NOMEM;
  rc = ann_value_vector(value, &store->options.space, *out_vector, message);
  if (rc == ANN_ERROR && id) {
    ann_db_fail_in(store->db, rc, "column", store->options.column, "%s (rowid %lld)", message,
                   (long long)*id);
  } else if (rc == ANN_ERROR) {
    ann_db_fail_in(store->db, rc, "column", store->options.column, "%s", message);
  }
  return rc;
}

int ann_table_insert(AnnTable *table, const int64_t *id, sqlite3_value *value,
                     int64_t *out_id) {
  AnnStore *store = table->store;
  void *vector = NULL; /* owned */
  int found = 0, rc = ann_store_begin(store);
  if (rc == ANN_OK) rc = row_begins(table);
  if (rc == ANN_OK) rc = read_vector(table, id, value, &vector);
  if (rc == ANN_OK && id &&
      sqlite3_vtab_on_conflict(ann_db_handle(store->db)) == SQLITE_REPLACE) {
    rc = ann_source_has(store->source, *id, &found);
  }
  if (rc == ANN_OK && found) {
    rc = ann_update_replace(store, *id, vector, straight(table));
    *out_id = *id;
  } else if (rc == ANN_OK) {
    rc = ann_update_insert(store, id, vector, straight(table), out_id);
  }
  rc = row_result(table, rc);
  row_ends(table);
  ann_store_end(store);
  ann_free(vector);
  return rc;
}

int ann_table_delete(AnnTable *table, int64_t id) {
  int found = 0, rc = ann_store_begin(table->store);
  if (rc == ANN_OK) rc = row_begins(table);
  if (rc == ANN_OK) rc = ann_update_delete(table->store, id, &found);
  rc = row_result(table, rc);
  row_ends(table);
  ann_store_end(table->store);
  return rc;
}

/* A row under another id: both ids are looked up before anything is changed. */
static int move_row(AnnTable *table, int64_t id, int64_t new_id, const void *vector) {
  AnnStore *store = table->store;
  int64_t used = 0;
  int found = 0, rc = ann_source_has(store->source, new_id, &found);
  int replace = sqlite3_vtab_on_conflict(ann_db_handle(store->db)) == SQLITE_REPLACE;
  if (rc == ANN_OK && found && !replace) {
    return ann_db_fail(store->db, SQLITE_CONSTRAINT_ROWID,
                       "expected a new rowid, but %lld is there already", (long long)new_id);
  }
  if (rc == ANN_OK && found) rc = ann_update_delete(store, new_id, &found);
  if (rc == ANN_OK) rc = ann_update_delete(store, id, &found);
  if (rc == ANN_OK) rc = ann_update_insert(store, &new_id, vector, straight(table), &used);
  return rc;
}

int ann_table_update(AnnTable *table, int64_t id, int64_t new_id, sqlite3_value *value) {
  AnnStore *store = table->store;
  void *vector = NULL; /* owned */
  int found = 1, rc = ann_store_begin(store);
  if (rc == ANN_OK) rc = row_begins(table);
  if (rc == ANN_OK && value) {
    rc = read_vector(table, &new_id, value, &vector);
  } else if (rc == ANN_OK) {
    vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
    rc = vector ? ann_source_get(store->source, id, vector, &found) : ANN_NOMEM;
  }
  if (rc == ANN_OK && found && new_id != id) {
    rc = move_row(table, id, new_id, vector);
  } else if (rc == ANN_OK && found && value) {
    rc = ann_update_replace(store, id, vector, straight(table));
  }
  rc = row_result(table, rc);
  row_ends(table);
  ann_store_end(store);
  ann_free(vector);
  return rc;
}

int ann_table_flush(AnnTable *table) {
  AnnStore *store = table->store;
  int rc = ANN_OK;
  if (!ann_store_is_loaded(store) && !ann_store_is_poisoned(store)) return ANN_OK;
  rc = ann_store_begin(store); /* says why, when it is poisoned */
  if (rc == ANN_OK) rc = absorb_if_due(table);
  if (rc == ANN_OK) rc = ann_store_flush(store);
  ann_store_end(store);
  if (rc != ANN_OK) ann_store_poison(store);
  return rc;
}

/* ---- commands ---- */

static int command_check(AnnTable *table) {
  AnnFaults *faults = ann_alloc_zero(1, sizeof *faults);
  int rc = faults ? ann_store_flush(table->store) : ANN_NOMEM;
  if (rc == ANN_OK) rc = ann_check(table->store, faults);
  if (rc == ANN_OK && faults->n > 0) {
    const AnnFault *first = &faults->items[0];
    rc = ann_db_fail(table->store->db, ANN_CORRUPT, "%s%s", first->text,
                     faults->n > 1 ? " (the first of several faults)" : "");
  }
  if (faults) ann_faults_clear(faults);
  ann_free(faults);
  return rc;
}

static int command_optimize(AnnTable *table, sqlite3_value *k) {
  int64_t max_pages = 0;
  int rc;
  if (k && (!ann_value_integer(k, &max_pages) || max_pages < 1)) {
    return ann_db_fail(table->store->db, ANN_ERROR,
                       "expected k to be a number of pages from 1, got %s",
                       sqlite3_value_text(k));
  }
  if (max_pages > UINT32_MAX) max_pages = UINT32_MAX; /* no table has more */
  rc = absorb(table, max_pages > 0 ? "a slice of optimize" : "optimize", max_pages, 1);
  if (rc != ANN_OK) ann_store_poison(table->store);
  return rc;
}

/* "backend=portable": for the whole process */
static int command_backend(AnnTable *table, const char *text, int *out_known) {
  AnnStore *store = table->store;
  char *names = NULL; /* owned */
  int rc;
  *out_known = strncmp(text, "backend=", 8) == 0;
  if (!*out_known || ann_backend_choose(text + 8) == ANN_OK) return ANN_OK;
  names = ann_backend_names();
  if (!names) return ANN_NOMEM;
  rc = ann_db_fail(store->db, ANN_ERROR, "expected a backend %s, got \"%s\"", names, text);
  sqlite3_free(names);
  return rc;
}

/* One query, or many of float32 in a blob, one after the other: all of them, or none when
** one is refused.  Many of a smaller type could not be told from fewer of float32. */
static int learn(AnnTable *table, sqlite3_value *value) {
  AnnStore *store = table->store;
  const AnnSpace *space = &store->options.space;
  int64_t size = ann_element_size(ann_element_default(), space->dimensions), n = 1, i;
  char message[ANN_VECTOR_MESSAGE], which[64] = "";
  uint8_t *queries = NULL; /* owned */
  int rc;
  if (sqlite3_value_type(value) == SQLITE_BLOB && sqlite3_value_bytes(value) > size &&
      sqlite3_value_bytes(value) % size == 0) {
    n = sqlite3_value_bytes(value) / size;
  }
  queries = ann_alloc_array((uint64_t)n, (uint64_t)space->query_size);
  if (!queries) return ANN_NOMEM;
  rc = n > 1 ? ANN_OK : ann_value_query(value, space, queries, message);
  for (i = 0; n > 1 && i < n && rc == ANN_OK; i++) {
    const uint8_t *blob = sqlite3_value_blob(value);
    rc = ann_query_from_blob(space->element, blob + i * size, size, space->dimensions,
                             queries + i * space->query_size, message);
  }
  if (rc == ANN_ERROR) {
    if (n > 1) {
      sqlite3_snprintf(sizeof which, which, "query %lld of %lld", (long long)i, (long long)n);
    }
    ann_db_fail_in(store->db, rc, n > 1 ? "learn," : "learn", which, "%s", message);
  }
  for (i = 0; i < n && rc == ANN_OK; i++) {
    rc = ann_learned_add(store->learned, queries + i * space->query_size);
    if (rc != ANN_OK) ann_store_poison(store);
  }
  ann_free(queries);
  return rc;
}

/* What was written to an ordinary table since goes into the forest at any command. */
static int take_in_changes(AnnTable *table) {
  int64_t n = 0;
  int rc = ann_notes_count(table->store->notes, &n);
  if (rc != ANN_OK || n == 0) return rc;
  rc = absorb(table, "a command", 0, 0);
  if (rc != ANN_OK) ann_store_poison(table->store);
  return rc;
}

int ann_table_learn(AnnTable *table, sqlite3_value *queries) {
  int rc = ann_store_begin(table->store);
  if (rc == ANN_OK) rc = take_in_changes(table);
  if (rc == ANN_OK) rc = learn(table, queries);
  row_ends(table);
  ann_store_end(table->store);
  return rc;
}

int ann_table_rebuild(AnnTable *table, const char *who) {
  AnnBuilt built;
  int rc;
  ann_db_unsay(table->store->db);
  rc = ann_config_refuse_newer(table->store->db); /* before anything is written */
  if (rc != ANN_OK) return rc;
  rc = ann_store_begin_afresh(table->store);
  if (rc == ANN_OK) rc = ann_build_rebuild(table->store, &built);
  if (rc == ANN_OK) tell(table, who, 0, built);
  ann_store_end(table->store);
  if (rc != ANN_OK) ann_store_poison(table->store);
  return rc;
}

static int run_command(AnnTable *table, const char *text, sqlite3_value *k) {
  AnnStore *store = table->store;
  int known = 0, rc = ann_store_begin(store);
  if (rc == ANN_OK) rc = ann_table_flush(table);
  if (rc == ANN_OK && strcmp(text, "optimize") != 0) rc = take_in_changes(table);
  if (rc == ANN_OK) rc = ann_setting_command(table, text, &known);
  if (rc == ANN_OK && !known) rc = command_backend(table, text, &known);
  if (rc == ANN_OK && !known) {
    if (strcmp(text, "optimize") == 0) rc = command_optimize(table, k);
    else if (strcmp(text, "integrity-check") == 0) rc = command_check(table);
    else
      rc = ann_db_fail(
          store->db, ANN_ERROR,
          "expected a command optimize, rebuild, "
          "integrity-check, warm, learn, cache_mb=N, absorb=N or backend=NAME, got \"%s\"",
          text);
  }
  ann_store_end(store);
  return rc;
}

int ann_table_command(AnnTable *table, sqlite3_value *command, sqlite3_value *k) {
  const char *text = (const char *)sqlite3_value_text(command);
  int rc;
  if (!text) return ANN_NOMEM;
  rc = strcmp(text, "rebuild") == 0 ? ann_table_rebuild(table, text)
                                    : run_command(table, text, k);
  row_ends(table);
  return rc;
}
