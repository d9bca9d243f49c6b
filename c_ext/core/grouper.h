/* grouper.h -- ids with the keys of their groups, in any order, on their way to groups.
**
** A key is any bytes, such as the name of an artist; equal bytes are one group.
**
**   ann_grouper_add   O(1), amortised      ann_grouper_finish   O(n), or O(n log n) where the ids
**                                          did not ascend
*/
#ifndef ANN_CORE_GROUPER_H
#define ANN_CORE_GROUPER_H

#include "core/groups.h"
#include "core/hash.h"

/* cffi:on */
/* Begins as zeros. */
typedef struct AnnGrouper {
  AnnGrouped *rows; /* owned: as they came */
  int64_t n, allocated;
  int is_unordered; /* an id came that is not above the one before */
  AnnHash keys;     /* owned: those with the same hash, one after the other */
  int64_t n_keys;
} AnnGrouper;

int ann_grouper_add(AnnGrouper *grouper, int64_t id, const void *key, int64_t n_bytes);
int ann_grouper_finish(AnnGrouper *grouper, uint8_t **out_bytes, int64_t *out_size,
                       int64_t *out_id);
void ann_grouper_clear(AnnGrouper *grouper);
/* cffi:off */

/* ann_grouper_add: ANN_OK, or ANN_NOMEM and nothing was added.
** ann_grouper_finish: the groups (groups.h), the caller's (ann_free); no more can be added.
** ANN_ERROR: an id came with two keys, and is in *out_id.  The same key twice will do.
*/

#endif
