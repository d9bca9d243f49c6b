/* topk.c -- see topk.h. */
#include "core/topk.h"

#include <math.h>
#include <stdlib.h>

#include "core/grow.h"
#include "core/select.h"

static double ordered(double key) { return key != key ? INFINITY : key; }

static int before(const AnnRanked *a, const AnnRanked *b) {
  return a->key < b->key || (a->key == b->key && a->id < b->id);
}

int ann_ranked_compare(const void *a, const void *b) {
  const AnnRanked *x = a, *y = b;
  return before(x, y) ? -1 : before(y, x) ? 1 : 0;
}

/* For ann_select; without a branch. */
static int is_before(const void *items, int64_t i, int64_t j) {
  const AnnRanked *a = (const AnnRanked *)items + i, *b = (const AnnRanked *)items + j;
  return (a->key < b->key) | ((a->key == b->key) & (a->id < b->id));
}

static void swap(void *items, int64_t i, int64_t j) {
  AnnRanked *a = (AnnRanked *)items + i, *b = (AnnRanked *)items + j, moved = *a;
  *a = *b;
  *b = moved;
}

double ann_ranked_select(AnnRanked *items, int64_t n, int64_t at) {
  double most;
  int64_t i;
  ann_select(items, n, at + 1, is_before, swap);
  most = items[0].key;
  for (i = 1; i <= at; i++) most = items[i].key > most ? items[i].key : most;
  return most;
}

/* Restore a heap, the largest on top, whose item i may be out of place downwards. */
static void sift_down(AnnRanked *items, int64_t n, int64_t i) {
  AnnRanked moving = items[i];
  for (;;) {
    int64_t child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n) child += before(&items[child], &items[child + 1]);
    if (!before(&moving, &items[child])) break;
    items[i] = items[child];
    i = child;
  }
  items[i] = moving;
}

static void sift_up(AnnRanked *items, int64_t i) {
  AnnRanked moving = items[i];
  while (i > 0) {
    int64_t parent = (i - 1) / 2;
    if (!before(&items[parent], &moving)) break;
    items[i] = items[parent];
    i = parent;
  }
  items[i] = moving;
}

void ann_topk_init(AnnTopk *top, int64_t k) {
  memset(top, 0, sizeof *top);
  top->k = k;
}

int ann_topk_reserve(AnnTopk *top, int64_t k) {
  ann_topk_init(top, k);
  top->items = ann_alloc_array((uint64_t)k, sizeof *top->items);
  top->capacity = top->items ? k : 0;
  return top->items ? ANN_OK : ANN_NOMEM;
}

void ann_topk_restart(AnnTopk *top, int64_t k) {
  top->n = 0;
  top->k = k;
}

int ann_topk_push(AnnTopk *top, double key, int64_t id) {
  AnnRanked item;
  item.key = ordered(key);
  item.id = id;
  if (top->n < top->k) {
    int rc = ann_grow(&top->items, top->n, 1, &top->capacity, sizeof *top->items);
    if (rc != ANN_OK) return rc;
    top->items[top->n] = item;
    sift_up(top->items, top->n++);
  } else if (top->k > 0 && before(&item, &top->items[0])) {
    top->items[0] = item;
    sift_down(top->items, top->n, 0);
  }
  return ANN_OK;
}

int ann_topk_push_unique(AnnTopk *top, double key, int64_t id) {
  int64_t i;
  if (top->n > 0 && top->n == top->k && !(key < top->items[0].key)) return ANN_OK;
  for (i = 0; i < top->n; i++) {
    if (top->items[i].id != id) continue;
    if (key < top->items[i].key) {
      top->items[i].key = key;
      sift_down(top->items, top->n, i);
    }
    return ANN_OK;
  }
  return ann_topk_push(top, key, id);
}

double ann_topk_worst(const AnnTopk *top) {
  return top->n < top->k || top->n == 0 ? INFINITY : top->items[0].key;
}

void ann_topk_sort(AnnTopk *top) {
  if (top->n > 1) qsort(top->items, (size_t)top->n, sizeof *top->items, ann_ranked_compare);
}

void ann_topk_clear(AnnTopk *top) {
  ann_free(top->items);
  memset(top, 0, sizeof *top);
}

void ann_frontier_init(AnnFrontier *queue) { memset(queue, 0, sizeof *queue); }

/* Floats in order as unsigned integers: the sign bit turned, of negative ones all bits.
** NaN counts as +infinity, -0 as 0. */
static AnnQueued queued(float key, uint32_t payload) {
  uint32_t bits;
  key = key != key ? INFINITY : key + 0.0f;
  memcpy(&bits, &key, sizeof bits);
  bits ^= bits >> 31 ? 0xFFFFFFFFu : 0x80000000u;
  return (AnnQueued)bits << 32 | payload;
}

static float key_of(AnnQueued item) {
  uint32_t bits = (uint32_t)(item >> 32);
  float key;
  bits ^= bits >> 31 ? 0x80000000u : 0xFFFFFFFFu;
  memcpy(&key, &bits, sizeof key);
  return key;
}

int ann_frontier_push(AnnFrontier *queue, float key, uint32_t payload) {
  AnnQueued item = queued(key, payload), *items;
  int64_t i = queue->n;
  int rc = ann_grow(&queue->items, i, 1, &queue->capacity, sizeof item);
  if (rc != ANN_OK) return rc;
  items = queue->items;
  queue->n++;
  while (i > 0 && item < items[(i - 1) / 4]) {
    items[i] = items[(i - 1) / 4];
    i = (i - 1) / 4;
  }
  items[i] = item;
  return ANN_OK;
}

int ann_frontier_top(const AnnFrontier *queue, float *out_key, uint32_t *out_payload) {
  if (queue->n == 0) return 0;
  *out_key = key_of(queue->items[0]);
  *out_payload = (uint32_t)queue->items[0];
  return 1;
}

/* The least of up to four children that start at `first`. */
static int64_t least_of(const AnnQueued *items, int64_t first, int64_t n) {
  int64_t last = first + 4 < n ? first + 4 : n, least = first, i;
  for (i = first + 1; i < last; i++) {
    if (items[i] < items[least]) least = i;
  }
  return least;
}

/* Put an item where the first one was, of n. */
static void sink(AnnQueued *items, int64_t n, AnnQueued moving) {
  int64_t i = 0, child;
  while ((child = 4 * i + 1) < n) {
    child = least_of(items, child, n);
    if (moving <= items[child]) break;
    items[i] = items[child];
    i = child;
  }
  items[i] = moving;
}

int ann_frontier_pop(AnnFrontier *queue, uint32_t *out_payload) {
  if (queue->n == 0) return 0;
  *out_payload = (uint32_t)queue->items[0];
  queue->n--;
  sink(queue->items, queue->n, queue->items[queue->n]);
  return 1;
}

void ann_frontier_replace(AnnFrontier *queue, float key, uint32_t payload) {
  sink(queue->items, queue->n, queued(key, payload));
}

void ann_frontier_clear(AnnFrontier *queue) {
  ann_free(queue->items);
  memset(queue, 0, sizeof *queue);
}
