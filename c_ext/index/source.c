/* source.c -- see source.h. */
#include "index/source.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ANN_SOURCE_CONVERTS 1
#else
#define ANN_SOURCE_CONVERTS 0
#endif

/* What differs between kinds of sources. */
typedef struct AnnSourceKind {
  int get, has, scan, max, count; /* statements of index/db.h */
  int may_lack;                   /* rows may go behind the index's back */
  int may_keep;                   /* what was read holds until the table is written */
} AnnSourceKind;

static const AnnSourceKind own_table = {
  ANN_STMT_VECTOR_GET,
  ANN_STMT_VECTOR_HAS,
  ANN_STMT_VECTOR_SCAN,
  ANN_STMT_VECTOR_MAX,
  ANN_STMT_VECTOR_COUNT,
  0,
  1,
};

struct AnnSource {
  AnnDb *db;       /* borrowed */
  AnnState *state; /* borrowed */
  const AnnSourceKind *kind;
  const AnnSpace *space; /* borrowed */
  void *blob;            /* owned: where vectors are converted, or NULL */
};

int ann_source_new(AnnDb *db, AnnState *state, const AnnSpace *space, AnnSource **out_source) {
  AnnSource *source = ann_alloc_zero(1, sizeof *source);
  *out_source = source;
  if (!source) return ANN_NOMEM;
  source->db = db;
  source->state = state;
  source->kind = &own_table;
  source->space = space;
  if (!ANN_SOURCE_CONVERTS) return ANN_OK;
  source->blob = ann_alloc((uint64_t)space->blob_size);
  return source->blob ? ANN_OK : ANN_NOMEM;
}

void ann_source_free(AnnSource *source) {
  if (source) ann_free(source->blob);
  ann_free(source);
}

int64_t ann_source_vector_bytes(const AnnSource *source) { return source->space->blob_size; }

int ann_source_may_keep(const AnnSource *source) { return source->kind->may_keep; }

/* ---- reading ---- */

static int read_vector(AnnSource *source, sqlite3_stmt *stmt, int column, int64_t id,
                       void *out_vector) {
  char message[ANN_VECTOR_MESSAGE];
  int size = sqlite3_column_bytes(stmt, column);
  const void *blob = sqlite3_column_blob(stmt, column);
  if (sqlite3_column_type(stmt, column) != SQLITE_BLOB ||
      ann_element_from_blob(source->space->element, blob, size, source->space->dimensions,
                            out_vector, message) != ANN_OK) {
    return ann_db_corrupt(source->db, "vector", id);
  }
  return ANN_OK;
}

int ann_source_get(AnnSource *source, int64_t id, void *out_vector, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, source->kind->get, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_step(source->db, stmt, out_found);
  if (rc == ANN_OK && *out_found) rc = read_vector(source, stmt, 0, id, out_vector);
  sqlite3_reset(stmt);
  return rc;
}

int ann_source_has(AnnSource *source, int64_t id, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, source->kind->has, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_step(source->db, stmt, out_found);
  sqlite3_reset(stmt);
  return rc;
}

int ann_source_lacks(AnnSource *source, int64_t id) {
  if (source->kind->may_lack) return ANN_OK;
  return ann_db_fail(source->db, ANN_CORRUPT,
                     "the forest has a row %lld that %s_vectors lacks; rebuild it",
                     (long long)id, ann_db_name(source->db));
}

int ann_source_scan(AnnSource *source, int64_t first, int64_t last) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, source->kind->scan, &rc);
  if (!stmt) return rc;
  sqlite3_reset(stmt);
  sqlite3_bind_int64(stmt, 1, first);
  sqlite3_bind_int64(stmt, 2, last);
  return ANN_OK;
}

int ann_source_next(AnnSource *source, int64_t *out_id, void *out_vector, int *out_found) {
  sqlite3_stmt *stmt = ann_db_prepared(source->db, source->kind->scan);
  int rc = ann_db_step(source->db, stmt, out_found);
  if (rc != ANN_OK || !*out_found) return rc;
  *out_id = sqlite3_column_int64(stmt, 0);
  return read_vector(source, stmt, 1, *out_id, out_vector);
}

void ann_source_end(AnnSource *source) {
  sqlite3_reset(ann_db_prepared(source->db, source->kind->scan));
}

int ann_source_count(AnnSource *source, int64_t first, int64_t last, int64_t *out_n,
                     int64_t *out_smallest, int64_t *out_largest) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, source->kind->count, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, first);
  sqlite3_bind_int64(stmt, 2, last);
  rc = ann_db_step(source->db, stmt, &has_row);
  if (has_row) {
    *out_n = sqlite3_column_int64(stmt, 0);
    *out_smallest = sqlite3_column_int64(stmt, 1);
    *out_largest = sqlite3_column_int64(stmt, 2);
  }
  sqlite3_reset(stmt);
  return rc;
}

int ann_source_tell(AnnSource *source, int64_t *out_n) {
  sqlite3_stmt *stmt;
  int rc = ann_source_scan(source, INT64_MIN, INT64_MAX), found = 1;
  *out_n = 0;
  if (rc != ANN_OK) return rc;
  stmt = ann_db_prepared(source->db, source->kind->scan);
  while (rc == ANN_OK) {
    rc = ann_db_step(source->db, stmt, &found);
    if (rc != ANN_OK || !found) break;
    ann_state_fold(source->state, sqlite3_column_int64(stmt, 0), sqlite3_column_blob(stmt, 1),
                   sqlite3_column_bytes(stmt, 1));
    if (++*out_n % 256 == 0) rc = ann_db_tick(source->db);
  }
  ann_source_end(source);
  return rc;
}

int ann_source_max(AnnSource *source, int64_t *out_id) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, source->kind->max, &rc);
  *out_id = INT64_MIN;
  if (!stmt) return rc;
  rc = ann_db_step(source->db, stmt, &has_row);
  if (has_row && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
    *out_id = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_reset(stmt);
  return rc;
}

/* ---- writing ---- */

/* A vector as it is stored, until the next is asked for; on a little-endian host itself. */
static const void *as_stored(const AnnSource *source, const void *vector) {
#if ANN_SOURCE_CONVERTS
  ann_space_to_blob(source->space, vector, source->blob);
  return source->blob;
#else
  (void)source;
  return vector;
#endif
}

static void bind_vector(const AnnSource *source, sqlite3_stmt *stmt, int i,
                        const void *vector) {
  sqlite3_bind_blob64(stmt, i, as_stored(source, vector),
                      (uint64_t)ann_source_vector_bytes(source), SQLITE_STATIC);
}

/* The row has another content, or none: so has the table, by the row's stored bytes. */
static void changed(AnnSource *source, int64_t id, const void *vector) {
  ann_db_changed(source->db);
  ann_state_fold(source->state, id, vector ? as_stored(source, vector) : NULL,
                 vector ? ann_source_vector_bytes(source) : 0);
}

int ann_source_put(AnnSource *source, const int64_t *id, const void *vector, int64_t *out_id) {
  AnnDb *db = source->db;
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_VECTOR_PUT, &rc);
  if (!stmt) return rc;
  if (id) sqlite3_bind_int64(stmt, 1, *id);
  else sqlite3_bind_null(stmt, 1);
  bind_vector(source, stmt, 2, vector);
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  if ((rc & 0xff) == SQLITE_CONSTRAINT && id) {
    return ann_db_fail(db, SQLITE_CONSTRAINT_ROWID,
                       "expected a new rowid, but %lld is there already", (long long)*id);
  }
  if (rc != ANN_OK) return ann_db_sqlite_failed(db, rc);
  *out_id = id ? *id : sqlite3_last_insert_rowid(ann_db_handle(db));
  changed(source, *out_id, vector);
  return ANN_OK;
}

int ann_source_update(AnnSource *source, int64_t id, const void *vector) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_UPDATE, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  bind_vector(source, stmt, 2, vector);
  rc = ann_db_run(source->db, stmt);
  if (rc == ANN_OK) changed(source, id, vector);
  return rc;
}

int ann_source_delete(AnnSource *source, int64_t id, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_DELETE, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_run(source->db, stmt);
  *out_found = rc == ANN_OK && sqlite3_changes(ann_db_handle(source->db)) > 0;
  if (*out_found) changed(source, id, NULL);
  return rc;
}
