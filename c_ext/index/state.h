/* state.h -- the counters of a table: one blob, config row 2 (FORMAT.md). */
#ifndef ANN_INDEX_STATE_H
#define ANN_INDEX_STATE_H

#include "core/base.h"

#define ANN_STATE_SIZE 128
/* No counter is above this, so that sums and products with a few hundred stay numbers. */
#define ANN_MOST_ROWS ((int64_t)1 << 48)

/* cffi:on */
/* The counters; one blob, config row 2. */
typedef struct AnnState {
  int64_t rows;      /* vectors in the table */
  int64_t placed;    /* of them in the forest; the others wait */
  int64_t last_page; /* highest page number ever used */
  int64_t leaf_pages;
  int64_t directory_pages;
  int64_t changes;               /* inserts and deletes since the last calibration */
  int64_t calibrated_rows;       /* rows placed at the last calibration, 0 for none */
  int64_t planted_rows;          /* rows of the table for which the trees were grown */
  uint32_t roots[ANN_MAX_TREES]; /* page of each tree's root; roots[0] = 0: no forest */
  uint64_t pages_sum; /* of all stored pages, by number and checksum: ann_state_page */
  uint64_t history;   /* another number after each row that is written: ann_state_fold */
  int dirty;          /* not stored as they are; no part of the blob */
} AnnState;

/* How the forest differs from that of the last calibration. */
typedef struct AnnDrift {
  int64_t fewer, more; /* rows then and now, in order of their number */
  int64_t exchanges;   /* inserts and deletes beyond that: two for every row replaced */
} AnnDrift;
AnnDrift ann_state_drift(const AnnState *state);

/* What a stored page adds to pages_sum. */
uint64_t ann_state_page(uint32_t number, uint64_t checksum);
/* Something of the table besides its pages has another content: a row, the calibration, the
** queries given.  Two states of one table with the same pages_sum and history are the same, so
** that what was read from the one holds for the other, whatever has been committed in
** between. */
void ann_state_fold(AnnState *state, int64_t id, const void *bytes, int64_t n);
/* out: ANN_STATE_SIZE bytes. */
void ann_state_encode(const AnnState *state, uint8_t *out);
/* ANN_OK, or ANN_CORRUPT when they cannot be the counters of a table with so many trees. */
int ann_state_decode(const uint8_t *p, int64_t size, int trees, AnnState *out_state);
/* cffi:off */

#endif
