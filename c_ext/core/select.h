/* select.h -- the n least of many to the front, in no order (Hoare's FIND).
**
** The items are whatever the caller has, in one array or in several: `before` compares the i-th
** with the j-th, `swap` exchanges them; both are inlined into the caller's own copy of the
** loop, in which no branch depends on the items.  Each round divides what is still undecided by
** one of it, and goes on with the part that the n-th lies in:
**
**   5 1 4 2 3   the 2 least: by 4, the median of its first, middle and last item
**   1 2 3 4 5   4 has its place, and three stand before it: go on with 1 2 3, by 2
**   1 2 3 4 5   2 has its place, one stands before it: done
**
**   ann_select   O(n), if `before` takes no two for equal; where many are, O(n^2)
*/
#ifndef ANN_CORE_SELECT_H
#define ANN_CORE_SELECT_H

#include "core/base.h"

typedef int AnnSelectBefore(const void *items, int64_t i, int64_t j);
typedef void AnnSelectSwap(void *items, int64_t i, int64_t j);

/* Divide the items from..to - 1 by one of them: those before it to the front.  Its place. */
static inline int64_t ann_select_divide(void *items, int64_t from, int64_t to,
                                        AnnSelectBefore *before, AnnSelectSwap *swap) {
  int64_t middle = from + (to - from) / 2, last = to - 1, at = from, i;
  if (before(items, middle, from)) swap(items, middle, from);
  if (before(items, last, from)) swap(items, last, from);
  if (before(items, middle, last)) swap(items, middle, last);
  for (i = from; i < last; i++) {
    int is_before = before(items, i, last);
    swap(items, i, at);
    at += is_before;
  }
  swap(items, at, last);
  return at;
}

/* The n least of n_items to the front. */
static inline void ann_select(void *items, int64_t n_items, int64_t n, AnnSelectBefore *before,
                              AnnSelectSwap *swap) {
  int64_t from = 0, to = n_items;
  while (to - from > 1 && n > from && n < to) {
    int64_t place = ann_select_divide(items, from, to, before, swap);
    if (place >= n) to = place;
    else from = place + 1;
  }
}

#endif
