/* rows.h -- vectors by id: read on first use, kept between searches within the budget.
**
** Pages come first: rows hold what the pages leave of cache_mb, and those that no recent
** search asked for go first (second chance).  A kept row costs a look-up of 20 ns instead of
** 2-3 us, and knows its norm where distances need that.
**
** Each has a place, a number from 0 on.  Places lie one after the other in memory (blocks.h),
** in the order in which rows came, so that whoever needs all rows of a range of ids (ranges.h)
** reads memory from its beginning to its end.  There are no free places: when a row goes, the
** last one moves to its place.
**
**   ann_rows_get   O(1) when kept; else one row read        ann_rows_run   O(1)
*/
#ifndef ANN_INDEX_ROWS_H
#define ANN_INDEX_ROWS_H

#include "core/space.h"
#include "index/budget.h"
#include "index/ranges.h"
#include "index/source.h"
#include "index/trace.h"

/* cffi:on */
typedef struct AnnRow {
  int64_t id;
  double norm;      /* ann_space_norm */
  uint32_t place;   /* where it lies */
  uint32_t used;    /* asked for since the hand of the clock passed */
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
/* The row if it is in memory, else NULL; changes nothing, so that many threads may ask while nobody
** else does anything here. */
const AnnRow *ann_rows_peek(const AnnRows *rows, int64_t id);
/* What is in memory of the rows first..last: they need no SQLite.  NULL when nothing is known;
** else borrowed until the next call but _run. */
const AnnRange *ann_rows_range(AnnRows *rows, int64_t first, int64_t last);
/* Rows of a range that lie one after the other, and how many: those from *io_place on, which is
** range->low at first and then stands behind them; 0 when there are no more. */
int64_t ann_rows_step(const AnnRows *rows); /* bytes from one row of a run to the next */
int64_t ann_rows_run(const AnnRows *rows, const AnnRange *range, int64_t *io_place,
                     const AnnRow **out_first);
/* While rows of a range that are not in memory are read from the table: begin, one call for each
** row, end when no more came.  What does not fit is not kept, and no other row goes for it; no
** failure is reported. */
void ann_rows_range_begin(AnnRows *rows, int64_t first, int64_t last);
void ann_rows_range_add(AnnRows *rows, int64_t id, const void *vector);
void ann_rows_range_end(AnnRows *rows);
/* A row that was just written: kept, if there is room for it. */
void ann_rows_keep(AnnRows *rows, int64_t id, const void *vector);
/* A hint that a row, if it is in memory, is about to be asked for. */
void ann_rows_prefetch(const AnnRows *rows, int64_t id);
/* The same for where the row is found; some rows before it. */
void ann_rows_prefetch_slot(const AnnRows *rows, int64_t id);
/* The table has another vector under this id from now on, or NULL: none.  Ranges go on with what
** it has. */
void ann_rows_changed(AnnRows *rows, int64_t id, const void *vector);
/* What the table has under this id is not known: a change of it may have failed. */
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

/* The row after one of a run. */
static inline const AnnRow *ann_row_next(const AnnRow *row, int64_t step) {
  return (const AnnRow *)(const void *)((const uint8_t *)row + step);
}

#endif
