/* function.c -- see function.h. */
#include "sql/function.h"

/* What a module is registered with. */
typedef struct Registration {
  AnnContext *context; /* counted */
  const AnnFunction *function;
} Registration;

typedef struct Table {
  sqlite3_vtab base;
  Registration from; /* borrowed */
} Table;

static const AnnFunction *function_of(const sqlite3_vtab *vtab) {
  return ((const Table *)vtab)->from.function;
}

static int connect_function(sqlite3 *db, void *aux, int argc, const char *const *argv,
                            sqlite3_vtab **out_vtab, char **out_message) {
  const Registration *registration = aux;
  Table *table;
  int rc = sqlite3_declare_vtab(db, registration->function->declaration);
  (void)argc, (void)argv, (void)out_message;
  if (rc != ANN_OK) return rc;
  sqlite3_vtab_config(db, registration->function->kind->safety);
  table = ann_alloc_zero(1, sizeof *table);
  if (!table) return ANN_NOMEM;
  table->from = *registration;
  *out_vtab = &table->base;
  return ANN_OK;
}

static int disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab->zErrMsg);
  ann_free(vtab);
  return ANN_OK;
}

/* ---- planning ---- */

/* idxNum has bit i for argument i, and bit ANN_KEY for the key; values come in this order. */
#define READS_ALL (1 << (ANN_KEY + 1))

/* What a constrained column is given for, or -1: nothing of ours, SQLite looks at the rows. */
static int purpose_of(const AnnFunction *function, int column) {
  if (column >= function->n_columns) return column - function->n_columns;
  if (column >= 0 && column < function->n_shown) return column + 1;
  return column == 0 && function->by_key ? ANN_KEY : -1;
}

/* Is it a column of all rows? */
static int is_of_all(const AnnFunction *function, int column) {
  return function->n_arguments > 0 && column >= function->n_columns + function->n_arguments;
}

/* *out_is_part: one that is needed is named in the statement, but this call does not show it, as
** for a side of an OR (plan.h). */
static int choose(const AnnFunction *function, const sqlite3_index_info *info, int *chosen,
                  int *out_is_part, char **out_message) {
  int i;
  for (i = 0; i <= ANN_KEY; i++) chosen[i] = -1;
  for (i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    int purpose = purpose_of(function, constraint->iColumn);
    if (is_of_all(function, constraint->iColumn)) {
      *out_message = sqlite3_mprintf("too many arguments on %s()", function->name);
      return ANN_ERROR;
    }
    if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || purpose < 0) continue;
    if (!constraint->usable) {
      if (purpose == ANN_KEY) continue;
      return SQLITE_CONSTRAINT;
    }
    if (chosen[purpose] >= 0 && purpose != ANN_KEY && function->once[purpose]) {
      *out_message = sqlite3_mprintf("%s: expected one value for %s, got two", function->name,
                                     function->once[purpose]);
      return ANN_ERROR;
    }
    chosen[purpose] = i;
  }
  for (i = 0; i < function->n_needed; i++) {
    if (chosen[i] >= 0) continue;
    if (info->colUsed >> (function->n_columns + i) & 1) {
      *out_is_part = 1;
      continue;
    }
    *out_message = sqlite3_mprintf("%s: expected %s", function->name, function->usage);
    return ANN_ERROR;
  }
  return ANN_OK;
}

/* Columns of all rows are few and the last. */
static int reads_all(const AnnFunction *function, const sqlite3_index_info *info) {
  return function->n_arguments > 0 &&
         info->colUsed >> (function->n_columns + function->n_arguments) != 0;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const AnnFunction *function = function_of(vtab);
  int i, n = 0, is_part = 0, chosen[ANN_KEY + 1];
  int rc = choose(function, info, chosen, &is_part, &vtab->zErrMsg);
  if (rc != ANN_OK) return rc;
  for (i = 0; i <= ANN_KEY; i++) {
    if (chosen[i] < 0) continue;
    info->aConstraintUsage[chosen[i]].argvIndex = ++n;
    info->aConstraintUsage[chosen[i]].omit = i != ANN_KEY;
    info->idxNum |= 1 << i;
  }
  if (reads_all(function, info)) info->idxNum |= READS_ALL;
  if (!is_part) info->estimatedCost = 1e5; /* else SQLite's own, the most */
  info->estimatedRows = function->kind->expected_rows;
  if (function->kind->is_in_order) info->orderByConsumed = function->kind->is_in_order(info);
  return ANN_OK;
}

/* ---- cursors ---- */

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  const AnnFunction *function = function_of(vtab);
  AnnFunctionCursor *cursor = ann_alloc_zero(1, function->kind->cursor_size);
  if (!cursor) return ANN_NOMEM;
  cursor->context = ((Table *)vtab)->from.context;
  cursor->function = function;
  *out_cursor = &cursor->base;
  return ANN_OK;
}

static void forget(AnnFunctionCursor *cursor) {
  int i;
  cursor->function->kind->clear(cursor);
  for (i = 0; i < ANN_MAX_ARGUMENTS; i++) {
    sqlite3_value_free(cursor->arguments[i]);
    cursor->arguments[i] = NULL;
  }
  cursor->n_rows = cursor->at = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  forget((AnnFunctionCursor *)base);
  ann_free(base);
  return ANN_OK;
}

static int filter(sqlite3_vtab_cursor *base, int given, const char *words, int argc,
                  sqlite3_value **argv) {
  AnnFunctionCursor *cursor = (AnnFunctionCursor *)base;
  sqlite3_value *values[ANN_KEY + 1] = {NULL};
  int i, n = 0, rc;
  (void)words, (void)argc;
  forget(cursor);
  cursor->reads_all = (given & READS_ALL) != 0;
  for (i = 0; i <= ANN_KEY; i++) {
    if (!(given >> i & 1)) continue;
    values[i] = argv[n++];
    if (i == ANN_KEY) break;
    cursor->arguments[i] = sqlite3_value_dup(values[i]);
    if (!cursor->arguments[i]) return ANN_NOMEM;
  }
  rc = cursor->function->kind->fill(cursor, values);
  if (rc != ANN_OK) cursor->n_rows = 0;
  return rc;
}

static int next(sqlite3_vtab_cursor *base) {
  AnnFunctionCursor *cursor = (AnnFunctionCursor *)base;
  cursor->at++;
  return cursor->function->kind->step ? cursor->function->kind->step(cursor) : ANN_OK;
}

static int eof(sqlite3_vtab_cursor *base) {
  const AnnFunctionCursor *cursor = (const AnnFunctionCursor *)base;
  return cursor->at >= cursor->n_rows;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  AnnFunctionCursor *cursor = (AnnFunctionCursor *)base;
  int argument = which - cursor->function->n_columns;
  if (argument < 0 || is_of_all(cursor->function, which)) {
    cursor->function->kind->result(cursor, out, which);
  } else if (cursor->arguments[argument]) {
    sqlite3_result_value(out, cursor->arguments[argument]);
  }
  return ANN_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  const AnnFunctionCursor *cursor = (const AnnFunctionCursor *)base;
  *out_rowid = cursor->at + cursor->function->kind->first_rowid;
  return ANN_OK;
}

static const sqlite3_module module = {
  .xConnect = connect_function,
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

static void release(void *arg) {
  Registration *registration = arg;
  ann_context_release(registration->context);
  ann_free(registration);
}

int ann_function_register(sqlite3 *db, AnnContext *context, const AnnFunction *function) {
  Registration *registration = ann_alloc_zero(1, sizeof *registration);
  if (!registration) return ANN_NOMEM;
  registration->context = context;
  registration->function = function;
  context->references++;
  return sqlite3_create_module_v2(db, function->name, &module, registration, release);
}
