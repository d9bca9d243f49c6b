/* schema.c -- see schema.h; also sql/schema.sql, which a test compares with this. */
#include "index/schema.h"

static const struct {
  const char *suffix;
  const char *columns;     /* as declared */
  const char *names;       /* as group_concat(name) of its columns */
} tables[] = {
  {"config", "id INTEGER PRIMARY KEY, name TEXT, value", "id,name,value"},
  {"vectors", "id INTEGER PRIMARY KEY, vector BLOB", "id,vector"},
  {"pages", "id INTEGER PRIMARY KEY, data BLOB", "id,data"},
  {"places", "id INTEGER PRIMARY KEY, pages BLOB", "id,pages"},
  {"waiting", "id INTEGER PRIMARY KEY, last INTEGER", "id,last"},
};
#define N_TABLES ((int)(sizeof tables / sizeof *tables))

/* Run one statement made by sqlite3_mprintf, and free it. */
static int run(sqlite3 *db, char *sql, char **out_message) {
  int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, out_message) : ANN_NOMEM;
  sqlite3_free(sql);
  return rc;
}

static int exists(sqlite3 *db, const char *schema, const char *name, const char *suffix,
                  int *out_exists) {
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema WHERE name = lower('%q_%q') "
                              "COLLATE NOCASE",
                              schema, name, suffix);
  int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : ANN_NOMEM;
  *out_exists = rc == ANN_OK && sqlite3_step(stmt) == SQLITE_ROW;
  if (rc == ANN_OK) rc = sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return rc;
}

int ann_schema_create(sqlite3 *db, const char *schema, const char *name, char **out_message) {
  int rc = ANN_OK, i, taken = 0;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    rc = exists(db, schema, name, tables[i].suffix, &taken);
    if (rc == ANN_OK && taken) {
      *out_message = sqlite3_mprintf(
          "ann table %s: expected the name %s_%s to be free, but something has it", name, name,
          tables[i].suffix);
      return *out_message ? ANN_ERROR : ANN_NOMEM;
    }
  }
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    rc = run(db,
             sqlite3_mprintf("CREATE TABLE \"%w\".\"%w_%w\"(%s)", schema, name,
                             tables[i].suffix, tables[i].columns),
             out_message);
  }
  if (rc != ANN_OK) ann_schema_drop(db, schema, name, NULL);
  return rc;
}

int ann_schema_drop(sqlite3 *db, const char *schema, const char *name, char **out_message) {
  int rc = ANN_OK, i;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    rc = run(db,
             sqlite3_mprintf("DROP TABLE IF EXISTS \"%w\".\"%w_%w\"", schema, name,
                             tables[i].suffix),
             out_message);
  }
  return rc;
}

int ann_schema_rename(sqlite3 *db, const char *schema, const char *name, const char *new_name,
                      char **out_message) {
  int rc = ANN_OK, i, present = 0;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    rc = exists(db, schema, name, tables[i].suffix, &present);
    if (rc != ANN_OK || !present) continue;
    rc = run(db,
             sqlite3_mprintf("ALTER TABLE \"%w\".\"%w_%w\" RENAME TO \"%w_%w\"", schema, name,
                             tables[i].suffix, new_name, tables[i].suffix),
             out_message);
  }
  return rc;
}

static int check_table(sqlite3 *db, const char *schema, const char *name, int i,
                       char **out_message) {
  sqlite3_stmt *stmt = NULL;
  const char *found = NULL, *suffix = tables[i].suffix;
  char *sql = sqlite3_mprintf(
      "SELECT (SELECT group_concat(name) FROM pragma_table_info('%q_%q', '%q')),"
      " (SELECT group_concat(type) FROM \"%w\".sqlite_schema"
      "   WHERE tbl_name = '%q_%q' COLLATE NOCASE)",
      name, suffix, schema, schema, name, suffix);
  int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : ANN_NOMEM;
  if (rc == ANN_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    const char *types = (const char *)sqlite3_column_text(stmt, 1);
    found = (const char *)sqlite3_column_text(stmt, 0);
    rc = ANN_OK;
    if (!types) {
      *out_message = sqlite3_mprintf("ann table %s: expected the table %s_%s, which is missing",
                                     name, name, suffix);
      rc = ANN_CORRUPT;
    } else if (strcmp(types, "table") != 0) {
      *out_message = sqlite3_mprintf(
          "ann table %s: expected %s_%s to be a table without triggers or indexes, got %s",
          name, name, suffix, types);
      rc = ANN_CORRUPT;
    } else if (!found || strcmp(found, tables[i].names) != 0) {
      *out_message =
          sqlite3_mprintf("ann table %s: expected %s_%s to have the columns %s, got %s", name,
                          name, suffix, tables[i].names, found ? found : "none");
      rc = ANN_CORRUPT;
    }
  }
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return rc;
}

int ann_schema_check(sqlite3 *db, const char *schema, const char *name, char **out_message) {
  int rc = ANN_OK, i;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    rc = check_table(db, schema, name, i, out_message);
  }
  return rc;
}

int ann_schema_is_shadow(const char *suffix) {
  int i;
  for (i = 0; i < N_TABLES; i++) {
    if (sqlite3_stricmp(suffix, tables[i].suffix) == 0) return 1;
  }
  return 0;
}
