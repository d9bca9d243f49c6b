/* seek.c -- see seek.h. */
#include "index/seek.h"

#include <math.h>

#include "core/format.h"
#include "core/grow.h"
#include "core/kernel.h"

#define LEAVES_PER_TICK 16
#define PROBED 4 /* the part of a usual walk that says where the wanted rows are: way.h */

int ann_seek_init(AnnSeek *seek, AnnStore *store) {
  memset(seek, 0, sizeof *seek);
  seek->store = store;
  ann_topk_init(&seek->best, 0);
  ann_walk_init(&seek->walk, store);
  return ann_probe_init(&seek->probe, store);
}

void ann_seek_clear(AnnSeek *seek) {
  ann_probe_clear(&seek->probe);
  ann_walk_clear(&seek->walk);
  ann_shortlist_clear(&seek->survivors);
  ann_topk_clear(&seek->best);
  ann_free(seek->read);
  memset(seek, 0, sizeof *seek);
}

static int64_t rule_k(int64_t k) { return k < ANN_EFFORT_RULE_K ? k : ANN_EFFORT_RULE_K; }

int ann_seek_fit(AnnSeek *seek, int64_t k, const AnnWay *way) {
  const AnnState *state = &seek->store->state;
  int rc = ann_shortlist_reserve(&seek->survivors, way->effort.keep);
  ann_topk_clear(&seek->best);
  if (rc == ANN_OK) rc = ann_topk_reserve(&seek->best, rule_k(k));
  if (rc != ANN_OK) return rc;
  return ann_walk_fit(&seek->walk, state->directory_pages,
                      state->directory_pages + state->leaf_pages);
}

/* Has the list of survivors its memory, or may it grow? */
static int has_room(const AnnSeek *seek) {
  return seek->walk.reader || seek->survivors.allocated >= 2 * seek->survivors.wanted;
}

/* ---- estimates ---- */

/* One estimate among the best so far. */
static int keep_estimate(AnnSeek *seek, float estimate, int64_t id) {
  int rc = ann_shortlist_add(&seek->survivors, estimate, id);
  return rc == ANN_OK ? ann_topk_push_unique(&seek->best, estimate, id) : rc;
}

/* The entries of a block that are set in `within`. */
static int take(AnnSeek *seek, const AnnPage *page, int first, uint32_t within,
                const float *estimates) {
  int rc = ANN_OK;
  int geometry = seek->store->options.space.geometry;
  for (; within && rc == ANN_OK; within &= within - 1) {
    int at = ann_lowest_bit(within);
    rc = keep_estimate(seek, ann_code_distance(geometry, estimates[at]),
                       ann_page_id(page, first + at));
  }
  return rc;
}

/* Which entries of a block are of rows that may be returned; others do not count as inspected. */
static uint32_t wanted_of(AnnSeek *seek, const AnnPage *page, int first, int n) {
  const AnnQuery *query = seek->query;
  int64_t most = query->search_k > 0 ? query->search_k - seek->inspected : n;
  uint32_t wanted = 0;
  int at;
  for (at = 0; at < n && most > 0; at++) {
    uint32_t is_wanted = (uint32_t)ann_query_wants(query, ann_page_id(page, first + at));
    wanted |= is_wanted << at;
    most -= is_wanted;
    seek->inspected += is_wanted;
  }
  return wanted;
}

/* The same where all may be but the row itself. */
static uint32_t others_of(AnnSeek *seek, const AnnPage *page, int first, int n) {
  uint32_t itself = ann_page_with(page, first / ANN_BLOCK, seek->query->self), left;
  seek->inspected += n;
  for (left = itself; left; left &= left - 1) seek->inspected--;
  return (uint32_t)(((uint64_t)1 << n) - 1) & ~itself;
}

/* The same where all may be. */
static uint32_t first_of(AnnSeek *seek, int n) {
  const AnnQuery *query = seek->query;
  if (query->search_k > 0 && n > query->search_k - seek->inspected) {
    n = (int)(query->search_k - seek->inspected);
  }
  seek->inspected += n;
  return (uint32_t)(((uint64_t)1 << n) - 1);
}

/* Estimate one leaf's entries. */
static int scan_leaf(AnnSeek *seek, const AnnStep *leaf) {
  AnnPage *page = NULL;
  AnnStore *store = seek->store;
  float estimates[ANN_BLOCK];
  int filtered = ann_query_is_filtered(seek->query);
  int others = seek->query->search_k == 0 && ann_query_is_of_others(seek->query);
  int rc = ann_walk_page(&seek->walk, leaf, &page);
  int first;
  int64_t before = seek->inspected;
  for (first = 0; rc == ANN_OK && first < page->n; first += ANN_BLOCK) {
    int n = page->n - first < ANN_BLOCK ? page->n - first : ANN_BLOCK;
    uint32_t wanted = !filtered ? first_of(seek, n)
                      : others  ? others_of(seek, page, first, n)
                                : wanted_of(seek, page, first, n);
    if (!wanted) continue;
    wanted &= ann_page_estimate(page, first / ANN_BLOCK, &seek->probe.lookup, leaf->base,
                                seek->survivors.limit, estimates);
    rc = take(seek, page, first, wanted, estimates);
  }
  if (rc == ANN_OK) seek->passed += page->n;
  if (rc == ANN_OK && store->trace) {
    ann_trace_count(store->trace, seek->inspected - before, (int64_t)ann_page_size(page));
  }
  if (seek->walk.reader && ann_budget_is_exceeded(&store->budget)) {
    ann_pages_trim_leaves(store->pages);
  }
  return rc;
}

/* ---- when to stop ---- */

/* What the rule compares the next leaf with: the k-th best estimate of different rows; beyond
** the k of the calibration, where that would be dear to keep, the last of all that are kept. */
static double kth_best(const AnnSeek *seek) {
  return seek->k > ANN_EFFORT_LARGEST_K ? (double)seek->survivors.limit
                                        : ann_topk_worst(&seek->best);
}

/* Is the rule in force, and are there rows enough for it? */
static int rule_holds(const AnnSeek *seek, int64_t least) {
  return ann_shortlist_count(&seek->survivors) >= least && seek->way.effort.reach > 0 &&
         seek->passed >= seek->way.effort.least && seek->query->search_k == 0;
}

static int is_at_search_k(const AnnSeek *seek) {
  return seek->query->search_k > 0 && seek->inspected >= seek->query->search_k;
}

/* May the walk end before the next leaf? */
static int is_enough(const AnnSeek *seek, int64_t least) {
  if (is_at_search_k(seek)) return 1;
  if (ann_shortlist_count(&seek->survivors) < least) return 0;
  if (seek->passed < seek->way.effort.least) return 0;
  if (seek->passed >= seek->way.effort.inspect) return 1;
  return rule_holds(seek, least) && ann_effort_ratio(seek->next.score, seek->passed,
                                                     kth_best(seek)) > seek->way.effort.reach;
}

/* ---- among some rows ---- */

/* Where search_k says how far to walk, there is nothing to choose. */
static int looks(const AnnSeek *seek) {
  return ann_query_is_filtered(seek->query) && seek->query->search_k == 0;
}

/* Plan what is to come by the share of wanted entries so far; give up where it is not worth it. */
static int look(AnnSeek *seek) {
  AnnWay *way = &seek->way;
  double share, mean, behind;
  int rc;
  if (seek->passed < seek->look_at) return ANN_OK;
  seek->look_at = 2 * seek->passed;
  share = (double)(seek->inspected + 1) / (double)(seek->passed + 1);
  mean = ann_query_share(seek->query, seek->store->state.rows);
  /* Fewer than elsewhere, they become more the farther the walk goes: the nearest of them are among
  ** still fewer. */
  if (share < mean) share *= share / mean * (share / mean);
  rc = ann_way_plan(seek->store, seek->query, seek->k, share, way);
  ann_shortlist_widen(&seek->survivors, way->effort.keep);
  behind = (double)seek->passed * way->entry;
  seek->gave_up = behind > way->exact || way->walk - behind > way->exact;
  return rc == ANN_OK && !has_room(seek) ? ANN_NOT_HERE : rc;
}

/* ---- the walk ---- */

int ann_seek_start(AnnSeek *seek, const AnnQuery *query, int goes_on) {
  AnnStore *store = seek->store;
  int rc;
  seek->query = query;
  seek->goes_on = goes_on;
  seek->k = seek->inspected = seek->passed = seek->n_read = 0;
  seek->gave_up = 0;
  seek->found = seek->found_after = 0;
  ann_trace_enter(store->trace, ANN_TRACE_ROTATE);
  ann_probe_set_query(&seek->probe, store, query->vector);
  ann_trace_count(store->trace, 1, ann_store_vector_bytes(store));
  ann_trace_enter(store->trace, ANN_TRACE_ROUTE);
  rc = ann_walk_start(&seek->walk, &seek->probe);
  /* While a leaf is scanned, the next one is on its way from memory, and where to find the
  ** one after that. */
  if (rc == ANN_OK) rc = ann_walk_next(&seek->walk, &seek->next, &seek->found);
  if (rc == ANN_OK && seek->found) {
    rc = ann_walk_next(&seek->walk, &seek->after, &seek->found_after);
  }
  seek->directories_moved = ann_pages_moved(store->pages);
  return rc;
}

/* Now and then while leaves are scanned. */
static int tick(const AnnSeek *seek, int64_t leaves) {
  if (leaves % LEAVES_PER_TICK != 0 || !seek->walk.reader) return ANN_OK;
  return ann_db_tick(seek->store->db);
}

/* The lists for a larger k, from the leaves that have been read so far. */
static int begin_lists(AnnSeek *seek, int64_t k, const AnnWay *way) {
  int64_t i;
  int rc = ANN_OK;
  ann_shortlist_restart(&seek->survivors, way->effort.keep);
  ann_topk_restart(&seek->best, rule_k(k));
  seek->k = k;
  seek->way = *way;
  seek->inspected = seek->passed = 0;
  seek->look_at = looks(seek) ? way->usual / PROBED : INT64_MAX;
  ann_trace_enter(seek->store->trace, ANN_TRACE_SCAN);
  for (i = 0; i < seek->n_read && rc == ANN_OK; i++) {
    if (i + 1 < seek->n_read) {
      ann_pages_prefetch(seek->store->pages, seek->read[i + 1].number);
    }
    rc = scan_leaf(seek, &seek->read[i]);
    if (rc == ANN_OK) rc = tick(seek, i + 1);
  }
  return rc == ANN_OK && !has_room(seek) ? ANN_NOT_HERE : rc;
}

/* Scan the next leaf, and find the one after those that are known. */
static int take_leaf(AnnSeek *seek, int64_t least) {
  AnnStore *store = seek->store;
  AnnStep leaf = seek->next;
  int rc = ANN_OK;
  seek->next = seek->after;
  seek->found = seek->found_after;
  if (seek->found) {
    ann_pages_prefetch(store->pages, seek->next.number);
    rc = ann_walk_next(&seek->walk, &seek->after, &seek->found_after);
    if (rc != ANN_OK) return rc;
  }
  if (seek->goes_on) {
    rc = ann_grow(&seek->read, seek->n_read, 1, &seek->n_allocated, sizeof *seek->read);
    if (rc != ANN_OK) return rc;
    seek->read[seek->n_read] = leaf;
  }
  seek->n_read++;
  ann_trace_enter(store->trace, ANN_TRACE_SCAN);
  rc = scan_leaf(seek, &leaf);
  /* What the rule would stop at now, it would stop at later all the more; but not for a larger
  ** k, nor where it may come to ask for more. */
  if (!seek->goes_on && !seek->query->only && !seek->query->exclude && !seek->query->noted &&
      rule_holds(seek, least)) {
    seek->walk.bound = ann_effort_bound(&seek->way.effort, seek->passed, kth_best(seek));
  }
  if (rc == ANN_OK) rc = tick(seek, seek->n_read);
  ann_trace_enter(store->trace, ANN_TRACE_ROUTE);
  return rc;
}

int ann_seek_reach(AnnSeek *seek, int64_t k, const AnnWay *way) {
  AnnStore *store = seek->store;
  /* Every row comes as often as there are trees. */
  int64_t least = k * store->options.trees;
  int64_t measured = seek->k == 0 ? 0 : seek->walk.n_measured;
  int rc = begin_lists(seek, k, way);
  if (least > way->effort.keep) least = way->effort.keep;
  ann_trace_enter(store->trace, ANN_TRACE_ROUTE);
  while (rc == ANN_OK && seek->found && !seek->gave_up && !is_enough(seek, least)) {
    rc = take_leaf(seek, least);
    if (rc == ANN_OK) rc = look(seek);
  }
  measured = seek->walk.n_measured - measured;
  ann_trace_count(store->trace, measured,
                  measured * (ANN_CENTRE_SIZE + store->rotation.length));
  if (seek->walk.reader) store->n_inspected = seek->inspected;
  seek->directories_moved = ann_pages_moved(store->pages);
  return rc;
}

int ann_seek_survivors(AnnSeek *seek, const int64_t **out_ids, int64_t *out_n) {
  return ann_shortlist_finish(&seek->survivors, out_ids, out_n);
}

int ann_seek_is_done(const AnnSeek *seek) {
  return (!seek->found || is_at_search_k(seek)) && seek->inspected <= seek->way.effort.keep;
}

int ann_seek_can_go_on(const AnnSeek *seek) {
  return seek->goes_on && seek->directories_moved == ann_pages_moved(seek->store->pages);
}
