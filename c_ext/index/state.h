/* state.h -- the counters of a table: one blob, config row 2 (FORMAT.md). */
#ifndef ANN_INDEX_STATE_H
#define ANN_INDEX_STATE_H

#include "core/base.h"

#define ANN_STATE_SIZE 96
/* No counter is above this, so that sums and products with a few hundred stay numbers. */
#define ANN_MOST_ROWS ((int64_t)1 << 48)

/* cffi:on */
/* The counters; one blob, config row 2. */
typedef struct AnnState {
  int64_t rows;             /* vectors in the table */
  int64_t placed;           /* of them in the forest; the others wait */
  int64_t last_page;        /* highest page number ever used */
  int64_t leaf_pages;
  int64_t directory_pages;
  int64_t changes;          /* inserts and deletes since the last calibration */
  int64_t calibrated_rows;  /* rows placed at the last calibration, 0 for none */
  int64_t planted_rows;     /* rows of the table for which the trees were grown */
  uint32_t roots[ANN_MAX_TREES];   /* page of each tree's root; roots[0] = 0: no forest */
  int dirty;                /* not stored as they are; no part of the blob */
} AnnState;

/* How the forest differs from that of the last calibration. */
typedef struct AnnDrift {
  int64_t fewer, more;      /* rows then and now, in order of their number */
  int64_t exchanges;        /* inserts and deletes beyond that: two for every row replaced */
} AnnDrift;
AnnDrift ann_state_drift(const AnnState *state);

/* out: ANN_STATE_SIZE bytes. */
void ann_state_encode(const AnnState *state, uint8_t *out);
/* ANN_OK, or ANN_CORRUPT when they cannot be the counters of a table with so many trees. */
int ann_state_decode(const uint8_t *p, int64_t size, int trees, AnnState *out_state);
/* cffi:off */

#endif
