/* pick.h -- which queries a calibration is made of (sample.h).
**
** Rows of the forest, drawn leaf by leaf so that each is as likely as any other and they are
** spread over its leaves, and the queries that the user gave.
**
** Cost: one leaf and one row read a query.
*/
#ifndef ANN_INDEX_PICK_H
#define ANN_INDEX_PICK_H

#include "index/sample.h"
#include "index/store.h"

/* Choose n_rows rows of the forest, which is not empty, all with the same probability and
** spread over its leaves, and take the given queries: the same for the same pages and counters.
** sample: initialized, and empty. */
int ann_pick_sample(AnnStore *store, int n_rows, AnnSample *sample);
/* The same without the given queries, of which there are no truths: rows to be searched for by
** themselves.  turn: where to go on, for rows of other leaves than the last time. */
int ann_pick_own(AnnStore *store, uint32_t turn, int n_rows, AnnSample *sample);

#endif
