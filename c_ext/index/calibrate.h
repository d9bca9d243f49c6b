/* calibrate.h -- measure on sampled rows how much work gives which recall.
**
** Rows of the table serve as queries (sample.h), each left out of its own answer.  An exact
** pass over the table finds their true neighbours (truth.h); then each is searched for until
** all of these have been met (trial.h): that gives, for each of them, how far the search had
** to reach (effort.h) before its first leaf was read, after how many entries, and how many
** estimates were better than its own.  Recall for every amount of work follows by
** counting; no search is repeated.
** (The one-pass idea is MRPT's: Jaasaari, Hyvonen, Roos, 2019.)
*/
#ifndef ANN_INDEX_CALIBRATE_H
#define ANN_INDEX_CALIBRATE_H

#include "core/pool.h"
#include "index/store.h"

/* Measure and store; also resets the count of changes.  The forest is not empty.
** pool: may be NULL. */
int ann_calibrate(AnnStore *store, AnnPool *pool);

#endif
