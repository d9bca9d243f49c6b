/* places.h -- in which leaves an id is, so that a delete finds its entries.  A row has as
** many copies as the forest has trees, each in another leaf, in whichever tree it fits best.
**
** Changes are kept in memory until ann_places_flush writes them in order of id.
*/
#ifndef ANN_INDEX_PLACES_H
#define ANN_INDEX_PLACES_H

#include "index/db.h"

/* cffi:on */
typedef struct AnnPlaces AnnPlaces;

/* db: borrowed.  trees: copies of a row.  ANN_OK or ANN_NOMEM. */
int ann_places_new(AnnDb *db, int trees, AnnPlaces **out_places);
void ann_places_free(AnnPlaces *places);

/* pages: `trees` page numbers.  *out_found is 0 for an id that is not in the forest. */
int ann_places_get(AnnPlaces *places, int64_t id, uint32_t *out_pages, int *out_found);
int ann_places_put(AnnPlaces *places, int64_t id, const uint32_t *pages);
/* The copy in leaf `from` is now in leaf `to`. */
int ann_places_move(AnnPlaces *places, int64_t id, uint32_t from, uint32_t to);
int ann_places_delete(AnnPlaces *places, int64_t id);
int ann_places_delete_all(AnnPlaces *places);

int ann_places_flush(AnnPlaces *places);
void ann_places_drop(AnnPlaces *places);             /* forget changes */
int64_t ann_places_changed(const AnnPlaces *places); /* changes not written */

/* The first stored place at or after `from`, for checks; bytes that do not fit are
** ANN_CORRUPT. */
int ann_places_next(AnnPlaces *places, int64_t from, int64_t *out_id, uint32_t *out_pages,
                    int *out_found);
/* cffi:off */

#endif
