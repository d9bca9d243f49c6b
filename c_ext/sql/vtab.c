/* vtab.c -- the module `ann`; see vtab.h.
**
** Strategies (idxNum), chosen in best_index:
**   PLAN_SCAN        every row in order of rowid
**   PLAN_RANGE + …   rows with lowest <= rowid <= highest, as far as given; = is both
**   PLAN_MATCH + …   embedding MATCH query: the bits of sql/arguments.h, shifted up
*/
#include "sql/vtab.h"

#include "index/check.h"
#include "index/config.h"
#include "index/schema.h"
#include "index/search.h"
#include "sql/memo.h"
#include "sql/plan.h"
#include "sql/table.h"
#include "sql/transaction.h"
#include "sql/value.h"

enum { COLUMN_VECTOR, COLUMN_COMMAND, COLUMN_DISTANCE, COLUMN_RANK, COLUMN_FIRST };

enum { PLAN_LOW = 1, PLAN_HIGH = 2, PLAN_EQUAL = 4, PLAN_MATCH = 8, PLAN_SHIFT = 4 };

static const AnnForm form = {
  .function = "MATCH",
  .kind = ANN_FORM_MATCH,
  .vector = COLUMN_VECTOR,
  .id = -1,
  .distance = COLUMN_DISTANCE,
  .rank = COLUMN_RANK,
  .first = COLUMN_FIRST,
};

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  AnnMemo memo;               /* owned: MATCH, the result that is read, or was */
  void *vector;               /* owned: scratch of MATCH */
  sqlite3_stmt *rows;         /* owned: a scan of (id, vector); NULL: MATCH */
  int rows_end;               /* the scan is behind its last row */
} Cursor;

/* ---- create, connect, drop ---- */

static char *declaration(const char *name, const AnnOptions *options) {
  char *columns =
      sqlite3_mprintf("\"%w\" BLOB, \"%w\" HIDDEN, distance REAL HIDDEN, rank INTEGER HIDDEN",
                      options->column, name);
  char *all = columns ? ann_arguments_declaration(&form, columns, "") : NULL;
  sqlite3_free(columns);
  return all;
}

/* The name of a hidden column that is for questions; i from 0, NULL after the last. */
static const char *question(int i) {
  int column = COLUMN_DISTANCE + i, argument = ann_arguments_at(&form, column);
  if (column == COLUMN_DISTANCE) return "distance";
  if (column == COLUMN_RANK) return "rank";
  return argument >= 0 ? ann_arguments_name(&form, argument) : NULL;
}

static int is_reserved(const char *name) {
  int i;
  for (i = 0; question(i); i++) {
    if (sqlite3_stricmp(question(i), name) == 0) return 1;
  }
  return 0;
}

static AnnTable *table_of(const sqlite3_vtab *vtab) { return ((const AnnVtab *)vtab)->table; }

static int make_vtab(sqlite3 *db, AnnContext *context, int argc, const char *const *argv,
                     int fresh, AnnVtab **out_vtab, char **out_message) {
  AnnOptions options;
  AnnVtab *vtab = NULL;
  char *sql = NULL;
  int rc = ann_options_parse(argv[2], argc - 3, argv + 3, is_reserved, &options, out_message);
  if (rc != ANN_OK) return rc;
  sql = declaration(argv[2], &options);
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

static int disconnect(sqlite3_vtab *vtab) {
  forget_message(vtab);
  ann_context_give(table_of(vtab));
  ann_free(vtab);
  return ANN_OK;
}

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out_vtab, char **out_message) {
  AnnVtab *vtab = NULL;
  int rc = make_vtab(db, aux, argc, argv, 0, &vtab, out_message);
  if (rc == ANN_OK) *out_vtab = &vtab->base;
  return rc;
}

static int create_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out_vtab, char **out_message) {
  AnnVtab *vtab = NULL;
  int64_t mark = 0;
  int rc = make_vtab(db, aux, argc, argv, 1, &vtab, out_message);
  if (rc != ANN_OK) return rc;
  rc = ann_schema_create(db, argv[1], argv[2], out_message);
  if (rc == ANN_OK) {
    mark = ++vtab->table->context->marks;
    rc = ann_config_create(vtab->table->store->db, &vtab->table->store->options, mark);
    ann_context_report(vtab->table->store, rc, out_message);
    if (rc != ANN_OK) {
      ann_store_detach(vtab->table->store);
      ann_schema_drop(db, argv[1], argv[2], NULL);
    }
  }
  if (rc != ANN_OK) {
    ann_context_orphan(vtab->table);
    disconnect(&vtab->base);
    return rc;
  }
  /* SQLite counts a table among those being written from its creation on, without xBegin. */
  ann_store_write_begins(vtab->table->store);
  vtab->table->created = mark;
  *out_vtab = &vtab->base;
  return ANN_OK;
}

static int destroy(sqlite3_vtab *vtab) {
  AnnTable *table = table_of(vtab);
  int rc;
  forget_message(vtab);
  ann_store_detach(table->store);
  rc = ann_schema_drop(ann_db_handle(table->store->db), ann_db_schema(table->store->db),
                       ann_db_name(table->store->db), &vtab->zErrMsg);
  if (rc != ANN_OK) return rc;
  ann_context_orphan(table);
  return disconnect(vtab);
}

static int rename_table(sqlite3_vtab *vtab, const char *new_name) {
  AnnStore *store = table_of(vtab)->store;
  int rc;
  forget_message(vtab);
  if (is_reserved(new_name) || sqlite3_stricmp(new_name, store->options.column) == 0) {
    vtab->zErrMsg = sqlite3_mprintf(
        "ann table %s: expected another new name than \"%s\", which names one of its columns",
        ann_db_name(store->db), new_name);
    return vtab->zErrMsg ? ANN_ERROR : ANN_NOMEM;
  }
  rc = ann_table_settle(table_of(vtab));
  ann_context_report(store, rc, &vtab->zErrMsg);
  if (rc == ANN_OK) {
    ann_store_detach(store);
    rc = ann_schema_rename(ann_db_handle(store->db), ann_db_schema(store->db),
                           ann_db_name(store->db), new_name, &vtab->zErrMsg);
  }
  return rc == ANN_OK ? ann_db_rename(store->db, new_name) : rc;
}

/* ---- planning ---- */

/* A constraint on the rowid, of those that a scan can use. */
static int rowid_bit(int op) {
  switch (op) {
  case SQLITE_INDEX_CONSTRAINT_EQ: return PLAN_EQUAL;
  case SQLITE_INDEX_CONSTRAINT_GE:
  case SQLITE_INDEX_CONSTRAINT_GT: return PLAN_LOW;
  case SQLITE_INDEX_CONSTRAINT_LE:
  case SQLITE_INDEX_CONSTRAINT_LT: return PLAN_HIGH;
  default: return 0;
  }
}

static int plan_scan(sqlite3_index_info *info) {
  int chosen[5] = {-1, -1, -1, -1, -1}, i, n = 0, bit;
  for (i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    if (constraint->usable && constraint->iColumn < 0) {
      bit = rowid_bit(constraint->op);
      if (bit) chosen[bit] = i;
    }
  }
  if (chosen[PLAN_EQUAL] >= 0) chosen[PLAN_LOW] = chosen[PLAN_HIGH] = -1;
  for (bit = PLAN_LOW; bit <= PLAN_EQUAL; bit *= 2) {
    if (chosen[bit] < 0) continue;
    info->idxNum |= bit;
    info->aConstraintUsage[chosen[bit]].argvIndex = ++n;   /* and checked again by SQLite */
  }
  if (info->idxNum & PLAN_EQUAL) {
    info->estimatedCost = 3;
    info->estimatedRows = 1;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  } else {
    info->estimatedCost = info->idxNum ? 3e5 : 1e6;
    info->estimatedRows = info->idxNum ? 100000 : 1000000;
  }
  info->orderByConsumed = info->nOrderBy == 1 && info->aOrderBy[0].iColumn < 0 &&
                          !info->aOrderBy[0].desc;
  info->idxStr = (char *)(info->idxNum & PLAN_EQUAL ? "one row by rowid"
                          : info->idxNum            ? "rows in a range of rowids"
                                                    : "all rows");
  return ANN_OK;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int i, rc;
  for (i = 0; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn == COLUMN_VECTOR &&
        info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_MATCH) {
      rc = ann_plan_search(&form, info, &vtab->zErrMsg);
      info->idxNum = PLAN_MATCH | info->idxNum << PLAN_SHIFT;
      return rc;
    }
  }
  return plan_scan(info);
}

/* ---- cursors ---- */

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  Cursor *cursor = ann_alloc_zero(1, sizeof *cursor);
  (void)vtab;
  if (!cursor) return ANN_NOMEM;
  *out_cursor = &cursor->base;
  return ANN_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  sqlite3_finalize(cursor->rows);
  ann_memo_clear(&cursor->memo);
  ann_free(cursor->vector);
  ann_free(cursor);
  return ANN_OK;
}

static int step_rows(Cursor *cursor) {
  AnnTable *table = table_of(cursor->base.pVtab);
  int rc = sqlite3_step(cursor->rows);
  cursor->rows_end = rc != SQLITE_ROW;
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return ANN_OK;
  cursor->base.pVtab->zErrMsg =
      sqlite3_mprintf("%s", sqlite3_errmsg(ann_db_handle(table->store->db)));
  return rc;
}

/* A bound as SQLite would compare it: what is not a number is left to SQLite's own check. */
static int64_t bound(sqlite3_value *value, int64_t otherwise) {
  int64_t number;
  return ann_value_integer(value, &number) ? number : otherwise;
}

static int filter_scan(Cursor *cursor, int plan, sqlite3_value **argv) {
  AnnTable *table = table_of(cursor->base.pVtab);
  AnnStore *store = table->store;
  int64_t low = INT64_MIN, high = INT64_MAX;
  int n = 0, rc = ann_store_begin(store);
  char *sql;
  if (plan & PLAN_LOW) low = bound(argv[n++], low);
  if (plan & PLAN_HIGH) high = bound(argv[n++], high);
  if (plan & PLAN_EQUAL) {
    low = bound(argv[n], 1);
    high = bound(argv[n], 0);
  }
  if (rc == ANN_OK) {
    sql = sqlite3_mprintf(
        "SELECT id, vector FROM \"%w\".\"%w_vectors\" WHERE id BETWEEN %lld AND "
        "%lld ORDER BY id",
        ann_db_schema(store->db), ann_db_name(store->db), low, high);
    rc = sql ? sqlite3_prepare_v2(ann_db_handle(store->db), sql, -1, &cursor->rows, NULL)
             : ANN_NOMEM;
    sqlite3_free(sql);
  }
  ann_context_report(store, rc, &cursor->base.pVtab->zErrMsg);
  ann_store_end(store);
  return rc == ANN_OK ? step_rows(cursor) : rc;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *words, int argc,
                  sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  (void)words, (void)argc;
  sqlite3_finalize(cursor->rows);
  cursor->rows = NULL;
  if (!(plan & PLAN_MATCH)) return filter_scan(cursor, plan, argv);
  return ann_memo_ask(&cursor->memo, table_of(base->pVtab), &form, plan >> PLAN_SHIFT, argv,
                      &base->pVtab->zErrMsg);
}

static int next(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  return cursor->rows ? step_rows(cursor)
                      : ann_stream_next(cursor->memo.stream, &base->pVtab->zErrMsg);
}

static int eof(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  return cursor->rows ? cursor->rows_end : ann_stream_eof(cursor->memo.stream);
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  Cursor *cursor = (Cursor *)base;
  *out_rowid = cursor->rows ? sqlite3_column_int64(cursor->rows, 0)
                            : ann_stream_id(cursor->memo.stream);
  return ANN_OK;
}

/* The vector of a row found by MATCH. */
static int column_vector(Cursor *cursor, sqlite3_context *out) {
  AnnStore *store = table_of(cursor->base.pVtab)->store;
  const AnnSpace *space = &store->options.space;
  int found = 0, rc = ann_store_begin(store);
  if (!cursor->vector) cursor->vector = ann_alloc((uint64_t)space->blob_size);
  if (rc == ANN_OK && !cursor->vector) rc = ANN_NOMEM;
  if (rc == ANN_OK) {
    rc = ann_source_get(store->source, ann_stream_id(cursor->memo.stream), cursor->vector,
                        &found);
  }
  if (rc == ANN_OK && found) {
    ann_space_to_blobs(space, cursor->vector, 1, cursor->vector);
    sqlite3_result_blob64(out, cursor->vector, (uint64_t)space->blob_size, SQLITE_TRANSIENT);
  }
  rc = ann_context_report(store, rc, &cursor->base.pVtab->zErrMsg);
  ann_store_end(store);
  return rc;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  Cursor *cursor = (Cursor *)base;
  if (sqlite3_vtab_nochange(out)) return ANN_OK;
  if (!cursor->rows) {
    if (which == COLUMN_VECTOR) return column_vector(cursor, out);
    ann_stream_result(cursor->memo.stream, which, out);
  } else if (which == COLUMN_VECTOR) {
    sqlite3_result_value(out, sqlite3_column_value(cursor->rows, 1));
  }
  return ANN_OK;
}

/* ---- writing ---- */

/* Hidden columns are for questions and commands; a command may have a k. */
static int refuse_hidden(sqlite3_vtab *vtab, sqlite3_value **columns, int is_command) {
  int k = ann_arguments_column(&form, ANN_ARG_K), i;
  for (i = 0; question(i); i++) {
    sqlite3_value *value = columns[COLUMN_DISTANCE + i];
    if (is_command && COLUMN_DISTANCE + i == k) continue;
    if (sqlite3_value_nochange(value) || sqlite3_value_type(value) == SQLITE_NULL) continue;
    vtab->zErrMsg = sqlite3_mprintf(
        "ann table %s: expected no value for the hidden column %s, got %s",
        ann_db_name(table_of(vtab)->store->db), question(i), ann_value_kind(value));
    return ANN_ERROR;
  }
  return ANN_OK;
}

static int insert_row(sqlite3_vtab *vtab, sqlite3_value *rowid, sqlite3_value **columns,
                      sqlite3_int64 *out_rowid) {
  AnnTable *table = table_of(vtab);
  int64_t id = 0;
  int is_command = sqlite3_value_type(columns[COLUMN_COMMAND]) != SQLITE_NULL;
  int rc = refuse_hidden(vtab, columns, is_command);
  if (rc != ANN_OK) return rc;
  if (is_command) {
    sqlite3_value *k = columns[ann_arguments_column(&form, ANN_ARG_K)];
    const char *text = (const char *)sqlite3_value_text(columns[COLUMN_COMMAND]);
    *out_rowid = sqlite3_last_insert_rowid(ann_db_handle(table->store->db));
    if (text && strcmp(text, "learn") == 0) {
      return ann_table_learn(table, columns[COLUMN_VECTOR]);
    }
    return ann_table_command(table, columns[COLUMN_COMMAND],
                             sqlite3_value_type(k) == SQLITE_NULL ? NULL : k);
  }
  if (sqlite3_value_type(rowid) == SQLITE_NULL) {
    rc = ann_table_insert(table, NULL, columns[COLUMN_VECTOR], &id);
  } else if (ann_value_integer(rowid, &id)) {
    rc = ann_table_insert(table, &id, columns[COLUMN_VECTOR], &id);
  } else {
    vtab->zErrMsg = sqlite3_mprintf("ann table %s: expected rowid to be an integer, got %s",
                                    ann_db_name(table->store->db), ann_value_kind(rowid));
    return SQLITE_MISMATCH;
  }
  *out_rowid = id;
  return rc;
}

static int update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv,
                  sqlite3_int64 *out_rowid) {
  AnnTable *table = table_of(vtab);
  sqlite3 *db = ann_db_handle(table->store->db);
  sqlite3_int64 last = sqlite3_last_insert_rowid(db);
  int64_t id, new_id;
  int rc;
  if (argc == 1) {
    rc = ann_table_delete(table, sqlite3_value_int64(argv[0]));
  } else if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
    rc = insert_row(vtab, argv[1], argv + 2, out_rowid);
  } else {
    sqlite3_value *vector = argv[2 + COLUMN_VECTOR];
    id = sqlite3_value_int64(argv[0]);
    rc = refuse_hidden(vtab, argv + 2, 0);
    if (rc == ANN_OK && !ann_value_integer(argv[1], &new_id)) {
      vtab->zErrMsg = sqlite3_mprintf("ann table %s: expected rowid to be an integer, got %s",
                                      ann_db_name(table->store->db), ann_value_kind(argv[1]));
      rc = SQLITE_MISMATCH;
    }
    if (rc == ANN_OK) {
      rc = ann_table_update(table, id, new_id, sqlite3_value_nochange(vector) ? NULL : vector);
    }
  }
  sqlite3_set_last_insert_rowid(db, last);
  return ann_context_report(table->store, rc, &vtab->zErrMsg);
}

static int shadow_name(const char *name) { return ann_schema_is_shadow(name); }

/* PRAGMA integrity_check, SQLite 3.44 and later. */
static int integrity(sqlite3_vtab *vtab, const char *schema, const char *name, int flags,
                     char **out_message) {
  AnnTable *table = table_of(vtab);
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
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xDestroy = destroy,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
    .xUpdate = update,
    .xBegin = ann_transaction_begin,
    .xSync = ann_transaction_sync,
    .xCommit = ann_transaction_commit,
    .xRollback = ann_transaction_rollback,
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
