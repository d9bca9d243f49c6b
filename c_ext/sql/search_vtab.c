/* search_vtab.c -- the table functions ann_search and ann_search_item; see search_vtab.h. */
#include "sql/search_vtab.h"

#include "core/bytes.h"
#include "sql/nearest.h"

enum {
  COLUMN_ID,
  COLUMN_DISTANCE,
  COLUMN_RANK,
  COLUMN_TABLE,
  COLUMN_QUERY,
  COLUMN_K,
  COLUMN_RECALL,
  COLUMN_SEARCH_K,
  COLUMN_MAX_DISTANCE,
  COLUMN_EXCLUDE,
  COLUMN_SELF,
  COLUMN_ALL_IDS,
  COLUMN_ALL_DISTANCES
};

typedef struct Function {
  sqlite3_vtab base;
  AnnContext *context;        /* borrowed */
  const AnnPlanColumns *columns;
  AnnNearest *spare;          /* owned: the result of the last cursor that closed */
  AnnHold hold;               /* owned: of the table last searched */
} Function;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  AnnNearest *nearest;        /* owned */
  int eof;
  char *table;                /* owned: argument, read back */
  sqlite3_value *query;       /* owned: argument, read back */
  sqlite3_value *excluded;    /* owned: first excluded id, read back */
  int64_t self;
} Cursor;

static const AnnPlanColumns search_columns = {
  "ann_search",
  {COLUMN_TABLE, COLUMN_QUERY, COLUMN_K, COLUMN_RECALL, COLUMN_SEARCH_K, COLUMN_MAX_DISTANCE,
   COLUMN_EXCLUDE, -1, COLUMN_ID},
  COLUMN_ID,
  COLUMN_DISTANCE,
  COLUMN_RANK,
  SQLITE_INDEX_CONSTRAINT_EQ,
};

static const AnnPlanColumns item_columns = {
  "ann_search_item",
  {COLUMN_TABLE, COLUMN_QUERY, COLUMN_K, COLUMN_RECALL, COLUMN_SEARCH_K, COLUMN_MAX_DISTANCE,
   COLUMN_EXCLUDE, COLUMN_SELF, COLUMN_ID},
  COLUMN_ID,
  COLUMN_DISTANCE,
  COLUMN_RANK,
  SQLITE_INDEX_CONSTRAINT_EQ,
};

static int connect_function(sqlite3 *db, AnnContext *context, const AnnPlanColumns *columns,
                            const char *declaration, sqlite3_vtab **out_vtab) {
  Function *function;
  int rc = sqlite3_declare_vtab(db, declaration);
  if (rc != ANN_OK) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  function = ann_alloc_zero(1, sizeof *function);
  if (!function) return ANN_NOMEM;
  function->context = context;
  function->columns = columns;
  *out_vtab = &function->base;
  return ANN_OK;
}

static int search_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                          sqlite3_vtab **out_vtab, char **out_message) {
  (void)argc, (void)argv, (void)out_message;
  return connect_function(
      db, aux, &search_columns,
      "CREATE TABLE x(id INTEGER, distance REAL, rank INTEGER, \"table\" HIDDEN, query HIDDEN, "
      "k HIDDEN, recall HIDDEN, search_k HIDDEN, max_distance HIDDEN, exclude HIDDEN, "
      "all_ids BLOB HIDDEN, all_distances BLOB HIDDEN)",
      out_vtab);
}

static int item_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out_vtab, char **out_message) {
  (void)argc, (void)argv, (void)out_message;
  return connect_function(
      db, aux, &item_columns,
      "CREATE TABLE x(id INTEGER, distance REAL, rank INTEGER, \"table\" HIDDEN, item HIDDEN, "
      "k HIDDEN, recall HIDDEN, search_k HIDDEN, max_distance HIDDEN, exclude HIDDEN, "
      "exclude_self HIDDEN, all_ids BLOB HIDDEN, all_distances BLOB HIDDEN)",
      out_vtab);
}

static int disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab->zErrMsg);
  Function *function = (Function *)vtab;
  ann_nearest_free(function->spare);
  ann_hold_clear(&function->hold);
  ann_free(function);
  return ANN_OK;
}

/* What comes after the last argument is a result, and takes no value. */
static int gives_result(const AnnPlanColumns *columns, const sqlite3_index_info *info) {
  int first = columns == &search_columns ? COLUMN_SELF : COLUMN_ALL_IDS, i;
  for (i = 0; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn >= first) return 1;
  }
  return 0;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const AnnPlanColumns *columns = ((Function *)vtab)->columns;
  if (gives_result(columns, info)) {
    vtab->zErrMsg = sqlite3_mprintf("too many arguments on %s()", columns->function);
    return ANN_ERROR;
  }
  return ann_plan_search(((Function *)vtab)->columns, info, &vtab->zErrMsg);
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  Cursor *cursor = ann_alloc_zero(1, sizeof *cursor);
  (void)vtab;
  if (!cursor) return ANN_NOMEM;
  *out_cursor = &cursor->base;
  return ANN_OK;
}

static void forget_arguments(Cursor *cursor) {
  sqlite3_free(cursor->table);
  sqlite3_value_free(cursor->query);
  sqlite3_value_free(cursor->excluded);
  cursor->table = NULL;
  cursor->query = cursor->excluded = NULL;
  cursor->self = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  Function *function = (Function *)base->pVtab;
  /* Before SQLite 3.41 a correlated subquery closes and opens its cursor every time. */
  if (cursor->nearest) {
    ann_nearest_free(function->spare);
    function->spare = cursor->nearest;
  }
  forget_arguments(cursor);
  ann_free(cursor);
  return ANN_OK;
}

/* Keep what columns read back.  An excluded id stands for the whole list, so that
** `exclude IN (…)` holds where SQLite checks it again. */
static int keep_arguments(Cursor *cursor, int bits, sqlite3_value **argv) {
  int at = ann_plan_argument(bits, ANN_ARG_TABLE);
  sqlite3_value *first = NULL;
  cursor->table = sqlite3_mprintf("%s", sqlite3_value_text(argv[at]));
  cursor->query = sqlite3_value_dup(argv[ann_plan_argument(bits, ANN_ARG_QUERY)]);
  if (!cursor->table || !cursor->query) return ANN_NOMEM;
  at = ann_plan_argument(bits, ANN_ARG_EXCLUDE);
  if (at >= 0) {
    if (sqlite3_vtab_in_first(argv[at], &first) != SQLITE_OK) first = argv[at];
    if (first) cursor->excluded = sqlite3_value_dup(first);
  }
  at = ann_plan_argument(bits, ANN_ARG_SELF);
  if (at >= 0) cursor->self = sqlite3_value_int64(argv[at]);
  return ANN_OK;
}

static int filter(sqlite3_vtab_cursor *base, int bits, const char *words, int argc,
                  sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  Function *function = (Function *)base->pVtab;
  AnnTable *table = NULL;
  AnnNearest **spare = cursor->nearest ? &cursor->nearest : &function->spare, *found = NULL;
  int at = ann_plan_argument(bits, ANN_ARG_TABLE), rc;
  (void)words, (void)argc;
  forget_arguments(cursor);
  cursor->eof = 1;
  rc = keep_arguments(cursor, bits, argv);
  if (rc != ANN_OK) return rc;
  rc = ann_context_find(function->context, (const char *)sqlite3_value_text(argv[at]),
                        &function->hold, &table, &base->pVtab->zErrMsg);
  if (rc != ANN_OK) {
    char *reason = base->pVtab->zErrMsg;
    base->pVtab->zErrMsg = sqlite3_mprintf("%s: %s", function->columns->function,
                                           reason ? reason : "out of memory");
    sqlite3_free(reason);
    return rc;
  }
  rc = ann_nearest_open(function->context, table, function->columns, bits, argv, spare, &found,
                        &base->pVtab->zErrMsg);
  ann_nearest_free(cursor->nearest);
  cursor->nearest = found;
  cursor->eof = rc != ANN_OK || found->eof;
  return rc;
}

static int next(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  int rc = ann_nearest_next(cursor->nearest, &base->pVtab->zErrMsg);
  cursor->eof = rc != ANN_OK || cursor->nearest->eof;
  return rc;
}

static int eof(sqlite3_vtab_cursor *base) { return ((Cursor *)base)->eof; }

/* Ids or distances of all rows of the search as one blob, which programs read faster than
** rows: little-endian, 8 bytes each. */
static int column_all(Cursor *cursor, sqlite3_context *out, int which) {
  AnnNearest *nearest = cursor->nearest;
  uint8_t *blob;
  int64_t i;
  int rc = ann_nearest_finish(nearest, &cursor->base.pVtab->zErrMsg);
  if (rc != ANN_OK) return rc;
  blob = ann_alloc_array((uint64_t)nearest->n_rows, 8);
  if (!blob) return ANN_NOMEM;
  for (i = 0; i < nearest->n_rows; i++) {
    uint64_t bits = (uint64_t)nearest->rows[i].id;
    if (which == COLUMN_ALL_DISTANCES) memcpy(&bits, &nearest->rows[i].key, sizeof bits);
    ann_put64(blob + 8 * i, bits);
  }
  sqlite3_result_blob64(out, blob, (uint64_t)nearest->n_rows * 8, ann_free);
  return ANN_OK;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  Cursor *cursor = (Cursor *)base;
  const AnnNearest *nearest = cursor->nearest;
  /* Only ann_search_item has exclude_self. */
  if (which >= COLUMN_SELF && ((Function *)base->pVtab)->columns == &search_columns) which++;
  switch (which) {
  case COLUMN_ID: sqlite3_result_int64(out, ann_nearest_row(nearest)->id); break;
  case COLUMN_DISTANCE: sqlite3_result_double(out, ann_nearest_row(nearest)->key); break;
  case COLUMN_RANK: sqlite3_result_int64(out, ann_nearest_rank(nearest)); break;
  case COLUMN_TABLE: sqlite3_result_text(out, cursor->table, -1, SQLITE_TRANSIENT); break;
  case COLUMN_QUERY: sqlite3_result_value(out, cursor->query); break;
  case COLUMN_K:
    if (nearest->k < INT64_MAX) sqlite3_result_int64(out, nearest->k);
    break;
  case COLUMN_RECALL: sqlite3_result_double(out, nearest->recall); break;
  case COLUMN_SEARCH_K:
    if (nearest->search_k) sqlite3_result_int64(out, nearest->search_k);
    break;
  case COLUMN_MAX_DISTANCE:
    if (nearest->max_distance <= 1.7976931348623157e308) {
      sqlite3_result_double(out, nearest->max_distance);
    }
    break;
  case COLUMN_EXCLUDE:
    if (cursor->excluded) sqlite3_result_value(out, cursor->excluded);
    break;
  case COLUMN_SELF: sqlite3_result_int64(out, cursor->self); break;
  default: return column_all(cursor, out, which);
  }
  return ANN_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  *out_rowid = ann_nearest_row(((Cursor *)base)->nearest)->id;
  return ANN_OK;
}

static const sqlite3_module search_module = {
  .xConnect = search_connect,
  .xBestIndex = best_index,
  .xDisconnect = disconnect,
  .xOpen = open_cursor,
  .xClose = close_cursor,
  .xFilter = filter,
  .xNext = next,
  .xEof = eof,
  .xColumn = column,
  .xRowid = rowid,
};

static const sqlite3_module item_module = {
  .xConnect = item_connect,
  .xBestIndex = best_index,
  .xDisconnect = disconnect,
  .xOpen = open_cursor,
  .xClose = close_cursor,
  .xFilter = filter,
  .xNext = next,
  .xEof = eof,
  .xColumn = column,
  .xRowid = rowid,
};

int ann_search_vtab_register(sqlite3 *db, AnnContext *context) {
  int rc;
  context->references += 2;
  rc = sqlite3_create_module_v2(db, "ann_search", &search_module, context, ann_context_release);
  if (rc != ANN_OK) {
    ann_context_release(context);
    return rc;
  }
  return sqlite3_create_module_v2(db, "ann_search_item", &item_module, context,
                                  ann_context_release);
}
