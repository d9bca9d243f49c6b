/* progress.h -- a calibration that is under way: what is known of it so far, and its bytes.
**
** Whoever goes on with it is follow.c.  It is stored with the transaction, config rows 5 and 6
** (FORMAT.md), so that the next process goes on where this one stopped; bytes that make no
** sense are none.
*/
#ifndef ANN_INDEX_PROGRESS_H
#define ANN_INDEX_PROGRESS_H

#include "index/sample.h"
#include "index/state.h"

/* cffi:on */
enum { ANN_STAGE_TRUTH = 1, ANN_STAGE_MEASURE = 2 };

typedef struct AnnProgress {
  AnnSample sample; /* owned */
  int stage;
  int64_t from;          /* truth: the id to go on with */
  int64_t rows, changes; /* state.placed and state.changes at the beginning */
  int is_new;            /* the queries' vectors are not stored yet */
  int dirty;             /* the rest is not */
} AnnProgress;

/* The one that a table has, or none. */
typedef struct AnnProgresses AnnProgresses;

/* All borrowed.  ANN_OK or ANN_NOMEM. */
int ann_progresses_new(AnnDb *db, const AnnState *state, const AnnSpace *space,
                       AnnProgresses **out_owner);
void ann_progresses_free(AnnProgresses *owner);

/* Borrowed until it is dropped; NULL when none is under way. */
int ann_progresses_get(AnnProgresses *owner, AnnProgress **out_progress);
/* One that begins now, with room for so many queries; any other is dropped. */
int ann_progresses_begin(AnnProgresses *owner, int n_queries, AnnProgress **out_progress);
/* Give it up, stored or not. */
int ann_progresses_cancel(AnnProgresses *owner);
int ann_progresses_flush(AnnProgresses *owner);
int ann_progresses_is_clean(const AnnProgresses *owner); /* nothing to flush */
/* What is in memory: 0 when what the table has was not read.  *out_progress: as of
** ann_progresses_get. */
int ann_progresses_held(const AnnProgresses *owner, const AnnProgress **out_progress);
void ann_progresses_drop(AnnProgresses *owner); /* forget what is in memory, stored or not */
/* cffi:off */

#endif
