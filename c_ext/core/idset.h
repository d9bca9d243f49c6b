/* idset.h -- a set of 64-bit ids: which rows a search may return, which it has seen.
**
** Open addressing over a power of two of slots, at most half full.
**   ann_idset_add   O(1)     ann_idset_has   O(1)     ann_idset_sorted   O(n log n)
*/
#ifndef ANN_CORE_IDSET_H
#define ANN_CORE_IDSET_H

#include "core/base.h"

/* cffi:on */
typedef struct AnnIdSet {
  int64_t *slots;    /* owned: ids; a slot counts only when its mark is set */
  uint8_t *marks;    /* owned: 1 for a used slot */
  uint64_t n_slots;  /* power of two, or 0 */
  int64_t n;         /* ids held */
} AnnIdSet;

void ann_idset_init(AnnIdSet *set);
int ann_idset_add(AnnIdSet *set, int64_t id, int *out_new);
int ann_idset_has(const AnnIdSet *set, int64_t id);
int ann_idset_sorted(const AnnIdSet *set, int64_t **out_ids);
void ann_idset_clear(AnnIdSet *set);
/* cffi:off */

/* ann_idset_add: ANN_OK or ANN_NOMEM; out_new (may be NULL) tells whether it was new.
** ann_idset_sorted: set->n ids ascending, the caller frees them.
*/

#endif
