/* trial.h -- one search that goes on until it has found what is known to be there.
**
** It walks the leaves in the order of every search (walk.h) and takes down, for each wanted
** row, what the search had done when it read the first leaf that has it.  So what is measured
** is what searches do, in their order and with their estimates.
**
** How many estimates are better than a row's is counted among the best ones, which are kept, and
** beyond them among one block of entries in sixteen.
**
** Each trial has its own memory, made beforehand, so that several are run at the same time as
** far as their pages are in memory; others the SQLite thread runs again.
**
** Cost: that of a search as deep.  Memory: 360 kB, and 50 bytes a page of the forest.
*/
#ifndef ANN_INDEX_TRIAL_H
#define ANN_INDEX_TRIAL_H

#include <stdatomic.h>

#include "core/shortlist.h"
#include "index/walk.h"
#include "index/sample.h"

/* A row to be found. */
typedef struct AnnWanted {
  int64_t id;
  uint32_t pages[ANN_MAX_TREES]; /* the leaves that have it */
  int rank;                      /* whose cost it is */
  float estimate;                /* the best of those leaves that were read */
  AnnCost cost;
} AnnWanted;

/* The state of the search when so many leaves had been read. */
typedef struct AnnWhen {
  int64_t inspected;
  float kth[ANN_EFFORT_RULES]; /* the k-th best estimate of each k */
} AnnWhen;

typedef struct AnnTrial {
  AnnStore *store;     /* borrowed; no page changes while it runs */
  atomic_int *stopped; /* borrowed: the poll of one trial stops them all */
  /* what is asked */
  const void *query;    /* borrowed */
  int64_t self;         /* the id that is left out ... */
  int has_self;         /* ... if the vector is a row */
  int64_t most;         /* entries to look at, at most */
  int64_t n_candidates; /* best estimates to keep, all of them */
  int n_wanted;
  AnnWanted wanted[ANN_SAMPLE_RANKS];
  /* the search */
  AnnProbe probe;         /* owned */
  AnnWalk walk;           /* owned */
  AnnShortlist shortlist; /* owned */
  AnnShortlist thinned;   /* owned: the best of some blocks, kept whatever the others are */
  AnnTopk best[ANN_EFFORT_RULES]; /* owned: best of different ids, for the rule */
  double reach[ANN_EFFORT_RULES]; /* the rule's largest ratio so far */
  AnnWhen *history;               /* owned: what was found after each leaf, the first ones */
  int64_t inspected, n_leaves;    /* looked at */
  int64_t n_blocks;               /* of them */
  int rc;                         /* result */
} AnnTrial;

/* ANN_OK or a failure with nothing owned.  clear takes what init failed on.  Before a worker
** runs it, ann_walk_fit makes room. */
int ann_trial_init(AnnTrial *trial, AnnStore *store, atomic_int *stopped);
void ann_trial_clear(AnnTrial *trial);
/* Ask for the neighbours of a query, as far as they are still what they were: the SQLite
** thread. */
int ann_trial_ask(AnnTrial *trial, const AnnSample *sample, int query);
/* Search; the result is in trial->rc and the costs of wanted[].  reader: the store, or NULL in
** a worker, where what is not in memory ends it with ANN_NOT_HERE.  poll: NULL but in the
** SQLite thread. */
void ann_trial_run(AnnTrial *trial, AnnStore *reader, const AnnPoll *poll);
/* Note the costs found with the query; and of its own row alone. */
void ann_trial_learn(const AnnTrial *trial, AnnSample *sample, int query);
void ann_trial_learn_own(const AnnTrial *trial, AnnOwn *own);

#endif
