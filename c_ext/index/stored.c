/* stored.c -- see stored.h. */
#include "index/stored.h"

void ann_stored_end(AnnStoredPage *each) {
  ann_page_clear(&each->page);
  each->done = 1;
}

static int load(sqlite3_stmt *stmt, int64_t length, AnnStoredPage *each) {
  const void *blob = sqlite3_column_blob(stmt, 1);
  int rc;
  each->number = sqlite3_column_int64(stmt, 0);
  each->bytes = sqlite3_column_bytes(stmt, 1);
  rc = ann_page_load(&each->page, blob, blob ? (uint64_t)each->bytes : 0, length);
  each->is_valid = rc == ANN_OK && each->number >= 1 && each->number <= UINT32_MAX;
  if (!each->is_valid) ann_page_clear(&each->page);
  return rc == ANN_NOMEM ? ANN_NOMEM : ANN_OK;
}

int ann_stored_next(AnnDb *db, int64_t length, AnnStoredPage *each, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(db, ANN_STMT_PAGE_NEXT, &rc);
  *out_found = 0;
  ann_page_clear(&each->page);
  if (each->begun && each->number == INT64_MAX) each->done = 1;
  if (!stmt || each->done) return rc;
  sqlite3_bind_int64(stmt, 1, each->begun ? each->number + 1 : INT64_MIN);
  each->begun = 1;
  rc = ann_db_step(db, stmt, out_found);
  if (rc == ANN_OK && *out_found) rc = load(stmt, length, each);
  sqlite3_reset(stmt);
  if (rc != ANN_OK) *out_found = 0;
  if (!*out_found) each->done = 1;
  return rc;
}
