/* rows_vtab.c -- see rows_vtab.h.  ann_ids is the same virtual table, with `ids` alone. */
#include "sql/rows_vtab.h"

#include "core/bytes.h"
#include "core/vector.h"
#include "sql/value.h"

enum {
  COLUMN_N,
  COLUMN_VECTOR,
  COLUMN_ID,
  COLUMN_VECTORS,
  COLUMN_DIMENSIONS,
  COLUMN_TYPE,
  COLUMN_IDS
};
#define N_ARGUMENTS 4

/* The arguments of ann_ids as those of ann_rows, and its columns likewise. */
#define ARGUMENT_IDS 3
enum { IDS_COLUMN_N, IDS_COLUMN_ID, IDS_COLUMN_IDS };

typedef struct Table {
  sqlite3_vtab base;
  int ids_only;                            /* ann_ids */
} Table;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  sqlite3_value *arguments[N_ARGUMENTS];   /* owned: the blobs live in them */
  const uint8_t *vectors;                  /* borrowed from arguments[0] */
  const uint8_t *ids;                      /* borrowed from arguments[3], or NULL */
  float *components;                       /* owned: of the vector that is looked at */
  int64_t n, size, at;                     /* vectors, bytes of one, the current one */
} Cursor;

/* aux: NULL for ann_rows, else ann_ids. */
static int connect_rows(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out_vtab, char **out_message) {
  Table *table;
  int rc = sqlite3_declare_vtab(
      db,
      aux ? "CREATE TABLE x(n INTEGER, id INTEGER, ids HIDDEN)"
          : "CREATE TABLE x(n INTEGER, vector BLOB, id INTEGER, vectors HIDDEN, dimensions HIDDEN, "
            "type HIDDEN, ids HIDDEN)");
  (void)argc, (void)argv, (void)out_message;
  if (rc != ANN_OK) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  table = ann_alloc_zero(1, sizeof *table);
  if (!table) return ANN_NOMEM;
  table->ids_only = aux != NULL;
  *out_vtab = &table->base;
  return ANN_OK;
}

static int disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab->zErrMsg);
  ann_free(vtab);
  return ANN_OK;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int ids_only = ((Table *)vtab)->ids_only;
  int i, argument, n = 0, chosen[N_ARGUMENTS] = {-1, -1, -1, -1};
  for (i = 0; i < info->nConstraint; i++) {
    argument = ids_only ? info->aConstraint[i].iColumn - IDS_COLUMN_IDS + ARGUMENT_IDS
                        : info->aConstraint[i].iColumn - COLUMN_VECTORS;
    if (ids_only && argument != ARGUMENT_IDS) continue;
    if (argument < 0 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    chosen[argument] = i;
  }
  if (ids_only && chosen[ARGUMENT_IDS] < 0) {
    vtab->zErrMsg = sqlite3_mprintf("ann_ids: expected one argument, a blob of int64");
    return ANN_ERROR;
  }
  if (!ids_only && (chosen[0] < 0 || chosen[1] < 0)) {
    vtab->zErrMsg =
        sqlite3_mprintf("ann_rows: expected arguments (vectors, dimensions [, type [, ids]])");
    return ANN_ERROR;
  }
  for (argument = 0; argument < N_ARGUMENTS; argument++) {
    if (chosen[argument] < 0) continue;
    info->idxNum |= 1 << argument;
    info->aConstraintUsage[chosen[argument]].argvIndex = ++n;
    info->aConstraintUsage[chosen[argument]].omit = 1;
  }
  info->estimatedCost = 1e5;
  info->estimatedRows = 100000;
  return ANN_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  Cursor *cursor = ann_alloc_zero(1, sizeof *cursor);
  (void)vtab;
  if (!cursor) return ANN_NOMEM;
  *out_cursor = &cursor->base;
  return ANN_OK;
}

static void clear(Cursor *cursor) {
  int i;
  for (i = 0; i < N_ARGUMENTS; i++) {
    sqlite3_value_free(cursor->arguments[i]);
    cursor->arguments[i] = NULL;
  }
  ann_free(cursor->components);
  cursor->components = NULL;
  cursor->vectors = cursor->ids = NULL;
  cursor->n = cursor->at = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  clear((Cursor *)base);
  ann_free(base);
  return ANN_OK;
}

static int refuse(Cursor *cursor, char *message) {
  cursor->base.pVtab->zErrMsg = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

static int read_ids(Cursor *cursor) {
  sqlite3_value *ids = cursor->arguments[ARGUMENT_IDS];
  int64_t bytes = sqlite3_value_bytes(ids);
  if (sqlite3_value_type(ids) == SQLITE_NULL) return ANN_OK;
  if (sqlite3_value_type(ids) != SQLITE_BLOB || bytes % 8) {
    return refuse(
        cursor,
        sqlite3_mprintf(
            "ann_ids: expected a blob of int64 (a multiple of 8 bytes), got %s of %lld bytes",
            ann_value_kind(ids), (long long)bytes));
  }
  cursor->n = bytes / 8;
  cursor->ids = sqlite3_value_blob(ids);
  return ANN_OK;
}

/* Blob arguments are kept, not copied again: a value of a bound parameter is dup'ed once. */
static int read_arguments(Cursor *cursor) {
  sqlite3_value **a = cursor->arguments;
  int64_t dimensions = 0, bytes;
  int type = ANN_FLOAT32;
  const char *name;
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
    type = name ? ann_type_named(name) : 0;
    if (!type) {
      return refuse(cursor,
                    sqlite3_mprintf("ann_rows: expected type float32, got \"%s\"", name));
    }
  }
  cursor->size = dimensions * ann_type_size(type);
  bytes = sqlite3_value_bytes(a[0]);
  if (bytes % cursor->size) {
    return refuse(
        cursor,
        sqlite3_mprintf("ann_rows: expected a multiple of %lld bytes (%lld %s), got %lld bytes",
                        (long long)cursor->size, (long long)dimensions, ann_type_name(type),
                        (long long)bytes));
  }
  cursor->components = ann_alloc_array((uint64_t)dimensions, sizeof(float));
  if (!cursor->components) return ANN_NOMEM;
  cursor->n = bytes / cursor->size;
  cursor->vectors = sqlite3_value_blob(a[0]);
  if (!a[3] || sqlite3_value_type(a[3]) == SQLITE_NULL) return ANN_OK;
  bytes = sqlite3_value_bytes(a[3]);
  if (sqlite3_value_type(a[3]) != SQLITE_BLOB || bytes != 8 * cursor->n) {
    return refuse(
        cursor,
        sqlite3_mprintf(
            "ann_rows: expected ids to be a blob of %lld int64 (%lld bytes), got %s of %lld bytes",
            (long long)cursor->n, (long long)(8 * cursor->n), ann_value_kind(a[3]),
            (long long)bytes));
  }
  cursor->ids = sqlite3_value_blob(a[3]);
  return ANN_OK;
}

static int filter(sqlite3_vtab_cursor *base, int given, const char *words, int argc,
                  sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  int i, n = 0, rc;
  (void)words, (void)argc;
  clear(cursor);
  for (i = 0; i < N_ARGUMENTS; i++) {
    if (!(given >> i & 1)) continue;
    cursor->arguments[i] = sqlite3_value_dup(argv[n++]);
    if (!cursor->arguments[i]) return ANN_NOMEM;
  }
  rc = ((Table *)base->pVtab)->ids_only ? read_ids(cursor) : read_arguments(cursor);
  if (rc != ANN_OK) cursor->n = 0;
  return rc;
}

static int next(sqlite3_vtab_cursor *base) {
  ((Cursor *)base)->at++;
  return ANN_OK;
}

static int eof(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  return cursor->at >= cursor->n;
}

static int64_t current_id(const Cursor *cursor) {
  return cursor->ids ? (int64_t)ann_get64(cursor->ids + 8 * cursor->at) : cursor->at;
}

/* A bad one is refused here, where its place is known: whoever takes it sees but a blob. */
static void result_vector(Cursor *cursor, sqlite3_context *out) {
  const uint8_t *vector = cursor->vectors + cursor->at * cursor->size;
  char reason[ANN_VECTOR_MESSAGE], *message;
  if (ann_vector_from_blob(vector, cursor->size, cursor->size / 4, cursor->components,
                           reason) == ANN_OK) {
    sqlite3_result_blob64(out, vector, (uint64_t)cursor->size, SQLITE_TRANSIENT);
    return;
  }
  message = sqlite3_mprintf("ann_rows, n = %lld of %lld, id %lld: %s", (long long)cursor->at,
                            (long long)cursor->n, (long long)current_id(cursor), reason);
  if (message) {
    sqlite3_result_error(out, message, -1);
  } else {
    sqlite3_result_error_nomem(out);
  }
  sqlite3_free(message);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  Cursor *cursor = (Cursor *)base;
  if (((Table *)base->pVtab)->ids_only) {
    which = which == IDS_COLUMN_N ? COLUMN_N : which == IDS_COLUMN_ID ? COLUMN_ID : COLUMN_IDS;
  }
  switch (which) {
  case COLUMN_N: sqlite3_result_int64(out, cursor->at); break;
  case COLUMN_ID: sqlite3_result_int64(out, current_id(cursor)); break;
  case COLUMN_VECTOR: result_vector(cursor, out); break;
  default:
    if (cursor->arguments[which - COLUMN_VECTORS]) {
      sqlite3_result_value(out, cursor->arguments[which - COLUMN_VECTORS]);
    }
  }
  return ANN_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  *out_rowid = ((Cursor *)base)->at;
  return ANN_OK;
}

static const sqlite3_module module = {
  .xConnect = connect_rows,
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

int ann_rows_vtab_register(sqlite3 *db) {
  static int ids_only;                     /* its address says ann_ids */
  int rc = sqlite3_create_module(db, "ann_rows", &module, NULL);
  return rc == ANN_OK ? sqlite3_create_module(db, "ann_ids", &module, &ids_only) : rc;
}
