/* sweep.c -- see sweep.h. */
#include "index/sweep.h"

#include <math.h>
#include <stdlib.h>

#include "core/kernel.h"
#include "index/pages.h"

#define POLL_LEAVES 64   /* read between two looks at an interrupt: less than a millisecond */

/* ---- the forest, laid out ---- */

static int add_node(AnnSweep *sweep, const AnnSweepNode *node) {
  if (sweep->n_nodes == sweep->n_allocated) {
    int64_t wanted = sweep->n_allocated ? sweep->n_allocated * 2 : 256;
    AnnSweepNode *larger = ann_realloc_array(sweep->nodes, (uint64_t)wanted, sizeof *larger);
    if (!larger) return ANN_NOMEM;
    sweep->nodes = larger;
    sweep->n_allocated = wanted;
  }
  sweep->nodes[sweep->n_nodes++] = *node;
  return ANN_OK;
}

static int add_roots(AnnSweep *sweep) {
  AnnStore *store = sweep->store;
  int rc = ANN_OK, tree;
  for (tree = 0; tree < store->options.trees && rc == ANN_OK; tree++) {
    AnnPage *root = NULL;
    AnnSweepNode node;
    memset(&node, 0, sizeof node);
    rc = ann_pages_get(store, store->state.roots[tree], tree, ANN_ANY_LEVEL, &root);
    if (rc != ANN_OK) break;
    node.number = store->state.roots[tree];
    node.tree = (uint8_t)tree;
    node.level = (uint8_t)root->level;
    node.record = ann_page_centre(root);
    rc = add_node(sweep, &node);
  }
  return rc;
}

/* Add the children of node i. */
static int add_children(AnnSweep *sweep, int64_t i) {
  AnnStore *store = sweep->store;
  AnnPage *page = NULL;
  AnnSweepNode node = sweep->nodes[i];
  int rc = ann_pages_get(store, node.number, node.tree, node.level, &page), j;
  if (rc != ANN_OK) return rc;
  sweep->nodes[i].first = sweep->n_nodes;
  sweep->nodes[i].n = page->n;
  for (j = 0; j < page->n && rc == ANN_OK; j++) {
    AnnSweepNode child;
    int64_t number = ann_page_id(page, j);
    /* No tree has more pages than were ever numbered, but for damage. */
    if (number <= 0 || number >= sweep->n_numbers || sweep->n_nodes >= sweep->n_numbers) {
      return ann_store_corrupt(store, "page", node.number);
    }
    memset(&child, 0, sizeof child);
    child.number = (uint32_t)number;
    child.tree = node.tree;
    child.level = (uint8_t)(node.level - 1);
    child.record = ann_page_child_centre(page, j);
    rc = add_node(sweep, &child);
  }
  return rc;
}

/* Have all leaves in memory, if they fit. */
static int read_leaves(AnnSweep *sweep) {
  int rc = ANN_OK;
  int64_t i;
  sweep->in_memory = 1;
  for (i = 0; i < sweep->n_nodes && rc == ANN_OK && sweep->in_memory; i++) {
    AnnSweepNode *node = &sweep->nodes[i];
    AnnPage *page = NULL;
    if (node->level > 0) continue;
    rc = ann_pages_get(sweep->store, node->number, node->tree, 0, &page);
    node->page = page;
    if (ann_pages_over_budget(sweep->store)) sweep->in_memory = 0;
    if (i % 64 == 0 && rc == ANN_OK) rc = ann_store_tick(sweep->store);
  }
  for (i = 0; i < sweep->n_nodes && !sweep->in_memory; i++) {
    sweep->nodes[i].page = NULL;
    if (sweep->nodes[i].level == 0) ann_pages_forget(sweep->store, sweep->nodes[i].number);
  }
  return rc;
}

int ann_sweep_init(AnnSweep *sweep, AnnStore *store) {
  int rc;
  int64_t i;
  memset(sweep, 0, sizeof *sweep);
  sweep->store = store;
  sweep->n_numbers = store->state.last_page + 1;
  rc = add_roots(sweep);
  for (i = 0; i < sweep->n_nodes && rc == ANN_OK; i++) {
    if (sweep->nodes[i].level > 0) rc = add_children(sweep, i);
  }
  if (rc == ANN_OK) rc = read_leaves(sweep);
  if (rc != ANN_OK) ann_sweep_clear(sweep);
  return rc;
}

void ann_sweep_clear(AnnSweep *sweep) {
  ann_free(sweep->nodes);
  memset(sweep, 0, sizeof *sweep);
}

/* ---- one query ---- */

int ann_swept_init(AnnSwept *swept, const AnnSweep *sweep) {
  uint64_t n_nodes = (uint64_t)sweep->n_nodes;
  int rc, j;
  memset(swept, 0, sizeof *swept);
  rc = ann_probe_init(&swept->probe, sweep->store);
  if (rc == ANN_OK) rc = ann_shortlist_reserve(&swept->shortlist, ANN_SWEEP_CANDIDATES);
  for (j = 0; j < ANN_EFFORT_RULES && rc == ANN_OK; j++) {
    rc = ann_topk_reserve(&swept->best[j], ann_effort_ks[j]);
  }
  swept->estimates = ann_alloc_array(ANN_SWEEP_CANDIDATES, sizeof *swept->estimates);
  swept->moments = ann_alloc_array((uint64_t)sweep->n_numbers, sizeof *swept->moments);
  swept->bases = ann_alloc_array(n_nodes, sizeof *swept->bases);
  swept->queue.items = ann_alloc_array(n_nodes, sizeof *swept->queue.items);
  swept->queue.capacity = sweep->n_nodes;
  if (!swept->estimates || !swept->moments || !swept->bases || !swept->queue.items) {
    rc = ANN_NOMEM;
  }
  if (rc != ANN_OK) ann_swept_clear(swept);
  return rc;
}

void ann_swept_clear(AnnSwept *swept) {
  int j;
  ann_probe_clear(&swept->probe);
  ann_shortlist_clear(&swept->shortlist);
  for (j = 0; j < ANN_EFFORT_RULES; j++) ann_topk_clear(&swept->best[j]);
  ann_free(swept->estimates);
  ann_free(swept->moments);
  ann_free(swept->bases);
  ann_free(swept->queue.items);
  memset(swept, 0, sizeof *swept);
}

/* Queue the nodes first..first+n-1 by what a search would order them by. */
static void queue_nodes(const AnnSweep *sweep, AnnSwept *swept, int64_t first, int64_t n) {
  AnnStore *store = sweep->store;
  int64_t i;
  for (i = first; i < first + n; i++) {
    const AnnSweepNode *node = &sweep->nodes[i];
    float base = ann_centre_base(store->options.metric, node->record, swept->probe.vector,
                                 swept->probe.norm, store->rotation.length);
    swept->bases[i] = base;
    (void)ann_frontier_push(
        &swept->queue, ann_walk_score(store, &swept->probe, node->level, node->record, base),
        (uint32_t)i);
  }
}

/* One estimate into the best of all and, for the rule, the best k of each k. */
static void keep_estimate(AnnSwept *swept, float value, int64_t id) {
  int j;
  if (id == swept->self) return;
  (void)ann_shortlist_add(&swept->shortlist, value, id);
  /* The best of the most hold those of the fewer. */
  if (value >= ann_topk_worst(&swept->best[ANN_EFFORT_RULES - 1])) return;
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    (void)ann_topk_push_unique(&swept->best[j], value, id);
  }
}

static void estimate_leaf(const AnnPage *page, float base, AnnSwept *swept) {
  float values[ANN_BLOCK];
  int first;
  for (first = 0; first < page->n; first += ANN_BLOCK) {
    uint32_t within = ann_page_estimate(page, first / ANN_BLOCK, &swept->probe.lookup, base,
                                        swept->shortlist.limit, values);
    for (; within; within &= within - 1) {
      int at = ann_lowest_bit(within);
      keep_estimate(swept, values[at], ann_page_id(page, first + at));
    }
  }
}

static int read_leaf(const AnnSweep *sweep, const AnnSweepNode *node, AnnSwept *swept,
                     float base, AnnMoment *now) {
  AnnPage *page = NULL;
  int rc = ANN_OK;
  if (!node->page) rc = ann_pages_get(sweep->store, node->number, node->tree, 0, &page);
  if (rc != ANN_OK) return rc;
  estimate_leaf(node->page ? node->page : page, base, swept);
  now->inspected += node->page ? node->page->n : page->n;
  swept->moments[node->number] = *now;
  if (!node->page) ann_pages_forget(sweep->store, node->number);
  return ANN_OK;
}

/* Forget what the query before left. */
static void start_query(const AnnSweep *sweep, AnnSwept *swept) {
  int64_t i;
  int j;
  ann_shortlist_restart(&swept->shortlist, swept->n_wanted);
  swept->queue.n = 0;
  for (j = 0; j < ANN_EFFORT_RULES; j++) swept->best[j].n = 0;
  for (i = 0; i < sweep->n_numbers; i++) swept->moments[i].inspected = INT64_MAX;
  ann_probe_set(&swept->probe, sweep->store, swept->vector);
  /* As searches do, open all roots first. */
  for (i = 0; i < sweep->store->options.trees; i++) {
    queue_nodes(sweep, swept, sweep->nodes[i].first, sweep->nodes[i].n);
  }
}

static void rank_estimates(AnnSwept *swept) {
  int64_t i;
  ann_shortlist_select(&swept->shortlist);
  swept->n_estimates = ann_shortlist_count(&swept->shortlist);
  for (i = 0; i < swept->n_estimates; i++) {
    swept->estimates[i].key = swept->shortlist.keys[i];
    swept->estimates[i].id = swept->shortlist.ids[i];
  }
  qsort(swept->estimates, (size_t)swept->n_estimates, sizeof *swept->estimates,
        ann_ranked_compare);
}

static int go_on(AnnSweep *sweep, const AnnPoll *poll) {
  int rc = ann_poll(poll);
  if (rc != ANN_OK) atomic_store(&sweep->stopped, 1);
  return rc == ANN_OK && atomic_load(&sweep->stopped) ? ANN_INTERRUPT : rc;
}

void ann_sweep_run(AnnSweep *sweep, AnnSwept *swept, const AnnPoll *poll) {
  AnnMoment now;
  uint32_t at = 0;
  float score = 0;
  int64_t n_leaves = 0;
  int j, rc = ANN_OK;
  memset(&now, 0, sizeof now);
  start_query(sweep, swept);
  while (rc == ANN_OK && ann_frontier_top(&swept->queue, &score, &at)) {
    const AnnSweepNode *node = &sweep->nodes[at];
    (void)ann_frontier_pop(&swept->queue, &at);
    if (node->level > 0) {
      queue_nodes(sweep, swept, node->first, node->n);
      continue;
    }
    for (j = 0; j < ANN_EFFORT_RULES; j++) {
      double ratio = ann_effort_ratio(score, now.inspected, ann_topk_worst(&swept->best[j]));
      if (ratio > now.reach[j]) now.reach[j] = ratio;
    }
    rc = read_leaf(sweep, node, swept, swept->bases[at], &now);
    if (rc == ANN_OK && ++n_leaves % POLL_LEAVES == 0) rc = go_on(sweep, poll);
  }
  rank_estimates(swept);
  swept->rc = rc;
}
