/* idset.h -- a set of 64-bit ids: which rows a search may return, which it has seen.
**
**   ann_idset_add   O(1)     ann_idset_has   O(1)     ann_idset_sorted   O(n log n)
*/
#ifndef ANN_CORE_IDSET_H
#define ANN_CORE_IDSET_H

#include "core/hash.h"

/* cffi:on */
typedef AnnHash AnnIdSet; /* its keys, of which there are n */

void ann_idset_init(AnnIdSet *set);
int ann_idset_add(AnnIdSet *set, int64_t id, int *out_new);
int ann_idset_has(const AnnIdSet *set, int64_t id);
int ann_idset_equal(const AnnIdSet *a, const AnnIdSet *b);
int ann_idset_sorted(const AnnIdSet *set, const AnnPoll *poll, int64_t **out_ids);
void ann_idset_clear(AnnIdSet *set);
/* cffi:off */

/* ann_idset_add: ANN_OK or ANN_NOMEM; out_new (may be NULL) tells whether it was new.
** ann_idset_sorted: set->n ids ascending, the caller frees them.  ANN_OK, ANN_NOMEM or what
** poll said (it may be NULL), with nothing owned.
*/

#endif
