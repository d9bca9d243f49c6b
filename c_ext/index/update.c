/* update.c -- see update.h. */
#include "index/update.h"

#include "core/kernel.h"
#include "index/divide.h"
#include "index/log.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/rows.h"
#include "index/waiting.h"

/* A leaf's centre moves to its members when these are so far to one side of it; every so many
** entries, it is looked at.  docs/MEASUREMENTS.md, "leaves whose rows become others". */
#define STRAYED 0.08f
#define LOOK_EACH 8
#define DISSOLVE_SHARE 8 /* a leaf with less than capacity / 8 entries is dissolved */

static float distance_to(const AnnPage *page, const AnnProbe *probe) {
  return ann_centre_base(ANN_DISTANCE, ann_page_centre(page), probe->vector, probe->norm,
                         page->length);
}

/* The leaf is full: make it two, and take the half that is nearer to the router's vector,
** which is then encoded against that half's centre. */
static int make_room(AnnStore *store, AnnCopy *copy, AnnPage **out_page) {
  AnnRouter *router = store->router;
  AnnPage *page = NULL, *other_page = NULL;
  uint32_t other = 0;
  int rc = ann_divide_leaf(store, copy->tree, copy->page, &other);
  if (rc == ANN_OK) rc = ann_pages_get(store->pages, copy->page, copy->tree, 0, &page);
  if (rc == ANN_OK) rc = ann_pages_get(store->pages, other, copy->tree, 0, &other_page);
  if (rc != ANN_OK) return rc;
  *out_page = page;
  if (distance_to(other_page, &router->probe) < distance_to(page, &router->probe)) {
    *out_page = other_page;
    copy->page = other;
  }
  ann_centre_decode(ann_page_centre(*out_page), page->length, router->centre);
  ann_code_encode(store->options.space.geometry, router->probe.vector, router->centre,
                  page->length, &copy->code);
  return ANN_OK;
}

/* Do a leaf's members, from `least` on, lie to one side of its centre?  Others have come in the
** place of those for which it was made. */
static int has_strayed(const AnnPage *page, int least) {
  return page->n >= least && page->n % LOOK_EACH == 0 && ann_page_offset(page) > STRAYED;
}

/* Append a copy to its leaf; `vector` as for ann_update_enter. */
static int append_copy(AnnStore *store, int64_t id, const void *vector, AnnCopy *copy,
                       AnnIdSet *divided) {
  AnnPage *page = NULL;
  int rc = ann_pages_get(store->pages, copy->page, copy->tree, 0, &page), moved = 0;
  if (rc == ANN_OK && page->n >= page->capacity) {
    uint32_t full = copy->page;
    rc = ann_router_fit(store, 1, &store->router);
    if (rc == ANN_OK && vector) ann_router_set(store->router, store, vector);
    if (rc == ANN_OK) rc = make_room(store, copy, &page);
    if (rc == ANN_OK && divided) rc = ann_idset_add(divided, full, NULL);
  }
  if (rc != ANN_OK) return rc;
  ann_pages_touch(store->pages, copy->page);
  rc = ann_page_append(page, id, &copy->code, NULL);
  /* A build fills its leaves in order of id, so that the first say little of the rest. */
  if (rc != ANN_OK || !has_strayed(page, page->capacity / (divided ? 2 : DISSOLVE_SHARE))) {
    return rc;
  }
  rc = ann_divide_recentre(store, copy->tree, copy->page, STRAYED, &moved);
  return rc == ANN_OK && moved && divided ? ann_idset_add(divided, copy->page, NULL) : rc;
}

int ann_update_enter(AnnStore *store, int64_t id, const void *vector, AnnCopy *io_copies,
                     AnnIdSet *divided) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  int rc = ANN_OK, copy;
  for (copy = 0; copy < store->options.trees && rc == ANN_OK; copy++) {
    rc = append_copy(store, id, vector, &io_copies[copy], divided);
    pages[copy] = io_copies[copy].page;
  }
  if (rc == ANN_OK) rc = ann_places_put(store->places, id, pages);
  if (rc != ANN_OK) return rc;
  store->state.placed++;
  store->state.changes++;
  store->state.dirty = 1;
  return ANN_OK;
}

/* Point the copies' codes at the router's room for them. */
static void use_room(const AnnStore *store, AnnCopy *copies) {
  int copy;
  for (copy = 0; copy < store->options.trees; copy++) {
    copies[copy].code.bits = store->router->bits + copy * (store->rotation.length / 8);
  }
}

int ann_update_place(AnnStore *store, int64_t id, const void *vector, AnnIdSet *divided) {
  AnnCopy copies[ANN_MAX_TREES];
  int rc = ann_router_find_here(store, vector);
  if (rc != ANN_OK) return rc;
  use_room(store, copies);
  /* All are chosen before any is written: a division moves the centres of leaves. */
  if (ann_router_assign(store->router, store, copies) != ANN_OK) {
    return ann_db_corrupt(store->db, "tree", 0);
  }
  return ann_update_enter(store, id, NULL, copies, divided);
}

/* Add the leaves that a row keeps to the router's residuals; which copy it lost. */
static int add_others(AnnStore *store, const uint32_t *pages, uint32_t gone, int *out_lost) {
  int rc = ANN_OK, copy;
  *out_lost = -1;
  ann_router_forget_leaves(store->router);
  for (copy = 0; copy < store->options.trees && rc == ANN_OK; copy++) {
    AnnPage *page = NULL;
    if (pages[copy] == gone) {
      *out_lost = copy;
      continue;
    }
    rc = ann_pages_get(store->pages, pages[copy], ANN_ANY_TREE, 0, &page);
    if (rc == ANN_OK) ann_router_add_leaf(store->router, store, ann_page_centre(page));
  }
  return rc;
}

/* A member of the dissolved leaf `gone` has no row any more, as in an ordinary table: its other
** copies go, too. */
static int drop_member(AnnStore *store, int64_t id, uint32_t gone) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  int found = 0, rc = ann_places_get(store->places, id, pages, &found), copy, at;
  if (rc == ANN_OK && !found) rc = ann_db_corrupt(store->db, "place", id);
  for (copy = 0; copy < store->options.trees && rc == ANN_OK; copy++) {
    AnnPage *page = NULL;
    if (pages[copy] == gone) continue;
    rc = ann_pages_get(store->pages, pages[copy], ANN_ANY_TREE, 0, &page);
    if (rc != ANN_OK) break;
    at = ann_page_find(page, id);
    if (at < 0) return ann_db_corrupt(store->db, "place", id);
    ann_page_remove(page, at);
    ann_pages_touch(store->pages, pages[copy]);
  }
  if (rc == ANN_OK) rc = ann_places_delete(store->places, id);
  if (rc != ANN_OK) return rc;
  store->state.placed--;
  store->state.changes++;
  store->state.dirty = 1;
  return ANN_OK;
}

/* Put the copy that was in the dissolved leaf `gone` into another leaf. */
static int move_member(AnnStore *store, void *vector, int64_t id, uint32_t gone) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  AnnCopy copies[ANN_MAX_TREES], *moved = &copies[0];
  int found = 0, rc = ann_source_get(store->source, id, vector, &found), lost = -1, at;
  if (rc == ANN_OK && !found) {
    rc = ann_source_lacks(store->source, id);
    return rc == ANN_OK ? drop_member(store, id, gone) : rc;
  }
  if (rc == ANN_OK) rc = ann_places_get(store->places, id, pages, &found);
  if (rc == ANN_OK && !found) rc = ann_db_corrupt(store->db, "place", id);
  if (rc == ANN_OK) rc = ann_router_find_here(store, vector);
  if (rc == ANN_OK) rc = add_others(store, pages, gone, &lost);
  if (rc != ANN_OK) return rc;
  at = ann_router_choose(store->router, store, pages, store->options.trees);
  if (lost < 0 || at < 0) return ann_db_corrupt(store->db, "place", id);
  use_room(store, copies);
  ann_router_encode(store->router, store, at, moved);
  rc = append_copy(store, id, NULL, moved, NULL);
  pages[lost] = moved->page;
  return rc == ANN_OK ? ann_places_put(store->places, id, pages) : rc;
}

/* Remove a nearly empty leaf, unless it is its parent's only child. */
static int dissolve(AnnStore *store, uint32_t number) {
  AnnPage *page = NULL, *parent = NULL;
  void *vector = NULL; /* owned */
  int64_t *ids = NULL; /* owned */
  uint32_t above;
  int rc = ann_pages_get(store->pages, number, ANN_ANY_TREE, 0, &page), n, i, at = -1;
  if (rc == ANN_OK) rc = ann_pages_get(store->pages, page->parent, page->tree, 1, &parent);
  if (rc != ANN_OK || parent->n < 2) return rc;
  above = page->parent;
  n = page->n;
  vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
  ids = ann_alloc_array((uint64_t)n, sizeof *ids);
  if (!vector || !ids) rc = ANN_NOMEM;
  if (rc == ANN_OK) rc = ann_pages_child(store->pages, number, page, parent, &at);
  if (rc == ANN_OK) {
    for (i = 0; i < n; i++) ids[i] = ann_page_id(page, i);
    ann_page_remove(parent, at);
    ann_pages_touch(store->pages, above);
    rc = ann_pages_delete(store->pages, number);
  }
  for (i = 0; i < n && rc == ANN_OK; i++) rc = move_member(store, vector, ids[i], number);
  ann_free(vector);
  ann_free(ids);
  return rc;
}

int ann_update_clear(AnnStore *store) {
  int rc = ann_pages_delete_all(store->pages);
  if (rc == ANN_OK) rc = ann_places_delete_all(store->places);
  memset(store->state.roots, 0, sizeof store->state.roots);
  store->state.placed = store->state.calibrated_rows = store->state.changes = 0;
  store->state.dirty = 1;
  return rc;
}

/* Another row's damage does not keep this one from being deleted; it is told to the log alone. */
static int recentre_if_sound(AnnStore *store, int tree, uint32_t number) {
  int64_t before = ann_db_changes(store->db);
  int moved = 0, rc = ann_divide_recentre(store, tree, number, STRAYED, &moved);
  if (rc != ANN_CORRUPT || ann_db_changes(store->db) != before) return rc;
  ann_log_failure(store->db, rc);
  ann_db_unsay(store->db);
  return ANN_OK;
}

int ann_update_unplace(AnnStore *store, int64_t id, int *out_found) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  AnnPage *leaves[ANN_MAX_TREES];
  int at[ANN_MAX_TREES];
  int rc = ann_places_get(store->places, id, pages, out_found), copy;
  if (rc != ANN_OK || !*out_found) return rc;
  /* All are found before one is changed. */
  for (copy = 0; copy < store->options.trees; copy++) {
    rc = ann_pages_get(store->pages, pages[copy], ANN_ANY_TREE, 0, &leaves[copy]);
    if (rc != ANN_OK) return rc;
    at[copy] = ann_page_find(leaves[copy], id);
    if (at[copy] < 0) return ann_db_corrupt(store->db, "place", id);
  }
  rc = ann_places_delete(store->places, id);
  if (rc != ANN_OK) return rc;
  for (copy = 0; copy < store->options.trees; copy++) {
    ann_page_remove(leaves[copy], at[copy]);
    ann_pages_touch(store->pages, pages[copy]);
  }
  store->state.placed--;
  store->state.changes++;
  store->state.dirty = 1;
  if (store->state.placed == 0) return ann_update_clear(store);
  for (copy = 0; copy < store->options.trees && rc == ANN_OK; copy++) {
    AnnPage *page = NULL;
    rc = ann_pages_get(store->pages, pages[copy], ANN_ANY_TREE, 0, &page);
    if (rc == ANN_OK && page->n < page->capacity / DISSOLVE_SHARE) {
      rc = dissolve(store, pages[copy]);
      if (rc == ANN_OK && store->state.placed == 0) return ann_update_clear(store);
    } else if (rc == ANN_OK && has_strayed(page, page->capacity / DISSOLVE_SHARE)) {
      rc = recentre_if_sound(store, page->tree, pages[copy]);
    }
  }
  return rc;
}

/* Into the forest, or onto the waiting list. */
static int place_or_wait(AnnStore *store, int64_t id, const void *vector, int straight) {
  int waits = 0, rc = ANN_OK;
  if (straight && store->state.roots[0]) rc = ann_waiting_has(store->waiting, id, &waits);
  if (rc != ANN_OK || waits) return rc;
  if (!straight || !store->state.roots[0]) return ann_waiting_add(store->waiting, id);
  rc = ann_waiting_close(store->waiting);
  if (rc == ANN_OK) rc = ann_update_place(store, id, vector, NULL);
  /* Whoever divides its leaves will want to see it. */
  if (rc == ANN_OK) ann_rows_keep(store->rows, id, vector);
  return rc;
}

/* Only the row itself was written before something failed: take it back, and nothing has
** happened.  before, changes: of then. */
static void take_back(AnnStore *store, int64_t id, const AnnState *before, int64_t changes) {
  int alone = ann_db_changes(store->db) == changes + 1, found = 0;
  int rc;
  ann_rows_forget(store->rows, id);
  rc = ann_source_delete(store->source, id, &found);
  if (alone && rc == ANN_OK && found && ann_store_is_loaded(store)) {
    store->state = *before;
    ann_db_unchanged(store->db, changes);
  } else if (ann_store_is_loaded(store)) {
    store->state.rows--;
  }
}

int ann_update_insert(AnnStore *store, const int64_t *id, const void *vector, int straight,
                      int64_t *out_id) {
  AnnState before = store->state;
  int64_t changes = ann_db_changes(store->db);
  int rc;
  rc = ann_source_put(store->source, id, vector, out_id);
  if (rc != ANN_OK) return rc;
  ann_rows_changed(store->rows, *out_id, vector);
  store->state.rows++;
  store->state.dirty = 1;
  rc = place_or_wait(store, *out_id, vector, straight);
  if (rc != ANN_OK) take_back(store, *out_id, &before, changes);
  return rc;
}

int ann_update_delete(AnnStore *store, int64_t id, int *out_found) {
  int placed = 0, rc = ann_update_unplace(store, id, &placed);
  if (rc == ANN_OK) rc = ann_source_delete(store->source, id, out_found);
  if (rc == ANN_OK) ann_rows_changed(store->rows, id, NULL);
  else ann_rows_forget(store->rows, id);
  if (rc == ANN_OK && placed && !*out_found) rc = ann_db_corrupt(store->db, "place", id);
  if (rc == ANN_OK && *out_found) {
    store->state.rows--;
    store->state.dirty = 1;
  }
  return rc;
}

int ann_update_replace(AnnStore *store, int64_t id, const void *vector, int straight) {
  int placed = 0, there = 0, rc = ann_update_unplace(store, id, &placed);
  /* A division on the way reads members' vectors, so the new one is stored first. */
  if (rc == ANN_OK) rc = ann_source_update(store->source, id, vector);
  /* A function that the statement calls may have deleted a row that is not in the forest. */
  if (rc == ANN_OK && !placed) rc = ann_source_has(store->source, id, &there);
  if (rc == ANN_OK) ann_rows_changed(store->rows, id, placed || there ? vector : NULL);
  else ann_rows_forget(store->rows, id);
  if (rc == ANN_OK && placed) rc = place_or_wait(store, id, vector, straight);
  return rc;
}
