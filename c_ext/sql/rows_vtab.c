/* rows_vtab.c -- see rows_vtab.h. */
#include "sql/rows_vtab.h"

#include "core/bitmap.h"
#include "core/element.h"
#include "sql/function.h"
#include "sql/value.h"

enum { COLUMN_N, COLUMN_VECTOR, COLUMN_ID };
enum { IDS_COLUMN_N, IDS_COLUMN_ID }; /* of ann_ids */

/* Of both functions. */
typedef struct Cursor {
  AnnFunctionCursor base;
  const uint8_t *vectors;    /* borrowed from an argument */
  const uint8_t *ids;        /* borrowed from an argument or from `listed`, or NULL */
  int64_t *listed;           /* owned: the ids of a set */
  const AnnElement *element; /* borrowed: their type */
  int64_t dimensions;
  void *vector; /* owned: the one that is looked at */
  int64_t size; /* bytes of a vector */
} Cursor;

static void clear(AnnFunctionCursor *base) {
  Cursor *cursor = (Cursor *)base;
  ann_free(cursor->vector);
  ann_free(cursor->listed);
  cursor->vector = NULL;
  cursor->listed = NULL;
  cursor->vectors = cursor->ids = NULL;
}

static int refuse(Cursor *cursor, char *message) {
  cursor->base.base.pVtab->zErrMsg = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

/* The ids of a set, as a list of 64-bit integers. */
static int list_set(Cursor *cursor, const AnnBitmap *set) {
  int64_t i;
  cursor->listed = ann_alloc_array((uint64_t)set->n, sizeof *cursor->listed);
  if (!cursor->listed) return ANN_NOMEM;
  ann_bitmap_ids(set, cursor->listed);
  for (i = 0; i < set->n; i++)
    cursor->listed[i] = (int64_t)ANN_LE64((uint64_t)cursor->listed[i]);
  cursor->ids = (const uint8_t *)cursor->listed;
  cursor->base.n_rows = set->n;
  return ANN_OK;
}

static int fill_ids(AnnFunctionCursor *base, sqlite3_value **values) {
  Cursor *cursor = (Cursor *)base;
  sqlite3_value *ids = base->arguments[0];
  int64_t bytes = sqlite3_value_bytes(ids);
  int is_blob = sqlite3_value_type(ids) == SQLITE_BLOB;
  AnnBitmap set;
  (void)values;
  if (sqlite3_value_type(ids) == SQLITE_NULL) return ANN_OK;
  if (is_blob && bytes % 8 && ann_bitmap_open(&set, sqlite3_value_blob(ids), bytes) == ANN_OK) {
    return list_set(cursor, &set);
  }
  if (!is_blob || bytes % 8) {
    return refuse(cursor, sqlite3_mprintf(
                              "ann_ids: expected a set of ids, or a blob of int64 (a multiple "
                              "of 8 bytes), got %s of %lld bytes",
                              ann_value_kind(ids), (long long)bytes));
  }
  base->n_rows = bytes / 8;
  cursor->ids = sqlite3_value_blob(ids);
  return ANN_OK;
}

/* The blobs are those of the arguments as they are kept: a bound one is copied once. */
static int fill_rows(AnnFunctionCursor *base, sqlite3_value **values) {
  Cursor *cursor = (Cursor *)base;
  sqlite3_value **a = base->arguments;
  int64_t dimensions = 0, bytes;
  const AnnElement *element = ann_element_default();
  const char *name;
  char names[ANN_NAMES];
  (void)values;
  if (sqlite3_value_type(a[0]) == SQLITE_NULL) return ANN_OK;
  if (sqlite3_value_type(a[0]) != SQLITE_BLOB) {
    return refuse(cursor, sqlite3_mprintf("ann_rows: expected vectors to be a blob, got %s",
                                          ann_value_kind(a[0])));
  }
  if (!ann_value_integer(a[1], &dimensions) || dimensions < 1 ||
      dimensions > ANN_MAX_DIMENSIONS) {
    return refuse(cursor, sqlite3_mprintf("ann_rows: expected dimensions from 1 to %d, got %s",
                                          ANN_MAX_DIMENSIONS, sqlite3_value_text(a[1])));
  }
  if (a[2] && sqlite3_value_type(a[2]) != SQLITE_NULL) {
    name = (const char *)sqlite3_value_text(a[2]);
    element = name ? ann_element_named(name) : NULL;
    if (!element) {
      return refuse(cursor, sqlite3_mprintf("ann_rows: expected type %s, got \"%s\"",
                                            ann_element_names(names), name));
    }
  }
  cursor->element = element;
  cursor->dimensions = dimensions;
  cursor->size = ann_element_size(element, dimensions);
  bytes = sqlite3_value_bytes(a[0]);
  if (bytes % cursor->size) {
    return refuse(
        cursor,
        sqlite3_mprintf("ann_rows: expected a multiple of %lld bytes (%lld %s), got %lld bytes",
                        (long long)cursor->size, (long long)dimensions, element->named.name,
                        (long long)bytes));
  }
  cursor->vector = ann_alloc((uint64_t)cursor->size);
  if (!cursor->vector) return ANN_NOMEM;
  base->n_rows = bytes / cursor->size;
  cursor->vectors = sqlite3_value_blob(a[0]);
  if (!a[3] || sqlite3_value_type(a[3]) == SQLITE_NULL) return ANN_OK;
  bytes = sqlite3_value_bytes(a[3]);
  if (sqlite3_value_type(a[3]) != SQLITE_BLOB || bytes != 8 * base->n_rows) {
    return refuse(
        cursor,
        sqlite3_mprintf(
            "ann_rows: expected ids to be a blob of %lld int64 (%lld bytes), got %s of %lld bytes",
            (long long)base->n_rows, (long long)(8 * base->n_rows), ann_value_kind(a[3]),
            (long long)bytes));
  }
  cursor->ids = sqlite3_value_blob(a[3]);
  return ANN_OK;
}

static int64_t current_id(const Cursor *cursor) {
  return cursor->ids ? (int64_t)ann_get64(cursor->ids + 8 * cursor->base.at) : cursor->base.at;
}

/* A bad one is refused here, where its place is known: whoever takes it sees but a blob. */
static void result_vector(Cursor *cursor, sqlite3_context *out) {
  const uint8_t *vector = cursor->vectors + cursor->base.at * cursor->size;
  char reason[ANN_VECTOR_MESSAGE], *message;
  if (ann_element_from_blob(cursor->element, vector, cursor->size, cursor->dimensions,
                            cursor->vector, reason) == ANN_OK) {
    sqlite3_result_blob64(out, vector, (uint64_t)cursor->size, SQLITE_TRANSIENT);
    return;
  }
  message = sqlite3_mprintf("ann_rows, n = %lld of %lld, id %lld: %s",
                            (long long)cursor->base.at, (long long)cursor->base.n_rows,
                            (long long)current_id(cursor), reason);
  if (message) {
    sqlite3_result_error(out, message, -1);
  } else {
    sqlite3_result_error_nomem(out);
  }
  sqlite3_free(message);
}

static void result_of_rows(AnnFunctionCursor *base, sqlite3_context *out, int column) {
  switch (column) {
  case COLUMN_N: sqlite3_result_int64(out, base->at); break;
  case COLUMN_VECTOR: result_vector((Cursor *)base, out); break;
  case COLUMN_ID: sqlite3_result_int64(out, current_id((Cursor *)base)); break;
  }
}

static void result_of_ids(AnnFunctionCursor *base, sqlite3_context *out, int column) {
  sqlite3_result_int64(out, column == IDS_COLUMN_N ? base->at : current_id((Cursor *)base));
}

static const AnnFunctionKind rows_kind = {
  .cursor_size = sizeof(Cursor),
  .safety = SQLITE_VTAB_INNOCUOUS,
  .expected_rows = 100000,
  .fill = fill_rows,
  .result = result_of_rows,
  .clear = clear,
};

static const AnnFunctionKind ids_kind = {
  .cursor_size = sizeof(Cursor),
  .safety = SQLITE_VTAB_INNOCUOUS,
  .expected_rows = 100000,
  .fill = fill_ids,
  .result = result_of_ids,
  .clear = clear,
};

static const AnnFunction rows_function = {
  .kind = &rows_kind,
  .name = "ann_rows",
  .declaration = "CREATE TABLE x(n INTEGER, vector BLOB, id INTEGER, vectors HIDDEN, "
                 "dimensions HIDDEN, type HIDDEN, ids HIDDEN)",
  .usage = "arguments (vectors, dimensions [, type [, ids]])",
  .n_columns = 3,
  .n_needed = 2,
};

static const AnnFunction ids_function = {
  .kind = &ids_kind,
  .name = "ann_ids",
  .declaration = "CREATE TABLE x(n INTEGER, id INTEGER, ids HIDDEN)",
  .usage = "one argument, a set of ids or a blob of int64",
  .n_columns = 2,
  .n_needed = 1,
};

int ann_rows_vtab_register(sqlite3 *db, AnnContext *context) {
  int rc = ann_function_register(db, context, &rows_function);
  return rc == ANN_OK ? ann_function_register(db, context, &ids_function) : rc;
}
