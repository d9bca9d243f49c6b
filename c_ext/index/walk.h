/* walk.h -- walk the directories of the forest, nearest first.
**
** A walk is a queue of steps, each a page with the directory that leads to it.  It begins with
** the roots; whoever takes a directory's step from the front opens it, and queues those of its
** children that matter.  What all walks share is here: the steps, the memory, who may read.
** Which children matter and when to stop is the walker's own.  There are two:
**
** ann_walk_next, for searches, hands out leaves one by one.  To open a directory is to estimate
** the distance of all its children by the scan kernel; it then stands in the queue by the
** nearest.  The child that comes to the front is measured exactly, against its centre, and has
** to wait in the queue if others now seem nearer; else it is opened or, a leaf, handed out.  A
** searcher that knows that it will not read on beyond a score lowers walk->bound to it.  Cost:
** one estimate for every child of an opened directory; for every child that comes to the front
** one product of L components, and one look through its siblings' scores for the next.
**
** ann_router_find (route.h), for inserts, finds the leaves with the nearest centres.
**
** Who wants every directory, near or not, has ann_walk_visit.
*/
#ifndef ANN_INDEX_WALK_H
#define ANN_INDEX_WALK_H

#include "core/code.h"
#include "core/page.h"
#include "core/topk.h"
#include "index/store.h"

/* A vector made ready for the forest. */
typedef struct AnnProbe {
  float *vector;    /* owned: its point, rotated: L components */
  float *scratch;   /* owned: `dimensions` components */
  float norm;       /* squared length of `vector` */
  AnnLookup lookup; /* owned */
} AnnProbe;

/* A directory is opened before its centre's turn, by this part of its children's mean squared
** distance from that centre: some of them lie nearer than it.  At 0 two times as many vectors
** are inspected for a recall, above 1 only more directories are opened: docs/MEASUREMENTS.md,
** "walking".  Roots are always opened first: whoever walks must not leave out a tree. */
#define ANN_WALK_REACH 1.0f

/* The way to a page: a leaf, or a directory still to be opened. */
typedef struct AnnStep {
  uint32_t number; /* page */
  uint32_t parent; /* the directory that leads to it, 0 for a root */
  uint8_t tree;
  uint8_t level;         /* 0: a leaf */
  uint8_t measured;      /* base is exact, not an estimate */
  float base;            /* |q - centre|^2, or -<q, centre> */
  float score;           /* what the queue is ordered by */
  const uint8_t *record; /* borrowed: the centre, in the parent's page */
  /* of searches */
  float seemed;  /* the largest score by which it, or what led to it, was in front */
  uint32_t seen; /* leaves handed out before then */
} AnnStep;

/* A directory whose children wait for their turn. */
typedef struct AnnOpened {
  const AnnPage *page; /* borrowed */
  uint32_t number;     /* its */
  int64_t first;       /* of its children's scores in the walk's */
  float seemed;        /* both: the step's that it was */
  uint32_t seen;
  int best; /* the child that seems nearest */
} AnnOpened;

typedef struct AnnWalk {
  const AnnStore *store; /* borrowed */
  AnnStore *reader;      /* the same; NULL in a worker: nothing is read or allocated */
  int is_fixed;          /* the memory is the walker's own, and does not grow */
  const AnnProbe *probe; /* borrowed */
  AnnFrontier frontier;  /* owned: of steps and, in searches, of opened directories */
  AnnStep *steps;        /* owned: queued so far */
  int64_t n_steps, steps_allocated;
  int64_t n_measured;    /* centres measured */
  int64_t n_directories; /* opened */
  /* of searches */
  float bound;       /* what scores above it is passed over; +infinity for nothing */
  AnnOpened *opened; /* owned */
  int64_t n_opened, opened_allocated;
  float *scores; /* owned: of the children of all opened directories, by block */
  int64_t n_scores, scores_allocated;
  uint32_t n_leaves; /* handed out */
} AnnWalk;

int ann_probe_init(AnnProbe *probe, AnnStore *store);
/* vector: as stored; query: of space->query_size bytes. */
void ann_probe_set(AnnProbe *probe, const AnnStore *store, const void *vector);
void ann_probe_set_query(AnnProbe *probe, const AnnStore *store, const void *query);
/* Of that, `vector` alone. */
void ann_probe_rotate(AnnProbe *probe, const AnnStore *store, const void *vector);
void ann_probe_clear(AnnProbe *probe);

/* ---- any walk; without a reader, or where memory is fixed, ANN_NOT_HERE for a lack of it
** ---- */

void ann_walk_init(AnnWalk *walk, AnnStore *store);
void ann_walk_clear(AnnWalk *walk);
/* Begin at the roots, in the memory of the last walk if there was one. */
int ann_walk_start(AnnWalk *walk, const AnnProbe *probe);
/* Queue a step by its score. */
int ann_walk_add(AnnWalk *walk, const AnnStep *step);
/* The step at the front, of a walk that queues nothing else; NULL if there is none, or its
** score is above `most`.  Borrowed until one is added. */
AnnStep *ann_walk_front(const AnnWalk *walk, float most);
/* Which is no longer queued; or is by another score, that it has by now. */
void ann_walk_pop(AnnWalk *walk);
void ann_walk_requeue(AnnWalk *walk);
/* The page that a step leads to, which must say that it comes from there. */
int ann_walk_page(const AnnWalk *walk, const AnnStep *step, AnnPage **out_page);
/* The same for a directory, which counts as opened; looks at an interrupt now and then. */
int ann_walk_open(AnnWalk *walk, const AnnStep *step, AnnPage **out_page);
/* Directory `number` leads to what is no page's number: ANN_CORRUPT, with a sentence. */
int ann_walk_no_child(const AnnWalk *walk, uint32_t number);

/* Both are inline because routing asks for some hundred children a row. */

/* The step to child i of a directory, `page`, which is page `number`: the way, and the
** centre. */
static inline int ann_walk_child(const AnnWalk *walk, const AnnPage *page, uint32_t number,
                                 int i, AnnStep *out_step) {
  int64_t child = ann_page_id(page, i);
  out_step->number = (uint32_t)child;
  out_step->parent = number;
  out_step->tree = (uint8_t)page->tree;
  out_step->level = (uint8_t)(page->level - 1);
  out_step->measured = 0;
  out_step->record = ann_page_child_centre(page, i);
  out_step->seemed = 0;
  out_step->seen = 0;
  return child > 0 && child <= UINT32_MAX ? ANN_OK : ann_walk_no_child(walk, number);
}

/* Exact base of a step, from its centre. */
static inline void ann_walk_measure(AnnWalk *walk, AnnStep *step) {
  step->base = ann_centre_base(walk->store->options.space.geometry, step->record,
                               walk->probe->vector, walk->probe->norm,
                               walk->store->rotation.length);
  step->measured = 1;
  walk->n_measured++;
}

/* How near a page seems: its centre's distance, exact or estimated, and a part of its
** spread. */
static inline float ann_walk_nearness(int level, float distance, float spread) {
  if (level > 0) return distance - ANN_WALK_REACH * spread;
  return distance + ANN_SPREAD_WEIGHT * (spread < distance ? spread : distance);
}

/* ---- every directory ---- */

/* What is done at a directory: ANN_OK, ANN_NOT_HERE to be shown no more of its tree, or a
** failure, which ends the visit. */
typedef int AnnVisit(void *arg, const AnnWalk *walk, const AnnStep *step, AnnPage *page);
/* Show all directories, tree by tree, each before those below it, in the order of its
** children. */
int ann_walk_visit(AnnStore *store, AnnVisit *visit, void *arg);
/* Read all directories into memory, as far as cache_mb allows, ready for workers; how many
** there are. */
int ann_walk_warm(AnnStore *store, int64_t *out_directories);

/* ---- searches ---- */

/* Room for every walk over a forest of so many directories and pages in all, so that a worker
** can walk it: ANN_OK or ANN_NOMEM. */
int ann_walk_fit(AnnWalk *walk, int64_t n_directories, int64_t n_pages);
/* The next leaf, in *out_step; *out_found is 0 when there is none left. */
int ann_walk_next(AnnWalk *walk, AnnStep *out_step, int *out_found);

#endif
