/* idset.c -- see idset.h. */
#include "core/idset.h"

#include "core/sort.h"

static char held; /* what every id of a set has for a value */

void ann_idset_init(AnnIdSet *set) { memset(set, 0, sizeof *set); }

int ann_idset_add(AnnIdSet *set, int64_t id, int *out_new) {
  int64_t before = set->n;
  int rc = ann_hash_put(set, id, &held);
  if (rc == ANN_OK && out_new) *out_new = set->n > before;
  return rc;
}

int ann_idset_has(const AnnIdSet *set, int64_t id) { return ann_hash_get(set, id) != NULL; }

int ann_idset_equal(const AnnIdSet *a, const AnnIdSet *b) {
  int64_t i;
  if (a->n != b->n) return 0;
  for (i = 0; i < a->n_slots; i++) {
    if (a->slots[i].value && !ann_idset_has(b, a->slots[i].key)) return 0;
  }
  return 1;
}

static int compare(const void *a, const void *b) {
  int64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x < y ? -1 : x > y;
}

int ann_idset_sorted(const AnnIdSet *set, const AnnPoll *poll, int64_t **out_ids) {
  int64_t *ids = ann_alloc_array((uint64_t)set->n, sizeof *ids);
  int64_t n = 0, i;
  int rc;
  if (!ids) return ANN_NOMEM;
  for (i = 0; i < set->n_slots; i++) {
    if (set->slots[i].value) ids[n++] = set->slots[i].key;
  }
  rc = ann_sort(ids, n, sizeof *ids, compare, poll);
  if (rc != ANN_OK) {
    ann_free(ids);
    return rc;
  }
  *out_ids = ids;
  return ANN_OK;
}

void ann_idset_clear(AnnIdSet *set) { ann_hash_clear(set); }
