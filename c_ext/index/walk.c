/* walk.c -- see walk.h. */
#include "index/walk.h"

#include <float.h>
#include <math.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/grow.h"
#include "core/kernel.h"
#include "index/pages.h"

#define OPENED_PER_TICK 16 /* directories opened between two looks at an interrupt */

/* For products ANN_WALK_REACH is this part of |q| sqrt spread. */
#define REACH_DOT 0.5f

int ann_probe_init(AnnProbe *probe, AnnStore *store) {
  memset(probe, 0, sizeof *probe);
  probe->vector = ann_alloc_zero((uint64_t)store->rotation.length, sizeof(float));
  probe->scratch = ann_alloc_zero((uint64_t)store->options.space.dimensions, sizeof(float));
  if (!probe->vector || !probe->scratch ||
      ann_lookup_init(&probe->lookup, store->rotation.length) != ANN_OK) {
    ann_probe_clear(probe);
    return ANN_NOMEM;
  }
  return ANN_OK;
}

void ann_probe_rotate(AnnProbe *probe, const AnnStore *store, const void *vector) {
  ann_space_point(&store->options.space, &store->rotation, vector, probe->scratch,
                  probe->vector);
}

/* The point is there: the rest. */
static void complete(AnnProbe *probe, const AnnStore *store) {
  int64_t length = store->rotation.length;
  probe->norm = ann_kernels()->dot(probe->vector, probe->vector, (size_t)length);
  ann_lookup_fill(&probe->lookup, probe->vector);
}

void ann_probe_set(AnnProbe *probe, const AnnStore *store, const void *vector) {
  ann_probe_rotate(probe, store, vector);
  complete(probe, store);
}

void ann_probe_set_query(AnnProbe *probe, const AnnStore *store, const void *query) {
  ann_space_query_point(&store->options.space, &store->rotation, query, probe->scratch,
                        probe->vector);
  complete(probe, store);
}

void ann_probe_clear(AnnProbe *probe) {
  ann_free(probe->vector);
  ann_free(probe->scratch);
  ann_lookup_clear(&probe->lookup);
  memset(probe, 0, sizeof *probe);
}

/* ---- any walk ---- */

void ann_walk_init(AnnWalk *walk, AnnStore *store) {
  memset(walk, 0, sizeof *walk);
  walk->store = walk->reader = store;
  ann_frontier_init(&walk->frontier);
}

void ann_walk_clear(AnnWalk *walk) {
  ann_frontier_clear(&walk->frontier);
  ann_free(walk->opened);
  ann_free(walk->scores);
  ann_free(walk->steps);
  memset(walk, 0, sizeof *walk);
}

/* Have room for `more` items beyond the n of an array, which may move.  ANN_OK, or (the array
** stays as it was) ANN_NOMEM, ANN_NOT_HERE. */
static int reserve(const AnnWalk *walk, void *io_items, int64_t n, int64_t more,
                   int64_t *io_allocated, size_t size) {
  if (n + more <= *io_allocated) return ANN_OK;
  if (!walk->reader || walk->is_fixed) return ANN_NOT_HERE;
  return ann_grow_to(io_items, n + more, io_allocated, size);
}

static int reserve_steps(AnnWalk *walk, int64_t more) {
  return reserve(walk, &walk->steps, walk->n_steps, more, &walk->steps_allocated,
                 sizeof *walk->steps);
}

static int reserve_queue(AnnWalk *walk, int64_t more) {
  AnnFrontier *queue = &walk->frontier;
  return reserve(walk, &queue->items, queue->n, more, &queue->capacity, sizeof *queue->items);
}

/* What waits in the queue: a directory by its nearest child, or a step. */
#define OPENED(i) ((uint32_t)(i) << 1)
#define STEP(i) ((uint32_t)(i) << 1 | 1)

int ann_walk_add(AnnWalk *walk, const AnnStep *step) {
  int rc = reserve_steps(walk, 1);
  if (rc == ANN_OK) rc = reserve_queue(walk, 1);
  if (rc != ANN_OK) return rc;
  walk->steps[walk->n_steps] = *step;
  return ann_frontier_push(&walk->frontier, step->score, STEP(walk->n_steps++));
}

AnnStep *ann_walk_front(const AnnWalk *walk, float most) {
  float score;
  uint32_t at;
  if (!ann_frontier_top(&walk->frontier, &score, &at) || score > most) return NULL;
  return &walk->steps[at >> 1];
}

void ann_walk_pop(AnnWalk *walk) {
  uint32_t at;
  (void)ann_frontier_pop(&walk->frontier, &at);
}

void ann_walk_requeue(AnnWalk *walk) {
  float score;
  uint32_t at;
  if (!ann_frontier_top(&walk->frontier, &score, &at)) return;
  ann_frontier_replace(&walk->frontier, walk->steps[at >> 1].score, at);
}

int ann_walk_page(const AnnWalk *walk, const AnnStep *step, AnnPage **out_page) {
  return ann_pages_reach(walk->store->pages, walk->reader != NULL, step->number, step->parent,
                         step->tree, step->level, out_page);
}

int ann_walk_open(AnnWalk *walk, const AnnStep *step, AnnPage **out_page) {
  int rc = ann_walk_page(walk, step, out_page);
  if (rc != ANN_OK) return rc;
  if (walk->store->trace) {
    ann_trace_count(walk->store->trace, 1, (int64_t)ann_page_size(*out_page));
  }
  if (++walk->n_directories % OPENED_PER_TICK != 0 || !walk->reader) return ANN_OK;
  return ann_db_tick(walk->reader->db);
}

int ann_walk_no_child(const AnnWalk *walk, uint32_t number) {
  return walk->reader ? ann_db_corrupt(walk->reader->db, "page", number) : ANN_NOT_HERE;
}

/* The step to the root of a tree. */
static int step_to_root(const AnnWalk *walk, int tree, AnnStep *out_step) {
  AnnPage *root = NULL;
  uint32_t number = walk->store->state.roots[tree];
  int rc = ann_pages_reach(walk->store->pages, walk->reader != NULL, number, 0, tree,
                           ANN_ANY_LEVEL, &root);
  if (rc != ANN_OK) return rc;
  memset(out_step, 0, sizeof *out_step);
  out_step->number = number;
  out_step->tree = (uint8_t)tree;
  out_step->level = (uint8_t)root->level;
  out_step->record = ann_page_centre(root);
  return ANN_OK;
}

int ann_walk_start(AnnWalk *walk, const AnnProbe *probe) {
  int rc = ANN_OK, tree;
  walk->probe = probe;
  walk->bound = INFINITY;
  walk->n_leaves = 0;
  walk->n_steps = walk->frontier.n = walk->n_opened = walk->n_scores = 0;
  walk->n_measured = walk->n_directories = 0;
  for (tree = 0; tree < walk->store->options.trees && rc == ANN_OK; tree++) {
    AnnStep root;
    rc = step_to_root(walk, tree, &root);
    if (rc != ANN_OK) break;
    ann_walk_measure(walk, &root);
    root.score = root.seemed = -INFINITY; /* roots are opened first */
    rc = ann_walk_add(walk, &root);
  }
  return rc;
}

/* ---- every directory ---- */

static int visit_from(AnnWalk *walk, const AnnStep *step, AnnVisit *visit, void *arg) {
  AnnPage *page = NULL;
  AnnStep child;
  int rc = ann_walk_open(walk, step, &page), i;
  if (rc == ANN_OK) rc = visit(arg, walk, step, page);
  for (i = 0; rc == ANN_OK && step->level > 1 && i < page->n; i++) {
    rc = ann_walk_child(walk, page, step->number, i, &child);
    if (rc == ANN_OK) rc = visit_from(walk, &child, visit, arg);
  }
  return rc;
}

int ann_walk_visit(AnnStore *store, AnnVisit *visit, void *arg) {
  AnnWalk walk; /* of which no queue is needed */
  int rc = ANN_OK, tree;
  ann_walk_init(&walk, store);
  for (tree = 0; tree < store->options.trees && rc == ANN_OK; tree++) {
    AnnStep root;
    rc = step_to_root(&walk, tree, &root);
    if (rc == ANN_OK) rc = visit_from(&walk, &root, visit, arg);
    if (rc == ANN_NOT_HERE) rc = ANN_OK;
  }
  ann_walk_clear(&walk);
  return rc;
}

static int warm(void *arg, const AnnWalk *walk, const AnnStep *step, AnnPage *page) {
  int64_t *n_directories = arg;
  (void)step;
  ++*n_directories;
  if (!ann_page_spreads(page)) return ANN_NOMEM;
  return ann_budget_is_exceeded(&walk->store->budget) ? ANN_NOT_HERE : ANN_OK;
}

int ann_walk_warm(AnnStore *store, int64_t *out_directories) {
  *out_directories = 0;
  return ann_walk_visit(store, warm, out_directories);
}

/* ---- searches: the next leaf ---- */

static int reserve_opened(AnnWalk *walk, int64_t more) {
  return reserve(walk, &walk->opened, walk->n_opened, more, &walk->opened_allocated,
                 sizeof *walk->opened);
}

static int reserve_scores(AnnWalk *walk, int64_t more) {
  return reserve(walk, &walk->scores, walk->n_scores, more, &walk->scores_allocated,
                 sizeof *walk->scores);
}

int ann_walk_fit(AnnWalk *walk, int64_t n_directories, int64_t n_pages) {
  int rc = reserve_steps(walk, n_pages);
  if (rc == ANN_OK) rc = reserve_opened(walk, n_directories);
  if (rc == ANN_OK) rc = reserve_scores(walk, n_pages + n_directories * ANN_BLOCK);
  if (rc == ANN_OK) rc = reserve_queue(walk, n_pages + n_directories);
  return rc;
}

/* A score that has been taken; others are at most FLT_MAX. */
#define TAKEN INFINITY

/* What a search orders a page by. */
static float score_of(const AnnStore *store, const AnnProbe *probe, int level,
                      const uint8_t *record, float base) {
  int geometry = store->options.space.geometry;
  float spread = ann_get_f32(record + ANN_CENTRE_SPREAD);
  if (level == 0) {
    return ann_centre_score(geometry, record, base, probe->norm, store->rotation.length);
  }
  if (geometry == ANN_PRODUCT) return base - REACH_DOT * sqrtf(probe->norm * spread);
  return ann_walk_nearness(level, base, spread);
}

/* The scores of a block's children, of which there are n, from their estimated distances. */
static void score_block(const AnnWalk *walk, const AnnPage *page, int level,
                        const float *spreads, int first, int n, const float *estimates,
                        float *out_scores) {
  int i;
  if (walk->store->options.space.geometry == ANN_PRODUCT) {
    for (i = 0; i < n; i++) {
      out_scores[i] = score_of(walk->store, walk->probe, level,
                               ann_page_child_centre(page, first + i), estimates[i]);
    }
  } else {
    for (i = 0; i < n; i++) {
      out_scores[i] = ann_walk_nearness(level, estimates[i], spreads[first + i]);
    }
  }
  for (i = 0; i < n; i++) out_scores[i] = out_scores[i] < FLT_MAX ? out_scores[i] : FLT_MAX;
  for (; i < ANN_BLOCK; i++) out_scores[i] = TAKEN;
}

static int blocks_of(const AnnPage *page) { return (page->n + ANN_BLOCK - 1) / ANN_BLOCK; }

/* Find the nearest of the children that a directory has left, by which it is to stand in the
** queue; 0 when none is near enough. */
static int find_best(AnnWalk *walk, AnnOpened *opened, float *out_score) {
  const float *scores = walk->scores + opened->first;
  int best = (int)ann_kernels()->least(scores, (size_t)blocks_of(opened->page) * ANN_BLOCK);
  if (scores[best] == TAKEN || scores[best] > walk->bound) return 0;
  opened->best = best;
  *out_score = scores[best];
  ann_page_prefetch_child(opened->page, best);
  return 1;
}

/* Estimate the children of a directory and queue it by the nearest. */
static int open_directory(AnnWalk *walk, const AnnStep *step) {
  AnnPage *page = NULL;
  const float *spreads = NULL;
  float estimates[ANN_BLOCK], score;
  int64_t at;
  int rc = ann_walk_open(walk, step, &page), block;
  if (rc != ANN_OK || page->n == 0) return rc;
  spreads = walk->reader ? ann_page_spreads(page) : page->spreads;
  if (!spreads) return walk->reader ? ANN_NOMEM : ANN_NOT_HERE;
  rc = reserve_opened(walk, 1);
  if (rc == ANN_OK) rc = reserve_scores(walk, blocks_of(page) * ANN_BLOCK);
  if (rc == ANN_OK) rc = reserve_queue(walk, 1);
  if (rc != ANN_OK) return rc;
  walk->opened[walk->n_opened].page = page;
  walk->opened[walk->n_opened].number = step->number;
  walk->opened[walk->n_opened].first = walk->n_scores;
  walk->opened[walk->n_opened].seemed = step->seemed;
  walk->opened[walk->n_opened].seen = step->seen;
  for (block = 0; block < blocks_of(page); block++) {
    int first = block * ANN_BLOCK,
        n = page->n - first < ANN_BLOCK ? page->n - first : ANN_BLOCK;
    ann_page_estimate(page, block, &walk->probe->lookup, step->base, INFINITY, estimates);
    score_block(walk, page, step->level - 1, spreads, first, n, estimates,
                walk->scores + walk->n_scores);
    walk->n_scores += ANN_BLOCK;
  }
  at = walk->n_opened++;
  if (!find_best(walk, &walk->opened[at], &score)) return ANN_OK;
  return ann_frontier_push(&walk->frontier, score, OPENED(at));
}

/* The step, or an estimate of it, stood at the front of the queue by that score. */
static void note_front(const AnnWalk *walk, float score, AnnStep *step) {
  if (!(score > step->seemed)) return;
  step->seemed = score;
  step->seen = walk->n_leaves;
}

/* Measure the nearest child of the directory at the front of the queue, `at`, which then
** stands there by its next. */
static int take_child(AnnWalk *walk, int64_t at, AnnStep *out_step) {
  AnnOpened *opened = &walk->opened[at];
  const AnnPage *page = opened->page;
  uint32_t front;
  float score;
  int rc = ann_walk_child(walk, page, opened->number, opened->best, out_step);
  if (rc != ANN_OK) return rc;
  ann_pages_prefetch_slot(walk->store->pages, out_step->number);
  ann_walk_measure(walk, out_step);
  out_step->score =
      score_of(walk->store, walk->probe, out_step->level, out_step->record, out_step->base);
  out_step->seemed = opened->seemed;
  out_step->seen = opened->seen;
  note_front(walk, walk->scores[opened->first + opened->best], out_step);
  walk->scores[opened->first + opened->best] = TAKEN;
  if (find_best(walk, opened, &score)) {
    ann_frontier_replace(&walk->frontier, score, OPENED(at));
  } else {
    ann_frontier_pop(&walk->frontier, &front);
  }
  return ANN_OK;
}

int ann_walk_next(AnnWalk *walk, AnnStep *out_step, int *out_found) {
  uint32_t at, other;
  float next;
  int rc = ANN_OK;
  *out_found = 0;
  while (rc == ANN_OK && ann_frontier_top(&walk->frontier, &next, &at)) {
    AnnStep step;
    if (at & 1) {
      ann_frontier_pop(&walk->frontier, &at);
      step = walk->steps[at >> 1];
    } else {
      step.score = 0; /* when there is none */
      rc = take_child(walk, at >> 1, &step);
      if (rc != ANN_OK || step.score > walk->bound) continue;
      if (ann_frontier_top(&walk->frontier, &next, &other) && step.score >= next) {
        rc = ann_walk_add(walk, &step);
        continue;
      }
    }
    note_front(walk, step.score, &step);
    if (step.level > 0) {
      ann_trace_enter(walk->store->trace, ANN_TRACE_OPEN);
      rc = open_directory(walk, &step);
      ann_trace_enter(walk->store->trace, ANN_TRACE_ROUTE);
    } else {
      *out_step = step;
      *out_found = 1;
      walk->n_leaves++;
      break;
    }
  }
  return rc;
}
