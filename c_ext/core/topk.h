/* topk.h -- the k best of many, and the queue of a best-first walk.
**
** AnnTopk keeps the k smallest (key, id) pairs seen, ties by smaller id:
**   ann_topk_init      O(1)          ann_topk_push   O(log k), O(1) when not among the best
**   ann_topk_sort      O(k log k)    ann_topk_clear  O(1)
** AnnFrontier hands back the item with the smallest (key, payload) first:
**   ann_frontier_push, _pop, _replace   O(log n)       ann_frontier_top   O(1)
** A key that is NaN counts as +infinity, so that the order is total.
*/
#ifndef ANN_CORE_TOPK_H
#define ANN_CORE_TOPK_H

#include "core/base.h"

/* cffi:on */
typedef struct AnnRanked {
  double key; /* smaller is better */
  int64_t id; /* breaks ties: smaller first */
} AnnRanked;

typedef struct AnnTopk {
  AnnRanked *items; /* owned: max-heap by (key, id) of the best so far */
  int64_t n;        /* items kept */
  int64_t k;        /* items wanted */
  int64_t capacity; /* items allocated; grows up to k */
} AnnTopk;

/* A float key in order of its bits above a payload: one comparison of integers. */
typedef uint64_t AnnQueued;

typedef struct AnnFrontier {
  AnnQueued *items; /* owned: min-heap of 4 children a node */
  int64_t n;
  int64_t capacity;
} AnnFrontier;

void ann_topk_init(AnnTopk *top, int64_t k);
int ann_topk_reserve(AnnTopk *top, int64_t k);
void ann_topk_restart(AnnTopk *top, int64_t k);
int ann_topk_push(AnnTopk *top, double key, int64_t id);
int ann_topk_push_unique(AnnTopk *top, double key, int64_t id);
double ann_topk_worst(const AnnTopk *top);
void ann_topk_sort(AnnTopk *top);
void ann_topk_clear(AnnTopk *top);

void ann_frontier_init(AnnFrontier *queue);
int ann_frontier_push(AnnFrontier *queue, float key, uint32_t payload);
int ann_frontier_top(const AnnFrontier *queue, float *out_key, uint32_t *out_payload);
int ann_frontier_pop(AnnFrontier *queue, uint32_t *out_payload);
void ann_frontier_replace(AnnFrontier *queue, float key, uint32_t payload);
void ann_frontier_clear(AnnFrontier *queue);

int ann_ranked_compare(const void *a, const void *b);
double ann_ranked_select(AnnRanked *items, int64_t n, int64_t at);
/* cffi:off */

/* ann_topk_push, ann_frontier_push: ANN_OK or ANN_NOMEM (nothing changed).
** ann_topk_reserve: init, with all the memory that k >= 1 items need, so that no push fails;
** ANN_OK, or ANN_NOMEM with nothing owned.
** ann_topk_restart: empty again, in the same memory.
** ann_topk_push_unique: an id that is kept already keeps its smaller key; O(k) for a
** newcomer among the best.
** ann_topk_worst: the key that a newcomer must not exceed; +infinity until k are kept.
** ann_topk_sort: items[0..n-1] ascending; no push after it.
** ann_frontier_top, ann_frontier_pop: 1 and the first item, or 0 when empty.
** ann_frontier_replace: a pop and a push in one; the queue must not be empty.
** ann_ranked_compare: for qsort, ascending (key, id).
** ann_ranked_select: the key that would be at `at`, from 0 to n - 1, if the items were sorted,
** in O(n); their order changes.  No two are equal, no key is NaN.
*/

#endif
