/* sort.h -- sort many things, asking now and then whether to go on. */
#ifndef ANN_CORE_SORT_H
#define ANN_CORE_SORT_H

#include "core/base.h"

#define ANN_SORT_RUN ((int64_t)32768) /* items between two polls; up to so many need no room */

/* cffi:on */
/* n items of `size` bytes, by an order in which no two are equal.  ANN_OK, ANN_NOMEM or what
** poll said: then they are all there, in some order.  poll may be NULL.  Up to 32,768 items,
** some milliseconds, it is qsort; beyond, room for as many again. */
int ann_sort(void *items, int64_t n, size_t size, int (*compare)(const void *, const void *),
             const AnnPoll *poll);
/* n ids ascending, by a radix sort of the bytes in which they differ; `other` has as much room.
** The result is one of the two. */
int64_t *ann_sort_ids(int64_t *ids, int64_t *other, int64_t n);
/* cffi:off */

#endif
