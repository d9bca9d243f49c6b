/* notes.c -- see notes.h. */
#include "index/notes.h"

#include "core/bytes.h"
#include "core/gather.h"

struct AnnNotes {
  AnnDb *db;      /* borrowed */
  int exist;      /* there may be any */
  int known;      /* set is what the database says */
  uint8_t *bytes; /* owned: of the set, NULL for none */
  AnnBitmap set;
  uint64_t digest;
};

int ann_notes_new(AnnDb *db, int exist, AnnNotes **out_notes) {
  AnnNotes *notes = ann_alloc_zero(1, sizeof *notes);
  *out_notes = notes;
  if (!notes) return ANN_NOMEM;
  notes->db = db;
  notes->exist = exist;
  return ANN_OK;
}

void ann_notes_forget(AnnNotes *notes) {
  ann_free(notes->bytes);
  notes->bytes = NULL;
  notes->known = 0;
  notes->digest = 0;
}

void ann_notes_free(AnnNotes *notes) {
  if (notes) ann_notes_forget(notes);
  ann_free(notes);
}

/* Give the next noted id to the statement that was begun. */
static int begin(AnnNotes *notes, int64_t most, sqlite3_stmt **out_stmt) {
  int rc = ANN_OK;
  *out_stmt = ann_db_stmt(notes->db, ANN_STMT_CHANGE_SCAN, &rc);
  if (*out_stmt) sqlite3_bind_int64(*out_stmt, 1, most);
  return rc;
}

static int read_all(AnnNotes *notes, AnnGather *gather) {
  sqlite3_stmt *stmt = NULL;
  int rc = begin(notes, -1, &stmt), found = 1;
  while (rc == ANN_OK) {
    rc = ann_db_step(notes->db, stmt, &found);
    if (rc != ANN_OK || !found) break;
    rc = ann_gather_add(gather, sqlite3_column_int64(stmt, 0));
    if (rc == ANN_OK && gather->n % 4096 == 0) rc = ann_db_tick(notes->db);
  }
  sqlite3_reset(stmt);
  return rc;
}

int ann_notes_get(AnnNotes *notes, const AnnBitmap **out_ids) {
  AnnGather gather = {0}; /* owned */
  int64_t size = 0;
  int rc = ANN_OK;
  if (notes->exist && !notes->known) {
    rc = read_all(notes, &gather);
    if (rc == ANN_OK && gather.n > 0) {
      rc = ann_gather_finish(&gather, &notes->bytes, &size);
      if (rc == ANN_OK) rc = ann_bitmap_open(&notes->set, notes->bytes, size);
      if (rc == ANN_OK) notes->digest = ann_digest(0, notes->bytes, (size_t)size);
    }
    ann_gather_clear(&gather);
    notes->known = rc == ANN_OK;
  }
  *out_ids = rc == ANN_OK && notes->bytes ? &notes->set : NULL;
  return rc;
}

uint64_t ann_notes_digest(const AnnNotes *notes) { return notes->digest; }

int ann_notes_count(AnnNotes *notes, int64_t *out_n) {
  int rc = ANN_OK, has_row = 0;
  sqlite3_stmt *stmt;
  *out_n = 0;
  if (!notes->exist) return ANN_OK;
  stmt = ann_db_stmt(notes->db, ANN_STMT_CHANGE_COUNT, &rc);
  if (!stmt) return rc;
  rc = ann_db_step(notes->db, stmt, &has_row);
  if (has_row) *out_n = sqlite3_column_int64(stmt, 0);
  sqlite3_reset(stmt);
  return rc;
}

int ann_notes_first(AnnNotes *notes, int64_t most, int64_t *out_ids, int64_t *out_n) {
  sqlite3_stmt *stmt = NULL;
  int rc = ANN_OK, found = 1;
  *out_n = 0;
  if (!notes->exist) return ANN_OK;
  rc = begin(notes, most, &stmt);
  while (rc == ANN_OK && *out_n < most) {
    rc = ann_db_step(notes->db, stmt, &found);
    if (rc != ANN_OK || !found) break;
    out_ids[(*out_n)++] = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_reset(stmt);
  return rc;
}

int ann_notes_delete(AnnNotes *notes, int64_t last) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt;
  ann_notes_forget(notes);
  if (!notes->exist) return ANN_OK;
  stmt = ann_db_stmt(notes->db, ANN_STMT_CHANGE_DELETE, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, last);
  rc = ann_db_run(notes->db, stmt);
  if (rc == ANN_OK) ann_db_changed(notes->db);
  return rc;
}
