/* forest.h -- walk the directories: the leaves of the forest, nearest first.
**
** Best-first: a queue holds leaves and directories by how near they seem.  A
** directory that comes out is opened: the scan kernel estimates the distance of all
** its children, and they join the queue.  A child that comes out is first measured
** exactly, against its centre, and goes back if others now seem nearer.
**
** Cost of a query: one estimate for every child of an opened directory, one product
** of L components for every child that comes to the front.  A searcher that knows that it
** will not read on beyond a score lowers walk->bound to it.
*/
#ifndef ANN_INDEX_FOREST_H
#define ANN_INDEX_FOREST_H

#include "core/code.h"
#include "core/page.h"
#include "core/topk.h"
#include "index/store.h"

/* A vector made ready for the forest. */
typedef struct AnnProbe {
  float *vector;        /* owned: rotated (and for cosine normalised), L components */
  float *scratch;       /* owned: as given, `dimensions` components */
  float norm;           /* squared length of `vector` */
  AnnLookup lookup;     /* owned */
} AnnProbe;

/* A child on the way: a leaf, or a directory still to be opened. */
typedef struct AnnStep {
  uint32_t number;        /* page */
  uint8_t tree;
  uint8_t level;          /* 0: a leaf */
  uint8_t measured;       /* base and score are exact, not estimates */
  float base;             /* |q - centre|^2, or -<q, centre> */
  float score;            /* what the queue is ordered by */
  const uint8_t *record;  /* borrowed: the centre, in the parent's page */
} AnnStep;

typedef struct AnnWalk {
  AnnStore *store;        /* borrowed */
  const AnnProbe *probe;  /* borrowed */
  int by_centre;          /* order by distance to the centre alone: for placing */
  float bound;            /* what scores above it is passed over; +infinity for nothing */
  AnnFrontier frontier;   /* owned: payload is an index into steps */
  AnnStep *steps;         /* owned */
  int64_t n_steps, n_allocated;
  int64_t n_opened;       /* directories opened */
} AnnWalk;

int ann_probe_init(AnnProbe *probe, AnnStore *store);
/* vector: options.dimensions floats. */
void ann_probe_set(AnnProbe *probe, const AnnStore *store, const float *vector);
void ann_probe_clear(AnnProbe *probe);

void ann_walk_init(AnnWalk *walk, AnnStore *store);
/* Walk trees first..last, in the memory of the last walk if there was one. */
int ann_walk_start(AnnWalk *walk, const AnnProbe *probe, int first, int last, int by_centre);
/* The next leaf, in *out_step; *out_found is 0 when there is none left. */
int ann_walk_next(AnnWalk *walk, AnnStep *out_step, int *out_found);
void ann_walk_clear(AnnWalk *walk);

#endif
