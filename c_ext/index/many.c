/* many.c -- see many.h. */
#include "index/many.h"

#include <math.h>

#include "core/sort.h"
#include "index/search.h"
#include "index/truth.h"

#define ALONE 8     /* vectors for which nothing pays that is done for all together, */
#define UNSHARED 16 /* nor threads, which take 50 us to start, */
#define FEW 64      /* nor an order */
#define GROUP 512   /* searched before what they lacked is read */
#define CHUNK 4     /* that a worker takes at a time, */
#define LONG 1000.0 /* or one, where a search takes about so many microseconds */
#define SORTS_PER_TICK 32
#define ROWS_AHEAD 4  /* on their way from memory while one is measured */
#define SLOTS_AHEAD 8 /* and where to find those after them */
#define GAVE_UP (-2)  /* beside ANN_NOT_HERE: every row has to be looked at (way.h) */

/* Vectors are put in slots, in the order in which they are searched for. */
typedef struct Many {
  AnnStore *store;
  const AnnAsked *asked;
  AnnPoll poll;
  AnnPool *pool;     /* owned; NULL: the SQLite thread alone */
  int is_held;       /* every page and row is in memory: what comes first is of no matter */
  int is_alone;      /* most of what the others looked for was not in memory */
  AnnWay way;        /* of every search */
  AnnSeek *seeks;    /* owned: one a worker; the first is the SQLite thread's, too */
  int n_seeks;       /* made */
  AnnRanked *order;  /* owned: a slot's vector, by the leaf nearest to it */
  AnnTruth *truths;  /* owned: a slot's answer */
  int *outcomes;     /* owned: a slot's */
  int64_t first;     /* slot of the group under way */
  int64_t n_walking; /* the first so many slots walk the forest, the others look at every row */
} Many;

static const void *vector_of(const Many *many, int64_t i) {
  return many->asked->queries + i * many->store->options.space.query_size;
}

static AnnQuery query_of(const Many *many, int64_t i) {
  const AnnAsked *asked = many->asked;
  AnnQuery query = {.vector = vector_of(many, i), .k = asked->k, .recall = asked->recall};
  query.without_self = asked->selves != NULL;
  query.self = asked->selves ? asked->selves[i] : 0;
  return query;
}

/* Rows that an answer can have. */
static int64_t most_rows(const AnnStore *store, int64_t k) {
  int64_t rows = store->state.rows > 0 ? store->state.rows : 1;
  return k < rows ? k : rows;
}

int64_t ann_many_bytes(const AnnStore *store, int64_t k) {
  const AnnSpace *space = &store->options.space;
  int64_t pass = ann_space_has_bounds(space) ? 4 * ann_space_stride(space) : 0;
  return space->query_size + pass + most_rows(store, k) * (int64_t)sizeof(AnnRanked) +
         (int64_t)(sizeof(AnnTruth) + sizeof(AnnTopk) + sizeof(AnnRanked) + sizeof(AnnBound));
}

/* ---- life ---- */

static int make_seeks(Many *many) {
  int n = ann_pool_workers(many->pool), rc = ANN_OK;
  many->seeks = ann_alloc_zero((uint64_t)n, sizeof *many->seeks);
  if (!many->seeks) return ANN_NOMEM;
  for (; many->n_seeks < n && rc == ANN_OK; many->n_seeks++) {
    AnnSeek *seek = &many->seeks[many->n_seeks];
    rc = ann_seek_init(seek, many->store);
    if (rc == ANN_OK && many->pool) rc = ann_seek_fit(seek, many->asked->k, &many->way);
    if (many->pool) seek->walk.reader = NULL;
  }
  return rc;
}

static int init(Many *many, AnnStore *store, const AnnAsked *asked) {
  int threads = ann_pool_threads(asked->threads);
  uint64_t n = (uint64_t)asked->n;
  memset(many, 0, sizeof *many);
  many->store = store;
  many->asked = asked;
  many->poll.check = ann_db_tick;
  many->poll.arg = store->db;
  many->order = ann_alloc_array(n, sizeof *many->order);
  many->truths = ann_alloc_zero(n, sizeof *many->truths);
  many->outcomes = ann_alloc_zero(n, sizeof *many->outcomes);
  if (!many->order || !many->truths || !many->outcomes) return ANN_NOMEM;
  return threads > 1 && asked->n >= UNSHARED ? ann_pool_new(threads, &many->pool) : ANN_OK;
}

static void clear(Many *many) {
  int64_t i;
  for (i = 0; i < many->n_seeks; i++) ann_seek_clear(&many->seeks[i]);
  for (i = 0; many->truths && i < many->asked->n; i++) ann_truth_clear(&many->truths[i]);
  ann_free(many->seeks);
  ann_free(many->order);
  ann_free(many->truths);
  ann_free(many->outcomes);
  ann_pool_free(many->pool);
}

static int64_t chunk_of(const Many *many) { return many->way.walk < LONG ? CHUNK : 1; }

/* The first slot that failed; what is not in memory is no failure. */
static int failure(const Many *many, int64_t first, int64_t last) {
  for (; first < last; first++) {
    if (many->outcomes[first] > 0) return many->outcomes[first];
  }
  return ANN_OK;
}

/* ---- the order ---- */

/* What there is to read is read beforehand where so much is searched for that most of it will be
** wanted: in the order in which it is stored that takes half as long. */
static int warm(Many *many) {
  AnnStore *store = many->store;
  const AnnState *state = &store->state;
  int64_t n_directories, n = many->asked->n;
  int64_t n_pages = state->directory_pages + state->leaf_pages;
  int rc = ann_walk_warm(store, &n_directories);
  if (rc == ANN_OK && n * many->way.usual >= state->placed * store->options.trees &&
      ann_pages_held(store->pages) < n_pages && store->budget.pages < store->budget.most / 2) {
    rc = ann_pages_warm(store->pages);
  }
  if (rc == ANN_OK && n * many->way.effort.keep >= state->rows &&
      ann_rows_held(store->rows) < state->rows) {
    rc = ann_rows_warm(store->rows);
  }
  many->is_held = ann_pages_held(store->pages) >= n_pages &&
                  ann_rows_held(store->rows) >= state->rows;
  return rc;
}

static void find_leaves(void *arg, int64_t first, int64_t last, int worker) {
  Many *many = arg;
  AnnSeek *seek = &many->seeks[worker];
  for (; first < last; first++) {
    AnnRanked *slot = &many->order[first];
    AnnQuery query = query_of(many, slot->id);
    if (slot->key == INFINITY) continue;
    many->outcomes[first] = ann_seek_start(seek, &query, 0);
    if (many->outcomes[first] == ANN_OK && seek->found) slot->key = seek->next.number;
  }
}

/* Those whose vectors have no direction come last: the forest is of no help to them. */
static int put_in_order(Many *many) {
  int64_t n = many->asked->n, i;
  int rc = ANN_OK;
  for (i = 0; i < n; i++) {
    int is_flat = ann_space_is_flat(&many->store->options.space, vector_of(many, i));
    many->order[i] = (AnnRanked){is_flat ? INFINITY : 0, i};
  }
  if (n >= FEW && !many->is_held) {
    rc = ann_pool_run(many->pool, n, chunk_of(many), find_leaves, many, &many->poll);
    if (rc == ANN_OK) rc = failure(many, 0, n);
  }
  if (rc == ANN_OK) {
    rc = ann_sort(many->order, n, sizeof *many->order, ann_ranked_compare, &many->poll);
  }
  while (many->n_walking < n && many->order[many->n_walking].key < INFINITY) many->n_walking++;
  return rc;
}

static int make_truths(Many *many) {
  const AnnAsked *asked = many->asked;
  int64_t k = most_rows(many->store, asked->k), i;
  int rc = ANN_OK;
  for (i = 0; i < asked->n && rc == ANN_OK; i++) {
    int64_t at = many->order[i].id;
    rc = ann_truth_init(&many->truths[i], &many->store->options.space,
                        asked->selves ? &asked->selves[at] : NULL, vector_of(many, at), k);
  }
  return rc;
}

/* ---- by the forest ---- */

/* A survivor; of a worker what is in memory. */
static int row_of(const Many *many, const AnnSeek *seek, int64_t id, const AnnRow **out_row) {
  int rc = ANN_OK;
  if (!seek->walk.reader) {
    *out_row = ann_rows_peek(many->store->rows, id);
    return *out_row ? ANN_OK : ANN_NOT_HERE;
  }
  rc = ann_rows_get(many->store->rows, id, out_row);
  return rc == ANN_OK && !*out_row ? ann_source_lacks(many->store->source, id) : rc;
}

static int rank_survivors(const Many *many, AnnSeek *seek, AnnTruth *truth) {
  const AnnRows *rows = many->store->rows;
  const AnnRow *row = NULL;
  const int64_t *ids;
  int64_t n, i;
  int rc = ann_seek_survivors(seek, &ids, &n);
  for (i = 0; i < n && rc == ANN_OK; i++) {
    if (i + SLOTS_AHEAD < n) ann_rows_prefetch_slot(rows, ids[i + SLOTS_AHEAD]);
    if (i + ROWS_AHEAD < n) ann_rows_prefetch(rows, ids[i + ROWS_AHEAD]);
    rc = row_of(many, seek, ids[i], &row);
    if (rc != ANN_OK || !row) continue;
    rc = ann_topk_push(&truth->exact,
                       ann_origin_distance_of(&truth->origin, row->vector, row->norm), ids[i]);
  }
  return rc;
}

static int search_slot(const Many *many, AnnSeek *seek, int64_t slot) {
  AnnTruth *truth = &many->truths[slot];
  AnnQuery query = query_of(many, many->order[slot].id);
  int rc = ann_seek_start(seek, &query, 0);
  ann_topk_restart(&truth->exact, truth->exact.k);
  if (rc == ANN_OK) rc = ann_seek_reach(seek, many->asked->k, &many->way);
  if (rc == ANN_OK && seek->gave_up) return GAVE_UP;
  return rc == ANN_OK ? rank_survivors(many, seek, truth) : rc;
}

static void search_some(void *arg, int64_t first, int64_t last, int worker) {
  Many *many = arg;
  for (first += many->first, last += many->first; first < last; first++) {
    many->outcomes[first] = search_slot(many, &many->seeks[worker], first);
  }
}

/* In the SQLite thread, which may read: the slots of the group that lacked something. */
static int search_again(Many *many, int64_t end) {
  AnnStore *store = many->store;
  AnnSeek *seek = &many->seeks[0];
  int64_t slot, n = 0;
  int rc = ANN_OK;
  seek->walk.reader = store;
  for (slot = many->first; slot < end && rc == ANN_OK; slot++) {
    if (many->outcomes[slot] != ANN_NOT_HERE) continue;
    many->outcomes[slot] = search_slot(many, seek, slot);
    ann_pages_trim(store->pages);
    rc = ann_db_tick(store->db);
    n++;
  }
  if (many->pool) seek->walk.reader = NULL;
  many->is_alone = 2 * n > end - many->first;
  return rc;
}

static int search_group(Many *many, int64_t end) {
  int64_t first = many->first, slot;
  int rc = ANN_OK;
  for (slot = first; slot < end; slot++) many->outcomes[slot] = ANN_NOT_HERE;
  if (many->pool && !many->is_alone) {
    rc = ann_pool_run(many->pool, end - first, chunk_of(many), search_some, many, &many->poll);
  }
  if (rc == ANN_OK) rc = search_again(many, end);
  return rc == ANN_OK ? failure(many, first, end) : rc;
}

/* Those that gave up join those that look at every row. */
static void part(Many *many) {
  int64_t slot = 0;
  while (slot < many->n_walking) {
    int64_t last = many->n_walking - 1;
    AnnTruth truth = many->truths[slot];
    AnnRanked vector = many->order[slot];
    if (many->outcomes[slot] != GAVE_UP) {
      slot++;
      continue;
    }
    many->outcomes[slot] = many->outcomes[last];
    many->truths[slot] = many->truths[last];
    many->order[slot] = many->order[last];
    many->truths[last] = truth;
    many->order[last] = vector;
    many->n_walking--;
  }
}

static int search_forest(Many *many) {
  int64_t n = many->n_walking, end;
  int rc = ANN_OK;
  for (many->first = 0; many->first < n && rc == ANN_OK; many->first = end) {
    end = many->first + GROUP < n ? many->first + GROUP : n;
    rc = search_group(many, end);
  }
  part(many);
  return rc;
}

/* ---- rows that are read once for all ---- */

static AnnTruthRows rows_of(const AnnStore *store) {
  return (AnnTruthRows){store->db, store->source, &store->options.space, store->rows};
}

/* Every row, for the slots that do not walk. */
static int look_at_all(Many *many) {
  AnnTruthRows rows = rows_of(many->store);
  int64_t n = many->asked->n - many->n_walking;
  return n > 0 ? ann_truth_find(&rows, many->pool, many->truths + many->n_walking, n) : ANN_OK;
}

/* The rows that wait, for those that do. */
static int look_at_waiting(Many *many) {
  AnnTruthRows rows = rows_of(many->store);
  AnnPass *pass = NULL; /* owned */
  int64_t from = INT64_MIN, first, last;
  int found = many->n_walking > 0, rc = ANN_OK;
  while (rc == ANN_OK && found) {
    rc = ann_waiting_range(many->store->waiting, from, &first, &last, &found);
    if (rc != ANN_OK || !found) break;
    if (!pass) rc = ann_pass_new(&rows, many->truths, many->n_walking, &pass);
    if (rc == ANN_OK) rc = ann_pass_range(pass, many->pool, first, last);
    if (last == INT64_MAX) break;
    from = last + 1;
  }
  ann_pass_free(pass);
  return rc;
}

/* ---- all of it ---- */

/* As a search decides it (search.c), for all vectors but those without a direction. */
static int choose_way(AnnStore *store, const AnnAsked *asked, AnnWay *out_way, int *out_exact) {
  AnnQuery query = {.k = asked->k, .recall = asked->recall};
  int rc = ann_notes_get(store->notes, &query.noted);
  query.without_self = asked->selves != NULL;
  *out_exact = store->state.roots[0] == 0 || asked->recall >= 1;
  if (rc != ANN_OK || *out_exact) return rc;
  rc = ann_way_plan(store, &query, asked->k, 1, out_way);
  *out_exact = out_way->exact <= out_way->walk;
  return rc;
}

/* By the forest, as far as that is the way. */
static int search(Many *many, int exact) {
  int64_t i;
  int rc = ANN_OK;
  if (exact) {
    for (i = 0; i < many->asked->n; i++) many->order[i] = (AnnRanked){0, i};
    return make_truths(many);
  }
  if (many->asked->n >= FEW) rc = warm(many);
  if (rc == ANN_OK) rc = make_seeks(many);
  if (rc == ANN_OK) rc = put_in_order(many);
  if (rc == ANN_OK) rc = make_truths(many);
  return rc == ANN_OK ? search_forest(many) : rc;
}

/* Each answer in order, and in the place of its vector. */
static int hand_over(Many *many, AnnTopk *out_tops) {
  int64_t i;
  int rc = ANN_OK;
  for (i = 0; i < many->asked->n && rc == ANN_OK; i++) {
    AnnTopk *top = &many->truths[i].exact;
    rc = ann_sort(top->items, top->n, sizeof *top->items, ann_ranked_compare, &many->poll);
    if (rc == ANN_OK && i % SORTS_PER_TICK == 0) rc = ann_db_tick(many->store->db);
    out_tops[many->order[i].id] = *top;
    memset(top, 0, sizeof *top);
  }
  return rc;
}

/* One after the other. */
static int search_each(AnnStore *store, const AnnAsked *asked, AnnTopk *out_tops) {
  Many many = {.store = store, .asked = asked};
  AnnSearcher *searcher = NULL; /* owned */
  int64_t i;
  int rc = ann_searcher_new(store, &searcher);
  for (i = 0; i < asked->n && rc == ANN_OK; i++) {
    AnnQuery query = query_of(&many, i);
    rc = ann_search(searcher, &query, &out_tops[i]);
  }
  ann_searcher_free(searcher);
  return rc;
}

/* In an ordinary table more rows may be found than the forest counts. */
static int is_for_each(const AnnStore *store, const AnnAsked *asked, int exact) {
  if (asked->n < ALONE) return 1;
  return ann_source_may_lack(store->source) && (!exact || asked->k > store->state.rows);
}

int ann_many_search(AnnStore *store, const AnnAsked *asked, AnnTopk *out_tops) {
  Many many;
  AnnWay way = {.walk = 0};
  int exact = 0, rc = choose_way(store, asked, &way, &exact);
  if (rc != ANN_OK) return rc;
  if (is_for_each(store, asked, exact)) return search_each(store, asked, out_tops);
  rc = init(&many, store, asked);
  many.way = way;
  if (rc == ANN_OK) rc = search(&many, exact);
  if (rc == ANN_OK) rc = look_at_all(&many);
  if (rc == ANN_OK) rc = look_at_waiting(&many);
  if (rc == ANN_OK) rc = hand_over(&many, out_tops);
  store->n_searches += asked->n;
  clear(&many);
  return rc;
}
