/* follow.h -- a calibration that follows the changes of a table, in slices.
**
** When the forest has twice or half as many rows as at the last calibration, or a third of them
** were replaced since, the next one begins.  It goes on with the rows that are written, one
** slice of a few milliseconds every so many changes, so that it is done when about as many as a
** quarter of the rows have changed:
**
**   pick       one slice: the sample's rows (sample.h)
**   truth      their true neighbours, some hundred rows of the table a slice (truth.h)
**   measure    what these cost to find, some queries a slice (trial.h); then what more rows cost
**              to find themselves
**
** and then the grid is fitted (fit.h).  Rows that are written meanwhile, behind where the pass
** over the table is, are not among the neighbours; those that were changed are left out.
** It counts for the rows that there are in the end: most of it was measured near there.
** What is known so far is progress.h.  When slices are due, and what they do, depends on
** the stored rows and the order of statements alone.
*/
#ifndef ANN_INDEX_FOLLOW_H
#define ANN_INDEX_FOLLOW_H

#include "index/store.h"

/* Has the table become another one since the last calibration, by this file's rule? */
int ann_follow_is_due(const AnnState *state);
/* A row was written; `before`: state.changes before it.  One slice of work if one is due. */
int ann_follow(AnnStore *store, int64_t before);

#endif
