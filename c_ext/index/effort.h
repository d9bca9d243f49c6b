/* effort.h -- how much a search must do for the recall it was asked for.
**
** Two numbers: how many codes to look at, and how many of the best estimates to rank
** exactly.  calibrate.c measures both on sampled rows; they are stored in the config
** table for a grid of k and recall, and interpolated here with + - x / and sqrt alone,
** so that every machine makes the same choice.
*/
#ifndef ANN_INDEX_EFFORT_H
#define ANN_INDEX_EFFORT_H

#include "index/store.h"

#define ANN_EFFORT_KS 3
#define ANN_EFFORT_RECALLS 8
#define ANN_EFFORT_SIZE (8 * ANN_EFFORT_KS * ANN_EFFORT_RECALLS)

extern const int ann_effort_ks[ANN_EFFORT_KS];                 /* 1, 10, 100 */
extern const double ann_effort_recalls[ANN_EFFORT_RECALLS];    /* .5 … .995 */

typedef struct AnnEffort {
  int64_t inspect;    /* codes to look at; a vector counts once a tree */
  int64_t keep;       /* best estimates to rank exactly, copies counted */
} AnnEffort;

/* The calibrated grid: [k][recall]. */
typedef struct AnnEffortGrid {
  AnnEffort cells[ANN_EFFORT_KS][ANN_EFFORT_RECALLS];
} AnnEffortGrid;

/* What a search for k at `recall` (0..1) must do, from the stored grid, or a cautious
** guess when there is none. */
int ann_effort_for(AnnStore *store, int64_t k, double recall, AnnEffort *out_effort);
int ann_effort_save(AnnStore *store, const AnnEffortGrid *grid);

#endif
