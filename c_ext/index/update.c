/* update.c -- see update.h. */
#include "index/update.h"

#include "core/kernel.h"
#include "core/metric.h"
#include "index/divide.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/waiting.h"

#define NEAR_LEAVES 12 /* leaves among which copies choose: docs/ARCHITECTURE.md, "copies" */
#define DISSOLVE_SHARE 8 /* a leaf with less than capacity / 8 entries is dissolved */

/* Residuals of one vector in the leaves it has so far: what the next copy complements. */
typedef struct Residuals {
  float *r; /* owned: trees x L */
  float norms[ANN_MAX_TREES];
  int n;
  float *centre; /* owned: scratch, L */
  int64_t length;
} Residuals;

static int residuals_init(Residuals *residuals, const AnnStore *store) {
  memset(residuals, 0, sizeof *residuals);
  residuals->length = store->rotation.length;
  residuals->r =
      ann_alloc_array((uint64_t)(store->options.trees * residuals->length), sizeof(float));
  residuals->centre = ann_alloc_array((uint64_t)residuals->length, sizeof(float));
  return residuals->r && residuals->centre ? ANN_OK : ANN_NOMEM;
}

static void residuals_clear(Residuals *residuals) {
  ann_free(residuals->r);
  ann_free(residuals->centre);
}

/* Add x - centre. */
static void residuals_add(Residuals *residuals, const float *x, const uint8_t *record) {
  int64_t length = residuals->length, i;
  float *r = residuals->r + residuals->n * length;
  ann_centre_decode(record, length, residuals->centre);
  for (i = 0; i < length; i++) r[i] = x[i] - residuals->centre[i];
  residuals->norms[residuals->n++] = ann_kernels()->dot(r, r, (size_t)length);
}

/* Cost of a leaf for x: |r|^2 + sum over the leaves it has of (r . r_t)^2 / |r_t|^2,
** small where r is short and at right angles to the residuals before: a query along one
** of those, for which that leaf is ranked too far down, finds x in this one.
** (Sun and others, SOAR, NeurIPS 2023.) */
static double complement_cost(Residuals *residuals, const float *x, const uint8_t *record) {
  int64_t length = residuals->length, i;
  float *r = residuals->centre;
  double cost;
  int t;
  ann_centre_decode(record, length, r);
  for (i = 0; i < length; i++) r[i] = x[i] - r[i];
  cost = ann_kernels()->dot(r, r, (size_t)length);
  for (t = 0; t < residuals->n; t++) {
    double along = ann_kernels()->dot(r, residuals->r + t * length, (size_t)length);
    if (residuals->norms[t] > 0) cost += along * along / residuals->norms[t];
  }
  return cost;
}

/* The leaves nearest to x in the whole forest. */
static int near_leaves(AnnStore *store, const AnnProbe *probe, AnnStep *out_steps, int *out_n) {
  AnnWalk walk;
  int found = 1, rc;
  ann_walk_init(&walk, store);
  rc = ann_walk_start(&walk, probe, 0, store->options.trees - 1, 1);
  int wanted = store->options.trees == 1 ? 1 : NEAR_LEAVES;
  *out_n = 0;
  while (rc == ANN_OK && *out_n < wanted) {
    rc = ann_walk_next(&walk, &out_steps[*out_n], &found);
    if (rc != ANN_OK || !found) break;
    ++*out_n;
  }
  ann_walk_clear(&walk);
  return rc;
}

/* The cheapest of the steps whose leaf is not among the n_taken; -1 when all are. */
static int choose_leaf(const AnnStep *steps, int n, const uint32_t *taken, int n_taken,
                       const float *x, Residuals *residuals) {
  double cost, best = 0;
  int i, t, chosen = -1;
  for (i = 0; i < n; i++) {
    for (t = 0; t < n_taken && taken[t] != steps[i].number; t++) {}
    if (t < n_taken) continue;
    cost = complement_cost(residuals, x, steps[i].record);
    if (chosen < 0 || cost < best) {
      best = cost;
      chosen = i;
    }
  }
  return chosen;
}

static float distance_to(const AnnPage *page, const AnnProbe *probe) {
  return ann_centre_base(ANN_L2, ann_page_centre(page), probe->vector, probe->norm,
                         page->length);
}

/* Append x to a leaf, or to the nearer half of it if it was full. */
static int append_copy(AnnStore *store, const AnnProbe *probe, int64_t id, int tree,
                       uint32_t *number) {
  AnnPage *page = NULL;
  int rc = ann_pages_get(store, *number, tree, 0, &page);
  if (rc == ANN_OK && page->n >= page->capacity) {
    AnnPage *other_page = NULL;
    uint32_t other = 0;
    rc = ann_divide_leaf(store, tree, *number, &other);
    if (rc == ANN_OK) rc = ann_pages_get(store, other, tree, 0, &other_page);
    if (rc == ANN_OK && distance_to(other_page, probe) < distance_to(page, probe)) {
      *number = other;
      page = other_page;
    }
  }
  if (rc != ANN_OK) return rc;
  ann_pages_touch(store, *number);
  return ann_divide_append(store, page, id, probe->vector, NULL);
}

int ann_update_place(AnnStore *store, const AnnProbe *probe, int64_t id) {
  AnnStep steps[NEAR_LEAVES];
  uint32_t pages[ANN_MAX_TREES] = {0};
  int trees[ANN_MAX_TREES] = {0};
  Residuals residuals;
  int n = 0, copies = store->options.trees, copy;
  int rc = residuals_init(&residuals, store);
  if (rc == ANN_OK) rc = near_leaves(store, probe, steps, &n);
  /* All are chosen before any is written: a division moves the centres steps point to. */
  for (copy = 0; copy < copies && rc == ANN_OK; copy++) {
    int at = choose_leaf(steps, n, pages, copy, probe->vector, &residuals);
    if (at < 0) {
      rc = ann_store_corrupt(store, "tree", copy);
      break;
    }
    pages[copy] = steps[at].number;
    trees[copy] = steps[at].tree;
    residuals_add(&residuals, probe->vector, steps[at].record);
  }
  for (copy = 0; copy < copies && rc == ANN_OK; copy++) {
    rc = append_copy(store, probe, id, trees[copy], &pages[copy]);
  }
  if (rc == ANN_OK) rc = ann_places_put(store, id, pages);
  residuals_clear(&residuals);
  if (rc != ANN_OK) return rc;
  store->state.placed++;
  store->state.changes++;
  store->dirty = 1;
  return ANN_OK;
}

/* Put the copy that was in the dissolved leaf `gone` into another leaf. */
static int move_member(AnnStore *store, AnnProbe *probe, float *vector, int64_t id,
                       uint32_t gone) {
  AnnStep steps[NEAR_LEAVES];
  uint32_t pages[ANN_MAX_TREES] = {0};
  Residuals residuals;
  int found = 0, rc = ann_store_vector(store, id, vector, &found), copy, lost = -1, n = 0, at;
  if (rc == ANN_OK && !found) rc = ann_store_corrupt(store, "vector", id);
  if (rc == ANN_OK) rc = ann_places_get(store, id, pages, &found);
  if (rc == ANN_OK && !found) rc = ann_store_corrupt(store, "place", id);
  if (rc != ANN_OK) return rc;
  ann_probe_set(probe, store, vector);
  rc = residuals_init(&residuals, store);
  for (copy = 0; copy < store->options.trees && rc == ANN_OK; copy++) {
    AnnPage *page = NULL;
    if (pages[copy] == gone) {
      lost = copy;
      continue;
    }
    rc = ann_pages_get(store, pages[copy], ANN_ANY_TREE, 0, &page);
    if (rc == ANN_OK) residuals_add(&residuals, probe->vector, ann_page_centre(page));
  }
  if (rc == ANN_OK) rc = near_leaves(store, probe, steps, &n);
  if (rc == ANN_OK) {
    at = choose_leaf(steps, n, pages, store->options.trees, probe->vector, &residuals);
    if (lost < 0 || at < 0) {
      rc = ann_store_corrupt(store, "place", id);
    } else {
      pages[lost] = steps[at].number;
      rc = append_copy(store, probe, id, steps[at].tree, &pages[lost]);
    }
  }
  if (rc == ANN_OK) rc = ann_places_put(store, id, pages);
  residuals_clear(&residuals);
  return rc;
}

/* Remove a nearly empty leaf, unless it is its parent's only child. */
static int dissolve(AnnStore *store, uint32_t number) {
  AnnPage *page = NULL, *parent = NULL;
  AnnProbe probe;
  float *vector = NULL; /* owned */
  int64_t *ids = NULL; /* owned */
  uint32_t above;
  int rc = ann_pages_get(store, number, ANN_ANY_TREE, 0, &page), n, i, at;
  if (rc == ANN_OK) rc = ann_pages_get(store, page->parent, page->tree, 1, &parent);
  if (rc != ANN_OK || parent->n < 2) return rc;
  above = page->parent;
  n = page->n;
  rc = ann_probe_init(&probe, store);
  if (rc != ANN_OK) return rc;
  vector = ann_alloc_array((uint64_t)store->options.dimensions, sizeof *vector);
  ids = ann_alloc_array((uint64_t)n, sizeof *ids);
  at = ann_page_find(parent, number);
  if (!vector || !ids) rc = ANN_NOMEM;
  else if (at < 0) rc = ann_store_corrupt(store, "page", above);
  if (rc == ANN_OK) {
    for (i = 0; i < n; i++) ids[i] = ann_page_id(page, i);
    ann_page_remove(parent, at);
    ann_pages_touch(store, above);
    rc = ann_pages_delete(store, number);
  }
  for (i = 0; i < n && rc == ANN_OK; i++)
    rc = move_member(store, &probe, vector, ids[i], number);
  ann_probe_clear(&probe);
  ann_free(vector);
  ann_free(ids);
  return rc;
}

static int clear_forest(AnnStore *store) {
  int rc = ann_pages_delete_all(store);
  if (rc == ANN_OK) rc = ann_places_delete_all(store);
  memset(store->state.roots, 0, sizeof store->state.roots);
  store->state.calibrated_rows = store->state.changes = 0;
  return rc;
}

int ann_update_unplace(AnnStore *store, int64_t id, int *out_found) {
  uint32_t pages[ANN_MAX_TREES] = {0};
  AnnPage *leaves[ANN_MAX_TREES];
  int at[ANN_MAX_TREES];
  int rc = ann_places_get(store, id, pages, out_found), copy;
  if (rc != ANN_OK || !*out_found) return rc;
  /* All are found before one is changed. */
  for (copy = 0; copy < store->options.trees; copy++) {
    rc = ann_pages_get(store, pages[copy], ANN_ANY_TREE, 0, &leaves[copy]);
    if (rc != ANN_OK) return rc;
    at[copy] = ann_page_find(leaves[copy], id);
    if (at[copy] < 0) return ann_store_corrupt(store, "place", id);
  }
  rc = ann_places_delete(store, id);
  if (rc != ANN_OK) return rc;
  for (copy = 0; copy < store->options.trees; copy++) {
    ann_page_remove(leaves[copy], at[copy]);
    ann_pages_touch(store, pages[copy]);
  }
  store->state.placed--;
  store->state.changes++;
  store->dirty = 1;
  if (store->state.placed == 0) return clear_forest(store);
  for (copy = 0; copy < store->options.trees && rc == ANN_OK; copy++) {
    AnnPage *page = NULL;
    rc = ann_pages_get(store, pages[copy], ANN_ANY_TREE, 0, &page);
    if (rc == ANN_OK && page->n < page->capacity / DISSOLVE_SHARE) {
      rc = dissolve(store, pages[copy]);
    }
  }
  return rc;
}

/* Into the forest, or onto the waiting list. */
static int settle(AnnStore *store, int64_t id, const float *vector, int straight) {
  AnnProbe probe;
  int waits = 0, rc = ANN_OK;
  if (straight && store->state.roots[0]) rc = ann_waiting_has(store, id, &waits);
  if (rc != ANN_OK || waits) return rc;
  if (!straight || !store->state.roots[0]) return ann_waiting_add(store, id);
  rc = ann_waiting_close(store);
  if (rc == ANN_OK) rc = ann_probe_init(&probe, store);
  if (rc != ANN_OK) return rc;
  ann_probe_set(&probe, store, vector);
  rc = ann_update_place(store, &probe, id);
  ann_probe_clear(&probe);
  return rc;
}

int ann_update_insert(AnnStore *store, const int64_t *id, const float *vector, int straight,
                      int64_t *out_id) {
  int found, rc = ann_store_vector_put(store, id, vector, out_id);
  if (rc != ANN_OK) return rc;
  store->state.rows++;
  store->dirty = 1;
  rc = settle(store, *out_id, vector, straight);
  /* Only the row itself is written so far: take it back, and nothing has happened. */
  if (rc != ANN_OK) {
    ann_store_vector_delete(store, *out_id, &found);
    if (store->loaded) store->state.rows--;
  }
  return rc;
}

int ann_update_delete(AnnStore *store, int64_t id, int *out_found) {
  int placed = 0, rc = ann_update_unplace(store, id, &placed);
  if (rc == ANN_OK) rc = ann_store_vector_delete(store, id, out_found);
  if (rc == ANN_OK && placed && !*out_found) rc = ann_store_corrupt(store, "place", id);
  if (rc == ANN_OK && *out_found) {
    store->state.rows--;
    store->dirty = 1;
  }
  return rc;
}

int ann_update_replace(AnnStore *store, int64_t id, const float *vector, int straight) {
  int placed = 0, rc = ann_update_unplace(store, id, &placed);
  /* A division on the way reads members' vectors, so the new one is stored first. */
  if (rc == ANN_OK) rc = ann_store_vector_update(store, id, vector);
  if (rc == ANN_OK && placed) rc = settle(store, id, vector, straight);
  return rc;
}
