/* grow.c -- see grow.h. */
#include "core/grow.h"

int ann_grow_to(void *io_items, int64_t wanted, int64_t *io_allocated, size_t size) {
  int64_t most = (int64_t)(ANN_MAX_ALLOC / size);
  int64_t n = *io_allocated ? *io_allocated : ANN_GROW_FIRST;
  void *items;
  if (wanted > most) return ANN_NOMEM;
  while (n < wanted) n *= 2;
  if (n > most) n = most; /* twice as many are too many, these are not */
  /* The pointer's own type is the caller's: read and written as bytes. */
  memcpy(&items, io_items, sizeof items);
  items = ann_realloc_array(items, (uint64_t)n, size);
  if (!items) return ANN_NOMEM;
  memcpy(io_items, &items, sizeof items);
  *io_allocated = n;
  return ANN_OK;
}
