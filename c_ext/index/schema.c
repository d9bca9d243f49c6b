/* schema.c -- see schema.h; also sql/schema.sql, which a test compares with this. */
#include "index/schema.h"

enum { ALWAYS, OWN_VECTORS, OVER_A_TABLE };

static const struct {
  const char *suffix;
  const char *columns;  /* as declared */
  const char *expected; /* its columns as COLUMNS_SQL gives them */
  int when;             /* it is there */
} tables[] = {
  {"config", "id INTEGER PRIMARY KEY, name TEXT, value", "id INTEGER 10,name TEXT 00,value  00",
   ALWAYS},
  {"vectors", "id INTEGER PRIMARY KEY, vector BLOB", "id INTEGER 10,vector BLOB 00",
   OWN_VECTORS},
  {"pages", "id INTEGER PRIMARY KEY, data BLOB", "id INTEGER 10,data BLOB 00", ALWAYS},
  {"places", "id INTEGER PRIMARY KEY, pages BLOB", "id INTEGER 10,pages BLOB 00", ALWAYS},
  {"waiting", "id INTEGER PRIMARY KEY, last INTEGER", "id INTEGER 10,last INTEGER 00", ALWAYS},
  {"changes", "id INTEGER PRIMARY KEY", "id INTEGER 10", OVER_A_TABLE},
};
#define KIND_SIZE 16
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

static int has_table(AnnSchema schema, int i) {
  return tables[i].when == ALWAYS || (tables[i].when == OVER_A_TABLE) == schema.is_content;
}

static int make_table(AnnSchema schema, int i, const char *unless, char **out_message) {
  return run(schema.db,
             sqlite3_mprintf("CREATE TABLE %s\"%w\".\"%w_%w\"(%s)", unless, schema.schema,
                             schema.name, tables[i].suffix, tables[i].columns),
             out_message);
}

int ann_schema_create(AnnSchema schema, char **out_message) {
  const char *name = schema.name;
  int rc = ANN_OK, i, taken = 0;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    if (!has_table(schema, i)) continue;
    rc = exists(schema.db, schema.schema, name, tables[i].suffix, &taken);
    if (rc == ANN_OK && taken) {
      *out_message = sqlite3_mprintf(
          "ann table %s: expected the name %s_%s to be free, but something has it", name, name,
          tables[i].suffix);
      return *out_message ? ANN_ERROR : ANN_NOMEM;
    }
  }
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    if (has_table(schema, i)) rc = make_table(schema, i, "", out_message);
  }
  if (rc != ANN_OK) ann_schema_drop(schema, NULL);
  return rc;
}

int ann_schema_add_changes(AnnSchema schema, char **out_message) {
  int rc = ANN_OK, i;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    if (tables[i].when == OVER_A_TABLE)
      rc = make_table(schema, i, "IF NOT EXISTS ", out_message);
  }
  return rc;
}

/* What has the name of a shadow table, "table" or "view"; "" when nothing has. */
static int kind_of(sqlite3 *db, const char *schema, const char *name, const char *suffix,
                   char *out_kind) {
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf(
      "SELECT type FROM \"%w\".sqlite_schema WHERE name = '%q_%q' COLLATE NOCASE", schema, name,
      suffix);
  int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : ANN_NOMEM;
  *out_kind = 0;
  if (rc == ANN_OK && sqlite3_step(stmt) == SQLITE_ROW) {
    sqlite3_snprintf(KIND_SIZE, out_kind, "%s", sqlite3_column_text(stmt, 0));
  }
  if (rc == ANN_OK) rc = sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return rc;
}

int ann_schema_drop(AnnSchema schema, char **out_message) {
  int rc = ANN_OK, i;
  char kind[KIND_SIZE];
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    if (!has_table(schema, i)) continue;
    rc = kind_of(schema.db, schema.schema, schema.name, tables[i].suffix, kind);
    if (rc != ANN_OK || !*kind) continue;
    rc = run(schema.db,
             sqlite3_mprintf("DROP %s \"%w\".\"%w_%w\"",
                             strcmp(kind, "view") == 0 ? "VIEW" : "TABLE", schema.schema,
                             schema.name, tables[i].suffix),
             out_message);
  }
  return rc;
}

int ann_schema_rename(AnnSchema schema, const char *new_name, char **out_message) {
  int rc = ANN_OK, i, present = 0;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    if (!has_table(schema, i)) continue;
    rc = exists(schema.db, schema.schema, schema.name, tables[i].suffix, &present);
    if (rc != ANN_OK || !present) continue;
    rc = run(schema.db,
             sqlite3_mprintf("ALTER TABLE \"%w\".\"%w_%w\" RENAME TO \"%w_%w\"", schema.schema,
                             schema.name, tables[i].suffix, new_name, tables[i].suffix),
             out_message);
  }
  return rc;
}

/* The columns of a table as `expected` has them: name, type, place in the primary key, and
** whether hidden; what has its name; whether it has an index, as the primary key of a table
** WITHOUT ROWID is; whether it has a foreign key. */
#define COLUMNS_SQL                                                                       \
  "SELECT (SELECT group_concat(name || ' ' || type || ' ' || pk || hidden) FROM "         \
  "pragma_table_xinfo('%q_%q', '%q')),"                                                   \
  " (SELECT group_concat(CASE WHEN type = 'table' AND rootpage = 0 THEN 'virtual table' " \
  "ELSE type END) FROM \"%w\".sqlite_schema WHERE tbl_name = '%q_%q' COLLATE NOCASE),"    \
  " EXISTS (SELECT 1 FROM pragma_index_list('%q_%q', '%q')),"                             \
  " EXISTS (SELECT 1 FROM pragma_foreign_key_list('%q_%q', '%q'))"

static int refuse_table(const char *name, const char *suffix, const char *expected,
                        const char *got, char **out_message) {
  *out_message = sqlite3_mprintf("expected %s_%s to %s, got %s", name, suffix, expected, got);
  return ANN_CORRUPT;
}

static int check_table(sqlite3 *db, const char *schema, const char *name, int i,
                       char **out_message) {
  sqlite3_stmt *stmt = NULL;
  const char *suffix = tables[i].suffix;
  char *sql = sqlite3_mprintf(COLUMNS_SQL, name, suffix, schema, schema, name, suffix, name,
                              suffix, schema, name, suffix, schema);
  int rc = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : ANN_NOMEM;
  if (rc == ANN_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    const char *found = (const char *)sqlite3_column_text(stmt, 0);
    const char *types = (const char *)sqlite3_column_text(stmt, 1);
    rc = ANN_OK;
    if (!types) {
      *out_message =
          sqlite3_mprintf("expected the table %s_%s, which is missing", name, suffix);
      rc = ANN_CORRUPT;
    } else if (strcmp(types, "table") != 0) {
      rc = refuse_table(name, suffix, "be a table without triggers or indexes", types,
                        out_message);
    } else if (!found || strcmp(found, tables[i].expected) != 0) {
      *out_message = sqlite3_mprintf("expected %s_%s to have the columns %s, got %s", name,
                                     suffix, tables[i].columns, found ? found : "none");
      rc = ANN_CORRUPT;
    } else if (sqlite3_column_int(stmt, 2)) {
      rc = refuse_table(name, suffix, "have a rowid", "a table WITHOUT ROWID", out_message);
    } else if (sqlite3_column_int(stmt, 3)) {
      rc = refuse_table(name, suffix, "have no foreign key", "one", out_message);
    }
  }
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return rc;
}

int ann_schema_check(AnnSchema schema, char **out_message) {
  int rc = ANN_OK, i;
  for (i = 0; i < N_TABLES && rc == ANN_OK; i++) {
    if (has_table(schema, i)) {
      rc = check_table(schema.db, schema.schema, schema.name, i, out_message);
    }
  }
  return rc;
}

int ann_schema_is_shadow(const char *suffix) {
  int i;
  for (i = 0; i < N_TABLES; i++) {
    if (tables[i].when != OVER_A_TABLE && sqlite3_stricmp(suffix, tables[i].suffix) == 0) {
      return 1;
    }
  }
  return 0;
}
