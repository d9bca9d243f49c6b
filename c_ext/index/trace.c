/* trace.c -- see trace.h.  The one place that looks at a clock. */
#if !defined(_POSIX_C_SOURCE) && !defined(__APPLE__)
#define _POSIX_C_SOURCE 199309L /* clock_gettime, where the compiler is asked for bare C11 */
#endif
#include "index/trace.h"

#include <time.h>

static const char *const names[ANN_N_TRACES] = {
  "plan", "rotate",    "open", "route",   "read_pages",
  "scan", "read_rows", "rank", "waiting", "exact",
};

int64_t ann_trace_clock(void) {
  struct timespec now = {0, 0};
#if defined(CLOCK_MONOTONIC) && !defined(_WIN32)
  clock_gettime(CLOCK_MONOTONIC, &now);
#else
  timespec_get(&now, TIME_UTC); /* Windows; may jump when the time is set */
#endif
  return (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
}

void ann_trace_start(AnnTrace *trace) {
  memset(trace, 0, sizeof *trace);
  trace->step = ANN_TRACE_PLAN;
  trace->since = ann_trace_clock();
}

int ann_trace_switch(AnnTrace *trace, int step) {
  int left = trace->step;
  int64_t now = ann_trace_clock();
  trace->steps[left].nanoseconds += now - trace->since;
  trace->step = step;
  trace->since = now;
  return left;
}

const char *ann_trace_name(int step) { return names[step]; }
