/* join.h -- the rows of one table, each with the k nearest of another, some at a time.
**
** Rows of the left table are read in order of id, and searched for in parts (part.h).
**
** Cost: that of the searches.
*/
#ifndef ANN_INDEX_JOIN_H
#define ANN_INDEX_JOIN_H

#include "index/part.h"

/* Set k, recall and what follows them, and zero the rest. */
typedef struct AnnJoin {
  int64_t k;
  double recall;
  int without_self;   /* both tables are the same; no row is its own neighbour */
  int64_t next, last; /* ids of the left table that are still to be read */
  int done;           /* there are none */
  AnnPart part;       /* owned: rows of the left table, with what is near to each */
  int64_t *ids;       /* owned: theirs, ascending */
} AnnJoin;

/* The next part in the place of the one before; none when it is done.  Inside ann_store_begin of
** both.  A left vector must be able to be a query among the right ones (core/query.h), and of as
** many dimensions. */
int ann_join_read(AnnJoin *join, AnnStore *left, AnnStore *right);
void ann_join_clear(AnnJoin *join);

#endif
