/* places.c -- see places.h. */
#include "index/places.h"

#include "core/bytes.h"
#include "core/grow.h"
#include "core/hash.h"
#include "core/sort.h"

#define MANY 2048 /* changes whose memory is not kept for the next ones */

typedef struct Entry {
  int64_t id;
  uint8_t deleted;
  uint32_t pages[ANN_MAX_TREES];
} Entry;

struct AnnPlaces {
  AnnDb *db;      /* borrowed */
  int trees;      /* pages of an id */
  Entry *changed; /* owned */
  int64_t n, n_allocated;
  AnnHash numbers; /* owned: for an id, the number of its entry from 1 on: entries move */
};

int ann_places_new(AnnDb *db, int trees, AnnPlaces **out_places) {
  AnnPlaces *places = ann_alloc_zero(1, sizeof *places);
  *out_places = places;
  if (!places) return ANN_NOMEM;
  places->db = db;
  places->trees = trees;
  return ANN_OK;
}

int64_t ann_places_changed(const AnnPlaces *places) { return places->n; }

static Entry *find(const AnnPlaces *places, int64_t id) {
  intptr_t number = (intptr_t)ann_hash_get(&places->numbers, id);
  return number ? &places->changed[number - 1] : NULL;
}

static int add(AnnPlaces *places, int64_t id, Entry **out_entry) {
  int rc = ann_hash_reserve(&places->numbers);
  Entry *entry;
  if (rc == ANN_OK) {
    rc = ann_grow(&places->changed, places->n, 1, &places->n_allocated, sizeof *entry);
  }
  if (rc != ANN_OK) return rc;
  entry = &places->changed[places->n++];
  memset(entry, 0, sizeof *entry);
  entry->id = id;
  (void)ann_hash_put(&places->numbers, id, (void *)(intptr_t)places->n); /* has room */
  *out_entry = entry;
  return ANN_OK;
}

/* The entry for id, made if need be. */
static int claim(AnnPlaces *places, int64_t id, Entry **out_entry) {
  int rc = ANN_OK;
  *out_entry = find(places, id);
  if (!*out_entry) rc = add(places, id, out_entry);
  if (rc == ANN_OK) ann_db_changed(places->db);
  return rc;
}

static int decode(AnnPlaces *places, int64_t id, sqlite3_stmt *stmt, int column,
                  uint32_t *out_pages) {
  const uint8_t *blob = sqlite3_column_blob(stmt, column);
  int i, j, trees = places->trees;
  if (!blob || sqlite3_column_bytes(stmt, column) != 4 * trees) {
    return ann_db_corrupt(places->db, "place", id);
  }
  for (i = 0; i < trees; i++) {
    out_pages[i] = ann_get32(blob + 4 * i);
    for (j = 0; j < i; j++) {
      if (out_pages[j] == out_pages[i]) return ann_db_corrupt(places->db, "place", id);
    }
  }
  return ANN_OK;
}

int ann_places_get(AnnPlaces *places, int64_t id, uint32_t *out_pages, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt;
  Entry *entry = find(places, id);
  if (entry) {
    memcpy(out_pages, entry->pages, sizeof entry->pages);
    *out_found = !entry->deleted;
    return ANN_OK;
  }
  *out_found = 0;
  stmt = ann_db_stmt(places->db, ANN_STMT_PLACE_GET, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  rc = ann_db_step(places->db, stmt, out_found);
  if (rc != ANN_OK || !*out_found) return rc;
  rc = decode(places, id, stmt, 0, out_pages);
  sqlite3_reset(stmt);
  return rc;
}

int ann_places_put(AnnPlaces *places, int64_t id, const uint32_t *pages) {
  Entry *entry = NULL;
  int rc = claim(places, id, &entry);
  if (rc != ANN_OK) return rc;
  entry->deleted = 0;
  memcpy(entry->pages, pages, (size_t)places->trees * sizeof *pages);
  return ANN_OK;
}

int ann_places_move(AnnPlaces *places, int64_t id, uint32_t from, uint32_t to) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  int found = 0, rc = ann_places_get(places, id, pages, &found), i;
  if (rc != ANN_OK) return rc;
  for (i = 0; found && i < places->trees; i++) {
    if (pages[i] == from) {
      pages[i] = to;
      return ann_places_put(places, id, pages);
    }
  }
  return ann_db_corrupt(places->db, "place", id);
}

int ann_places_delete(AnnPlaces *places, int64_t id) {
  Entry *entry = NULL;
  int rc = claim(places, id, &entry);
  if (rc == ANN_OK) entry->deleted = 1;
  return rc;
}

int ann_places_delete_all(AnnPlaces *places) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(places->db, ANN_STMT_PLACE_CLEAR, &rc);
  ann_places_drop(places);
  return stmt ? ann_db_run(places->db, stmt) : rc;
}

static int by_id(const void *a, const void *b) {
  const Entry *const *x = a, *const *y = b;
  return (*x)->id<(*y)->id ? -1 : (*x)->id>(*y)->id;
}

static int write_place(AnnPlaces *places, const Entry *entry) {
  uint8_t blob[4 * ANN_MAX_TREES];
  int rc = ANN_OK, i, trees = places->trees;
  sqlite3_stmt *stmt =
      ann_db_stmt(places->db, entry->deleted ? ANN_STMT_PLACE_DELETE : ANN_STMT_PLACE_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, entry->id);
  for (i = 0; i < trees; i++) ann_put32(blob + 4 * i, entry->pages[i]);
  if (!entry->deleted) sqlite3_bind_blob(stmt, 2, blob, 4 * trees, SQLITE_STATIC);
  return ann_db_run(places->db, stmt);
}

int ann_places_flush(AnnPlaces *places) {
  int64_t i, n = places->n;
  const Entry **order; /* owned */
  AnnPoll poll = {ann_db_tick, places->db};
  int rc;
  if (n == 0) return ANN_OK;
  order = ann_alloc_array((uint64_t)n, sizeof *order);
  if (!order) return ANN_NOMEM;
  for (i = 0; i < n; i++) order[i] = &places->changed[i];
  rc = ann_sort(order, n, sizeof *order, by_id, &poll);
  for (i = 0; i < n && rc == ANN_OK; i++) rc = write_place(places, order[i]);
  ann_free(order);
  if (rc == ANN_OK) ann_places_drop(places);
  return rc;
}

static void free_all(AnnPlaces *places) {
  ann_hash_clear(&places->numbers);
  ann_free(places->changed);
  places->changed = NULL;
  places->n = places->n_allocated = 0;
}

void ann_places_drop(AnnPlaces *places) {
  if (places->n_allocated > MANY) {
    free_all(places);
  } else {
    ann_hash_drop(&places->numbers);
    places->n = 0;
  }
}

void ann_places_free(AnnPlaces *places) {
  if (!places) return;
  free_all(places);
  ann_free(places);
}

int ann_places_next(AnnPlaces *places, int64_t from, int64_t *out_id, uint32_t *out_pages,
                    int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(places->db, ANN_STMT_PLACE_NEXT, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, from);
  rc = ann_db_step(places->db, stmt, out_found);
  if (rc != ANN_OK || !*out_found) return rc;
  *out_id = sqlite3_column_int64(stmt, 0);
  rc = decode(places, *out_id, stmt, 1, out_pages);
  sqlite3_reset(stmt);
  return rc;
}
