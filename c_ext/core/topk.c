/* topk.c -- see topk.h.  Two binary heaps over one pair type. */
#include "core/topk.h"

#include <math.h>
#include <stdlib.h>

static double ordered(double key) { return key != key ? INFINITY : key; }

static int before(const AnnRanked *a, const AnnRanked *b) {
  return a->key < b->key || (a->key == b->key && a->id < b->id);
}

int ann_ranked_compare(const void *a, const void *b) {
  const AnnRanked *x = a, *y = b;
  return before(x, y) ? -1 : before(y, x) ? 1 : 0;
}

/* Room for one item more; doubles. */
static int grow(AnnRanked **items, int64_t n, int64_t *capacity) {
  int64_t wanted = *capacity ? *capacity * 2 : 32;
  AnnRanked *larger;
  if (n < *capacity) return ANN_OK;
  larger = ann_realloc_array(*items, (uint64_t)wanted, sizeof **items);
  if (!larger) return ANN_NOMEM;
  *items = larger;
  *capacity = wanted;
  return ANN_OK;
}

/* Restore a heap whose item i may be out of place downwards.  `max`: the largest on top. */
static void sift_down(AnnRanked *items, int64_t n, int64_t i, int max) {
  AnnRanked moving = items[i];
  for (;;) {
    int64_t child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n) {
      int right = max ? before(&items[child], &items[child + 1])
                      : before(&items[child + 1], &items[child]);
      child += right;
    }
    if (max ? !before(&moving, &items[child]) : !before(&items[child], &moving)) break;
    items[i] = items[child];
    i = child;
  }
  items[i] = moving;
}

static void sift_up(AnnRanked *items, int64_t i, int max) {
  AnnRanked moving = items[i];
  while (i > 0) {
    int64_t parent = (i - 1) / 2;
    if (max ? !before(&items[parent], &moving) : !before(&moving, &items[parent])) break;
    items[i] = items[parent];
    i = parent;
  }
  items[i] = moving;
}

void ann_topk_init(AnnTopk *top, int64_t k) {
  memset(top, 0, sizeof *top);
  top->k = k;
}

int ann_topk_push(AnnTopk *top, double key, int64_t id) {
  AnnRanked item;
  item.key = ordered(key);
  item.id = id;
  if (top->n < top->k) {
    int rc = grow(&top->items, top->n, &top->capacity);
    if (rc != ANN_OK) return rc;
    top->items[top->n] = item;
    sift_up(top->items, top->n++, 1);
  } else if (top->k > 0 && before(&item, &top->items[0])) {
    top->items[0] = item;
    sift_down(top->items, top->n, 0, 1);
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
      sift_down(top->items, top->n, i, 1);
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

int ann_frontier_push(AnnFrontier *queue, double key, int64_t payload) {
  int rc = grow(&queue->items, queue->n, &queue->capacity);
  if (rc != ANN_OK) return rc;
  queue->items[queue->n].key = ordered(key);
  queue->items[queue->n].id = payload;
  sift_up(queue->items, queue->n++, 0);
  return ANN_OK;
}

int ann_frontier_pop(AnnFrontier *queue, AnnRanked *out_item) {
  if (queue->n == 0) return 0;
  *out_item = queue->items[0];
  queue->n--;
  if (queue->n > 0) {
    queue->items[0] = queue->items[queue->n];
    sift_down(queue->items, queue->n, 0, 0);
  }
  return 1;
}

void ann_frontier_clear(AnnFrontier *queue) {
  ann_free(queue->items);
  memset(queue, 0, sizeof *queue);
}
