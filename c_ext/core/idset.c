/* idset.c -- see idset.h. */
#include "core/idset.h"

#include <stdlib.h>

static uint64_t slot_of(int64_t id, uint64_t n_slots) {
  uint64_t x = (uint64_t)id * 0x9E3779B97F4A7C15u;
  return (x ^ (x >> 32)) & (n_slots - 1);
}

/* The slot that holds id, or the free one where it belongs. */
static uint64_t find(const AnnIdSet *set, int64_t id) {
  uint64_t i = slot_of(id, set->n_slots);
  while (set->marks[i] && set->slots[i] != id) i = (i + 1) & (set->n_slots - 1);
  return i;
}

static int resize(AnnIdSet *set, uint64_t n_slots) {
  AnnIdSet larger;
  uint64_t i;
  larger.slots = ann_alloc_array(n_slots, sizeof *larger.slots);
  larger.marks = ann_alloc_zero(n_slots, 1);
  larger.n_slots = n_slots;
  larger.n = set->n;
  if (!larger.slots || !larger.marks) {
    ann_free(larger.slots);
    ann_free(larger.marks);
    return ANN_NOMEM;
  }
  for (i = 0; i < set->n_slots; i++) {
    if (set->marks[i]) {
      uint64_t j = find(&larger, set->slots[i]);
      larger.slots[j] = set->slots[i];
      larger.marks[j] = 1;
    }
  }
  ann_free(set->slots);
  ann_free(set->marks);
  *set = larger;
  return ANN_OK;
}

void ann_idset_init(AnnIdSet *set) { memset(set, 0, sizeof *set); }

int ann_idset_add(AnnIdSet *set, int64_t id, int *out_new) {
  uint64_t i;
  if ((uint64_t)set->n * 2 >= set->n_slots) {
    int rc = resize(set, set->n_slots ? set->n_slots * 2 : 64);
    if (rc != ANN_OK) return rc;
  }
  i = find(set, id);
  if (out_new) *out_new = !set->marks[i];
  if (!set->marks[i]) {
    set->marks[i] = 1;
    set->slots[i] = id;
    set->n++;
  }
  return ANN_OK;
}

int ann_idset_has(const AnnIdSet *set, int64_t id) {
  return set->n_slots && set->marks[find(set, id)];
}

static int compare(const void *a, const void *b) {
  int64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x < y ? -1 : x > y;
}

int ann_idset_sorted(const AnnIdSet *set, int64_t **out_ids) {
  int64_t *ids = ann_alloc_array((uint64_t)set->n, sizeof *ids);
  int64_t n = 0;
  uint64_t i;
  if (!ids) return ANN_NOMEM;
  for (i = 0; i < set->n_slots; i++) {
    if (set->marks[i]) ids[n++] = set->slots[i];
  }
  if (n > 1) qsort(ids, (size_t)n, sizeof *ids, compare);
  *out_ids = ids;
  return ANN_OK;
}

void ann_idset_clear(AnnIdSet *set) {
  ann_free(set->slots);
  ann_free(set->marks);
  memset(set, 0, sizeof *set);
}
