/* effort.c -- see effort.h. */
#include "index/effort.h"

#include <math.h>

#include "core/bytes.h"
#include "index/config.h"

/* When all rows were replaced, a third of the misses is counted on: a choice, until it is
** measured anew (follow.h). */
#define CARE 2
/* And when there are twice as many, half of them, of few rows: noise of 16 dimensions, of which
** a sample of forty says little, needs that; of more, in proportion. */
#define CARE_ROWS 4000.0

const int ann_effort_ks[ANN_EFFORT_KS] = {1, 10, 100, 1000};
const double ann_effort_recalls[ANN_EFFORT_RECALLS] = {.5, .7, .8, .9, .95, .98, .99, .995};

struct AnnEfforts {
  AnnDb *db;       /* borrowed */
  AnnState *state; /* borrowed */
  int trees;
  AnnEffortGrid *grid; /* owned: the calibration, NULL for none */
  int known;           /* grid, or its absence, is what the database says */
};

int ann_efforts_new(AnnDb *db, AnnState *state, int trees, AnnEfforts **out_efforts) {
  AnnEfforts *efforts = ann_alloc_zero(1, sizeof *efforts);
  *out_efforts = efforts;
  if (!efforts) return ANN_NOMEM;
  efforts->db = db;
  efforts->state = state;
  efforts->trees = trees;
  return ANN_OK;
}

void ann_efforts_drop(AnnEfforts *efforts) {
  ann_free(efforts->grid);
  efforts->grid = NULL;
  efforts->known = 0;
}

int ann_efforts_is_known(const AnnEfforts *efforts) { return efforts->known; }

void ann_efforts_free(AnnEfforts *efforts) {
  if (efforts) ann_efforts_drop(efforts);
  ann_free(efforts);
}

static uint32_t as_u32(int64_t n) { return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX; }

int ann_effort_save(AnnEfforts *efforts, const AnnEffortGrid *grid) {
  uint8_t blob[ANN_EFFORT_SIZE], *p = blob;
  int i, j, rc;
  ann_efforts_drop(efforts);
  for (i = 0; i < ANN_EFFORT_KS; i++) {
    for (j = 0; j < ANN_EFFORT_RECALLS; j++, p += 12) {
      const AnnEffort *cell = &grid->cells[i][j];
      ann_put_f32(p, (float)cell->reach);
      ann_put32(p + 4, as_u32(cell->inspect));
      ann_put32(p + 8, as_u32(cell->keep));
    }
  }
  rc = ann_config_put(efforts->db, ANN_CONFIG_CALIBRATION, "calibration", blob, sizeof blob);
  ann_state_fold(efforts->state, ANN_CONFIG_CALIBRATION, blob, sizeof blob);
  ann_put32(blob, as_u32(grid->least_inspect));
  ann_put32(blob + 4, as_u32(grid->least_keep));
  ann_state_fold(efforts->state, ANN_CONFIG_LEAST, blob, ANN_LEAST_SIZE);
  if (rc != ANN_OK) return rc;
  return ann_config_put(efforts->db, ANN_CONFIG_LEAST, "least", blob, ANN_LEAST_SIZE);
}

/* The least work; a table of an older version has none. */
static int load_least(AnnEfforts *efforts) {
  uint8_t *blob = NULL; /* owned */
  int64_t size = 0;
  int rc = ann_config_blob(efforts->db, ANN_CONFIG_LEAST, &blob, &size);
  if (rc == ANN_OK && blob && size != ANN_LEAST_SIZE) {
    rc = ann_db_corrupt(efforts->db, "config row", ANN_CONFIG_LEAST);
  } else if (rc == ANN_OK && blob) {
    efforts->grid->least_inspect = ann_get32(blob);
    efforts->grid->least_keep = ann_get32(blob + 4);
  }
  ann_free(blob);
  return rc;
}

static void decode(const uint8_t *p, AnnEffortGrid *out_grid) {
  int i, j;
  for (i = 0; i < ANN_EFFORT_KS; i++) {
    for (j = 0; j < ANN_EFFORT_RECALLS; j++, p += 12) {
      out_grid->cells[i][j].reach = ann_get_f32(p);
      out_grid->cells[i][j].inspect = ann_get32(p + 4);
      out_grid->cells[i][j].keep = ann_get32(p + 8);
    }
  }
}

/* The stored grid, which stays NULL when there is none. */
static int load(AnnEfforts *efforts) {
  uint8_t *blob = NULL; /* owned */
  int64_t size = 0;
  int rc = ann_config_blob(efforts->db, ANN_CONFIG_CALIBRATION, &blob, &size);
  ann_efforts_drop(efforts);
  if (rc == ANN_OK && blob && size != ANN_EFFORT_SIZE) {
    rc = ann_db_corrupt(efforts->db, "config row", ANN_CONFIG_CALIBRATION);
  } else if (rc == ANN_OK && blob) {
    efforts->grid = ann_alloc_zero(1, sizeof *efforts->grid);
    if (!efforts->grid) rc = ANN_NOMEM;
  }
  if (rc == ANN_OK && efforts->grid) {
    decode(blob, efforts->grid);
    rc = load_least(efforts);
  }
  ann_free(blob);
  if (rc != ANN_OK) ann_efforts_drop(efforts);
  efforts->known = rc == ANN_OK;
  return rc;
}

double ann_effort_ratio(double score, int64_t inspected, double kth) {
  if (kth == INFINITY || !(score > 0)) return 0;
  /* Estimates can fall below zero, where the query is one of the rows. */
  if (!(kth > score * 1e-6)) kth = score * 1e-6;
  return score * sqrt(sqrt((double)inspected)) / kth;
}

float ann_effort_bound(const AnnEffort *effort, int64_t inspected, double kth) {
  if (kth == INFINITY || !(kth > 0)) return INFINITY;
  return (float)(effort->reach * kth / sqrt(sqrt((double)inspected)));
}

/* A count, of which a damaged grid or the largest k may ask more than there are numbers. */
static int64_t whole(double n) {
  if (n > 4.0e18) return (int64_t)4e18;
  return n < -4.0e18 ? -(int64_t)4e18 : (int64_t)n;
}

/* Linear between a and b, and beyond b; never below a. */
static AnnEffort between(AnnEffort a, AnnEffort b, double share) {
  AnnEffort effort;
  effort.reach = a.reach + (b.reach - a.reach) * share;
  effort.inspect = a.inspect + whole((double)(b.inspect - a.inspect) * share);
  effort.keep = a.keep + whole((double)(b.keep - a.keep) * share);
  effort.least = 0;
  return effort;
}

/* How far k is from a to b: nearly as its logarithm is, in square roots. */
static double share_of(int64_t k, int a, int b) {
  double from = sqrt(sqrt(sqrt(a))), to = sqrt(sqrt(sqrt(b)));
  /* Beyond the grid all that is found grows with k itself. */
  if (k > b) return (double)(k - a) / (double)(b - a);
  return (sqrt(sqrt(sqrt((double)k))) - from) / (to - from);
}

/* Along one row of the grid; linear in 1 / (1 - recall), in which work grows evenly. */
static AnnEffort at_recall(const AnnEffort *row, double recall) {
  int j = 1;
  double low, high;
  if (recall <= ann_effort_recalls[0]) return row[0];
  while (j < ANN_EFFORT_RECALLS - 1 && recall > ann_effort_recalls[j]) j++;
  low = 1 / (1 - ann_effort_recalls[j - 1]);
  high = 1 / (1 - ann_effort_recalls[j]);
  return between(row[j - 1], row[j], (1 / (1 - recall) - low) / (high - low));
}

/* More rows than at the calibration: how much more work they are, docs/MEASUREMENTS.md. */
static void grow(const AnnEfforts *efforts, int64_t k, AnnEffort *effort) {
  const AnnState *state = efforts->state;
  double growth = (double)state->placed /
                  (double)(state->calibrated_rows > 0 ? state->calibrated_rows : 1);
  double root = sqrt(sqrt(growth));
  if (!(growth > 1)) return;
  effort->reach *= root;
  if (k <= ANN_EFFORT_LARGEST_K) {
    effort->inspect = whole((double)effort->inspect * root * sqrt(growth));
  }
  effort->keep = whole((double)effort->keep * root);
  effort->least = whole((double)effort->least * root);
}

/* Rows added since then, or replaced by others, which may be unlike them: a part of the misses
** is not counted on. */
static double careful(const AnnEfforts *efforts, double recall) {
  AnnDrift drift = ann_state_drift(efforts->state);
  double replaced = (double)drift.exchanges / 2;
  double grown = (double)(efforts->state->placed - drift.fewer), care = 0;
  if (replaced > 0 && drift.more > 0) care += CARE * replaced / (double)drift.more;
  if (grown > 0 && drift.fewer > 0) {
    double few = drift.fewer > CARE_ROWS ? CARE_ROWS / (double)drift.fewer : 1;
    care += few * grown / (double)drift.fewer;
  }
  return 1 - (1 - recall) / (1 + care);
}

int ann_effort_for(AnnEfforts *efforts, int64_t k, double recall, AnnEffort *out_effort) {
  const AnnEffortGrid *grid;
  int i = 1, rc = efforts->known ? ANN_OK : load(efforts);
  if (rc != ANN_OK) return rc;
  grid = efforts->grid;
  recall = careful(efforts, recall);
  if (!grid) {
    out_effort->reach = 0;
    out_effort->least = 0;
    out_effort->inspect = efforts->state->placed / 2;
    out_effort->keep = 20 * k + 200;
    return ANN_OK;
  }
  while (i < ANN_EFFORT_KS - 1 && k > ann_effort_ks[i]) i++;
  *out_effort = between(at_recall(grid->cells[i - 1], recall),
                        at_recall(grid->cells[i], recall),
                        share_of(k, ann_effort_ks[i - 1], ann_effort_ks[i]));
  /* Where the calibration ends a cluster may end, too: only the rule may say that it is
  ** enough. */
  if (k > ANN_EFFORT_LARGEST_K) {
    out_effort->reach = at_recall(grid->cells[ANN_EFFORT_KS - 1], recall).reach;
    out_effort->inspect = INT64_MAX;
  }
  /* More rows since then: the leaves to look at grow more slowly than the rows. */
  out_effort->least = 0;
  if (recall >= ANN_SELF_RECALL) {
    out_effort->least = grid->least_inspect;
    if (out_effort->keep < grid->least_keep) out_effort->keep = grid->least_keep;
  }
  grow(efforts, k, out_effort);
  if (out_effort->keep < efforts->trees * k) out_effort->keep = efforts->trees * k;
  return ANN_OK;
}
