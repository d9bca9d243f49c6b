/* way.h -- what a search has to do, and which way to its answer is less work.
**
** One way is the forest: walk so far, rank so many exactly. The other is to score all rows
** that may be in the answer. A walk that wants some rows only passes others on its way. The k
** nearest of those that it wants are among the k / share nearest of all, share being their
** part of the entries around there, and are found when as many entries were passed as those
** take: so the calibration, which knows nothing of filters, says what to do. But the share
** near the query need not be that of the whole table, and is known only by walking. Hence
** (seek.c):
**
** 1. Where scoring the rows costs no more than a walk that wants all, it is done.
** 2. Else a walk begins.  When it has passed a quarter of what a walk that wants all passes, and
**    then whenever it has passed twice as many, it looks at the share that it has met.  If
**    what is to come costs more than scoring the rows, or what is behind does, they are scored.
**
** All is counted in entries and rows, and no clock is looked at: the same search goes the same way
** on every machine.
*/
#ifndef ANN_INDEX_WAY_H
#define ANN_INDEX_WAY_H

#include "index/effort.h"
#include "index/query.h"
#include "index/store.h"

typedef struct AnnWay {
  AnnEffort effort; /* of the walk; its `inspect` counts every entry that is passed */
  int64_t usual;    /* entries that a walk mostly passes */
  double walk;      /* microseconds of such a walk */
  double entry;     /* of one entry of it */
  double exact;     /* of scoring all rows that may be in the answer */
} AnnWay;

/* For k rows, where so much of what is passed may be in the answer. */
int ann_way_plan(AnnStore *store, const AnnQuery *query, int64_t k, double share,
                 AnnWay *out_way);

#endif
