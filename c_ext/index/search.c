/* search.c -- see search.h. */
#include "index/search.h"

#include "core/format.h"
#include "core/kernel.h"
#include "core/shortlist.h"
#include "core/sort.h"
#include "index/effort.h"
#include "index/forest.h"
#include "index/pages.h"
#include "index/rows.h"
#include "index/waiting.h"

/* Microseconds, to choose between two ways of answering: docs/ARCHITECTURE.md, costs. */
#define COST_ROW 2.5           /* reading one vector by id and measuring it */
#define COST_ENTRY 0.03        /* estimating one entry of a leaf */

#define TICK_COMPONENTS \
  ((int64_t)1 << 20) /* of rows in memory between two looks at an interrupt */
#define SURVIVORS_PER_TICK 4096 /* rows that may have to be read */
#define ROWS_AHEAD 4  /* rows on their way while one is measured */
#define SLOTS_AHEAD 8 /* and where to find those after them */

struct AnnSearcher {
  AnnStore *store;             /* borrowed */
  int ready;                   /* the rest is made; at the first search */
  AnnProbe probe;              /* owned */
  AnnWalk walk;                /* owned */
  AnnShortlist survivors;      /* owned: the best estimates, copies counted */
  AnnTopk best; /* owned: the best k estimates of different rows, for the rule */
  void *vector;                /* owned: one row */
};

/* One search under way. */
typedef struct Search {
  AnnStore *store;
  AnnSearcher *memory;
  const AnnQuery *query;
  AnnEffort effort;
  AnnOrigin origin;
  AnnTopk *top;
  int64_t inspected;
} Search;

/* Have the row that is ranked a little later on its way. */
static void prefetch_rows(const AnnStore *store, const int64_t *ids, int64_t n, int64_t i) {
  if (i + SLOTS_AHEAD < n) ann_rows_prefetch_slot(store->rows, ids[i + SLOTS_AHEAD]);
  if (i + ROWS_AHEAD < n) ann_rows_prefetch(store->rows, ids[i + ROWS_AHEAD]);
}

static int wanted(const AnnQuery *query, int64_t id) {
  return (!query->only || ann_idset_has(query->only, id)) &&
         (!query->exclude || !ann_idset_has(query->exclude, id));
}

/* Score one row, if the table has it; of the forest's rows it has all. */
static int score_row(Search *search, int64_t id, int must_be_there) {
  const AnnRow *row = NULL;
  int rc = ann_rows_get(search->store->rows, id, &row);
  if (rc == ANN_OK && !row && must_be_there) rc = ann_source_lacks(search->store->source, id);
  if (rc != ANN_OK || !row) return rc;
  ann_trace_count(search->store->trace, 1, ann_store_vector_bytes(search->store));
  return ann_topk_push(search->top,
                       ann_origin_distance_of(&search->origin, row->vector, row->norm), id);
}

/* Score rows that are in memory. */
static int score_kept(Search *search, const AnnRange *run) {
  AnnStore *store = search->store;
  int64_t every = TICK_COMPONENTS / store->options.space.dimensions, i;
  int rc = ANN_OK;
  for (i = 0; i < run->n && rc == ANN_OK; i++) {
    const AnnRow *row = run->rows[i];
    double far;
    if (i % every == every - 1) rc = ann_db_tick(store->db);
    if (rc != ANN_OK || !wanted(search->query, row->id)) continue;
    far = ann_origin_distance_of(&search->origin, row->vector, row->norm);
    if (far <= ann_topk_worst(search->top)) rc = ann_topk_push(search->top, far, row->id);
  }
  ann_rows_hit(store->rows, run->n);
  ann_trace_count(store->trace, run->n, run->n * ann_store_vector_bytes(store));
  return rc;
}

/* Score the rows first..last of the table; the run that is being made is told of each. */
static int score_read(Search *search, int64_t first, int64_t last) {
  AnnStore *store = search->store;
  void *vector = search->memory->vector;
  int64_t id = 0, n = 0;
  int found = 1, rc = ann_source_scan(store->source, first, last);
  while (rc == ANN_OK) {
    rc = ann_source_next(store->source, &id, vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_rows_range_add(store->rows, id, vector);
    if (wanted(search->query, id)) {
      rc = ann_topk_push(search->top, ann_origin_distance(&search->origin, vector), id);
    }
    if (rc == ANN_OK && ++n % 256 == 0) rc = ann_db_tick(store->db);
  }
  ann_trace_count(store->trace, n, n * ann_store_vector_bytes(store));
  ann_source_end(store->source);
  return rc;
}

/* The same, by what of them is in memory. */
static int score_run(Search *search, int64_t first, int64_t last) {
  AnnStore *store = search->store;
  const AnnRange *run = ann_rows_range(store->rows, first, last);
  int rc;
  if (run) {
    rc = score_kept(search, run);
    if (rc != ANN_OK || run->complete || run->rows[run->n - 1]->id == last) return rc;
    return score_read(search, run->rows[run->n - 1]->id + 1, last);
  }
  ann_rows_range_begin(store->rows, first, last);
  rc = score_read(search, first, last);
  if (rc == ANN_OK) ann_rows_range_end(store->rows);
  return rc;
}

static int score_waiting(Search *search) {
  int64_t from = INT64_MIN, first, last;
  int found = 1, rc = ANN_OK;
  ann_trace_enter(search->store->trace, ANN_TRACE_WAITING);
  while (rc == ANN_OK) {
    rc = ann_waiting_range(search->store->waiting, from, &first, &last, &found);
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
  AnnPoll poll = {ann_db_tick, search->store->db};
  int rc = ann_idset_sorted(search->query->only, &poll, &ids);
  for (i = 0; rc == ANN_OK && i < search->query->only->n; i++) {
    if (wanted(search->query, ids[i])) rc = score_row(search, ids[i], 0);
    if (rc == ANN_OK && i % 256 == 255) rc = ann_db_tick(search->store->db);
  }
  ann_free(ids);
  return rc;
}

/* One estimate among the best so far. */
static int keep_estimate(Search *search, float estimate, int64_t id) {
  int rc = ann_shortlist_add(&search->memory->survivors, estimate, id);
  return rc == ANN_OK ? ann_topk_push_unique(&search->memory->best, estimate, id) : rc;
}

/* The entries of a block that are set in `within`, where all may be returned. */
static int take_all(Search *search, const AnnPage *page, int first, uint32_t within,
                    const float *estimates) {
  int rc = ANN_OK;
  for (; within && rc == ANN_OK; within &= within - 1) {
    int at = ann_lowest_bit(within);
    rc = keep_estimate(search, estimates[at], ann_page_id(page, first + at));
  }
  return rc;
}

/* The same where some may not, which then do not count as looked at. */
static int take_wanted(Search *search, const AnnPage *page, int first, uint32_t within,
                       const float *estimates) {
  const AnnQuery *query = search->query;
  int rc = ANN_OK, at, n = page->n - first < ANN_BLOCK ? page->n - first : ANN_BLOCK;
  for (at = 0; at < n && rc == ANN_OK; at++) {
    int64_t id = ann_page_id(page, first + at);
    if (query->search_k > 0 && search->inspected >= query->search_k) break;
    if (!wanted(query, id)) continue;
    search->inspected++;
    if (within >> at & 1) rc = keep_estimate(search, estimates[at], id);
  }
  return rc;
}

/* Estimate one leaf's entries. */
static int scan_leaf(Search *search, const AnnStep *leaf) {
  AnnPage *page = NULL;
  float estimates[ANN_BLOCK];
  const AnnQuery *query = search->query;
  int filtered = query->only != NULL || query->exclude != NULL;
  int rc = ann_pages_reach(search->store->pages, search->store != NULL, leaf->number,
                           leaf->parent, leaf->tree, 0, &page),
      first, n;
  int64_t before = search->inspected;
  for (first = 0; rc == ANN_OK && first < page->n; first += ANN_BLOCK) {
    uint32_t within = ann_page_estimate(page, first / ANN_BLOCK, &search->memory->probe.lookup,
                                        leaf->base, search->memory->survivors.limit, estimates);
    if (filtered) {
      rc = take_wanted(search, page, first, within, estimates);
      continue;
    }
    n = page->n - first < ANN_BLOCK ? page->n - first : ANN_BLOCK;
    if (query->search_k > 0 && n > query->search_k - search->inspected) {
      n = (int)(query->search_k - search->inspected);
      within &= (uint32_t)(((uint64_t)1 << n) - 1);
    }
    search->inspected += n;
    rc = take_all(search, page, first, within, estimates);
  }
  if (rc == ANN_OK && search->store->trace) {
    ann_trace_count(search->store->trace, search->inspected - before,
                    (int64_t)ann_page_size(page));
  }
  if (ann_budget_is_exceeded(&search->store->budget))
    ann_pages_trim_leaves(search->store->pages);
  return rc;
}

/* Rank the survivors exactly, each once, in order of id. */
static int score_survivors(Search *search) {
  const int64_t *ids = NULL;
  int64_t n = 0, i;
  int rc = ann_shortlist_finish(&search->memory->survivors, &ids, &n);
  for (i = 0; i < n && rc == ANN_OK; i++) {
    prefetch_rows(search->store, ids, n, i);
    rc = score_row(search, ids[i], 1);
    if (rc == ANN_OK && i % SURVIVORS_PER_TICK == SURVIVORS_PER_TICK - 1) {
      rc = ann_db_tick(search->store->db);
    }
  }
  return rc;
}

/* What the rule compares the next leaf with: the k-th best estimate of different rows; beyond the
** k of the calibration, where that would be dear to keep, the last of all that are kept. */
static double kth_best(const Search *search) {
  return search->query->k > ANN_EFFORT_LARGEST_K ? (double)search->memory->survivors.limit
                                                 : ann_topk_worst(&search->memory->best);
}

/* Is the rule in force, and are there rows enough for it? */
static int rule_holds(const Search *search, int64_t least) {
  return ann_shortlist_count(&search->memory->survivors) >= least && search->effort.reach > 0 &&
         search->inspected >= search->effort.least && search->query->search_k == 0;
}

/* May the walk end before `leaf`? */
static int is_enough(const Search *search, const AnnStep *leaf, int64_t least) {
  if (search->query->search_k > 0 && search->inspected >= search->query->search_k) return 1;
  if (ann_shortlist_count(&search->memory->survivors) < least) return 0;
  if (search->inspected < search->effort.least) return 0;
  if (search->inspected >= search->effort.inspect) return 1;
  return rule_holds(search, least) && ann_effort_ratio(leaf->score, search->inspected,
                                                       kth_best(search)) > search->effort.reach;
}

static int walk_leaves(Search *search) {
  AnnStore *store = search->store;
  AnnWalk *walk = &search->memory->walk;
  AnnStep leaf, next, after;
  int found = 1, found_after = 0, leaves = 0, rc;
  /* Every row comes as often as there are trees. */
  int64_t least = search->query->k * store->options.trees;
  ann_trace_enter(store->trace, ANN_TRACE_ROUTE);
  rc = ann_walk_start(walk, &search->memory->probe);
  if (least > search->effort.keep) least = search->effort.keep;
  /* While a leaf is scanned, the next one is on its way from memory, and where to find the
  ** one after that. */
  if (rc == ANN_OK) rc = ann_walk_next(walk, &next, &found);
  if (rc == ANN_OK && found) rc = ann_walk_next(walk, &after, &found_after);
  while (rc == ANN_OK && found && !is_enough(search, &next, least)) {
    leaf = next;
    next = after;
    found = found_after;
    if (found) {
      ann_pages_prefetch(store->pages, next.number);
      rc = ann_walk_next(walk, &after, &found_after);
      if (rc != ANN_OK) break;
    }
    ann_trace_enter(store->trace, ANN_TRACE_SCAN);
    rc = scan_leaf(search, &leaf);
    if (rule_holds(search, least)) {
      /* What the rule would stop at now, it would stop at later all the more. */
      walk->bound = ann_effort_bound(&search->effort, search->inspected, kth_best(search));
    }
    if (rc == ANN_OK && ++leaves % 16 == 0) rc = ann_db_tick(store->db);
    ann_trace_enter(store->trace, ANN_TRACE_ROUTE);
  }
  ann_trace_count(store->trace, walk->n_measured,
                  walk->n_measured * (ANN_CENTRE_SIZE + store->rotation.length));
  return rc;
}

static int walk_forest(Search *search) {
  AnnSearcher *memory = search->memory;
  int64_t k = search->query->k;
  int rc;
  ann_shortlist_restart(&memory->survivors, search->effort.keep);
  ann_topk_restart(&memory->best, k < ANN_EFFORT_RULE_K ? k : ANN_EFFORT_RULE_K);
  ann_trace_enter(search->store->trace, ANN_TRACE_ROTATE);
  ann_probe_set(&memory->probe, search->store, search->query->vector);
  ann_trace_count(search->store->trace, 1, ann_store_vector_bytes(search->store));
  rc = walk_leaves(search);
  ann_trace_enter(search->store->trace, ANN_TRACE_RANK);
  if (rc == ANN_OK) rc = score_survivors(search);
  search->store->n_inspected = search->inspected;
  return rc;
}

/* Every row, or every listed row. */
static int score_all(Search *search) {
  search->store->n_inspected = search->query->only ? search->query->only->n
                                                   : search->store->state.rows;
  ann_trace_enter(search->store->trace, ANN_TRACE_EXACT);
  if (search->query->only) return score_only(search);
  return score_run(search, INT64_MIN, INT64_MAX);
}

/* Would looking at the rows themselves cost less than walking the forest? */
static int exact_is_cheaper(const Search *search) {
  const AnnEffort *effort = &search->effort;
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

/* What the walk has to do; *out_exact when looking at every row is as good. */
static int plan_effort(Search *search, int *out_exact) {
  const AnnQuery *query = search->query;
  AnnEffort *effort = &search->effort;
  int trees = search->store->options.trees;
  /* search_k alone says how far to walk; what it finds there is to be kept. */
  double recall = query->search_k > 0 && !query->recall_given ? 0.9999 : query->recall;
  int rc =
      ann_effort_for(search->store->efforts, query->k, recall < 1 ? recall : 0.9999, effort);
  if (effort->reach > 0 && effort->inspect < INT64_MAX / ANN_EFFORT_PATIENCE) {
    effort->inspect *= ANN_EFFORT_PATIENCE;
  }
  if (query->search_k > 0) effort->least = 0;
  if (query->search_k == 0) {
    *out_exact = exact_is_cheaper(search);
    return rc;
  }
  if (!query->recall_given || query->search_k < effort->inspect) {
    effort->inspect = query->search_k;
  }
  if (effort->keep > query->search_k) effort->keep = query->search_k;
  if (effort->keep < trees * query->k) effort->keep = trees * query->k;
  return rc;
}

int ann_searcher_new(AnnStore *store, AnnSearcher **out_searcher) {
  AnnSearcher *searcher = ann_alloc_zero(1, sizeof *searcher);
  if (!searcher) return ANN_NOMEM;
  searcher->store = store;
  *out_searcher = searcher;
  return ANN_OK;
}

static void clear(AnnSearcher *searcher) {
  ann_probe_clear(&searcher->probe);
  ann_walk_clear(&searcher->walk);
  ann_shortlist_clear(&searcher->survivors);
  ann_topk_clear(&searcher->best);
  ann_free(searcher->vector);
  searcher->vector = NULL;
  searcher->ready = 0;
}

void ann_searcher_free(AnnSearcher *searcher) {
  if (!searcher) return;
  clear(searcher);
  ann_free(searcher);
}

static int make_ready(AnnSearcher *searcher) {
  AnnStore *store = searcher->store;
  if (searcher->ready) return ANN_OK;
  ann_topk_init(&searcher->best, 0);
  ann_walk_init(&searcher->walk, store);
  searcher->vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
  searcher->ready = searcher->vector && ann_probe_init(&searcher->probe, store) == ANN_OK;
  if (searcher->ready) return ANN_OK;
  clear(searcher);
  return ANN_NOMEM;
}

int ann_search(AnnSearcher *searcher, const AnnQuery *asked, AnnTopk *out_top) {
  AnnStore *store = searcher->store;
  Search search;
  AnnQuery query = *asked;
  AnnPoll poll = {ann_db_tick, store->db};
  int rc = make_ready(searcher), exact;
  if (query.k > ANN_MOST_ROWS) query.k = ANN_MOST_ROWS;
  ann_topk_init(out_top, query.k);
  if (rc != ANN_OK) return rc;
  memset(&search, 0, sizeof search);
  search.store = store;
  search.memory = searcher;
  search.query = &query;
  search.top = out_top;
  store->n_searches++;
  ann_origin_init(&search.origin, &store->options.space, query.vector);
  /* From a flat query all rows are equally far: the answer is a matter of ids. */
  exact = store->state.roots[0] == 0 || (query.recall >= 1 && query.search_k == 0) ||
          ann_space_is_flat(&store->options.space, query.vector);
  if (!exact) rc = plan_effort(&search, &exact);
  if (rc == ANN_OK && exact) {
    rc = score_all(&search);
  } else if (rc == ANN_OK) {
    rc = walk_forest(&search);
    if (rc == ANN_OK) rc = score_waiting(&search);
  }
  ann_trace_enter(store->trace, ANN_TRACE_RANK);
  if (rc == ANN_OK) {
    rc =
        ann_sort(out_top->items, out_top->n, sizeof *out_top->items, ann_ranked_compare, &poll);
  }
  return rc;
}
