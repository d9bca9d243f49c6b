/* each_vtab.c -- see each_vtab.h. */
#include "sql/each_vtab.h"

#include "core/space.h"
#include "sql/function.h"
#include "sql/value.h"

enum { COLUMN_N, COLUMN_VALUE };

typedef struct Cursor {
  AnnFunctionCursor base;
  AnnSpace space; /* of the vector */
  void *vector;   /* owned */
} Cursor;

static void clear(AnnFunctionCursor *base) {
  Cursor *cursor = (Cursor *)base;
  ann_free(cursor->vector);
  cursor->vector = NULL;
}

static int refuse(Cursor *cursor, const char *message) {
  cursor->base.base.pVtab->zErrMsg = sqlite3_mprintf("ann_each: %s", message);
  return cursor->base.base.pVtab->zErrMsg ? ANN_ERROR : ANN_NOMEM;
}

static int fill(AnnFunctionCursor *base, sqlite3_value **values) {
  Cursor *cursor = (Cursor *)base;
  sqlite3_value **a = base->arguments;
  const AnnElement *element = ann_element_default();
  char message[ANN_VECTOR_MESSAGE], names[ANN_NAMES];
  int rc;
  (void)values;
  if (sqlite3_value_type(a[0]) == SQLITE_NULL) return ANN_OK;
  if (a[1] && sqlite3_value_type(a[1]) != SQLITE_NULL) {
    const char *name = (const char *)sqlite3_value_text(a[1]);
    element = name ? ann_element_named(name) : NULL;
    if (!element) {
      sqlite3_snprintf(sizeof message, message, "expected type %s, got \"%.40s\"",
                       ann_element_names(names), name);
      return refuse(cursor, message);
    }
  }
  ann_space_init(&cursor->space, element, ann_metric_default(element), 0);
  rc = ann_value_any_vector(a[0], &cursor->space, &cursor->vector, message);
  if (rc == ANN_ERROR) return refuse(cursor, message);
  if (rc == ANN_OK) base->n_rows = cursor->space.dimensions;
  return rc;
}

static void result(AnnFunctionCursor *base, sqlite3_context *out, int column) {
  Cursor *cursor = (Cursor *)base;
  switch (column) {
  case COLUMN_N: sqlite3_result_int64(out, base->at); break;
  case COLUMN_VALUE:
    sqlite3_result_double(out, (double)cursor->space.element->at(cursor->vector, base->at));
    break;
  }
}

static const AnnFunctionKind kind = {
  .cursor_size = sizeof(Cursor),
  .safety = SQLITE_VTAB_INNOCUOUS,
  .expected_rows = 384,
  .fill = fill,
  .result = result,
  .clear = clear,
};

static const AnnFunction function = {
  .kind = &kind,
  .name = "ann_each",
  .declaration = "CREATE TABLE x(n INTEGER, value REAL, vector HIDDEN, type HIDDEN)",
  .usage = "arguments (vector [, type])",
  .n_columns = 2,
  .n_needed = 1,
};

int ann_each_vtab_register(sqlite3 *db, AnnContext *context) {
  return ann_function_register(db, context, &function);
}
