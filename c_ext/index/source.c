/* source.c -- see source.h. */
#include "index/source.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ANN_SOURCE_CONVERTS 1
#else
#define ANN_SOURCE_CONVERTS 0
#endif

/* What differs between kinds of sources. */
typedef struct AnnSourceKind {
  int may_lack; /* rows may go, and what is no vector may come, behind the index's back */
  int may_keep; /* what was read holds until the table is written */
} AnnSourceKind;

static const AnnSourceKind own_table = {0, 1}, ordinary_table = {1, 0};

struct AnnSource {
  AnnDb *db;       /* borrowed */
  AnnState *state; /* borrowed */
  const AnnSourceKind *kind;
  const AnnSpace *space; /* borrowed */
  int strict;            /* nothing is passed over */
  void *blob;            /* owned: a vector that is converted, or only looked at */
};

int ann_source_new(AnnDb *db, AnnState *state, const AnnSpace *space, int is_content,
                   AnnSource **out_source) {
  AnnSource *source = ann_alloc_zero(1, sizeof *source);
  *out_source = source;
  if (!source) return ANN_NOMEM;
  source->db = db;
  source->state = state;
  source->kind = is_content ? &ordinary_table : &own_table;
  source->space = space;
  if (!ANN_SOURCE_CONVERTS && !is_content) return ANN_OK;
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

int ann_source_may_lack(const AnnSource *source) { return source->kind->may_lack; }

void ann_source_be_strict(AnnSource *source, int strict) { source->strict = strict; }

/* What stands in a column of a row, if it is a vector: ANN_OK, or ANN_ERROR and why not. */
static int parse(const AnnSource *source, sqlite3_stmt *stmt, int column, void *out_vector,
                 char *out_message) {
  const AnnSpace *space = source->space;
  int type = sqlite3_column_type(stmt, column);
  if (type == SQLITE_TEXT && source->kind->may_lack) {
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    if (!text) return ANN_NOMEM;
    return ann_element_from_json(space->element, text, sqlite3_column_bytes(stmt, column),
                                 space->dimensions, out_vector, out_message);
  }
  if (type != SQLITE_BLOB) {
    sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message, "expected a BLOB or JSON text");
    return ANN_ERROR;
  }
  return ann_element_from_blob(space->element, sqlite3_column_blob(stmt, column),
                               sqlite3_column_bytes(stmt, column), space->dimensions,
                               out_vector, out_message);
}

int ann_source_read(AnnSource *source, sqlite3_stmt *stmt, int column, int64_t id,
                    void *out_vector, int *out_found) {
  char message[ANN_VECTOR_MESSAGE];
  int rc = parse(source, stmt, column, out_vector, message);
  *out_found = rc == ANN_OK;
  if (rc != ANN_ERROR) return rc;
  if (!source->kind->may_lack) {
    return ann_db_fail(source->db, ANN_CORRUPT,
                       "vector %lld is damaged; write it anew or delete it", (long long)id);
  }
  if (!source->strict) return ANN_OK;
  return ann_db_fail(source->db, ANN_CORRUPT, "row %lld is not indexed: %s", (long long)id,
                     message);
}

int ann_source_get(AnnSource *source, int64_t id, void *out_vector, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_GET, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_step(source->db, stmt, out_found);
  if (rc == ANN_OK && *out_found)
    rc = ann_source_read(source, stmt, 0, id, out_vector, out_found);
  sqlite3_reset(stmt);
  return rc;
}

int ann_source_has(AnnSource *source, int64_t id, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_HAS, &rc);
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
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_SCAN, &rc);
  if (!stmt) return rc;
  sqlite3_reset(stmt);
  sqlite3_bind_int64(stmt, 1, first);
  sqlite3_bind_int64(stmt, 2, last);
  return ANN_OK;
}

int ann_source_next(AnnSource *source, int64_t *out_id, void *out_vector, int *out_found) {
  sqlite3_stmt *stmt = ann_db_prepared(source->db, ANN_STMT_VECTOR_SCAN);
  int rc = ANN_OK, is_vector = 0;
  while (rc == ANN_OK && !is_vector) {
    rc = ann_db_step(source->db, stmt, out_found);
    if (rc != ANN_OK || !*out_found) break;
    *out_id = sqlite3_column_int64(stmt, 0);
    rc = ann_source_read(source, stmt, 1, *out_id, out_vector, &is_vector);
  }
  return rc;
}

void ann_source_end(AnnSource *source) {
  sqlite3_reset(ann_db_prepared(source->db, ANN_STMT_VECTOR_SCAN));
}

int ann_source_count(AnnSource *source, int64_t first, int64_t last, int64_t *out_n,
                     int64_t *out_smallest, int64_t *out_largest) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_COUNT, &rc);
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

int ann_source_count_fit(AnnSource *source, int64_t *out_n) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_FIT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, source->space->blob_size);
  rc = ann_db_step(source->db, stmt, &has_row);
  if (has_row) *out_n = sqlite3_column_int64(stmt, 0);
  sqlite3_reset(stmt);
  return rc;
}

int ann_source_tell(AnnSource *source, int64_t *out_n) {
  sqlite3_stmt *stmt;
  int rc = ann_source_scan(source, INT64_MIN, INT64_MAX), found = 1, is_vector = 0;
  *out_n = 0;
  if (rc != ANN_OK) return rc;
  stmt = ann_db_prepared(source->db, ANN_STMT_VECTOR_SCAN);
  while (rc == ANN_OK) {
    rc = ann_db_step(source->db, stmt, &found);
    if (rc != ANN_OK || !found) break;
    if (source->kind->may_lack) {
      rc = ann_source_read(source, stmt, 1, sqlite3_column_int64(stmt, 0), source->blob,
                           &is_vector);
      if (rc != ANN_OK || !is_vector) continue;
    }
    ann_state_fold(source->state, sqlite3_column_int64(stmt, 0), sqlite3_column_blob(stmt, 1),
                   sqlite3_column_bytes(stmt, 1));
    if (++*out_n % 256 == 0) rc = ann_db_tick(source->db);
  }
  ann_source_end(source);
  return rc;
}

int ann_source_max(AnnSource *source, int64_t *out_id) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(source->db, ANN_STMT_VECTOR_MAX, &rc);
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
