/* shortlist.c -- see shortlist.h. */
#include "core/shortlist.h"

#include <math.h>

#include "core/grow.h"
#include "core/select.h"
#include "core/sort.h"

#define PICKED 8 /* keys of which one becomes the limit */

void ann_shortlist_restart(AnnShortlist *list, int64_t wanted) {
  list->n = 0;
  list->wanted = wanted;
  list->limit = INFINITY;
}

void ann_shortlist_widen(AnnShortlist *list, int64_t wanted) {
  if (wanted <= list->wanted) return;
  list->wanted = wanted;
  list->limit = INFINITY;
}

/* By key, then by id. */
static int before(const void *items, int64_t i, int64_t j) {
  const AnnShortlist *list = items;
  const float *keys = list->keys;
  return (keys[i] < keys[j]) | ((keys[i] == keys[j]) & (list->ids[i] < list->ids[j]));
}

static void swap(void *items, int64_t i, int64_t j) {
  AnnShortlist *list = items;
  float key = list->keys[i];
  int64_t id = list->ids[i];
  list->keys[i] = list->keys[j];
  list->ids[i] = list->ids[j];
  list->keys[j] = key;
  list->ids[j] = id;
}

/* The `wanted` best to the front, the others forgotten. */
void ann_shortlist_select(AnnShortlist *list) {
  int64_t i;
  if (list->n < list->wanted) return;
  ann_select(list, list->n, list->wanted, before, swap);
  list->n = list->wanted;
  list->limit = list->keys[0];
  for (i = 1; i < list->n; i++) {
    if (list->keys[i] > list->limit) list->limit = list->keys[i];
  }
}

static void sort_keys(float *keys, int n) {
  int i, j;
  for (i = 1; i < n; i++) {
    float key = keys[i];
    for (j = i; j > 0 && keys[j - 1] > key; j--) keys[j] = keys[j - 1];
    keys[j] = key;
  }
}

/* Items up to a limit. */
static int64_t count_within(const AnnShortlist *list, float limit) {
  int32_t n = 0, i;
  for (i = 0; i < (int32_t)list->n; i++) n += list->keys[i] <= limit;
  return n;
}

/* The least of some keys, picked from all over the list, that leaves enough items within. */
static float pick_limit(const AnnShortlist *list) {
  float keys[PICKED];
  int from = 0, to = PICKED, i;
  for (i = 0; i < PICKED; i++) keys[i] = list->keys[(2 * i + 1) * list->n / (2 * PICKED)];
  sort_keys(keys, PICKED);
  while (from < to) {
    int middle = from + (to - from) / 2;
    if (count_within(list, keys[middle]) >= list->wanted) to = middle;
    else from = middle + 1;
  }
  return to < PICKED && keys[to] < list->limit ? keys[to] : list->limit;
}

/* Forget about as many as are not wanted; the best remain.  No branch depends on an item. */
static void thin(AnnShortlist *list) {
  float limit = pick_limit(list);
  int64_t n = 0, i;
  for (i = 0; i < list->n; i++) {
    list->keys[n] = list->keys[i];
    list->ids[n] = list->ids[i];
    n += list->keys[i] <= limit;
  }
  list->limit = limit;
  list->n = n;
  if (2 * n > 3 * list->wanted) ann_shortlist_select(list);
}

/* Room for n items: in both arrays, of which one may have grown alone when memory was out. */
static int reserve(AnnShortlist *list, int64_t n) {
  int64_t keys = list->allocated, ids = list->allocated;
  int rc = ann_grow(&list->keys, 0, n, &keys, sizeof *list->keys);
  if (rc == ANN_OK) rc = ann_grow(&list->ids, 0, n, &ids, sizeof *list->ids);
  if (rc == ANN_OK) list->allocated = ids;
  return rc;
}

int ann_shortlist_reserve(AnnShortlist *list, int64_t wanted) {
  return reserve(list, 2 * wanted);
}

int ann_shortlist_add(AnnShortlist *list, float key, int64_t id) {
  if (list->n == list->allocated) {
    int rc = reserve(list, list->n + 1);
    if (rc != ANN_OK) return rc;
  }
  list->keys[list->n] = key != key ? INFINITY : key;
  list->ids[list->n++] = id;
  if (list->n >= 2 * list->wanted) thin(list);
  return ANN_OK;
}

int64_t ann_shortlist_count(const AnnShortlist *list) {
  return list->n < list->wanted ? list->n : list->wanted;
}

int ann_shortlist_finish(AnnShortlist *list, const int64_t **out_ids, int64_t *out_n) {
  int64_t *ids, i, n = 0;
  int rc;
  *out_ids = NULL;
  *out_n = 0;
  if (list->n == 0) return ANN_OK;
  ann_shortlist_select(list);
  rc = reserve(list, 2 * list->n);
  if (rc != ANN_OK) return rc;
  ids = ann_sort_ids(list->ids, list->ids + list->n, list->n);
  for (i = 0; i < list->n; i++) {
    if (i == 0 || ids[i] != ids[n - 1]) ids[n++] = ids[i];
  }
  list->n = 0;
  *out_ids = ids;
  *out_n = n;
  return ANN_OK;
}

void ann_shortlist_clear(AnnShortlist *list) {
  ann_free(list->keys);
  ann_free(list->ids);
  memset(list, 0, sizeof *list);
}
