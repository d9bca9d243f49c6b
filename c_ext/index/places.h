/* places.h -- in which leaves an id is, so that a delete finds its entries.  A row has as
** many copies as the forest has trees, each in another leaf, in whichever tree it fits best.
**
** Changes are kept in memory until ann_places_flush writes them in order of id.
*/
#ifndef ANN_INDEX_PLACES_H
#define ANN_INDEX_PLACES_H

#include "index/store.h"

/* pages: options.trees page numbers.  *out_found is 0 for an id that is not in the forest. */
int ann_places_get(AnnStore *store, int64_t id, uint32_t *out_pages, int *out_found);
int ann_places_put(AnnStore *store, int64_t id, const uint32_t *pages);
/* The copy in leaf `from` is now in leaf `to`. */
int ann_places_move(AnnStore *store, int64_t id, uint32_t from, uint32_t to);
int ann_places_delete(AnnStore *store, int64_t id);
int ann_places_delete_all(AnnStore *store);

int ann_places_flush(AnnStore *store);
void ann_places_drop(AnnStore *store);    /* forget changes */
void ann_places_clear(AnnStore *store);   /* and free the table of them */

/* The first stored place at or after `from`, for checks; bytes that do not fit are ANN_CORRUPT. */
int ann_places_next(AnnStore *store, int64_t from, int64_t *out_id, uint32_t *out_pages,
                    int *out_found);

#endif
