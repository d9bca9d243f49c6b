/* update.h -- one vector in, one vector out: routing, splitting, dissolving.
**
** Everything is done in memory (pages.h, places.h) and becomes real with ann_store_flush, which
** the caller does.
**
**   insert: a walk to the nearest leaves of the forest; as many copies as there are
**           trees, one in the nearest leaf, the others where they complement it best;
**           a full leaf is first split in two, about once in 100 inserts
**   delete: the leaves are known (places.h), one entry removed from each; a leaf that
**           becomes nearly empty is dissolved into its neighbours
*/
#ifndef ANN_INDEX_UPDATE_H
#define ANN_INDEX_UPDATE_H

#include "core/idset.h"
#include "index/route.h"

/* Put a vector that is in the vectors table into the forest.  A full leaf is divided, and
** added to `divided`, if that is not NULL. */
int ann_update_place(AnnStore *store, int64_t id, const void *vector, AnnIdSet *divided);
/* The same where a worker's router has found the leaves: io_copies as ann_router_assign gave
** them, in leaves not divided since.  vector: NULL when store->router is set for it. */
int ann_update_enter(AnnStore *store, int64_t id, const void *vector, AnnCopy *io_copies,
                     AnnIdSet *divided);
/* Take an id out of the forest; *out_found is 0 when it was not in it. */
int ann_update_unplace(AnnStore *store, int64_t id, int *out_found);
/* Take all of them out, and the trees away. */
int ann_update_clear(AnnStore *store);

/* One row; `id` NULL lets SQLite choose.  straight: into the forest at once if there is
** one, else onto the waiting list. */
int ann_update_insert(AnnStore *store, const int64_t *id, const void *vector, int straight,
                      int64_t *out_id);
int ann_update_delete(AnnStore *store, int64_t id, int *out_found);
/* Another vector for a row that is there. */
int ann_update_replace(AnnStore *store, int64_t id, const void *vector, int straight);

#endif
