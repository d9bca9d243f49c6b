/* rows.h -- vectors by id: read on first use, kept between searches within the budget.
**
** Pages come first: rows hold what the pages leave of cache_mb, and those that no recent
** search asked for go first (second chance).  A kept row costs a look-up of 20 ns instead of
** 2-3 us, and knows its norm where distances need that.
**
**   ann_rows_get   O(1) when kept; else one row read
*/
#ifndef ANN_INDEX_ROWS_H
#define ANN_INDEX_ROWS_H

#include "core/space.h"
#include "index/budget.h"
#include "index/source.h"
#include "index/trace.h"

/* cffi:on */
typedef struct AnnRow {
  int64_t id;
  double norm; /* ann_space_norm */
  uint64_t
      used; /* asked for since the hand of the clock passed; so wide that what follows is aligned */
  uint8_t vector[]; /* as stored; aligned for every type of component */
} AnnRow;

typedef struct AnnRows AnnRows;

/* What they stand on; all borrowed. */
typedef struct AnnRowsPlan {
  AnnDb *db;
  AnnSource *source;
  const AnnBudget *budget;
  AnnTrace *const *trace; /* of the search that is being explained, or NULL */
  const AnnSpace *space;
} AnnRowsPlan;

/* ANN_OK or ANN_NOMEM. */
int ann_rows_new(const AnnRowsPlan *plan, AnnRows **out_rows);
void ann_rows_free(AnnRows *rows);

/* *out_row: borrowed until the next call, NULL when the table has no such row. */
int ann_rows_get(AnnRows *rows, int64_t id, const AnnRow **out_row);
/* The rows with ids from first to last, ascending, or as many of the first of them as there
** is room for: they need no SQLite. */
typedef struct AnnRange {
  int64_t first, last;
  int64_t n, n_allocated;
  const AnnRow **rows; /* owned array of borrowed rows: while none of them goes */
  int complete;        /* they are all */
  int ready;
} AnnRange;

/* NULL when it is not known. */
const AnnRange *ann_rows_range(const AnnRows *rows, int64_t first, int64_t last);
/* While such a range is read from the table: begin, one call for each row, end when no more
** came.  What does not fit is not kept, and no other row goes for it; no failure is
** reported. */
void ann_rows_range_begin(AnnRows *rows, int64_t first, int64_t last);
void ann_rows_range_add(AnnRows *rows, int64_t id, const void *vector);
void ann_rows_range_end(AnnRows *rows);
/* A row that was just written: kept, if there is room for it. */
void ann_rows_keep(AnnRows *rows, int64_t id, const void *vector);
/* A hint that a row, if it is in memory, is about to be asked for. */
void ann_rows_prefetch(const AnnRows *rows, int64_t id);
/* The same for where the row is found; some rows before it. */
void ann_rows_prefetch_slot(const AnnRows *rows, int64_t id);
/* The row has been, or is about to be, inserted, changed or deleted. */
void ann_rows_forget(AnnRows *rows, int64_t id);
/* Let go of as many as the budget asks for. */
void ann_rows_trim(AnnRows *rows);
int64_t ann_rows_held(const AnnRows *rows);  /* rows in memory ... */
int64_t ann_rows_bytes(const AnnRows *rows); /* ... and their bytes */
/* Keep every row that there is room for, in order of id. */
int ann_rows_warm(AnnRows *rows);
void ann_rows_drop(AnnRows *rows);           /* forget all */
int64_t ann_rows_hits(const AnnRows *rows);  /* asked for and already in memory, ever */
void ann_rows_hit(AnnRows *rows, int64_t n); /* so many of a range were used */
/* cffi:off */

#endif
