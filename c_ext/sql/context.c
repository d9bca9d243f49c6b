/* context.c -- see context.h. */
#include "sql/context.h"

void ann_context_add(AnnContext *context, AnnTable *table) {
  table->next = context->tables;
  context->tables = table;
}

void ann_context_remove(AnnContext *context, AnnTable *table) {
  AnnTable **p;
  for (p = &context->tables; *p; p = &(*p)->next) {
    if (*p == table) {
      *p = table->next;
      return;
    }
  }
}

void ann_context_release(void *arg) {
  AnnContext *context = arg;
  if (--context->references == 0) sqlite3_free(context);
}

static AnnTable *lookup(const AnnContext *context, const char *schema, const char *name) {
  AnnTable *table;
  for (table = context->tables; table; table = table->next) {
    if (sqlite3_stricmp(table->store->schema, schema) == 0 &&
        sqlite3_stricmp(table->store->name, name) == 0) {
      return table;
    }
  }
  return NULL;
}

static int has_table(sqlite3 *db, const char *schema, const char *name) {
  return sqlite3_table_column_metadata(db, schema, name, NULL, NULL, NULL, NULL, NULL, NULL) ==
         SQLITE_OK;
}

/* Made by SQLite if it was not yet mentioned. */
int ann_context_open(AnnContext *context, const char *schema, const char *name,
                     AnnTable **out_table, char **out_message) {
  sqlite3_stmt *stmt = NULL;
  char *sql;
  int rc;
  *out_table = lookup(context, schema, name);
  /* A rollback to a savepoint from before the creation tells the new table nothing; an
  ** older one may have its name again.  SQLite, asked to prepare, connects the right one. */
  if (*out_table && !(*out_table)->created) return ANN_OK;
  sql = sqlite3_mprintf("SELECT 1 FROM \"%w\".\"%w\"", schema, name);
  rc = sql ? sqlite3_prepare_v2(context->db, sql, -1, &stmt, NULL) : ANN_NOMEM;
  sqlite3_free(sql);
  sqlite3_finalize(stmt);
  if (rc != ANN_OK) {
    *out_message = sqlite3_mprintf("%s", sqlite3_errmsg(context->db));
    return rc;
  }
  *out_table = lookup(context, schema, name);
  if (*out_table) return ANN_OK;
  *out_message = sqlite3_mprintf("expected an ann table, but %s.%s is another kind of table",
                                 schema, name);
  return ANN_ERROR;
}

/* Search order of an unqualified name. */
static const char *schema_at(sqlite3 *db, int i) {
  return i == 0 ? "temp" : i == 1 ? "main" : sqlite3_db_name(db, i);
}

int ann_context_find(AnnContext *context, const char *name, AnnTable **out_table,
                     char **out_message) {
  const char *dot, *schema;
  int i, rc = ANN_ERROR;
  *out_table = NULL;
  if (!name) {
    *out_message = sqlite3_mprintf("expected the name of an ann table, got NULL");
    return ANN_ERROR;
  }
  for (i = 0; (schema = schema_at(context->db, i)) != NULL; i++) {
    if (has_table(context->db, schema, name)) {
      return ann_context_open(context, schema, name, out_table, out_message);
    }
  }
  dot = strchr(name, '.');
  if (dot) {
    char *first = sqlite3_mprintf("%.*s", (int)(dot - name), name);
    if (!first) return ANN_NOMEM;
    if (has_table(context->db, first, dot + 1)) {
      rc = ann_context_open(context, first, dot + 1, out_table, out_message);
      sqlite3_free(first);
      return rc;
    }
    sqlite3_free(first);
  }
  *out_message =
      sqlite3_mprintf("expected the name of an ann table, but there is no table %s", name);
  return ANN_ERROR;
}

int ann_context_report(const AnnStore *store, int rc, char **out_message) {
  if (rc != ANN_OK && store && store->message) {
    sqlite3_free(*out_message);
    *out_message = sqlite3_mprintf("%s", store->message);
  }
  return rc;
}
