/* build.c -- see build.h. */
#include "index/build.h"

#include "core/format.h"
#include "core/refine.h"
#include "core/tree.h"
#include "index/absorb.h"
#include "index/batch.h"
#include "index/calibrate.h"
#include "index/config.h"
#include "index/divide.h"
#include "index/follow.h"
#include "index/learned.h"
#include "index/pages.h"
#include "index/update.h"
#include "index/waiting.h"

/* docs/MEASUREMENTS.md, "building": figures for each. */
#define LEAF_FILL 0.625    /* of a leaf's capacity, on the average, after a build */
#define SAMPLE_PER_LEAF 64 /* rows sampled for each leaf */
#define SAMPLE_BYTES ((uint64_t)256 << 20) /* of rotated vectors held while planting */
#define SMALLEST_LEAF_SAMPLE 12
#define PASSES 3             /* refinements of the leaves' centres */
#define RECALIBRATE_SHARE 32 /* after so much changed: less moves no reach by 1 % */
#define FALLEN_BEHIND 4      /* times as many rows, or as few, as when it was planted */
#define ROWS_PER_PAGE 2      /* placed in a slice for each page it may change: to end it */
#define SHORT_BUILD 256      /* rows for which threads are not worth making */

/* One build under way. */
typedef struct Build {
  AnnStore *store;
  AnnPool *pool;  /* owned; NULL for a short build */
  AnnBatch batch; /* owned */
  AnnPoll poll;
  int64_t max_pages; /* that this slice may change; 0: no bound */
  int64_t rows;      /* placed in it */
  int64_t noted;     /* of state.rows those that are only noted */
  int thorough;      /* measure anew after few changes */
  int unmeasured;    /* the calibration does not know all given queries */
} Build;

/* Whether enough changed since the calibration for another one, once all rows are placed. */
static int is_stale(const Build *build) {
  const AnnState *state = &build->store->state;
  if (state->calibrated_rows == 0) return 1;
  if (!build->thorough) return ann_follow_is_due(state);
  return build->unmeasured || state->changes > state->calibrated_rows / RECALIBRATE_SHARE;
}

/* Once planted, the waiting outnumber the placed until half is absorbed: a forest is only
** pulled up when it was planted for a table less than half as large. */
static int must_plant(const AnnState *state) {
  if (state->placed >= state->rows - state->placed) return 0;
  return state->roots[0] == 0 || state->planted_rows < state->rows / 2;
}

/* A forest that was planted for a quarter of the rows or for four times as many: its leaves are
** halves of leaves, or nearly empty.  docs/MEASUREMENTS.md, "following", has figures. */
static int has_fallen_behind(const AnnState *state) {
  return state->roots[0] != 0 && (state->planted_rows <= state->rows / FALLEN_BEHIND ||
                                  state->rows <= state->planted_rows / FALLEN_BEHIND);
}

static int will_plant(const AnnState *state, int thorough) {
  return must_plant(state) || (thorough && has_fallen_behind(state));
}

/* Rows that a build will hold at the same time, at most. */
static int64_t rows_to_hold(const AnnState *state, int64_t max_pages, int thorough) {
  int64_t rows = state->rows - state->placed;
  if (will_plant(state, thorough)) return state->rows;
  if (max_pages > 0 && rows > max_pages * ROWS_PER_PAGE) rows = max_pages * ROWS_PER_PAGE;
  return rows;
}

static int build_init(Build *build, AnnStore *store, int64_t max_pages, int thorough) {
  AnnLearnedQueries given;
  int n = ann_pool_threads(store->options.threads);
  int rc = ANN_OK;
  memset(build, 0, sizeof *build);
  build->store = store;
  build->thorough = thorough;
  build->max_pages = max_pages;
  rc = ann_learned_get(store->learned, &given);
  if (rc != ANN_OK) return rc;
  build->unmeasured = !given.measured;
  build->poll.check = ann_db_tick;
  build->poll.arg = store->db;
  if (n > 1 && (store->state.rows - store->state.placed > SHORT_BUILD || is_stale(build))) {
    rc = ann_pool_new(n, &build->pool);
  }
  if (rc == ANN_OK) {
    rc = ann_batch_init(&build->batch, store, build->pool,
                        rows_to_hold(&store->state, max_pages, thorough));
  }
  if (rc != ANN_OK) ann_pool_free(build->pool);
  return rc;
}

static void build_clear(Build *build) {
  ann_batch_clear(&build->batch);
  ann_pool_free(build->pool);
}

/* ---- planting ---- */

/* Rotated vectors of some rows. */
typedef struct Sample {
  int64_t n, length;
  float **chunks; /* owned: each a batch x length floats */
  int64_t n_chunks;
  const float **points; /* owned: n pointers into them */
} Sample;

static void sample_clear(Sample *sample) {
  int64_t i;
  for (i = 0; i < sample->n_chunks; i++) ann_free(sample->chunks[i]);
  ann_free(sample->chunks);
  ann_free(sample->points);
}

/* Add the batch's rows, rotated, and empty it. */
static int sample_add(Build *build, Sample *sample) {
  AnnBatch *batch = &build->batch;
  float *chunk = ann_alloc_array((uint64_t)(batch->n * sample->length), sizeof *chunk);
  int64_t i;
  int rc;
  if (!chunk) return ANN_NOMEM;
  sample->chunks[sample->n_chunks++] = chunk;
  rc = ann_batch_rotate(batch, chunk);
  for (i = 0; i < batch->n; i++) sample->points[sample->n++] = chunk + i * sample->length;
  batch->n = 0;
  return rc;
}

/* `wanted` of the table's rows, evenly spaced in order of id. */
static int sample_rows(Build *build, int64_t wanted, Sample *sample) {
  AnnStore *store = build->store;
  AnnBatch *batch = &build->batch;
  int64_t rows = store->state.rows, seen = 0, taken = 0;
  int more = 1, rc;
  memset(sample, 0, sizeof *sample);
  sample->length = store->rotation.length;
  sample->chunks =
      ann_alloc_zero((uint64_t)(wanted / batch->n_allocated + 1), sizeof *sample->chunks);
  sample->points = ann_alloc_array((uint64_t)wanted, sizeof *sample->points);
  rc = sample->chunks && sample->points ? ann_source_scan(store->source, INT64_MIN, INT64_MAX)
                                        : ANN_NOMEM;
  while (rc == ANN_OK && more && taken < wanted) {
    int64_t n = batch->n;
    rc = ann_batch_read(batch, n + 1, &more);
    if (rc != ANN_OK || !more) break;
    if (++seen % 256 == 0) rc = ann_db_tick(store->db);
    /* Row number s is taken when s * wanted / rows passes a whole number there. */
    if ((double)seen * (double)wanted / (double)rows < (double)(taken + 1) - 1e-9) batch->n = n;
    else taken++;
    if (rc == ANN_OK && batch->n == batch->n_allocated) rc = sample_add(build, sample);
  }
  ann_source_end(store->source);
  return rc == ANN_OK && batch->n > 0 ? sample_add(build, sample) : rc;
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
    rc = ann_pages_add(store->pages, which, level, parent_number, &out_numbers[i], &page);
    if (rc != ANN_OK) break;
    ann_centre_encode(centre, tree->length, nodes->spreads[i], ann_page_centre(page));
    if (!above) {
      store->state.roots[which] = out_numbers[i];
      continue;
    }
    rc = ann_pages_get(store->pages, parent_number, which, level + 1, &parent);
    if (rc == ANN_OK) { rc = ann_divide_enter(store, parent, out_numbers[i], page); }
  }
  return rc;
}

static int write_tree(AnnStore *store, const AnnTree *tree, int which) {
  uint32_t *above = NULL, *numbers = NULL; /* owned */
  int rc = ANN_OK, level;
  for (level = tree->n_levels - 1; level >= 0 && rc == ANN_OK; level--) {
    numbers = ann_alloc_array((uint64_t)tree->levels[level].n, sizeof *numbers);
    rc = numbers ? write_level(store, tree, which, level, above, numbers) : ANN_NOMEM;
    ann_free(above);
    above = numbers;
  }
  ann_free(above);
  store->state.dirty = 1;
  return rc;
}

/* Grow and refine the trees of the forest. */
static int grow_trees(Build *build, const Sample *sample, AnnTree *trees) {
  AnnStore *store = build->store;
  AnnTreePlan plan;
  int rc = ANN_OK, n = store->options.trees, pass;
  double leaf_rows = store->options.leaf_capacity * LEAF_FILL;
  plan.seed = (uint64_t)store->options.seed;
  plan.fanout = ann_pages_capacity(store->pages, 1) / 2;
  /* Members of the sample in a leaf, as the leaf's rows are to the table's. */
  plan.leaf_sample = (int64_t)(leaf_rows * (double)sample->n / (double)store->state.rows);
  if (plan.leaf_sample < SMALLEST_LEAF_SAMPLE) plan.leaf_sample = SMALLEST_LEAF_SAMPLE;
  for (plan.tree = 0; plan.tree < n && rc == ANN_OK; plan.tree++) {
    rc = ann_tree_grow(sample->points, sample->n, sample->length, &plan, build->pool,
                       &build->poll, &trees[plan.tree]);
  }
  for (pass = 0; pass < PASSES && rc == ANN_OK; pass++) {
    rc = ann_refine(trees, n, sample->points, sample->n, build->pool, &build->poll);
  }
  return rc;
}

/* Grow the trees from a sample and write their pages, leaves still empty. */
static int plant(Build *build) {
  AnnStore *store = build->store;
  double leaves = (double)store->state.rows / (store->options.leaf_capacity * LEAF_FILL) + 1;
  int64_t wanted = (int64_t)(leaves * SAMPLE_PER_LEAF);
  int64_t most = (int64_t)(SAMPLE_BYTES / ((uint64_t)store->rotation.length * sizeof(float)));
  AnnTree trees[ANN_MAX_TREES];
  Sample sample;
  int rc, t;
  if (wanted > most) wanted = most;
  if (wanted > store->state.rows) wanted = store->state.rows;
  memset(trees, 0, sizeof trees);
  rc = sample_rows(build, wanted, &sample);
  if (rc == ANN_OK && sample.n == 0)
    rc = ann_db_corrupt(store->db, "config row", ANN_CONFIG_STATE);
  if (rc == ANN_OK) rc = grow_trees(build, &sample, trees);
  for (t = 0; t < store->options.trees; t++) {
    if (rc == ANN_OK) rc = write_tree(store, &trees[t], t);
    ann_tree_clear(&trees[t]);
  }
  sample_clear(&sample);
  return rc;
}

/* Of an ordinary table not all rows that were noted need be there: few wait, as at first. */
static int plant_anew(Build *build) {
  AnnStore *store = build->store;
  int rc = ann_absorb_pull_up(store);
  build->noted = 0;
  if (rc != ANN_OK || (store->content && store->state.rows < ANN_SMALLEST_FOREST)) return rc;
  rc = plant(build);
  store->state.planted_rows = store->state.rows;
  return rc;
}

/* ---- absorbing ---- */

static int is_full(const Build *build) {
  return build->max_pages > 0 && (ann_pages_dirty(build->store->pages) >= build->max_pages ||
                                  build->rows / ROWS_PER_PAGE >= build->max_pages);
}

/* Rows of the next batch: of a slice, about as many as change the pages that are left. */
static int64_t batch_rows(const Build *build) {
  int trees = build->store->options.trees;
  int64_t pages = (build->max_pages - ann_pages_dirty(build->store->pages)) / trees;
  int64_t rows = build->max_pages * ROWS_PER_PAGE - build->rows;
  int64_t n = pages < rows ? pages : rows;
  return build->max_pages == 0 ? INT64_MAX : n > 1 ? n : 1;
}

/* Place the rows of one range until it ends or the slice is full. */
static int absorb_range(Build *build, int64_t first, int64_t last) {
  AnnStore *store = build->store;
  AnnBatch *batch = &build->batch;
  int64_t next = first;
  int more = 1, rc = ann_source_scan(store->source, first, last);
  while (rc == ANN_OK && more && !is_full(build)) {
    rc = ann_batch_read(batch, batch_rows(build), &more);
    if (rc != ANN_OK) break;
    if (batch->n > 0) next = batch->ids[batch->n - 1];
    build->rows += batch->n;
    rc = ann_batch_place(batch);
  }
  ann_source_end(store->source);
  if (rc != ANN_OK) return rc;
  return ann_waiting_shrink(store->waiting, first, last, more ? next : last);
}

static int absorb_ranges(Build *build) {
  int64_t first, last;
  int found = build->store->state.roots[0] != 0, rc = ANN_OK;
  while (rc == ANN_OK && found && !is_full(build)) {
    rc = ann_waiting_range(build->store->waiting, INT64_MIN, &first, &last, &found);
    if (rc != ANN_OK || !found) break;
    rc = absorb_range(build, first, last);
  }
  return rc;
}

/* ---- of an ordinary table ---- */

/* Does any row wait?  None that was counted when they began to may be there now, or more. */
static int count_waiting(AnnStore *store, int *out_any) {
  int64_t first, last;
  int rc = ann_waiting_range(store->waiting, INT64_MIN, &first, &last, out_any);
  if (rc != ANN_OK) return rc;
  if (!*out_any || store->state.rows <= store->state.placed) {
    ann_absorb_set_rows(&store->state, store->state.placed + *out_any);
  }
  return ANN_OK;
}

/* When no row waits, what was noted: one by one, or, where that is as much as the forest has, all
** anew. */
static int absorb_notes(Build *build, int64_t n_notes) {
  AnnStore *store = build->store;
  int64_t n = 1;
  int rc = ANN_OK;
  if (n_notes >= store->state.placed) {
    rc = plant_anew(build);
    return rc == ANN_OK ? absorb_ranges(build) : rc;
  }
  while (rc == ANN_OK && n > 0 && !is_full(build)) {
    rc = ann_absorb_some(&build->batch, batch_rows(build), &n);
    build->rows += n;
  }
  return rc;
}

static int absorb_content(Build *build, int *out_more) {
  AnnStore *store = build->store;
  int64_t n = 0;
  int waits = 0, rc;
  ann_absorb_set_rows(&store->state, store->state.rows - build->noted);
  rc = count_waiting(store, &waits);
  if (rc == ANN_OK) rc = ann_notes_count(store->notes, &n);
  if (rc == ANN_OK && !waits && n > 0) {
    rc = absorb_notes(build, n);
    if (rc == ANN_OK) rc = count_waiting(store, &waits);
    if (rc == ANN_OK) rc = ann_notes_count(store->notes, &n);
  }
  *out_more = store->state.roots[0] != 0 && (waits || n > 0);
  return rc == ANN_OK && build->thorough && !*out_more ? ann_absorb_gone(store) : rc;
}

/* ---- all of it ---- */

static int absorb(Build *build, int *out_more) {
  AnnStore *store = build->store;
  AnnState *state = &store->state;
  int rc = will_plant(state, build->thorough) ? plant_anew(build) : ANN_OK;
  if (rc == ANN_OK) rc = absorb_ranges(build);
  *out_more = rc == ANN_OK && state->placed < state->rows;
  if (rc == ANN_OK && store->content) rc = absorb_content(build, out_more);
  if (rc == ANN_OK && !*out_more && state->roots[0] != 0 && is_stale(build)) {
    rc = ann_store_flush(store);
    if (rc == ANN_OK) rc = ann_calibrate(store, build->pool);
  }
  return rc;
}

/* Of an ordinary table what was noted, *out_noted, counts as waiting until it is taken in.
** Without a forest all of it is counted. */
static int count_content(AnnStore *store, int64_t *out_noted) {
  int64_t n = 0;
  int rc = ann_notes_count(store->notes, &n);
  if (rc != ANN_OK || n == 0) return rc;
  if (store->state.roots[0] == 0) return ann_absorb_pull_up(store);
  store->state.rows += n;
  *out_noted = n;
  return ANN_OK;
}

int ann_build_absorb(AnnStore *store, int64_t max_pages, int thorough, AnnBuilt *out) {
  Build build;
  int64_t noted = 0;
  int rc = store->content ? count_content(store, &noted) : ANN_OK;
  out->rows = out->more = 0;
  if (rc == ANN_OK &&
      (store->state.rows >= ANN_SMALLEST_FOREST || store->state.roots[0] != 0)) {
    rc = build_init(&build, store, max_pages, thorough);
    if (rc == ANN_OK) {
      build.noted = noted;
      rc = absorb(&build, &out->more);
      out->rows = build.rows;
      build_clear(&build);
    }
  }
  if (rc == ANN_OK) rc = ann_store_flush(store);
  return rc;
}

int ann_build_rebuild(AnnStore *store, AnnBuilt *out) {
  int rc = ann_absorb_pull_up(store);
  store->state.planted_rows = 0;
  return rc == ANN_OK ? ann_build_absorb(store, 0, 1, out) : rc;
}
