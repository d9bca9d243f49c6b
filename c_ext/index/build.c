/* build.c -- see build.h. */
#include "index/build.h"

#include "core/format.h"
#include "core/tree.h"
#include "index/calibrate.h"
#include "index/divide.h"
#include "index/forest.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/update.h"
#include "index/waiting.h"

/* docs/ARCHITECTURE.md, "building": figures for each. */
#define LEAF_FILL 0.625         /* of a leaf's capacity, on the average, after a build */
#define SAMPLE_PER_LEAF 48      /* rows sampled for each leaf */
#define SAMPLE_BYTES ((uint64_t)256 << 20)   /* of rotated vectors held while planting */
#define SMALLEST_LEAF_SAMPLE 12
#define FANOUT 64               /* children a directory is given; half of its capacity */
#define PASSES 2                /* refinements of the leaves' centres */
#define RECALIBRATE_SHARE 4     /* after a quarter of the rows changed; DESIGN 2.2 */

/* ---- planting ---- */

/* Rotated vectors of some rows. */
typedef struct Sample {
  int64_t n, length;
  float **chunks;           /* owned: each CHUNK x length floats */
  const float **points;     /* owned: n pointers into them */
} Sample;
#define CHUNK 1024

static void sample_clear(Sample *sample) {
  int64_t i;
  for (i = 0; sample->chunks && i < sample->n / CHUNK + 1; i++) ann_free(sample->chunks[i]);
  ann_free(sample->chunks);
  ann_free(sample->points);
}

/* `wanted` of the table's rows, evenly spaced in order of id. */
static int sample_rows(AnnStore *store, int64_t wanted, Sample *sample) {
  int64_t length = store->rotation.length, rows = store->state.rows, seen = 0, id;
  AnnProbe probe;
  float *vector = NULL;                       /* owned */
  int found = 1, rc = ann_probe_init(&probe, store);
  memset(sample, 0, sizeof *sample);
  if (rc != ANN_OK) return rc;
  sample->length = length;
  sample->chunks = ann_alloc_zero((uint64_t)(wanted / CHUNK + 1), sizeof *sample->chunks);
  sample->points = ann_alloc_array((uint64_t)wanted, sizeof *sample->points);
  vector = ann_alloc_array((uint64_t)store->options.dimensions, sizeof *vector);
  rc = sample->chunks && sample->points && vector
           ? ann_store_scan_open(store, INT64_MIN, INT64_MAX)
           : ANN_NOMEM;
  while (rc == ANN_OK && sample->n < wanted) {
    float **chunk = &sample->chunks[sample->n / CHUNK], *point;
    rc = ann_store_scan_next(store, &id, vector, &found);
    if (rc != ANN_OK || !found) break;
    if (++seen % 256 == 0) rc = ann_store_tick(store);
    /* Row number s is taken when s * wanted / rows passes a whole number there. */
    if ((double)seen * (double)wanted / (double)rows < (double)(sample->n + 1) - 1e-9) continue;
    if (!*chunk) *chunk = ann_alloc_array((uint64_t)(CHUNK * length), sizeof(float));
    if (!*chunk) rc = ANN_NOMEM;
    if (rc != ANN_OK) break;
    ann_probe_set(&probe, store, vector);
    point = *chunk + sample->n % CHUNK * length;
    memcpy(point, probe.vector, (size_t)length * sizeof *point);
    sample->points[sample->n++] = point;
  }
  ann_store_scan_close(store);
  ann_probe_clear(&probe);
  ann_free(vector);
  return rc;
}

/* Write the pages of one level under those of the level above (numbers of which are in
** `above`; NULL for the root); the new numbers come back in *out_numbers. */
static int write_level(AnnStore *store, const AnnTree *tree, int which, int level,
                       const uint32_t *above, uint32_t *out_numbers) {
  const AnnTreeLevel *nodes = &tree->levels[level];
  int rc = ANN_OK;
  int64_t i;
  for (i = 0; i < nodes->n && rc == ANN_OK; i++) {
    uint32_t parent_number = above ? above[nodes->parents[i]] : 0;
    AnnPage *page = NULL, *parent = NULL;
    const float *centre = nodes->centres + i * tree->length;
    rc = ann_pages_new(store, which, level, parent_number, &out_numbers[i], &page);
    if (rc != ANN_OK) break;
    ann_centre_encode(centre, tree->length, nodes->spreads[i], ann_page_centre(page));
    if (!above) {
      store->state.roots[which] = out_numbers[i];
      continue;
    }
    rc = ann_pages_get(store, parent_number, which, level + 1, &parent);
    if (rc == ANN_OK) { rc = ann_divide_enter(store, parent, out_numbers[i], page); }
  }
  return rc;
}

static int write_tree(AnnStore *store, const AnnTree *tree, int which) {
  uint32_t *above = NULL, *numbers = NULL;    /* owned */
  int rc = ANN_OK, level;
  for (level = tree->n_levels - 1; level >= 0 && rc == ANN_OK; level--) {
    numbers = ann_alloc_array((uint64_t)tree->levels[level].n, sizeof *numbers);
    rc = numbers ? write_level(store, tree, which, level, above, numbers) : ANN_NOMEM;
    ann_free(above);
    above = numbers;
  }
  ann_free(above);
  store->dirty = 1;
  return rc;
}

/* Grow and refine the trees of the forest. */
static int grow_trees(AnnStore *store, const Sample *sample, AnnTree *trees) {
  AnnTreePlan plan;
  AnnPoll poll;
  int rc = ANN_OK, n = store->options.trees, pass;
  double leaf_rows = store->options.leaf_capacity * LEAF_FILL;
  poll.check = ann_store_tick;
  poll.arg = store;
  plan.seed = (uint64_t)store->options.seed;
  plan.fanout = FANOUT;
  /* Members of the sample in a leaf, as the leaf's rows are to the table's. */
  plan.leaf_sample = (int64_t)(leaf_rows * (double)sample->n / (double)store->state.rows);
  if (plan.leaf_sample < SMALLEST_LEAF_SAMPLE) plan.leaf_sample = SMALLEST_LEAF_SAMPLE;
  for (plan.tree = 0; plan.tree < n && rc == ANN_OK; plan.tree++) {
    rc = ann_tree_grow(sample->points, sample->n, sample->length, &plan, &poll,
                       &trees[plan.tree]);
  }
  for (pass = 0; pass < PASSES && rc == ANN_OK; pass++) {
    rc = ann_tree_refine(trees, n, sample->points, sample->n, &poll);
  }
  return rc;
}

/* Grow the trees from a sample and write their pages, leaves still empty. */
static int plant(AnnStore *store) {
  double leaves = (double)store->state.rows / (store->options.leaf_capacity * LEAF_FILL) + 1;
  int64_t wanted = (int64_t)(leaves * SAMPLE_PER_LEAF);
  int64_t most = (int64_t)(SAMPLE_BYTES / ((uint64_t)store->rotation.length * sizeof(float)));
  AnnTree trees[ANN_MAX_TREES];
  Sample sample;
  int rc, t;
  if (wanted > most) wanted = most;
  if (wanted > store->state.rows) wanted = store->state.rows;
  memset(trees, 0, sizeof trees);
  rc = sample_rows(store, wanted, &sample);
  if (rc == ANN_OK && sample.n == 0)
    rc = ann_store_corrupt(store, "config row", ANN_CONFIG_STATE);
  if (rc == ANN_OK) rc = grow_trees(store, &sample, trees);
  for (t = 0; t < store->options.trees; t++) {
    if (rc == ANN_OK) rc = write_tree(store, &trees[t], t);
    ann_tree_clear(&trees[t]);
  }
  sample_clear(&sample);
  return rc;
}

/* Every row waits again: one run over all ids. */
static int pull_up(AnnStore *store) {
  int rc = ann_pages_delete_all(store);
  if (rc == ANN_OK) rc = ann_places_delete_all(store);
  memset(store->state.roots, 0, sizeof store->state.roots);
  store->state.placed = store->state.last_page = 0;
  store->state.calibrated_rows = store->state.changes = 0;
  store->dirty = 1;
  return rc == ANN_OK ? ann_waiting_add_all(store) : rc;
}

/* ---- absorbing ---- */

/* Place the rows of one run until it ends or the slice is full. */
static int absorb_run(AnnStore *store, AnnProbe *probe, float *vector, int64_t first,
                      int64_t last, int64_t max_pages, int *out_full) {
  int found = 1, rc = ann_store_scan_open(store, first, last);
  int64_t id = first, next = first, n = 0;
  while (rc == ANN_OK && !*out_full) {
    rc = ann_store_scan_next(store, &id, vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_probe_set(probe, store, vector);
    rc = ann_update_place(store, probe, id);
    next = id;
    if (rc == ANN_OK && ++n % 16 == 0) rc = ann_store_tick(store);
    if (rc == ANN_OK && ann_pages_over_budget(store)) {
      rc = ann_store_flush(store);
      ann_pages_drop(store);
    }
    *out_full = max_pages > 0 && store->n_dirty_pages >= max_pages;
  }
  ann_store_scan_close(store);
  if (rc != ANN_OK) return rc;
  return ann_waiting_shrink(store, first, last, *out_full ? next : last);
}

static int absorb_runs(AnnStore *store, int64_t max_pages, int *out_full) {
  AnnProbe probe;
  float *vector = NULL;                       /* owned */
  int64_t first, last;
  int found = 1, rc = ann_probe_init(&probe, store);
  if (rc != ANN_OK) return rc;
  vector = ann_alloc_array((uint64_t)store->options.dimensions, sizeof *vector);
  if (!vector) rc = ANN_NOMEM;
  while (rc == ANN_OK && !*out_full) {
    rc = ann_waiting_run(store, INT64_MIN, &first, &last, &found);
    if (rc != ANN_OK || !found) break;
    rc = absorb_run(store, &probe, vector, first, last, max_pages, out_full);
  }
  ann_probe_clear(&probe);
  ann_free(vector);
  return rc;
}

int ann_build_absorb(AnnStore *store, int64_t max_pages, int *out_more) {
  AnnState *state = &store->state;
  int rc = ANN_OK, full = 0;
  *out_more = 0;
  if (state->rows < ANN_SMALLEST_FOREST && state->roots[0] == 0) return ann_store_flush(store);
  if (state->placed < state->rows - state->placed) {
    /* Once planted, the waiting outnumber the placed until half is absorbed: a forest
    ** is only pulled up when it was planted for a table less than half as large. */
    if (state->roots[0] == 0 || state->planted_rows < state->rows / 2) {
      rc = pull_up(store);
      if (rc == ANN_OK) rc = plant(store);
      state->planted_rows = state->rows;
      if (rc == ANN_OK) full = max_pages > 0 && store->n_dirty_pages >= max_pages;
    }
  }
  if (rc == ANN_OK) rc = absorb_runs(store, max_pages, &full);
  *out_more = rc == ANN_OK && state->placed < state->rows;
  if (rc == ANN_OK && !*out_more &&
      state->changes > state->calibrated_rows / RECALIBRATE_SHARE) {
    rc = ann_store_flush(store);
    if (rc == ANN_OK) rc = ann_calibrate(store);
  }
  if (rc == ANN_OK) rc = ann_store_flush(store);
  return rc;
}

int ann_build_rebuild(AnnStore *store) {
  int more = 0, rc = pull_up(store);
  store->state.planted_rows = 0;
  if (rc == ANN_OK) rc = ann_build_absorb(store, 0, &more);
  return rc;
}
