/* effort.h -- how much a search must do for the recall it was asked for.
**
** Leaves are read in order of their score until the next one is too far for what has
** been found:
**
**     score * sqrt(sqrt(inspected)) > reach * (k-th best estimate so far)
**
** An easy query, whose neighbours are much nearer than the next leaf, stops early; the root
** grows with the work already done, so that a hard one does not go on for ever.  Of the
** estimates seen, the best `keep` are ranked exactly.  calibrate.c measures both on sampled
** rows, and how many entries must be looked at, at least, so that a stored row finds itself: it
** may be in a leaf that is not the first, while others seem near.  They are stored in the
** config table for a grid of k and recall, and interpolated here with + - x / and sqrt alone,
** so that every machine makes the same choice.  Products have no natural zero, so for `dot` a
** count of entries stands in for the rule.
*/
#ifndef ANN_INDEX_EFFORT_H
#define ANN_INDEX_EFFORT_H

#include "index/db.h"
#include "index/state.h"

#define ANN_EFFORT_KS 4
#define ANN_EFFORT_RECALLS 8
#define ANN_EFFORT_LARGEST_K 1000 /* ann_effort_ks' last */
/* The rule looks at the k-th best estimate of at most this k, so that keeping the best of
** different rows stays cheap: the last k of the grid has the rule of the one before. */
#define ANN_EFFORT_RULES 3
#define ANN_EFFORT_RULE_K 100
#define ANN_EFFORT_SIZE (12 * ANN_EFFORT_KS * ANN_EFFORT_RECALLS)
#define ANN_LEAST_SIZE 8
/* From this recall on a stored row finds itself. */
#define ANN_SELF_RECALL 0.9
/* A hard query may inspect this many times what most need. */
#define ANN_EFFORT_PATIENCE 4

/* cffi:on */
extern const int ann_effort_ks[ANN_EFFORT_KS];              /* 1, 10, 100, 1000 */
extern const double ann_effort_recalls[ANN_EFFORT_RECALLS]; /* .5 … .995 */

typedef struct AnnEffort {
  double reach;    /* of the rule above; 0: `inspect` alone decides */
  int64_t inspect; /* entries to look at, at most */
  int64_t keep;    /* best estimates to rank exactly, copies counted */
  int64_t least;   /* entries to look at, at least */
} AnnEffort;

/* The calibrated grid: [k][recall]. */
typedef struct AnnEffortGrid {
  AnnEffort cells[ANN_EFFORT_KS][ANN_EFFORT_RECALLS];
  int64_t least_inspect, least_keep; /* so that a stored row finds itself */
} AnnEffortGrid;

/* The calibration of one table: read at its first use. */
typedef struct AnnEfforts AnnEfforts;

/* db, state: borrowed.  ANN_OK or ANN_NOMEM. */
int ann_efforts_new(AnnDb *db, AnnState *state, int trees, AnnEfforts **out_efforts);
void ann_efforts_free(AnnEfforts *efforts);
void ann_efforts_drop(AnnEfforts *efforts);          /* forget what was read */
int ann_efforts_is_known(const AnnEfforts *efforts); /* it was, or that there is none */

/* The left side of the rule over the k-th best estimate; 0 while fewer than k are found. */
double ann_effort_ratio(double score, int64_t inspected, double kth);
/* The score from which on the rule says to stop; +infinity while fewer than k are found. */
float ann_effort_bound(const AnnEffort *effort, int64_t inspected, double kth);

/* What a search for k at `recall` (0..1) must do, from the stored grid, or a cautious
** guess when there is none. */
int ann_effort_for(AnnEfforts *efforts, int64_t k, double recall, AnnEffort *out_effort);
int ann_effort_save(AnnEfforts *efforts, const AnnEffortGrid *grid);
/* cffi:off */

#endif
