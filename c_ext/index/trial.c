/* trial.c -- see trial.h. */
#include "index/trial.h"

#include <math.h>

#include "core/kernel.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/rows.h"

#define NEAR_CANDIDATES 2400 /* estimates kept to see where the true 100 are among them */
#define FAR_CANDIDATES 12000 /* and the true 1,000 */
/* One block of entries in so many tells how many estimates there are beyond these, and so many
** of its estimates are kept: 38,400 are counted, those from 2,400 on to some percent. */
#define THINNED_SHARE 16
#define THINNED_CANDIDATES 2400
#define HISTORY 4096   /* leaves of which AnnTrial.history tells: 80 kB */
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
  if (rc == ANN_OK) rc = ann_shortlist_reserve(&trial->thinned, THINNED_CANDIDATES);
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
  ann_shortlist_clear(&trial->thinned);
  for (j = 0; j < ANN_EFFORT_RULES; j++) ann_topk_clear(&trial->best[j]);
  ann_free(trial->history);
  memset(trial, 0, sizeof *trial);
}

/* ---- asking ---- */

static uint32_t as_count(int64_t n) {
  return n < ANN_NOT_REACHED ? (uint32_t)n : ANN_NOT_REACHED - 1;
}

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
  ann_trial_learn_own(trial, &sample->own);
}

void ann_trial_learn_own(const AnnTrial *trial, AnnOwn *own) {
  int i;
  for (i = 0; i < trial->n_wanted; i++) {
    AnnCost cost = trial->wanted[i].cost;
    if (trial->wanted[i].rank != ANN_SELF_RANK) continue;
    /* One that was given up takes what was looked at, at least. */
    if (cost.inspected == ANN_NOT_REACHED) cost.inspected = as_count(trial->inspected);
    if (cost.inspected > own->inspected) {
      own->second = own->inspected;
      own->inspected = cost.inspected;
    } else if (cost.inspected > own->second) {
      own->second = cost.inspected;
    }
    if (cost.better > own->better) own->better = cost.better;
  }
}

/* ---- searching ---- */

static void start(AnnTrial *trial) {
  int j, i;
  ann_shortlist_restart(&trial->shortlist, trial->n_candidates);
  ann_shortlist_restart(&trial->thinned, THINNED_CANDIDATES);
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    trial->best[j].n = 0;
    trial->reach[j] = 0;
  }
  for (i = 0; i < trial->n_wanted; i++) {
    trial->wanted[i].cost.inspected = ANN_NOT_REACHED;
    trial->wanted[i].estimate = INFINITY;
  }
  trial->inspected = trial->n_leaves = trial->n_blocks = 0;
  ann_probe_set_query(&trial->probe, trial->store, trial->query);
}

static float distance_of(const AnnTrial *trial, float estimate) {
  return ann_code_distance(trial->store->options.space.geometry, estimate);
}

/* One estimate into the best of all and, for the rule, the best k of each k. */
static void keep_estimate(AnnTrial *trial, float value, int64_t id) {
  int j;
  if (trial->has_self && id == trial->self) return;
  (void)ann_shortlist_add(&trial->shortlist, value, id);
  /* The best of the most hold those of the fewer. */
  if (value >= ann_topk_worst(&trial->best[ANN_EFFORT_RULES - 1])) return;
  for (j = 0; j < ANN_EFFORT_RULES; j++) {
    (void)ann_topk_push_unique(&trial->best[j], value, id);
  }
}

/* All estimates of one block in some. */
static void thin(AnnTrial *trial, const AnnPage *page, int first, const float *values) {
  int n = page->n - first < ANN_BLOCK ? page->n - first : ANN_BLOCK, i;
  if (trial->n_blocks++ % THINNED_SHARE != 0) return;
  for (i = 0; i < n; i++) {
    float value = distance_of(trial, values[i]);
    if (!(value <= trial->thinned.limit)) continue;
    (void)ann_shortlist_add(&trial->thinned, value, ann_page_id(page, first + i));
  }
}

static int scan_leaf(AnnTrial *trial, const AnnStep *leaf, AnnPage **out_page) {
  AnnPage *page = NULL;
  float values[ANN_BLOCK];
  int first, rc = ann_walk_page(&trial->walk, leaf, &page);
  if (rc != ANN_OK) return rc;
  for (first = 0; first < page->n; first += ANN_BLOCK) {
    uint32_t within = ann_page_estimate(page, first / ANN_BLOCK, &trial->probe.lookup,
                                        leaf->base, trial->shortlist.limit, values);
    thin(trial, page, first, values);
    for (; within; within &= within - 1) {
      int at = ann_lowest_bit(within);
      keep_estimate(trial, distance_of(trial, values[at]), ann_page_id(page, first + at));
    }
  }
  trial->inspected += page->n;
  trial->n_leaves++;
  *out_page = page;
  return ANN_OK;
}

static int is_in(const AnnWanted *wanted, uint32_t number, int trees) {
  int t;
  for (t = 0; t < trees && wanted->pages[t] != number; t++) {}
  return t < trees;
}

/* The estimate that a leaf has of a wanted row, if it is better than those before. */
static void note_estimate(const AnnTrial *trial, const AnnStep *leaf, const AnnPage *page,
                          AnnWanted *wanted) {
  float values[ANN_BLOCK], value;
  int at = ann_page_find(page, wanted->id);
  if (at < 0) return;
  (void)ann_page_estimate(page, at / ANN_BLOCK, &trial->probe.lookup, leaf->base, INFINITY,
                          values);
  value = distance_of(trial, values[at % ANN_BLOCK]);
  if (value < wanted->estimate) wanted->estimate = value;
}

/* After a leaf: what of the wanted rows was in it; how many of them were not met before. */
static int note(AnnTrial *trial, const AnnStep *leaf, const AnnPage *page) {
  int n = 0, i, j;
  for (i = 0; i < trial->n_wanted; i++) {
    AnnWanted *wanted = &trial->wanted[i];
    AnnCost *cost = &wanted->cost;
    if (!is_in(wanted, leaf->number, trial->store->options.trees)) continue;
    note_estimate(trial, leaf, page, wanted);
    if (cost->inspected != ANN_NOT_REACHED) continue;
    for (j = 0; j < ANN_EFFORT_RULES; j++) cost->reach[j] = (float)trial->reach[j];
    cost->inspected = as_count(trial->inspected);
    n++;
  }
  return n;
}

/* How many of a list are at least as good; and better, for a row itself: equal estimates are of
** equal rows, any of which will do. */
static uint32_t count_within(const AnnShortlist *list, float estimate) {
  uint32_t n = 0, at;
  for (at = 0; at < (uint32_t)list->n; at++) n += list->keys[at] <= estimate;
  return n;
}

/* Are there as good ones that the list has forgotten? */
static uint32_t count_below(const AnnShortlist *list, float estimate) {
  uint32_t n = 0, at;
  for (at = 0; at < (uint32_t)list->n; at++) n += list->keys[at] < estimate;
  return n;
}

static int is_beyond(const AnnShortlist *list, float estimate) {
  return list->n == list->wanted && !(estimate <= list->limit);
}

/* How many estimates are at least as good as a wanted row's best one; copies of an id after its
** best one tell nothing, and would be found.  A row that was not met is lost in any case, and
** not by its estimate.  Of a row itself the best ones alone are counted: behind thousands of
** others it is one of as many that are nearly the same. */
static uint32_t rank_of(const AnnTrial *trial, const AnnWanted *wanted) {
  uint32_t n, all;
  if (wanted->cost.inspected == ANN_NOT_REACHED) return 1;
  if (wanted->rank == ANN_SELF_RANK)
    return count_below(&trial->shortlist, wanted->estimate) + 1;
  n = count_within(&trial->shortlist, wanted->estimate);
  if (!is_beyond(&trial->shortlist, wanted->estimate)) return n;
  if (is_beyond(&trial->thinned, wanted->estimate)) return ANN_NOT_REACHED;
  all = THINNED_SHARE * count_within(&trial->thinned, wanted->estimate);
  return all > n ? all : n + 1;
}

static void rank_estimates(AnnTrial *trial) {
  int i;
  ann_shortlist_select(&trial->shortlist);
  ann_shortlist_select(&trial->thinned);
  for (i = 0; i < trial->n_wanted; i++) {
    trial->wanted[i].cost.better = rank_of(trial, &trial->wanted[i]);
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
  AnnPage *page = NULL;
  int rc, found = 1, missing = trial->n_wanted;
  trial->walk.reader = reader;
  start(trial);
  rc = ann_walk_start(&trial->walk, &trial->probe);
  while (rc == ANN_OK && missing > 0 && trial->inspected < trial->most) {
    rc = ann_walk_next(&trial->walk, &leaf, &found);
    if (rc != ANN_OK || !found) break;
    note_reach(trial, &leaf);
    rc = scan_leaf(trial, &leaf, &page);
    if (rc != ANN_OK) break;
    missing -= note(trial, &leaf, page);
    if (reader && ann_budget_is_exceeded(&reader->budget)) ann_pages_trim_leaves(reader->pages);
    if (trial->n_leaves % POLL_LEAVES == 0) rc = go_on(trial, poll);
  }
  if (rc == ANN_OK) rank_estimates(trial);
  trial->rc = rc;
}
