/* gather.c -- see gather.h. */
#include "core/gather.h"

#include "core/grow.h"
#include "core/sort.h"

static int reserve(AnnGather *gather, int64_t n) {
  return ann_grow(&gather->ids, gather->n, n, &gather->allocated, sizeof *gather->ids);
}

static void append(AnnGather *gather, int64_t id) {
  if (gather->n > 0 && id <= gather->ids[gather->n - 1]) gather->is_unordered = 1;
  gather->ids[gather->n++] = id;
}

int ann_gather_add(AnnGather *gather, int64_t id) {
  int rc = reserve(gather, 1);
  if (rc == ANN_OK) append(gather, id);
  return rc;
}

int ann_gather_add_list(AnnGather *gather, const uint8_t *list, int64_t n) {
  int64_t i;
  int rc = reserve(gather, n);
  for (i = 0; i < n && rc == ANN_OK; i++) append(gather, (int64_t)ann_get64(list + 8 * i));
  return rc;
}

int ann_gather_add_set(AnnGather *gather, const AnnBitmap *set) {
  int rc = reserve(gather, set->n);
  if (rc != ANN_OK || set->n == 0) return rc;
  ann_bitmap_ids(set, gather->ids + gather->n);
  if (gather->n > 0 && gather->ids[gather->n] <= gather->ids[gather->n - 1]) {
    gather->is_unordered = 1;
  }
  gather->n += set->n;
  return ANN_OK;
}

/* Ascending, each once. */
static int put_in_order(AnnGather *gather) {
  int64_t *room, *sorted, n = 0, i;
  if (!gather->is_unordered) return ANN_OK;
  room = ann_alloc_array((uint64_t)gather->n, sizeof *room); /* owned */
  if (!room) return ANN_NOMEM;
  sorted = ann_sort_ids(gather->ids, room, gather->n);
  for (i = 0; i < gather->n; i++) {
    if (n == 0 || sorted[i] != gather->ids[n - 1]) gather->ids[n++] = sorted[i];
  }
  ann_free(room);
  gather->n = n;
  gather->is_unordered = 0;
  return ANN_OK;
}

int ann_gather_finish(AnnGather *gather, uint8_t **out_bytes, int64_t *out_size) {
  int rc = put_in_order(gather);
  if (rc == ANN_OK) rc = ann_bitmap_make(gather->ids, gather->n, out_bytes, out_size);
  return rc;
}

void ann_gather_clear(AnnGather *gather) {
  ann_free(gather->ids);
  memset(gather, 0, sizeof *gather);
}
