/* ranges.h -- ranges of ids whose rows are all in memory, and where.
**
** A search that has to look at every row with an id from first to last (those that wait, or the
** whole table) reads them once.  A range remembers that they were all read: it marks the places
** that they have in memory (rows.h), in whatever order they came there, one bit a place.  A row
** that is inserted or deleted later joins the range or leaves it; one that memory has no room
** for any more ends it.
**
** Of a range that memory had no room for, the part up to the id `through` is known.
**
**   ann_ranges_find       O(1)                  ann_range_mark   O(1), amortised
**   ann_ranges_leave, _join, _forget   O(1)     ann_range_next   O(1) for 32 places
*/
#ifndef ANN_INDEX_RANGES_H
#define ANN_INDEX_RANGES_H

#include "core/base.h"

/* The whole table, and some of rows that wait; of more, the one that was read first goes. */
#define ANN_N_RANGES 4

/* cffi:on */
typedef struct AnnRange {
  int64_t first, last; /* asked for */
  int64_t through;     /* every row from first to here is in memory, and marked */
  int64_t n;           /* marked places; 0: the range is none */
  int64_t low, high;   /* a marked place is at least low, and below high */
  uint32_t *marks;     /* owned: bit p % 32 of word p / 32 is place p */
  int64_t n_words;     /* of marks */
} AnnRange;

/* Begins as zeros. */
typedef struct AnnRanges {
  AnnRange of[ANN_N_RANGES];
  AnnRange *reading; /* one of them: it is still being read; or NULL */
  int oldest;
} AnnRanges;

AnnRange *ann_ranges_find(AnnRanges *ranges, int64_t first, int64_t last);
void ann_ranges_begin(AnnRanges *ranges, int64_t first, int64_t last);
void ann_ranges_read(AnnRanges *ranges, int64_t id, int64_t place);
void ann_ranges_end(AnnRanges *ranges, int complete);
int ann_ranges_have(const AnnRanges *ranges, int64_t id);
void ann_ranges_join(AnnRanges *ranges, int64_t id, int64_t place);
void ann_ranges_leave(AnnRanges *ranges, int64_t place, int64_t last_place);
void ann_ranges_forget(AnnRanges *ranges, int64_t place);
void ann_ranges_forget_id(AnnRanges *ranges, int64_t id);
void ann_ranges_clear(AnnRanges *ranges);
int64_t ann_range_next(const AnnRange *range, int64_t from, int64_t to, int marked);
/* cffi:off */

/* ann_ranges_find: NULL when nothing is known of it; borrowed until the next call but _find.  One
** that ended sooner is the beginning of it: rows that wait become more at their end.
**
** ann_ranges_begin: the rows first..last are about to be read in order of id; if some of them
** are known, those that follow.  _read: of each, its place.  _end: no more are read; complete:
** because no more came, not because of a failure, or of memory, which is none.
**
** ann_ranges_have: whether the id lies in what is known of a range.  _join: a row that the table
** has from now on, and the place that it was given.  _leave: the row at a place goes from the
** table, and the one at the last place takes its place.  _forget: the row at a place goes from
** memory, but the table has it; _forget_id: what the table has of it is not known.
**
** ann_range_next: the first place from `from` on, below `to`, that is marked, or is not; or `to`.
** to: at most range->high.
*/

#endif
