/* absorb.h -- what was written to an ordinary table, on its way into the forest.
**
** The notes say which ids (notes.h).  What the forest has of such an id goes, and its row, if it is
** there and has a vector, comes in, like any other row of a batch.  A row that waits stays where it
** is: its note was of no use.
**
** Rows that went without a note, as REPLACE makes them go, are found by comparing the places with
** the table, when their numbers differ: about a microsecond a row.
*/
#ifndef ANN_INDEX_ABSORB_H
#define ANN_INDEX_ABSORB_H

#include "index/batch.h"

/* The forest goes, and every row waits: one range over all ids.  In an ordinary table they are
** counted, and no note is of use any more. */
int ann_absorb_pull_up(AnnStore *store);
/* The first notes, at most `most`, for the forest that there is: at least one of its rows has no
** note.  *out_n: how many they were; 0 when there are none. */
int ann_absorb_some(AnnBatch *batch, int64_t most, int64_t *out_n);
/* Of a forest that all rows are in, what has no row goes.  Flushed. */
int ann_absorb_gone(AnnStore *store);
/* Of an ordinary table the index knows so many rows. */
void ann_absorb_set_rows(AnnState *state, int64_t rows);

#endif
