/* hash.c -- see hash.h. */
#include "core/hash.h"

#define SPARSE 16 /* slots a key from which on there are too many */

static int resize(AnnHash *hash, int64_t n_slots) {
  AnnHash other = {NULL, n_slots, hash->n, 64};
  int64_t i;
  other.slots = ann_alloc_zero((uint64_t)n_slots, sizeof *other.slots);
  if (!other.slots) return ANN_NOMEM;
  for (i = n_slots; i > 1; i /= 2) other.shift--;
  for (i = 0; i < hash->n_slots; i++) {
    const AnnHashSlot *slot = &hash->slots[i];
    if (slot->value) other.slots[ann_hash_slot(&other, slot->key)] = *slot;
  }
  ann_free(hash->slots);
  *hash = other;
  return ANN_OK;
}

int ann_hash_reserve(AnnHash *hash) {
  if (hash->n * 2 < hash->n_slots) return ANN_OK;
  return resize(hash, hash->n_slots ? hash->n_slots * 2 : ANN_HASH_FIRST);
}

int ann_hash_put(AnnHash *hash, int64_t key, void *value) {
  AnnHashSlot *slot = hash->n_slots ? &hash->slots[ann_hash_slot(hash, key)] : NULL;
  if (!slot || (!slot->value && hash->n * 2 >= hash->n_slots)) {
    int rc = ann_hash_reserve(hash);
    if (rc != ANN_OK) return rc;
    slot = &hash->slots[ann_hash_slot(hash, key)];
  }
  hash->n += !slot->value;
  slot->key = key;
  slot->value = value;
  return ANN_OK;
}

/* A slot becomes free, and with it the search ends there for every key that had found it taken.
** So the next of those moves here, and leaves a free slot of its own, until none is left. */
void ann_hash_remove_at(AnnHash *hash, int64_t slot) {
  int64_t mask = hash->n_slots - 1, hole = slot, i;
  for (i = (hole + 1) & mask; hash->slots[i].value; i = (i + 1) & mask) {
    int64_t passed = (i - ann_hash_first(hash, hash->slots[i].key)) & mask;
    if (passed < ((i - hole) & mask)) continue; /* its search begins behind the hole */
    hash->slots[hole] = hash->slots[i];
    hole = i;
  }
  hash->slots[hole].value = NULL;
  hash->n--;
}

void *ann_hash_remove(AnnHash *hash, int64_t key) {
  void *value = ann_hash_get(hash, key);
  if (value) ann_hash_remove_at(hash, ann_hash_slot(hash, key));
  return value;
}

void *ann_hash_next(const AnnHash *hash, int64_t *io_slot) {
  while (*io_slot < hash->n_slots) {
    void *value = hash->slots[(*io_slot)++].value;
    if (value) return value;
  }
  return NULL;
}

void ann_hash_shrink(AnnHash *hash) {
  int64_t fewer = hash->n_slots / 4;
  if (fewer >= ANN_HASH_FIRST && hash->n * SPARSE < hash->n_slots) (void)resize(hash, fewer);
}

void ann_hash_drop(AnnHash *hash) {
  if (hash->n) memset(hash->slots, 0, (size_t)hash->n_slots * sizeof *hash->slots);
  hash->n = 0;
}

void ann_hash_clear(AnnHash *hash) {
  ann_free(hash->slots);
  memset(hash, 0, sizeof *hash);
}
