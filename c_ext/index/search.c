/* search.c -- see search.h. */
#include "index/search.h"

#include "core/grow.h"
#include "core/sort.h"
#include "index/ranking.h"
#include "index/seek.h"
#include "index/way.h"

/* Rows that a search keeps to go on with, 16 bytes each; one of more begins anew for the
** next. */
#define MOST_HELD ((int64_t)1 << 24)
#define MOST_STEPS 64                  /* calls that ask for more, four times as much each */
#define MOST_KEPT ((int64_t)256 << 10) /* bytes that are kept for the next search */

struct AnnSearcher {
  AnnStore *store;           /* borrowed */
  int ready;                 /* seek and ranking are made; at the first search */
  AnnSeek seek;              /* owned */
  AnnRanking ranking;        /* owned; it has the query of the search under way */
  int64_t most;              /* rows that will be asked for */
  int64_t k;                 /* asked for so far; 0: not begun */
  int64_t steps[MOST_STEPS]; /* every k that it was asked for, ascending */
  int n_steps;
  int exact;        /* every row, or every listed row; else the forest */
  int scored;       /* exactly: every row; by the forest: those that wait */
  AnnRanked *given; /* owned: ascending */
  int64_t n_given, given_allocated;
  int64_t n_before;      /* found that come before the next one, given or missed */
  uint64_t history;      /* of the table when it began: state.h */
  uint64_t noted_digest; /* of the noted rows when it began */
};

/* ---- which way ---- */

/* Is there nothing to choose? */
static int must_be_exact(const AnnSearcher *s) {
  return s->store->state.roots[0] == 0 ||
         (s->ranking.query.recall >= 1 && s->ranking.query.search_k == 0) ||
         ann_space_is_flat(&s->store->options.space, s->ranking.query.vector);
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
  if (ann_ranking_init(&s->ranking, s->store) != ANN_OK) return ANN_NOMEM;
  s->ready = ann_seek_init(&s->seek, s->store) == ANN_OK;
  if (!s->ready) ann_ranking_clear(&s->ranking);
  return s->ready ? ANN_OK : ANN_NOMEM;
}

void ann_search_start(AnnSearcher *s, const AnnQuery *query, int64_t most) {
  s->ranking.query = *query;
  s->most = most < ANN_MOST_ROWS ? most : ANN_MOST_ROWS;
  s->k = s->n_steps = 0;
}

/* What it holds of the search under way. */
static int64_t bytes_of(const AnnSearcher *s) {
  return ann_ranking_bytes(&s->ranking) + s->given_allocated * (int64_t)sizeof(AnnRanked);
}

static void clear(AnnSearcher *s) {
  if (s->ready) ann_seek_clear(&s->seek);
  ann_ranking_clear(&s->ranking);
  ann_free(s->given);
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
  int64_t rows = s->ranking.query.only ? s->ranking.query.only->n : store->state.rows;
  ann_ranking_begin(&s->ranking, k < s->most && rows <= MOST_HELD);
  s->exact = s->scored = 0;
  s->n_given = s->n_before = 0;
  s->noted_digest = ann_notes_digest(store->notes);
  s->history = store->state.history;
}

/* May it go on where it stopped? */
static int can_go_on(const AnnSearcher *s) {
  return s->k > 0 && s->ranking.keeps_all && s->history == s->store->state.history &&
         s->noted_digest == ann_notes_digest(s->store->notes) &&
         (s->exact || ann_seek_can_go_on(&s->seek));
}

/* Exactly.  What the forest has ranked before is among the rest. */
static int reach_exactly(AnnSearcher *s) {
  if (s->exact && s->scored) return ANN_OK;
  s->exact = s->scored = 1;
  s->ranking.n_pool = s->n_before = 0;
  s->ranking.query.noted = NULL; /* what is read is as it is */
  return ann_ranking_all(&s->ranking);
}

static int rank_survivors(AnnSearcher *s) {
  const int64_t *ids = NULL;
  int64_t n = 0;
  int rc;
  ann_trace_enter(s->store->trace, ANN_TRACE_RANK);
  rc = ann_seek_survivors(&s->seek, &ids, &n);
  return rc == ANN_OK ? ann_ranking_survivors(&s->ranking, ids, n) : rc;
}

/* By the forest. */
static int reach_by_forest(AnnSearcher *s, int64_t k, const AnnWay *way, int begun) {
  int rc = begun ? ann_seek_start(&s->seek, &s->ranking.query, s->ranking.keeps_all) : ANN_OK;
  if (rc == ANN_OK) rc = ann_seek_reach(&s->seek, k, way);
  if (rc == ANN_OK && s->seek.gave_up) return reach_exactly(s);
  if (rc == ANN_OK) rc = rank_survivors(s);
  if (rc == ANN_OK && !s->scored) rc = ann_ranking_waiting(&s->ranking);
  s->scored = 1;
  return rc;
}

/* The same where rows may be gone that the forest names: they take the place of others, so that as
** many more are asked for, until no more of them are gone. */
static int reach_past_gone(AnnSearcher *s, int64_t k, AnnWay *way, int begun) {
  int64_t gone = s->ranking.n_gone;
  int rc = reach_by_forest(s, k + gone, way, begun);
  while (rc == ANN_OK && !s->exact && s->ranking.n_gone > gone) {
    gone = s->ranking.n_gone;
    if (!s->ranking.keeps_all) {
      ann_topk_restart(&s->ranking.top, k);
      s->ranking.n_gone = s->scored = 0;
    }
    rc = ann_way_plan(s->store, &s->ranking.query, k + gone, 1, way);
    if (rc == ANN_OK) rc = reach_by_forest(s, k + gone, way, !s->ranking.keeps_all);
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
  for (i = 0; i < s->ranking.n_pool; i++) {
    if (!is_given(s, &s->ranking.pool[i])) s->ranking.pool[n++] = s->ranking.pool[i];
  }
  s->n_before += s->ranking.n_pool - n;
  s->ranking.n_pool = n;
  if (n > k - s->n_before) n = k - s->n_before;
  if (n <= 0) return ANN_OK;
  rc = ann_grow(&s->given, s->n_given, n, &s->given_allocated, sizeof *s->given);
  if (rc != ANN_OK) return rc;
  (void)ann_ranked_select(s->ranking.pool, s->ranking.n_pool, n - 1);
  rc = ann_sort(s->ranking.pool, n, sizeof *s->ranking.pool, ann_ranked_compare, poll);
  if (rc != ANN_OK) return rc;
  memcpy(s->given + s->n_given, s->ranking.pool, (size_t)n * sizeof *s->ranking.pool);
  memmove(s->ranking.pool, s->ranking.pool + n,
          (size_t)(s->ranking.n_pool - n) * sizeof *s->ranking.pool);
  s->n_given += n;
  s->n_before += n;
  s->ranking.n_pool -= n;
  return ANN_OK;
}

/* Are there no more rows than those given, or in top? */
static int is_done(const AnnSearcher *s) {
  if (!s->ranking.keeps_all) return s->ranking.top.n < s->k;
  return s->ranking.n_pool == 0 && (s->exact || ann_seek_is_done(&s->seek));
}

/* Have the nearest k among those that are ranked.  begun: it has not looked at a row yet. */
static int compute(AnnSearcher *s, int64_t k, int begun) {
  AnnPoll poll = {ann_db_tick, s->store->db};
  AnnWay way;
  int rc = ANN_OK, exact = s->exact || must_be_exact(s);
  s->k = k;
  if (!s->ranking.keeps_all) ann_topk_restart(&s->ranking.top, k);
  s->ranking.query.noted = exact ? NULL : s->ranking.noted;
  if (!exact) {
    rc = ann_way_plan(s->store, &s->ranking.query, k + s->ranking.n_gone, 1, &way);
    exact = s->ranking.query.search_k == 0 && way.exact <= way.walk;
  }
  if (rc == ANN_OK) rc = exact ? reach_exactly(s) : reach_past_gone(s, k, &way, begun);
  ann_trace_enter(s->store->trace, ANN_TRACE_RANK);
  if (rc != ANN_OK) return rc;
  return s->ranking.keeps_all
             ? give(s, k, &poll)
             : ann_sort(s->ranking.top.items, s->ranking.top.n, sizeof *s->ranking.top.items,
                        ann_ranked_compare, &poll);
}

/* The same from nothing, by the steps that it took before: what it then gives is what it would have
** given if it had gone on, so that rows do not depend on what was in memory. */
static int compute_anew(AnnSearcher *s, int64_t k) {
  int rc = ANN_OK, i;
  begin(s, s->n_steps ? s->steps[0] : k);
  for (i = 0; i < s->n_steps && s->ranking.keeps_all && rc == ANN_OK; i++) {
    rc = compute(s, s->steps[i], i == 0);
  }
  return rc == ANN_OK ? compute(s, k, i == 0) : rc;
}

int ann_search_reach(AnnSearcher *s, int64_t k, const AnnRanked **out_rows, int64_t *out_n,
                     int *out_done) {
  int rc = make_ready(s);
  if (k > ANN_MOST_ROWS) k = ANN_MOST_ROWS;
  if (rc == ANN_OK) rc = ann_notes_get(s->store->notes, &s->ranking.noted);
  if (rc == ANN_OK) rc = can_go_on(s) ? compute(s, k, 0) : compute_anew(s, k);
  if (s->n_steps < MOST_STEPS) s->steps[s->n_steps++] = k;
  *out_rows = s->ranking.keeps_all ? s->given : s->ranking.top.items;
  *out_n = s->ranking.keeps_all ? s->n_given : s->ranking.top.n;
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
  *out_top = s->ranking.top;
  memset(&s->ranking.top, 0, sizeof s->ranking.top);
  return rc;
}
