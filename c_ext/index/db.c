/* db.c -- see db.h.  All SQL text that reads and writes shadow tables is here. */
#include "index/db.h"

#include <stdarg.h>

#include "core/bytes.h"

/* Columns of ANN_STMT_ALLOWED whose values have a type, the first ones. */
#define ALLOWED_TYPED 6

/* SQLite can be built without this function; where it is linked to us, it has no table of them. */
#ifndef SQLITE_CORE
#define HAS_DECLTYPE (sqlite3_api->column_decltype != NULL)
#elif defined(SQLITE_OMIT_DECLTYPE)
#define HAS_DECLTYPE 0
#else
#define HAS_DECLTYPE 1
#endif

struct AnnDb {
  sqlite3 *handle;                  /* borrowed */
  char *schema, *name;              /* owned */
  char *from;                       /* owned: where vectors are read; NULL: name_vectors */
  sqlite3_stmt *stmts[ANN_N_STMTS]; /* owned; made at first use */
  char *message;                    /* owned: the first error's sentence, NULL for none */
  int64_t cause;                    /* where in it what comes after the table's name begins */
  uint64_t told;                    /* stands for the sentence that was told last, 0 for none */
  int64_t changes;                  /* made to rows, ranges, pages and places, ever */
};

/* %s stands for "schema"."name_  and the table's suffix follows; the first %s of those that read
** vectors (reads_vectors) for where these are. */
static const char *const sql_of[ANN_N_STMTS] = {
  [ANN_STMT_CONFIG_GET] = "SELECT value FROM %sconfig\" WHERE id = ?1",
  [ANN_STMT_CONFIG_PUT] = "REPLACE INTO %sconfig\"(id, name, value) VALUES(?1, ?2, ?3)",
  [ANN_STMT_CONFIG_DELETE] = "DELETE FROM %sconfig\" WHERE id = ?1",
  [ANN_STMT_SNAPSHOT] = "SELECT value FROM %sconfig\" WHERE id = ?1",
  [ANN_STMT_VECTOR_GET] = "SELECT vector FROM %s WHERE id = ?1",
  [ANN_STMT_VECTOR_HAS] = "SELECT 1 FROM %s WHERE id = ?1",
  [ANN_STMT_VECTOR_PUT] = "INSERT INTO %svectors\"(id, vector) VALUES(?1, ?2)",
  [ANN_STMT_VECTOR_UPDATE] = "UPDATE %svectors\" SET vector = ?2 WHERE id = ?1",
  [ANN_STMT_VECTOR_DELETE] = "DELETE FROM %svectors\" WHERE id = ?1",
  [ANN_STMT_VECTOR_SCAN] = "SELECT id, vector FROM %s WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
  [ANN_STMT_VECTOR_MAX] = "SELECT max(id) FROM %s",
  [ANN_STMT_VECTOR_COUNT] =
      "SELECT count(*), min(id), max(id) FROM %s WHERE id BETWEEN ?1 AND ?2",
  [ANN_STMT_VECTOR_FIT] =
      "SELECT count(*) FROM %s WHERE typeof(vector) = 'text' OR (typeof(vector) = 'blob' AND "
      "length(vector) = ?1)",
  [ANN_STMT_PAGE_GET] = "SELECT data FROM %spages\" WHERE id = ?1",
  [ANN_STMT_PAGE_ADD] = "INSERT INTO %spages\"(id, data) VALUES(?1, ?2)",
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
  [ANN_STMT_CHANGE_ANY] = "SELECT id FROM %schanges\" LIMIT 1",
  [ANN_STMT_CHANGE_SCAN] = "SELECT id FROM %schanges\" ORDER BY id LIMIT ?1",
  [ANN_STMT_CHANGE_COUNT] = "SELECT count(*) FROM %schanges\"",
  [ANN_STMT_CHANGE_DELETE] = "DELETE FROM %schanges\" WHERE id <= ?1",
  [ANN_STMT_PLACE_GONE] =
      "WITH v AS (SELECT id FROM %s) SELECT p.id FROM %splaces\" p WHERE p.id >= ?1 "
      "AND NOT EXISTS (SELECT 1 FROM v WHERE v.id = p.id) ORDER BY p.id LIMIT 1",
  [ANN_STMT_QUERY_ONLY] = "SELECT query_only FROM pragma_query_only",
  [ANN_STMT_TICK] = "SELECT 1",
  /* What answers are made of; no row of it is read.  Each %s is for one prefix. */
  [ANN_STMT_ALLOWED] = "SELECT v.id, v.vector, p.id, p.data, w.id, w.last, c.value "
                       "FROM %s v, %spages\" p, %swaiting\" w, %sconfig\" c LIMIT 0",
};

/* ---- life ---- */

int ann_db_new(sqlite3 *handle, const char *schema, const char *name, AnnDb **out_db) {
  AnnDb *db = ann_alloc_zero(1, sizeof *db);
  *out_db = NULL;
  if (!db) return ANN_NOMEM;
  db->handle = handle;
  db->schema = sqlite3_mprintf("%s", schema);
  db->name = sqlite3_mprintf("%s", name);
  if (!db->schema || !db->name) {
    ann_db_free(db);
    return ANN_NOMEM;
  }
  *out_db = db;
  return ANN_OK;
}

void ann_db_free(AnnDb *db) {
  if (!db) return;
  ann_db_close(db);
  sqlite3_free(db->message);
  sqlite3_free(db->from);
  sqlite3_free(db->schema);
  sqlite3_free(db->name);
  ann_free(db);
}

void ann_db_close(AnnDb *db) {
  int i;
  for (i = 0; i < ANN_N_STMTS; i++) {
    sqlite3_finalize(db->stmts[i]);
    db->stmts[i] = NULL;
  }
}

/* Statements of which the first %s is where vectors are. */
static const int reads_vectors[] = {
  ANN_STMT_VECTOR_GET,   ANN_STMT_VECTOR_HAS, ANN_STMT_VECTOR_SCAN, ANN_STMT_VECTOR_MAX,
  ANN_STMT_VECTOR_COUNT, ANN_STMT_VECTOR_FIT, ANN_STMT_PLACE_GONE,  ANN_STMT_ALLOWED,
};
#define N_READS_VECTORS ((int)(sizeof reads_vectors / sizeof *reads_vectors))

void ann_db_read_from(AnnDb *db, char *from) {
  int i;
  for (i = 0; i < N_READS_VECTORS; i++) {
    sqlite3_finalize(db->stmts[reads_vectors[i]]);
    db->stmts[reads_vectors[i]] = NULL;
  }
  sqlite3_free(db->from);
  db->from = from;
}

char *ann_db_from(const AnnDb *db) {
  if (db->from) return sqlite3_mprintf("%s", db->from);
  return sqlite3_mprintf("\"%w\".\"%w_vectors\"", db->schema, db->name);
}

int ann_db_rename(AnnDb *db, const char *name) {
  char *copy = sqlite3_mprintf("%s", name);
  if (!copy) return ANN_NOMEM;
  ann_db_close(db);
  sqlite3_free(db->name);
  db->name = copy;
  return ANN_OK;
}

sqlite3 *ann_db_handle(const AnnDb *db) { return db->handle; }

const char *ann_db_schema(const AnnDb *db) { return db->schema; }

const char *ann_db_name(const AnnDb *db) { return db->name; }

/* ---- sentences ---- */

/* Without memory for the sentence there is none. */
static int keep_sentence(AnnDb *db, int rc, const char *where, const char *which,
                         const char *format, va_list arguments) {
  char *cause;
  if (db->message) return rc;
  cause = sqlite3_vmprintf(format, arguments);
  if (!cause) return rc;
  db->message = sqlite3_mprintf("ann table %s%s%s%s%s: %s", db->name, *where ? ", " : "", where,
                                *which ? " " : "", which, cause);
  if (db->message) db->cause = (int64_t)(strlen(db->message) - strlen(cause));
  sqlite3_free(cause);
  return rc;
}

int ann_db_fail(AnnDb *db, int rc, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  keep_sentence(db, rc, "", "", format, arguments);
  va_end(arguments);
  return rc;
}

int ann_db_fail_in(AnnDb *db, int rc, const char *where, const char *which, const char *format,
                   ...) {
  va_list arguments;
  va_start(arguments, format);
  keep_sentence(db, rc, where, which, format, arguments);
  va_end(arguments);
  return rc;
}

int ann_db_corrupt(AnnDb *db, const char *what, int64_t number) {
  return ann_db_fail(db, ANN_CORRUPT, "%s %lld is damaged; rebuild it", what,
                     (long long)number);
}

int ann_db_sqlite_failed(AnnDb *db, int rc) {
  return ann_db_fail(db, rc, "%s", sqlite3_errmsg(db->handle));
}

const char *ann_db_message(const AnnDb *db) { return db->message; }

const char *ann_db_cause(const AnnDb *db) {
  return db->message ? db->message + db->cause : NULL;
}

void ann_db_unsay(AnnDb *db) {
  sqlite3_free(db->message);
  db->message = NULL;
}

int ann_db_tell(AnnDb *db, const char *sentence) {
  uint64_t told = sentence ? ann_digest(1, sentence, strlen(sentence)) : 0;
  int is_another = told != db->told;
  db->told = told;
  return is_another;
}

/* ---- statements ---- */

sqlite3_stmt *ann_db_stmt(AnnDb *db, int which, int *out_rc) {
  if (!db->stmts[which]) {
    char *prefix = sqlite3_mprintf("\"%w\".\"%w_", db->schema, db->name);
    char *from = NULL, *sql = NULL;
    int i;
    for (i = 0; i < N_READS_VECTORS && reads_vectors[i] != which; i++) {}
    from = i < N_READS_VECTORS ? ann_db_from(db) : sqlite3_mprintf("%s", prefix);
    if (prefix && from) sql = sqlite3_mprintf(sql_of[which], from, prefix, prefix, prefix);
    *out_rc = sql ? sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                       &db->stmts[which], NULL)
                  : ANN_NOMEM;
    if (*out_rc != ANN_OK && *out_rc != ANN_NOMEM) ann_db_sqlite_failed(db, *out_rc);
    sqlite3_free(prefix);
    sqlite3_free(from);
    sqlite3_free(sql);
  }
  return db->stmts[which];
}

int ann_db_statements(const AnnDb *db) {
  int i, n = 0;
  for (i = 0; i < ANN_N_STMTS; i++) n += db->stmts[i] != NULL;
  return n;
}

sqlite3_stmt *ann_db_prepared(const AnnDb *db, int which) { return db->stmts[which]; }

int ann_db_run(AnnDb *db, sqlite3_stmt *stmt) {
  int rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : ann_db_sqlite_failed(db, rc);
}

int ann_db_step(AnnDb *db, sqlite3_stmt *stmt, int *out_row) {
  int rc = sqlite3_step(stmt);
  *out_row = rc == SQLITE_ROW;
  if (rc == SQLITE_ROW) return ANN_OK;
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : ann_db_sqlite_failed(db, rc);
}

int ann_db_tick(void *arg) {
  AnnDb *db = arg;
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_TICK, &rc);
  if (!stmt) return rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : ann_db_fail(db, rc, "interrupted");
}

int ann_db_data_version(const AnnDb *db, unsigned *out_version) {
  return sqlite3_file_control(db->handle, db->schema, SQLITE_FCNTL_DATA_VERSION, out_version) ==
         SQLITE_OK;
}

int ann_db_is_in_write(const AnnDb *db) {
  return sqlite3_txn_state(db->handle, db->schema) == SQLITE_TXN_WRITE;
}

int ann_db_ask_authorizer(AnnDb *db, int *out_typed) {
  int rc = ANN_OK, i;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_ALLOWED, &rc);
  if (stmt) rc = ann_db_run(db, stmt);
  if (!out_typed) return rc;
  *out_typed = 1;
  for (i = 0; rc == ANN_OK && i < ALLOWED_TYPED && *out_typed; i++) {
    *out_typed = HAS_DECLTYPE && sqlite3_column_decltype(stmt, i) != NULL;
  }
  return rc;
}

int ann_db_ask_if_compiled_anew(AnnDb *db, sqlite3_stmt *stmt, int *out_typed) {
  int rc;
  *out_typed = 1;
  if (sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_REPREPARE, 0) == 0) return ANN_OK;
  rc = ann_db_ask_authorizer(db, out_typed);
  if (rc == ANN_OK) sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_REPREPARE, 1);
  return rc;
}

int ann_db_check_writable(AnnDb *db, const char *what) {
  int rc = ANN_OK, has_row = 0, query_only = 0;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_QUERY_ONLY, &rc);
  if (!stmt) return rc;
  rc = ann_db_step(db, stmt, &has_row);
  query_only = has_row && sqlite3_column_int(stmt, 0);
  sqlite3_reset(stmt);
  if (rc != ANN_OK || !query_only) return rc;
  return ann_db_fail(
      db, SQLITE_READONLY,
      "expected to write what this transaction has changed, before it is %s, but "
      "PRAGMA query_only is on",
      what);
}

/* ---- changes ---- */

void ann_db_changed(AnnDb *db) { db->changes++; }

int64_t ann_db_changes(const AnnDb *db) { return db->changes; }

void ann_db_unchanged(AnnDb *db, int64_t changes) { db->changes = changes; }
