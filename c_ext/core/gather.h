/* gather.h -- ids that come one by one, in any order and more than once, on their way to a set.
**
** They mostly ascend, as SQLite reads a table or hands down a list; then nothing has to be
** sorted.
**
**   ann_gather_add   O(1), amortised      ann_gather_finish   O(n)
*/
#ifndef ANN_CORE_GATHER_H
#define ANN_CORE_GATHER_H

#include "core/bitmap.h"

/* cffi:on */
/* Begins as zeros. */
typedef struct AnnGather {
  int64_t *ids; /* owned */
  int64_t n, allocated;
  int is_unordered; /* an id came that is not above the one before */
} AnnGather;

int ann_gather_add(AnnGather *gather, int64_t id);
int ann_gather_add_list(AnnGather *gather, const uint8_t *list, int64_t n);
int ann_gather_add_set(AnnGather *gather, const AnnBitmap *set);
int ann_gather_finish(AnnGather *gather, uint8_t **out_bytes, int64_t *out_size);
void ann_gather_clear(AnnGather *gather);
/* cffi:off */

/* ann_gather_add, _add_list, _add_set: ANN_OK, or ANN_NOMEM and nothing was added.  A list is n
** little-endian 64-bit integers.
** ann_gather_finish: the set of them (bitmap.h), the caller's (ann_free); they are still there.
** ANN_OK or ANN_NOMEM.
*/

#endif
