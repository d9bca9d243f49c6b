/* fit.h -- from what sampled neighbours cost to what a search has to do.
**
** Of the misses that a recall allows, most are given to leaves not read, some to estimates not
** kept, and 15 % are held back: a sample is not the table.
*/
#ifndef ANN_INDEX_FIT_H
#define ANN_INDEX_FIT_H

#include "index/sample.h"
#include "index/store.h"

/* Fit the grid (effort.h) to the measured queries, and store it; nothing when there are
** none. */
int ann_fit(AnnStore *store, const AnnSample *sample);

#endif
