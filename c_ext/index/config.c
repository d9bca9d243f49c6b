/* config.c -- see config.h. */
#include "index/config.h"

#include "core/bytes.h"
#include "core/format.h"
#include "core/rotation.h"

int ann_config_put(AnnDb *db, int row, const char *name, const void *blob, int64_t size) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_CONFIG_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, row);
  sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
  if (row == ANN_CONFIG_FORMAT) sqlite3_bind_int(stmt, 3, ANN_FORMAT_VERSION);
  else if (row == ANN_CONFIG_OPTIONS)
    sqlite3_bind_text(stmt, 3, blob, (int)size, SQLITE_STATIC);
  else sqlite3_bind_blob64(stmt, 3, blob, (uint64_t)size, SQLITE_STATIC);
  return ann_db_run(db, stmt);
}

int ann_config_delete(AnnDb *db, int row) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_CONFIG_DELETE, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, row);
  return ann_db_run(db, stmt);
}

int ann_config_blob(AnnDb *db, int row, uint8_t **out_blob, int64_t *out_size) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_CONFIG_GET, &rc);
  *out_blob = NULL;
  *out_size = 0;
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, row);
  rc = ann_db_step(db, stmt, &has_row);
  if (rc == ANN_OK && has_row) {
    int size = sqlite3_column_bytes(stmt, 0);
    const void *blob = sqlite3_column_blob(stmt, 0);
    *out_blob = ann_alloc((uint64_t)size);
    if (!*out_blob) rc = ANN_NOMEM;
    else if (size) memcpy(*out_blob, blob, (size_t)size);
    *out_size = size;
  }
  sqlite3_reset(stmt);
  return rc;
}

int ann_config_put_state(AnnDb *db, const AnnState *state) {
  uint8_t blob[ANN_STATE_SIZE];
  ann_state_encode(state, blob);
  return ann_config_put(db, ANN_CONFIG_STATE, "state", blob, sizeof blob);
}

char *ann_config_options_text(const AnnOptions *o) {
  char *text = sqlite3_mprintf(
      "column=%s type=%s dimensions=%lld metric=%s trees=%d seed=%lld leaf_capacity=%d length=%lld",
      o->column, o->space.element->named.name, (long long)o->space.dimensions,
      o->space.metric->named.name, o->trees, (long long)o->seed, o->leaf_capacity,
      (long long)ann_rotation_length(o->space.dimensions));
  if (text && o->content) text = sqlite3_mprintf("%z content=\"%w\"", text, o->content);
  if (text && o->content_rowid) {
    text = sqlite3_mprintf("%z content_rowid=\"%w\"", text, o->content_rowid);
  }
  return text;
}

int ann_config_put_first(AnnDb *db, const AnnOptions *options) {
  AnnState state;
  char *text = ann_config_options_text(options);
  int rc = text ? ann_config_put(db, ANN_CONFIG_FORMAT, "format", NULL, 0) : ANN_NOMEM;
  if (rc == ANN_OK) {
    rc = ann_config_put(db, ANN_CONFIG_OPTIONS, "options", text, (int64_t)strlen(text));
  }
  memset(&state, 0, sizeof state);
  if (rc == ANN_OK) rc = ann_config_put_state(db, &state);
  sqlite3_free(text);
  return rc;
}

int ann_config_create(AnnDb *db, const AnnOptions *options, int64_t mark) {
  uint8_t blob[8];
  int rc = ann_config_put_first(db, options);
  ann_put64(blob, (uint64_t)mark);
  return rc == ANN_OK ? ann_config_put(db, ANN_CONFIG_MADE, "made", blob, sizeof blob) : rc;
}

int ann_config_is_marked(AnnDb *db, int64_t mark) {
  uint8_t *blob = NULL; /* owned */
  int64_t size = 0;
  int rc = ann_config_blob(db, ANN_CONFIG_MADE, &blob, &size);
  int marked = rc == ANN_OK && blob && size == 8 && (int64_t)ann_get64(blob) == mark;
  ann_free(blob);
  return marked;
}

int ann_config_unmark(AnnDb *db) { return ann_config_delete(db, ANN_CONFIG_MADE); }

static int read_format(AnnDb *db, int64_t *out_format) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_CONFIG_GET, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int(stmt, 1, ANN_CONFIG_FORMAT);
  rc = ann_db_step(db, stmt, &has_row);
  if (rc == ANN_OK && !has_row) {
    rc = ann_db_fail(db, ANN_CORRUPT,
                     "expected a row \"format\" in %s_config, which is missing",
                     ann_db_name(db));
  } else if (rc == ANN_OK && sqlite3_column_type(stmt, 0) != SQLITE_INTEGER) {
    rc = ann_db_corrupt(db, "config row", ANN_CONFIG_FORMAT);
  } else if (rc == ANN_OK) {
    *out_format = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_reset(stmt);
  return rc;
}

static int refuse_format(AnnDb *db, int64_t format) {
  return ann_db_fail(db, ANN_ERROR, "expected format %d, got %lld; %s", ANN_FORMAT_VERSION,
                     (long long)format,
                     format > ANN_FORMAT_VERSION ? "a newer sqlite_ann wrote it"
                                                 : "an older sqlite_ann wrote it: rebuild it");
}

int ann_config_check_format(AnnDb *db) {
  int64_t format = 0;
  int rc = read_format(db, &format);
  return rc == ANN_OK && format != ANN_FORMAT_VERSION ? refuse_format(db, format) : rc;
}

int ann_config_refuse_newer(AnnDb *db) {
  int64_t format = 0;
  int rc = read_format(db, &format);
  if (rc == ANN_OK && format > ANN_FORMAT_VERSION) return refuse_format(db, format);
  if (rc != ANN_ERROR && rc != ANN_CORRUPT) return rc;
  ann_db_unsay(db);
  return ANN_OK;
}
