/* search.c -- see search.h. */
#include "index/search.h"

#include <math.h>

#include "core/grow.h"
#include "core/idset.h"
#include "core/sort.h"

/* Components of rows in memory between two looks at an interrupt. */
#define TICK_COMPONENTS ((int64_t)1 << 20)
#define SURVIVORS_PER_TICK 4096 /* rows that may have to be read */
#define ROWS_AHEAD 4            /* rows on their way while one is measured */
#define SLOTS_AHEAD 8           /* and where to find those after them */
#define BYTES_AHEAD 2048        /* the same of rows that lie one after the other */
/* Rows that a search keeps to go on with, 16 bytes each; one of more begins anew for the
** next. */
#define MOST_HELD ((int64_t)1 << 24)
#define MOST_STEPS 64                  /* calls that ask for more, four times as much each */
#define MOST_KEPT ((int64_t)256 << 10) /* bytes that are kept for the next search */

struct AnnSearcher {
  AnnStore *store; /* borrowed */
  int ready;       /* seek and vector are made; at the first search */
  AnnSeek seek;    /* owned */
  void *vector;    /* owned: one row */
  /* the search under way */
  AnnQuery query;
  int64_t most; /* rows that will be asked for */
  AnnOrigin origin;
  int64_t k;                 /* asked for so far; 0: not begun */
  int64_t steps[MOST_STEPS]; /* every k that it was asked for, ascending */
  int n_steps;
  int exact;       /* every row, or every listed row; else the forest */
  int scored;      /* exactly: every row; by the forest: those that wait */
  int goes_on;     /* what was ranked is kept; else the best k of it alone: */
  AnnTopk top;     /* owned */
  AnnRanked *pool; /* owned: ranked, and not given yet */
  int64_t n_pool, pool_allocated;
  AnnIdSet ranked;  /* owned: ids of the forest that are ranked */
  AnnRanked *given; /* owned: ascending */
  int64_t n_given, given_allocated;
  int64_t n_before;       /* found that come before the next one, given or missed */
  uint64_t history;       /* of the table when it began: state.h */
  const AnnBitmap *noted; /* borrowed for a call: rows that the forest has not as they are */
  uint64_t noted_digest;  /* of these, when it began */
  int64_t n_gone; /* rows that the forest names and an ordinary table has no longer, so far */
};

/* ---- ranking ---- */

static int keep(AnnSearcher *s, double far, int64_t id) {
  int rc;
  if (!s->goes_on) return ann_topk_push(&s->top, far, id);
  rc = ann_grow(&s->pool, s->n_pool, 1, &s->pool_allocated, sizeof *s->pool);
  if (rc == ANN_OK) s->pool[s->n_pool++] = (AnnRanked){far == far ? far : INFINITY, id};
  return rc;
}

/* Beyond what distance a row need not be kept. */
static double farthest(const AnnSearcher *s) {
  return s->goes_on ? INFINITY : ann_topk_worst(&s->top);
}

/* Have the row that is ranked a little later on its way. */
static void prefetch_rows(const AnnStore *store, const int64_t *ids, int64_t n, int64_t i) {
  if (i + SLOTS_AHEAD < n) ann_rows_prefetch_slot(store->rows, ids[i + SLOTS_AHEAD]);
  if (i + ROWS_AHEAD < n) ann_rows_prefetch(store->rows, ids[i + ROWS_AHEAD]);
}

/* Score one row, if the table has it; of the forest's rows it has all. */
static int score_row(AnnSearcher *s, int64_t id, int must_be_there) {
  const AnnRow *row = NULL;
  int rc = ann_rows_get(s->store->rows, id, &row);
  if (rc == ANN_OK && !row && must_be_there) rc = ann_source_lacks(s->store->source, id);
  s->n_gone += !row && must_be_there;
  if (rc != ANN_OK || !row) return rc;
  ann_trace_count(s->store->trace, 1, ann_store_vector_bytes(s->store));
  return keep(s, ann_origin_distance_of(&s->origin, row->vector, row->norm), id);
}

/* Have on its way what lies a little behind a row: in its block, or where the next one may
** begin. */
static void prefetch_behind(const AnnRow *row, int64_t step) {
  uintptr_t there = (uintptr_t)row + BYTES_AHEAD;
  int64_t i;
  for (i = 0; i < step; i += 64) __builtin_prefetch((const void *)(there + (uintptr_t)i));
}

/* Score n rows that lie one after the other in memory. */
static int score_run(AnnSearcher *s, const AnnRow *row, int64_t n) {
  int64_t step = ann_rows_step(s->store->rows), i;
  double most = farthest(s);
  int rc = ANN_OK;
  for (i = 0; i < n && rc == ANN_OK; i++, row = ann_row_next(row, step)) {
    double far;
    prefetch_behind(row, step);
    if (!ann_query_wants(&s->query, row->id)) continue;
    far = ann_origin_distance_of(&s->origin, row->vector, row->norm);
    if (far > most) continue;
    rc = keep(s, far, row->id);
    most = farthest(s);
  }
  return rc;
}

/* Score the rows of a range that are in memory. */
static int score_range(AnnSearcher *s, const AnnRange *range) {
  AnnStore *store = s->store;
  const AnnRow *row = NULL;
  int64_t place = range->low, components = 0, n;
  int rc = ANN_OK;
  while (rc == ANN_OK && (n = ann_rows_run(store->rows, range, &place, &row)) > 0) {
    rc = score_run(s, row, n);
    components += n * store->options.space.dimensions;
    if (rc == ANN_OK && components >= TICK_COMPONENTS) {
      rc = ann_db_tick(store->db);
      components = 0;
    }
  }
  ann_rows_hit(store->rows, range->n);
  ann_trace_count(store->trace, range->n, range->n * ann_store_vector_bytes(store));
  return rc;
}

/* Score the rows first..last of the table; the range that is being made is told of each. */
static int score_read(AnnSearcher *s, int64_t first, int64_t last) {
  AnnStore *store = s->store;
  int64_t id = 0, n = 0;
  int found = 1, rc = ann_source_scan(store->source, first, last);
  while (rc == ANN_OK) {
    rc = ann_source_next(store->source, &id, s->vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_rows_range_add(store->rows, id, s->vector);
    if (ann_query_wants(&s->query, id)) {
      rc = keep(s, ann_origin_distance(&s->origin, s->vector), id);
    }
    if (rc == ANN_OK && ++n % 256 == 0) rc = ann_db_tick(store->db);
  }
  ann_trace_count(store->trace, n, n * ann_store_vector_bytes(store));
  ann_source_end(store->source);
  return rc;
}

/* The same, by what of them is in memory, and then those that follow. */
static int score_rows(AnnSearcher *s, int64_t first, int64_t last) {
  AnnRows *rows = s->store->rows;
  const AnnRange *range = ann_rows_range(rows, first, last);
  int rc = range ? score_range(s, range) : ANN_OK;
  if (range && (rc != ANN_OK || range->through == last)) return rc;
  ann_rows_range_begin(rows, first, last);
  rc = score_read(s, range ? range->through + 1 : first, last);
  if (rc == ANN_OK) ann_rows_range_end(rows);
  return rc;
}

/* Score the rows of a set, in order of id, which is how they lie on disk. */
static int score_set(AnnSearcher *s, const AnnBitmap *set) {
  int64_t *ids = ann_alloc_array((uint64_t)set->n, sizeof *ids); /* owned */
  int64_t i;
  int rc = ids ? ANN_OK : ANN_NOMEM;
  if (rc == ANN_OK) ann_bitmap_ids(set, ids);
  for (i = 0; rc == ANN_OK && i < set->n; i++) {
    prefetch_rows(s->store, ids, set->n, i);
    if (ann_query_allows(&s->query, ids[i])) rc = score_row(s, ids[i], 0);
    if (rc == ANN_OK && i % 256 == 255) rc = ann_db_tick(s->store->db);
  }
  ann_free(ids);
  return rc;
}

static int score_waiting(AnnSearcher *s) {
  int64_t from = INT64_MIN, first, last;
  int found = 1, rc = ANN_OK;
  ann_trace_enter(s->store->trace, ANN_TRACE_WAITING);
  while (rc == ANN_OK) {
    rc = ann_waiting_range(s->store->waiting, from, &first, &last, &found);
    if (rc != ANN_OK || !found) break;
    rc = score_rows(s, first, last);
    if (last == INT64_MAX) break;
    from = last + 1;
  }
  return rc == ANN_OK && s->noted ? score_set(s, s->noted) : rc;
}

/* Every row, or every listed row. */
static int score_all(AnnSearcher *s) {
  s->store->n_inspected = s->query.only ? s->query.only->n : s->store->state.rows;
  ann_trace_enter(s->store->trace, ANN_TRACE_EXACT);
  return s->query.only ? score_set(s, s->query.only) : score_rows(s, INT64_MIN, INT64_MAX);
}

/* Rank the forest's best estimates exactly, each once, in order of id. */
static int score_survivors(AnnSearcher *s) {
  AnnStore *store = s->store;
  const int64_t *ids = NULL;
  int64_t n = 0, i;
  int rc, is_new = 1;
  ann_trace_enter(store->trace, ANN_TRACE_RANK);
  rc = ann_seek_survivors(&s->seek, &ids, &n);
  for (i = 0; i < n && rc == ANN_OK; i++) {
    prefetch_rows(store, ids, n, i);
    if (s->goes_on) rc = ann_idset_add(&s->ranked, ids[i], &is_new);
    if (rc == ANN_OK && is_new) rc = score_row(s, ids[i], 1);
    if (rc == ANN_OK && i % SURVIVORS_PER_TICK == SURVIVORS_PER_TICK - 1) {
      rc = ann_db_tick(store->db);
    }
  }
  return rc;
}

/* ---- which way ---- */

/* Is there nothing to choose? */
static int must_be_exact(const AnnSearcher *s) {
  return s->store->state.roots[0] == 0 || (s->query.recall >= 1 && s->query.search_k == 0) ||
         ann_space_is_flat(&s->store->options.space, s->query.vector);
}

/* ---- life ---- */

int ann_searcher_new(AnnStore *store, AnnSearcher **out_searcher) {
  AnnSearcher *searcher = ann_alloc_zero(1, sizeof *searcher);
  if (!searcher) return ANN_NOMEM;
  searcher->store = store;
  *out_searcher = searcher;
  return ANN_OK;
}

static int make_ready(AnnSearcher *s) {
  if (s->ready) return ANN_OK;
  if (!s->vector) s->vector = ann_alloc((uint64_t)ann_store_vector_bytes(s->store));
  s->ready = s->vector && ann_seek_init(&s->seek, s->store) == ANN_OK;
  return s->ready ? ANN_OK : ANN_NOMEM;
}

void ann_search_start(AnnSearcher *s, const AnnQuery *query, int64_t most) {
  s->query = *query;
  s->most = most < ANN_MOST_ROWS ? most : ANN_MOST_ROWS;
  s->k = s->n_steps = 0;
}

/* What it holds of the search under way. */
static int64_t bytes_of(const AnnSearcher *s) {
  return (s->pool_allocated + s->given_allocated) * (int64_t)sizeof(AnnRanked) +
         s->ranked.n * 2 * (int64_t)sizeof(AnnHashSlot);
}

static void clear(AnnSearcher *s) {
  if (s->ready) ann_seek_clear(&s->seek);
  ann_free(s->vector);
  ann_topk_clear(&s->top);
  ann_free(s->pool);
  ann_free(s->given);
  ann_idset_clear(&s->ranked);
}

void ann_searcher_rest(AnnSearcher *s) {
  AnnStore *store = s->store;
  if (bytes_of(s) > MOST_KEPT) {
    clear(s);
    memset(s, 0, sizeof *s);
    s->store = store;
  }
  s->k = s->n_steps = 0;
}

void ann_searcher_free(AnnSearcher *s) {
  if (!s) return;
  clear(s);
  ann_free(s);
}

/* ---- reaching ---- */

/* Nothing is known yet, or no more. */
static void begin(AnnSearcher *s, int64_t k) {
  AnnStore *store = s->store;
  store->n_searches++;
  int64_t rows = s->query.only ? s->query.only->n : store->state.rows;
  s->goes_on = k < s->most && rows <= MOST_HELD;
  s->exact = s->scored = 0;
  s->n_pool = s->n_given = s->n_before = s->n_gone = 0;
  ann_idset_clear(&s->ranked);
  s->noted_digest = ann_notes_digest(store->notes);
  s->history = store->state.history;
  ann_origin_init(&s->origin, &store->options.space, s->query.vector);
}

/* May it go on where it stopped? */
static int can_go_on(const AnnSearcher *s) {
  return s->k > 0 && s->goes_on && s->history == s->store->state.history &&
         s->noted_digest == ann_notes_digest(s->store->notes) &&
         (s->exact || ann_seek_can_go_on(&s->seek));
}

/* Exactly.  What the forest has ranked before is among the rest. */
static int reach_exactly(AnnSearcher *s) {
  if (s->exact && s->scored) return ANN_OK;
  s->exact = s->scored = 1;
  s->n_pool = s->n_before = 0;
  s->query.noted = NULL; /* what is read is as it is */
  return score_all(s);
}

/* By the forest. */
static int reach_by_forest(AnnSearcher *s, int64_t k, const AnnWay *way, int begun) {
  int rc = begun ? ann_seek_start(&s->seek, &s->query, s->goes_on) : ANN_OK;
  if (rc == ANN_OK) rc = ann_seek_reach(&s->seek, k, way);
  if (rc == ANN_OK && s->seek.gave_up) return reach_exactly(s);
  if (rc == ANN_OK) rc = score_survivors(s);
  if (rc == ANN_OK && !s->scored) rc = score_waiting(s);
  s->scored = 1;
  return rc;
}

/* The same where rows may be gone that the forest names: they take the place of others, so that as
** many more are asked for, until no more of them are gone. */
static int reach_past_gone(AnnSearcher *s, int64_t k, AnnWay *way, int begun) {
  int64_t gone = s->n_gone;
  int rc = reach_by_forest(s, k + gone, way, begun);
  while (rc == ANN_OK && !s->exact && s->n_gone > gone) {
    gone = s->n_gone;
    if (!s->goes_on) {
      ann_topk_restart(&s->top, k);
      s->n_gone = s->scored = 0;
    }
    rc = ann_way_plan(s->store, &s->query, k + gone, 1, way);
    if (rc == ANN_OK) rc = reach_by_forest(s, k + gone, way, !s->goes_on);
  }
  return rc;
}

static int is_given(const AnnSearcher *s, const AnnRanked *row) {
  return s->n_given > 0 && ann_ranked_compare(row, &s->given[s->n_given - 1]) <= 0;
}

/* Move the nearest of the pool to those that are given: what is among the k nearest found so
** far, for only that has the recall asked for.  Who would come before the last one given was
** missed: rows come in order, and it is too late for it. */
static int give(AnnSearcher *s, int64_t k, const AnnPoll *poll) {
  int64_t n = 0, i;
  int rc;
  for (i = 0; i < s->n_pool; i++) {
    if (!is_given(s, &s->pool[i])) s->pool[n++] = s->pool[i];
  }
  s->n_before += s->n_pool - n;
  s->n_pool = n;
  if (n > k - s->n_before) n = k - s->n_before;
  if (n <= 0) return ANN_OK;
  rc = ann_grow(&s->given, s->n_given, n, &s->given_allocated, sizeof *s->given);
  if (rc != ANN_OK) return rc;
  (void)ann_ranked_select(s->pool, s->n_pool, n - 1);
  rc = ann_sort(s->pool, n, sizeof *s->pool, ann_ranked_compare, poll);
  if (rc != ANN_OK) return rc;
  memcpy(s->given + s->n_given, s->pool, (size_t)n * sizeof *s->pool);
  memmove(s->pool, s->pool + n, (size_t)(s->n_pool - n) * sizeof *s->pool);
  s->n_given += n;
  s->n_before += n;
  s->n_pool -= n;
  return ANN_OK;
}

/* Are there no more rows than those given, or in top? */
static int is_done(const AnnSearcher *s) {
  if (!s->goes_on) return s->top.n < s->k;
  return s->n_pool == 0 && (s->exact || ann_seek_is_done(&s->seek));
}

/* Have the nearest k among those that are ranked.  begun: it has not looked at a row yet. */
static int compute(AnnSearcher *s, int64_t k, int begun) {
  AnnPoll poll = {ann_db_tick, s->store->db};
  AnnWay way;
  int rc = ANN_OK, exact = s->exact || must_be_exact(s);
  s->k = k;
  if (!s->goes_on) ann_topk_restart(&s->top, k);
  s->query.noted = exact ? NULL : s->noted;
  if (!exact) {
    rc = ann_way_plan(s->store, &s->query, k + s->n_gone, 1, &way);
    exact = s->query.search_k == 0 && way.exact <= way.walk;
  }
  if (rc == ANN_OK) rc = exact ? reach_exactly(s) : reach_past_gone(s, k, &way, begun);
  ann_trace_enter(s->store->trace, ANN_TRACE_RANK);
  if (rc != ANN_OK) return rc;
  return s->goes_on ? give(s, k, &poll)
                    : ann_sort(s->top.items, s->top.n, sizeof *s->top.items, ann_ranked_compare,
                               &poll);
}

/* The same from nothing, by the steps that it took before: what it then gives is what it would have
** given if it had gone on, so that rows do not depend on what was in memory. */
static int compute_anew(AnnSearcher *s, int64_t k) {
  int rc = ANN_OK, i;
  begin(s, s->n_steps ? s->steps[0] : k);
  for (i = 0; i < s->n_steps && s->goes_on && rc == ANN_OK; i++) {
    rc = compute(s, s->steps[i], i == 0);
  }
  return rc == ANN_OK ? compute(s, k, i == 0) : rc;
}

int ann_search_reach(AnnSearcher *s, int64_t k, const AnnRanked **out_rows, int64_t *out_n,
                     int *out_done) {
  int rc = make_ready(s);
  if (k > ANN_MOST_ROWS) k = ANN_MOST_ROWS;
  if (rc == ANN_OK) rc = ann_notes_get(s->store->notes, &s->noted);
  if (rc == ANN_OK) rc = can_go_on(s) ? compute(s, k, 0) : compute_anew(s, k);
  if (s->n_steps < MOST_STEPS) s->steps[s->n_steps++] = k;
  *out_rows = s->goes_on ? s->given : s->top.items;
  *out_n = s->goes_on ? s->n_given : s->top.n;
  *out_done = is_done(s);
  if (rc != ANN_OK) s->k = s->n_steps = 0;
  return rc;
}

int ann_search(AnnSearcher *s, const AnnQuery *query, AnnTopk *out_top) {
  const AnnRanked *rows;
  int64_t n;
  int done, rc;
  ann_search_start(s, query, query->k);
  rc = ann_search_reach(s, query->k, &rows, &n, &done);
  *out_top = s->top;
  memset(&s->top, 0, sizeof s->top);
  return rc;
}
