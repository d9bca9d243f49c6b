/* build.h -- absorb the waiting rows: the work behind `optimize` and `rebuild`.
**
** A forest is planted from a sample of all rows (core/tree.h): its directories and
** empty leaves.  Then every waiting row is placed as an insert would place it.  If
** more rows wait than are placed, what is there is pulled up first and planted anew:
** it was made for another table.
**
** Work can be cut into slices: each stops after changing about `max_pages` pages, or
** placing twice as many rows, and leaves a sound forest, with the rest still waiting and
** still found.
*/
#ifndef ANN_INDEX_BUILD_H
#define ANN_INDEX_BUILD_H

#include "index/store.h"

/* Below this many rows everything waits, and a search is exact: docs/ARCHITECTURE.md. */
#define ANN_SMALLEST_FOREST 1000

/* What came of it. */
typedef struct AnnBuilt {
  int64_t rows; /* that went into the forest */
  int more;     /* rows still wait */
} AnnBuilt;

/* Absorb what waits; at most about max_pages pages a call (0: no bound).  Flushed.
** When no row waits any more, measure anew (calibrate.h) where enough
** changed: thorough: where it may tell; else, as part of a statement that writes, where
** follow.h would. */
int ann_build_absorb(AnnStore *store, int64_t max_pages, int thorough, AnnBuilt *out);
/* Pull everything up and absorb it anew; inside ann_store_begin_afresh, so that it works
** on damaged counters and pages too. */
int ann_build_rebuild(AnnStore *store, AnnBuilt *out);

#endif
