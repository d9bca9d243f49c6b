/* places.c -- see places.h. */
#include "index/places.h"

#include "core/bytes.h"
#include "core/sort.h"

struct AnnPlaceEntry {
  int64_t id;
  uint8_t used;
  uint8_t deleted;
  uint32_t pages[ANN_MAX_TREES];
};
typedef struct AnnPlaceEntry Entry;

static int64_t slot_of(const Entry *entries, int64_t n_slots, int64_t id) {
  int64_t mask = n_slots - 1;
  int64_t i = (int64_t)(((uint64_t)id * 0x9E3779B97F4A7C15u) >> 20) & mask;
  while (entries[i].used && entries[i].id != id) i = (i + 1) & mask;
  return i;
}

static Entry *find(const AnnStore *store, int64_t id) {
  Entry *entry;
  if (!store->n_places) return NULL;
  entry = &store->places[slot_of(store->places, store->n_place_slots, id)];
  return entry->used ? entry : NULL;
}

static int grow(AnnStore *store) {
  int64_t n = store->n_place_slots ? store->n_place_slots * 2 : 64, i;
  Entry *larger;
  if (store->n_places * 2 < store->n_place_slots) return ANN_OK;
  larger = ann_alloc_zero((uint64_t)n, sizeof *larger);
  if (!larger) return ANN_NOMEM;
  for (i = 0; i < store->n_place_slots; i++) {
    if (store->places[i].used)
      larger[slot_of(larger, n, store->places[i].id)] = store->places[i];
  }
  ann_free(store->places);
  store->places = larger;
  store->n_place_slots = n;
  return ANN_OK;
}

/* The entry for id, made if need be. */
static int claim(AnnStore *store, int64_t id, Entry **out_entry) {
  int rc = grow(store);
  Entry *entry;
  if (rc != ANN_OK) return rc;
  ann_db_changed(store->db);
  entry = &store->places[slot_of(store->places, store->n_place_slots, id)];
  if (!entry->used) {
    memset(entry, 0, sizeof *entry);
    entry->used = 1;
    entry->id = id;
    store->n_places++;
  }
  *out_entry = entry;
  return ANN_OK;
}

static int decode(AnnStore *store, int64_t id, sqlite3_stmt *stmt, int column,
                  uint32_t *out_pages) {
  const uint8_t *blob = sqlite3_column_blob(stmt, column);
  int i, j, trees = store->options.trees;
  if (!blob || sqlite3_column_bytes(stmt, column) != 4 * trees) {
    return ann_db_corrupt(store->db, "place", id);
  }
  for (i = 0; i < trees; i++) {
    out_pages[i] = ann_get32(blob + 4 * i);
    for (j = 0; j < i; j++) {
      if (out_pages[j] == out_pages[i]) return ann_db_corrupt(store->db, "place", id);
    }
  }
  return ANN_OK;
}

int ann_places_get(AnnStore *store, int64_t id, uint32_t *out_pages, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt;
  Entry *entry = find(store, id);
  if (entry) {
    memcpy(out_pages, entry->pages, sizeof entry->pages);
    *out_found = !entry->deleted;
    return ANN_OK;
  }
  *out_found = 0;
  stmt = ann_db_stmt(store->db, ANN_STMT_PLACE_GET, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, id);
  if (sqlite3_step(stmt) == SQLITE_ROW) {
    *out_found = 1;
    rc = decode(store, id, stmt, 0, out_pages);
    sqlite3_reset(stmt);
    return rc;
  }
  rc = sqlite3_reset(stmt);
  return rc == ANN_OK ? ANN_OK : ann_db_sqlite_failed(store->db, rc);
}

int ann_places_put(AnnStore *store, int64_t id, const uint32_t *pages) {
  Entry *entry = NULL;
  int rc = claim(store, id, &entry);
  if (rc != ANN_OK) return rc;
  entry->deleted = 0;
  memcpy(entry->pages, pages, (size_t)store->options.trees * sizeof *pages);
  return ANN_OK;
}

int ann_places_move(AnnStore *store, int64_t id, uint32_t from, uint32_t to) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  int found = 0, rc = ann_places_get(store, id, pages, &found), i;
  if (rc != ANN_OK) return rc;
  for (i = 0; found && i < store->options.trees; i++) {
    if (pages[i] == from) {
      pages[i] = to;
      return ann_places_put(store, id, pages);
    }
  }
  return ann_db_corrupt(store->db, "place", id);
}

int ann_places_delete(AnnStore *store, int64_t id) {
  Entry *entry = NULL;
  int rc = claim(store, id, &entry);
  if (rc == ANN_OK) entry->deleted = 1;
  return rc;
}

int ann_places_delete_all(AnnStore *store) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_PLACE_CLEAR, &rc);
  ann_places_drop(store);
  return stmt ? ann_db_run(store->db, stmt) : rc;
}

static int by_id(const void *a, const void *b) {
  const Entry *const *x = a, *const *y = b;
  return (*x)->id<(*y)->id ? -1 : (*x)->id>(*y)->id;
}

static int write_place(AnnStore *store, const Entry *entry) {
  uint8_t blob[4 * ANN_MAX_TREES];
  int rc = ANN_OK, i, trees = store->options.trees;
  sqlite3_stmt *stmt =
      ann_db_stmt(store->db, entry->deleted ? ANN_STMT_PLACE_DELETE : ANN_STMT_PLACE_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, entry->id);
  for (i = 0; i < trees; i++) ann_put32(blob + 4 * i, entry->pages[i]);
  if (!entry->deleted) sqlite3_bind_blob(stmt, 2, blob, 4 * trees, SQLITE_STATIC);
  return ann_db_run(store->db, stmt);
}

int ann_places_flush(AnnStore *store) {
  int rc = ANN_OK;
  int64_t i, n = 0;
  const Entry **changed;
  AnnPoll poll = {ann_db_tick, store->db};
  if (store->n_places == 0) return ANN_OK;
  changed = ann_alloc_array((uint64_t)store->n_places, sizeof *changed);
  if (!changed) return ANN_NOMEM;
  for (i = 0; i < store->n_place_slots; i++) {
    if (store->places[i].used) changed[n++] = &store->places[i];
  }
  rc = ann_sort(changed, n, sizeof *changed, by_id, &poll);
  for (i = 0; i < n && rc == ANN_OK; i++) rc = write_place(store, changed[i]);
  ann_free(changed);
  if (rc == ANN_OK) ann_places_drop(store);
  return rc;
}

void ann_places_drop(AnnStore *store) {
  if (store->n_place_slots > 4096) {
    ann_places_clear(store);
  } else if (store->n_places) {
    memset(store->places, 0, (size_t)store->n_place_slots * sizeof *store->places);
    store->n_places = 0;
  }
}

void ann_places_clear(AnnStore *store) {
  ann_free(store->places);
  store->places = NULL;
  store->n_places = store->n_place_slots = 0;
}

int ann_places_next(AnnStore *store, int64_t from, int64_t *out_id, uint32_t *out_pages,
                    int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_PLACE_NEXT, &rc);
  *out_found = 0;
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, from);
  rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    *out_found = 1;
    *out_id = sqlite3_column_int64(stmt, 0);
    rc = decode(store, *out_id, stmt, 1, out_pages);
  }
  sqlite3_reset(stmt);
  return rc == SQLITE_DONE ? ANN_OK : rc;
}
