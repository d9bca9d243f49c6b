/* route.h -- which leaves a vector's copies belong in, and their codes.
**
** 1. Find the twelve leaves of the forest whose centres are nearest: directories are
**    opened best first while one may hold a nearer leaf; the scan kernel estimates all
**    children, and those that may be among the twelve are measured exactly.
** 2. Choose: the first copy goes to the nearest of them, each further one where it
**    complements those before best.
** 3. Encode the vector against the centres of the chosen leaves.
**
** A router is the scratch of one thread, one allocation, nothing of the database in it.
** The store's own reads the pages it needs; a worker's uses only those in memory,
** allocates nothing and calls no SQLite, so that many can route while no page changes.
**
** Cost at 384 components and 2,500 leaves: docs/MEASUREMENTS.md, "building".
*/
#ifndef ANN_INDEX_ROUTE_H
#define ANN_INDEX_ROUTE_H

#include "index/walk.h"
#include "index/pages.h"

#define ANN_NEAR_LEAVES 12 /* among which copies choose: docs/MEASUREMENTS.md, "copies" */

/* A leaf on the way to being chosen. */
typedef struct AnnNearLeaf {
  uint32_t number;
  int tree;
  float distance;        /* |x - centre|^2 */
  const uint8_t *record; /* borrowed: its centre, in its parent's page */
} AnnNearLeaf;

/* Residuals of x in the leaves it has so far: what the next copy complements. */
typedef struct AnnResiduals {
  int n;
  float *r;                      /* trees x L */
  float norms[ANN_MAX_TREES];    /* |r|^2 */
  float products[ANN_MAX_TREES]; /* <x, r> */
} AnnResiduals;

typedef struct AnnRouter {
  AnnProbe probe; /* its pointers, like all here, lead into this allocation */
  int n_wanted;   /* leaves to find: one is enough for one copy */
  int n_near;     /* found */
  AnnNearLeaf near[ANN_NEAR_LEAVES]; /* ascending by (distance, number) */
  AnnResiduals residuals;
  float *centre; /* scratch, L */
  uint8_t *bits; /* room for the codes of a row's copies: trees x L / 8 */
  AnnWalk walk;  /* of directories; its memory grows only by ann_router_fit */
} AnnRouter;

/* One copy: where, and as what. */
typedef struct AnnCopy {
  uint32_t page;
  int tree;
  AnnCode code; /* bits borrowed from the caller's memory */
} AnnCopy;

/* A router with room for so many directories; *router NULL, or one with less room, whose
** contents it keeps.  ANN_OK or ANN_NOMEM (*router as it was).  ann_free frees it. */
int ann_router_fit(const AnnStore *store, int64_t n_directories, AnnRouter **router);

/* vector: as stored; every operation below is about it. */
void ann_router_set(AnnRouter *router, const AnnStore *store, const void *vector);
/* Step 1 in a worker: ANN_OK or ANN_NOT_HERE. */
int ann_router_find(AnnRouter *router, const AnnStore *store);
/* Step 1 in the SQLite thread, by store->router, which is made and set for `vector` (NULL:
** for the one before).  The router may move. */
int ann_router_find_here(AnnStore *store, const void *vector);
/* Steps 2 and 3: options.trees copies, each with room for L / 8 bytes of bits.
** ANN_NOT_HERE when there are fewer leaves than copies. */
int ann_router_assign(AnnRouter *router, const AnnStore *store, AnnCopy *out_copies);

/* By hand, for a copy that moves: forget the leaves it has, add those that it keeps by their
** centres, choose among the near ones not in taken[] (-1: none), and encode for that one. */
void ann_router_forget_leaves(AnnRouter *router);
void ann_router_add_leaf(AnnRouter *router, const AnnStore *store, const uint8_t *record);
int ann_router_choose(const AnnRouter *router, const AnnStore *store, const uint32_t *taken,
                      int n_taken);
void ann_router_encode(AnnRouter *router, const AnnStore *store, int at, AnnCopy *out_copy);

#endif
