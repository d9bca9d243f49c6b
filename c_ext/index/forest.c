/* forest.c -- see forest.h. */
#include "index/forest.h"

#include <math.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/kernel.h"
#include "core/metric.h"
#include "index/pages.h"

/* An estimate of |q - c|^2 errs by about 0.6 |slope| |q - centre| (its standard
** deviation: code.h, with E|r|_1 = 0.8 |r| sqrt L); a child is queued that much
** nearer than it seems, so that few are measured too late. */
#define DOUBT 0.6f

/* A directory is opened before its centre's turn, by this part of its children's mean
** squared distance from that centre: some of them lie nearer than it.  At 0 two times as
** many vectors are inspected for a recall, above 1 only more directories are opened:
** docs/ARCHITECTURE.md, "walking". */
#define REACH 1.0f
#define REACH_DOT 0.5f         /* for products: this part of |q| sqrt spread */

int ann_probe_init(AnnProbe *probe, AnnStore *store) {
  memset(probe, 0, sizeof *probe);
  probe->vector = ann_alloc_zero((uint64_t)store->rotation.length, sizeof(float));
  probe->scratch = ann_alloc_zero((uint64_t)store->options.dimensions, sizeof(float));
  if (!probe->vector || !probe->scratch ||
      ann_lookup_init(&probe->lookup, store->rotation.length) != ANN_OK) {
    ann_probe_clear(probe);
    return ANN_NOMEM;
  }
  return ANN_OK;
}

/* The length of a vector whose squares may leave the range of a float. */
static float safe_norm(const float *x, int64_t n) {
  float norm = ann_kernels()->dot(x, x, (size_t)n);
  double sum = 0;
  int64_t i;
  if (norm > 1e-30f && norm < 1e30f) return sqrtf(norm);
  for (i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return (float)sqrt(sum);
}

void ann_probe_set(AnnProbe *probe, const AnnStore *store, const float *vector) {
  int64_t n = store->options.dimensions, length = store->rotation.length, i;
  if (store->options.metric == ANN_COSINE) {
    float norm = safe_norm(vector, n);
    if (norm == 0) {
      /* A zero vector has cosine 0 with every other.  Left at the origin it would be
      ** nearer to all queries than most unit vectors; along one fixed random axis it
      ** is, like most, at a right angle to them. */
      memset(probe->vector, 0, (size_t)length * sizeof(float));
      probe->vector[0] = 1;
    } else {
      for (i = 0; i < n; i++) probe->scratch[i] = vector[i] / norm;
      ann_rotation_apply(&store->rotation, probe->scratch, probe->vector);
    }
  } else {
    ann_rotation_apply(&store->rotation, vector, probe->vector);
  }
  probe->norm = ann_kernels()->dot(probe->vector, probe->vector, (size_t)length);
  ann_lookup_fill(&probe->lookup, probe->vector);
}

void ann_probe_clear(AnnProbe *probe) {
  ann_free(probe->vector);
  ann_free(probe->scratch);
  ann_lookup_clear(&probe->lookup);
  memset(probe, 0, sizeof *probe);
}

static int add_step(AnnWalk *walk, const AnnStep *step) {
  if (walk->n_steps == walk->n_allocated) {
    int64_t wanted = walk->n_allocated ? walk->n_allocated * 2 : 256;
    AnnStep *larger = ann_realloc_array(walk->steps, (uint64_t)wanted, sizeof *larger);
    if (!larger) return ANN_NOMEM;
    walk->steps = larger;
    walk->n_allocated = wanted;
  }
  walk->steps[walk->n_steps] = *step;
  return ann_frontier_push(&walk->frontier, step->score, (uint32_t)walk->n_steps++);
}

/* What the queue orders a step by. */
static float score_of(const AnnWalk *walk, const AnnStep *step) {
  int metric = walk->store->options.metric;
  float norm = walk->probe->norm, spread = ann_get_f32(step->record + ANN_CENTRE_SPREAD);
  float distance = step->base;
  if (metric == ANN_DOT && walk->by_centre) {
    distance = (norm + ann_get_f32(step->record + ANN_CENTRE_NORM)) + 2.0f * step->base;
  } else if (metric == ANN_DOT && step->level > 0) {
    return step->base - REACH_DOT * sqrtf(norm * spread);
  }
  if (step->level > 0) return distance - REACH * spread;
  if (walk->by_centre) return distance;
  return ann_centre_score(metric, step->record, step->base, norm, walk->store->rotation.length);
}

/* Exact base and score of a step from its centre. */
static void measure(const AnnWalk *walk, AnnStep *step) {
  step->base = ann_centre_base(walk->store->options.metric, step->record, walk->probe->vector,
                               walk->probe->norm, walk->store->rotation.length);
  step->score = score_of(walk, step);
  step->measured = 1;
}

void ann_walk_init(AnnWalk *walk, AnnStore *store) {
  memset(walk, 0, sizeof *walk);
  walk->store = store;
  ann_frontier_init(&walk->frontier);
}

int ann_walk_start(AnnWalk *walk, const AnnProbe *probe, int first, int last, int by_centre) {
  AnnStore *store = walk->store;
  int rc = ANN_OK, tree;
  walk->probe = probe;
  walk->by_centre = by_centre;
  walk->bound = INFINITY;
  walk->n_steps = walk->frontier.n = walk->n_opened = 0;
  for (tree = first; tree <= last && rc == ANN_OK; tree++) {
    AnnPage *root = NULL;
    AnnStep step;
    rc = ann_pages_get(store, store->state.roots[tree], tree, ANN_ANY_LEVEL, &root);
    if (rc != ANN_OK) break;
    memset(&step, 0, sizeof step);
    step.number = store->state.roots[tree];
    step.tree = (uint8_t)tree;
    step.level = (uint8_t)root->level;
    step.record = ann_page_centre(root);
    measure(walk, &step);
    step.score = -INFINITY;                  /* roots are opened first */
    rc = add_step(walk, &step);
  }
  return rc;
}

/* The scores of a block's children from their estimated distances. */
static void score_block(const AnnWalk *walk, const AnnPage *page, int level,
                        const float *spreads, int first, int n, const float *estimates,
                        float *out_scores) {
  int metric = walk->store->options.metric, i;
  float weight = level > 0 ? -REACH : walk->by_centre ? 0 : ANN_SPREAD_WEIGHT;
  if (metric == ANN_DOT) {
    for (i = 0; i < n; i++) {
      AnnStep step = {.level = (uint8_t)level, .base = estimates[i]};
      step.record = ann_page_child_centre(page, first + i);
      out_scores[i] = score_of(walk, &step);
    }
    return;
  }
  for (i = 0; i < n; i++) out_scores[i] = estimates[i] + weight * spreads[first + i];
}

/* Queue the children of a directory by their estimated distance. */
static int open_directory(AnnWalk *walk, const AnnStep *parent) {
  AnnStore *store = walk->store;
  AnnPage *page = NULL;
  AnnLookup lookup = walk->probe->lookup;
  const float *spreads = NULL;
  float estimates[ANN_BLOCK], scores[ANN_BLOCK];
  int rc = ann_pages_get(store, parent->number, parent->tree, parent->level, &page), i;
  walk->n_opened++;
  if (rc == ANN_OK && !(spreads = ann_page_spreads(page))) rc = ANN_NOMEM;
  /* Slopes are <= 0: so much nearer than it seems. */
  lookup.minimum += DOUBT * sqrtf(parent->base > 0 ? parent->base : walk->probe->norm);
  for (i = 0; rc == ANN_OK && i < page->n; i++) {
    AnnStep step;
    int64_t child;
    int at = i % ANN_BLOCK;
    if (at == 0) {
      int n = page->n - i < ANN_BLOCK ? page->n - i : ANN_BLOCK;
      ann_page_estimate(page, i / ANN_BLOCK, &lookup, parent->base, INFINITY, estimates);
      score_block(walk, page, parent->level - 1, spreads, i, n, estimates, scores);
    }
    if (scores[at] > walk->bound) continue;
    child = ann_page_id(page, i);
    if (child <= 0 || child > UINT32_MAX)
      return ann_store_corrupt(store, "page", parent->number);
    step.number = (uint32_t)child;
    step.tree = parent->tree;
    step.level = (uint8_t)(parent->level - 1);
    step.measured = 0;
    step.record = ann_page_child_centre(page, i);
    step.base = estimates[at];
    step.score = scores[at];
    rc = add_step(walk, &step);
  }
  return rc;
}

/* Have the page, or the centre, of what seems to come next on its way to the cache. */
static void prefetch(const AnnWalk *walk) {
  uint32_t at;
  float score;
  const AnnStep *step;
  if (!ann_frontier_top(&walk->frontier, &score, &at)) return;
  step = &walk->steps[at];
  if (step->measured) ann_pages_prefetch(walk->store, step->number);
  else ann_centre_prefetch(step->record, walk->store->rotation.length);
}

int ann_walk_next(AnnWalk *walk, AnnStep *out_step, int *out_found) {
  uint32_t at, other;
  float next;
  int rc = ANN_OK;
  *out_found = 0;
  while (rc == ANN_OK && ann_frontier_pop(&walk->frontier, &at)) {
    AnnStep *step = &walk->steps[at];
    if (!step->measured) {
      measure(walk, step);
      /* Still the nearest: it need not queue again. */
      if (ann_frontier_top(&walk->frontier, &next, &other) && step->score >= next) {
        if (step->score <= walk->bound)
          rc = ann_frontier_push(&walk->frontier, step->score, at);
        continue;
      }
    }
    if (step->level > 0) {
      AnnStep parent = *step;                /* steps may move while children are added */
      rc = open_directory(walk, &parent);
    } else {
      *out_step = *step;
      *out_found = 1;
      prefetch(walk);
      break;
    }
  }
  return rc;
}

void ann_walk_clear(AnnWalk *walk) {
  ann_frontier_clear(&walk->frontier);
  ann_free(walk->steps);
  memset(walk, 0, sizeof *walk);
}
