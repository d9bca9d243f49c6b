/* walk.h -- walk the directories: the leaves of the forest, nearest first.
**
** Best-first: a queue holds directories that were opened, each by how near the nearest of
** its children seems.  To open one is to estimate the distance of all its children by the
** scan kernel.  The child that comes to the front is measured exactly, against its centre,
** and has to wait in the queue if others now seem nearer; else it is opened or, a leaf,
** handed out.
**
** Cost of a query: one estimate for every child of an opened directory; for every child
** that comes to the front one product of L components, and one look through its siblings'
** scores for the next.  A searcher that knows that it
** will not read on beyond a score lowers walk->bound to it.
*/
#ifndef ANN_INDEX_WALK_H
#define ANN_INDEX_WALK_H

#include "core/code.h"
#include "core/page.h"
#include "core/topk.h"
#include "index/store.h"

/* A vector made ready for the forest. */
typedef struct AnnProbe {
  float *vector;        /* owned: its point, rotated: L components */
  float *scratch;       /* owned: `dimensions` components */
  float norm;           /* squared length of `vector` */
  AnnLookup lookup;     /* owned */
} AnnProbe;

/* A directory is opened before its centre's turn, by this part of its children's mean squared
** distance from that centre: some of them lie nearer than it.  At 0 two times as many vectors
** are inspected for a recall, above 1 only more directories are opened: docs/ARCHITECTURE.md,
** "walking".  Roots are always opened first: whoever walks must not leave out a tree. */
#define ANN_WALK_REACH 1.0f

/* A child that came to the front: a leaf, or a directory still to be opened. */
typedef struct AnnStep {
  uint32_t number;        /* page */
  uint32_t parent;        /* the directory that leads to it, 0 for a root */
  uint8_t tree;
  uint8_t level;          /* 0: a leaf */
  float base;             /* |q - centre|^2, or -<q, centre> */
  float score;            /* what the queue is ordered by */
  float seemed;           /* the largest score by which it, or what led to it, was in front */
  uint32_t seen;          /* leaves handed out before then */
  const uint8_t *record;  /* borrowed: the centre, in the parent's page */
} AnnStep;

/* A directory whose children wait for their turn. */
typedef struct AnnOpened {
  const AnnPage *page;    /* borrowed */
  uint32_t number;        /* its */
  int64_t first;          /* of its children's scores in the walk's */
  float seemed;           /* both: the step's that it was */
  uint32_t seen;
  int best;               /* the child that seems nearest */
} AnnOpened;

typedef struct AnnWalk {
  AnnStore *store;        /* borrowed */
  AnnStore *reader;       /* borrowed: the store; NULL in a worker: nothing is read */
  const AnnProbe *probe;  /* borrowed */
  float bound;            /* what scores above it is passed over; +infinity for nothing */
  AnnFrontier frontier;   /* owned: of opened directories and of measured steps */
  AnnOpened *opened;      /* owned */
  int64_t n_opened, opened_allocated;
  float *scores;          /* owned: of the children of all opened directories, by block */
  int64_t n_scores, scores_allocated;
  AnnStep *steps;         /* owned: measured, and found to be farther than they seemed */
  int64_t n_steps, steps_allocated;
  int64_t n_measured;     /* centres measured */
  uint32_t n_leaves;      /* handed out */
} AnnWalk;

int ann_probe_init(AnnProbe *probe, AnnStore *store);
/* vector: as stored. */
void ann_probe_set(AnnProbe *probe, const AnnStore *store, const void *vector);
/* Of that, `vector` alone. */
void ann_probe_rotate(AnnProbe *probe, const AnnStore *store, const void *vector);
void ann_probe_clear(AnnProbe *probe);

void ann_walk_init(AnnWalk *walk, AnnStore *store);
/* Room for every walk over a forest of so many directories and pages in all, so that a worker
** can walk it: ANN_OK or ANN_NOMEM. */
int ann_walk_fit(AnnWalk *walk, int64_t n_directories, int64_t n_pages);
/* Begin at the roots, in the memory of the last walk if there was one.  Without a reader, both
** are ANN_NOT_HERE where a page or room is lacking. */
int ann_walk_start(AnnWalk *walk, const AnnProbe *probe);
/* The next leaf, in *out_step; *out_found is 0 when there is none left. */
int ann_walk_next(AnnWalk *walk, AnnStep *out_step, int *out_found);
void ann_walk_clear(AnnWalk *walk);
/* What a search orders a page by, once its base (AnnStep) is exact. */
float ann_walk_score(const AnnStore *store, const AnnProbe *probe, int level,
                     const uint8_t *record, float base);

#endif
