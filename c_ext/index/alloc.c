/* alloc.c -- core's allocation over SQLite's allocator, so that its limits and its
** fault injection reach every byte we use.
**
** SQLite's memory begins 8 bytes past a multiple of 16, which costs the kernels a third of
** their speed on vectors in the nearest cache (AMD Zen 1, make bench-kernels); ours begins
** at one.  The byte before it says how far it was moved: 1 to 16. */
#include "index/api.h"

#define ALIGNMENT 16

static uint8_t *place_in(uint8_t *block) {
  return block + (ALIGNMENT - (uintptr_t)block % ALIGNMENT);
}

static uint8_t *mark(uint8_t *p, const uint8_t *block) {
  p[-1] = (uint8_t)(p - block);
  return p;
}

void *ann_alloc(uint64_t n) {
  uint8_t *block = n > ANN_MAX_ALLOC ? NULL : sqlite3_malloc64(n + ALIGNMENT);
  return block ? mark(place_in(block), block) : NULL;
}

void *ann_realloc(void *p, uint64_t n) {
  int moved = p ? ((uint8_t *)p)[-1] : 0;
  uint8_t *block, *larger;
  if (!p || n > ANN_MAX_ALLOC) return ann_alloc(n);
  block = sqlite3_realloc64((uint8_t *)p - moved, n + ALIGNMENT);
  if (!block) return NULL;
  larger = place_in(block);
  if (larger - block != moved) memmove(larger, block + moved, (size_t)n);
  return mark(larger, block);
}

void ann_free(void *p) {
  if (p) sqlite3_free((uint8_t *)p - ((uint8_t *)p)[-1]);
}
