/* waiting.h -- the ids that are not yet in the forest; every search scores them exactly.
**
** They are kept as runs first..last: an id in a run waits if the table has it.  So a
** bulk load costs one row of the waiting table, and deleting a waiting row costs
** nothing here.  No id in the forest lies in a run.
**
** The run at the end of the table grows in memory (the "tail") and is written by
** ann_waiting_flush.
*/
#ifndef ANN_INDEX_WAITING_H
#define ANN_INDEX_WAITING_H

#include "index/store.h"

/* The id, which is in the table, waits from now on. */
int ann_waiting_add(AnnStore *store, int64_t id);
/* Every row waits: one run over all ids. */
int ann_waiting_add_all(AnnStore *store);
int ann_waiting_has(AnnStore *store, int64_t id, int *out_waits);
/* The first run that ends at or after `from`. */
int ann_waiting_run(AnnStore *store, int64_t from, int64_t *out_first, int64_t *out_last,
                    int *out_found);
/* The first run that starts at or after `from`, for checks. */
int ann_waiting_next(AnnStore *store, int64_t from, int64_t *out_first, int64_t *out_last,
                     int *out_found);
/* The ids of the run first..last up to `done` wait no longer. */
int ann_waiting_shrink(AnnStore *store, int64_t first, int64_t last, int64_t done);
/* The growing run ends here: before an id beyond it goes straight into the forest. */
int ann_waiting_close(AnnStore *store);

int ann_waiting_flush(AnnStore *store);
void ann_waiting_drop(AnnStore *store);   /* forget the tail and what is known of it */

#endif
