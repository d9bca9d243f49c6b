/* trial.c -- see trial.h. */
#include "index/trial.h"

#include <math.h>

#include "core/kernel.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/rows.h"

#define NEAR_CANDIDATES 2400 /* estimates kept to see where the true 100 are among them */
#define FAR_CANDIDATES 12000 /* and the true 1,000 */
#define HISTORY 4096         /* leaves of which AnnTrial.history tells: 80 kB */
#define POLL_LEAVES 64 /* read between two looks at an interrupt: less than a millisecond */

int ann_trial_init(AnnTrial *trial, AnnStore *store, atomic_int *stopped) {
  int rc, j;
  memset(trial, 0, sizeof *trial);
  trial->store = store;
  trial->stopped = stopped;
  ann_walk_init(&trial->walk, store);
  rc = ann_probe_init(&trial->probe, store);
  trial->history = ann_alloc_array(HISTORY, sizeof *trial->history);
  if (!trial->history) rc = ANN_NOMEM;
  if (rc == ANN_OK) rc = ann_shortlist_reserve(&trial->shortlist, FAR_CANDIDATES);
  for (j = 0; j < ANN_EFFORT_RULES && rc == ANN_OK; j++) {
    rc = ann_topk_reserve(&trial->best[j], ann_effort_ks[j]);
  }
  if (rc != ANN_OK) ann_trial_clear(trial);
  return rc;
}

void ann_trial_clear(AnnTrial *trial) {
  int j;
  ann_probe_clear(&trial->probe);
  ann_walk_clear(&trial->walk);
  ann_shortlist_clear(&trial->shortlist);
  for (j = 0; j < ANN_EFFORT_RULES; j++) ann_topk_clear(&trial->best[j]);
  ann_free(trial->history);
  memset(trial, 0, sizeof *trial);
}

/* ---- asking ---- */

/* Whether a neighbour is still as far as it was when it was found. */
static int is_unchanged(AnnStore *store, const AnnOrigin *origin, const AnnRanked *neighbour,
                        int *out_same) {
  const AnnRow *row = NULL;
  int rc = ann_rows_get(store->rows, neighbour->id, &row);
  *out_same = rc == ANN_OK && row &&
              ann_origin_distance_of(origin, row->vector, row->norm) == neighbour->key;
  return rc;
}

/* One more wanted row, where it is. */
static int want(AnnTrial *trial, int64_t id, int rank) {
  AnnWanted *wanted = &trial->wanted[trial->n_wanted];
  int rc, found = 0;
  memset(wanted, 0, sizeof *wanted);
  wanted->id = id;
  wanted->rank = rank;
  rc = ann_places_get(trial->store->places, id, wanted->pages, &found);
  trial->n_wanted += rc == ANN_OK && found; /* else it waits, and is found anyway */
  return rc;
}

/* The query's own row, unless it has another vector by now. */
static int want_self(AnnTrial *trial, const AnnTruth *truth) {
  const AnnRow *row = NULL;
  const AnnSpace *space = &trial->store->options.space;
  int rc = ann_rows_get(trial->store->rows, truth->id, &row);
  if (rc != ANN_OK || !row) return rc;
  if (!ann_space_is_query_of(space, truth->origin.query, row->vector)) return ANN_OK;
  return want(trial, truth->id, ANN_SELF_RANK);
}

int ann_trial_ask(AnnTrial *trial, const AnnSample *sample, int query) {
  const AnnTruth *truth = &sample->truths[query];
  int rc = ANN_OK, rank, same = 0;
  trial->query = truth->origin.query;
  trial->self = truth->id;
  trial->has_self = truth->has_id;
  trial->most = INT64_MAX;
  trial->n_candidates = ann_sample_neighbour(sample, query, ANN_NEAR_RANKS) ? FAR_CANDIDATES
                                                                            : NEAR_CANDIDATES;
  trial->n_wanted = 0;
  for (rank = 0; rank < ANN_SELF_RANK && rc == ANN_OK; rank++) {
    const AnnRanked *neighbour = ann_sample_neighbour(sample, query, rank);
    if (!neighbour) continue;
    rc = is_unchanged(trial->store, &truth->origin, neighbour, &same);
    if (rc == ANN_OK && same) rc = want(trial, neighbour->id, rank);
  }
  if (rc == ANN_OK && truth->has_id) rc = want_self(trial, truth);
  return rc == ANN_OK ? ann_db_tick(trial->store->db) : rc;
}

void ann_trial_learn(const AnnTrial *trial, AnnSample *sample, int query) {
  AnnCost *costs = ann_sample_costs(sample, query);
  int i;
  memset(costs, 0, ANN_SAMPLE_RANKS * sizeof *costs);
  for (i = 0; i < trial->n_wanted; i++) costs[trial->wanted[i].rank] = trial->wanted[i].cost;
}

/* ---- searching ---- */

static void start(AnnTrial *trial) {
  int j, i;
  ann_shortlist_restart(&trial->shortlist, trial->n_candidates);
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    trial->best[j].n = 0;
    trial->reach[j] = 0;
  }
  for (i = 0; i < trial->n_wanted; i++) trial->wanted[i].cost.inspected = ANN_NOT_REACHED;
  trial->inspected = trial->n_leaves = 0;
  trial->self_estimate = INFINITY;
  ann_probe_set_query(&trial->probe, trial->store, trial->query);
}

/* One estimate into the best of all and, for the rule, the best k of each k. */
static void keep_estimate(AnnTrial *trial, float value, int64_t id) {
  int j;
  if (trial->has_self && id == trial->self) {
    if (value < trial->self_estimate) trial->self_estimate = value;
    return;
  }
  (void)ann_shortlist_add(&trial->shortlist, value, id);
  /* The best of the most hold those of the fewer. */
  if (value >= ann_topk_worst(&trial->best[ANN_EFFORT_RULES - 1])) return;
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    (void)ann_topk_push_unique(&trial->best[j], value, id);
  }
}

static int scan_leaf(AnnTrial *trial, AnnStore *reader, const AnnStep *leaf) {
  AnnPage *page = NULL;
  float values[ANN_BLOCK];
  int first, rc = ann_walk_page(&trial->walk, leaf, &page);
  if (rc != ANN_OK) return rc;
  for (first = 0; first < page->n; first += ANN_BLOCK) {
    uint32_t within = ann_page_estimate(page, first / ANN_BLOCK, &trial->probe.lookup,
                                        leaf->base, trial->shortlist.limit, values);
    for (; within; within &= within - 1) {
      int at = ann_lowest_bit(within);
      keep_estimate(trial, values[at], ann_page_id(page, first + at));
    }
  }
  trial->inspected += page->n;
  trial->n_leaves++;
  if (reader && ann_budget_is_exceeded(&reader->budget)) ann_pages_trim_leaves(reader->pages);
  return ANN_OK;
}

static int is_in(const AnnWanted *wanted, uint32_t number, int trees) {
  int t;
  for (t = 0; t < trees && wanted->pages[t] != number; t++) {}
  return t < trees;
}

/* After a leaf: what of the wanted rows was in it; how many that is. */
static int note(AnnTrial *trial, uint32_t number) {
  int n = 0, i, j;
  for (i = 0; i < trial->n_wanted; i++) {
    AnnCost *cost = &trial->wanted[i].cost;
    if (cost->inspected != ANN_NOT_REACHED ||
        !is_in(&trial->wanted[i], number, trial->store->options.trees)) {
      continue;
    }
    for (j = 0; j < ANN_EFFORT_RULES; j++) cost->reach[j] = (float)trial->reach[j];
    cost->inspected = trial->inspected < ANN_NOT_REACHED ? (uint32_t)trial->inspected
                                                         : ANN_NOT_REACHED - 1;
    n++;
  }
  return n;
}

/* One of 64 bits for an id: most ids that are not wanted are told by it. */
static uint64_t mark_of(int64_t id) {
  return (uint64_t)1 << ((uint64_t)id * 0x9E3779B97F4A7C15u >> 58);
}

/* The best estimate of each wanted row; +infinity where none is kept. */
static void best_estimates(const AnnTrial *trial, float *out_best) {
  const AnnShortlist *list = &trial->shortlist;
  uint64_t marks = 0;
  int64_t at;
  int i;
  for (i = 0; i < trial->n_wanted; i++) {
    marks |= mark_of(trial->wanted[i].id);
    out_best[i] = INFINITY;
  }
  for (at = 0; at < list->n; at++) {
    if (!(marks & mark_of(list->ids[at]))) continue;
    for (i = 0; i < trial->n_wanted; i++) {
      if (list->ids[at] == trial->wanted[i].id && list->keys[at] < out_best[i]) {
        out_best[i] = list->keys[at];
      }
    }
  }
}

/* How many of the estimates are at least as good as each wanted row's best one; copies of an id
** after its best one tell nothing, and would be found. */
static void rank_estimates(AnnTrial *trial) {
  const AnnShortlist *list = &trial->shortlist;
  float best[ANN_SAMPLE_RANKS];
  int i;
  ann_shortlist_select(&trial->shortlist);
  best_estimates(trial, best);
  for (i = 0; i < trial->n_wanted; i++) {
    if (trial->wanted[i].rank == ANN_SELF_RANK) best[i] = trial->self_estimate;
  }
  for (i = 0; i < trial->n_wanted; i++) {
    int is_self = trial->wanted[i].rank == ANN_SELF_RANK;
    uint32_t n = is_self || best[i] == INFINITY, at;
    for (at = 0; at < (uint32_t)list->n; at++) n += list->keys[at] <= best[i];
    trial->wanted[i].cost.better = n;
  }
}

static int go_on(const AnnTrial *trial, const AnnPoll *poll) {
  int rc = ann_poll(poll);
  if (rc != ANN_OK) atomic_store(trial->stopped, 1);
  return rc == ANN_OK && atomic_load(trial->stopped) ? ANN_INTERRUPT : rc;
}

/* What is found by now, to be looked up by the leaves read. */
static void note_when(AnnTrial *trial) {
  AnnWhen *when;
  int j;
  if (trial->n_leaves >= HISTORY) return;
  when = &trial->history[trial->n_leaves];
  when->inspected = trial->inspected;
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    when->kth[j] = (float)ann_topk_worst(&trial->best[j]);
  }
}

/* What the rule has to allow for this leaf to be read: its score now, and what led to it when
** that stood at the front of the queue, for a search passes over what is beyond its bound. */
static void note_reach(AnnTrial *trial, const AnnStep *leaf) {
  const AnnWhen *when = &trial->history[leaf->seen < HISTORY ? leaf->seen : HISTORY - 1];
  int j;
  note_when(trial);
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    double now =
        ann_effort_ratio(leaf->score, trial->inspected, ann_topk_worst(&trial->best[j]));
    double then = ann_effort_ratio(leaf->seemed, when->inspected, (double)when->kth[j]);
    if (now > trial->reach[j]) trial->reach[j] = now;
    if (then > trial->reach[j]) trial->reach[j] = then;
  }
}

void ann_trial_run(AnnTrial *trial, AnnStore *reader, const AnnPoll *poll) {
  AnnStep leaf;
  int rc, found = 1, missing = trial->n_wanted;
  trial->walk.reader = reader;
  start(trial);
  rc = ann_walk_start(&trial->walk, &trial->probe);
  while (rc == ANN_OK && missing > 0 && trial->inspected < trial->most) {
    rc = ann_walk_next(&trial->walk, &leaf, &found);
    if (rc != ANN_OK || !found) break;
    note_reach(trial, &leaf);
    rc = scan_leaf(trial, reader, &leaf);
    if (rc == ANN_OK) missing -= note(trial, leaf.number);
    if (rc == ANN_OK && trial->n_leaves % POLL_LEAVES == 0) rc = go_on(trial, poll);
  }
  if (rc == ANN_OK) rank_estimates(trial);
  trial->rc = rc;
}
