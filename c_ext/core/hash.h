/* hash.h -- a map from 64-bit ids to pointers: pages by number, rows by id, a set of ids.
**
** Open addressing: an id belongs into the slot that its product with 2^64 / golden ratio begins
** with, or the next free one after it.  Ids that follow one another, as rowids mostly do, come
** far apart.  The slots are a power of two, at least twice the ids, so that a look-up seldom
** sees more than one of them.  The id stands beside its pointer: what is pointed to, mostly not
** in the CPU's cache, need not be read to know whether it is the one.
**
**   ann_hash_get, _put, _remove   O(1)      ann_hash_next   O(1) a slot
*/
#ifndef ANN_CORE_HASH_H
#define ANN_CORE_HASH_H

#include "core/base.h"

#define ANN_HASH_FIRST 64 /* slots of the first allocation */

/* cffi:on */
typedef struct AnnHashSlot {
  int64_t key;
  void *value; /* the user's; NULL: the slot is free */
} AnnHashSlot;

/* Begins as zeros. */
typedef struct AnnHash {
  AnnHashSlot *slots; /* owned */
  int64_t n_slots;    /* power of two, or 0 */
  int64_t n;          /* keys held */
  int shift;          /* 64 - log2(n_slots) */
} AnnHash;

int ann_hash_reserve(AnnHash *hash);
int ann_hash_put(AnnHash *hash, int64_t key, void *value);
void *ann_hash_remove(AnnHash *hash, int64_t key);
void ann_hash_remove_at(AnnHash *hash, int64_t slot);
void *ann_hash_next(const AnnHash *hash, int64_t *io_slot);
void ann_hash_shrink(AnnHash *hash);
void ann_hash_drop(AnnHash *hash);
void ann_hash_clear(AnnHash *hash);
/* cffi:off */

/* ann_hash_reserve: room for one key more, so that its put does not fail.  ANN_OK or ANN_NOMEM.
** ann_hash_put: a new key, or another value for it; the value is not NULL.  ANN_OK, or
** ANN_NOMEM and nothing has changed.
** ann_hash_remove: the value, NULL when there was none; _at: of a slot that is in use.  Those
** that had to give way to it move up: what stands in the slot afterwards has not been looked at
** by whoever goes through them.
** ann_hash_next: the value in the first slot that is used from *io_slot on, which then stands
** behind it; NULL at the end.  In no order.
** ann_hash_shrink: when hardly any slot is used, fewer, if there is memory for that.
** ann_hash_drop: no key is left, the slots are kept; _clear: nothing is.
*/

/* Where the search for a key begins; there must be slots. */
static inline int64_t ann_hash_first(const AnnHash *hash, int64_t key) {
  return (int64_t)((uint64_t)key * 0x9E3779B97F4A7C15u >> hash->shift);
}

/* The slot that holds a key, or the free one where it belongs; there must be slots. */
static inline int64_t ann_hash_slot(const AnnHash *hash, int64_t key) {
  int64_t i = ann_hash_first(hash, key);
  /* A free slot may have the key too: it is where the search ends all the same. */
  while (hash->slots[i].key != key && hash->slots[i].value) i = (i + 1) & (hash->n_slots - 1);
  return i;
}

/* The value, or NULL. */
static inline void *ann_hash_get(const AnnHash *hash, int64_t key) {
  return hash->n_slots ? hash->slots[ann_hash_slot(hash, key)].value : NULL;
}

/* A hint that a key is about to be looked up. */
static inline void ann_hash_prefetch(const AnnHash *hash, int64_t key) {
  if (hash->n_slots) __builtin_prefetch(&hash->slots[ann_hash_first(hash, key)]);
}

#endif
