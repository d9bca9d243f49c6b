/* grow.h -- an array that grows by doubling, so that n items added one by one cost O(n).
**
** Whoever owns an array keeps for how many items it is allocated (0 at first, items NULL), and
** asks for room before adding.
**   ann_grow   O(1) when there is room; else one reallocation
*/
#ifndef ANN_CORE_GROW_H
#define ANN_CORE_GROW_H

#include "core/base.h"

#define ANN_GROW_FIRST 64 /* items of the first allocation, at least */

/* cffi:on */
/* Room for `wanted` items of `size` bytes each, at least; more than *io_allocated has room for.
** io_items: the address of the owner's pointer, of whatever type. */
int ann_grow_to(void *io_items, int64_t wanted, int64_t *io_allocated, size_t size);
/* cffi:off */

/* Room for `more` items beyond the n of an array, which may move.  ANN_OK, or ANN_NOMEM and
** everything is as it was. */
static inline int ann_grow(void *io_items, int64_t n, int64_t more, int64_t *io_allocated,
                           size_t size) {
  return n + more <= *io_allocated ? ANN_OK
                                   : ann_grow_to(io_items, n + more, io_allocated, size);
}

#endif
