/* trace.h -- where the time of one search goes.
**
** A stopwatch with a hand for each step: at any moment one step is being charged, and to
** enter another charges what has passed to the one that is left.  So steps that take turns
** leaf by leaf are summed, and all of them add up to the total, whatever happens in between.
**
** store->trace is NULL but for the search that is explained: any other search tests that
** pointer where a step begins and looks at no clock.
*/
#ifndef ANN_INDEX_TRACE_H
#define ANN_INDEX_TRACE_H

#include "core/base.h"

/* cffi:on */
enum {
  ANN_TRACE_PLAN,       /* what is to be done: the effort; all that is no other step's */
  ANN_TRACE_ROTATE,     /* the query made ready */
  ANN_TRACE_OPEN,       /* directories opened: the distances of all their children estimated */
  ANN_TRACE_ROUTE,      /* centres measured, and the queue of the walk */
  ANN_TRACE_READ_PAGES, /* pages read from SQLite and checked */
  ANN_TRACE_SCAN,       /* entries of leaves estimated */
  ANN_TRACE_READ_ROWS,  /* vectors read from SQLite, for `rank` */
  ANN_TRACE_RANK,       /* rows measured exactly, wherever they came from; the last sorting */
  ANN_TRACE_WAITING,    /* waiting rows read and measured */
  ANN_TRACE_EXACT,      /* rows read and measured by a search that needs no forest */
  ANN_N_TRACES
};

typedef struct AnnTraced {
  int64_t count, bytes;
  int64_t nanoseconds;
} AnnTraced;

typedef struct AnnTrace {
  AnnTraced steps[ANN_N_TRACES];
  int step;      /* being charged */
  int64_t since; /* when it was entered, on ann_trace_clock */
} AnnTrace;

/* Nanoseconds of a clock that never goes back; from when is unknown. */
int64_t ann_trace_clock(void);
/* Everything 0; ANN_TRACE_PLAN is charged from now. */
void ann_trace_start(AnnTrace *trace);
/* Charge the present step up to now, then `step`; returns the one that was left. */
int ann_trace_switch(AnnTrace *trace, int step);
const char *ann_trace_name(int step);

/* cffi:off */
/* The same where there may be nothing to trace (NULL). */
static inline int ann_trace_enter(AnnTrace *trace, int step) {
  return trace ? ann_trace_switch(trace, step) : step;
}

/* So much was done by the present step. */
static inline void ann_trace_count(AnnTrace *trace, int64_t count, int64_t bytes) {
  if (!trace) return;
  trace->steps[trace->step].count += count;
  trace->steps[trace->step].bytes += bytes;
}

#endif
