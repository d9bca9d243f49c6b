/* bitmap.c -- any bytes as a set of ids: what is taken is made again of its ids, byte for byte. */
#include "core/bitmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  AnnBitmap set;
  int64_t *ids, made_size = 0, i;
  uint8_t *made = NULL;
  if (ann_bitmap_open(&set, data, (int64_t)size) != ANN_OK) return 0;
  ids = ann_alloc_array((uint64_t)set.n, sizeof *ids);
  ann_bitmap_ids(&set, ids);
  for (i = 0; i < set.n; i++) {
    if (!ann_bitmap_has(&set, ids[i])) __builtin_trap();
  }
  if (ann_bitmap_make(ids, set.n, &made, &made_size) != ANN_OK) __builtin_trap();
  if (made_size != set.size || memcmp(made, data, size) != 0) __builtin_trap();
  ann_free(made);
  ann_free(ids);
  return 0;
}
