/* context.c -- see context.h. */
#include "sql/context.h"

#include "index/config.h"
#include "index/log.h"
#include "index/search.h"
#include "sql/version.h"

#define DEFAULT_ABSORB 25 /* percent of the rows that may wait when a statement ends */

/* ---- the shelf ---- */

static void free_table(AnnTable *table) {
  if (!table) return;
  ann_searcher_free(table->searcher);
  ann_store_free(table->store);
  sqlite3_free(table->name_before);
  ann_free(table);
}

void ann_context_release(void *arg) {
  AnnContext *context = arg;
  if (--context->references > 0) return;
  while (context->tables) {
    AnnTable *table = context->tables;
    context->tables = table->next;
    free_table(table);
  }
  ann_free(context);
}

static AnnTable *lookup(const AnnContext *context, const char *schema, const char *name) {
  AnnTable *table;
  for (table = context->tables; table; table = table->next) {
    if (sqlite3_stricmp(ann_db_schema(table->store->db), schema) == 0 &&
        sqlite3_stricmp(ann_db_name(table->store->db), name) == 0) {
      return table;
    }
  }
  return NULL;
}

void ann_context_orphan(AnnTable *table) {
  AnnTable **p = &table->context->tables;
  if (table->orphaned) return;
  while (*p && *p != table) p = &(*p)->next;
  if (*p) *p = table->next;
  table->orphaned = 1;
  if (table->references == 0) free_table(table);
}

int ann_context_rename(AnnTable *table, const char *new_name) {
  AnnDb *db = table->store->db;
  AnnTable *other = lookup(table->context, ann_db_schema(db), new_name);
  char *name_before = sqlite3_mprintf("%s", ann_db_name(db));
  int rc = name_before ? ann_db_rename(db, new_name) : ANN_NOMEM;
  if (rc != ANN_OK) {
    sqlite3_free(name_before);
    return rc;
  }
  sqlite3_free(table->name_before);
  table->name_before = name_before;
  if (other && other != table && other->references == 0) ann_context_orphan(other);
  return ANN_OK;
}

static int has_table(sqlite3 *db, const char *schema, const char *name) {
  return sqlite3_table_column_metadata(db, schema, name, NULL, NULL, NULL, NULL, NULL, NULL) ==
         SQLITE_OK;
}

/* The table that had this name until it was renamed, if there is none now of the name that it was
** given: a rollback has undone it.  It has its old name again. */
static int lookup_renamed(AnnContext *context, const char *schema, const char *name,
                          AnnTable **out_table) {
  AnnTable *table;
  for (table = context->tables; table; table = table->next) {
    AnnDb *db = table->store->db;
    if (table->name_before && !ann_store_is_busy(table->store) &&
        sqlite3_stricmp(table->name_before, name) == 0 &&
        sqlite3_stricmp(ann_db_schema(db), schema) == 0 &&
        !has_table(context->db, schema, ann_db_name(db))) {
      *out_table = table;
      return ann_db_rename(db, name);
    }
  }
  return ANN_OK;
}

static int make_table(AnnContext *context, const char *schema, const char *name,
                      AnnOptions *options, AnnTable **out_table) {
  AnnTable *table = ann_alloc_zero(1, sizeof *table);
  int rc = table ? ann_store_new(context->db, schema, name, options, &table->store) : ANN_NOMEM;
  if (rc != ANN_OK) {
    ann_free(table);
    return rc;
  }
  table->context = context;
  table->serial = ++context->serials;
  table->absorb = DEFAULT_ABSORB;
  table->changes_seen = -1;
  table->next = context->tables;
  context->tables = table;
  *out_table = table;
  return ANN_OK;
}

int ann_context_is_present(AnnTable *table) {
  return table->created == 0 ||
         (!table->orphaned && ann_config_is_marked(table->store->db, table->created));
}

int ann_context_take(AnnContext *context, const char *schema, const char *name,
                     AnnOptions *options, int fresh, AnnTable **out_table) {
  AnnTable *table = lookup(context, schema, name);
  int rc = ANN_OK;
  if (!table && !fresh) rc = lookup_renamed(context, schema, name, &table);
  if (rc != ANN_OK) return rc;
  if (table && (fresh || !ann_options_equal(&table->store->options, options) ||
                !ann_context_is_present(table))) {
    ann_context_orphan(table);
    table = NULL;
  }
  if (!table) rc = make_table(context, schema, name, options, &table);
  if (rc != ANN_OK) return rc;
  /* It may be another file's, or another table that took the name. */
  ann_store_take_up(table->store);
  table->references++;
  *out_table = table;
  return ANN_OK;
}

/* Nobody's memory is kept: it may be another file by the time that the name is asked for. */
void ann_context_give(AnnTable *table) {
  if (--table->references > 0) return;
  if (table->orphaned) {
    free_table(table);
  } else {
    ann_searcher_free(table->searcher);
    table->searcher = NULL;
    ann_store_retire(table->store);
    table->created = 0;
  }
}

/* ---- the context of a connection ---- */

/* ann_version with an argument: tells C, which alone can bind a pointer, that it is there. */
static void is_there(sqlite3_context *out, int argc, sqlite3_value **argv) {
  int *found = sqlite3_value_pointer(argv[0], "ann-context");
  (void)argc;
  if (found) *found = 1;
  sqlite3_result_text(out, ANN_VERSION, -1, SQLITE_STATIC);
}

int ann_context_register(sqlite3 *db, AnnContext *context) {
  context->references++;
  return sqlite3_create_function_v2(db, "ann_version", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                                    context, is_there, NULL, NULL, ann_context_release);
}

/* Preparing a call of a function that is not there would be an error in the host's log. */
static int is_listed(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  int is_known = sqlite3_prepare_v2(db, "PRAGMA function_list", -1, &stmt, NULL) == SQLITE_OK;
  int found = !is_known;
  while (!found && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    found = !name || strcmp(name, "ann_version") == 0;
  }
  sqlite3_finalize(stmt);
  return found;
}

int ann_context_exists(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  int found = 0;
  if (!is_listed(db)) return 0;
  if (sqlite3_prepare_v2(db, "SELECT ann_version(?1)", -1, &stmt, NULL) == SQLITE_OK) {
    sqlite3_bind_pointer(stmt, 1, &found, "ann-context", NULL);
    sqlite3_step(stmt);
  }
  sqlite3_finalize(stmt);
  return found;
}

/* ---- finding a table ---- */

void ann_hold_clear(AnnHold *hold) {
  sqlite3_finalize(hold->stmt);
  sqlite3_free(hold->schema);
  sqlite3_free(hold->name);
  memset(hold, 0, sizeof *hold);
}

static int hold_prepare(sqlite3 *db, const char *schema, const char *name, AnnHold *hold) {
  char *sql;
  int rc;
  if (hold->stmt && strcmp(hold->schema, schema) == 0 && strcmp(hold->name, name) == 0) {
    return ANN_OK;
  }
  ann_hold_clear(hold);
  sql = sqlite3_mprintf("SELECT 1 FROM \"%w\".\"%w\" LIMIT 0", schema, name);
  hold->schema = sqlite3_mprintf("%s", schema);
  hold->name = sqlite3_mprintf("%s", name);
  rc = sql && hold->schema && hold->name
           ? sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &hold->stmt, NULL)
           : ANN_NOMEM;
  sqlite3_free(sql);
  return rc;
}

int ann_context_open(AnnContext *context, const char *schema, const char *name, AnnHold *hold,
                     AnnTable **out_table, char **out_message) {
  int rc = hold_prepare(context->db, schema, name, hold);
  *out_table = NULL;
  if (rc == ANN_OK) {
    sqlite3_step(hold->stmt);
    rc = sqlite3_reset(hold->stmt);
  }
  if (rc != ANN_OK) {
    *out_message = sqlite3_mprintf("%s", sqlite3_errmsg(context->db));
  } else {
    *out_table = lookup(context, schema, name);
    if (*out_table && (*out_table)->references > 0) return ANN_OK;
    *out_table = NULL;
    *out_message = sqlite3_mprintf("expected an ann table, but %s.%s is another kind of table",
                                   schema, name);
    rc = ANN_ERROR;
  }
  ann_hold_clear(hold);
  return rc;
}

/* Search order of an unqualified name. */
static const char *schema_at(sqlite3 *db, int i) {
  return i == 0 ? "temp" : i == 1 ? "main" : sqlite3_db_name(db, i);
}

/* Where the name is: *out_schema (sqlite3_free) and, within name, *out_table_name; NULL
** when there is no such table. */
static int locate(sqlite3 *db, const char *name, char **out_schema,
                  const char **out_table_name) {
  const char *dot = strchr(name, '.'), *schema;
  int i;
  *out_schema = NULL;
  *out_table_name = name;
  for (i = 0; (schema = schema_at(db, i)) != NULL; i++) {
    if (!has_table(db, schema, name)) continue;
    *out_schema = sqlite3_mprintf("%s", schema);
    return *out_schema ? ANN_OK : ANN_NOMEM;
  }
  if (!dot) return ANN_OK;
  *out_schema = sqlite3_mprintf("%.*s", (int)(dot - name), name);
  if (!*out_schema) return ANN_NOMEM;
  *out_table_name = dot + 1;
  if (!has_table(db, *out_schema, dot + 1)) {
    sqlite3_free(*out_schema);
    *out_schema = NULL;
  }
  return ANN_OK;
}

/* Have SQLite look whether other connections changed the schemas it knows. */
static void refresh(sqlite3 *db) {
  const char *schema;
  int i;
  for (i = 0; (schema = schema_at(db, i)) != NULL; i++) {
    char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema LIMIT 0", schema);
    if (sql) sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
  }
}

static int find(AnnContext *context, const char *name, AnnHold *hold, AnnTable **out_table,
                char **out_message) {
  char *schema = NULL; /* owned */
  const char *table_name = NULL;
  int rc;
  *out_table = NULL;
  if (!name) {
    *out_message = sqlite3_mprintf("expected the name of an ann table, got NULL");
    return ANN_ERROR;
  }
  rc = locate(context->db, name, &schema, &table_name);
  if (rc == ANN_OK && !schema) {
    refresh(context->db);
    rc = locate(context->db, name, &schema, &table_name);
  }
  if (rc == ANN_OK && !schema) {
    *out_message =
        sqlite3_mprintf("expected the name of an ann table, but there is no table %s", name);
    return ANN_ERROR;
  }
  if (rc == ANN_OK) {
    rc = ann_context_open(context, schema, table_name, hold, out_table, out_message);
  }
  sqlite3_free(schema);
  return rc;
}

int ann_context_find(AnnContext *context, const char *function, sqlite3_value *name,
                     AnnHold *hold, AnnTable **out_table, char **out_message) {
  const char *text = name ? (const char *)sqlite3_value_text(name) : NULL;
  int rc = find(context, text, hold, out_table, out_message);
  if (rc != ANN_OK) {
    char *reason = *out_message;
    *out_message = sqlite3_mprintf("%s: %s", function, reason ? reason : "out of memory");
    sqlite3_free(reason);
  }
  return rc;
}

int ann_context_report(const AnnStore *store, int rc, char **out_message) {
  if (rc != ANN_OK && store && ann_db_message(store->db)) {
    if (rc == ANN_CORRUPT) ann_log_failure(store->db, rc);
    sqlite3_free(*out_message);
    *out_message = sqlite3_mprintf("%s", ann_db_message(store->db));
  }
  return rc;
}
