/* sweep.h -- one query against every leaf of the forest, in the order of a search that
** never stops: what calibration learns from.
**
** The directories are laid out in memory once (AnnSweep); then each query has its own
** memory (AnnSwept), made beforehand, so that several are swept at the same time as long
** as all leaves are in memory too.  If cache_mb does not allow that, the SQLite thread
** sweeps one after the other, and gets the same.
**
** Cost of a query: one product of L components for every page, one estimate for every
** entry.  Memory: 32 bytes a page number, about 500 kB more.
*/
#ifndef ANN_INDEX_SWEEP_H
#define ANN_INDEX_SWEEP_H

#include <stdatomic.h>

#include "core/page.h"
#include "core/shortlist.h"
#include "core/topk.h"
#include "index/effort.h"
#include "index/forest.h"

#define ANN_SWEEP_CANDIDATES 12000  /* estimates kept at most, copies counted */

/* The state of the search when a leaf had been read. */
typedef struct AnnMoment {
  double reach[ANN_EFFORT_RULES];   /* the rule's largest ratio so far, for each k */
  int64_t inspected;             /* entries looked at; INT64_MAX: the leaf was not read */
} AnnMoment;

/* A page of the forest. */
typedef struct AnnSweepNode {
  uint32_t number;
  uint8_t tree, level;
  const uint8_t *record;    /* borrowed: its centre, in its own page or its parent's */
  const AnnPage *page;      /* borrowed: of a leaf, NULL when it is read for each query */
  int64_t first, n;         /* a directory's children in nodes[] */
} AnnSweepNode;

typedef struct AnnSweep {
  AnnStore *store;          /* borrowed; no page changes while the sweep lives */
  AnnSweepNode *nodes;      /* owned: the roots, then children after parents */
  int64_t n_nodes, n_allocated;
  int64_t n_numbers;        /* the highest page number and one */
  int in_memory;            /* all leaves are: queries may be swept by workers */
  atomic_int stopped;       /* the poll of one query stopped them all */
} AnnSweep;

typedef struct AnnSwept {
  int64_t self;             /* the id that is left out */
  int64_t n_wanted;         /* estimates to keep, set by the caller */
  const float *vector;      /* borrowed: dimensions floats, set by the caller */
  AnnProbe probe;           /* owned */
  AnnShortlist shortlist;   /* owned: the best of all entries */
  AnnRanked *estimates;     /* owned: result, the same, ascending */
  int64_t n_estimates;
  AnnMoment *moments;       /* owned: result, by page number */
  AnnTopk best[ANN_EFFORT_RULES];   /* owned: best of different ids, for the rule */
  float *bases;             /* owned: of nodes[] */
  AnnFrontier queue;        /* owned */
  int rc;                   /* result */
} AnnSwept;

/* Both: ANN_OK or a failure with nothing owned.  clear takes what init failed on. */
int ann_sweep_init(AnnSweep *sweep, AnnStore *store);
void ann_sweep_clear(AnnSweep *sweep);
int ann_swept_init(AnnSwept *swept, const AnnSweep *sweep);
void ann_swept_clear(AnnSwept *swept);

/* Sweep with swept->vector; the result is in *swept.  In a worker only when in_memory, and
** without a poll; what the SQLite thread's poll says stops all (ANN_INTERRUPT). */
void ann_sweep_run(AnnSweep *sweep, AnnSwept *swept, const AnnPoll *poll);

#endif
