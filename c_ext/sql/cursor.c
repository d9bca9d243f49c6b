/* cursor.c -- see cursor.h.
**
** Strategies (idxNum), chosen in ann_cursor_best_index:
**   0                     every row in order of rowid
**   PLAN_LOW | PLAN_HIGH  rows with lowest <= rowid <= highest, as far as given
**   PLAN_EQUAL            the row of a rowid
**   PLAN_MATCH + …        embedding MATCH query: the bits of sql/arguments.h, shifted up
**   PLAN_REFUSED + …      none, for that argument, shifted up, needs a search
*/
#include "sql/cursor.h"

#include "sql/columns.h"
#include "sql/memo.h"
#include "sql/plan.h"
#include "sql/value.h"

enum {
  PLAN_LOW = 1,
  PLAN_HIGH = 2,
  PLAN_EQUAL = 4,
  PLAN_MATCH = 8,
  PLAN_REFUSED = 16,
  PLAN_SHIFT = 5,
};

#define HOW_TO_SEARCH \
  "; write MATCH beside AND, to the right of LEFT JOIN in ON, or use ann_search"

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  AnnMemo memo;       /* owned: the result of MATCH that is read, or was */
  void *vector;       /* owned: scratch of MATCH; of a scan of an ordinary table the row's */
  sqlite3_stmt *rows; /* owned: a scan of (id, vector); NULL: MATCH */
  int rows_end;       /* the scan is behind its last row */
} Cursor;

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

/* UPDATE … FROM may name every column, the one for commands, too. */
static int names_all(const sqlite3_index_info *info) {
  return info->colUsed >> ANN_COLUMN_COMMAND & 1;
}

static int plan_scan(sqlite3_index_info *info) {
  int chosen[5] = {-1, -1, -1, -1, -1}, i, n = 0, bit;
  double most = info->estimatedCost;
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
    info->aConstraintUsage[chosen[bit]].argvIndex = ++n; /* and checked again by SQLite */
  }
  if (info->idxNum & PLAN_EQUAL) {
    info->estimatedCost = 3;
    info->estimatedRows = 1;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  } else {
    /* Who reads vectors may mean MATCH, and this be a side of an OR beside it (plan.h), which is
    ** to cost no less than the search: of two plans as dear SQLite takes the first, the search. */
    info->estimatedCost = info->idxNum && !(info->colUsed >> ANN_COLUMN_VECTOR & 1) ? 3e5 : 1e6;
    info->estimatedRows = info->idxNum ? 100000 : 1000000;
  }
  /* Who reads the distance means MATCH, and this is a side of an OR beside it (plan.h). */
  if (!names_all(info) && info->colUsed >> ANN_COLUMN_DISTANCE & 1) info->estimatedCost = most;
  info->orderByConsumed = info->nOrderBy == 1 && info->aOrderBy[0].iColumn < 0 &&
                          !info->aOrderBy[0].desc;
  info->idxStr = (char *)(info->idxNum & PLAN_EQUAL ? "one row by rowid"
                          : info->idxNum            ? "rows in a range of rowids"
                                                    : "all rows");
  return ANN_OK;
}

/* An argument that has a value where nothing is searched for, or -1. */
static int argument_given(const sqlite3_index_info *info) {
  int i, argument = -1;
  for (i = 0; i < info->nConstraint && argument < 0; i++) {
    argument = ann_arguments_at(&ann_columns_form, info->aConstraint[i].iColumn);
  }
  return argument;
}

/* One that is named elsewhere in the statement, or -1. */
static int argument_named(const sqlite3_index_info *info) {
  int i, argument = -1;
  if (names_all(info)) return -1;
  for (i = ann_arguments_end(&ann_columns_form) - 1; i >= ANN_COLUMN_FIRST; i--) {
    if (info->colUsed >> i & 1) argument = ann_arguments_at(&ann_columns_form, i);
  }
  return argument;
}

/* To the right of a LEFT JOIN it would be NULL, and so might hide that MATCH is no search. */
static int refuse_argument(sqlite3_vtab *vtab, int argument) {
  vtab->zErrMsg = sqlite3_mprintf(
      "ann table %s: expected a search by MATCH beside %s, got none" HOW_TO_SEARCH,
      ann_db_name(ann_table_of(vtab)->store->db),
      ann_arguments_name(&ann_columns_form, argument));
  return vtab->zErrMsg ? ANN_ERROR : ANN_NOMEM;
}

int ann_cursor_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int i, rc;
  for (i = 0; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn == ANN_COLUMN_VECTOR &&
        info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_MATCH) {
      rc = ann_plan_search(&ann_columns_form, info, &vtab->zErrMsg);
      info->idxNum = PLAN_MATCH | info->idxNum << PLAN_SHIFT;
      return rc;
    }
  }
  i = argument_given(info);
  if (i >= 0) return refuse_argument(vtab, i);
  i = argument_named(info);
  if (i < 0) return plan_scan(info);
  /* A side of an OR beside MATCH looks so, too (plan.h): SQLite's own cost is the most. */
  info->idxNum = PLAN_REFUSED | i << PLAN_SHIFT;
  return ANN_OK;
}

/* MATCH where SQLite cannot make a search of it, and asks of one row after another. */
static void refuse_match(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  sqlite3_result_error(
      out, "MATCH: expected a search of the table, got a question to each row" HOW_TO_SEARCH,
      -1);
}

int ann_cursor_find_function(sqlite3_vtab *vtab, int argc, const char *name,
                             void (**out_function)(sqlite3_context *, int, sqlite3_value **),
                             void **out_user) {
  (void)vtab, (void)argc;
  if (strcmp(name, "match") != 0) return 0;
  *out_function = refuse_match;
  *out_user = NULL;
  return 1;
}

/* ---- cursors ---- */

int ann_cursor_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  Cursor *cursor = ann_alloc_zero(1, sizeof *cursor);
  (void)vtab;
  if (!cursor) return ANN_NOMEM;
  *out_cursor = &cursor->base;
  return ANN_OK;
}

int ann_cursor_close(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  sqlite3_finalize(cursor->rows);
  ann_memo_close(&cursor->memo);
  ann_free(cursor->vector);
  ann_free(cursor);
  return ANN_OK;
}

/* The vector of a row of an ordinary table, as a blob, whatever it is there; *out_found: it is
** one. */
static int read_content(Cursor *cursor, int *out_found) {
  AnnStore *store = ann_table_of(cursor->base.pVtab)->store;
  const AnnSpace *space = &store->options.space;
  int rc;
  if (!cursor->vector) cursor->vector = ann_alloc((uint64_t)space->blob_size);
  if (!cursor->vector) return ANN_NOMEM;
  rc = ann_source_read(store->source, cursor->rows, 1, sqlite3_column_int64(cursor->rows, 0),
                       cursor->vector, out_found);
  if (rc == ANN_OK && *out_found) ann_space_to_blob(space, cursor->vector, cursor->vector);
  return rc;
}

static int step_rows(Cursor *cursor) {
  AnnStore *store = ann_table_of(cursor->base.pVtab)->store;
  int found = 0, rc = SQLITE_ROW, read = ANN_OK;
  while (rc == SQLITE_ROW && read == ANN_OK && !found) {
    rc = sqlite3_step(cursor->rows);
    found = !store->content;
    if (rc == SQLITE_ROW && !found) read = read_content(cursor, &found);
  }
  cursor->rows_end = rc != SQLITE_ROW;
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return read;
  cursor->base.pVtab->zErrMsg = sqlite3_mprintf("%s", sqlite3_errmsg(ann_db_handle(store->db)));
  return rc;
}

/* A bound as SQLite would compare it: what is not a number is left to SQLite's own check. */
static int64_t bound(sqlite3_value *value, int64_t otherwise) {
  int64_t number;
  return ann_value_integer(value, &number) ? number : otherwise;
}

static int filter_scan(Cursor *cursor, int plan, sqlite3_value **argv) {
  AnnTable *table = ann_table_of(cursor->base.pVtab);
  AnnStore *store = table->store;
  int64_t low = INT64_MIN, high = INT64_MAX;
  int n = 0, rc = ann_store_begin(store);
  char *from = NULL, *sql; /* owned */
  if (plan & PLAN_LOW) low = bound(argv[n++], low);
  if (plan & PLAN_HIGH) high = bound(argv[n++], high);
  if (plan & PLAN_EQUAL) {
    low = bound(argv[n], 1);
    high = bound(argv[n], 0);
  }
  if (rc == ANN_OK) {
    from = ann_db_from(store->db);
    sql = from ? sqlite3_mprintf(
                     ANN_SCAN_MARK
                     "SELECT id, vector FROM %s WHERE id BETWEEN %lld AND %lld ORDER BY id",
                     from, low, high)
               : NULL;
    rc = sql ? sqlite3_prepare_v2(ann_db_handle(store->db), sql, -1, &cursor->rows, NULL)
             : ANN_NOMEM;
    sqlite3_free(from);
    sqlite3_free(sql);
  }
  ann_context_report(store, rc, &cursor->base.pVtab->zErrMsg);
  ann_store_end(store);
  return rc == ANN_OK ? step_rows(cursor) : rc;
}

static int filter_search(Cursor *cursor, int bits, sqlite3_value **argv) {
  AnnVtab *vtab = (AnnVtab *)cursor->base.pVtab;
  if (!vtab->answers) vtab->answers = ann_alloc_zero(1, sizeof *vtab->answers);
  if (!vtab->answers) return ANN_NOMEM;
  return ann_memo_ask(&cursor->memo, vtab->answers, vtab->table, &ann_columns_form, bits, argv,
                      &vtab->base.zErrMsg);
}

void ann_cursor_forget(sqlite3_vtab *base) {
  AnnVtab *vtab = (AnnVtab *)base;
  if (vtab->answers) ann_answers_clear(vtab->answers);
  ann_free(vtab->answers);
}

int ann_cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *words, int argc,
                      sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  (void)words, (void)argc;
  sqlite3_finalize(cursor->rows);
  cursor->rows = NULL;
  if (plan & PLAN_REFUSED) return refuse_argument(base->pVtab, plan >> PLAN_SHIFT);
  return plan & PLAN_MATCH ? filter_search(cursor, plan >> PLAN_SHIFT, argv)
                           : filter_scan(cursor, plan, argv);
}

int ann_cursor_next(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  return cursor->rows ? step_rows(cursor)
                      : ann_stream_next(cursor->memo.stream, &base->pVtab->zErrMsg);
}

int ann_cursor_eof(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  return cursor->rows ? cursor->rows_end : ann_stream_eof(cursor->memo.stream);
}

int ann_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  Cursor *cursor = (Cursor *)base;
  *out_rowid = cursor->rows ? sqlite3_column_int64(cursor->rows, 0)
                            : ann_stream_id(cursor->memo.stream);
  return ANN_OK;
}

/* The vector of a row found by MATCH. */
static int column_vector(Cursor *cursor, sqlite3_context *out) {
  AnnStore *store = ann_table_of(cursor->base.pVtab)->store;
  const AnnSpace *space = &store->options.space;
  int found = 0, rc = ann_store_begin(store);
  if (!cursor->vector) cursor->vector = ann_alloc((uint64_t)space->blob_size);
  if (rc == ANN_OK && !cursor->vector) rc = ANN_NOMEM;
  if (rc == ANN_OK) {
    rc = ann_source_get(store->source, ann_stream_id(cursor->memo.stream), cursor->vector,
                        &found);
  }
  if (rc == ANN_OK && found) {
    ann_space_to_blob(space, cursor->vector, cursor->vector);
    sqlite3_result_blob64(out, cursor->vector, (uint64_t)space->blob_size, SQLITE_TRANSIENT);
  }
  rc = ann_context_report(store, rc, &cursor->base.pVtab->zErrMsg);
  ann_store_end(store);
  return rc;
}

/* The vector of a row of a scan. */
static void column_scanned(const Cursor *cursor, sqlite3_context *out) {
  const AnnStore *store = ann_table_of(cursor->base.pVtab)->store;
  if (store->content) {
    sqlite3_result_blob64(out, cursor->vector, (uint64_t)ann_store_vector_bytes(store),
                          SQLITE_TRANSIENT);
  } else {
    sqlite3_result_value(out, sqlite3_column_value(cursor->rows, 1));
  }
}

int ann_cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  Cursor *cursor = (Cursor *)base;
  if (sqlite3_vtab_nochange(out)) return ANN_OK;
  if (!cursor->rows) {
    if (which == ANN_COLUMN_VECTOR) return column_vector(cursor, out);
    ann_stream_result(cursor->memo.stream, which, out);
  } else if (which == ANN_COLUMN_VECTOR) {
    column_scanned(cursor, out);
  }
  return ANN_OK;
}
