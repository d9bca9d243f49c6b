/* calibrate.h -- measure on sampled rows how much work gives which recall.
**
** Rows of the table serve as queries, each left out of its own answer.  Every sampled
** query walks the whole forest once: that gives its true neighbours (the best of many
** estimates, ranked exactly) and, for each of them, after how many entries its first
** leaf was read and how many estimates were better than its own.  Recall for every
** amount of work follows by counting; no search is repeated.
** (The one-pass idea is MRPT's: Jaasaari, Hyvonen, Roos, 2019.)
**
** Of the misses that a recall allows, four fifths are given to leaves not read and one
** fifth to estimates not kept.
*/
#ifndef ANN_INDEX_CALIBRATE_H
#define ANN_INDEX_CALIBRATE_H

#include "index/store.h"

/* Measure and store; also resets the count of changes.  The forest is not empty. */
int ann_calibrate(AnnStore *store);

#endif
