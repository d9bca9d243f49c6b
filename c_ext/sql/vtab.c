/* vtab.c -- see vtab.h.  A table is made, found, renamed and dropped here; it is read by
** sql/cursor.c and written by sql/write.c. */
#include "sql/vtab.h"

#include "index/check.h"
#include "index/config.h"
#include "index/schema.h"
#include "sql/columns.h"
#include "sql/cursor.h"
#include "sql/table.h"
#include "sql/transaction.h"
#include "sql/write.h"

static int make_vtab(sqlite3 *db, AnnContext *context, int argc, const char *const *argv,
                     int fresh, AnnVtab **out_vtab, char **out_message) {
  AnnOptions options;
  AnnVtab *vtab = NULL;
  char *sql = NULL;
  int rc = ann_options_parse(argv[2], argc - 3, argv + 3, ann_columns_is_reserved, &options,
                             out_message);
  if (rc != ANN_OK) return rc;
  sql = ann_columns_declaration(argv[2], &options);
  rc = sql ? sqlite3_declare_vtab(db, sql) : ANN_NOMEM;
  sqlite3_free(sql);
  vtab = rc == ANN_OK ? ann_alloc_zero(1, sizeof *vtab) : NULL;
  if (rc == ANN_OK && !vtab) rc = ANN_NOMEM;
  if (rc == ANN_OK) {
    rc = ann_context_take(context, argv[1], argv[2], &options, fresh, &vtab->table);
  }
  ann_options_clear(&options);
  if (rc != ANN_OK) {
    ann_free(vtab);
    return rc;
  }
  sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
  *out_vtab = vtab;
  return ANN_OK;
}

/* Of a DROP that failed, say: SQLite does not ask for it. */
static void forget_message(sqlite3_vtab *vtab) {
  sqlite3_free(vtab->zErrMsg);
  vtab->zErrMsg = NULL;
}

static int release(sqlite3_vtab *vtab) {
  forget_message(vtab);
  ann_cursor_forget(vtab);
  ann_context_give(ann_table_of(vtab));
  ann_free(vtab);
  return ANN_OK;
}

static int disconnect(sqlite3_vtab *vtab) {
  ANN_KEEP_ORDER(vtab, ANN_ORDER_DISCONNECT, 0);
  return release(vtab);
}

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out_vtab, char **out_message) {
  AnnVtab *vtab = NULL;
  int rc = make_vtab(db, aux, argc, argv, 0, &vtab, out_message);
  if (rc != ANN_OK) return rc;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_CONNECT, 0);
  *out_vtab = &vtab->base;
  return ANN_OK;
}

/* Where rows have something and none of it is a vector of this table, another type or number of
** components was meant; the first row says what it has. */
static int refuse_misfits(AnnStore *store) {
  int64_t n = 0, id, least, most;
  int found = 0, rc = ann_source_count(store->source, INT64_MIN, INT64_MAX, &n, &least, &most);
  void *vector = NULL; /* owned */
  if (rc != ANN_OK || n == 0 || store->state.placed > 0) return rc;
  vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
  if (!vector) return ANN_NOMEM;
  rc = ann_source_scan(store->source, INT64_MIN, INT64_MAX);
  if (rc == ANN_OK) rc = ann_source_next(store->source, &id, vector, &found);
  ann_source_end(store->source);
  if (rc == ANN_OK && !found) {
    ann_source_be_strict(store->source, 1);
    rc = ann_source_scan(store->source, INT64_MIN, INT64_MAX);
    if (rc == ANN_OK) rc = ann_source_next(store->source, &id, vector, &found);
    ann_source_end(store->source);
    ann_source_be_strict(store->source, 0);
    if (rc == ANN_CORRUPT) rc = ANN_ERROR; /* of the statement, not of the file */
  }
  ann_free(vector);
  return rc;
}

/* The shadow tables, and, over an ordinary table, its triggers and the forest of what is there. */
static int make_tables(AnnTable *table, int64_t mark, char **out_message) {
  AnnStore *store = table->store;
  AnnSchema schema = ann_store_schema(store);
  int rc = ann_schema_create(schema, out_message);
  if (rc != ANN_OK) return rc;
  rc = ann_config_create(store->db, &store->options, mark);
  /* SQLite counts a table among those being written from its creation on, without xBegin. */
  ann_store_write_begins(store);
  if (rc == ANN_OK && store->content) rc = ann_table_rebuild(table, "creation");
  if (rc == ANN_OK && store->content) rc = refuse_misfits(store);
  ann_context_report(store, rc, out_message);
  if (rc == ANN_OK) return ANN_OK;
  ann_content_detach(store->content);
  ann_store_detach(store);
  ann_schema_drop(schema, NULL);
  return rc;
}

static int create_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out_vtab, char **out_message) {
  sqlite3_int64 last = sqlite3_last_insert_rowid(db);
  AnnVtab *vtab = NULL;
  int64_t mark = 0;
  int rc = make_vtab(db, aux, argc, argv, 1, &vtab, out_message);
  if (rc != ANN_OK) return rc;
  mark = ++vtab->table->context->marks;
  rc = make_tables(vtab->table, mark, out_message);
  sqlite3_set_last_insert_rowid(db, last);
  if (rc != ANN_OK) {
    ann_context_orphan(vtab->table);
    release(&vtab->base);
    return rc;
  }
  vtab->table->created = mark;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_CREATE, 0);
  *out_vtab = &vtab->base;
  return ANN_OK;
}

static int destroy(sqlite3_vtab *vtab) {
  AnnTable *table = ann_table_of(vtab);
  AnnSchema schema = ann_store_schema(table->store);
  int rc;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_DESTROY, 0);
  forget_message(vtab);
  ann_store_detach(table->store);
  ann_db_unsay(table->store->db);
  rc = ann_content_detach(table->store->content);
  ann_context_report(table->store, rc, &vtab->zErrMsg);
  if (rc == ANN_OK) rc = ann_schema_drop(schema, &vtab->zErrMsg);
  if (rc != ANN_OK) return rc;
  ann_context_orphan(table);
  return release(vtab);
}

/* An index whose table is gone, or not in order, can be renamed all the same. */
static int look_at_content(AnnStore *store) {
  int rc = ann_content_watch(store->content);
  if (rc == ANN_ERROR) ann_db_unsay(store->db);
  return rc == ANN_ERROR ? ANN_OK : rc;
}

static int rename_table(sqlite3_vtab *vtab, const char *new_name) {
  AnnStore *store = ann_table_of(vtab)->store;
  int rc;
  forget_message(vtab);
  if (ann_columns_is_reserved(new_name) ||
      sqlite3_stricmp(new_name, store->options.column) == 0) {
    vtab->zErrMsg = sqlite3_mprintf(
        "ann table %s: expected another new name than \"%s\", which names one of its columns",
        ann_db_name(store->db), new_name);
    return vtab->zErrMsg ? ANN_ERROR : ANN_NOMEM;
  }
  rc = ann_table_flush(ann_table_of(vtab));
  if (rc == ANN_OK && store->content) rc = look_at_content(store);
  if (rc == ANN_OK) {
    AnnSchema schema = ann_store_schema(store);
    rc = ann_content_rename(store->content, new_name);
    if (rc == ANN_OK) {
      ann_store_detach(store);
      rc = ann_schema_rename(schema, new_name, &vtab->zErrMsg);
    }
  }
  ann_context_report(store, rc, &vtab->zErrMsg);
  if (rc != ANN_OK) return rc;
  return ann_context_rename(ann_table_of(vtab), new_name);
}

static int shadow_name(const char *name) { return ann_schema_is_shadow(name); }

/* PRAGMA integrity_check, SQLite 3.44 and later. */
static int integrity(sqlite3_vtab *vtab, const char *schema, const char *name, int flags,
                     char **out_message) {
  AnnTable *table = ann_table_of(vtab);
  AnnFaults *faults = ann_alloc_zero(1, sizeof *faults);
  int rc = faults ? ann_check(table->store, faults) : ANN_NOMEM;
  (void)schema, (void)flags;
  if (rc == ANN_OK && faults->n > 0) {
    *out_message = sqlite3_mprintf("ann table %s: %s", name, faults->items[0].text);
  }
  /* What cannot be looked at is said like a fault: a code alone would end all of the PRAGMA. */
  if (rc == SQLITE_READONLY) {
    *out_message = sqlite3_mprintf("%s", ann_db_message(table->store->db));
    rc = ANN_OK;
  }
  if (faults) ann_faults_clear(faults);
  ann_free(faults);
  return rc;
}

/* sqlite3_module of SQLite 3.44: our headers may be older, and end before xIntegrity.
** An older SQLite never looks beyond what iVersion 3 promises. */
typedef struct Module {
  sqlite3_module base;
  int (*integrity)(sqlite3_vtab *, const char *, const char *, int, char **);
} Module;

static const Module module = {
  {
    .iVersion = 4,
    .xCreate = create_table,
    .xConnect = connect_table,
    .xBestIndex = ann_cursor_best_index,
    .xDisconnect = disconnect,
    .xDestroy = destroy,
    .xOpen = ann_cursor_open,
    .xClose = ann_cursor_close,
    .xFilter = ann_cursor_filter,
    .xNext = ann_cursor_next,
    .xEof = ann_cursor_eof,
    .xColumn = ann_cursor_column,
    .xRowid = ann_cursor_rowid,
    .xUpdate = ann_write,
    .xBegin = ann_transaction_begin,
    .xSync = ann_transaction_sync,
    .xCommit = ann_transaction_commit,
    .xRollback = ann_transaction_rollback,
    .xFindFunction = ann_cursor_find_function,
    .xRename = rename_table,
    .xSavepoint = ann_transaction_savepoint,
    .xRelease = ann_transaction_release,
    .xRollbackTo = ann_transaction_rollback_to,
    .xShadowName = shadow_name,
#if SQLITE_VERSION_NUMBER >= 3044000
    .xIntegrity = integrity,
#endif
  },
  integrity,
};

int ann_vtab_register(sqlite3 *db, AnnContext *context) {
  context->references++;
  return sqlite3_create_module_v2(db, "ann", &module.base, context, ann_context_release);
}
