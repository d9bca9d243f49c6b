/* waiting.h -- the ids that are not yet in the forest; every search scores them exactly.
**
** They are kept as ranges first..last: an id in a range waits if the table has it.  So a
** bulk load costs one row of the waiting table, and deleting a waiting row costs
** nothing here.  No id in the forest lies in a range.
**
** The range at the end of the table grows in memory (the "tail") and is written by
** ann_waiting_flush.
*/
#ifndef ANN_INDEX_WAITING_H
#define ANN_INDEX_WAITING_H

#include "index/source.h"

/* cffi:on */
typedef struct AnnWaiting AnnWaiting;

/* Both borrowed.  ANN_OK or ANN_NOMEM. */
int ann_waiting_new(AnnDb *db, AnnSource *source, AnnWaiting **out_waiting);
void ann_waiting_free(AnnWaiting *waiting);

/* The id, which is in the table, waits from now on. */
int ann_waiting_add(AnnWaiting *waiting, int64_t id);
/* Every row waits: one range over all ids. */
int ann_waiting_add_all(AnnWaiting *waiting);
int ann_waiting_has(AnnWaiting *waiting, int64_t id, int *out_waits);
/* The first range that ends at or after `from`. */
int ann_waiting_range(AnnWaiting *waiting, int64_t from, int64_t *out_first, int64_t *out_last,
                      int *out_found);
/* The first range that starts at or after `from`, for checks. */
int ann_waiting_next(AnnWaiting *waiting, int64_t from, int64_t *out_first, int64_t *out_last,
                     int *out_found);
/* The ids of the range first..last up to `done` wait no longer. */
int ann_waiting_shrink(AnnWaiting *waiting, int64_t first, int64_t last, int64_t done);
/* The growing range ends here: before an id beyond it goes straight into the forest. */
int ann_waiting_close(AnnWaiting *waiting);

int ann_waiting_flush(AnnWaiting *waiting);
int ann_waiting_is_clean(const AnnWaiting *waiting);   /* nothing to flush */
int ann_waiting_knows_none(const AnnWaiting *waiting); /* that no id waits, without asking */
void ann_waiting_drop(AnnWaiting *waiting); /* forget the tail and what is known of it */
void ann_waiting_forget(
    AnnWaiting *waiting); /* and whether any ids wait, which is kept longer */
/* cffi:off */

#endif
