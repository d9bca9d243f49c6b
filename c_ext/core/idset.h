/* idset.h -- a set of 64-bit ids that grows: which have been seen.  (One that is given is in
** bitmap.h.)
**
**   ann_idset_add   O(1)     ann_idset_has   O(1)
*/
#ifndef ANN_CORE_IDSET_H
#define ANN_CORE_IDSET_H

#include "core/hash.h"

/* cffi:on */
typedef AnnHash AnnIdSet; /* its keys, of which there are n */

void ann_idset_init(AnnIdSet *set);
int ann_idset_add(AnnIdSet *set, int64_t id, int *out_new);
int ann_idset_has(const AnnIdSet *set, int64_t id);
void ann_idset_clear(AnnIdSet *set);
/* cffi:off */

/* ann_idset_add: ANN_OK or ANN_NOMEM; out_new (may be NULL) tells whether it was new.
*/

#endif
