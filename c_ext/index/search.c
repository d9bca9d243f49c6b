/* search.c -- see search.h. */
#include "index/search.h"

#include <stdlib.h>

#include "core/kernel.h"
#include "core/metric.h"
#include "index/effort.h"
#include "index/forest.h"
#include "index/pages.h"
#include "index/waiting.h"

/* Microseconds, to choose between two ways of answering: docs/ARCHITECTURE.md, costs. */
#define COST_ROW 2.5           /* reading one vector by id and measuring it */
#define COST_ENTRY 0.03        /* estimating one entry of a leaf */

/* One search under way. */
typedef struct Search {
  AnnStore *store;
  const AnnQuery *query;
  AnnOrigin origin;
  AnnTopk *top;
  float *vector;               /* owned: one row */
} Search;

static int wanted(const AnnQuery *query, int64_t id) {
  return (!query->only || ann_idset_has(query->only, id)) &&
         (!query->exclude || !ann_idset_has(query->exclude, id));
}

/* Score one row, if the table has it. */
static int score_row(Search *search, int64_t id) {
  int found = 0, rc = ann_store_vector(search->store, id, search->vector, &found);
  if (rc != ANN_OK || !found) return rc;
  return ann_topk_push(search->top, ann_origin_distance(&search->origin, search->vector), id);
}

/* Score the rows first..last. */
static int score_run(Search *search, int64_t first, int64_t last) {
  int64_t id = 0, n = 0;
  int found = 1, rc = ann_store_scan_open(search->store, first, last);
  while (rc == ANN_OK) {
    rc = ann_store_scan_next(search->store, &id, search->vector, &found);
    if (rc != ANN_OK || !found) break;
    if (wanted(search->query, id)) {
      rc = ann_topk_push(search->top, ann_origin_distance(&search->origin, search->vector), id);
    }
    if (rc == ANN_OK && ++n % 256 == 0) rc = ann_store_tick(search->store);
  }
  ann_store_scan_close(search->store);
  return rc;
}

static int score_waiting(Search *search) {
  int64_t from = INT64_MIN, first, last;
  int found = 1, rc = ANN_OK;
  while (rc == ANN_OK && search->store->state.placed < search->store->state.rows) {
    rc = ann_waiting_run(search->store, from, &first, &last, &found);
    if (rc != ANN_OK || !found) break;
    rc = score_run(search, first, last);
    if (last == INT64_MAX) break;
    from = last + 1;
  }
  return rc;
}

/* Score the listed rows, in order of id, which is how they lie on disk. */
static int score_only(Search *search) {
  int64_t *ids = NULL;                       /* owned */
  int64_t i;
  int rc = ann_idset_sorted(search->query->only, &ids);
  for (i = 0; rc == ANN_OK && i < search->query->only->n; i++) {
    if (wanted(search->query, ids[i])) rc = score_row(search, ids[i]);
    if (rc == ANN_OK && i % 256 == 255) rc = ann_store_tick(search->store);
  }
  ann_free(ids);
  return rc;
}

/* What a walk gathers. */
typedef struct Gathered {
  AnnTopk survivors;           /* owned: the best estimates, copies counted */
  AnnTopk best; /* owned: the best k estimates of different rows, for the rule */
  int64_t inspected;
} Gathered;

#define LARGEST_RULE_K 100 /* the rule looks at no more; calibrate.c measures no more */

/* Estimate one leaf's entries. */
static int scan_leaf(Search *search, const AnnProbe *probe, const AnnStep *leaf, Gathered *g) {
  AnnPage *page = NULL;
  float estimates[ANN_BLOCK];
  const AnnQuery *query = search->query;
  int filtered = query->only != NULL || query->exclude != NULL;
  int rc = ann_pages_get(search->store, leaf->number, leaf->tree, 0, &page), i;
  for (i = 0; rc == ANN_OK && i < page->n; i++) {
    float estimate;
    int64_t id;
    if (query->search_k > 0 && g->inspected >= query->search_k) break;
    if (i % ANN_BLOCK == 0) {
      ann_page_estimate(page, i / ANN_BLOCK, &probe->lookup, leaf->base, estimates);
    }
    estimate = estimates[i % ANN_BLOCK];
    if (!filtered) {
      g->inspected++;
      if (estimate > ann_topk_worst(&g->survivors)) continue;
    }
    id = ann_page_id(page, i);
    if (filtered) {
      if (!wanted(query, id)) continue;
      g->inspected++;
    }
    rc = ann_topk_push(&g->survivors, estimate, id);
    if (rc == ANN_OK) rc = ann_topk_push_unique(&g->best, estimate, id);
  }
  if (ann_pages_over_budget(search->store)) ann_pages_forget(search->store, leaf->number);
  return rc;
}

static int by_id(const void *a, const void *b) {
  const AnnRanked *x = a, *y = b;
  return x->id < y->id ? -1 : x->id > y->id;
}

/* Rank the survivors exactly, each once, in order of id. */
static int score_survivors(Search *search, AnnTopk *survivors) {
  int64_t i;
  int rc = ANN_OK;
  if (survivors->n > 1) {
    qsort(survivors->items, (size_t)survivors->n, sizeof *survivors->items, by_id);
  }
  for (i = 0; i < survivors->n && rc == ANN_OK; i++) {
    int64_t id = survivors->items[i].id;
    if (i == 0 || id != survivors->items[i - 1].id) rc = score_row(search, id);
  }
  return rc;
}

/* May the walk end before `leaf`? */
static int is_enough(const Search *search, const AnnEffort *effort, const Gathered *g,
                     const AnnStep *leaf, int64_t least) {
  if (search->query->search_k > 0 && g->inspected >= search->query->search_k) return 1;
  if (g->survivors.n < least) return 0;
  if (g->inspected >= effort->inspect) return 1;
  return effort->reach > 0 && search->query->search_k == 0 &&
         ann_effort_ratio(leaf->score, g->inspected, ann_topk_worst(&g->best)) > effort->reach;
}

static int walk_leaves(Search *search, const AnnEffort *effort, const AnnProbe *probe,
                       Gathered *g) {
  AnnStore *store = search->store;
  AnnWalk walk;
  AnnStep leaf;
  int found = 1, leaves = 0,
      rc = ann_walk_init(&walk, store, probe, 0, store->options.trees - 1, 0);
  /* Every row comes as often as there are trees. */
  int64_t least = search->query->k * store->options.trees;
  if (least > effort->keep) least = effort->keep;
  while (rc == ANN_OK) {
    rc = ann_walk_next(&walk, &leaf, &found);
    if (rc != ANN_OK || !found || is_enough(search, effort, g, &leaf, least)) break;
    rc = scan_leaf(search, probe, &leaf, g);
    if (rc == ANN_OK && ++leaves % 16 == 0) rc = ann_store_tick(store);
  }
  ann_walk_clear(&walk);
  return rc;
}

static int walk_forest(Search *search, const AnnEffort *effort) {
  AnnStore *store = search->store;
  AnnProbe probe;
  Gathered g;
  int64_t k = search->query->k;
  int rc = ann_probe_init(&probe, store);
  if (rc != ANN_OK) return rc;
  memset(&g, 0, sizeof g);
  ann_topk_init(&g.survivors, effort->keep);
  ann_topk_init(&g.best, k < LARGEST_RULE_K ? k : LARGEST_RULE_K);
  ann_probe_set(&probe, store, search->query->vector);
  rc = walk_leaves(search, effort, &probe, &g);
  if (rc == ANN_OK) rc = score_survivors(search, &g.survivors);
  store->n_inspected = g.inspected;
  ann_topk_clear(&g.survivors);
  ann_topk_clear(&g.best);
  ann_probe_clear(&probe);
  return rc;
}

/* Every row, or every listed row. */
static int score_all(Search *search) {
  search->store->n_inspected = search->query->only ? search->query->only->n
                                                   : search->store->state.rows;
  if (search->query->only) return score_only(search);
  return score_run(search, INT64_MIN, INT64_MAX);
}

/* Would looking at the rows themselves cost less than walking the forest? */
static int exact_is_cheaper(const Search *search, const AnnEffort *effort) {
  const AnnState *state = &search->store->state;
  double all = (double)state->placed * search->store->options.trees;
  double rows = (double)(search->query->only ? search->query->only->n : state->rows);
  /* A scan in order of id costs less than half of a look-up by id. */
  double exact = rows * COST_ROW * (search->query->only ? 1 : 0.4);
  double share = search->query->only ? rows / (double)state->rows : 1;
  double usual = (double)effort->inspect / (effort->reach > 0 ? ANN_EFFORT_PATIENCE : 1);
  double entries = share > 0 ? usual / share : all;
  if (entries > all) entries = all;
  return exact <= entries * COST_ENTRY + (double)effort->keep * COST_ROW;
}

int ann_search(AnnStore *store, const AnnQuery *asked, AnnTopk *out_top) {
  Search search;
  AnnQuery bounded = *asked;
  const AnnQuery *query = &bounded;
  AnnEffort effort = {0, 0, 0};
  int rc = ANN_OK, exact;
  if (bounded.k > store->state.rows) bounded.k = store->state.rows > 0 ? store->state.rows : 1;
  ann_topk_init(out_top, query->k);
  memset(&search, 0, sizeof search);
  search.store = store;
  search.query = query;
  search.top = out_top;
  store->n_searches++;
  ann_origin_init(&search.origin, store->options.metric, query->vector,
                  store->options.dimensions);
  search.vector = ann_alloc_array((uint64_t)store->options.dimensions, sizeof(float));
  if (!search.vector) return ANN_NOMEM;
  /* Every cosine with a zero vector is 0: the answer is a matter of ids. */
  exact = store->state.roots[0] == 0 || (query->recall >= 1 && query->search_k == 0) ||
          (store->options.metric == ANN_COSINE &&
           ann_metric_is_zero(query->vector, store->options.dimensions));
  if (!exact) {
    rc = ann_effort_for(store, query->k, query->recall < 1 ? query->recall : 0.9999, &effort);
    if (effort.reach > 0) effort.inspect *= ANN_EFFORT_PATIENCE;
    if (query->search_k > 0) {
      if (!query->recall_given || query->search_k < effort.inspect)
        effort.inspect = query->search_k;
      if (effort.keep > query->search_k) effort.keep = query->search_k;
      if (effort.keep < store->options.trees * query->k) {
        effort.keep = store->options.trees * query->k;
      }
    } else {
      exact = exact_is_cheaper(&search, &effort);
    }
  }
  if (rc == ANN_OK && exact) {
    rc = score_all(&search);
  } else if (rc == ANN_OK) {
    rc = walk_forest(&search, &effort);
    if (rc == ANN_OK) rc = score_waiting(&search);
  }
  ann_topk_sort(out_top);
  ann_free(search.vector);
  return rc;
}
