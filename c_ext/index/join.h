/* join.h -- the rows of one table, each with the k nearest of another, some at a time.
**
** Rows of the left table are read in order of id: few at first, for someone who wants only few,
** then four times as many, up to what has room in MOST_BYTES (join.c); and all are searched for
** together (many.h).  What the same connection writes between two parts, the later ones see.
**
** Cost: that of the searches.
*/
#ifndef ANN_INDEX_JOIN_H
#define ANN_INDEX_JOIN_H

#include "core/topk.h"
#include "index/store.h"

/* Set k, recall and what follows them, and zero the rest. */
typedef struct AnnJoin {
  int64_t k;
  double recall;
  int without_self;   /* both tables are the same; no row is its own neighbour */
  int64_t next, last; /* ids of the left table that are still to be read */
  int done;           /* there are none */
  int64_t asked;      /* rows of the last part, at most */
  /* the part */
  int64_t n;     /* rows of the left table */
  int64_t *ids;  /* owned: theirs, ascending */
  AnnTopk *tops; /* owned: the nearest rows of each, ascending by (distance, id) */
} AnnJoin;

/* The next part in the place of the one before; none when it is done.  Inside ann_store_begin of
** both.  A left vector must be able to be a query among the right ones (core/query.h), and of as
** many dimensions. */
int ann_join_read(AnnJoin *join, AnnStore *left, AnnStore *right);
void ann_join_clear(AnnJoin *join);

#endif
